"""Durations as the doors write them: ISO 8601 (`PT1H`, `P7D`, `PT0.5S`), exact to the microsecond.

Years and months are refused, because they have no fixed length. Days are 24 hours and weeks are 7 days: whether only
business hours count is said beside the duration, never inside it.
"""

import re
from datetime import timedelta

_SHAPE = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,7})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10})(?:[.,](?P<part>\d{1,6}))?S)?)?",
    re.ASCII,
)
_CALENDAR_UNITS = re.compile(r"P[\d.,]*[YM]|P[^T]*[YM]")


def parse(text: str) -> timedelta:
    """The length of an ISO 8601 duration.

    Raises:
        ValueError: a sentence that says what is wrong and what a right one looks like.
    """
    written = text.strip().upper()
    found = _SHAPE.fullmatch(written)
    if found is None:
        if _CALENDAR_UNITS.match(written):
            raise ValueError(f"{text!r} has years or months, whose length varies. Write days or hours, as in P30D.")
        raise ValueError(f"{text!r} is not an ISO 8601 duration. Write one as in PT30M, PT8H or P7D.")
    number = {name: int(value) for name, value in found.groupdict(default="0").items() if name != "part"}
    part = int((found["part"] or "").ljust(6, "0"))
    return timedelta(**number, microseconds=part)


def write(length: timedelta) -> str:
    """The ISO 8601 form of a length: days, hours, minutes, seconds; `PT0S` for none.

    Raises:
        ValueError: the length is negative; ISO 8601 has no sign.
    """
    if length < timedelta(0):
        raise ValueError("A duration cannot be negative.")
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    date = f"{length.days}D" if length.days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if length.microseconds:
        time += f"{seconds}.{length.microseconds:06d}".rstrip("0") + "S"
    elif seconds:
        time += f"{seconds}S"
    if not date and not time:
        return "PT0S"
    return f"P{date}" + (f"T{time}" if time else "")
