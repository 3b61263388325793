"""Routing: which queue, which order, who, why, and the same again from the record."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import filter as filters
from shared.rules import routing, routing_record
from shared.rules.routing import AFFINITY, Candidate, Item, Need, Presence, Queue, Reason, Rules, consider, decide

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def an_id(number: int) -> UUID:
    return UUID(int=number)


def an_item(**fields: Any) -> Item:
    return Item(**{"conversation_id": an_id(900), "waiting_since": NOW, **fields})


def an_agent(number: int = 1, **fields: Any) -> Candidate:
    return Candidate(**{"agent_id": an_id(number), **fields})


# ------------------------------------------------ queues and order


def test_the_first_queue_whose_filter_matches() -> None:
    dutch = filters.parse({"field": "lang", "op": "eq", "value": "nl"}, {"lang": "text"})
    queues = [Queue(an_id(3), 3), Queue(an_id(2), 1, dutch), Queue(an_id(1), 1, dutch)]
    assert routing.choose_queue(queues, {"lang": "nl"}) == queues[2]
    assert routing.choose_queue(queues, {"lang": "en"}) == queues[0]
    assert routing.choose_queue(queues[1:], {"lang": "en"}) is None


def test_order_inside_a_queue() -> None:
    items = [
        an_item(conversation_id=an_id(1), priority="urgent", waiting_since=NOW),
        an_item(conversation_id=an_id(2), priority="high", deadline_at=NOW + MINUTE, waiting_since=NOW),
        an_item(conversation_id=an_id(3), priority="high", deadline_at=NOW + 2 * MINUTE, waiting_since=NOW - MINUTE),
        an_item(conversation_id=an_id(4), priority="high", waiting_since=NOW - 9 * MINUTE),
        an_item(conversation_id=an_id(5), priority="normal", deadline_at=NOW - MINUTE),
        an_item(conversation_id=an_id(6), priority="low", waiting_since=NOW - MINUTE),
        an_item(conversation_id=an_id(7), priority="low", waiting_since=NOW),
        an_item(conversation_id=an_id(8), priority="low", waiting_since=NOW),
    ]
    for _ in range(5):
        shuffled = random.sample(items, len(items))
        assert routing.in_order(shuffled) == items


# ------------------------------------------------ who is excluded, and why

NL, FIBRE = Need("language:nl", 3), Need("product:fibre")


@pytest.mark.parametrize(
    ("item", "agent", "reason", "says"),
    [
        ({"team_ids": frozenset({an_id(5)})}, {"team_ids": frozenset({an_id(6)})}, "other_team", "teams"),
        ({}, {"presence": "away"}, "absent", "away"),
        ({}, {"presence": "offline"}, "absent", "offline"),
        ({}, {"on_shift": False}, "off_shift", "shift"),
        ({"refused_by": frozenset({an_id(1)})}, {}, "refused", "refused"),
        ({"required": (NL,)}, {"skills": {"language:nl": 2}}, "lacks_skill", "language:nl at level 3"),
        ({"preferred": (NL, FIBRE)}, {"skills": {"language:nl": 3}}, "lacks_preferred_skill", "product:fibre"),
        ({"weight": 3}, {"capacity": 5, "load": 3}, "no_capacity", "3 of 5"),
        ({}, {"capacity": 0}, "no_capacity", "0 of 0"),
        ({}, {"recent": 4}, "had_share", "4"),
    ],
)
def test_reasons(item: dict[str, Any], agent: dict[str, Any], reason: Reason, says: str) -> None:
    seen = consider(an_item(**item), an_agent(**agent), Rules(share=4), NOW)
    assert (seen.excluded, seen.score) == (reason, None)
    assert says in seen.detail
    waived = consider(an_item(**item), an_agent(**agent), Rules(share=4), NOW, waived={reason})
    assert waived.excluded is None


def test_what_just_holds() -> None:
    item = an_item(team_ids=frozenset({an_id(5)}), weight=2, required=(NL,))
    agent = an_agent(team_ids=frozenset({an_id(5), an_id(6)}), capacity=5, load=3, skills={"language:nl": 3}, recent=3)
    assert consider(item, agent, Rules(share=4), NOW).excluded is None


def test_the_first_reason_is_the_one_told() -> None:
    item = an_item(team_ids=frozenset({an_id(5)}), required=(NL,))
    assert consider(item, an_agent(presence="offline", capacity=0), Rules(), NOW).excluded == "other_team"
    assert (
        consider(item, an_agent(presence="offline", capacity=0), Rules(), NOW, waived={"other_team"}).excluded
        == "absent"
    )


@pytest.mark.parametrize(
    ("waited", "dropped"), [(0, []), (299, []), (300, ["c"]), (600, ["b", "c"]), (9_000, ["a", "b", "c"]), (-5, [])]
)
def test_preferred_skills_are_dropped_one_by_one_the_last_first(waited: int, dropped: list[str]) -> None:
    item = an_item(preferred=(Need("a"), Need("b"), Need("c")), waiting_since=NOW - timedelta(seconds=waited))
    decision = decide(item, [an_agent(skills={"a": 1})], Rules(relax_after_s=300), at=NOW, seed="s")
    assert list(decision.relaxed) == dropped
    assert (decision.agent_id is not None) is (len(dropped) >= 2)


def test_without_relaxing_preferred_skills_stay() -> None:
    item = an_item(preferred=(NL,), waiting_since=NOW - timedelta(days=9))
    assert decide(item, [an_agent()], Rules(relax_after_s=0), at=NOW, seed="s").agent_id is None


# ------------------------------------------------ who gets it


def test_whoever_answered_last_is_preferred_for_a_while() -> None:
    item = an_item(last_agent_id=an_id(2), last_agent_at=NOW - timedelta(seconds=100))
    agents = [an_agent(1), an_agent(2, load=19, recent=9), an_agent(3)]
    assert decide(item, agents, Rules(affinity_s=100), at=NOW, seed="s").agent_id == an_id(2)
    assert decide(item, agents, Rules(affinity_s=99), at=NOW, seed="s").agent_id != an_id(2)
    assert dict(consider(item, agents[1], Rules(), NOW).parts)["affinity"] == AFFINITY


def test_scores_are_documented_sums() -> None:
    item = an_item(preferred=(NL, FIBRE), waiting_since=NOW - timedelta(hours=1), weight=2)
    seen = consider(
        item, an_agent(capacity=10, load=3, skills={"language:nl": 4, "product:fibre": 2}, recent=2), Rules(), NOW
    )
    assert dict(seen.parts) == {"free capacity": 150, "skills": 120, "fair share": -20}
    assert seen.score == 250


def test_free_capacity_and_fair_share_decide() -> None:
    assert decide(an_item(), [an_agent(1, load=9), an_agent(2, load=8)], Rules(), at=NOW, seed="s").agent_id == an_id(2)
    assert decide(an_item(), [an_agent(1, recent=1), an_agent(2)], Rules(), at=NOW, seed="s").agent_id == an_id(2)
    assert decide(an_item(), [], Rules(), at=NOW, seed="s").agent_id is None


def test_ties_are_spread_by_the_seed_and_stay_the_same_for_it() -> None:
    agents = [an_agent(number) for number in range(1, 5)]
    chosen = [decide(an_item(), agents, Rules(), at=NOW, seed=f"seed {n}").agent_id for n in range(400)]
    assert all(60 < chosen.count(agent.agent_id) < 140 for agent in agents)
    assert chosen == [decide(an_item(), agents[::-1], Rules(), at=NOW, seed=f"seed {n}").agent_id for n in range(400)]


def test_an_agent_who_asks_gets_the_first_item_that_fits() -> None:
    dutch = an_item(conversation_id=an_id(1), priority="urgent", required=(NL,))
    heavy = an_item(conversation_id=an_id(2), priority="high", weight=30)
    light = an_item(conversation_id=an_id(3), priority="normal")
    got, passed = routing.next_for(an_agent(), [light, heavy, dutch], Rules(), at=NOW)
    assert got == light
    assert [(item, seen.excluded) for item, seen in passed] == [(dutch, "lacks_skill"), (heavy, "no_capacity")]
    got, passed = routing.next_for(
        an_agent(presence="offline"), [light, heavy], Rules(), at=NOW, waived={"absent", "no_capacity"}
    )
    assert (got, passed) == (heavy, [])
    assert routing.next_for(an_agent(presence="away"), [light], Rules(), at=NOW)[0] is None


# ------------------------------------------------ by chance

IDS = st.integers(1, 6).map(an_id)
SKILLS = st.sampled_from(["language:nl", "language:en", "product:fibre"])
NEEDS = st.lists(st.builds(Need, SKILLS, st.integers(1, 5)), max_size=3).map(tuple)
MOMENTS = st.integers(-5_000, 0).map(lambda seconds: NOW + timedelta(seconds=seconds))
ITEMS = st.builds(
    Item,
    conversation_id=IDS,
    waiting_since=MOMENTS,
    deadline_at=st.none() | MOMENTS,
    queue_id=st.none() | IDS,
    team_ids=st.frozensets(IDS, max_size=3),
    weight=st.integers(0, 5),
    required=NEEDS,
    preferred=NEEDS,
    refused_by=st.frozensets(IDS, max_size=2),
    last_agent_id=st.none() | IDS,
    last_agent_at=st.none() | MOMENTS,
)
AGENTS = st.lists(
    st.builds(
        Candidate,
        agent_id=IDS,
        team_ids=st.frozensets(IDS, max_size=3),
        presence=st.sampled_from(get_args(Presence)),
        on_shift=st.booleans(),
        capacity=st.integers(0, 20),
        load=st.integers(0, 20),
        skills=st.dictionaries(SKILLS, st.integers(1, 5)),
        recent=st.integers(0, 5),
    ),
    max_size=6,
    unique_by=lambda agent: agent.agent_id,
)
RULES = st.builds(Rules, st.integers(0, 2_000), st.integers(0, 5_000), st.none() | st.integers(0, 5))


@given(ITEMS, AGENTS, RULES, st.text(max_size=5), st.randoms(use_true_random=False))
def test_laws(item: Item, agents: list[Candidate], rules: Rules, seed: str, chance: random.Random) -> None:
    decision = decide(item, agents, rules, at=NOW, seed=seed)
    assert {seen.agent_id for seen in decision.considered} == {agent.agent_id for agent in agents}
    assert all((seen.excluded is None) == (seen.score is not None) for seen in decision.considered)
    scores = {seen.agent_id: seen.score for seen in decision.considered if seen.score is not None}
    assert (decision.agent_id is None) == (not scores)
    if decision.agent_id is not None:
        assert scores[decision.agent_id] == max(scores.values())

    chance.shuffle(agents)
    assert decide(item, agents, rules, at=NOW, seed=seed) == decision

    record = json.loads(json.dumps(routing_record.write(item, agents, rules, decision)))
    assert routing_record.replay(record) == decision
    assert record["agent_id"] == (str(decision.agent_id) if decision.agent_id else None)
    assert all(("excluded" in one) != ("score" in one) for one in record["candidates"])


@pytest.mark.parametrize(
    ("refusals", "waited_s", "widens", "expected"),
    [
        (0, 0, True, "own"),
        (2, 0, True, "own"),
        (3, 0, True, "widened"),
        (5, 0, True, "widened"),
        (6, 0, True, "overflow"),
        (3, 0, False, "overflow"),
        (0, 179, True, "own"),
        (0, 180, True, "widened"),
        (1, 359, True, "widened"),
        (1, 360, True, "overflow"),
    ],
)
def test_who_is_asked_widens_by_refusals_and_by_their_time(
    refusals: int, waited_s: int, widens: bool, expected: str
) -> None:
    found = routing.stage(
        refusals, timedelta(seconds=waited_s), after=3, expires=timedelta(seconds=60), widens=widens
    )  # fmt: skip
    assert found == expected


def test_what_a_queue_needs_of_a_conversation() -> None:
    written: list[dict[str, Any]] = [
        {"kind": "language", "level": 2, "required": True},
        {"kind": "product", "name": "Fibre", "required": False},
        {"kind": "country", "required": False},
        {"kind": "channel"},
    ]
    required, preferred = routing.needs(written, language="NL", country=None, channel="mail")
    assert required == (routing.Need("language:nl", 2), routing.Need("channel:mail", 1))
    assert preferred == (routing.Need("product:fibre", 1),), "a conversation without a country asks none"


def test_an_agent_who_names_no_language_gets_every_one_and_who_names_one_gets_that() -> None:
    item = an_item(required=(routing.Need("language:fr"),))
    for written, languages, fits in (
        ([], [], True), ([], ["nl"], False), ([], ["FR"], True), ([{"kind": "language", "name": "fr", "level": 1}], [], True),
        ([{"kind": "product", "name": "x"}], [], True),
    ):  # fmt: skip
        candidate = an_agent(skills=routing.skills(written, languages))
        found = routing.consider(item, candidate, Rules(), at=NOW)
        assert (found.excluded is None) == fits, (written, languages)
