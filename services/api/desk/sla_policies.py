"""SLA policies: what is promised to whom, in versions. A running clock keeps the terms it was started with."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for, versions
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.models.sla import Calendar, SlaPolicy, SlaPolicyFields
from shared.rules import business_calendar, duration, sla_policy
from shared.rules.conversation_fields import CONVERSATION_FIELDS
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
    """Changes what is given: a new version where the promise is another."""
    policy = await rows.take(desk.session, SlaPolicy, desk.workspace_id, policy_id)
    standing = {name: getattr(policy, name) for name in SlaPolicyFields.model_fields}
    if standing["ignore_older_than"] is not None:
        standing["ignore_older_than"] = duration.write(timedelta(seconds=standing["ignore_older_than"]))
    asked = await _read(desk, standing | dict(given))
    looked_for.may_filter(desk, asked["filter"], policy.filter)
    await versions.change(desk, policy, asked, binding=_PROMISE, kept=tuple(SlaPolicyFields.model_fields))
    return policy.id


async def remove_sla_policy(desk: Desk, policy_id: UUID) -> None:
    """Takes a policy away; clocks that run keep what they were promised, and its versions stay."""
    await rows.remove(desk.session, await rows.take(desk.session, SlaPolicy, desk.workspace_id, policy_id))


async def _read(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    fields.refuse_others(given, (*_OTHERS, "ignore_older_than"))
    apart = {name: value for name, value in given.items() if name != "ignore_older_than"}
    asked = fields.values_of(fields.read_fields(SlaPolicyFields, apart))
    asked["ignore_older_than"] = _age(given)
    await fields.must_exist(desk, Calendar, [asked["calendar_id"]], "/calendar_id")
    calendar = await rows.find(desk.session, Calendar, desk.workspace_id, asked["calendar_id"])
    hours = None
    if calendar is not None:
        hours = business_calendar.parse({name: getattr(calendar, name) for name in ("timezone", "weekly", "holidays")})
    written = {**asked, "ignore_older_than": given.get("ignore_older_than", "P7D")}
    policy = sla_policy.parse(written, policy_id="", version=1, fields=CONVERSATION_FIELDS, calendar=hours)
    asked["targets"] = [
        {"metric": one.metric, "priority": one.priority, "within": duration.write(one.within), "hours": one.hours}
        for one in policy.targets
    ]
    asked["warnings"] = [one.name for one in policy.warnings]
    return asked


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
