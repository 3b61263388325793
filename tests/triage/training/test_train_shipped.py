"""The shipped heads can be rebuilt byte for byte, from data that may be learned from, without the texts they are asked about."""

from pathlib import Path

import pytest

from services.triage.library import Library
from services.triage.training import sets
from services.triage.training.evaluate import tasks
from services.triage.training.evaluate.row import Row
from services.triage.training.sets import TEST, TRAIN, bare, split_of
from services.triage.training.train_shipped import TRAINERS, train_shipped
from services.triage.words.heads import Head

DATA = Path(__file__).parents[3].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not on this machine")


@needs_data
@pytest.mark.parametrize("name", TRAINERS)
def test_the_same_data_give_the_same_bytes(library: Library, tmp_path: Path, name: str) -> None:
    first, second = (
        train_shipped(DATA, library, [name], folder=tmp_path / folder, most=160)[name].to_bytes()
        for folder in ("one", "other")
    )
    assert first == second == (tmp_path / "one" / f"{name}.head").read_bytes()
    assert Head.from_bytes(first).about["data"]


@needs_data
def test_no_text_that_is_asked_about_is_learned_from() -> None:
    for rows in (sets.semeval(DATA), sets.sms(DATA)):
        learned = {bare(row.text) for row in split_of(rows, TRAIN)}
        asked = {bare(row.text) for row in split_of(rows, TEST)}
        assert learned
        assert asked
        assert not {text for text in learned & asked if len(text.split()) > 3}
    learned = {bare(row.text) for row in split_of(sets.semeval(DATA), TRAIN)}
    assert not any(bare(row.text) in learned for row in sets.multilingual(DATA) if row.lang == "en")
    assert {row.split for row in (*sets.airline(DATA), *sets.multilingual(DATA))} == {TEST}


def test_written_rows_are_read_by_their_split(tmp_path: Path) -> None:
    (tmp_path / "some.nl.jsonl").write_text(
        '{"text": "a", "intent": "praise", "split": "train", "spam": true}\n\n'
        '{"text": "b", "intent": "praise", "split": "test", "lang": "en"}\n'
        '{"text": "c", "intent": "praise"}\n{"text": "d", "split": "train"}\n'
    )
    rows = sets.written("intent", tmp_path)
    assert [(row.text, row.lang, row.split) for row in rows] == [("a", "nl", TRAIN), ("b", "en", TEST)]
    assert [row.labels for row in sets.written("spam", tmp_path)] == [{"spam": "yes"}]


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(sets.MissingData, match=r"sentiment_tweets_val\.jsonl\.gz"):
        sets.semeval(tmp_path)


def test_figures_go_into_their_place_in_a_model_card(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("before\n<!-- figures: spam -->\nold\n<!-- end of figures -->\nafter\n")
    rows = [Row("SMS", "accuracy", 0.98765, 0.5, "chance"), Row("SMS", "macro-F1", 0.9, None, "")]
    assert tasks.write_into(card, "spam", rows)
    text = card.read_text()
    assert "| SMS | accuracy | 0.988 | 0.500 (chance) |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert not tasks.write_into(card, "sentiment", rows)
    assert '"question": "spam"' in tasks.as_json([("spam", rows[0])])
