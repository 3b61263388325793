"""Tuning the entity model: what it learns from, what it leaves open, and that the same data give the same bytes."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from services.triage import tuned
from services.triage.library import NOT_NEEDED
from services.triage.training import ner_sets, train_ner
from services.triage.training.ner_sets import Score, Sentence

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def a_row(sentence: str, section: str = "a", **tags: str) -> dict[str, Any]:
    """A labelled sentence; `Leeds="location"` labels a word."""
    words = sentence.split(" ")
    return {"tokens": words, "tags": [f"B-{tags[word]}" if word in tags else "O" for word in words], "section": section}


def test_tags_become_spans_in_one_scheme(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"tokens": ["New", "York", "", "IBM", "Bob"], "tags": ["B-location", "I-location", "O", "B-group", "B-person"]},
        {"tokens": ["Ann", "Lee", "Bo"], "tags": ["B-PER", "I-PER", "B-PER"]},
        {"tokens": ["odd"], "tags": ["I-ORG"]},
    ]
    write(tmp_path / "x.gz", rows)
    assert [one.spans for one in ner_sets.read(tmp_path / "x.gz")] == [
        ((0, 2, "PLACE"), (2, 3, "ORG"), (3, 4, "PERSON")),
        ((0, 2, "PERSON"), (2, 3, "PERSON")),
        ((0, 1, "ORG"),),
    ]


def test_the_held_out_section_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "x.gz", [a_row("one", "h"), a_row("two", "g")])
    assert [one.words for one in ner_sets.read(tmp_path / "x.gz", without=ner_sets.HELD_OUT)] == [("two",)]
    assert [one.words for one in ner_sets.read(tmp_path / "x.gz", sections=ner_sets.HELD_OUT)] == [("one",)]


def test_the_cut_is_the_same_in_any_order() -> None:
    sentences = [Sentence((f"word{n}",), ()) for n in range(500)]
    train, choose = ner_sets.cut(sentences)
    assert set(ner_sets.cut(sentences[::-1])[1]) == set(choose)
    assert len(train) + len(choose) == 500
    assert 25 < len(choose) < 75


def test_scores_count_places_and_types_exactly_with_and_without_handles() -> None:
    one = Sentence(("@", "ann", "in", "Leeds"), ((0, 1, "PERSON"), (1, 2, "PERSON"), (3, 4, "PLACE")))
    found = [[(1, 2, "PERSON"), (3, 4, "ORG")]]
    assert ner_sets.score([one], found) == Score(1, 1, 2)
    assert ner_sets.score([one], found, with_handles=False) == Score(0, 1, 1)
    assert ner_sets.score([one], found, kind="PERSON").recall == 0.5


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little data and few epochs."""
    for name, value in {"FIRST_EPOCHS": 1, "EPOCHS": 2, "WRITTEN": 24}.items():
        monkeypatch.setattr(train_ner, name, value)
    places = ("Leeds", "Paris", "Rome", "York", "Derby")
    write(
        tmp_path / ner_sets.WNUT_TRAIN,
        [
            a_row(f"the bus to {place} is {n} minutes late , says Bob", Bob="person", **{place: "location"})
            for n in range(12)
            for place in places
        ],
    )  # fmt: skip
    write(
        tmp_path / ner_sets.BROAD,
        [a_row(f"I saw {place} on my iPhone {n}", **{place: "LOC"}) for n in range(12) for place in places],
    )
    return tmp_path


def test_the_same_data_give_the_same_bytes_and_a_model_that_loads(few: Path) -> None:
    said: list[str] = []
    figures = train_ner.train(few, few / "one", said.append)
    train_ner.train(few, few / "two", said.append)
    content = (few / "one" / "ner.en.bin").read_bytes()
    assert content == (few / "two" / "ner.en.bin").read_bytes()
    assert content != (tuned.WEIGHTS / "ner.en.bin").read_bytes()
    assert figures["epoch"] in {1, 2}
    assert len(said) == 6
    nlp = tuned.load("en", NOT_NEEDED, few / "one" / "ner.en.bin")
    assert [one.label_ for one in nlp("the bus to Leeds is late").ents] == ["GPE"]


def test_our_own_sentences_name_products_and_works_where_they_say() -> None:
    tuner = train_ner._Tuner(tuned.base("en", NOT_NEEDED), random.Random(1))
    made = tuner.written(200)
    assert {kind for one in made for _, _, kind in one.spans} == {"PRODUCT", "WORK"}
    assert all(0 <= start < end <= len(one.words) for one in made for start, end, _ in one.spans)
    assert not any("{" in word for one in made for word in one.words)


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not on this machine")
def test_the_shipped_model_reaches_its_goals() -> None:
    from services.triage.training.evaluate import ner

    rows = {(row.task, row.metric): row for row in ner.measure(DATA)}
    wnut, broad = rows[f"entities, {ner.WNUT}", "F1"], rows[f"entities, {ner.BROAD}", "F1"]
    bare = rows[f"entities, {ner.BROAD}, without handles", "F1"]
    print(wnut, broad, bare)
    assert wnut.baseline
    assert broad.baseline
    assert bare.baseline
    assert wnut.ours >= 1.4 * wnut.baseline
    assert broad.ours >= 3 * broad.baseline
    assert bare.ours >= 1.4 * bare.baseline
