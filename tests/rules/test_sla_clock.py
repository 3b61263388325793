"""SLA clocks: golden histories, what is told and when, what is corrected. The laws are in `test_sla_laws.py`."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.rules import duration, sla_clock, sla_joining
from shared.rules.sla_clock import Event, Fact, Terms
from tests.rules.calendars import CALENDARS, DEADLINES, at
from tests.rules.sla_cases import CASES, START, Case, history

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


def test_a_verdict_may_be_corrected_and_stand_again_and_each_time_it_is_told() -> None:
    told: dict[str, Fact] = {}

    def hear(*events: Event, then: str) -> list[tuple[str, datetime]]:
        new = sla_clock.untold(told, [*history(START), *events], moment(then))
        assert not told.keys() & {fact.key for fact in new}
        told.update((fact.key, fact) for fact in new)
        return [(fact.kind, fact.at) for fact in new]

    sent = Event("stopped", moment("23T09:50"), "reply 1")
    undelivered = Event("annulled", moment("23T12:00"), "reply 1")
    other = Event("stopped", moment("23T09:40"), "reply 2")
    assert hear(then="23T11:00") == [("started", moment("23T09:00")), ("breached", moment("23T10:00"))]
    assert hear(then="23T11:01") == []
    assert hear(sent, then="23T11:30") == [("met", moment("23T09:50")), ("corrected", moment("23T11:30"))]
    assert [fact.detail in told for fact in told.values() if fact.kind == "corrected"] == [True]
    assert hear(sent, then="23T11:31") == []
    again = hear(sent, undelivered, then="23T12:00")
    assert sorted(again) == [("breached", moment("23T10:00")), ("corrected", moment("23T12:00"))]
    assert hear(sent, undelivered, then="23T12:01") == []
    assert sorted(hear(sent, undelivered, other, then="23T13:00")) == [
        ("corrected", moment("23T13:00")),
        ("met", moment("23T09:40")),
    ]


def test_three_conversations_that_became_one_after_the_other() -> None:
    """The second merge joins what the first made: the earliest start of all, and its terms."""
    ours = history("23T10:00 start PT8H office", "23T13:00 stop")
    second = [replace(one, cause="second") for one in history("23T09:30 start PT8H office")]
    third = [replace(one, cause="third") for one in history("23T09:00 start PT6H office")]
    two = sla_joining.merged(ours, second, at=moment("23T11:00"), cause="merge 1", last=True)
    three = sla_joining.merged(two, third, at=moment("23T12:00"), cause="merge 2", last=True)
    clock = sla_clock.read(three, moment("23T14:00"))
    assert clock is not None
    assert (clock.state, clock.started_at, clock.stopped_at) == ("met", moment("23T09:00"), moment("23T13:00"))
    assert (clock.elapsed, clock.deadline_at) == (timedelta(hours=4), moment("23T15:00"))


def test_what_was_handed_over_is_answered_in_private() -> None:
    public = history("23T09:00 start PT4H office")
    stays, private = sla_joining.handed_over(public, at=moment("23T10:00"), cause="handover 1")
    clock = sla_clock.read([*private, Event("stopped", moment("23T12:30"), "reply 1")], moment("23T15:00"))
    assert clock is not None
    assert (clock.state, clock.elapsed, clock.deadline_at) == ("met", timedelta(hours=3.5), moment("23T13:00"))
    assert [fact.kind for fact in sla_clock.facts(stays, moment("23T15:00"))] == ["started", "cancelled"]
    told = [{fact.key for fact in sla_clock.facts(one, moment("23T10:00"))} for one in (public, private)]
    assert told[0] == told[1], "what was told in public is not told again"


def test_events_are_checked() -> None:
    with pytest.raises(ValueError, match="carry terms"):
        Event("started", moment("23T09:00"), "x")
    with pytest.raises(ValueError, match="carry terms"):
        Event("paused", moment("23T09:00"), "x", Terms(MINUTE))
    with pytest.raises(ValueError, match="zone"):
        Event("paused", datetime(2026, 11, 23), "x")  # noqa: DTZ001
