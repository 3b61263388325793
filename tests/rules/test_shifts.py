"""Who is at work: spans, weekly hours past midnight and over DST, leave, first and last day."""

from datetime import date, datetime

import pytest

from shared.rules import business_calendar
from shared.rules.shifts import Shift, Span, Weekly, at_work


def at(written: str) -> datetime:
    return datetime.fromisoformat(written)


def weekly(
    first: str | None = None, last: str | None = None, zone: str = "Europe/Amsterdam", **hours: list[list[str]]
) -> Weekly:
    week = business_calendar.parse({"timezone": zone, "weekly": hours})
    first_day, last_day = (date.fromisoformat(day) if day else None for day in (first, last))
    return Weekly(week.weekly, zone, first_day, last_day)


DAYS = Shift("work", weekly(mon=[["09:00", "17:00"]], tue=[["09:00", "12:00"], ["13:00", "17:00"]]))
NIGHT = Shift("work", weekly(first="2026-11-23", last="2026-11-23", mon=[["22:00", "06:00"]], tue=[["22:00", "06:00"]]))
HOLIDAY = Shift("leave", Span(at("2026-11-23T12:00:00+01:00"), at("2026-11-24T00:00:00+01:00")))


@pytest.mark.parametrize(
    ("shifts", "moment", "there"),
    [
        ([], "2026-11-23T03:00:00+01:00", True),
        ([DAYS], "2026-11-23T08:59:59+01:00", False),
        ([DAYS], "2026-11-23T09:00:00+01:00", True),
        ([DAYS], "2026-11-23T15:59:59Z", True),
        ([DAYS], "2026-11-23T16:00:00Z", False),
        ([DAYS], "2026-11-24T12:30:00+01:00", False),
        ([DAYS], "2026-11-25T10:00:00+01:00", False),
        ([DAYS, HOLIDAY], "2026-11-23T11:59:59+01:00", True),
        ([DAYS, HOLIDAY], "2026-11-23T12:00:00+01:00", False),
        ([HOLIDAY], "2026-11-23T12:00:00+01:00", False),
        ([HOLIDAY], "2026-11-24T00:00:00+01:00", True),
        ([DAYS, NIGHT], "2026-11-23T23:00:00+01:00", True),
        ([NIGHT], "2026-11-24T05:59:00+01:00", True),
        ([NIGHT], "2026-11-24T06:00:00+01:00", False),
        ([NIGHT], "2026-11-24T23:00:00+01:00", False),
        ([NIGHT], "2026-11-25T03:00:00+01:00", False),
        ([NIGHT], "2026-11-16T23:00:00+01:00", False),
        ([Shift("work", Span(at("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z"))), DAYS], "2026-11-22T10:30:00Z", True),
    ],
)  # fmt: skip
def test_at_work(shifts: list[Shift], moment: str, there: bool) -> None:
    assert at_work(shifts, at(moment)) is there


def test_weekly_hours_keep_to_the_wall_clock_when_it_changes() -> None:
    """Amsterdam goes to winter time on 25 October 2026 at 3:00: nine o'clock is 7:00 UTC before, 8:00 UTC after."""
    shift = [Shift("work", weekly(sat=[["09:00", "10:00"]], sun=[["09:00", "10:00"]]))]
    assert at_work(shift, at("2026-10-24T07:30:00Z"))
    assert not at_work(shift, at("2026-10-25T07:30:00Z"))
    assert at_work(shift, at("2026-10-25T08:30:00Z"))
