"""What changes a calendar's hours: people, and the iCalendar feed that it follows. Each change of hours is a new version, which
the clocks that run by the calendar take over."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared import outbox
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models.sla import Calendar
from shared.rules import business_calendar, ical
from shared.store import rows, sla

CHANGED = "calendar.changed"
"""The work of putting clocks that run under a new version of their calendar."""
READ_EVERY = timedelta(days=1)
LOOKS_BACK = timedelta(days=400)
LOOKS_AHEAD = timedelta(days=800)
"""Which holidays are taken from a feed: promises are rarely looked at more than a year back, or made for two years ahead."""


async def add(session: WriteSession, calendar: Calendar) -> None:
    """Adds a calendar and keeps its first version."""
    await rows.add(session, calendar)
    await _keep(session, calendar)


async def change(session: WriteSession, calendar: Calendar, asked: Mapping[str, Any]) -> bool:
    """Lays what is asked over a locked calendar; whether its hours are others now."""
    before = hours(calendar)
    for name, value in asked.items():
        setattr(calendar, name, value)
    changed = hours(calendar) != before
    if changed:
        calendar.version += 1
    await rows.touch(session, calendar)
    if changed:
        await _keep(session, calendar)
        await outbox.add_work(session, calendar.workspace_id, [(CHANGED, calendar.id, 5)])
    return changed


async def follow(session: WriteSession, calendar: Calendar, body: bytes, at: datetime) -> bool:
    """Takes a feed's (or a file's) holidays into a locked calendar; whether its hours are others now. Raises Invalid."""
    found = read(calendar, body, at)
    due = at + READ_EVERY if calendar.ical_url else None
    return await change(
        session, calendar, {"ical_holidays": found, "ical_read_at": at, "ical_due_at": due, "ical_error": None}
    )


def read(calendar: Calendar, body: bytes, at: datetime) -> list[dict[str, Any]]:
    """What a feed means for a calendar's own hours, as `holidays` are written. Raises Invalid."""
    own = business_calendar.parse(
        {"timezone": calendar.timezone, "weekly": calendar.weekly, "holidays": []}, version=calendar.version
    )
    since, until = _days_around(at)
    return [business_calendar.write_holiday(one) for one in ical.holidays(body, own, since, until)]


def hours(calendar: Calendar) -> dict[str, Any]:
    """A calendar's hours as clocks go by them: its own holidays, and those of its feed on other days."""
    return business_calendar.effective(
        {name: getattr(calendar, name) for name in ("timezone", "weekly", "holidays", "ical_holidays")}
    )


async def _keep(session: WriteSession, calendar: Calendar) -> None:
    owner: UUID = calendar.workspace_id
    await sla.keep_version(session, owner, "calendar", calendar.id, calendar.version, hours(calendar))


def _days_around(at: datetime | None = None) -> tuple[date, date]:
    today = (at or clock.now()).date()
    return today - LOOKS_BACK, today + LOOKS_AHEAD
