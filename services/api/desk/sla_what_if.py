"""What would have become of the promises of a period under other policies, or another calendar. Nothing is changed."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for, past, sla_policies
from services.api.desk.desk import Desk
from shared.acts import policies as acts
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.sla import SlaPolicy
from shared.rules import business_calendar, duration, sla_history, sla_what_if
from shared.rules.business_hours import Calendar
from shared.rules.sla_history import Change, Version
from shared.rules.sla_policy import Policy
from shared.rules.sla_what_if import Outcome, Verdict, Verdicts
from shared.store import rows, sla_past

MOST = 50_000
AT_ONCE = 200
LONGEST_S = 25.0
ASKED = ("from", "to", "policies", "policy_id", "changes", "calendar")


async def what_if_sla_policies(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """Replays the conversations opened in a period (`from`, `to`; four weeks unless said otherwise) under `policies` instead of those in
    force, or these with `changes` to the one with `policy_id`; `calendar` takes the place of their calendars. At most 50,000
    conversations and half a minute: `complete` says whether that was all. Raises Invalid, NotFound."""
    fields.refuse_others(given, ASKED)
    since, until = past.period(given)
    async with desk.writing() as inside:
        proposed = await _proposed(inside, given)
    for policy in proposed if "policies" in given or "changes" in given else ():
        looked_for.may_ask(desk, policy.where)
    at, began = clock.now(), time.monotonic()
    outcome, after, complete = Outcome(), None, False
    while outcome.looked_at < MOST and time.monotonic() - began < LONGEST_S:
        async with desk.reading() as connection:
            ids = await sla_past.opened_between(connection, since, until, after, min(AT_ONCE, MOST - outcome.looked_at))
            if not ids:
                complete = True
                break
            changes = await sla_past.changes(connection, ids)
            stands = await sla_past.verdicts(connection, ids, at)
            held = await _held(connection, changes)
        await asyncio.to_thread(_replay, outcome, changes, stands, held, proposed, at)
        after = ids[-1]
    return _told(outcome, since, until, complete)


def _replay(
    outcome: Outcome, changes: Mapping[UUID, Sequence[Change]], stands: Mapping[UUID, Any], held: Mapping[Version, Policy],
    proposed: Sequence[Policy], at: datetime,
) -> None:  # fmt: skip
    for key, history in changes.items():
        outcome.add(
            str(key), stands[key], sla_what_if.replayed(history, sla_history.as_applied(held), at),
            sla_what_if.replayed(history, sla_history.under(proposed), at),
        )  # fmt: skip


async def _held(connection: Any, changes: Mapping[UUID, Sequence[Change]]) -> dict[Version, Policy]:
    """The policies that these histories name, as they were."""
    named = acts.versions_in(change for many in changes.values() for change in many)
    return await acts.read_versions(named, lambda wanted: sla_past.policy_versions(connection, list(wanted)))


async def _proposed(desk: Desk, given: Mapping[str, Any]) -> list[Policy]:
    hours = _calendar(given.get("calendar"), "/calendar")
    if "policies" in given and ("policy_id" in given or "changes" in given):
        raise Invalid("Give policies, or changes to one.", errors=[("/policies", "cannot be given beside policy_id")])
    if "changes" in given and "policy_id" not in given:
        raise Invalid("Say which policy is to be changed.", errors=[("/policy_id", "is missing")])
    if "policies" in given:
        return [await _tried(desk, one, hours, n) for n, one in enumerate(_list(given["policies"]))]
    found = [one.policy for one in await acts.in_force(desk.session, desk.workspace_id)]
    if "policy_id" in given:
        policy_id = fields.take_id(given, "policy_id")
        standing = await rows.take(desk.session, SlaPolicy, desk.workspace_id, policy_id)
        written = sla_policies.written(standing) | dict(_object(given.get("changes") or {}, "/changes"))
        changed = await sla_policies.tried(desk, written, None, str(policy_id))
        found = [*(one for one in found if one.id != changed.id), changed]
    return found if hours is None else [_by(one, hours) for one in found]


async def _tried(desk: Desk, given: Any, hours: Calendar | None, n: int) -> Policy:
    here = f"/policies/{n}"
    body = dict(_object(given, here))
    own = _calendar(body.pop("calendar", None), f"{here}/calendar") or hours
    try:
        return await sla_policies.tried(desk, {"name": f"tried {n + 1}", **body}, own, f"tried {n + 1:03}")
    except Invalid as wrong:
        raise Invalid(wrong.detail, errors=[(f"{here}{pointer}", said) for pointer, said in wrong.errors]) from wrong


def _by(policy: Policy, hours: Calendar) -> Policy:
    return policy if policy.calendar is None else replace(policy, calendar=hours)


def _calendar(given: Any, here: str) -> Calendar | None:
    if given is None:
        return None
    body = _object(given, here)
    if errors := business_calendar.problems(body):
        raise Invalid("This calendar cannot be used.", errors=[(f"{here}{pointer}", said) for pointer, said in errors])
    return business_calendar.parse(body)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 0 < len(value) <= 100:
        raise Invalid("Give 1 to 100 policies.", errors=[("/policies", "is no such list")])
    return value


def _object(value: Any, here: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{here[1:]} must be an object.", errors=[(here, "is none")])
    return value


def _told(outcome: Outcome, since: datetime, until: datetime, complete: bool) -> dict[str, Any]:
    return {
        "from": clock.iso(since), "to": clock.iso(until), "looked_at": outcome.looked_at, "complete": complete,
        "stored": outcome.stored, "reproduced": outcome.reproduced,
        "metrics": [
            {"metric": metric, "clocks": count.clocks, "stored": count.stored, "proposed": count.proposed, "changed": count.changed}
            for metric, count in outcome.metrics.items()
        ],
        "samples": [
            {"conversation_id": name, "stored": _shown(stands), "proposed": _shown(proposed)}
            for name, stands, proposed in outcome.samples
        ],
    }  # fmt: skip


def _shown(verdicts: Verdicts) -> list[dict[str, Any]]:
    return [_one(metric, one) for metric, many in verdicts.items() for one in many]


def _one(metric: str, one: Verdict) -> dict[str, Any]:
    moments = ("started_at", "deadline_at", "stopped_at", "breached_at")
    known = {name: getattr(one, name) for name in moments}
    elapsed = None if one.elapsed_s is None else duration.write(timedelta(seconds=one.elapsed_s))
    return {
        "metric": metric, "state": one.settled, **{name: at and clock.iso(at) for name, at in known.items()}, "elapsed": elapsed,
    }  # fmt: skip
