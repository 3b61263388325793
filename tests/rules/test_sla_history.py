"""A conversation's history as promises see it: the order in which it came to light does not matter, nor who asks."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.rules import filter as filters
from shared.rules import sla_clock, sla_history, sla_turns, sla_what_if
from shared.rules.sla_history import Change
from shared.rules.sla_policy import METRICS, Policy, Target

START = datetime.fromisoformat("2026-11-23T09:00:00+00:00")
HOUR = timedelta(hours=1)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def asked(minutes: float, cause: str, kind: Any = "message", priority: str = "normal", **more: Any) -> Change:
    seen = {"priority": priority, "author": {}}
    return Change(kind, at(minutes), cause, {"published_at": at(minutes).isoformat(), "seen": seen, **more})


def a_policy(version: int = 1, within: timedelta = HOUR, **fields: Any) -> Policy:
    metrics: Any = ("first_response", "next_response", "update", "resolution")
    return Policy("p", version, 1, tuple(Target(metric, "*", within, "clock") for metric in metrics), **fields)


def terms(version: int = 1, priority: str = "normal") -> dict[str, Any]:
    return {
        "policy_id": "p",
        "policy_version": version,
        "calendar_id": None,
        "calendar_version": None,
        "priority": priority,
    }


KNOWN = sla_history.as_applied({("p", 1, None): a_policy(), ("p", 2, None): a_policy(2, HOUR / 2)})
HISTORY = [
    asked(0, "m1", "opened", terms=terms()),
    Change("replied", at(30), "reply:1", {"answers": "m1"}),
    asked(40, "m2"),
    Change("status", at(50), "status:4", {"from": "open", "to": "pending"}),
    Change("promised", at(55), "sla_policy:p:2", {"terms": terms(2)}),
    asked(70, "m3"),
    Change("replied", at(100), "reply:2", {"answers": "m3"}),
    Change("status", at(110), "status:7", {"from": "open", "to": "resolved"}),
]


def verdicts(changes: list[Change]) -> Any:
    return sla_what_if.replayed(changes, KNOWN, at(500))


def test_the_order_in_which_changes_came_to_light_does_not_matter() -> None:
    chance = random.Random(1)
    expected = verdicts(HISTORY)
    assert {metric: len(many) for metric, many in expected.items()} == {
        "first_response": 1, "next_response": 1, "update": 3, "resolution": 1,
    }  # fmt: skip
    for _ in range(20):
        mixed = chance.sample(HISTORY, len(HISTORY))
        assert verdicts(mixed) == expected
        assert sla_history.waiting_since(mixed) is None


def test_terms_that_come_later_keep_the_time_used_and_leave_alone_what_has_stopped() -> None:
    found = verdicts(HISTORY)
    (first,), (owed,) = found["first_response"], found["next_response"]
    assert (first.settled, first.deadline_at) == ("met", at(60))
    assert (owed.settled, owed.started_at, owed.breached_at) == ("breached", at(40), at(70))
    kept = sla_history.histories(HISTORY, KNOWN)["first_response"][0]
    assert [event.kind for event in kept] == ["started", "stopped"]


def test_an_answer_that_was_not_delivered_answered_nobody() -> None:
    undone = [*HISTORY[:4], Change("annulled", at(60), "reply:1")]
    found = verdicts(undone)
    assert "next_response" not in found
    assert [one.settled for one in found["first_response"]] == ["breached"]
    assert sla_history.waiting_since(undone) == at(0)
    assert sla_history.first_answer(undone) is None


def test_an_answer_comes_after_what_it_answers_whatever_the_clock_said() -> None:
    set_back = [HISTORY[0], Change("replied", at(-45), "reply:1", {"answers": "m1"})]
    assert sla_history.waiting_since(set_back) is None
    (first,) = verdicts(set_back)["first_response"]
    assert (first.settled, first.stopped_at) == ("met", at(0))
    assert sla_history.next_moment(set_back, at(-40)) == at(0) + sla_history.TICK


def test_other_policies_are_chosen_by_what_filters_saw_then() -> None:
    urgent = filters.parse({"field": "priority", "op": "eq", "value": "urgent"}, {"priority": "text"})
    strict = a_policy(within=timedelta(minutes=5), where=urgent)
    history = [asked(0, "m1", "opened", terms=None), asked(10, "m2", priority="urgent"), Change("replied", at(12), "r")]
    assert sla_history.histories(history, KNOWN) == {}
    (only,) = sla_what_if.replayed(history, sla_history.under([strict]), at(60))["first_response"]
    assert (only.settled, only.started_at) == ("met", at(10)), "nothing was owed before it was urgent"
    both = sla_history.under([strict, Policy("q", 1, 2, a_policy().targets)])
    (first,) = sla_what_if.replayed(history, both, at(60))["first_response"]
    assert (first.settled, first.breached_at) == ("breached", at(10)), "more than the new target was used by then"


@pytest.mark.parametrize("fields", [{}, {"starts_at": "published_at"}, {"ignore_older_than": HOUR / 2}])
@pytest.mark.parametrize("published", [0, 20, 50, -5])
def test_a_first_message_alone_makes_what_the_whole_rules_make_of_it(fields: dict[str, Any], published: int) -> None:
    detail = {"published_at": at(-published).isoformat(), "seen": {}, "terms": terms()}
    first, policy = Change("opened", at(0), "m1", detail), a_policy(**fields)
    choice = sla_history.as_applied({("p", 1, None): policy})
    regimes = sla_history.regimes([first], choice)
    said = sla_history.turns([first])
    whole = {metric: many for metric in METRICS if (many := sla_turns.histories(said, metric, regimes))}
    assert sla_history.histories([first], choice) == whole
    assert bool(whole) != (published == 50 and "ignore_older_than" in fields)


def test_without_a_beginning_nothing_is_known() -> None:
    assert sla_history.histories(HISTORY[1:4], KNOWN) == {}
    clock = sla_clock.read(sla_history.histories(HISTORY, KNOWN)["resolution"][0], at(500))
    assert clock is not None
    assert clock.stopped_at == at(110)
