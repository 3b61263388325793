"""Shifts and leave: when agents and teams are at work."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.models.people import Agent, Shift, ShiftFields, Team
from shared.rules import business_calendar
from shared.store import rows


async def create_shift(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a shift or a leave of an agent or a team. Raises Invalid, naming each thing that is wrong."""
    asked = await _read(desk, fields.read_fields(ShiftFields, given))
    shift = Shift(workspace_id=desk.workspace_id, **fields.values_of(asked))
    await rows.add(desk.session, shift)
    return shift.id


async def change_shift(desk: Desk, shift_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a shift."""
    shift = await rows.take(desk.session, Shift, desk.workspace_id, shift_id)
    fields.lay_over(shift, await _read(desk, fields.changed_fields(ShiftFields, shift, given)))
    await rows.touch(desk.session, shift)
    return shift.id


async def remove_shift(desk: Desk, shift_id: UUID) -> None:
    """Takes a shift away."""
    await rows.remove(desk.session, await rows.take(desk.session, Shift, desk.workspace_id, shift_id))


async def _read(desk: Desk, asked: ShiftFields) -> ShiftFields:
    errors: list[tuple[str, str]] = []
    if (asked.agent_id is None) == (asked.team_id is None):
        errors.append(("/agent_id", "Say whose it is: give an agent_id or a team_id, and one of them."))
    if asked.weekly is None:
        errors += _span_wrong(asked)
    else:
        errors += _week_wrong(asked)
    if errors:
        raise Invalid("This shift cannot be used.", errors=errors)
    await fields.must_exist(desk, Agent, [asked.agent_id], "/agent_id")
    await fields.must_exist(desk, Team, [asked.team_id], "/team_id")
    return asked


def _span_wrong(asked: ShiftFields) -> list[tuple[str, str]]:
    if asked.starts_at is None or asked.ends_at is None:
        return [("/starts_at", "Give starts_at and ends_at, or weekly hours with their timezone.")]
    if asked.starts_at.tzinfo is None or asked.ends_at.tzinfo is None:
        return [("/starts_at", "Write moments with their zone, as 2026-11-23T09:00:00Z.")]
    if asked.starts_at >= asked.ends_at:
        return [("/ends_at", "It must end after it starts.")]
    others = [name for name in ("timezone", "first_day", "last_day") if getattr(asked, name) is not None]
    return [(f"/{name}", "That belongs to weekly hours.") for name in others]


def _week_wrong(asked: ShiftFields) -> list[tuple[str, str]]:
    errors = [
        (f"/{name}", "Give either one span or weekly hours.")
        for name in ("starts_at", "ends_at")
        if getattr(asked, name)
    ]
    errors += business_calendar.problems({"timezone": asked.timezone, "weekly": asked.weekly})
    if asked.first_day and asked.last_day and asked.first_day > asked.last_day:
        errors.append(("/last_day", "The last day must not come before the first."))
    return errors
