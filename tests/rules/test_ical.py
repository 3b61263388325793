"""Holidays out of iCalendar files, worked out by hand."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.errors import Invalid
from shared.rules import business_calendar, business_hours, ical
from tests.rules.calendars import CALENDARS, a_calendar, at, week

OFFICE = a_calendar(week(("mon", "tue", "wed", "thu", "fri"), ("09:00", "12:30"), ("13:00", "17:00")))
NIGHTS = CALENDARS["night"]
SINCE, UNTIL = date(2026, 1, 1), date(2027, 12, 31)


def a_file(*events: str) -> bytes:
    """A file of events, each a few lines with ` / ` between them."""
    said = [
        f"BEGIN:VEVENT\r\nUID:{n}\r\n{event.replace(' / ', chr(13) + chr(10))}\r\nEND:VEVENT"
        for n, event in enumerate(events)
    ]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y", *said, "END:VCALENDAR", ""]).encode()


def read(*events: str, calendar: business_hours.Calendar = OFFICE) -> list[dict[str, object]]:
    found = ical.holidays(a_file(*events), calendar, SINCE, UNTIL)
    return [business_calendar.write_holiday(one) for one in found]


@pytest.mark.parametrize(
    ("events", "holidays"),
    [
        pytest.param(
            ["SUMMARY:King's Day / DTSTART;VALUE=DATE:20260427"],
            [{"date": "2026-04-27", "name": "King's Day"}],
            id="one day, without an end",
        ),
        pytest.param(
            ["SUMMARY:Easter / DTSTART;VALUE=DATE:20260405 / DTEND;VALUE=DATE:20260407"],
            [{"date": "2026-04-05", "name": "Easter"}, {"date": "2026-04-06", "name": "Easter"}],
            id="the end is the day after the last",
        ),
        pytest.param(
            ["SUMMARY:Christmas / DTSTART;VALUE=DATE:20101225 / RRULE:FREQ=YEARLY"],
            [{"date": "2026-12-25", "name": "Christmas"}, {"date": "2027-12-25", "name": "Christmas"}],
            id="every year since 2010, within the days asked for",
        ),
        pytest.param(
            ["SUMMARY:Inventory / DTSTART;VALUE=DATE:20260105 / RRULE:FREQ=MONTHLY;COUNT=3 / EXDATE;VALUE=DATE:20260205"],
            [{"date": "2026-01-05", "name": "Inventory"}, {"date": "2026-03-05", "name": "Inventory"}],
            id="one of a series is left out",
        ),
        pytest.param(
            ["SUMMARY:Christmas Eve / DTSTART;TZID=Europe/Amsterdam:20261224T120000 / DTEND;TZID=Europe/Amsterdam:20261225T000000"],
            [{"date": "2026-12-24", "name": "Christmas Eve", "open": [["09:00", "12:00"]]}],
            id="half a day: closed from 12:00",
        ),
        pytest.param(
            ["SUMMARY:Late / DTSTART:20260706T070000Z / DTEND:20260706T083000Z"],
            [{"date": "2026-07-06", "name": "Late", "open": [["10:30", "12:30"], ["13:00", "17:00"]]}],
            id="UTC is read on the calendar's clock: 9:00 to 10:30 in summer",
        ),
        pytest.param(
            ["SUMMARY:Party / DTSTART:20260703T153010 / DTEND:20260703T235959"],
            [{"date": "2026-07-03", "name": "Party", "open": [["09:00", "12:30"], ["13:00", "15:30"]]}],
            id="a floating time is the wall clock's; a minute that is begun is closed",
        ),
        pytest.param(
            ["SUMMARY:Fair / DTSTART:20260706T090000 / DTEND:20260706T170000"],
            [{"date": "2026-07-06", "name": "Fair"}],
            id="all the hours of a day: a whole holiday",
        ),
        pytest.param(["SUMMARY:Lunch / DTSTART:20260706T123000 / DTEND:20260706T130000"], [], id="while closed anyway"),
        pytest.param(["SUMMARY:Run / DTSTART:20260704T100000 / DTEND:20260704T120000"], [], id="on a Saturday"),
        pytest.param(
            ["SUMMARY:Focus / TRANSP:TRANSPARENT / DTSTART:20260706T100000 / DTEND:20260706T120000"],
            [],
            id="hours that keep nobody from work",
        ),
        pytest.param(
            ["SUMMARY:Labour Day / TRANSP:TRANSPARENT / DTSTART;VALUE=DATE:20260501"],
            [{"date": "2026-05-01", "name": "Labour Day"}],
            id="public holidays are published as transparent",
        ),
        pytest.param(["SUMMARY:Off / STATUS:CANCELLED / DTSTART;VALUE=DATE:20260501"], [], id="cancelled"),
        pytest.param(
            [
                "SUMMARY:Morning / DTSTART:20260706T090000 / DTEND:20260706T100000",
                "SUMMARY:Evening / DTSTART:20260706T160000 / DTEND:20260706T180000",
            ],
            [{"date": "2026-07-06", "name": "Morning; Evening", "open": [["10:00", "12:30"], ["13:00", "16:00"]]}],
            id="two on one day",
        ),
        pytest.param(
            ["DTSTART;VALUE=DATE:20260501"], [{"date": "2026-05-01", "name": "Closed"}], id="without a name"
        ),
        pytest.param(
            ["SUMMARY:Old / DTSTART;VALUE=DATE:20250501", "SUMMARY:Far / DTSTART;VALUE=DATE:20280501"],
            [],
            id="outside the days asked for",
        ),
    ],
)  # fmt: skip
def test_what_events_mean(events: list[str], holidays: list[dict[str, object]]) -> None:
    assert read(*events) == holidays


def test_hours_past_midnight_belong_to_the_day_they_start_on() -> None:
    assert NIGHTS is not None
    early = "SUMMARY:Works / DTSTART:20260707T030000 / DTEND:20260707T230000"
    assert read(early, calendar=NIGHTS) == [
        {"date": "2026-07-06", "name": "Works", "open": [["22:00", "03:00"]]},
        {"date": "2026-07-07", "name": "Works", "open": [["23:00", "06:00"]]},
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "BEGIN:VCALENDAR"),
        (b"<html>Not found</html>", "BEGIN:VCALENDAR"),
        (b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n", "no VCALENDAR"),
        (a_file("SUMMARY:Tick / DTSTART:20260101T000000 / RRULE:FREQ=SECONDLY"), "repeats Tick SECONDLY"),
        (
            a_file("SUMMARY:Nonsense / DTSTART:20260101T000000 / RRULE:FREQ=YEARLY;UNTIL=May"),
            "RRULE of Nonsense cannot",
        ),
        (a_file("SUMMARY:Never"), "cannot be followed"),
        (b"BEGIN:VCALENDAR\r\n" + b"X-A:b\r\n" * 200_000 + b"END:VCALENDAR\r\n", "1,000,000 are taken at most"),
    ],
)
def test_what_cannot_be_used_says_why(body: bytes, says: str) -> None:
    with pytest.raises(Invalid, match="iCalendar") as refused:
        ical.holidays(body, OFFICE, SINCE, UNTIL)
    assert says in str(refused.value)


@given(
    start=st.integers(0, 24 * 60 * 3 - 1), length=st.integers(1, 24 * 60 * 2), moment=st.integers(0, 24 * 60 * 5 - 1)
)  # fmt: skip
def test_what_is_left_open_is_what_was_open_and_is_not_taken(start: int, length: int, moment: int) -> None:
    """Minute by minute: open afterwards is open before, and outside the event."""

    def written(minutes: int) -> str:
        day, minute = divmod(minutes, 24 * 60)
        return f"202607{6 + day:02d}T{minute // 60:02d}{minute % 60:02d}00"

    found = ical.holidays(a_file(f"DTSTART:{written(start)} / DTEND:{written(start + length)}"), OFFICE, SINCE, UNTIL)
    merged = business_calendar.parse(
        business_calendar.write(OFFICE) | {"holidays": [business_calendar.write_holiday(one) for one in found]}
    )
    day, minute = divmod(moment, 24 * 60)
    at_ = at(f"2026-07-{6 + day:02d}T{minute // 60:02d}:{minute % 60:02d}:00+02:00")
    taken = start <= moment < start + length
    assert business_hours.is_open(merged, at_) == (business_hours.is_open(OFFICE, at_) and not taken)


def test_own_entries_win_over_a_feeds() -> None:
    stored = {
        "timezone": "UTC", "weekly": {"mon": [["09:00", "17:00"]]}, "holidays": [{"date": "2026-12-25", "name": "Ours"}],
        "ical_holidays": [{"date": "2026-12-25", "name": "Theirs"}, {"date": "2026-12-26", "name": "Second"}],
    }  # fmt: skip
    assert [one["name"] for one in business_calendar.effective(stored)["holidays"]] == ["Ours", "Second"]
