"""What would have become of promises under other policies: verdicts of replayed histories beside those that stand. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.rules import sla_clock, sla_history, sla_policy
from shared.rules.sla_history import Change, Choice
from shared.rules.sla_policy import Metric

Settled = Literal["met", "breached", "open"]
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a clock stands at a moment. `breached_at` is the deadline that was missed, `deadline_at` of one that has been answered or
    still runs the one that it has or had; one that is paused has none."""

    started_at: datetime
    settled: Settled
    breached_at: datetime | None
    deadline_at: datetime | None
    stopped_at: datetime | None
    elapsed_s: float | None


Verdicts = Mapping[Metric, Sequence[Verdict]]


def replayed(changes: Iterable[Change], choice: Choice, at: datetime) -> dict[Metric, list[Verdict]]:
    """The verdicts on a conversation by its history, at a moment, the earliest start of each metric first."""
    found: dict[Metric, list[Verdict]] = {}
    for metric, many in sla_history.histories(changes, choice).items():
        for events in many:
            clock = sla_clock.read(events, max([at, *(event.at for event in events)]))
            if clock is None or clock.state == "cancelled":
                continue
            settled: Settled = "met" if clock.stopped_at else "open"
            verdict = Verdict(
                clock.started_at, "breached" if clock.breached_at else settled, clock.breached_at, clock.deadline_at,
                clock.stopped_at, clock.elapsed.total_seconds() if clock.stopped_at else None,
            )  # fmt: skip
            found.setdefault(metric, []).append(verdict)
    return {metric: sorted(many, key=lambda one: one.started_at) for metric, many in found.items()}


@dataclass(slots=True)
class _Count:
    clocks: int = 0
    stored: dict[str, int] = field(default_factory=lambda: {"met": 0, "breached": 0})
    proposed: dict[str, int] = field(default_factory=lambda: {"met": 0, "breached": 0})
    changed: int = 0


@dataclass(slots=True)
class Outcome:
    """What a replay found, summed up over conversations. `stored` is how many verdicts stand, `reproduced` how many of them the policies
    that held reproduce exactly: all, or something is wrong."""

    looked_at: int = 0
    stored: int = 0
    reproduced: int = 0
    metrics: dict[Metric, _Count] = field(default_factory=dict)
    samples: list[tuple[str, Verdicts, Verdicts]] = field(default_factory=list)

    def add(self, name: str, stands: Verdicts, held: Verdicts, proposed: Verdicts) -> None:
        """Counts a conversation: the verdicts that stand, those of what held, and those of what is proposed."""
        self.looked_at += 1
        differs = False
        for metric in sla_policy.METRICS:
            ours, theirs, again = stands.get(metric, ()), proposed.get(metric, ()), held.get(metric, ())
            if not (ours or theirs or again):
                continue
            count = self.metrics.setdefault(metric, _Count())
            self.stored += len(ours)
            self.reproduced += (
                sum(one == other for one, other in zip(ours, again, strict=False)) if len(ours) == len(again) else 0
            )
            count.clocks += len(theirs)
            for one, into in [*((one, count.stored) for one in ours), *((one, count.proposed) for one in theirs)]:
                if one.settled != "open":
                    into[one.settled] += 1
            pairs = max(len(ours), len(theirs))
            same = sum(one.settled == other.settled for one, other in zip(ours, theirs, strict=False))
            count.changed += pairs - same
            differs = differs or pairs > same
        if differs and len(self.samples) < SAMPLES:
            self.samples.append((name, stands, proposed))
