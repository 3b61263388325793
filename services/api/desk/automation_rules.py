"""Automation rules: when something is told, if the conversation is such, then the desk's own verbs are done."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from services.api.desk import conversations, fields, looked_for, past
from services.api.desk.actions import BY_RULE
from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.automation import AutomationRule, AutomationRuleFields
from shared.models.facts import FACTS
from shared.models.people import Agent, Queue, Team
from shared.rules import duration
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.store import automation as store
from shared.store import conversation_filter, issue_types, rows

EVENTS = tuple(
    sorted(
        type_
        for type_, kind in FACTS.items()
        if kind.noun in {"conversation", "message", "offer", "queue", "reply", "sla_clock"}
    )
)
"""What may set a rule off: everything that is told about a conversation."""
MOST_ACTIONS = 20
SAMPLES = 10
_BINDING = ("event", "filter", "actions")
_TAKES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "assign": ("agent_id", "team_id"), "snooze": ("for", "until"), "resolve": (), "reopen": (),
        "change": conversations.CHANGEABLE, "note": ("text",), "tag": ("tags",), "untag": ("tags",), "wait_for_customer": (),
        "reply": ("text", "visibility"),
    }
)  # fmt: skip


async def create_automation_rule(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a rule; it acts on what is told from now on. Raises Invalid, naming each thing that is wrong."""
    asked = await _read(desk, fields.read_fields(AutomationRuleFields, given))
    looked_for.may_filter(desk, asked.filter)
    since = await store.position_now(desk.session, desk.workspace_id)
    rule = AutomationRule(workspace_id=desk.workspace_id, **fields.values_of(asked), since=since)
    await rows.add(desk.session, rule)
    return rule.id


async def change_automation_rule(desk: Desk, rule_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given. Another event, filter or other actions are another version; a rule that was paused does not make up for what
    was told meanwhile."""
    rule = await rows.take(desk.session, AutomationRule, desk.workspace_id, rule_id)
    was_paused = rule.status != "active"
    asked = await _read(desk, fields.changed_fields(AutomationRuleFields, rule, given))
    looked_for.may_filter(desk, asked.filter, rule.filter)
    changed = fields.lay_over(rule, asked)
    if set(changed) & set(_BINDING):
        rule.version += 1
    if was_paused and rule.status == "active":
        rule.since = await store.position_now(desk.session, desk.workspace_id)
    await rows.touch(desk.session, rule)
    return rule.id


async def remove_automation_rule(desk: Desk, rule_id: UUID) -> None:
    """Takes a rule away; what it did, and the trail of it, stay."""
    await rows.remove(desk.session, await rows.take(desk.session, AutomationRule, desk.workspace_id, rule_id))


async def dry_run_automation_rule(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule would have acted on in the past: {"event", "filter"?, "actions"?, "from"?, "to"?}. Conversations are judged as they
    stand now. Nothing is done. Returns looked_at, hits, conversations, and the newest as samples."""
    fields.refuse_others(given, ("event", "filter", "actions", "from", "to"))
    rule = {name: given[name] for name in _BINDING if name in given}
    asked = await _read(
        desk, fields.read_fields(AutomationRuleFields, {"name": "tried", "actions": [{"do": "resolve"}], **rule})
    )
    since, until = past.period(given)
    where = filters.parse(asked.filter, CONVERSATION_FIELDS)
    looked_for.may_ask(desk, where)
    async with desk.reading() as connection:
        found = await conversation_filter.told_between(connection, asked.event, where, since, until, samples=SAMPLES)
    return {
        "from": clock.iso(since), "to": clock.iso(until), "looked_at": found["looked_at"], "hits": found["hits"],
        "conversations": found["conversations"],
        "samples": [
            {**one, "at": clock.iso(datetime.fromisoformat(one["at"]))} for one in orjson.loads(found["newest"])
        ],
    }  # fmt: skip


async def _read(desk: Desk, asked: AutomationRuleFields) -> AutomationRuleFields:
    errors: list[tuple[str, str]] = []
    if asked.event not in EVENTS:
        errors.append(("/event", f"No such event is told about conversations. Known are {', '.join(EVENTS)}."))
    try:
        filters.parse(asked.filter, CONVERSATION_FIELDS)
    except Invalid as wrong:
        errors += [(f"/filter{pointer}", detail) for pointer, detail in wrong.errors]
    if not 1 <= len(asked.actions) <= MOST_ACTIONS:
        errors.append(("/actions", f"Give 1 to {MOST_ACTIONS} actions."))
    for place, action in enumerate(asked.actions):
        errors += [(f"/actions/{place}{pointer}", detail) for pointer, detail in await _wrong(desk, action)]
    if errors:
        raise Invalid("This rule cannot be used.", errors=errors)
    return asked


async def _wrong(desk: Desk, action: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with an action, as far as can be told before there is a conversation."""
    do = action.get("do")
    if do not in BY_RULE:
        return [("/do", f"There is no such action. Known are {', '.join(BY_RULE)}.")]
    takes = _TAKES[str(do)]
    given = {name: value for name, value in action.items() if name != "do"}
    errors = [
        (f"/{fields.escape(name)}", f"{do} takes {', '.join(takes) or 'nothing'}.")
        for name in given
        if name not in takes
    ]
    if takes and not given:
        errors.append(("", f"Say with what: {do} takes {', '.join(takes)}."))
    for name, table in (("agent_id", Agent), ("team_id", Team), ("queue_id", Queue)):
        if given.get(name) is not None:
            errors += await _found_wrong(desk, table, given, name)
    if isinstance(given.get("issue_keys"), list):
        unknown = await issue_types.unknown_keys(
            desk.session, desk.workspace_id, [str(one) for one in given["issue_keys"]]
        )
        errors += [("/issue_keys", f"unknown: {', '.join(unknown)}")] if unknown else []
    if "for" in given:
        try:
            duration.parse(str(given["for"]))
        except ValueError as wrong:
            errors.append(("/for", str(wrong)))
    if "text" in takes and not str(given.get("text") or "").strip():
        errors.append(("/text", "Give it words."))
    return errors


async def _found_wrong(desk: Desk, table: Any, given: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    try:
        await fields.must_exist(desk, table, [fields.take_id(given, name)], f"/{name}")
    except Invalid as wrong:
        return list(wrong.errors)
    return []
