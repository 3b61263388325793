"""Whether somebody is at work at a moment, by their shifts and leaves.

Who has no shift of the kind work is at work whenever present; who has any is at work inside one of them. Leave is stronger than
work. Spans and hours are half-open. Weekly hours are those of the wall clock in the shift's zone; hours that run past midnight belong,
with `first_day` and `last_day`, to the day they start on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from shared.rules.business_hours import Minutes

_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours every week: seven entries, Monday first, in the wall clock of a zone (IANA name)."""

    hours: tuple[tuple[Minutes, ...], ...]
    timezone: str
    first_day: date | None = None
    last_day: date | None = None

    def covers(self, at: datetime) -> bool:
        """Whether a moment lies inside."""
        local = at.astimezone(ZoneInfo(self.timezone))
        for ago in (0, 1):
            day = local.date() - timedelta(days=ago)
            if (self.first_day and day < self.first_day) or (self.last_day and day > self.last_day):
                continue
            minute = local.hour * 60 + local.minute + ago * _DAY
            if any(start <= minute < end for start, end in self.hours[day.weekday()]):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, half-open."""

    starts_at: datetime
    ends_at: datetime

    def covers(self, at: datetime) -> bool:
        """Whether a moment lies inside."""
        return self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class Shift:
    """When somebody works, or is on leave."""

    kind: Literal["work", "leave"]
    when: Weekly | Span


def at_work(shifts: Iterable[Shift], at: datetime) -> bool:
    """Whether whoever has these shifts (their own and their teams') is at work at a moment."""
    known = list(shifts)
    if any(one.kind == "leave" and one.when.covers(at) for one in known):
        return False
    work = [one for one in known if one.kind == "work"]
    return not work or any(one.when.covers(at) for one in work)
