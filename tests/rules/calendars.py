"""The calendars of the golden cases, as a workspace would write them."""

from datetime import datetime
from typing import Any

from shared.rules import business_calendar
from shared.rules.business_hours import Calendar

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
DAYS = business_calendar.DAYS


def week(days: tuple[str, ...], *hours: tuple[str, str]) -> dict[str, list[list[str]]]:
    return {day: [list(pair) for pair in hours] for day in days}


def a_calendar(weekly: dict[str, Any], timezone: str = "Europe/Amsterdam", holidays: tuple[Any, ...] = ()) -> Calendar:
    return business_calendar.parse({"timezone": timezone, "weekly": weekly, "holidays": list(holidays)})


CHRISTMAS = {"date": "2026-12-25", "name": "Christmas"}
CHRISTMAS_EVE = {"date": "2026-12-24", "name": "Christmas Eve", "open": [["09:00", "12:00"]]}
EVENING_OF_24 = {"date": "2026-12-24", "name": "Christmas Eve", "open": [["20:00", "02:00"]]}
THANKSGIVING = {"date": "2026-11-26", "name": "Thanksgiving"}
DAY_AFTER = {"date": "2026-11-27", "name": "The day after", "open": [["09:00", "13:00"]]}
NEW_YEAR = {"date": "2027-01-01", "name": "New Year"}

NINE_TO_FIVE = week(WEEKDAYS, ("09:00", "17:00"))
ALL_DAY = ("00:00", "24:00")

CALENDARS: dict[str, Calendar | None] = {
    "none": None,
    "office": a_calendar(NINE_TO_FIVE, holidays=(CHRISTMAS_EVE, CHRISTMAS, NEW_YEAR)),
    "lunch": a_calendar(week(WEEKDAYS, ("09:00", "12:30"), ("13:00", "17:00"))),
    "always": a_calendar(week(DAYS, ALL_DAY)),
    "sunday": a_calendar(week(("sun",), ALL_DAY)),
    "two to three": a_calendar(week(DAYS, ("02:00", "03:00"))),
    "around two": a_calendar(week(DAYS, ("01:30", "02:30"))),
    "night": a_calendar(week(DAYS, ("22:00", "06:00")), holidays=(CHRISTMAS,)),
    "short night": a_calendar(week(DAYS, ("22:00", "06:00")), holidays=(EVENING_OF_24, CHRISTMAS)),
    "friday night": a_calendar(week(("fri",), ("22:00", "06:00"))),
    "monday round": a_calendar(week(("mon",), ("09:00", "09:00"))),
    "monday evening": a_calendar(week(("mon",), ("18:00", "24:00"))),
    "past midnight": a_calendar({"mon": [["18:00", "24:00"]], "tue": [["00:00", "02:00"]]}),
    "overlapping": a_calendar(week(("mon",), ("09:00", "13:00"), ("12:00", "17:00"))),
    "new york": a_calendar(NINE_TO_FIVE, "America/New_York"),
    "thanksgiving": a_calendar(NINE_TO_FIVE, "America/New_York", holidays=(THANKSGIVING, DAY_AFTER)),
    "new york always": a_calendar(week(DAYS, ALL_DAY), "America/New_York"),
    "new york night": a_calendar(week(DAYS, ("20:00", "04:00")), "America/New_York"),
    "new york one": a_calendar(week(DAYS, ("01:00", "02:00")), "America/New_York"),
    "new york two": a_calendar(week(DAYS, ("02:00", "03:00")), "America/New_York"),
    "lord howe": a_calendar(NINE_TO_FIVE, "Australia/Lord_Howe"),
    "lord howe sunday": a_calendar(week(("sun",), ALL_DAY), "Australia/Lord_Howe"),
    "lord howe half past one": a_calendar(week(DAYS, ("01:30", "02:00")), "Australia/Lord_Howe"),
    "lord howe two": a_calendar(week(DAYS, ("02:00", "02:30")), "Australia/Lord_Howe"),
    "kolkata": a_calendar(week((*WEEKDAYS, "sat"), ("10:00", "19:00")), "Asia/Kolkata"),
    "sao paulo sunday": a_calendar(week(("sun",), ("00:00", "02:00")), "America/Sao_Paulo"),
    "sao paulo saturday": a_calendar(week(("sat",), ("23:00", "24:00")), "America/Sao_Paulo"),
    "apia": a_calendar(week(DAYS, ALL_DAY), "Pacific/Apia"),
}


def at(written: str) -> datetime:
    """A moment, written with its offset."""
    moment = datetime.fromisoformat(written)
    assert moment.tzinfo is not None
    return moment


# (what it shows, calendar, start, target, deadline), worked out by hand.
DEADLINES: list[tuple[str, str, str, str, str]] = [
    ("the vector of the glossary", "office", "2026-11-20T16:30+01:00", "PT1H", "2026-11-23T09:30+01:00"),
    ("just fits", "office", "2026-11-20T16:00+01:00", "PT1H", "2026-11-20T17:00+01:00"),
    ("starts at closing", "office", "2026-11-20T17:00+01:00", "PT1H", "2026-11-23T10:00+01:00"),
    ("the last second", "office", "2026-11-20T16:59:59+01:00", "PT1S", "2026-11-20T17:00+01:00"),
    ("a second too much", "office", "2026-11-20T16:59:59+01:00", "PT2S", "2026-11-23T09:00:01+01:00"),
    ("on Saturday", "office", "2026-11-21T12:00+01:00", "PT30M", "2026-11-23T09:30+01:00"),
    ("just before opening", "office", "2026-11-23T08:59:59+01:00", "PT1H", "2026-11-23T10:00+01:00"),
    ("a whole day", "office", "2026-11-23T09:00+01:00", "PT8H", "2026-11-23T17:00+01:00"),
    ("a day and a second", "office", "2026-11-23T09:00+01:00", "PT8H1S", "2026-11-24T09:00:01+01:00"),
    ("a whole week", "office", "2026-11-23T09:00+01:00", "PT40H", "2026-11-27T17:00+01:00"),
    ("sixteen hours are two days", "office", "2026-11-25T12:00+01:00", "PT16H", "2026-11-27T12:00+01:00"),
    ("a half-holiday, then a holiday", "office", "2026-12-24T11:00+01:00", "PT2H", "2026-12-28T10:00+01:00"),
    ("after a half-holiday closed", "office", "2026-12-24T12:00+01:00", "PT1H", "2026-12-28T10:00+01:00"),
    ("around Christmas", "office", "2026-12-23T16:00+01:00", "PT5H", "2026-12-28T10:00+01:00"),
    ("over New Year", "office", "2026-12-31T16:00+01:00", "PT2H", "2027-01-04T10:00+01:00"),
    ("into a leap day", "office", "2028-02-28T16:30+01:00", "PT1H", "2028-02-29T09:30+01:00"),
    ("out of a leap day", "office", "2028-02-29T16:30+01:00", "PT1H", "2028-03-01T09:30+01:00"),
    ("no leap day", "office", "2027-02-26T16:30+01:00", "PT1H", "2027-03-01T09:30+01:00"),
    ("over the weekend into summer time", "office", "2026-03-27T16:30+01:00", "PT1H", "2026-03-30T09:30+02:00"),
    ("over the weekend into winter time", "office", "2026-10-23T16:30+02:00", "PT1H", "2026-10-26T09:30+01:00"),
    ("in summer", "office", "2026-07-07T10:00+02:00", "PT2H", "2026-07-07T12:00+02:00"),
    ("written in UTC", "office", "2026-11-20T15:30+00:00", "PT1H", "2026-11-23T08:30+00:00"),
    ("written in New York", "office", "2026-11-20T10:30-05:00", "PT1H", "2026-11-23T03:30-05:00"),
    ("over lunch", "lunch", "2026-11-23T12:00+01:00", "PT1H", "2026-11-23T13:30+01:00"),
    ("starts at lunch", "lunch", "2026-11-23T12:30+01:00", "PT1H", "2026-11-23T14:00+01:00"),
    ("within lunch", "lunch", "2026-11-23T12:45+01:00", "PT1M", "2026-11-23T13:01+01:00"),
    ("ends as lunch begins", "lunch", "2026-11-23T12:15+01:00", "PT15M", "2026-11-23T12:30+01:00"),
    ("a day with lunch", "lunch", "2026-11-23T09:00+01:00", "PT7H30M", "2026-11-23T17:00+01:00"),
    ("a day of 23 hours", "always", "2026-03-28T12:00+01:00", "PT24H", "2026-03-29T13:00+02:00"),
    ("a day of 25 hours", "always", "2026-10-25T00:00+02:00", "PT25H", "2026-10-26T00:00+01:00"),
    ("a Sunday of 23 hours", "sunday", "2026-03-29T00:00+01:00", "PT23H", "2026-03-30T00:00+02:00"),
    ("a minute more than it has", "sunday", "2026-03-29T00:00+01:00", "PT23H1M", "2026-04-05T00:01+02:00"),
    ("a Sunday of 25 hours", "sunday", "2026-10-25T00:00+02:00", "PT25H", "2026-10-26T00:00+01:00"),
    ("an hour before it ends", "sunday", "2026-10-25T00:00+02:00", "PT24H", "2026-10-25T23:00+01:00"),
    ("an hour that is skipped", "two to three", "2026-03-28T12:00+01:00", "PT1H", "2026-03-30T03:00+02:00"),
    ("an hour that comes twice", "two to three", "2026-10-24T12:00+02:00", "PT2H", "2026-10-25T03:00+01:00"),
    ("half of its second time", "two to three", "2026-10-24T12:00+02:00", "PT90M", "2026-10-25T02:30+01:00"),
    ("in, out and in again", "around two", "2026-10-24T12:00+02:00", "PT75M", "2026-10-25T02:15+01:00"),
    ("cut short by the change", "around two", "2026-03-28T12:00+01:00", "PT45M", "2026-03-30T01:45+02:00"),
    ("before midnight", "night", "2026-11-23T21:00+01:00", "PT1H", "2026-11-23T23:00+01:00"),
    ("out of the morning", "night", "2026-11-23T05:30+01:00", "PT1H", "2026-11-23T22:30+01:00"),
    ("a night belongs to its evening", "night", "2026-12-24T23:00+01:00", "PT8H", "2026-12-26T23:00+01:00"),
    ("no night on a holiday", "night", "2026-12-25T23:00+01:00", "PT1H", "2026-12-26T23:00+01:00"),
    ("nor the morning after it", "night", "2026-12-26T03:00+01:00", "PT1H", "2026-12-26T23:00+01:00"),
    ("a night of seven hours", "night", "2026-03-28T22:00+01:00", "PT7H", "2026-03-29T06:00+02:00"),
    ("a night of nine hours", "night", "2026-10-24T22:00+02:00", "PT9H", "2026-10-25T06:00+01:00"),
    ("into Saturday", "friday night", "2026-11-20T21:00+01:00", "PT8H", "2026-11-21T06:00+01:00"),
    ("only Friday's night", "friday night", "2026-11-21T05:00+01:00", "PT2H", "2026-11-27T23:00+01:00"),
    ("round the clock from nine", "monday round", "2026-11-23T08:00+01:00", "PT24H", "2026-11-24T09:00+01:00"),
    ("24:00 ends the day", "monday evening", "2026-11-23T23:30+01:00", "PT1H", "2026-11-30T18:30+01:00"),
    ("the next day goes on", "past midnight", "2026-11-23T23:30+01:00", "PT1H", "2026-11-24T00:30+01:00"),
    ("what overlaps counts once", "overlapping", "2026-11-23T09:00+01:00", "PT8H", "2026-11-23T17:00+01:00"),
    ("New York springs forward", "new york", "2026-03-06T16:30-05:00", "PT1H", "2026-03-09T09:30-04:00"),
    ("New York falls back", "new york", "2026-10-30T16:30-04:00", "PT1H", "2026-11-02T09:30-05:00"),
    ("New York's short night", "new york night", "2026-03-07T20:00-05:00", "PT7H", "2026-03-08T04:00-04:00"),
    ("New York's long night", "new york night", "2026-10-31T20:00-04:00", "PT9H", "2026-11-01T04:00-05:00"),
    ("New York's long day", "new york always", "2026-10-31T12:00-04:00", "PT24H", "2026-11-01T11:00-05:00"),
    ("New York's repeated hour", "new york one", "2026-10-31T12:00-04:00", "PT2H", "2026-11-01T02:00-05:00"),
    ("New York's skipped hour", "new york two", "2026-03-07T12:00-05:00", "PT30M", "2026-03-09T02:30-04:00"),
    ("Lord Howe's long Sunday", "lord howe sunday", "2026-04-05T00:00+11:00", "PT24H30M", "2026-04-06T00:00+10:30"),
    ("Lord Howe's short Sunday", "lord howe sunday", "2026-10-04T00:00+10:30", "PT23H30M", "2026-10-05T00:00+11:00"),
    ("its half hour twice", "lord howe half past one", "2026-04-04T12:00+11:00", "PT1H", "2026-04-05T02:00+10:30"),
    ("its half hour never", "lord howe two", "2026-10-03T12:00+10:30", "PT30M", "2026-10-05T02:30+11:00"),
    ("Lord Howe's weekend", "lord howe", "2026-10-02T16:30+10:30", "PT1H", "2026-10-05T09:30+11:00"),
    ("Kolkata works on Saturday", "kolkata", "2026-11-20T18:30+05:30", "PT1H", "2026-11-21T10:30+05:30"),
    ("Kolkata rests on Sunday", "kolkata", "2026-11-21T18:30+05:30", "PT1H", "2026-11-23T10:30+05:30"),
    ("Kolkata's whole Monday", "kolkata", "2026-11-22T12:00+05:30", "PT9H", "2026-11-23T19:00+05:30"),
    ("clock time", "none", "2026-11-20T16:30+01:00", "PT1H", "2026-11-20T17:30+01:00"),
    ("clock time knows no change", "none", "2026-10-25T00:00+02:00", "PT24H", "2026-10-25T23:00+01:00"),
    ("clock time over a leap day", "none", "2028-02-28T12:00+00:00", "PT48H", "2028-03-01T12:00+00:00"),
    ("midnight is skipped", "sao paulo sunday", "2018-11-03T12:00-03:00", "PT1H", "2018-11-04T02:00-02:00"),
    ("the last hour twice", "sao paulo saturday", "2018-02-17T12:00-02:00", "PT2H", "2018-02-18T00:00-03:00"),
    ("a day that never was", "apia", "2011-12-29T12:00-10:00", "PT13H", "2011-12-31T01:00+14:00"),
]
