"""Heads: training, calibration, the container, which words decided; and that the shipped ones are what they say."""

from typing import Any

import numpy
import pytest

from services.triage.library import Library
from services.triage.training.train_heads import Recipe, TooFewLabels, matrix_of, train_head
from services.triage.words.features import SIGNS, Features
from services.triage.words.heads import Head, HeadError
from services.triage.words.shipped import WEIGHTS, shipped_heads
from tests.triage.building import a_briefing, assessed

SMALL = Recipe(bits=(12, 12), cost=1.0)
THINGS = ["router", "bill", "train", "parcel", "app", "desk", "card", "ticket", "phone", "order"]
LATE = [f"my {thing} is late and still delayed {n}" for n, thing in enumerate(THINGS)]
DEAR = [f"far too expensive, the {thing} costs a fortune" for thing in THINGS]
RUDE = [f"the lady about my {thing} was rude and shouted" for thing in THINGS]
TEXTS, LABELS = [*LATE, *DEAR, *RUDE], ["late"] * 10 + ["dear"] * 10 + ["rude"] * 10


def features(library: Library, texts: list[str]) -> Features:
    return library.vectoriser().rows_of(texts, "en")


def trained(library: Library, **fields: Any) -> Head:
    return train_head(features(library, TEXTS), LABELS, **{"name": "issues", "recipe": SMALL, **fields})


def test_it_learns_and_says_how_sure_it_is(library: Library) -> None:
    head = trained(library)
    asked = ["it is delayed again, so late", "what a fortune, too expensive", "he was rude to me", "hello there"]
    said = [head.opinions(features(library, asked)).of(row) for row in range(4)]
    assert [opinion.label for opinion in said[:3]] == ["late", "dear", "rude"]
    for opinion in said:
        assert sum(opinion.probabilities.values()) == pytest.approx(1)
        assert opinion.confidence == max(opinion.probabilities.values())
        assert opinion.unsure is (opinion.confidence < head.unsure_below)
    assert said[3].confidence < min(opinion.confidence for opinion in said[:3])


def test_yes_no_and_any_of(library: Library) -> None:
    rude = ["yes" if label == "rude" else "no" for label in LABELS]
    head = train_head(features(library, TEXTS), rude, name="rude", kind="yes_no", order=("no", "yes"), recipe=SMALL)
    said = head.opinions(features(library, ["so rude, he shouted", "too late"]))
    assert [said.of(0).label, said.of(1).label] == ["yes", "no"]
    both = [*TEXTS, *(f"{one} and {other}" for one, other in zip(LATE, RUDE, strict=True)), *["fine"] * 10]
    held = [*([label] for label in LABELS), *[["late", "rude"]] * 10, *[[]] * 10]
    many = train_head(features(library, both), held, name="issues", kind="any_of", recipe=SMALL)
    said = many.opinions(features(library, ["late and delayed, and a rude lady shouted", "fine"]))
    assert {label for label, _ in said.holding(0)} == {"late", "rude"}
    assert said.holding(1) == []
    assert said.of(1).label is None


def test_the_words_that_decided_are_quoted_with_their_places(library: Library) -> None:
    head = trained(library)
    texts = ["Hello 😀 the lady was so RUDE to me", "it was late"]
    opinions = head.opinions(features(library, texts))
    told = opinions.told(0)
    assert "RUDE" in [one.word for one in told]
    assert all(texts[0][one.start : one.end] == one.word for one in told)
    assert [one.word for one in opinions.told(1)][:1] == ["late"]
    assert "rude" not in [one.word.lower() for one in opinions.told(0, "late")]


def test_what_the_words_add_is_the_margin(library: Library) -> None:
    """With the bias and the signs taken off, the weights of all tokens add up to what lies between yes and no."""
    rude = ["yes" if label == "rude" else "no" for label in LABELS]
    head = train_head(features(library, TEXTS), rude, name="r", kind="yes_no", order=("no", "yes"), recipe=SMALL)
    asked = features(library, ["the lady was rude and late", "a fortune"])
    opinions = head.opinions(asked)
    plain = head.margins(asked)[:, 0] - head.bias - asked.signs @ head.signs[0]
    weights = opinions._weight_for(1)
    sums = [weights[asked.token_starts[row] : asked.token_starts[row + 1]].sum() for row in (0, 1)]
    assert sums == pytest.approx(plain.tolist(), abs=1e-4)


def test_rounding_to_whole_numbers_changes_next_to_nothing(library: Library) -> None:
    head = trained(library)
    asked = features(library, TEXTS)
    whole = numpy.concatenate(
        [head.words * head.scales[0][:, None], head.letters * head.scales[1][:, None], head.signs / SMALL.signs], axis=1
    )
    assert head.margins(asked) == pytest.approx(matrix_of(asked, SMALL) @ whole.T + head.bias, abs=1e-4)


RARE = Recipe(bits=(12, 12), cost=1.0, rare=True, words=0.7)


def test_rare_words_count_more_and_a_text_stays_as_long(library: Library) -> None:
    head = trained(library, recipe=RARE)
    assert head.rare_words is not None
    asked = features(library, ["my router", "rude"])
    every, one = asked.words.hashes[:2] & 4095, asked.words.hashes[-1] & 4095
    assert head.rare_words[one] < head.rare_words.max()  # ten of thirty texts have it
    assert head.rare_words[every].min() >= 20
    weighed = asked.words.weighed(head.rare_words)
    assert numpy.bincount(asked.words.rows, weighed.astype(float) ** 2) == pytest.approx([1, 1], abs=1e-5)
    assert not numpy.allclose(weighed, asked.words.values)
    again = Head.from_bytes(head.to_bytes())
    assert (again.margins(asked) == head.margins(asked)).all()
    assert again.version == head.version != trained(library).version


def test_rounding_a_head_of_rare_words_changes_next_to_nothing(library: Library) -> None:
    head = trained(library, recipe=RARE)
    asked = features(library, TEXTS)
    whole = numpy.concatenate(
        [
            head.words * head.scales[0][:, None] / RARE.words,
            head.letters * head.scales[1][:, None],
            head.signs / RARE.signs,
        ],
        axis=1,
    )
    seen = matrix_of(asked, RARE, (head.rare_words, head.rare_letters))
    assert head.margins(asked) == pytest.approx(seen @ whole.T + head.bias, abs=1e-4)


def test_what_was_found_otherwise_moves_the_opinion(library: Library) -> None:
    """The texts say nothing: only what was found tells the labels apart."""
    texts = [f"number {word}" for word in THINGS * 2]
    found = [{"delay"}] * 10 + [{"price", "bill"}] * 10
    head = train_head(features(library, texts), ["late"] * 10 + ["dear"] * 10, name="issues", recipe=SMALL, hits=found)
    assert head.hits == ("bill", "delay", "price")
    head = Head.from_bytes(head.to_bytes())
    opinions = head.opinions(features(library, ["number nine"]))
    assert opinions.of(0, {"delay"}).label == "late"
    assert opinions.of(0, {"price", "bill"}).label == "dear"
    assert opinions.of(0, {"weather"}).probabilities == pytest.approx(opinions.of(0).probabilities)
    whole = head.opinions(features(library, ["number nine"]), [{"delay"}]).of(0)
    assert whole.probabilities == pytest.approx(opinions.of(0, {"delay"}).probabilities, abs=1e-6)


def test_the_same_rows_give_the_same_bytes(library: Library) -> None:
    one, other = trained(library), trained(library)
    assert one.to_bytes() == other.to_bytes()
    assert one.version == other.version != trained(library, recipe=Recipe(bits=(12, 12), cost=0.1)).version


def test_the_container_keeps_everything(library: Library) -> None:
    head = trained(library, about={"data": "made up"})
    again = Head.from_bytes(head.to_bytes())
    assert (again.version, again.labels, again.kind, again.unsure_below) == (
        head.version, head.labels, head.kind, head.unsure_below,
    )  # fmt: skip
    assert again.about["data"] == "made up"
    asked = features(library, TEXTS)
    assert (again.opinions(asked).probabilities == head.opinions(asked).probabilities).all()


def test_bytes_that_are_no_head_are_refused_with_a_reason(library: Library) -> None:
    good = trained(library).to_bytes()
    bad = [b"", b"PK\x03\x04", good[:-40], good[:4] + b"\xff\xff\xff\x7f" + good[8:], good.replace(b'"<f4"', b'"<f8"'),
           good.replace(b'"one_of"', b'"yes_no"')]  # fmt: skip
    for stored in bad:
        with pytest.raises(HeadError, match="train it again"):
            Head.from_bytes(stored)
    older = good.replace(b'"vectoriser": "', b'"vectoriser": "0')
    stored = older[:4] + (int.from_bytes(good[4:8], "little") + 1).to_bytes(4, "little") + older[8:]
    with pytest.raises(HeadError, match="vectoriser"):
        Head.from_bytes(stored)


def test_too_little_to_learn_from_is_said(library: Library) -> None:
    with pytest.raises(TooFewLabels, match="only one label"):
        train_head(features(library, LATE), ["late"] * 10, name="x", recipe=SMALL)
    with pytest.raises(TooFewLabels, match="two examples"):
        train_head(features(library, TEXTS[:11]), LABELS[:11], name="x", recipe=SMALL)


def test_an_empty_batch_and_an_empty_text(library: Library) -> None:
    head = trained(library)
    assert head.opinions(features(library, [])).probabilities.shape == (0, 3)
    opinions = head.opinions(features(library, ["", "rude"]))
    assert opinions.told(0) == ()
    assert numpy.isfinite(opinions.probabilities).all()


def test_shipped_heads_are_small_and_whole() -> None:
    heads = shipped_heads()
    assert set(heads) >= {"sentiment", "spam", "intent", "urgency"}
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.head")) < 8_000_000
    for head in heads.values():
        assert head.signs.shape[1] == len(SIGNS)
        assert "airline" not in str(head.about).lower()
        assert 0.3 <= head.unsure_below < 0.95


@pytest.mark.parametrize("text", ["_", "_ late again", "...", "‗ ‗", " \u0308 x", ""])
def test_texts_that_begin_with_no_word_can_be_told_of_too(library: Library, text: str) -> None:
    """In a batch: what stands before the first token counts for no token, and for none of the text before."""
    alone = ["I am furious", "I am furious"]
    heads = library.heads()
    features = library.vectoriser().rows_of([text, alone[0], text, alone[1]], "en")
    for head in heads.values():
        opinions = head.opinions(features)
        for label in head.labels:
            told = [opinions.told(row, label) for row in range(4)]
            assert told[1] == told[3] == head.opinions(library.vectoriser().rows_of(alone, "en")).told(0, label)
            assert told[0] == told[2]


def test_signs_alone_want_nothing(library: Library) -> None:
    briefing = a_briefing().with_models(library)
    for text in ("...", "_", "?!", "👍👍"):
        assert assessed(text, briefing).value("intent") in ("other", "question", "praise"), text
