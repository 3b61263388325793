"""The written mentions that heads learn from: shape, labels, balance and splits, and nothing in them twice or of real people."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.triage.sketching import SHORTEST, normalised, sketch
from services.triage.stage import Sketch
from services.triage.stages import intent, urgency
from services.triage.stages.duplicates import NEAR
from services.triage.training.sets import SENTIMENTS, WRITTEN

LANGUAGES = ("en", "nl")
VENUES = {"tweet", "review", "mail", "forum", "comment", "app_review", "chat"}
SHARES = {"complaint": 0.30, "question": 0.20, "request": 0.15, "praise": 0.15, "churn": 0.10, "other": 0.10}
FIELDS = ["text", "lang", "venue", "intent", "urgency", "sentiment", "spam", "split"]
ADDRESS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|nl|be|uk|eu|io|ly|me|example)\b"
)
RESERVED = re.compile(r"(?:[\w-]+\.)*(?:example|example\.(?:com|org|net))(?:/\S*)?")
PHONE = re.compile(r"(?<![\w.,/-])\+?\d(?:[ ()/-]{0,2}\d){8,}(?![\w/-])")


def mentions(language: str) -> list[dict[str, Any]]:
    lines = (WRITTEN / f"intent.{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module", params=LANGUAGES)
def written(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return mentions(request.param)


def test_every_mention_has_the_fields_and_only_labels_that_are_known(written: list[dict[str, Any]]) -> None:
    for row in written:
        assert list(row) == FIELDS
        assert row["lang"] in LANGUAGES
        assert row["venue"] in VENUES
        assert row["intent"] in intent.INTENTS
        assert row["urgency"] in (*urgency.REASONS, "none")
        assert row["sentiment"] in SENTIMENTS
        assert isinstance(row["spam"], bool)
        assert row["split"] in ("train", "test")
        assert row["text"] == row["text"].strip()
        assert 5 <= len(row["text"]) <= 1_000


def test_labels_do_not_contradict_each_other(written: list[dict[str, Any]]) -> None:
    for row in written:
        if row["spam"]:
            assert (row["intent"], row["urgency"]) == ("other", "none"), row["text"]
        if row["intent"] == "churn":
            assert row["urgency"] != "none", row["text"]
        if row["urgency"] == "churn":
            assert row["intent"] == "churn", row["text"]
        if row["intent"] == "praise":
            assert (row["sentiment"], row["urgency"]) == ("positive", "none"), row["text"]
        if row["intent"] in ("complaint", "churn"):
            assert row["sentiment"] != "positive", row["text"]


def test_there_are_enough_in_the_shares_that_the_description_tells(written: list[dict[str, Any]]) -> None:
    assert len(written) >= 500
    shares = Counter(row["intent"] for row in written)
    assert {name: count / len(written) for name, count in shares.items()} == pytest.approx(SHARES, abs=0.06)
    assert sum(row["spam"] for row in written) / len(written) == pytest.approx(0.04, abs=0.015)
    assert set(Counter(row["venue"] for row in written)) == VENUES
    assert min(Counter(row["venue"] for row in written).values()) >= 30
    assert min(Counter(row["urgency"] for row in written).values()) >= 30


def test_every_fifth_of_each_intent_is_held_out(written: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for row in written:
        seen[row["intent"]] += 1
        assert row["split"] == ("train" if seen[row["intent"]] % 5 else "test"), row["text"]
    held_out = [row for row in written if row["split"] == "test"]
    assert {row["urgency"] for row in held_out} == {*urgency.REASONS, "none"}
    assert any(row["spam"] for row in held_out)


def test_lengths_are_as_varied_as_people(written: list[dict[str, Any]]) -> None:
    lengths = sorted(len(row["text"]) for row in written)
    assert lengths[len(lengths) // 10] < 50
    assert lengths[-len(lengths) // 20] > 180
    assert lengths[-1] > 400


def test_nothing_stands_in_it_twice_or_nearly() -> None:
    seen: dict[bytes | int, list[tuple[str, Sketch]]] = {}
    for row in (row for language in LANGUAGES for row in mentions(language)):
        made = sketch(row["text"])
        keys: tuple[bytes | int, ...] = (made.exact, *made.numbers())
        for other, theirs in (pair for key in keys for pair in seen.get(key, ())):
            assert made.exact != theirs.exact, (row["text"], other)
            assert made.similarity(theirs) < NEAR, (row["text"], other)
        for key in keys:
            seen.setdefault(key, []).append((row["text"], made))


def test_nothing_that_is_measured_on_is_learned_from() -> None:
    learned = {normalised(row["text"]) for language in LANGUAGES for row in mentions(language)}
    measured = (WRITTEN / "mentions.nl.jsonl").read_text(encoding="utf-8").splitlines()
    same = {normalised(json.loads(line)["text"]) for line in measured if line.strip()} & learned
    assert not {text for text in same if len(text) >= SHORTEST}


def test_addresses_are_of_nobody_and_no_number_can_be_called(written: list[dict[str, Any]]) -> None:
    for row in written:
        for found in ADDRESS.findall(row["text"]):
            domain = re.sub(r"^https?://", "", found.rpartition("@")[2]).rstrip(".,!?)")
            assert RESERVED.fullmatch(domain), (found, row["text"])
        assert not PHONE.search(row["text"]), row["text"]


def test_the_description_names_the_files_and_every_label() -> None:
    description = (Path(WRITTEN) / "README.md").read_text(encoding="utf-8")
    labels = (*intent.INTENTS, *urgency.REASONS, *SENTIMENTS, *VENUES)
    assert not [label for label in labels if label not in description]
    assert all(f"intent.{language}.jsonl" in description for language in LANGUAGES)
