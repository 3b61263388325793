"""When the doors are open: business hours, and how much of them lies between two moments.

The rules are those of the glossary ("SLA clocks", rule 5). An interval is half-open, in the wall clock of the
calendar's zone; `24:00` ends a day; an interval that ends at or before its start runs past midnight and belongs,
holidays included, to the day it starts on. Elapsed time is real time while the wall clock is inside: an hour that the
clock repeats counts twice, an hour that it skips does not count. Overlapping intervals count once. Where a function
takes `Calendar | None`, None means clock time: every hour counts.

How it is fast: a zone's offset is constant between its changes, so within such a stretch wall time and real time
differ by a constant, and open wall intervals are open real intervals. These are laid out once per calendar for blocks
of 32 days with running totals; a question then costs a bisection, and a year costs a dozen additions.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_BLOCK = 32 * _DAY
_BLOCKS_KEPT = 2_000  # some 175 years
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Two days from either end of what a datetime can say, so that a zone's offset never leads outside.
_FIRST = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // _MICROSECOND

OPEN = "inside opening hours"
CLOSED = "outside opening hours"
ALWAYS = "every hour counts"

Minutes = tuple[int, int]
"""An open interval of a day: minutes after its midnight, half-open; the end may lie up to a day past the next."""

Span = tuple[int, int]
"""A half-open stretch, in microseconds since 1970: of real time (UTC), or of wall time read as if it were UTC."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which the weekly hours do not hold; `open` holds the hours that do (a half-holiday)."""

    day: date
    name: str
    open: tuple[Minutes, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time, half-open, and whether a clock counts it, with the reason in words."""

    start: datetime
    end: datetime
    counted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The open real intervals of one block of 32 days; `before[i]` is the open time in front of interval i."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]
    total: int

    def open_before(self, at: int) -> int:
        """The open time of this block in front of a moment."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]

    def reached(self, amount: int) -> int:
        """The earliest moment by which `amount` of the block's open time has passed; more than 0, at most the total."""
        index = bisect_right(self.before, amount - 1) - 1
        return self.starts[index] + amount - self.before[index]


@dataclass(frozen=True)
class Calendar:
    """Opening hours of one zone: a week's intervals and the holidays. Make one with `business_calendar.parse`.

    `weekly` has seven entries, Monday first. `version` goes into whatever was computed from this calendar.
    """

    timezone: str
    weekly: tuple[tuple[Minutes, ...], ...]
    holidays: Mapping[date, Holiday] = field(default_factory=dict)
    version: int = 1
    blocks: dict[int, Block] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.weekly) != 7 or not any(self.weekly):
            raise ValueError("A calendar needs at least one open interval in its week.")
        object.__setattr__(self, "holidays", MappingProxyType(dict(self.holidays)))

    def __hash__(self) -> int:
        return hash((self.timezone, self.weekly, tuple(sorted(self.holidays)), self.version))

    def __reduce__(self) -> tuple[type["Calendar"], tuple[object, ...]]:
        # The read-only view of the holidays does not pickle; what was laid out need not travel.
        return Calendar, (self.timezone, self.weekly, dict(self.holidays), self.version)

    def block(self, number: int) -> Block:
        """The open real intervals of one block, laid out when first asked for."""
        block = self.blocks.get(number)
        if block is None:
            spans = _merged(
                (max(start, number * _BLOCK), min(end, (number + 1) * _BLOCK))
                for start, end, _ in _laid_out(self, number * _BLOCK, (number + 1) * _BLOCK, holidays=False)
            )
            before, total = [], 0
            for start, end in spans:
                before.append(total)
                total += end - start
            block = Block(tuple(s for s, _ in spans), tuple(e for _, e in spans), tuple(before), total)
            if len(self.blocks) >= _BLOCKS_KEPT:
                self.blocks.clear()
            self.blocks[number] = block
        return block

    def open_between(self, start: int, end: int) -> int:
        """Open time between two moments, all in microseconds."""
        first, last = start // _BLOCK, end // _BLOCK
        whole = sum(self.block(number).total for number in range(first, last))
        return whole + self.block(last).open_before(end) - self.block(first).open_before(start)

    def reached(self, start: int, amount: int) -> int:
        """The earliest moment by which `amount` of open time, more than 0, has passed since `start`; microseconds."""
        number = start // _BLOCK
        amount += self.block(number).open_before(start)
        while amount > self.block(number).total:
            amount -= self.block(number).total
            number += 1
            if number * _BLOCK > _LAST:
                raise OverflowError("The deadline lies after the year 9999. Use a shorter target.")
        return self.block(number).reached(amount)


def elapsed(calendar: Calendar | None, start: datetime, end: datetime) -> timedelta:
    """How much counted time lies between two moments; none if the end is not after the start."""
    first, last = _moment(start), _moment(end)
    if last <= first:
        return timedelta(0)
    return (last - first if calendar is None else calendar.open_between(first, last)) * _MICROSECOND


def add(calendar: Calendar | None, start: datetime, length: timedelta) -> datetime:
    """The deadline: the earliest moment by which `length` of counted time has passed since `start`, in UTC.

    Raises:
        ValueError: the length is negative, or a moment has no zone.
        OverflowError: the deadline lies beyond the year 9999.
    """
    amount = length // _MICROSECOND
    if amount < 0:
        raise ValueError("A target cannot be negative.")
    first = _moment(start)
    if amount == 0:
        return _when(first)
    return _when(first + amount if calendar is None else calendar.reached(first, amount))


def intervals(calendar: Calendar | None, start: datetime, end: datetime) -> list[Interval]:
    """What counts between two moments, and why: disjoint, in order, covering exactly start to end.

    The counted ones sum to `elapsed(calendar, start, end)`.
    """
    first, last = _moment(start), _moment(end)
    if last <= first:
        return []
    if calendar is None:
        return [Interval(_when(first), _when(last), True, ALWAYS)]
    laid = list(_laid_out(calendar, first, last, holidays=True))
    # At any moment the first of these that holds gives the reason.
    layers = [(OPEN, _merged((s, e) for s, e, name in laid if name is None))]
    names = dict.fromkeys(name for _, _, name in laid if name is not None)
    layers += [(f"holiday: {name}", _merged((s, e) for s, e, n in laid if n == name)) for name in names]
    cuts = sorted({first, last, *(x for _, spans in layers for span in spans for x in span if first < x < last)})
    found: list[tuple[int, int, str]] = []
    cursors = [0] * len(layers)
    for here, there in pairwise(cuts):
        reason = CLOSED
        for number, (name, spans) in enumerate(layers):
            while cursors[number] < len(spans) and spans[cursors[number]][1] <= here:
                cursors[number] += 1
            if reason is CLOSED and cursors[number] < len(spans) and spans[cursors[number]][0] <= here:
                reason = name
        if found and found[-1][2] == reason:
            here = found.pop()[0]
        found.append((here, there, reason))
    return [Interval(_when(a), _when(b), reason == OPEN, reason) for a, b, reason in found]


def is_open(calendar: Calendar | None, at: datetime) -> bool:
    """Whether the moment itself is counted."""
    return elapsed(calendar, at, at + _MICROSECOND) > timedelta(0)


def _laid_out(calendar: Calendar, start: int, end: int, *, holidays: bool) -> Iterator[tuple[int, int, str | None]]:
    """Open real stretches that touch [start, end), as (from, to, None); with `holidays`, closed ones as (…, name)."""
    for since, until, offset in _constant_offsets(calendar.timezone, start, end):
        low, high = since + offset, until + offset
        # An interval may run up to a day past the midnight after the day it starts on.
        for number in range(low // _DAY - 1, high // _DAY + 1):
            midnight = number * _DAY
            for opens, closes, name in _day(calendar, number, holidays=holidays):
                begin, finish = max(midnight + opens * _MINUTE, low), min(midnight + closes * _MINUTE, high)
                if begin < finish:
                    yield begin - offset, finish - offset, name


def _day(calendar: Calendar, number: int, *, holidays: bool) -> Iterator[tuple[int, int, str | None]]:
    """The intervals, in minutes, that start on the day `number` days after 1 January 1970."""
    day = date.fromordinal(number + _EPOCH_DAY)
    weekly = calendar.weekly[day.weekday()]
    holiday = calendar.holidays.get(day)
    for opens, closes in weekly if holiday is None else holiday.open:
        yield opens, closes, None
    if holidays and holiday is not None:
        yield 0, 24 * 60, holiday.name
        for opens, closes in weekly:
            yield opens, closes, holiday.name


def _merged(spans: Iterator[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _constant_offsets(zone: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """[start, end) cut where the zone's offset changes: (from, to, offset), in microseconds."""
    start, end = max(start, _FIRST), min(end, _LAST)
    while start < end:
        number = start // _BLOCK
        for since, until, offset in _offsets_of_block(zone, number):
            if until > start and since < end:
                yield max(since, start), min(until, end), offset
        start = (number + 1) * _BLOCK


@lru_cache(maxsize=4096)
def _offsets_of_block(zone: str, number: int) -> tuple[tuple[int, int, int], ...]:
    """A zone tells its offset at a moment, not when it changes: look once a day, then halve to the second."""
    tz = ZoneInfo(zone)

    def offset_at(at: int) -> int:
        told = _when(at).astimezone(tz).utcoffset()
        return (told or timedelta(0)) // _MICROSECOND

    start, end = max(number * _BLOCK, _FIRST), min((number + 1) * _BLOCK, _LAST)
    pieces: list[tuple[int, int, int]] = []
    since, offset = start, offset_at(start)
    for day in range(start, end, _DAY):
        low, high = day, min(day + _DAY, end)
        while offset_at(high) != offset:
            left, right = low // 1_000_000, high // 1_000_000
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if offset_at(middle * 1_000_000) == offset else (left, middle)
            change = right * 1_000_000
            pieces.append((since, change, offset))
            since, offset, low = change, offset_at(change), change
    pieces.append((since, end, offset))
    return tuple(piece for piece in pieces if piece[0] < piece[1])


def _moment(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("A moment needs a zone: pass an aware datetime, as clock.now() gives.")
    return (at - _EPOCH) // _MICROSECOND


def _when(moment: int) -> datetime:
    return _EPOCH + moment * _MICROSECOND
