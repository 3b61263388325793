"""Business hours: golden deadlines, a naive clock that looks at every minute, and the laws that both keep."""

import pickle
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules import business_hours, duration
from shared.rules.business_hours import CLOSED, OPEN, Calendar, Holiday, Minutes
from tests.rules.calendars import CALENDARS, DEADLINES, at

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("calendar", "start", "target", "deadline"), [c[1:] for c in DEADLINES], ids=[c[0] for c in DEADLINES]
)
def test_deadlines_worked_out_by_hand(calendar: str, start: str, target: str, deadline: str) -> None:
    hours, length = CALENDARS[calendar], duration.parse(target)
    found = business_hours.add(hours, at(start), length)
    assert found == at(deadline)
    assert found.utcoffset() == timedelta(0)
    assert business_hours.elapsed(hours, at(start), found) == length
    assert business_hours.elapsed(hours, at(start), found - timedelta(microseconds=1)) == length - timedelta(
        microseconds=1
    )


# ------------------------------------------------ a second implementation, slow and simple


def naive_is_open(calendar: Calendar, moment: datetime) -> bool:
    wall = moment.astimezone(ZoneInfo(calendar.timezone)).replace(tzinfo=None)
    for days_back in (0, 1):
        day = wall.date() - timedelta(days=days_back)
        holiday = calendar.holidays.get(day)
        hours = holiday.open if holiday else calendar.weekly[day.weekday()]
        minutes = (wall - datetime.combine(day, datetime.min.time())) / MINUTE
        if any(opens <= minutes < closes for opens, closes in hours):
            return True
    return False


ZONES = st.sampled_from(
    [
        "Europe/Amsterdam",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "UTC",
        "America/Sao_Paulo",
        "Asia/Tehran",
    ]
)
# Moments in the days around which the wall clocks of these zones jump, and others.
TURNS = st.sampled_from(
    [
        date(2026, 3, 29), date(2026, 10, 25), date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5), date(2026, 10, 4),
        date(2018, 11, 4), date(2018, 2, 18), date(2022, 3, 22), date(2022, 9, 22), date(2028, 2, 29),
    ]
)  # fmt: skip


@st.composite
def minutes_of_a_day(draw: st.DrawFn) -> tuple[Minutes, ...]:
    hours = []
    for _ in range(draw(st.integers(0, 3))):
        opens = draw(st.integers(0, 48)) * 30 % 1440
        closes = draw(st.integers(0, 48)) * 30
        hours.append((opens, closes if closes > opens else closes + 1440))
    return tuple(sorted(hours))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime, int]:
    """A calendar, a start near a change of the clocks, and a number of minutes."""
    turn = draw(TURNS)
    weekly = tuple(draw(minutes_of_a_day()) for _ in range(7))
    if not any(weekly):
        weekly = (((540, 1020),), *weekly[1:])
    closed = draw(st.lists(st.integers(-2, 3), max_size=2, unique=True))
    holidays = {
        turn + timedelta(days=days): Holiday(turn + timedelta(days=days), f"day {days}", draw(minutes_of_a_day()))
        for days in closed
    }
    start = datetime(turn.year, turn.month, turn.day, tzinfo=UTC) + MINUTE * draw(st.integers(-2 * 1440, 2 * 1440))
    return Calendar(draw(ZONES), weekly, holidays), start, draw(st.integers(0, 3 * 1440))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_agrees_with_looking_at_every_minute(case: tuple[Calendar, datetime, int]) -> None:
    calendar, start, length = case
    end = start + MINUTE * length
    opened = [naive_is_open(calendar, start + MINUTE * i) for i in range(length)]
    assert business_hours.elapsed(calendar, start, end) == MINUTE * sum(opened)
    for one in business_hours.intervals(calendar, start, end):
        first, last = (one.start - start) // MINUTE, (one.end - start) // MINUTE
        assert set(opened[first:last]) == {one.counted}
    if sum(opened):
        wanted = (sum(opened) + 1) // 2
        places = [i for i, is_open in enumerate(opened) if is_open]
        assert business_hours.add(calendar, start, MINUTE * wanted) == start + MINUTE * (places[wanted - 1] + 1)


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(0, 3 * DAY // timedelta(microseconds=1)), st.integers(0, 10**12))
def test_laws(case: tuple[Calendar, datetime, int], offset: int, more: int) -> None:
    calendar, start, _ = case
    middle = start + timedelta(microseconds=offset)
    end = middle + timedelta(microseconds=more)
    whole = business_hours.elapsed(calendar, start, end)
    parts = business_hours.elapsed(calendar, start, middle) + business_hours.elapsed(calendar, middle, end)
    assert whole == parts
    assert timedelta(0) <= whole <= end - start
    deadline = business_hours.add(calendar, start, whole)
    assert deadline <= max(end, start)
    assert business_hours.elapsed(calendar, start, deadline) == whole
    shown = business_hours.intervals(calendar, start, end)
    if start < end:
        assert shown[0].start == start
        assert shown[-1].end == end
    assert all(one.end == other.start for one, other in pairwise(shown))
    assert all(one.start < one.end for one in shown)
    assert all((one.counted, one.reason) != (other.counted, other.reason) for one, other in pairwise(shown))
    assert sum((one.end - one.start for one in shown if one.counted), timedelta(0)) == whole


def test_clock_time_counts_everything() -> None:
    start, end = at("2026-10-25T00:00+02:00"), at("2026-10-26T00:00+01:00")
    assert business_hours.elapsed(None, start, end) == timedelta(hours=25)
    (one,) = business_hours.intervals(None, start, end)
    assert (one.start, one.end, one.counted) == (start, end, True)
    assert business_hours.is_open(None, start)


def test_backwards_is_no_time() -> None:
    start, end = at("2026-11-23T10:00+01:00"), at("2026-11-23T09:00+01:00")
    assert business_hours.elapsed(CALENDARS["office"], start, end) == timedelta(0)
    assert business_hours.intervals(CALENDARS["office"], start, end) == []


def test_intervals_say_why() -> None:
    shown = business_hours.intervals(CALENDARS["office"], at("2026-12-23T16:00+01:00"), at("2026-12-28T10:00+01:00"))
    assert [(one.end, one.counted, one.reason) for one in shown] == [
        (at("2026-12-23T17:00+01:00"), True, OPEN),
        (at("2026-12-24T00:00+01:00"), False, CLOSED),
        (at("2026-12-24T09:00+01:00"), False, "holiday: Christmas Eve"),
        (at("2026-12-24T12:00+01:00"), True, OPEN),
        (at("2026-12-25T00:00+01:00"), False, "holiday: Christmas Eve"),
        (at("2026-12-26T00:00+01:00"), False, "holiday: Christmas"),
        (at("2026-12-28T09:00+01:00"), False, CLOSED),
        (at("2026-12-28T10:00+01:00"), True, OPEN),
    ]


def test_the_morning_after_a_holiday_is_closed_because_of_it() -> None:
    shown = business_hours.intervals(CALENDARS["night"], at("2026-12-25T12:00+01:00"), at("2026-12-26T12:00+01:00"))
    assert [(one.end, one.reason) for one in shown] == [
        (at("2026-12-26T06:00+01:00"), "holiday: Christmas"),
        (at("2026-12-26T12:00+01:00"), CLOSED),
    ]


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59+01:00", False),
        ("2026-11-23T09:00+01:00", True),
        ("2026-11-23T16:59:59.999999+01:00", True),
        ("2026-11-23T17:00+01:00", False),
    ],
)
def test_intervals_are_half_open(moment: str, is_open: bool) -> None:
    assert business_hours.is_open(CALENDARS["office"], at(moment)) is is_open


def test_years_are_counted_without_walking_through_them() -> None:
    calendar = Calendar("Europe/Amsterdam", (((540, 1020),),) * 5 + ((), ()))
    start, end = at("2000-01-03T00:00+01:00"), at("2026-01-05T00:00+01:00")
    weeks = (end.date() - start.date()).days // 7
    before = time.process_time()
    assert business_hours.elapsed(calendar, start, end) == timedelta(hours=40 * weeks)
    assert business_hours.add(calendar, start, timedelta(hours=40 * weeks)) == at("2026-01-02T17:00+01:00")
    for _ in range(1_000):
        business_hours.elapsed(calendar, start, end)
    assert time.process_time() - before < 2  # a walk by minutes takes minutes


def test_moments_need_a_zone() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        business_hours.elapsed(None, datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001


def test_impossible_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        business_hours.add(None, at("2026-11-23T10:00+01:00"), -MINUTE)
    with pytest.raises(OverflowError):
        business_hours.add(CALENDARS["monday evening"], at("9990-11-23T10:00+01:00"), timedelta(days=900))


def test_a_calendar_without_an_open_hour_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one open interval"):
        Calendar("UTC", ((),) * 7)


def test_calendars_are_values() -> None:
    calendar = CALENDARS["office"]
    assert calendar is not None
    business_hours.elapsed(calendar, at("2026-11-23T10:00+01:00"), at("2026-11-24T10:00+01:00"))
    again = pickle.loads(pickle.dumps(calendar))
    assert again == calendar
    assert hash(again) == hash(calendar)
    assert again.blocks == {}
    with pytest.raises(TypeError):
        calendar.holidays[date(2026, 1, 1)] = Holiday(date(2026, 1, 1), "x")  # type: ignore[index]
