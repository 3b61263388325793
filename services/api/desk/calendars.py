"""Calendars: business hours, in versions. A change holds for clocks that run from then on; what was counted stays counted."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.acts import calendars as acts
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.sla import Calendar, CalendarFields
from shared.rules import business_calendar, ical
from shared.store import rows


async def create_calendar(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a calendar. Raises Invalid, naming each thing that is wrong; one that is never open is refused."""
    asked = _read(given)
    due = clock.now() if asked["ical_url"] else None
    calendar = Calendar(workspace_id=desk.workspace_id, **asked, ical_due_at=due)
    await acts.add(desk.session, calendar)
    return calendar.id


async def change_calendar(desk: Desk, calendar_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given: a new version where the hours are others. Another feed is read at once; without one, what it said is
    forgotten."""
    calendar = await rows.take(desk.session, Calendar, desk.workspace_id, calendar_id)
    standing = {name: getattr(calendar, name) for name in CalendarFields.model_fields}
    asked = _read(standing | dict(given))
    if asked["ical_url"] != calendar.ical_url:
        asked |= {"ical_due_at": clock.now() if asked["ical_url"] else None, "ical_error": None}
        if not asked["ical_url"]:
            asked |= {"ical_holidays": [], "ical_read_at": None}
    elif calendar.ical_url and (asked["weekly"], asked["timezone"]) != (calendar.weekly, calendar.timezone):
        asked["ical_due_at"] = clock.now()  # what is left of a half-holiday depends on the day's usual hours
    await acts.change(desk.session, calendar, asked)
    return calendar.id


async def import_holidays(desk: Desk, calendar_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Takes the holidays of an iCalendar file, {"text": "BEGIN:VCALENDAR…"}, among the calendar's own. Of a day that has an entry
    already, that entry stays. Raises Invalid."""
    fields.refuse_others(given, ("text",))
    body = (fields.take_text(given, "text", most=ical.LARGEST) or "").encode()
    calendar = await rows.take(desk.session, Calendar, desk.workspace_id, calendar_id)
    known = {one["date"] for one in calendar.holidays}
    found = [one for one in acts.read(calendar, body, clock.now()) if one["date"] not in known]
    merged = {"timezone": calendar.timezone, "weekly": calendar.weekly, "holidays": [*calendar.holidays, *found]}
    await acts.change(desk.session, calendar, business_calendar.write(business_calendar.parse(merged)))
    return calendar.id


async def remove_calendar(desk: Desk, calendar_id: UUID) -> None:
    """Takes a calendar away. Raises Conflict while a policy goes by it; its versions stay for the clocks that ran by it."""
    await rows.remove(desk.session, await rows.take(desk.session, Calendar, desk.workspace_id, calendar_id))


def _read(given: Mapping[str, Any]) -> dict[str, Any]:
    known = set(CalendarFields.model_fields)
    errors = [(f"/{fields.escape(name)}", "There is no such field.") for name in given if name not in known]
    errors += business_calendar.problems(given)
    name, url = given.get("name"), given.get("ical_url")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        errors.append(("/name", "Name the calendar in 1 to 200 characters."))
    if url is not None and not _is_address(url):
        errors.append(("/ical_url", "Give the feed's address, as https://example.org/holidays.ics, or null."))
    if errors:
        raise Invalid("This calendar cannot be used.", errors=errors)
    written = business_calendar.write(business_calendar.parse(given))
    return {"name": str(name).strip(), "ical_url": _over_http(url), **written}


def _over_http(url: str | None) -> str | None:
    """`webcal:` is what calendars call https in links."""
    return f"https:{url.removeprefix('webcal:')}" if url and url.startswith("webcal:") else url


def _is_address(url: object) -> bool:
    if not isinstance(url, str) or len(url) > 2_000:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https", "webcal"} and bool(parts.hostname)
