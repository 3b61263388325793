"""A clock of a service level agreement, as a fold over its events.

The rules are those of the glossary ("SLA clocks"). `read`, `facts` and `explain` are pure functions of the events and a
moment: the same input gives the same answer on any day, whatever was polled, in whatever order the events arrived.

- Events are taken in the order of `at`. Of two at one moment a pause comes before a resumption and a reopening before a
  stop, so that a tie never hides time; then the cause decides.
- The earliest start holds. What is dated before it (a reply seen before the mention was found) works at the start.
- The deadline is the earliest moment by which the target's time is used up. Exactly on the deadline is met. A breach
  happens at the deadline, stays, and does not stop the clock: `elapsed` goes on saying how late.
- New terms keep the time used. If more than the new target is used already, the deadline is the moment they came.
- While a clock is paused it has no deadline. Reopening takes up where the stop left.
- A clock that has stopped cannot be cancelled; a cancelled one is never taken up again.
- What was annulled counts at no moment: an answer that the venue took, and then could not deliver, answered nobody.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from shared.rules import business_hours
from shared.rules.business_hours import Calendar, Interval

EventKind = Literal["started", "reapplied", "reopened", "paused", "resumed", "stopped", "cancelled", "annulled"]
State = Literal["running", "paused", "met", "breached", "cancelled"]
FactKind = Literal["started", "paused", "resumed", "warning", "breached", "met", "cancelled", "corrected"]

_AT_ONE_MOMENT: tuple[EventKind, ...] = (
    "started",
    "reapplied",
    "reopened",
    "paused",
    "resumed",
    "stopped",
    "cancelled",
    "annulled",
)
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Mark:
    """A warning: its name (`0.75`, `PT30M`) and how much used time brings it about."""

    name: str
    used: timedelta


@dataclass(frozen=True, slots=True)
class Terms:
    """What a clock runs under, as it was at application. `calendar` None counts every hour."""

    within: timedelta
    calendar: Calendar | None = None
    marks: tuple[Mark, ...] = ()
    policy_id: str = ""
    policy_version: int = 1
    priority: str = "*"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a clock. `cause` is the id of what brought it about, and unique within the clock.
    `annulled` says that what its cause brought about did not happen after all.

    `started` and `reapplied` carry terms. `reason` is shown by `explain` ("waiting for the customer").
    """

    kind: EventKind
    at: datetime
    cause: str
    terms: Terms | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("An event needs a moment with a zone: pass an aware datetime.")
        if (self.terms is not None) != (self.kind in {"started", "reapplied"}):
            raise ValueError("Events that start or reapply carry terms, and no others.")


@dataclass(frozen=True, slots=True)
class Clock:
    """How a clock stands at a moment.

    `deadline_at` is None while paused or cancelled, and of a breached clock it is the deadline that was missed.
    `next_at` is when the next warning is due, or the deadline; None if nothing more is due by itself.
    """

    state: State
    started_at: datetime
    elapsed: timedelta
    deadline_at: datetime | None
    breached_at: datetime | None
    stopped_at: datetime | None
    warned: tuple[tuple[str, datetime], ...]
    next_at: datetime | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be told once about a clock. `key` is unique within the clock and the same at every reading."""

    kind: FactKind
    at: datetime
    key: str
    detail: str = ""


def read(events: Iterable[Event], at: datetime) -> Clock | None:
    """How the clock stands at a moment; None if it has not started by then."""
    run = _fold(events, at)
    return run.clock(at) if run else None


def facts(events: Iterable[Event], until: datetime) -> list[Fact]:
    """All that there is to tell about the clock up to a moment, in order of time. A later reading only adds to it,
    unless an event with an earlier date has come to light.
    """
    run = _fold(events, until)
    return sorted(run.told, key=lambda fact: fact.at) if run else []


def corrected(told: Collection[str], events: Iterable[Event], until: datetime) -> list[str]:
    """The keys of verdicts (breached, met) that were told and no longer hold, because a late event contradicts them."""
    standing = {fact.key for fact in facts(events, until)}
    return sorted(key for key in told if key not in standing and key.startswith(("breached:", "met:")))


def untold(told: Collection[str], events: Iterable[Event], until: datetime) -> list[Fact]:
    """What there is to tell by a moment to those who were told the facts with these keys: what is new, what corrects a verdict
    (`corrected`; `detail` is the key that no longer holds), and a corrected verdict that holds again, by a key of its own.
    """
    standing = facts(events, until)
    found = [fact for fact in standing if fact.key not in told]
    holds = {fact.key: fact for fact in standing}
    for key in {key.partition("#")[0] for key in told if key.startswith(("breached:", "met:"))}:
        times = 1
        while f"{key}#{times + 1}" in told:
            times += 1
        latest = key if times == 1 else f"{key}#{times}"
        is_corrected = f"corrected:{latest}" in told
        if key not in holds and not is_corrected:
            found.append(Fact("corrected", until, f"corrected:{latest}", latest))
        elif key in holds and is_corrected:
            found.append(replace(holds[key], key=f"{key}#{times + 1}"))
    return sorted(found, key=lambda fact: (fact.at, fact.kind == "corrected", fact.key))


def explain(events: Iterable[Event], at: datetime) -> list[Interval]:
    """What was counted from the start to a moment and why: disjoint, covering, and summing to `elapsed`."""
    run = _fold(events, at)
    if run is None:
        return []
    shown: list[Interval] = []
    for piece in run.pieces:
        if piece.reason is None:
            shown += business_hours.intervals(piece.calendar, piece.start, piece.end)
        else:
            shown.append(Interval(piece.start, piece.end, False, piece.reason))
    return shown


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """A history as it is read: in the order of its events, each once, without what was annulled."""
    happened = {(event.kind, event.cause): event for event in sorted(events, key=_order, reverse=True)}
    annulled = {cause for kind, cause in happened if kind == "annulled"}
    return tuple(sorted((one for one in happened.values() if one.cause not in annulled), key=_order))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a clock's life; the reason says why it did not run, None that it ran by the calendar."""

    start: datetime
    end: datetime
    calendar: Calendar | None
    reason: str | None


def _order(event: Event) -> tuple[datetime, int, str]:
    return event.at, _AT_ONE_MOMENT.index(event.kind), event.cause


def _fold(events: Iterable[Event], until: datetime) -> "_Run | None":
    happened = list(events)
    annulled = {event.cause for event in happened if event.kind == "annulled"}
    known = sorted((event for event in happened if event.at <= until and event.cause not in annulled), key=_order)
    start = next((event for event in known if event.kind == "started"), None)
    if start is None or start.terms is None:
        return None
    run = _Run(start, start.terms)
    for event in known:
        run.take(event)
    run.advance(until)
    return run


class _Run:
    """A clock while its events are being folded; `since` is how far it has been worked out."""

    def __init__(self, start: Event, terms: Terms) -> None:
        self.started_at = self.since = start.at
        self.terms = terms
        self.phase: Literal["running", "paused", "stopped", "cancelled"] = "running"
        self.reason = ""
        self.used = _NONE
        self.stopped_at: datetime | None = None
        self.deadline_at_stop: datetime | None = None
        self.breached_at: datetime | None = None
        self.warned: dict[str, tuple[str, datetime]] = {}
        self.pieces: list[_Piece] = []
        self.told = [Fact("started", start.at, f"started:{start.cause}")]

    def take(self, event: Event) -> None:
        if event.kind == "started" or self.phase == "cancelled":
            return
        at = max(event.at, self.started_at)
        match event.kind:
            case "reapplied":
                self.advance(at)
                self.terms = event.terms or self.terms
            case "reopened" if self.phase == "stopped":
                self.enter("running", at, event)
                self.stopped_at = None
                self.tell("resumed", at, event)
            case "paused" if self.phase == "running":
                self.enter("paused", at, event)
                self.tell("paused", at, event)
            case "resumed" if self.phase == "paused":
                self.enter("running", at, event)
                self.tell("resumed", at, event)
            case "stopped" if self.phase in {"running", "paused"}:
                self.stop(at, event)
            case "cancelled" if self.phase != "stopped":
                self.enter("cancelled", at, event)
                self.tell("cancelled", at, event)

    def stop(self, at: datetime, event: Event) -> None:
        self.advance(at)
        self.deadline_at_stop = self.deadline()
        self.enter("stopped", at, event)
        self.stopped_at = at
        if self.breached_at is None:
            self.tell("met", at, event)

    def enter(self, phase: Literal["running", "paused", "stopped", "cancelled"], at: datetime, event: Event) -> None:
        self.advance(at)
        self.phase, self.reason = phase, event.reason

    def tell(self, kind: FactKind, at: datetime, event: Event) -> None:
        self.told.append(Fact(kind, at, f"{kind}:{event.cause}", event.reason))

    def advance(self, to: datetime) -> None:
        """Work the clock out up to a moment, in the phase and under the terms that hold."""
        if self.phase == "running":
            self.pass_marks(to)
            deadline = self.due(self.terms.within)
            if self.breached_at is None and deadline < to:
                self.breached_at = deadline
                self.told.append(Fact("breached", deadline, f"breached:{deadline.isoformat()}"))
            self.used += business_hours.elapsed(self.terms.calendar, self.since, to)
        if self.since < to:
            said = f"{self.phase}: {self.reason}" if self.reason else self.phase
            reason = None if self.phase == "running" else said
            self.pieces.append(_Piece(self.since, to, self.terms.calendar, reason))
        self.since = to

    def pass_marks(self, to: datetime) -> None:
        if self.breached_at is not None or not (unwarned := self.unwarned()):
            return
        last = min(to, self.due(self.terms.within))  # nobody is warned of what has happened
        for key, mark in unwarned:
            at = self.due(mark.used)
            if at <= last:
                self.warned[key] = mark.name, at
                self.told.append(Fact("warning", at, key, mark.name))

    def unwarned(self) -> list[tuple[str, Mark]]:
        """The marks not passed yet, by the key of their fact: a new version of a policy warns anew."""
        version = f"warning:{self.terms.policy_id}:{self.terms.policy_version}"
        keyed = [(f"{version}:{mark.name}", mark) for mark in self.terms.marks]
        return [(key, mark) for key, mark in keyed if key not in self.warned]

    def due(self, used: timedelta) -> datetime:
        """When a running clock will have used that much; the present moment if it has already."""
        return business_hours.add(self.terms.calendar, self.since, max(used - self.used, _NONE))

    def deadline(self) -> datetime | None:
        if self.phase == "stopped":
            return self.deadline_at_stop
        if self.phase == "cancelled":
            return None
        if self.breached_at is not None:
            return self.breached_at
        return self.due(self.terms.within) if self.phase == "running" else None

    def clock(self, at: datetime) -> Clock:
        return Clock(
            state=self.state(),
            started_at=self.started_at,
            elapsed=self.used,
            deadline_at=self.deadline(),
            breached_at=self.breached_at,
            stopped_at=self.stopped_at,
            warned=tuple(sorted(self.warned.values(), key=lambda warning: warning[1])),
            next_at=self.next_at(),
            terms=self.terms,
        )

    def state(self) -> State:
        if self.phase == "cancelled":
            return "cancelled"
        if self.breached_at is not None:
            return "breached"
        return "met" if self.phase == "stopped" else self.phase

    def next_at(self) -> datetime | None:
        if self.phase != "running" or self.breached_at is not None:
            return None
        return min(self.due(used) for used in [*(mark.used for _, mark in self.unwarned()), self.terms.within])
