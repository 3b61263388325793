"""What holds for every SLA clock, on random histories: a few hundred in `make test`, 10,000 for each law in `make laws`.

| law | says |
|---|---|
| the walk | a naive clock that walks through every minute (`naive_clock.py`) agrees: state, time used, deadline, breach, warnings |
| the account | `explain` is disjoint, covers start to now, its counted intervals sum to the time used; facts and reading agree |
| arrival | the order in which events arrive, and hearing of one twice, changes nothing |
| polling | a watcher that looks every second, 5 minutes, hour, or slept for 6 hours, tells the same facts with the same moments |
| late events | what a late event contradicts is corrected, and what stands then is what a clock that knew all along says |
| merging | a merged clock is what two clocks walked side by side say; undoing the merge gives each its own back |
| turns | waits and periods, derived from what was said, cover just the minutes in which somebody waited or a matter was open |
"""

import os
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.rules import sla_clock, sla_joining, sla_turns
from shared.rules.sla_clock import Clock, Event, EventKind, Fact, Mark, Terms
from shared.rules.sla_policy import Policy, Target
from shared.rules.sla_turns import Regime, Turn
from tests.rules import naive_clock
from tests.rules.naive_clock import CALENDARS, MINUTE, WINDOWS, Walked

EXAMPLES = int(os.environ.get("WEBCARE_LAWS", "0"))


def law(few: int) -> settings:
    """So many examples in `make test`; in `make laws` as many as it says."""
    return settings(
        max_examples=EXAMPLES or few, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )


LONGEST = 7 * 1440
MINUTES = st.one_of(st.integers(0, LONGEST), st.integers(0, 28).map(lambda n: n * 360))
KINDS = (
    "paused",
    "resumed",
    "stopped",
    "reopened",
    "paused",
    "resumed",
    "reapplied",
    "started",
    "cancelled",
    "annulled",
)


def happening(number: int) -> tuple[str, int, int]:
    """A kind, a minute (often one where others meet), and a number to make terms of: one draw is faster than three."""
    number, kind = divmod(number, len(KINDS))
    number, meets = divmod(number, 3)
    number, minute = divmod(number, LONGEST + 1)
    return KINDS[kind], minute if meets else minute // 360 * 360, number


HAPPENINGS = st.lists(st.integers(0, len(KINDS) * 3 * (LONGEST + 1) * 1_000 - 1), max_size=9).map(
    lambda numbers: [happening(number) for number in numbers]
)


def some_terms(number: int) -> Terms:
    """Terms out of a number: calendar, target, warnings, version of the policy."""
    chance = random.Random(number)
    within = chance.choice([1, 30, 60, 120, chance.randrange(1, 2_000)])
    used = sorted({chance.randrange(1, within) for _ in range(chance.randrange(3))} if within > 1 else ())
    return Terms(
        within=within * MINUTE,
        calendar=chance.choice(CALENDARS),
        marks=tuple(Mark(f"m{n}", n * MINUTE) for n in used),
        policy_id="p",
        policy_version=chance.randrange(1, 4),
    )


def a_history(window: datetime, begin: int, happenings: Sequence[tuple[str, int, int]], name: str = "") -> list[Event]:
    made = [Event("started", window + begin * MINUTE, f"{name}first", some_terms(begin))]
    for n, (kind, minute, number) in enumerate(happenings):
        terms = some_terms(number) if kind in {"started", "reapplied"} else None
        # What is annulled is something that happened; not the start, or there would be no clock at all.
        cause = f"{name}{number % max(n, 1)}" if kind == "annulled" else f"{name}{n}"
        made.append(Event(kind, window + minute * MINUTE, cause, terms))  # type: ignore[arg-type]
    return made


def minutes(window: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else (moment - window) / MINUTE


def agree(clock: Clock | None, walked: Walked | None, window: datetime) -> None:
    assert (clock is None) == (walked is None)
    if clock is None or walked is None:
        return
    assert (clock.state, clock.elapsed) == (walked.state, walked.used * MINUTE)
    assert minutes(window, clock.breached_at) == walked.breached_at
    assert minutes(window, clock.stopped_at) == walked.stopped_at
    assert [minutes(window, moment) for _, moment in clock.warned] == sorted(walked.warned.values())
    if clock.state == "running" and walked.deadline is not None:
        assert minutes(window, clock.deadline_at) == walked.deadline
    if clock.state == "running" and walked.deadline is None:
        assert clock.deadline_at is not None
        assert clock.deadline_at > window + naive_clock.WALK * MINUTE


@law(120)
@given(st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, MINUTES)
def test_the_walk(window: datetime, begin: int, happenings: list[tuple[str, int, int]], then: int) -> None:
    made = a_history(window, begin, happenings)
    agree(sla_clock.read(made, window + then * MINUTE), naive_clock.walk(made, window, then), window)


@law(120)
@given(st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, st.integers(0, LONGEST * 60_000_000))
def test_the_account(window: datetime, begin: int, happenings: list[tuple[str, int, int]], microseconds: int) -> None:
    made, then = a_history(window, begin, happenings), window + timedelta(microseconds=microseconds)
    clock, shown = sla_clock.read(made, then), sla_clock.explain(made, then)
    if clock is None or clock.started_at == then:
        assert shown == []
        return
    assert (shown[0].start, shown[-1].end) == (clock.started_at, then)
    assert all(one.end == other.start for one, other in pairwise(shown))
    assert all(one.start < one.end and one.reason for one in shown)
    assert sum((one.end - one.start for one in shown if one.counted), timedelta(0)) == clock.elapsed
    told = sla_clock.facts(made, then)
    assert [fact.at for fact in told if fact.kind == "breached"] == ([clock.breached_at] if clock.breached_at else [])
    assert sorted(fact.at for fact in told if fact.kind == "warning") == [moment for _, moment in clock.warned]
    if clock.state == "met":
        assert [fact.at for fact in told if fact.kind == "met"][-1] == clock.stopped_at
    if clock.state == "running":
        assert clock.deadline_at is not None
        assert clock.next_at is not None
        assert then <= clock.next_at <= clock.deadline_at


@law(120)
@given(st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, MINUTES, st.integers(0, 10**9))
def test_arrival(window: datetime, begin: int, happenings: list[tuple[str, int, int]], then: int, seed: int) -> None:
    made, at = a_history(window, begin, happenings), window + then * MINUTE
    chance = random.Random(seed)
    arrived = [*made, *chance.sample(made, len(made) // 2)]
    chance.shuffle(arrived)
    assert sla_clock.read(arrived, at) == sla_clock.read(made, at)
    assert sla_clock.facts(arrived, at) == sla_clock.facts(made, at)
    assert sla_clock.explain(arrived, at) == sla_clock.explain(made, at)


LATE = st.integers(0, 2**110 - 1).map(lambda number: [number >> 11 * n & 2047 for n in range(10)])


class Watcher:
    """Tells facts once, and notes when; looks at the first tick of its own after something is due or has happened."""

    def __init__(self, window: datetime, period: int, asleep: tuple[int, int] = (0, 0)) -> None:
        self.window, self.period = window, timedelta(seconds=period)
        self.asleep = tuple(window + MINUTE * one for one in asleep)
        self.told: dict[str, tuple[Fact, datetime]] = {}

    def tick(self, due: datetime) -> datetime:
        after = self.window + -((self.window - due) // self.period) * self.period
        return self.asleep[1] if self.asleep[0] <= after < self.asleep[1] else after

    def look(self, known: list[Event], now: datetime) -> None:
        for fact in sla_clock.untold(self.told, known, now):
            assert fact.key not in self.told
            self.told[fact.key] = fact, now

    def watch(self, made: list[Event], recorded: list[datetime], end: datetime) -> None:
        """Goes by `next_at` alone, as it was stored at the last look; an event is looked at when it is recorded."""
        arrivals = sorted(set(recorded))
        now = min(arrivals)
        while now < end:
            known = [event for event, at in zip(made, recorded, strict=True) if at <= now]
            self.look(known, now)
            clock = sla_clock.read(known, now)
            # A watermark lies strictly behind the deadline: exactly on it nothing is late yet.
            due = [self.tick(clock.next_at + timedelta(microseconds=1))] if clock and clock.next_at else []
            now = min([*(at for at in arrivals if at > now), *due, end])
        self.look(made, end)

    def verdicts(self) -> set[str]:
        """Those that were told and not corrected since: a breach is known by its deadline, a kept promise by the answer."""
        return {
            key.partition("#")[0]
            for key, (fact, _) in self.told.items()
            if fact.kind in {"breached", "met"} and f"corrected:{key}" not in self.told
        }


def watchers(window: datetime, nap: int) -> list[Watcher]:
    return [
        Watcher(window, 1), Watcher(window, 300), Watcher(window, 3_600), Watcher(window, 1, asleep=(nap, nap + 360)),
    ]  # fmt: skip


@law(80)
@given(st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, st.integers(0, LONGEST))
def test_polling(window: datetime, begin: int, happenings: list[tuple[str, int, int]], nap: int) -> None:
    made = [one for one in a_history(window, begin, happenings) if one.kind != "annulled"]
    # Nobody hears of what happened before the message did.
    recorded = [max(one.at, made[0].at) for one in made if one.kind != "started" or one.cause == "first"]
    made = [one for one in made if one.kind != "started" or one.cause == "first"]
    end = window + timedelta(days=9)
    wanted = sla_clock.facts(made, end)
    assert len({fact.key for fact in wanted}) == len(wanted)
    assert all(one.at <= other.at for one, other in pairwise(wanted))
    for watcher in watchers(window, nap):
        watcher.watch(made, recorded, end)
        assert {fact for fact, _ in watcher.told.values()} == set(wanted)
        slowest = watcher.period + timedelta(hours=6 * (watcher.asleep[0] < watcher.asleep[1]), microseconds=1)
        for fact, noticed in watcher.told.values():
            assert fact.at <= noticed <= max(fact.at, recorded[0]) + slowest


@law(80)
@given(
    st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, LATE,
    st.integers(0, LONGEST),
)  # fmt: skip
def test_late_events(
    window: datetime, begin: int, happenings: list[tuple[str, int, int]], late: list[int], nap: int
) -> None:
    """Each event is heard of some time after it happened, the start included."""
    made = a_history(window, begin, happenings)
    recorded = [one.at + MINUTE * (by if by % 2 else 0) for one, by in zip(made, late, strict=False)]
    end = window + timedelta(days=9)
    verdicts = {fact.key for fact in sla_clock.facts(made, end) if fact.kind in {"breached", "met"}}
    for watcher in watchers(window, nap):
        watcher.watch(made, recorded, end)
        assert watcher.verdicts() == verdicts


@law(80)
@given(
    st.sampled_from(WINDOWS), MINUTES, HAPPENINGS, MINUTES, HAPPENINGS, MINUTES, st.booleans(), MINUTES,
)  # fmt: skip
def test_merging(
    window: datetime,
    begin: int,
    happenings: list[tuple[str, int, int]],
    other_begin: int,
    others: list[tuple[str, int, int]],
    merge: int,
    last: bool,
    then: int,
) -> None:
    at = window + merge * MINUTE
    plain = [one for one in happenings if one[0] not in {"cancelled", "annulled", "started"}]
    ours = a_history(window, begin, plain, "ours ")
    theirs = a_history(
        window, other_begin, [one for one in others if one[0] not in {"cancelled", "annulled", "started"}], "theirs "
    )
    theirs = [one for one in theirs if one.at < at or one.kind == "started"]
    since = [one for one in ours if one.at >= at and one.kind not in {"started", "reapplied"}]
    ended = [*theirs, Event("cancelled", at, "merge", reason="merged")]
    one = sla_joining.merged(ours, ended, at=at, cause="merge", last=last)
    agree(
        sla_clock.read(one, window + then * MINUTE), side_by_side(ours, theirs, since, window, then, at, last), window
    )

    mine, back = sla_joining.split(ours, ended, at=at, cause="merge")
    assert set(mine) == set(ours)
    assert set(back) == {*theirs, *since}
    mine, back = sla_joining.split(ours, ended, at=at, cause="merge", only_ours={event.cause for event in since})
    assert (set(mine), set(back)) == (set(ours), set(theirs))


def side_by_side(
    ours: list[Event], theirs: list[Event], since: list[Event], window: datetime, until: int, at: datetime, last: bool
) -> Walked | None:
    """Two phases walked minute by minute, and one clock that runs while either does."""
    parts = [sorted(ours, key=_order), sorted([*theirs, *since], key=_order)]
    begins = [min(one.at for one in part if one.kind == "started") for part in parts]
    elder = 0 if begins[0] <= begins[1] else 1
    terms = [one for one in parts[elder] if one.kind == "reapplied" and one.at < at]
    terms += [one for one in ours if one.kind == "reapplied" and one.at >= at]
    made = [next(one for one in parts[elder] if one.kind == "started"), *terms]
    phases, before = ["", ""], ""
    # Phases only turn where something happens.
    for now in sorted({*begins, *(max(one.at, begins[n]) for n, part in enumerate(parts) for one in part)}):
        if now > window + until * MINUTE:
            break
        for n, part in enumerate(parts):
            if now < begins[n]:
                continue
            phases[n] = phases[n] or "running"
            while part and part[0].at <= now:
                phases[n] = naive_clock.TURNS.get((part.pop(0).kind, phases[n]), phases[n])
        together = "stopped" if "stopped" in phases and not last else ""
        together = together or next(one for one in ("running", "paused", "stopped") if one in phases)
        made += [Event(kind, now, now.isoformat()) for kind in _steps(before, together)]
        before = together
    return naive_clock.walk(made, window, until)


def _order(event: Event) -> tuple[datetime, int, str]:
    return event.at, naive_clock.ORDER.index(event.kind), event.cause


def _steps(before: str, after: str) -> list[EventKind]:
    if before == after:
        return []
    again: list[EventKind] = ["reopened"] if before == "stopped" else []
    if after == "running":
        return again or (["resumed"] if before == "paused" else [])
    return [*again, "paused"] if after == "paused" else ["stopped"]


TURNS = st.lists(
    st.tuples(
        st.sampled_from(("asked", "answered", "asked", "answered", "resolved", "reopened")), st.integers(0, LONGEST)
    ),
    min_size=1, max_size=10,
)  # fmt: skip
POLICY = Policy(
    "p", 1, 1, tuple(Target(m, "*", MINUTE * 90) for m in ("first_response", "next_response", "update", "resolution"))
)


@law(100)
@given(st.sampled_from(WINDOWS), TURNS, st.integers(0, LONGEST), st.integers(0, 10**9))
def test_turns(window: datetime, said: list[tuple[str, int]], then: int, seed: int) -> None:
    said = list({minute: (kind, minute) for kind, minute in said}.values())  # one thing at a time
    turns = [Turn(kind, window + minute * MINUTE, f"{minute}") for kind, minute in said]  # type: ignore[arg-type]
    at, regimes = window + then * MINUTE, [Regime(window, "r", POLICY)]
    shuffled = random.Random(seed).sample(turns, len(turns))

    def total(*metrics: str) -> timedelta:
        found = timedelta(0)
        for metric in metrics:
            made = sla_turns.histories(turns, metric, regimes)  # type: ignore[arg-type]
            assert made == sla_turns.histories(shuffled, metric, regimes)  # type: ignore[arg-type]
            assert metric in {"next_response", "update"} or len(made) <= 1
            clocks = [clock for history in made if (clock := sla_clock.read(history, at))]
            assert all(
                one.stopped_at is not None and one.stopped_at <= other.started_at for one, other in pairwise(clocks)
            )
            found += sum((clock.elapsed for clock in clocks), timedelta(0))
        return found

    waiting = is_open = asked = False
    waited = opened = 0
    happened = {minute: kind for kind, minute in said}
    for minute in range(then):
        match happened.get(minute):
            case "asked":
                asked = waiting = is_open = True
            case "answered":
                waiting = False
            case "resolved":
                is_open = False
            case "reopened":
                is_open = asked
        waited, opened = waited + waiting, opened + is_open
    assert total("first_response", "next_response") == waited * MINUTE
    assert total("resolution") == opened * MINUTE
    assert total("update") == opened * MINUTE
