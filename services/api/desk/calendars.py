"""Calendars: business hours, in versions. A change holds for clocks from then on; what was counted stays counted."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, versions
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.models.sla import Calendar, CalendarFields
from shared.rules import business_calendar
from shared.store import rows

_HOURS = ("timezone", "weekly", "holidays")


async def create_calendar(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a calendar. Raises Invalid, naming each thing that is wrong; one that is never open is refused."""
    calendar = Calendar(workspace_id=desk.workspace_id, **_read(given))
    await versions.add(desk, calendar, kept=_HOURS)
    return calendar.id


async def change_calendar(desk: Desk, calendar_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given: a new version where the hours are others."""
    calendar = await rows.take(desk.session, Calendar, desk.workspace_id, calendar_id)
    standing = {name: getattr(calendar, name) for name in CalendarFields.model_fields}
    await versions.change(desk, calendar, _read(standing | dict(given)), binding=_HOURS, kept=_HOURS)
    return calendar.id


async def remove_calendar(desk: Desk, calendar_id: UUID) -> None:
    """Takes a calendar away. Raises Conflict while a policy goes by it; its versions stay for the clocks that ran by it."""
    await rows.remove(desk.session, await rows.take(desk.session, Calendar, desk.workspace_id, calendar_id))


def _read(given: Mapping[str, Any]) -> dict[str, Any]:
    known = set(CalendarFields.model_fields)
    errors = [(f"/{fields.escape(name)}", "There is no such field.") for name in given if name not in known]
    errors += business_calendar.problems(given)
    name = given.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        errors.append(("/name", "Name the calendar in 1 to 200 characters."))
    if errors:
        raise Invalid("This calendar cannot be used.", errors=errors)
    return {"name": str(name).strip(), **business_calendar.write(business_calendar.parse(given))}
