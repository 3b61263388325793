"""A conversation's history as promises see it, and what its clocks are by it: under the policies that held, or under others.

Pure functions of the changes that are kept (`conversation_change`), in whatever order they came to light. The live path and a replay of
the past call the same ones, so a replay under what held reproduces what was stored.

| kind | says | detail |
|---|---|---|
| opened, message | the customer wrote | received_at is `at`; published_at, seen; terms, where others hold from here on |
| replied, automatic | the venue took our answer; nobody wrote it | answers: the mention |
| annulled | the answer with this cause was not delivered | |
| status | pending, snoozed, open, resolved | from, to; seen and terms where it was taken up again |
| priority, fields | what policies ask for is another | from, to; seen; terms |
| promised | the policy or its calendar was edited | terms |

`seen` is the conversation as filters saw it then; `terms` what it was put under: {policy_id, policy_version, calendar_id,
calendar_version, priority}, or null where no policy matched; `since` from when, where that is not `at`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from shared.rules import sla_clock, sla_policy, sla_turns
from shared.rules.sla_clock import Event
from shared.rules.sla_policy import Metric, Policy
from shared.rules.sla_turns import Regime, Turn, TurnKind

ChangeKind = Literal[
    "opened", "message", "replied", "automatic", "annulled", "status", "priority", "fields", "promised"
]
ASKED = frozenset({"opened", "message"})
AT_ONCE: tuple[Metric, ...] = ("first_response", "update", "resolution")
"""What a first message begins."""
TICK = timedelta(microseconds=1)
NO_PROMISE = Policy(id="", version=0, position=0, targets=())
"""What a conversation is under that no policy matches: clocks that run keep their terms, and none begins."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a conversation's history. `cause` is unique among those of its kind."""

    kind: ChangeKind
    at: datetime
    cause: str
    detail: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


Version = tuple[str, int, int | None]
"""A policy as it was: (its id, its version, the version of its calendar)."""
Choice = Callable[[Change], tuple[Policy, str] | None]
"""Which policy and priority hold from a change on; None: those that held before."""


def version_of(terms: Mapping[str, Any]) -> Version:
    """Which policy, as it was then, terms name."""
    return terms["policy_id"], int(terms["policy_version"]), terms["calendar_version"]


def as_applied(known: Mapping[Version, Policy]) -> Choice:
    """The policies that held then, each as it was at its version."""

    def choose(change: Change) -> tuple[Policy, str] | None:
        if "terms" not in change.detail:
            return None
        terms = change.detail["terms"]
        return (
            (NO_PROMISE, sla_policy.EVERY_PRIORITY) if terms is None else (known[version_of(terms)], terms["priority"])
        )

    return choose


def under(policies: Sequence[Policy]) -> Choice:
    """Other policies: the first whose filter matches the conversation as filters saw it then."""

    def choose(change: Change) -> tuple[Policy, str] | None:
        seen = change.detail.get("seen")
        if seen is None:
            return None
        return sla_policy.choose(policies, seen) or NO_PROMISE, str(seen.get("priority"))

    return choose


def histories(changes: Iterable[Change], choice: Choice) -> dict[Metric, list[tuple[Event, ...]]]:
    """The events of every clock that the conversation has, by metric. Nothing before it was opened is known: then there are none."""
    known = list(changes)
    held = regimes(known, choice)
    if not held or all(regime.policy is NO_PROMISE for regime in held):
        return {}
    if len(known) == 1:
        return just_opened(known[0], held[0])
    said = turns(known)
    found = {metric: sla_turns.histories(said, metric, held) for metric in sla_policy.METRICS}
    return {metric: [_left_alone(one) for one in many] for metric, many in found.items() if many}


def just_opened(change: Change, regime: Regime) -> dict[Metric, list[tuple[Event, ...]]]:
    """What a first message makes, which nearly all do: the same as the whole rules make of it, in much less time."""
    published = datetime.fromisoformat(change.detail["published_at"])
    at = sla_policy.starts(regime.policy, received_at=change.at, published_at=published)
    if at is None:
        return {}
    made = ((metric, sla_policy.terms(regime.policy, metric, regime.priority)) for metric in AT_ONCE)
    return {metric: [(Event("started", at, change.cause, terms),)] for metric, terms in made if terms is not None}


def turns(changes: Iterable[Change]) -> list[Turn]:
    """What was said and done. What was not delivered was not said; an answer comes after what it answers, also where a clock was set
    back in between."""
    known = list(changes)
    annulled = {change.cause for change in known if change.kind == "annulled"}
    asked = {change.cause: change.at for change in known if change.kind in ASKED}
    found = []
    for change in known:
        if change.kind in ASKED:
            published = datetime.fromisoformat(change.detail["published_at"])
            found.append(Turn("asked", change.at, change.cause, published_at=published))
        elif change.kind in {"replied", "automatic"} and change.cause not in annulled:
            at = max(change.at, asked.get(str(change.detail.get("answers")), change.at))
            found.append(Turn("answered", at, change.cause, automatic=change.kind == "automatic"))
        elif change.kind == "status":
            former, now = change.detail["from"], change.detail["to"]
            kind: TurnKind = "resolved" if now == "resolved" else "paused"
            if now == "open":
                kind = "reopened" if former == "resolved" else "resumed"
            found.append(Turn(kind, change.at, change.cause, status=now if kind == "paused" else ""))
    return found


def regimes(changes: Iterable[Change], choice: Choice) -> list[Regime]:
    """What the conversation was under, from when on: one for each time that it was put under something else."""
    held: list[Regime] = []
    for change in sorted(changes, key=lambda one: (since(one), one.cause)):
        chosen = choice(change)
        if chosen is not None and (not held or chosen != (held[-1].policy, held[-1].priority)):
            held.append(Regime(since(change), f"{change.kind}:{change.cause}", *chosen))
    return held


def since(change: Change) -> datetime:
    """From when on what was chosen at a change holds."""
    given = change.detail.get("since")
    return change.at if given is None else datetime.fromisoformat(given)


def waiting_since(changes: Iterable[Change]) -> datetime | None:
    """When the oldest message came that no person has answered; None where all are."""
    waits: datetime | None = None
    order = ("asked", "answered")
    said = [turn for turn in turns(changes) if turn.kind in order]
    for turn in sorted(said, key=lambda one: (one.said_at, order.index(one.kind), one.cause)):
        if turn.kind == "asked":
            waits = waits or turn.at
        elif not turn.automatic:
            waits = None
    return waits


def first_answer(changes: Iterable[Change]) -> datetime | None:
    """When a person first answered; None: never."""
    return min((turn.at for turn in turns(changes) if turn.kind == "answered" and not turn.automatic), default=None)


def next_moment(changes: Iterable[Change], now: datetime) -> datetime:
    """When something that we do now happens: now, and after all that happened, also where the wall clock was set back."""
    latest = max((max(change.at, since(change)) for change in changes), default=None)
    return now if latest is None or latest < now else latest + TICK


def _left_alone(history: tuple[Event, ...]) -> tuple[Event, ...]:
    """A history without terms that came when its clock had stopped: they are none of its business unless it runs again."""
    ended: datetime | None = None
    for event in sla_clock.in_order(history):
        if event.kind == "stopped":
            ended = event.at if ended is None else ended
        elif event.kind == "reopened":
            ended = None
    if ended is None:
        return history
    return tuple(event for event in history if event.kind != "reapplied" or event.at <= ended)
