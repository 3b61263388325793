"""SLA policies: what is promised to whom, in versions. Clocks that run come under a new version as of the edit, with the time used kept."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for, versions
from services.api.desk.desk import Desk
from shared.acts import calendars, edits
from shared.kit.errors import Invalid
from shared.models.sla import Calendar, SlaPolicy, SlaPolicyFields
from shared.rules import business_calendar, business_hours, duration, sla_policy
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_policy import Policy
from shared.store import rows

_PROMISE = frozenset(SlaPolicyFields.model_fields) - {"name", "position", "status"}
_OTHERS = tuple(name for name in SlaPolicyFields.model_fields if name != "ignore_older_than")


async def create_sla_policy(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a policy; durations are ISO 8601 (`PT1H`, `P7D`). Raises Invalid, naming each thing that is wrong."""
    asked = await _read(desk, given)
    looked_for.may_filter(desk, asked["filter"])
    policy = SlaPolicy(workspace_id=desk.workspace_id, **asked)
    await versions.add(desk, policy, kept=tuple(SlaPolicyFields.model_fields))
    return policy.id


async def change_sla_policy(desk: Desk, policy_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given: a new version where the promise is another, which clocks that run come under."""
    policy = await rows.take(desk.session, SlaPolicy, desk.workspace_id, policy_id)
    asked = await _read(desk, written(policy) | dict(given))
    looked_for.may_filter(desk, asked["filter"], policy.filter)
    if await versions.change(desk, policy, asked, binding=_PROMISE, kept=tuple(SlaPolicyFields.model_fields)):
        await edits.leave(desk.session, desk.workspace_id, policy.id)
    return policy.id


async def remove_sla_policy(desk: Desk, policy_id: UUID) -> None:
    """Takes a policy away; clocks that run keep what they were promised, and its versions stay."""
    await rows.remove(desk.session, await rows.take(desk.session, SlaPolicy, desk.workspace_id, policy_id))


def written(policy: SlaPolicy) -> dict[str, Any]:
    """A policy as it is written at the doors."""
    standing = {name: getattr(policy, name) for name in SlaPolicyFields.model_fields}
    if standing["ignore_older_than"] is not None:
        standing["ignore_older_than"] = duration.write(timedelta(seconds=standing["ignore_older_than"]))
    return standing


async def tried(desk: Desk, given: Mapping[str, Any], hours: business_hours.Calendar | None, policy_id: str) -> Policy:
    """A policy as clocks would go by it, of these `hours` rather than those of its calendar. Raises Invalid as writing it would."""
    asked = _fields(given)
    if hours is None:
        hours = await _hours(desk, asked)
    return _policy(given, asked, hours, policy_id)


async def _read(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    asked = _fields(given)
    policy = _policy(given, asked, await _hours(desk, asked), "")
    asked["targets"] = [
        {"metric": one.metric, "priority": one.priority, "within": duration.write(one.within), "hours": one.hours}
        for one in policy.targets
    ]
    asked["warnings"] = [one.name for one in policy.warnings]
    return asked


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    fields.refuse_others(given, (*_OTHERS, "ignore_older_than"))
    apart = {name: value for name, value in given.items() if name != "ignore_older_than"}
    asked = fields.values_of(fields.read_fields(SlaPolicyFields, apart))
    asked["ignore_older_than"] = _age(given)
    return asked


async def _hours(desk: Desk, asked: Mapping[str, Any]) -> business_hours.Calendar | None:
    await fields.must_exist(desk, Calendar, [asked["calendar_id"]], "/calendar_id")
    calendar = await rows.find(desk.session, Calendar, desk.workspace_id, asked["calendar_id"])
    return None if calendar is None else business_calendar.parse(calendars.hours(calendar), version=calendar.version)


def _policy(
    given: Mapping[str, Any], asked: Mapping[str, Any], hours: business_hours.Calendar | None, policy_id: str
) -> Policy:
    data = {**asked, "ignore_older_than": given.get("ignore_older_than", "P7D")}
    return sla_policy.parse(data, policy_id=policy_id, version=1, fields=CONVERSATION_FIELDS, calendar=hours)


def _age(given: Mapping[str, Any]) -> float | None:
    value = given.get("ignore_older_than", "P7D")
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(
            "ignore_older_than must be an ISO 8601 duration, as P7D, or null.",
            errors=[("/ignore_older_than", "is no duration")],
        )
    length: timedelta = fields.read_with(lambda: duration.parse(value), "/ignore_older_than")
    return length.total_seconds()
