"""How a calendar is written at the doors, read with everything wrong with it said at once, and written back.

```
{"timezone": "Europe/Amsterdam",
 "weekly": {"mon": [["09:00", "12:30"], ["13:00", "17:00"]], "fri": [["22:00", "06:00"]]},
 "holidays": [{"date": "2026-12-25", "name": "Christmas"},
              {"date": "2026-12-24", "name": "Christmas Eve", "open": [["09:00", "12:00"]]}]}
```
Other fields (a name, an id) are left alone.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeGuard
from zoneinfo import ZoneInfo

from shared.kit.errors import Invalid
from shared.rules.business_hours import Calendar, Holiday, Minutes

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_INTERVALS_A_DAY = 24
MOST_HOLIDAYS = 2_000

_DAY = 24 * 60
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)

Problem = tuple[str, str]
"""A place in what was sent, as a JSON pointer, and a sentence."""


def parse(data: Mapping[str, Any], *, version: int = 1) -> Calendar:
    """The calendar that was written down.

    Raises:
        Invalid: with one (JSON pointer, sentence) for each thing that is wrong.
    """
    calendar, found = _read(data, version)
    if calendar is None:
        raise Invalid("This calendar cannot be used.", errors=found)
    return calendar


def problems(data: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with a calendar as written; nothing if it can be used."""
    return _read(data, 1)[1]


def write(calendar: Calendar) -> dict[str, Any]:
    """The calendar as `parse` reads it; the end of an interval past midnight is on the clock of the next day."""
    return {
        "timezone": calendar.timezone,
        "weekly": {
            day: [_written(hours) for hours in week] for day, week in zip(DAYS, calendar.weekly, strict=True) if week
        },
        "holidays": [write_holiday(holiday) for _, holiday in sorted(calendar.holidays.items())],
    }


def write_holiday(holiday: Holiday) -> dict[str, Any]:
    """A holiday as `parse` reads it."""
    written: dict[str, Any] = {"date": holiday.day.isoformat(), "name": holiday.name}
    return written | ({"open": [_written(hours) for hours in holiday.open]} if holiday.open else {})


def effective(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The hours that hold, as `parse` reads them: a day that stands in `holidays` goes by that, any other by `ical_holidays`."""
    own = stored["holidays"]
    known = {one["date"] for one in own}
    followed = [one for one in stored.get("ical_holidays") or () if one["date"] not in known]
    return {
        "timezone": stored["timezone"],
        "weekly": stored["weekly"],
        "holidays": sorted([*own, *followed], key=lambda one: str(one["date"])),
    }


def _read(data: Mapping[str, Any], version: int) -> tuple[Calendar | None, list[Problem]]:
    found: list[Problem] = []
    zone = data.get("timezone")
    if not isinstance(zone, str) or not _is_zone(zone):
        found.append(("/timezone", "Name a time zone of the IANA database, as in Europe/Amsterdam."))
        zone = "UTC"
    weekly = _weekly(data.get("weekly"), found)
    holidays = _holidays(data.get("holidays"), found)
    if not found and not any(weekly):
        found.append(("/weekly", "The calendar has no open hour, so no clock could ever run. Open it on some day."))
    if found:
        return None, found
    return Calendar(timezone=zone, weekly=weekly, holidays=holidays, version=version), []


@lru_cache(maxsize=1_024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # a path, a folder of the database, an unknown name
        return False
    return True


def _weekly(value: object, found: list[Problem]) -> tuple[tuple[Minutes, ...], ...]:
    if value is None:
        value = {}
    if not isinstance(value, Mapping):
        found.append(("/weekly", 'Write the week as an object, as in {"mon": [["09:00", "17:00"]]}.'))
        return ()
    found += [
        (f"/weekly/{_escaped(name)}", f"There is no such day. Days are {', '.join(DAYS)}.")
        for name in value
        if name not in DAYS
    ]
    return tuple(_intervals(value.get(day), f"/weekly/{day}", found) for day in DAYS)


def _holidays(value: object, found: list[Problem]) -> dict[date, Holiday]:
    holidays: dict[date, Holiday] = {}
    if value is None:
        return holidays
    if not _is_list(value):
        found.append(("/holidays", 'Write holidays as a list, as in [{"date": "2026-12-25", "name": "Christmas"}].'))
        return holidays
    if len(value) > MOST_HOLIDAYS:
        found.append(("/holidays", f"A calendar holds {MOST_HOLIDAYS:,} holidays at most. Leave out the old ones."))
        return holidays
    for index, item in enumerate(value):
        here = f"/holidays/{index}"
        if not isinstance(item, Mapping):
            found.append((here, 'Write a holiday as an object, as in {"date": "2026-12-25", "name": "Christmas"}.'))
            continue
        day = _date(item.get("date"))
        if day is None:
            found.append((f"{here}/date", "Give the date of the holiday, as in 2026-12-25."))
        elif day in holidays:
            found.append((f"{here}/date", f"There are two entries for {day}. Leave one."))
        name = item.get("name")
        if not isinstance(name, str) or not name.strip():
            found.append((f"{here}/name", "Name the holiday: the name explains why a clock stood still."))
            name = "?"
        hours = _intervals(item.get("open"), f"{here}/open", found)
        if day is not None:
            holidays[day] = Holiday(day, name.strip(), hours)
    return holidays


def _intervals(value: object, here: str, found: list[Problem]) -> tuple[Minutes, ...]:
    if value is None:
        return ()
    if not _is_list(value):
        found.append((here, 'Write the hours as a list of intervals, as in [["09:00", "17:00"]].'))
        return ()
    if len(value) > MOST_INTERVALS_A_DAY:
        found.append((here, f"A day holds {MOST_INTERVALS_A_DAY} intervals at most."))
        return ()
    hours: list[Minutes] = []
    for index, pair in enumerate(value):
        place = f"{here}/{index}"
        if not _is_list(pair) or len(pair) != 2:
            found.append((place, 'Write an interval as its start and its end, as in ["09:00", "17:00"].'))
            continue
        start, end = _minutes(pair[0]), _minutes(pair[1])
        if start is None or start == _DAY:
            found.append((f"{place}/0", "Write the start as HH:MM, from 00:00 to 23:59."))
        if end is None:
            found.append((f"{place}/1", "Write the end as HH:MM; 24:00 is the end of the day."))
        if start is not None and end is not None and start != _DAY:
            hours.append((start, end if end > start else end + _DAY))
    return tuple(sorted(hours))


def _minutes(value: object) -> int | None:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    minutes = int(found[1]) * 60 + int(found[2])
    return minutes if minutes <= _DAY else None


def _written(hours: Minutes) -> list[str]:
    start, end = hours
    if end > _DAY:
        end -= _DAY
    return [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in (start, end)]


def _date(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
