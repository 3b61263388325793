"""ISO 8601 durations, read and written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import duration


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("PT1H", timedelta(hours=1)),
        ("P7D", timedelta(days=7)),
        ("P2W", timedelta(days=14)),
        ("P1W1DT1H1M1S", timedelta(days=8, hours=1, minutes=1, seconds=1)),
        ("PT90M", timedelta(minutes=90)),
        ("PT0S", timedelta(0)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("PT0,000001S", timedelta(microseconds=1)),
        (" pt1h ", timedelta(hours=1)),
    ],
)
def test_reads(written: str, length: timedelta) -> None:
    assert duration.parse(written) == length


@pytest.mark.parametrize(
    "written",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "1H",
        "PT1",
        "PT1H30",
        "-PT1H",
        "PT1.5H",
        "PT1S1M",
        "PT1.1234567S",
        "PT٣H",
        "60",
        "P1000000W",
    ],
)
def test_refuses(written: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        duration.parse(written)


@pytest.mark.parametrize("written", ["P1Y", "P1M", "P1Y2M3DT4H", "P0.5Y"])
def test_refuses_what_has_no_fixed_length(written: str) -> None:
    with pytest.raises(ValueError, match="length varies"):
        duration.parse(written)


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(hours=1), "PT1H"),
        (timedelta(days=7), "P7D"),
        (timedelta(days=1, seconds=1), "P1DT1S"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(milliseconds=500), "PT0.5S"),
        (timedelta(seconds=61, microseconds=10), "PT1M1.00001S"),
    ],
)
def test_writes(length: timedelta, written: str) -> None:
    assert duration.write(length) == written


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=999_999)))
def test_reading_what_was_written_gives_the_same(length: timedelta) -> None:
    assert duration.parse(duration.write(length)) == length


def test_a_negative_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="negative"):
        duration.write(timedelta(seconds=-1))
