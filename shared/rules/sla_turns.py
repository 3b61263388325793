"""From what was said and done in a conversation to the histories of its SLA clocks: what starts, pauses and stops each.

A pure function of the turns and of the policy as it stood (`Regime`): the order in which turns came to light does not matter.
Replaying a past conversation under another policy is calling it with another; a merge is calling it with the turns of both.

- `first_response` runs from the oldest message that is owed an answer to the first answer; `next_response` from the oldest
  message that came after an answer and has none to the next answer, each wait an instance of its own.
- What was said first cannot be the answer: a message is ordered by when it was published, an answer by when the venue took it.
  An answer given before the message was found works at the start.
- An automatic answer counts only where the policy says so. A mention found too late (`ignore_older_than`) starts nothing; what
  answers it answers nothing else, and makes the next message a `next_response`.
- `update` runs from the first message, while the conversation is open: each answer ends an instance and starts the next; so
  does one after the resolution, but the next then waits for the reopening.
- `resolution` runs until resolved. A customer's message lifts every status: it resumes what is paused, reopens what is resolved.
- A regime that comes later (priority, policy or calendar changed) is reapplied at its moment to the instances that began before;
  where it promises nothing for the metric, they keep their terms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.rules import sla_policy
from shared.rules.sla_clock import Event, EventKind
from shared.rules.sla_policy import Metric, Policy

TurnKind = Literal["asked", "answered", "paused", "resumed", "resolved", "reopened"]

# At one moment a message comes before its answer, and a pause before what lifts it, so that a tie never hides time.
_AT_ONE_MOMENT: tuple[TurnKind, ...] = ("paused", "asked", "reopened", "resumed", "answered", "resolved")


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that was said or done in a conversation. `cause` is its id.

    `asked`: a message of the customer, received `at`, `published_at` by its venue. `answered`: a reply of ours that the venue
    accepted `at`. `paused`: a `status` in which the policy may let clocks stand still; the others speak for themselves.
    """

    kind: TurnKind
    at: datetime
    cause: str
    status: str = ""
    published_at: datetime | None = None
    automatic: bool = False

    @property
    def said_at(self) -> datetime:
        """When it was said; a venue's clock may run ahead of ours."""
        return min(self.published_at or self.at, self.at)


@dataclass(frozen=True, slots=True)
class Regime:
    """The policy and priority of a conversation from a moment on. The first holds for what was before it, too."""

    at: datetime
    cause: str
    policy: Policy
    priority: str = "*"


def histories(turns: Iterable[Turn], metric: Metric, regimes: Iterable[Regime]) -> list[tuple[Event, ...]]:
    """The histories of the clocks of a metric, instance by instance: one at most but for `next_response` and `update`.

    Raises:
        ValueError: there is no regime: without a policy there is no promise, so do not ask.
    """
    said = sorted(turns, key=lambda turn: (turn.said_at, _AT_ONE_MOMENT.index(turn.kind), turn.cause))
    held = sorted(regimes, key=lambda regime: (regime.at, regime.cause))
    if not held:
        raise ValueError("Give the policy that the conversation was under.")
    made = {"update": _updates, "resolution": _whole}.get(metric, _waits)(said, metric, held)
    learnt = {turn.cause: turn.at for turn in said}
    pauses = _pauses(said, metric, held)
    return [
        (
            *wait,
            *(one for regime in held if regime.at > learnt[wait[0].cause] and (one := reapplied(regime, metric))),
            *_standing(pauses, wait),
        )
        for wait in made
    ]


def reapplied(regime: Regime, metric: Metric) -> Event | None:
    """What an open clock of this metric is told when a priority, a policy or a calendar changes; None where nothing is
    promised now: it keeps its terms."""
    terms = sla_policy.terms(regime.policy, metric, regime.priority)
    return None if terms is None else Event("reapplied", regime.at, regime.cause, terms)


def _at(regimes: Sequence[Regime], moment: datetime) -> Regime:
    """The regime that holds at a moment."""
    return next((one for one in reversed(regimes) if one.at <= moment), regimes[0])


def _start(turn: Turn, metric: Metric, regimes: Sequence[Regime]) -> Event | None:
    """What a message starts; None if it was found too late or nothing is promised."""
    regime = _at(regimes, turn.at)
    at = sla_policy.starts(regime.policy, received_at=turn.at, published_at=turn.published_at)
    terms = sla_policy.terms(regime.policy, metric, regime.priority)
    return None if at is None or terms is None else Event("started", at, turn.cause, terms)


def _counts(turn: Turn, regimes: Sequence[Regime]) -> bool:
    return turn.kind == "answered" and (not turn.automatic or _at(regimes, turn.at).policy.automatic_replies_count)


def _waits(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> list[list[Event]]:
    """Each time the customer waited for an answer that this metric promises."""
    found: list[list[Event]] = []
    waiting: list[Turn] = []
    asked = answered = False

    def wait() -> list[Event]:
        if (metric == "next_response") != answered:
            return []
        starts = [start for turn in waiting if (start := _start(turn, metric, regimes)) is not None]
        return [min(starts, key=lambda start: (start.at, start.cause))] if starts else []

    for turn in turns:
        if turn.kind == "asked":
            asked = True
            waiting.append(turn)
        elif asked and _counts(turn, regimes):
            if begun := wait():
                found.append([*begun, Event("stopped", turn.at, turn.cause)])
            waiting, answered = [], True
    if begun := wait():
        found.append(begun)
    return found


def _updates(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> list[list[Event]]:
    """The periods between what we said, from the first message on; none begins while the matter is resolved."""
    found: list[list[Event]] = []
    current: list[Event] | None = None
    resolved = due = False
    for turn in _since_first(turns, metric, regimes):
        if not found:
            current = [_first(turns, metric, regimes)[1]]
            found.append(current)
        if turn.kind == "resolved" and not resolved:
            resolved = True
            if current:
                current.append(Event("stopped", turn.at, turn.cause))
        elif turn.kind in {"reopened", "asked"} and resolved:
            if due:
                current = _period(turn, turn.at, metric, regimes)
                found += [current] if current else []
            elif current:
                current.append(Event("reopened", turn.at, turn.cause))
            resolved = due = False
        elif _counts(turn, regimes) and resolved:
            due = True
        elif _counts(turn, regimes):
            if current:
                current.append(Event("stopped", turn.at, turn.cause))
            current = _period(turn, max(turn.at, found[0][0].at), metric, regimes)
            found += [current] if current else []
    return found


def _period(turn: Turn, at: datetime, metric: Metric, regimes: Sequence[Regime]) -> list[Event] | None:
    regime = _at(regimes, turn.at)
    terms = sla_policy.terms(regime.policy, metric, regime.priority)
    return [Event("started", at, turn.cause, terms)] if terms else None


def _whole(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> list[list[Event]]:
    """The time to the resolution, from the first message that is owed one."""
    history: list[Event] = []
    resolved = False
    for turn in _since_first(turns, metric, regimes):
        history = history or [_first(turns, metric, regimes)[1]]
        if turn.kind == "resolved" and not resolved:
            resolved = True
            history.append(Event("stopped", turn.at, turn.cause))
        elif turn.kind in {"reopened", "asked"} and resolved:
            resolved = False
            history.append(Event("reopened", turn.at, turn.cause))
    return [history] if history else []


def _first(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> tuple[Turn, Event]:
    """The message that starts the clocks of the whole matter, and their start. There is one: ask `_since_first` before."""
    begun = [(turn, start) for turn in turns if turn.kind == "asked" and (start := _start(turn, metric, regimes))]
    return min(begun, key=lambda one: (one[1].at, one[1].cause))


def _since_first(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> list[Turn]:
    """What happened since the first message that is owed something was said, as we learnt of it."""
    if not any(turn.kind == "asked" and _start(turn, metric, regimes) for turn in turns):
        return []
    said_at = _first(turns, metric, regimes)[0].said_at
    return [turn for turn in _as_learnt(turns) if turn.at >= said_at]


def _pauses(turns: Sequence[Turn], metric: Metric, regimes: Sequence[Regime]) -> list[Event]:
    """The pauses of a conversation as the policy has them for this metric, and what ended each."""
    found: list[Event] = []
    still = False
    for turn in _as_learnt(turns):
        if turn.kind == "answered":
            continue
        now = turn.kind == "paused" and sla_policy.pauses(_at(regimes, turn.at).policy, metric, turn.status)
        if now != still:
            kind: EventKind = "paused" if now else "resumed"
            found.append(Event(kind, turn.at, turn.cause, reason=_REASON.get(turn.status, turn.status) if now else ""))
        still = now
    return found


def _standing(pauses: Sequence[Event], wait: Sequence[Event]) -> list[Event]:
    """What of these concerns an instance: a pause that stands when it begins, and all until nothing can turn it any more."""
    start, ends = wait[0].at, wait[-1].at if wait[-1].kind == "stopped" else None
    before = [one for one in pauses if one.at <= start]
    stands = before[-1:] if before and before[-1].kind == "paused" else []
    return [*stands, *(one for one in pauses if one.at > start and (ends is None or one.at <= ends))]


_REASON = {"pending": "waiting for the customer"}
"""What `explain` says of a status; another says itself."""


def _as_learnt(turns: Sequence[Turn]) -> list[Turn]:
    """What changes a status does so when we learn of it."""
    return sorted(turns, key=lambda turn: (turn.at, _AT_ONE_MOMENT.index(turn.kind), turn.cause))
