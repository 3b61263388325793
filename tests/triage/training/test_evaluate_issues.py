"""The figures of issues found by phrases: what counts as right, which halves are kept apart, what they must not fall under."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from services.triage.library import Library
from services.triage.training.dutch_set import read
from services.triage.training.evaluate import issues
from services.triage.training.evaluate.issues import FILE, REASONS, Said, score
from shared.models import taxonomy

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def tweet(number: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"id": str(number), "text": text, "reason": reason, "sentiment": "negative" if reason else "positive"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        tweet(30, "lovely crew, thank you", None),
        tweet(9, "you lost my bag", "Lost Luggage"),
        tweet(20, "flight delayed for three hours", "Late Flight"),
        tweet(10, "what a day", "Can't Tell"),
        tweet(40, "on hold for two hours", "Customer Service Issue"),
    ]
    with gzip.open(tmp_path / FILE, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_every_reason_is_spoken_for_by_types_that_there_are() -> None:
    known = {definition.key for definition in taxonomy.load("airline")}
    for reason, keys in REASONS.items():
        assert set(keys) <= known, reason


def test_tweets_stand_in_the_order_of_their_ids_and_who_cannot_tell_is_left_out(folder: Path) -> None:
    assert [text for text, _, _ in issues.read_airline(folder)] == [
        "you lost my bag",
        "flight delayed for three hours",
        "lovely crew, thank you",
        "on hold for two hours",
    ]


def test_what_is_right_wrong_and_missed() -> None:
    said = [
        Said(frozenset("ab"), frozenset("bc")),
        Said(frozenset(), frozenset("c")),
        Said(frozenset("a"), frozenset("a")),
    ]
    assert tuple(score(said)) == (2, 2, 1)
    assert tuple(score(said, "a")) == (1, 0, 1)


def test_the_halves_are_kept_apart(folder: Path, library: Library) -> None:
    found = {(row.task, row.metric): row.ours for row in issues.measure(folder, library)}
    late, early = "issues by phrases, airline, held out", "issues by phrases, airline, mended by"
    assert found[f"{early}: Lost Luggage", "recall"] == found[f"{early}: Late Flight", "recall"] == 1.0
    assert found[f"{late}: Customer Service Issue", "recall"] == 1.0
    assert found[f"{late}: Lost Luggage", "recall"] == 0.0
    assert found[late, "share of tweets without a complaint that get none"] == 1.0
    assert 0 < found["issues by phrases, Dutch, held out", "F1"] < 1


def test_dutch_mentions_that_nobody_tuned_on(library: Library) -> None:
    said = issues.dutch([mention for mention in read() if mention.line % 2], library)
    total = score(said)
    assert total.precision > 0.65
    assert total.recall > 0.31
    assert sum(not one.found for one in said if not one.labelled) / sum(not one.labelled for one in said) > 0.88


def test_tweets_that_nobody_tuned_on(library: Library) -> None:
    if not (DATA / FILE).exists():
        pytest.skip(f"{DATA / FILE} is not on this machine")
    tweets = issues.read_airline(DATA)
    said = issues.airline(tweets[len(tweets) // 2 :][:1_500], library)
    assert score(said).f1 > 0.47
    assert score(said).precision > 0.53
