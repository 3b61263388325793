"""Rules of automation over REST, and the trail of what they did."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import automation_rules
from services.api.rest.door import Call, Door, answer, filters_of, one, page, shape
from services.api.rest.inputs import ID, TIME, many, record, shown
from shared.models.automation import AutomationRuleFields

door = Door("automation")
_N = {"type": "integer"}
_EXAMPLE = {
    "name": "Outages to the network team", "event": "conversation.opened",
    "filter": {"field": "issue_keys", "op": "contains", "value": "outage"},
    "actions": [{"do": "change", "priority": "high"}, {"do": "tag", "tags": ["network"]}],
}  # fmt: skip
_TRY = record(
    ("event",),
    event={"type": "string"},
    filter={"type": "object"},
    actions=many({"type": "object"}),
    from_=TIME,
    to=TIME,
)
_TRIED = shown(
    from_=TIME, to=TIME, looked_at=_N, hits=_N, conversations=_N, samples=many(shown(event_id=ID, at=TIME, conversation_id=ID)),
)  # fmt: skip


@door.get(
    "/automation-rules",
    "listAutomationRules",
    Action.READ_SETTINGS,
    page("automation_rule"),
    query=filters_of("automation_rule"),
)
async def list_automation_rules(call: Call) -> Response:
    """The rules, in the order in which they are asked."""
    return await call.listed("automation_rule")


@door.post(
    "/automation-rules", "createAutomationRule", Action.WRITE_SETTINGS, one("automation_rule"), takes=AutomationRuleFields,
    example=_EXAMPLE,
)  # fmt: skip
async def create_automation_rule(call: Call) -> Response:
    """Adds a rule: when an event is told, if the conversation matches, then the desk's own verbs.

    It acts on what is told from now on, once for each event. `do` is assign, change, tag, untag, note, snooze, wait_for_customer,
    resolve, reopen or reply (an automatic one), with the fields of that verb.
    """
    given = await call.body()
    return await call.write("automation_rule", lambda desk: automation_rules.create_automation_rule(desk, given))


@door.get("/automation-rules/{id}", "getAutomationRule", Action.READ_SETTINGS, one("automation_rule"))
async def get_automation_rule(call: Call) -> Response:
    """One rule."""
    return await call.one("automation_rule", call.id())


@door.patch(
    "/automation-rules/{id}",
    "changeAutomationRule",
    Action.WRITE_SETTINGS,
    one("automation_rule"),
    takes=AutomationRuleFields,
)
async def change_automation_rule(call: Call) -> Response:
    """Changes what is sent of a rule; `status` paused stops it."""
    key, given = call.id(), await call.body()
    return await call.write("automation_rule", lambda desk: automation_rules.change_automation_rule(desk, key, given))


@door.delete("/automation-rules/{id}", "removeAutomationRule", Action.WRITE_SETTINGS)
async def remove_automation_rule(call: Call) -> Response:
    """Takes a rule away; the trail of what it did stays."""
    return await call.do(lambda desk: automation_rules.remove_automation_rule(desk, call.id()))


@door.post(
    "/automation-rules/dry-run", "dryRunAutomationRule", Action.READ_SETTINGS, shape(_TRIED), takes=_TRY, status=200,
    example={"event": "sla.warning", "filter": {"field": "priority", "op": "eq", "value": "urgent"}},
)  # fmt: skip
async def dry_run_automation_rule(call: Call) -> Response:
    """What a rule would have acted on in the past; nothing is done.

    Conversations are judged as they stand now. Four weeks are looked at unless `from` and `to` say otherwise.
    """
    given = await call.body()
    async with call.desk.writing() as desk:
        return answer(await automation_rules.dry_run_automation_rule(desk, given))


@door.get(
    "/automation-runs",
    "listAutomationRuns",
    Action.READ_SETTINGS,
    page("automation_run"),
    query=filters_of("automation_run"),
)
async def list_automation_runs(call: Call) -> Response:
    """What rules did about which event, the newest first; `?conversation=…` or `?rule=…` narrows it."""
    return await call.listed("automation_run")


@door.get("/automation-runs/{id}", "getAutomationRun", Action.READ_SETTINGS, one("automation_run"))
async def get_automation_run(call: Call) -> Response:
    """One run, with the runs that led to it."""
    return await call.one("automation_run", call.id())
