"""SLA clocks of conversations that become one, part again, or go on in private. Pure functions over their events.

Nothing is ever rewritten: each conversation keeps the events of its own clock, and what a merged clock says is read from both.

- Merging ends the clock of the conversation that goes into the other: `cancelled`, by the cause of the merge. What happens
  from then on is told to the clock that stays, and happens to both.
- The earliest start holds. Until the merge the clock ran under the terms of that start; the merge itself reapplies those of
  the conversation that stays.
- A reply clock stops with the first answer in either: the person was answered. Whoever still waits is owed the next response
  (`sla_turns`). A clock that ends with the matter (`last`: resolution) stops when both have, and runs while either would: time
  spent on one is never hidden by a pause or an end of the other.
- Undoing a merge gives each its own events back, and both what happened while they were one, unless it is said to concern one
  of them alone. Terms that came while they were one stay with the one that they were given to.
- A hand-over carries the clock, with its start and the time used, into the private conversation; the public one ends. What had
  stopped before stays where it was, and nothing is carried.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import groupby
from typing import Literal

from shared.rules import sla_clock
from shared.rules.sla_clock import Event, EventKind

Phase = Literal["not started", "running", "paused", "stopped", "cancelled"]

_TURNS: dict[tuple[EventKind, Phase], Phase] = {
    ("started", "not started"): "running",
    ("reopened", "stopped"): "running",
    ("paused", "running"): "paused",
    ("resumed", "paused"): "running",
    ("stopped", "running"): "stopped",
    ("stopped", "paused"): "stopped",
    ("cancelled", "running"): "cancelled",
    ("cancelled", "paused"): "cancelled",
}


def merged(
    ours: Iterable[Event], theirs: Iterable[Event], *, at: datetime, cause: str, last: bool = False
) -> tuple[Event, ...]:
    """The history of the one clock of two conversations that became one at a moment; `theirs` went into `ours`. Merge again to
    join a third. Where one of the two never had this clock, it is the other's.

    Args:
        at: When they were merged.
        cause: The id of the merge. Events with it are the merge's own, and only those of `ours` count.
        last: Whether the clock ends only when both have ended, as a resolution does; a reply clock ends with the first.
    """
    mine = sla_clock.in_order(ours)
    since = [event for event in mine if event.at >= at and event.kind != "started"]
    others = sla_clock.in_order([*(event for event in theirs if event.cause != cause), *since])
    first, second = _started(mine), _started(others)
    if second is None or (first and _called_off(others, first.at)):
        return mine
    if first is None or _called_off(mine, second.at):
        return others
    earliest, elder = (first, mine) if first.at <= second.at else (second, others)
    terms = [one for one in elder if one.kind == "reapplied"]
    turns = _joined([_from_start(mine, first), _from_start(others, second)], last=last)
    return sla_clock.in_order([earliest, *terms, *turns])


def split(
    ours: Iterable[Event],
    theirs: Iterable[Event],
    *,
    at: datetime,
    cause: str,
    only_ours: Collection[str] = (),
    only_theirs: Collection[str] = (),
) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """What the clocks of two conversations get back when their merge is undone: (ours, theirs).

    Args:
        at: When they had been merged.
        cause: The id of the merge: what it did itself never happened.
        only_ours: Causes, since the merge, that concern the first alone: an answer to one of its messages.
        only_theirs: Causes, since the merge, that concern the second alone.
    """
    mine = [event for event in ours if event.cause != cause]
    others = [event for event in theirs if event.cause != cause]
    since = [
        event
        for event in mine
        if event.at >= at and event.kind not in {"started", "reapplied"} and event.cause not in only_ours
    ]
    kept = [event for event in mine if event.at < at or event.cause not in only_theirs]
    # Without a start of its own there is no clock to give back.
    return sla_clock.in_order(kept), sla_clock.in_order([*others, *since] if _started(others) else others)


def handed_over(events: Iterable[Event], *, at: datetime, cause: str) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """The clock of a public conversation that goes on in private from a moment: (what stays, what is carried over).

    What is carried is empty if the clock had stopped, was cancelled or had not started by then. A late event dated before the
    hand-over is given to this function again, so that it counts for both. What was told of the public clock is not to be told
    again of the private one: both have the same keys.
    """
    public = sla_clock.in_order(events)
    stands = sla_clock.read(public, at)
    if stands is None or stands.stopped_at is not None or stands.state == "cancelled":
        return public, ()
    stays = sla_clock.in_order([*public, Event("cancelled", at, cause, reason="goes on in private")])
    return stays, tuple(event for event in public if event.at <= at)


def _started(events: Iterable[Event]) -> Event | None:
    return next((event for event in events if event.kind == "started"), None)


def _called_off(events: Iterable[Event], at: datetime) -> bool:
    """Whether a clock was cancelled before the other one began: then there is nothing to join."""
    stands = sla_clock.read(events, at)
    return stands is not None and stands.state == "cancelled"


def _from_start(events: Iterable[Event], start: Event) -> list[tuple[datetime, Event]]:
    """The events of one part that turn its clock, in their order; what is dated before the start works at the start."""
    turning = [event for event in sla_clock.in_order(events) if event.kind not in {"started", "reapplied"}]
    return [(start.at, start), *((max(event.at, start.at), event) for event in turning)]


def _joined(parts: list[list[tuple[datetime, Event]]], *, last: bool) -> list[Event]:
    """What pauses, resumes, stops and reopens the one clock, moment by moment. Each part's events keep their own order."""
    phases: list[Phase] = ["not started"] * len(parts)
    told: list[Event] = []
    before: Phase = "not started"
    everything = sorted(
        ((at, part, n, event) for part, many in enumerate(parts) for n, (at, event) in enumerate(many)),
        key=lambda one: one[:3],
    )
    for at, happened in groupby(everything, key=lambda one: one[0]):
        why = None
        for _, part, _, event in happened:
            former = phases[part]
            phases[part] = _TURNS.get((event.kind, former), former)
            if why is None or phases[part] != former:
                why = event
        now = _together(phases, last=last)
        if why is not None and now != before:
            told += [
                Event(kind, at, why.cause, reason=why.reason) for kind in _TO[now] if (before, kind) not in _NOTHING
            ]
        before = now
    return told


_TO: dict[Phase, tuple[EventKind, ...]] = {
    "not started": (),
    "running": ("reopened", "resumed"),
    "paused": ("reopened", "paused"),
    "stopped": ("stopped",),
    "cancelled": ("cancelled",),
}
_NOTHING: frozenset[tuple[Phase, EventKind]] = frozenset(
    {
        ("not started", "reopened"), ("not started", "resumed"), ("running", "reopened"), ("paused", "reopened"),
        ("stopped", "resumed"),
    }
)  # fmt: skip


def _together(phases: list[Phase], *, last: bool) -> Phase:
    if not last and "stopped" in phases:
        return "stopped"
    order: tuple[Phase, ...] = ("running", "paused", "stopped", "cancelled")
    return next((phase for phase in order if phase in phases), "not started")
