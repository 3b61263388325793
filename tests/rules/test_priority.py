"""Priority: a documented score whose parts say why."""

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules import priority
from shared.rules.priority import CLASSES, TIERS, URGENCY, Limits, Signals, Urgency, score

SIGNALS = st.builds(
    Signals,
    urgency=st.dictionaries(st.sampled_from(get_args(Urgency)), st.floats(-1, 2)),
    severity=st.none() | st.floats(-1, 2),
    sentiment=st.none() | st.floats(-2, 2),
    followers=st.none() | st.integers(-5, 10**10),
    velocity=st.none() | st.floats(-1, 1e6),
    rating=st.none() | st.floats(0, 5),
    tier=st.none() | st.sampled_from([*TIERS, "nobody"]),
    asked=st.integers(-1, 20),
)


@pytest.mark.parametrize(
    ("signals", "points", "cls"),
    [
        (Signals(), 20, "normal"),
        (Signals(sentiment=0.9), 6, "low"),
        (Signals(sentiment=-0.9), 34, "normal"),
        (Signals(urgency={"safety": 1}), 90, "urgent"),
        (Signals(urgency={"vulnerable": 0.8}), 72, "urgent"),
        (Signals(urgency={"outage": 1}), 65, "high"),
        (Signals(urgency={"legal": 0.9}), 60, "high"),
        (Signals(urgency={"churn": 1}), 55, "high"),
        (Signals(urgency={"churn": 1, "safety": 0.2}), 55, "high"),
        (Signals(severity=1), 50, "high"),
        (Signals(severity=0.5, sentiment=-0.8), 47, "high"),
        (Signals(followers=999), 28, "normal"),
        (Signals(followers=999_999), 35, "normal"),
        (Signals(velocity=10), 28, "normal"),
        (Signals(velocity=100), 35, "normal"),
        (Signals(rating=1), 30, "normal"),
        (Signals(rating=0), 30, "normal"),
        (Signals(rating=3), 22, "normal"),
        (Signals(rating=4), 20, "normal"),
        (Signals(rating=2, rating_of=10), 30, "normal"),
        (Signals(tier="vip", asked=2), 49, "high"),
        (Signals(asked=9), 41, "normal"),
        (Signals(urgency={"safety": 1}, severity=1, sentiment=-1), 100, "urgent"),
    ],
)  # fmt: skip
def test_scores(signals: Signals, points: int, cls: str) -> None:
    found = score(signals)
    assert (found.score, found.cls) == (points, cls)


def test_parts_say_why() -> None:
    found = score(
        Signals(urgency={"outage": 0.5}, followers=12_000, tier="vip", rating=1, velocity=40, asked=1, sentiment=-0.5)
    )
    assert [(part.name, part.points, part.why) for part in found.parts] == [
        ("urgency", 22.5, "outage, confidence 0.50"),
        ("expected", 20, "somebody waits for an answer"),
        ("tier", 15, "tier vip"),
        ("velocity", 12.0, "40 posts an hour"),
        ("reach", 10.2, "12000 followers"),
        ("rating", 10, "1 of 5 stars"),
        ("sentiment", 7.5, "negative -0.50"),
        ("asked again", 7, "asked 1 times before"),
    ]


@given(SIGNALS)
def test_the_score_is_the_sum_of_its_parts(signals: Signals) -> None:
    found = score(signals)
    assert found.score == round(min(max(math.fsum(part.points for part in found.parts), 0), 100))
    assert found.cls == priority.class_of(found.score)
    assert all(part.points for part in found.parts)
    assert len({part.name for part in found.parts}) == len(found.parts)


MORE = st.sampled_from(
    [
        ("severity", 0.2, 0.9), ("sentiment", 0.5, -0.5), ("followers", 10, 100_000), ("velocity", 2, 50),
        ("rating", 4, 1), ("tier", None, "vip"), ("asked", 0, 2), ("urgency", {}, {"legal": 0.9}),
        ("urgency", {"churn": 0.9}, {"churn": 0.9, "safety": 0.9}),
    ]
)  # fmt: skip


@given(SIGNALS, MORE)
def test_what_presses_more_never_scores_less(signals: Signals, more: tuple[str, Any, Any]) -> None:
    name, less, greater = more
    assert score(replace(signals, **{name: less})).score <= score(replace(signals, **{name: greater})).score


def test_unknown_values_count_nothing() -> None:
    odd = Signals(
        severity=math.nan, sentiment=math.nan, velocity=math.nan, rating=math.nan, followers=0, tier="x", asked=-3
    )
    assert score(odd) == score(Signals())


def test_a_workspace_sets_its_own_limits() -> None:
    assert score(Signals(), Limits(urgent=20, high=10, normal=0)).cls == "urgent"
    with pytest.raises(ValueError, match="Limits rise"):
        Limits(urgent=40, high=50)
    with pytest.raises(ValueError, match="Limits rise"):
        Limits(urgent=101)


def test_ranks() -> None:
    assert [priority.rank(cls) for cls in CLASSES] == [0, 1, 2, 3]
    assert priority.rank("someday") == 4


def test_every_kind_of_urgency_has_its_points() -> None:
    assert set(URGENCY) == set(get_args(Urgency))
