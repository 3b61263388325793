"""Read models of who gets which work: offers, skills, shifts, decisions."""

from shared.models import offer, people
from shared.models.read_model import Filter, Nested, Order
from shared.store.columns import plain
from shared.store.hidden import hide

_OF = "{{t}}.workspace_id = {{up_t}}.workspace_id AND {{t}}.id = {{up_t}}.{column}"

OFFER = hide(plain(
    "offer", offer.Offer, "Work that was offered to an agent for a while.",
    nested={
        "agent": Nested("agent_name", _OF.format(column="agent_id"), "Whom it was offered to."),
        "conversation": Nested("conversation", _OF.format(column="conversation_id"), "What was offered.", shown=False),
    },
    filters={
        "agent": Filter(
            "text", "{t}.agent_id IN (SELECT g.id FROM agent g WHERE g.id::text = %s OR lower(g.name) = lower(%s))",
            "Whom it was offered to, by id or name.",
        ),
        "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
        "state": Filter("text", "{t}.state = %s", "Where it stands.", choices=tuple(offer.OfferState)),
    },
), "reason")  # fmt: skip
SKILL = plain(
    "skill", people.Skill, "Something that agents can do.",
    orders={"kind": Order((("{t}.kind", "text", False), ("{t}.name", "text", False), ("{t}.id", "id", False)))},
    filters={"kind": Filter("text", "{t}.kind = %s", "Its kind.")},
)  # fmt: skip
SHIFT = plain(
    "shift", people.Shift, "When an agent or a team is at work, or on leave.",
    filters={
        "agent": Filter("id", "{t}.agent_id = %s", "Whose it is."),
        "team": Filter("id", "{t}.team_id = %s", "Whose it is."),
        "kind": Filter("text", "{t}.kind = %s", "work or leave.", choices=("work", "leave")),
    },
)  # fmt: skip
ROUTING_DECISION = plain(
    "routing_decision", people.RoutingDecision, "Why a conversation went where.",
    nested={"agent": Nested("agent_name", _OF.format(column="agent_id"), "Who got it.", shown=False)},
    filters={
        "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
        "kind": Filter("text", "{t}.kind = %s", "queue, next, offer, overflow, alarm, taken_back or manual."),
    },
)  # fmt: skip
