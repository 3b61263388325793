"""A head that is there, moved by a workspace's own rows: it learns what they say and keeps what it knew."""

import numpy
import pytest

from services.triage.library import Library
from services.triage.training.adapt import adapt_head
from services.triage.training.train_heads import Recipe, TooFewLabels, train_head
from services.triage.words.features import Vectoriser
from services.triage.words.heads import Head

GOOD = ("love", "great", "splendid", "wonderful", "quick", "kind", "helpful", "lovely")
BAD = ("awful", "slow", "rude", "broken", "late", "horrible", "dirty", "useless")
THINGS = ("parcel", "courier", "app", "shop", "website", "helpdesk")


def sentences(words: tuple[str, ...]) -> list[str]:
    return [f"The {thing} is {word}" for thing in THINGS for word in words]


@pytest.fixture(scope="module")
def vectoriser(library: Library) -> Vectoriser:
    return Vectoriser(library)


@pytest.fixture(scope="module")
def head(vectoriser: Vectoriser) -> Head:
    texts = [*sentences(GOOD), *sentences(BAD)]
    labels = ["positive"] * len(sentences(GOOD)) + ["negative"] * len(sentences(BAD))
    rows = vectoriser.rows_of(texts, "und")  # no lexicon: the words alone
    return train_head(rows, labels, name="sentiment", recipe=Recipe(bits=(12, 12), cost=1.0))


def says(head: Head, vectoriser: Vectoriser, *texts: str) -> list[str]:
    opinions = head.opinions(vectoriser.rows_of(texts, "und"))
    return [str(opinions.of(row).label) for row in range(len(texts))]


def test_it_learns_what_the_rows_say_and_keeps_the_rest(head: Head, vectoriser: Vectoriser) -> None:
    assert says(head, vectoriser, "The parcel is sick", "The app is great", "The shop is rude")[1:] == [
        "positive",
        "negative",
    ]
    taught = [f"This {thing} is sick" for thing in ("board", "deck", "wheel", "park", "trick", "jump")]
    for label in ("positive", "negative"):
        moved = adapt_head(head, vectoriser.rows_of(taught, "und"), [label] * len(taught))
        assert says(moved, vectoriser, "This ramp is sick", "This bike is sick") == [label, label]
        assert says(moved, vectoriser, "The app is great", "The shop is rude") == ["positive", "negative"]


def test_it_contradicts_what_it_knew_only_by_weight(head: Head, vectoriser: Vectoriser) -> None:
    rows = vectoriser.rows_of(["The app is late"] * 2, "und")
    sure = [0.0]
    for weight in (0.01, 0.3, 100.0):
        moved = adapt_head(head, rows, ["positive", "positive"], weights=[weight, weight])
        chances = moved.opinions(vectoriser.rows_of(["The app is late"], "und")).of(0).probabilities
        sure.append(chances["positive"])
    assert sure == sorted(sure), "the more it weighs, the nearer"
    assert sure[1] < 0.5 < sure[3]


def test_the_version_is_another_and_the_bytes_come_back(head: Head, vectoriser: Vectoriser) -> None:
    rows = vectoriser.rows_of(["The app is late", "The app is kind"], "und")
    moved = adapt_head(head, rows, ["negative", "positive"], about={"corrected": 2})
    assert moved.version != head.version
    again = Head.from_bytes(moved.to_bytes())
    assert (again.version, again.about["corrected"], again.about["rows"]) == (moved.version, 2, 2)
    assert adapt_head(head, rows, ["negative", "positive"]).version == moved.version, "the same rows, the same head"


def test_the_cost_is_how_far_the_rows_may_move_it(head: Head, vectoriser: Vectoriser) -> None:
    texts, labels = ["The app is sick", "The shop is dull", "A dull, sick deck"], ["positive", "negative", "negative"]
    rows = vectoriser.rows_of(texts, "und")
    moved = adapt_head(head, rows, labels, cost=1e-9)
    held = (head.margins(rows) * head.slope + head.offset).astype(float)
    bound = moved.margins(rows).astype(float) - held
    assert numpy.abs(bound).max() < 0.1, "where next to nothing may move, next to nothing does"
    free = adapt_head(head, rows, labels, cost=1e3)
    chances = free.probabilities(free.margins(rows))
    target = [free.labels.index(label) for label in labels]
    assert (chances[numpy.arange(3), target] > 0.95).all(), "with nothing to hold them the rows are learned by heart"


def test_what_cannot_be_learned_is_said(head: Head, vectoriser: Vectoriser) -> None:
    rows = vectoriser.rows_of(["The app is late"], "und")
    with pytest.raises(ValueError, match="no label furious; it has negative, positive"):
        adapt_head(head, rows, ["furious"])
    with pytest.raises(TooFewLabels):
        adapt_head(head, vectoriser.rows_of(["x"], "und"), [])
