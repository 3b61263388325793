"""Holidays out of an iCalendar file or feed (RFC 5545), for the hours of one calendar.

Every event is a time at which nobody is there:

- One of whole days closes each of its days, also where it is "transparent", as public holidays in published feeds are.
- One with times takes them from the day's usual hours, so that Christmas Eve from 12:00 is half a holiday. What leaves a
  day's hours as they are says nothing. One that is transparent keeps nobody from work, and is passed over.
- Cancelled events are passed over. Repetitions are followed within the days that are asked for.

Times are read in the calendar's zone; minutes that are begun are closed.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar as Read
from icalendar import Event

from shared.kit.errors import Invalid
from shared.rules.business_calendar import MOST_HOLIDAYS
from shared.rules.business_hours import Calendar, Holiday, Minutes

LARGEST = 1_000_000
"""Bytes of a file: public holidays of a hundred years are a tenth of it."""
MOST_EVENTS = 5_000
_REPEATS = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})
_NAMED = 200
_DAY = 24 * 60


def holidays(body: bytes, calendar: Calendar, since: date, until: date) -> list[Holiday]:
    """The holidays from `since` to `until`, both included, that a file means for the hours of a calendar, by day.

    Raises:
        Invalid: the file is none, is too large, or repeats something more often than daily.
    """
    zone = ZoneInfo(calendar.timezone)
    left: dict[date, list[Minutes]] = {}
    names: dict[date, list[str]] = {}
    for event, start, end in _occurrences(_read(body), zone, since, until):
        for day, closed in _days(start, end, since, until):
            usual = calendar.weekly[day.weekday()]
            before = left.get(day, list(usual))
            after = before if closed is None else _without(before, closed)
            if closed is None:
                after = []
            elif after == before:
                continue
            left[day] = after
            name = str(event.get("SUMMARY", "")).strip()[:_NAMED] or "Closed"
            if name not in names.setdefault(day, []):
                names[day].append(name)
    if len(left) > MOST_HOLIDAYS:
        raise _invalid(f"It closes {len(left):,} days; a calendar holds {MOST_HOLIDAYS:,} holidays at most.")
    return [Holiday(day, "; ".join(names[day])[:_NAMED], tuple(open_)) for day, open_ in sorted(left.items())]


def _read(body: bytes) -> Read:
    if len(body) > LARGEST:
        raise _invalid(f"It has {len(body):,} bytes; {LARGEST:,} are taken at most.")
    try:
        read = Read.from_ical(body)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as wrong:
        raise _invalid("It cannot be read: it should begin with BEGIN:VCALENDAR and end with END:VCALENDAR.") from wrong
    if not isinstance(read, Read):
        raise _invalid("It is no VCALENDAR; give the whole file, from BEGIN:VCALENDAR on.")
    events = [one for one in read.walk("VEVENT") if isinstance(one, Event)]
    if len(events) > MOST_EVENTS:
        raise _invalid(f"It has {len(events):,} events; {MOST_EVENTS:,} are taken at most.")
    for event in events:
        if too_often := _frequencies(event) - _REPEATS:
            raise _invalid(f"It repeats {event.get('SUMMARY', 'an event')} {', '.join(too_often)}; daily is the most.")
    return read


def _frequencies(event: Event) -> set[str]:
    rules = event.get("RRULE")
    try:
        return {
            str(one).upper()
            for rule in (rules if isinstance(rules, list) else [rules] if rules else [])
            for one in rule.get("FREQ", [])
        }
    except (AttributeError, ValueError) as broken:  # icalendar's way of saying that it could not read a property
        raise _invalid(f"The RRULE of {event.get('SUMMARY', 'an event')} cannot be read.") from broken


def _occurrences(
    read: Read, zone: ZoneInfo, since: date, until: date
) -> Iterator[tuple[Event, date | datetime, date | datetime]]:
    """What happens between two days, with its start and end: days, or moments of the zone's wall clock."""
    try:
        found = recurring_ical_events.of(read).between(since, until + timedelta(days=1))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as wrong:
        raise _invalid("Its events cannot be followed: look at their DTSTART, DTEND and RRULE.") from wrong
    for event in found:
        whole = not isinstance(event.start, datetime)
        passed_over = str(event.get("STATUS", "")).upper() == "CANCELLED" or (
            not whole and str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
        )
        if not passed_over:
            yield event, _in_zone(event.start, zone), _in_zone(event.end, zone)


def _in_zone(at: date | datetime, zone: ZoneInfo) -> date | datetime:
    """On the zone's wall clock, without the zone; a floating time is the wall clock's already."""
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at.astimezone(zone).replace(tzinfo=None)
    return at


def _days(
    start: date | datetime, end: date | datetime, since: date, until: date
) -> Iterator[tuple[date, Minutes | None]]:
    """The days of an event, each with the minutes of it that are closed, counted from its midnight; None for all of it."""
    if isinstance(start, datetime) and isinstance(end, datetime):
        first, last = start.date() - timedelta(days=1), end.date()  # yesterday's hours may run past midnight
    else:
        first, last = start, max(start, end - timedelta(days=1))
    day = max(first, since)
    while day <= min(last, until):
        if isinstance(start, datetime) and isinstance(end, datetime):
            midnight = datetime.combine(day, datetime.min.time())
            from_, to = (start - midnight) // timedelta(minutes=1), -((midnight - end) // timedelta(minutes=1))
            yield day, (max(from_, 0), min(to, 2 * _DAY))
        else:
            yield day, None
        day += timedelta(days=1)


def _without(hours: list[Minutes], closed: Minutes) -> list[Minutes]:
    left = []
    for start, end in hours:
        left += [(start, min(end, closed[0])), (max(start, closed[1]), end)]
    return [(start, end) for start, end in left if start < end]


def _invalid(detail: str) -> Invalid:
    return Invalid(f"This iCalendar file cannot be used. {detail}", errors=[("/text", detail)])
