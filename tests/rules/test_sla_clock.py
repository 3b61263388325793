"""SLA clocks: golden histories, a naive clock that ticks every minute, and the laws of the fold."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules import duration, sla_clock
from shared.rules.business_hours import Calendar
from shared.rules.sla_clock import Event, EventKind, Fact, Mark, Terms
from tests.rules.calendars import CALENDARS, DEADLINES, at
from tests.rules.sla_cases import CASES, START, Case, history
from tests.rules.test_business_hours import naive_is_open

MINUTE = timedelta(minutes=1)


def nov(written: str | None) -> datetime | None:
    return None if written is None else at(f"2026-11-{written}+01:00")


def moment(written: str) -> datetime:
    return at(f"2026-11-{written}+01:00")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.shows)
def test_golden_histories(case: Case) -> None:
    clock = sla_clock.read(history(*case.lines), moment(case.then))
    assert clock is not None
    assert (clock.state, duration.write(clock.elapsed)) == (case.state, case.elapsed)
    assert (clock.deadline_at, clock.breached_at) == (nov(case.deadline), nov(case.breached))


@pytest.mark.parametrize(
    ("calendar", "start", "target", "deadline"), [c[1:] for c in DEADLINES], ids=[c[0] for c in DEADLINES]
)
def test_golden_deadlines(calendar: str, start: str, target: str, deadline: str) -> None:
    started = Event("started", at(start), "m", Terms(duration.parse(target), CALENDARS[calendar]))
    due = at(deadline)

    def state(*more: Event, then: datetime) -> str | None:
        clock = sla_clock.read([started, *more], then)
        assert clock is not None
        assert clock.deadline_at == due
        return clock.state

    late = due + timedelta(microseconds=1)
    assert state(then=at(start)) == "running"
    assert state(then=due) == "running"
    assert state(then=late) == "breached"
    assert state(Event("stopped", due, "r"), then=late) == "met"
    assert state(Event("stopped", late, "r"), then=late) == "breached"


def test_nothing_before_the_start() -> None:
    assert sla_clock.read(history(START), moment("23T08:59")) is None
    assert sla_clock.explain(history(START), moment("23T08:59")) == []
    assert sla_clock.facts(history(START), moment("23T08:59")) == []
    assert sla_clock.read([], moment("23T08:59")) is None


def test_explains_every_stretch() -> None:
    events = history(
        "20T16:30 start PT2H office", "23T09:30 pause", "23T10:00 resume", "23T10:15 stop", "23T11:00 reopen"
    )
    shown = sla_clock.explain(events, moment("23T11:30"))
    assert [(one.end, one.counted, one.reason) for one in shown] == [
        (moment("20T17:00"), True, "inside opening hours"),
        (moment("23T09:00"), False, "outside opening hours"),
        (moment("23T09:30"), True, "inside opening hours"),
        (moment("23T10:00"), False, "paused: waiting for the customer"),
        (moment("23T10:15"), True, "inside opening hours"),
        (moment("23T11:00"), False, "stopped"),
        (moment("23T11:30"), True, "inside opening hours"),
    ]


def keys(facts: list[Fact]) -> list[tuple[str, datetime]]:
    return [(fact.kind, fact.at) for fact in facts]


def test_facts_tell_the_story_once_and_in_order() -> None:
    events = history(
        "23T09:00 start PT1H office 0.5=PT30M PT10M=PT50M",
        "23T09:40 pause", "23T10:00 resume", "23T10:25 stop", "24T09:00 reopen", "24T09:05 stop",
    )  # fmt: skip
    assert keys(sla_clock.facts(events, moment("25T00:00"))) == [
        ("started", moment("23T09:00")),
        ("warning", moment("23T09:30")),
        ("paused", moment("23T09:40")),
        ("resumed", moment("23T10:00")),
        ("warning", moment("23T10:10")),
        ("breached", moment("23T10:20")),
        ("resumed", moment("24T09:00")),
    ]


def test_met_is_told_at_each_stop() -> None:
    events = history(START, "23T09:30 stop", "23T10:00 reopen", "23T10:10 stop")
    assert keys(sla_clock.facts(events, moment("25T00:00")))[1:] == [
        ("met", moment("23T09:30")),
        ("resumed", moment("23T10:00")),
        ("met", moment("23T10:10")),
    ]
    told = sla_clock.facts(events, moment("25T00:00"))
    assert len({fact.key for fact in told}) == len(told)


def test_a_new_version_of_the_policy_warns_anew_and_the_same_does_not() -> None:
    lines = ("23T09:00 start PT1H office 0.5=PT30M", "23T09:40 reapply PT2H office 0.5=PT1H{}")
    again = history(lines[0], lines[1].format(""))
    anew = history(lines[0], lines[1].format(" v2"))
    assert [kind for kind, _ in keys(sla_clock.facts(again, moment("23T10:30")))] == ["started", "warning"]
    assert keys(sla_clock.facts(anew, moment("23T10:30")))[1:] == [
        ("warning", moment("23T09:30")),
        ("warning", moment("23T10:00")),
    ]


def test_next_is_the_nearest_warning_then_the_deadline_then_nothing() -> None:
    events = history("23T09:00 start PT1H office 0.5=PT30M PT10M=PT50M")
    due = [sla_clock.read(events, moment(then)) for then in ("23T09:00", "23T09:30", "23T09:55", "23T10:01")]
    assert [clock and clock.next_at for clock in due] == [
        moment("23T09:30"),
        moment("23T09:50"),
        moment("23T10:00"),
        None,
    ]
    assert due[1] is not None
    assert due[1].warned == (("0.5", moment("23T09:30")),)
    paused = sla_clock.read([*events, *history("23T09:10 pause")], moment("23T09:20"))
    assert paused is not None
    assert paused.next_at is None


def test_a_reply_settled_later_corrects_the_breach() -> None:
    events = history(START)
    told = [fact.key for fact in sla_clock.facts(events, moment("23T11:00"))]
    assert sla_clock.corrected(told, events, moment("23T11:00")) == []
    settled = [*events, Event("stopped", moment("23T09:50"), "unknown reply, sent after all")]
    (key,) = sla_clock.corrected(told, settled, moment("23T12:00"))
    assert key.startswith("breached:")
    clock = sla_clock.read(settled, moment("23T12:00"))
    assert clock is not None
    assert (clock.state, clock.stopped_at) == ("met", moment("23T09:50"))


def test_merged_conversations_have_one_clock_from_the_earliest_start() -> None:
    elder = [Event("started", moment("23T09:00"), "a", Terms(timedelta(hours=2), None))]
    younger = [
        Event("started", moment("23T10:00"), "b", Terms(timedelta(hours=1), None)),
        Event("stopped", moment("23T10:30"), "c"),
    ]
    clock = sla_clock.read(sla_clock.merged(younger, elder, elder), moment("23T12:00"))
    assert clock is not None
    assert (clock.started_at, clock.state, clock.elapsed) == (moment("23T09:00"), "met", timedelta(minutes=90))


def test_events_are_checked() -> None:
    with pytest.raises(ValueError, match="carry terms"):
        Event("started", moment("23T09:00"), "x")
    with pytest.raises(ValueError, match="carry terms"):
        Event("paused", moment("23T09:00"), "x", Terms(MINUTE))
    with pytest.raises(ValueError, match="zone"):
        Event("paused", datetime(2026, 11, 23), "x")  # noqa: DTZ001


# ------------------------------------------------ a second implementation, slow and simple

ORDER = ["started", "reapplied", "reopened", "paused", "resumed", "stopped", "cancelled"]


@lru_cache(maxsize=200_000)
def is_open(calendar: Calendar | None, minute: datetime) -> bool:
    return calendar is None or naive_is_open(calendar, minute)


@dataclass
class Ticking:
    """How the naive clock stands: it walks through every minute and looks."""

    phase: str = "running"
    used: int = 0
    breached_at: datetime | None = None


def tick(events: list[Event], until: datetime) -> Ticking | None:
    known = sorted((e for e in events if e.at <= until), key=lambda e: (e.at, ORDER.index(e.kind), e.cause))
    starts = [e for e in known if e.kind == "started"]
    if not starts or starts[0].terms is None:
        return None
    now, terms, clock = starts[0].at, starts[0].terms, Ticking()
    waiting = [e for e in known if e.kind != "started"]
    while True:
        while waiting and waiting[0].at <= now:
            event = waiting.pop(0)
            turns = {
                ("reopened", "stopped"): "running",
                ("paused", "running"): "paused",
                ("resumed", "paused"): "running",
                ("stopped", "running"): "stopped",
                ("stopped", "paused"): "stopped",
                ("cancelled", "running"): "cancelled",
                ("cancelled", "paused"): "cancelled",
            }
            if event.terms and clock.phase != "cancelled":
                terms = event.terms
            clock.phase = turns.get((event.kind, clock.phase), clock.phase)
        if now == until:
            return clock
        if clock.phase == "running":
            if clock.breached_at is None and clock.used >= terms.within // MINUTE:
                clock.breached_at = now
            clock.used += is_open(terms.calendar, now)
        now += MINUTE


BEGIN = datetime(2026, 3, 27, 8, tzinfo=UTC)  # the Friday before the clocks of Europe jump
MINUTES = st.one_of(st.integers(0, 3 * 1440), st.integers(0, 8).map(lambda n: n * 60))
TERMS = st.builds(
    Terms,
    within=st.one_of(st.integers(1, 600), st.sampled_from([60, 120])).map(lambda n: MINUTE * n),
    calendar=st.sampled_from(
        [CALENDARS[name] for name in ("none", "office", "lunch", "night", "two to three", "sunday")]
    ),
    marks=st.lists(st.integers(1, 300), max_size=2, unique=True).map(
        lambda used: tuple(Mark(f"m{n}", MINUTE * n) for n in used)
    ),
    policy_version=st.integers(1, 3),
)


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    made = [Event("started", BEGIN + MINUTE * draw(MINUTES), "first", draw(TERMS))]
    for number in range(draw(st.integers(0, 9))):
        kind: EventKind = draw(
            st.sampled_from(("paused", "resumed", "stopped", "reopened", "reapplied", "cancelled", "started"))
        )
        terms = draw(TERMS) if kind in {"started", "reapplied"} else None
        made.append(Event(kind, BEGIN + MINUTE * draw(MINUTES), f"{number}", terms))
    return made


@settings(max_examples=150, deadline=None)
@given(events(), st.integers(0, 4 * 1440))
def test_agrees_with_a_clock_that_ticks(made: list[Event], minutes: int) -> None:
    then = BEGIN + MINUTE * minutes
    clock, ticking = sla_clock.read(made, then), tick(made, then)
    assert (clock is None) == (ticking is None)
    if clock is None or ticking is None:
        return
    assert clock.elapsed == MINUTE * ticking.used
    assert clock.breached_at == ticking.breached_at
    wanted = "breached" if ticking.breached_at and ticking.phase != "cancelled" else ticking.phase
    assert clock.state == ("met" if wanted == "stopped" else wanted)


@settings(max_examples=200, deadline=None)
@given(events(), MINUTES, st.randoms(use_true_random=False))
def test_laws(made: list[Event], minutes: int, chance: random.Random) -> None:
    then = BEGIN + MINUTE * minutes
    clock = sla_clock.read(made, then)

    shuffled = [*made, *chance.sample(made, len(made) // 2)]
    chance.shuffle(shuffled)
    assert sla_clock.read(shuffled, then) == clock
    assert sla_clock.facts(shuffled, then) == sla_clock.facts(made, then)

    shown = sla_clock.explain(made, then)
    if clock is None:
        assert shown == []
        return
    if clock.started_at < then:
        assert shown[0].start == clock.started_at
        assert shown[-1].end == then
    assert all(one.end == other.start for one, other in pairwise(shown))
    assert sum((one.end - one.start for one in shown if one.counted), timedelta(0)) == clock.elapsed
    if clock.state == "running":
        assert clock.deadline_at is not None
        assert clock.deadline_at >= then
        assert clock.next_at is not None
        assert then <= clock.next_at <= clock.deadline_at


@settings(max_examples=60, deadline=None)
@given(events(), st.lists(st.integers(0, 5 * 1440 * 60), max_size=12))
def test_polling_changes_nothing(made: list[Event], seconds: list[int]) -> None:
    """However often and when one looks, all that was told stays true, and in the end the same has been told."""
    end = BEGIN + timedelta(days=5)
    told: dict[str, Fact] = {}
    for second in sorted(seconds):
        now = sla_clock.facts(made, BEGIN + timedelta(seconds=second))
        assert all(now[i].at <= now[i + 1].at for i in range(len(now) - 1))
        assert set(told) <= {fact.key for fact in now}
        told |= {fact.key: fact for fact in now}
    everything = sla_clock.facts(made, end)
    assert set(told.values()) <= set(everything)
    assert len({fact.key for fact in everything}) == len(everything)
    assert sla_clock.corrected(list(told), made, end) == []


@settings(max_examples=60, deadline=None)
@given(events(), st.integers(0, 5 * 1440))
def test_facts_and_reading_agree(made: list[Event], minutes: int) -> None:
    then = BEGIN + MINUTE * minutes
    clock, facts = sla_clock.read(made, then), sla_clock.facts(made, then)
    if clock is None:
        return
    assert [fact.at for fact in facts if fact.kind == "breached"] == ([clock.breached_at] if clock.breached_at else [])
    assert sorted(fact.at for fact in facts if fact.kind == "warning") == [at for _, at in clock.warned]
    if clock.state == "met":
        assert [fact.at for fact in facts if fact.kind == "met"][-1] == clock.stopped_at
