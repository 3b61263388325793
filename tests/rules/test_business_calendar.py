"""Calendars as they are written: read, refused with the place and a sentence, written back."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.errors import Invalid
from shared.rules import business_calendar
from shared.rules.business_hours import Holiday

OFFICE = {"timezone": "Europe/Amsterdam", "weekly": {"mon": [["09:00", "17:00"]]}}


def test_reads_the_shape_of_the_contract() -> None:
    calendar = business_calendar.parse(
        {
            "name": "Office",
            "timezone": "Europe/Amsterdam",
            "weekly": {
                "mon": [["13:00", "17:00"], ["09:00", "12:30"]],
                "fri": [["22:00", "06:00"]],
                "sat": [["00:00", "24:00"]],
            },
            "holidays": [
                {"date": "2026-12-25", "name": "Christmas"},
                {"date": "2026-12-24", "name": " Eve ", "open": [["09:00", "12:00"]]},
            ],
        },
        version=3,
    )
    assert calendar.weekly == (((540, 750), (780, 1020)), (), (), (), ((1320, 1800),), ((0, 1440),), ())
    assert calendar.holidays == {
        date(2026, 12, 25): Holiday(date(2026, 12, 25), "Christmas"),
        date(2026, 12, 24): Holiday(date(2026, 12, 24), "Eve", ((540, 720),)),
    }
    assert (calendar.timezone, calendar.version) == ("Europe/Amsterdam", 3)


@pytest.mark.parametrize(
    ("changed", "pointer", "says"),
    [
        ({"timezone": "Amsterdam"}, "/timezone", "Europe/Amsterdam"),
        ({"timezone": None}, "/timezone", "Europe/Amsterdam"),
        ({"timezone": "../../etc/passwd"}, "/timezone", "Europe/Amsterdam"),
        ({"timezone": "Europe"}, "/timezone", "Europe/Amsterdam"),
        ({"weekly": {}}, "/weekly", "no open hour"),
        ({"weekly": None}, "/weekly", "no open hour"),
        ({"weekly": {"mon": []}}, "/weekly", "no open hour"),
        (
            {"weekly": {}, "holidays": [{"date": "2026-12-24", "name": "x", "open": [["09:00", "12:00"]]}]},
            "/weekly",
            "no open hour",
        ),
        ({"weekly": [["09:00", "17:00"]]}, "/weekly", "as an object"),
        ({"weekly": {"monday": [["09:00", "17:00"]]}}, "/weekly/monday", "mon, tue"),
        ({"weekly": {"a/b~c": [], "mon": [["09:00", "17:00"]]}}, "/weekly/a~1b~0c", "mon, tue"),
        ({"weekly": {"mon": "09:00-17:00"}}, "/weekly/mon", "list of intervals"),
        ({"weekly": {"mon": [["09:00"]]}}, "/weekly/mon/0", "start and its end"),
        ({"weekly": {"mon": [["09:00", "12:00"], ["24:00", "02:00"]]}}, "/weekly/mon/1/0", "23:59"),
        ({"weekly": {"mon": [["9:00", "17:00"]]}}, "/weekly/mon/0/0", "HH:MM"),
        ({"weekly": {"mon": [["09:00", "24:01"]]}}, "/weekly/mon/0/1", "24:00"),
        ({"weekly": {"mon": [["09:00", "25:00"]]}}, "/weekly/mon/0/1", "24:00"),
        ({"weekly": {"mon": [["09:00", 17]]}}, "/weekly/mon/0/1", "24:00"),
        ({"weekly": {"mon": [["09:00", "17:00"]] * 25}}, "/weekly/mon", "at most"),
        ({"holidays": {"2026-12-25": "Christmas"}}, "/holidays", "as a list"),
        ({"holidays": ["2026-12-25"]}, "/holidays/0", "as an object"),
        ({"holidays": [{"date": "25-12-2026", "name": "x"}]}, "/holidays/0/date", "2026-12-25"),
        ({"holidays": [{"date": "2026-02-29", "name": "x"}]}, "/holidays/0/date", "2026-12-25"),
        ({"holidays": [{"date": "20261225", "name": "x"}]}, "/holidays/0/date", "2026-12-25"),
        ({"holidays": [{"date": "2026-12-25", "name": "  "}]}, "/holidays/0/name", "Name the holiday"),
        ({"holidays": [{"date": "2026-12-25"}]}, "/holidays/0/name", "Name the holiday"),
        (
            {"holidays": [{"date": "2026-12-25", "name": "a"}, {"date": "2026-12-25", "name": "b"}]},
            "/holidays/1/date",
            "two entries",
        ),
        (
            {"holidays": [{"date": "2026-12-25", "name": "a", "open": [["9", "12:00"]]}]},
            "/holidays/0/open/0/0",
            "HH:MM",
        ),
        ({"holidays": [{}] * 2001}, "/holidays", "2,000"),
    ],
)
def test_says_what_is_wrong_and_where(changed: dict[str, Any], pointer: str, says: str) -> None:
    written = OFFICE | changed
    assert [(place, says in sentence) for place, sentence in business_calendar.problems(written)] == [(pointer, True)]
    with pytest.raises(Invalid) as refused:
        business_calendar.parse(written)
    assert [place for place, _ in refused.value.errors] == [pointer]


def test_says_everything_that_is_wrong_at_once() -> None:
    places = [
        place
        for place, _ in business_calendar.problems({"timezone": "x", "weekly": {"mon": [["a", "b"]]}, "holidays": [1]})
    ]
    assert places == ["/timezone", "/weekly/mon/0/0", "/weekly/mon/0/1", "/holidays/0"]


def test_what_can_be_used_has_no_problems() -> None:
    assert business_calendar.problems(OFFICE) == []


CLOCK = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
HOURS = st.lists(st.lists(CLOCK, min_size=2, max_size=2), min_size=1, max_size=4)


@given(
    st.dictionaries(st.sampled_from(business_calendar.DAYS), HOURS, min_size=1),
    st.dictionaries(st.dates().map(date.isoformat), st.none() | HOURS, max_size=5),
)
def test_reading_what_was_written_gives_the_same(weekly: dict[str, Any], holidays: dict[str, Any]) -> None:
    calendar = business_calendar.parse(
        {
            "timezone": "Asia/Kolkata",
            "weekly": weekly,
            "holidays": [
                {"date": day, "name": "x"} | ({"open": hours} if hours else {}) for day, hours in holidays.items()
            ],
        }
    )
    assert business_calendar.parse(business_calendar.write(calendar)) == calendar


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["timezone", "weekly", "holidays", "mon", "date", "name", "open"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_nothing_that_can_be_sent_breaks_it(sent: object) -> None:
    if isinstance(sent, dict):
        business_calendar.problems(sent)
