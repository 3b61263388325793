"""A second implementation of SLA clocks, slow and simple: it reads calendars as they were written, by the wall clock of every
single minute, and walks through a history minute by minute. It shares no arithmetic with shared/rules.

Whole minutes only: events, targets and zones' offsets all fall on minutes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from shared.rules import business_calendar
from shared.rules.business_hours import Calendar
from shared.rules.sla_clock import Event, Terms

MINUTE = timedelta(minutes=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WALK = 18 * 1440  # minutes that a calendar is read for
ZONES = ("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")

# Where histories begin: days before wall clocks jump, a leap day, Christmas.
WINDOWS = [
    datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC),  # Amsterdam
    datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC),  # New York
    datetime(2026, 4, 3, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC),  # Lord Howe
    datetime(2028, 2, 26, tzinfo=UTC), datetime(2026, 12, 22, tzinfo=UTC),
]  # fmt: skip

_OFF = ["2026-03-30", "2026-10-24", "2026-03-09", "2026-11-01", "2026-04-05", "2026-10-06", "2028-02-29", "2026-12-25"]
_HALF = ["2026-03-28", "2026-10-25", "2026-03-08", "2026-11-02", "2026-04-04", "2026-10-04", "2028-03-01", "2026-12-24"]
_HOLIDAYS: list[dict[str, Any]] = [
    *({"date": day, "name": "off"} for day in _OFF),
    *({"date": day, "name": "half", "open": [["09:00", "12:00"], ["23:00", "02:30"]]} for day in _HALF),
]
_WEEKS: list[dict[str, Any]] = [
    {day: [["09:00", "17:00"]] for day in DAYS[:5]},
    {day: [["09:00", "12:30"], ["13:00", "17:00"], ["19:15", "20:00"]] for day in DAYS[:6]},
    {day: [["22:00", "06:00"]] for day in DAYS},
    {day: [["01:30", "02:15"], ["02:30", "03:00"]] for day in DAYS},
    {"sun": [["00:00", "24:00"]], "wed": [["09:00", "09:00"]]},
    {day: [["00:00", "24:00"]] for day in DAYS},
]


def _drawn(number: int) -> dict[str, Any]:
    """A week that nobody would think of."""
    chance = random.Random(number)

    def hours() -> list[list[str]]:
        cuts = [chance.randrange(1440) for _ in range(2 * chance.randrange(1, 4))]
        return [
            [f"{a // 60:02d}:{a % 60:02d}", f"{b // 60:02d}:{b % 60:02d}"]
            for a, b in zip(cuts[::2], cuts[1::2], strict=True)
        ]

    holidays = [
        {**one, "open": hours()} if chance.random() < 0.3 else one for one in _HOLIDAYS if chance.random() < 0.5
    ]
    return {"weekly": {day: hours() for day in chance.sample(DAYS, chance.randrange(1, 8))}, "holidays": holidays}


WRITTEN: list[dict[str, Any]] = [
    *({"timezone": zone, "weekly": week} for zone in ZONES for week in _WEEKS),
    *({"timezone": zone, "weekly": week, "holidays": _HOLIDAYS} for zone in ZONES for week in _WEEKS[:3]),
    *({"timezone": ZONES[number % 4]} | _drawn(number) for number in range(24)),
]
"""The calendars of the laws as a workspace would write them; the version of each parsed one is its number here."""

CALENDARS: list[Calendar | None] = [None, *(business_calendar.parse(one, version=n) for n, one in enumerate(WRITTEN))]


@cache
def walls(zone: str, window: datetime) -> list[tuple[date, int]]:
    """The wall clock of a zone at every minute of a walk: the day, and the minutes since its 00:00 by the clock's face."""
    tz = ZoneInfo(zone)
    shown = ((window + MINUTE * minute).astimezone(tz) for minute in range(WALK))
    return [(wall.date(), 60 * wall.hour + wall.minute) for wall in shown]


@cache
def open_faces(today: tuple[tuple[str, str], ...], yesterday: tuple[tuple[str, str], ...]) -> bytes:
    """For every minute that a clock's face can show, 1 if it is within today's hours, or yesterday's that run past midnight."""
    faces = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1440)]
    nights = [closes for opens, closes in yesterday if closes <= opens]
    return bytes(
        any(a <= face and (face < b or b <= a) for a, b in today) or any(face < b for b in nights) for face in faces
    )


def hours_of(number: int, day: date) -> tuple[tuple[str, str], ...]:
    """What a calendar of WRITTEN says of a day."""
    off = next((one for one in WRITTEN[number].get("holidays", ()) if one["date"] == day.isoformat()), None)
    hours = WRITTEN[number]["weekly"].get(DAYS[day.weekday()], []) if off is None else off.get("open", [])
    return tuple((opens, closes) for opens, closes in hours)


@cache
def open_minutes(number: int, window: datetime) -> bytes:
    """For every minute of a walk, 1 if a calendar of WRITTEN is open; -1 is clock time."""
    if number < 0:
        return b"\x01" * WALK
    shown = walls(WRITTEN[number]["timezone"], window)
    faces = {
        day: open_faces(hours_of(number, day), hours_of(number, day - timedelta(days=1)))
        for day in {day for day, _ in shown}
    }
    return bytes(faces[day][face] for day, face in shown)


@dataclass
class Walked:
    """How a walked clock stands; moments in minutes since the window began."""

    phase: str = "running"
    used: int = 0
    breached_at: int | None = None
    stopped_at: int | None = None
    deadline: int | None = None
    warned: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        if self.phase == "cancelled" or self.breached_at is None:
            return {"stopped": "met"}.get(self.phase, self.phase)
        return "breached"


ORDER = ["started", "reapplied", "reopened", "paused", "resumed", "stopped", "cancelled"]
TURNS = {
    ("reopened", "stopped"): "running", ("paused", "running"): "paused", ("resumed", "paused"): "running",
    ("stopped", "running"): "stopped", ("stopped", "paused"): "stopped",
    ("cancelled", "running"): "cancelled", ("cancelled", "paused"): "cancelled",
}  # fmt: skip


def walk(events: Sequence[Event], window: datetime, until: int) -> Walked | None:
    """Walks through a history up to a minute, looking at every minute on the way, and on to the deadline if it still runs."""
    known = _known(events, window, until)
    first = next((one for _, one in known if one.kind == "started"), None)
    if first is None or first.terms is None:
        return None
    terms, clock = first.terms, Walked()
    waiting = [one for one in known if one[1].kind != "started"][::-1]
    is_open, within = _laid(terms, window)
    now = (first.at - window) // MINUTE
    while True:
        _warn(clock, terms, now)
        while waiting and waiting[-1][0] <= now:
            event = waiting.pop()[1]
            if event.terms is not None and clock.phase != "cancelled":
                terms = event.terms
                is_open, within = _laid(terms, window)
            former, clock.phase = clock.phase, TURNS.get((event.kind, clock.phase), clock.phase)
            if clock.phase == "stopped" != former:
                clock.stopped_at = now
            elif clock.phase == "running":
                clock.stopped_at = None
            _warn(clock, terms, now)
        if now == until:
            break
        if clock.phase == "running":
            if clock.breached_at is None and clock.used >= within:
                clock.breached_at = now
            clock.used += is_open[now]
        now += 1
    if clock.state == "running":
        used = clock.used
        while used < within and now < WALK:
            used += is_open[now]
            now += 1
        clock.deadline = now if used >= within else None
    return clock


def _known(events: Sequence[Event], window: datetime, until: int) -> list[tuple[int, Event]]:
    off = {one.cause for one in events if one.kind == "annulled"}
    standing = [one for one in events if one.kind != "annulled" and one.cause not in off]
    known = sorted(((one.at - window) // MINUTE, ORDER.index(one.kind), one.cause, n) for n, one in enumerate(standing))
    return [(minute, standing[n]) for minute, _, _, n in known if minute <= until]


def _warn(clock: Walked, terms: Terms, now: int) -> None:
    if clock.phase != "running" or clock.breached_at is not None:
        return
    for mark in terms.marks:
        if clock.used * MINUTE >= mark.used:
            clock.warned.setdefault(f"{terms.policy_id}:{terms.policy_version}:{mark.name}", now)


def _laid(terms: Terms, window: datetime) -> tuple[bytes, int]:
    number = -1 if terms.calendar is None else terms.calendar.version
    return open_minutes(number, window), terms.within // MINUTE
