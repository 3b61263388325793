"""Weeks begin on Monday midnight by the workspace's clock, and shown texts have personal data masked."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.api.listening.report import LedgerLine, Sentiment, SlaAttainment, Week, day_bounds, masked
from shared.kit.errors import Invalid

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_week_is_read_and_written_alike() -> None:
    week = Week.parse("2026-W47")
    assert (week, str(week)) == (Week(2026, 47), "2026-W47")
    assert week.days()[0] == date(2026, 11, 16)
    assert week.days()[6] == date(2026, 11, 22)
    assert str(Week.parse("2020-W53")) == "2020-W53"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-47",
        "2026-W7",
        "2026W47",
        "2026-W00",
        "2026-W54",
        "2025-W53",
        "2026-w47",
        "0000-W01",
        "9999-W52",
        "٢٠٢٦-W47",
    ],
)
def test_what_is_no_week_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Week.parse(text)
    assert refused.value.errors[0][0] == "/week"
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("text", "begins", "ends", "hours"),
    [
        ("2026-W47", "2026-11-15T23:00", "2026-11-22T23:00", 168),
        ("2026-W13", "2026-03-22T23:00", "2026-03-29T22:00", 167),
        ("2026-W43", "2026-10-18T22:00", "2026-10-25T23:00", 169),
        ("2026-W53", "2026-12-27T23:00", "2027-01-03T23:00", 168),
        ("2027-W01", "2027-01-03T23:00", "2027-01-10T23:00", 168),
    ],
)
def test_a_week_ends_where_the_next_begins_also_when_clocks_change(
    text: str, begins: str, ends: str, hours: int
) -> None:
    week = Week.parse(text)
    assert week.bounds(AMSTERDAM) == (utc(begins), utc(ends))
    assert utc(ends) - utc(begins) == timedelta(hours=hours)
    assert Week.of(utc(begins), AMSTERDAM) == week == Week.of(utc(ends) - timedelta(microseconds=1), AMSTERDAM)
    assert Week.of(utc(ends), AMSTERDAM).before() == week
    days = [day_bounds(day, AMSTERDAM) for day in week.days()]
    assert [days[0][0], *(end for _, end in days)] == [*(start for start, _ in days), days[-1][1]]


def test_a_day_whose_midnight_is_skipped_begins_when_the_clocks_jump() -> None:
    begins, ends = day_bounds(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    assert (begins, ends - begins) == (utc("2018-11-04T03:00"), timedelta(hours=23))


def test_earlier_weeks_cross_the_year() -> None:
    assert str(Week(2021, 1).before()) == "2020-W53"
    assert str(Week(2026, 47).before(52)) == "2025-W47"


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "I am Jan Smit, 0612345678"),
        ([(5, 13)], "I am [hidden], 0612345678"),
        ([(15, 25), (5, 13)], "I am [hidden], [hidden]"),
        ([(5, 13), (5, 8), (9, 13)], "I am [hidden], 0612345678"),
        ([(5, 10), (9, 13)], "I am [hidden], 0612345678"),
        ([(0, 99)], "[hidden]"),
        ([(7, 7)], "I am Jan Smit, 0612345678"),
    ],
)
def test_personal_data_is_masked_whole(spans: list[tuple[int, int]], expected: str) -> None:
    assert masked("I am Jan Smit, 0612345678", spans) == expected


def test_shares_are_of_what_was_told() -> None:
    assert Sentiment(1, 1, 2, 96).negative_share == 0.5
    assert Sentiment(unknown=3).negative_share is None
    assert SlaAttainment("first_response", 9, 1, 500).attainment == 0.9
    assert SlaAttainment("first_response", 0, 0, 500).attainment is None
    assert LedgerLine("feed", 10, 7, 1, 1).missing == 1
