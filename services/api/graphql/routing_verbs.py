"""The verbs of GraphQL about who gets which work: teams, agents, presence, skills, shifts, calendars, queues, offers, automation."""

from collections.abc import Mapping

from services.api.auth import Action
from services.api.desk import automation_rules, calendars, offers, people, presence, queues, shifts, skills
from services.api.graphql.inputs import NOT_SAID, record_type
from services.api.graphql.mutations import Verb
from services.api.graphql.verb_making import MAYBE_ID, MAYBE_TEXT, SETTINGS, changes, configured, does
from shared.models.automation import AutomationRuleFields
from shared.models.people import AgentFields, QueueFields, ShiftFields, SkillFields, TeamFields
from shared.models.sla import CalendarFields

_PRESENCE = record_type(
    "SetPresenceInput",
    {"presence": (str, "online, away or offline.", ...), "agent_id": MAYBE_ID}, "How somebody stands.",
)  # fmt: skip
_LET_GO = record_type("DeclineOfferInput", {"reason": (str | None, "Why.", NOT_SAID)}, "Why it is let go.")

WORK: Mapping[str, Verb] = {
    "acceptOffer": Verb(
        action=Action.TAKE_WORK, run=does(offers.accept_offer), noun="offer", of="offer",
        doc="Takes what is offered to the asking agent: the conversation is theirs.",
    ),
    "declineOffer": Verb(
        action=Action.TAKE_WORK, run=changes(offers.decline_offer), noun="offer", of="offer", takes=_LET_GO,
        doc="Lets what is offered to the asking agent go to the next one.",
    ),
    "nextInQueue": Verb(
        action=Action.TAKE_WORK, run=does(queues.next_in_queue), noun="conversation", of="queue",
        doc="Gives the asking agent the conversation that is best taken next; null where nothing waits.",
    ),
}  # fmt: skip
"""What agents do."""
CONFIGURE: Mapping[str, Verb] = {
    **configured("team", TeamFields, people.create_team, people.change_team, people.remove_team),
    **configured("agent", AgentFields, people.create_agent, people.change_agent, people.remove_agent),
    **configured("queue", QueueFields, queues.create_queue, queues.change_queue, queues.remove_queue),
    **configured(
        "calendar", CalendarFields, calendars.create_calendar, calendars.change_calendar, calendars.remove_calendar
    ),
    "importHolidays": Verb(
        action=SETTINGS, run=changes(calendars.import_holidays), noun="calendar", of="calendar",
        takes=record_type("ImportHolidaysInput", {"text": (str, "An iCalendar file (RFC 5545).", ...)}, "Holidays."),
        doc="Takes the holidays of an iCalendar file among the calendar's own.",
    ),
    **configured("shift", ShiftFields, shifts.create_shift, shifts.change_shift, shifts.remove_shift),
    **configured(
        "skill", SkillFields, skills.create_skill, skills.change_skill, skills.remove_skill, changing={"title": MAYBE_TEXT}
    ),
    "setPresence": Verb(
        action=Action.TAKE_WORK, run=lambda desk, given: presence.set_presence(desk, given.fields), noun="agent", takes=_PRESENCE,
        doc="Says that the asking agent, or another one, is online, away or offline.",
    ),
    **configured(
        "automation_rule", AutomationRuleFields, automation_rules.create_automation_rule,
        automation_rules.change_automation_rule, automation_rules.remove_automation_rule,
    ),
}  # fmt: skip
"""What is set up for them."""
