"""What is kept of single words is what spaCy's model would work out anew, and only what nobody looks at is left out."""

import random
from typing import Any

import numpy
import pytest
from spacy.attrs import IS_ALPHA, IS_SPACE, IS_UPPER, LIKE_URL, NORM, PREFIX, SHAPE, SUFFIX  # type: ignore[import-not-found]
from spacy.lang.lex_attrs import word_shape
from spacy.language import Language
from thinc.api import Linear, Model, chain

from services.triage import word_rows
from services.triage.library import DEFAULT_MODELS, _load

TEXTS = (
    "@united flight 1234 from Boston was 2 hours late!!!!!!",
    "Anna Smith can't fly to Zürich, nor can anna smith",
    "late",
    " \n late  again",
)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return _load(DEFAULT_MODELS["en"], "en")


def test_the_rows_are_those_of_the_model(nlp: Language) -> None:
    model = nlp.get_pipe("ner").model  # type: ignore[attr-defined]
    kept = word_rows.keeping(model)
    assert kept is not model
    for texts in (TEXTS[:2], TEXTS, TEXTS[2:]):  # at first no word is known, then some, then all
        docs = [nlp.make_doc(text) for text in texts]
        for ours, theirs in zip(kept.layers[0].predict(docs), model.layers[0].predict(docs), strict=True):
            numpy.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_words_are_told_apart_by_all_that_the_model_looks_at(nlp: Language) -> None:
    kept = word_rows.keeping(nlp.get_pipe("ner").model)  # type: ignore[attr-defined]
    capital, small, again = kept.layers[0].predict([nlp.make_doc(text) for text in ("Boston", "boston", "Boston")])
    assert not numpy.allclose(capital, small)
    assert numpy.array_equal(capital, again)


def test_when_there_are_too_many_they_are_forgotten_and_learned_again(
    nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_rows, "MOST", 20)
    model = nlp.get_pipe("ner").model  # type: ignore[attr-defined]
    kept = word_rows.keeping(model)
    for n in range(40):
        docs = [nlp.make_doc(f"{text} and word{n} {'new ' * (n % 3)}") for text in TEXTS]
        for ours, theirs in zip(kept.layers[0].predict(docs), model.layers[0].predict(docs), strict=True):
            numpy.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_more_words_than_there_was_room_for(nlp: Language) -> None:
    model = nlp.get_pipe("ner").model  # type: ignore[attr-defined]
    kept = word_rows.keeping(model)
    docs = [nlp.make_doc(" ".join(f"w{n}x{m}" for m in range(50))) for n in range(60)]
    for ours, theirs in zip(kept.layers[0].predict(docs), model.layers[0].predict(docs), strict=True):
        numpy.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_model_that_is_built_otherwise_is_left_as_it_is() -> None:
    other: Model[Any, Any] = chain(Linear(2, 2), Linear(2, 2))
    assert word_rows.keeping(other) is other
    assert word_rows.keeping(chain(chain(Linear(2, 2), Linear(2, 2)), Linear(2, 2))).name


def test_a_shape_is_spacys() -> None:
    chance = random.Random(7)
    words = [
        "",
        "a",
        "AAAAA",
        "aaaaaaB",
        "......",
        "12345",
        "iPhone12",
        "x" * 99,
        "x" * 100,
        "ßÉé²½Ⅷ",
        "\n\n\n\n\n\n",
        "🚀" * 6,
    ]
    words += ["".join(chance.choices("aaAA11..é\n €", k=chance.randrange(30))) for _ in range(2_000)]
    assert [word_rows.shape(word) for word in words] == [word_shape(word) for word in words]


def test_of_a_new_word_only_what_is_looked_at_is_worked_out(nlp: Language) -> None:
    vocab: Any = nlp.vocab
    getters = dict(vocab.lex_attr_getters)
    try:
        word_rows.only_needed(vocab, nlp.get_pipe("ner").model)  # type: ignore[attr-defined]
        left = vocab.lex_attr_getters
        assert {IS_ALPHA, IS_SPACE, NORM, PREFIX, SHAPE, SUFFIX} <= left.keys()
        assert LIKE_URL not in left
        word = nlp.make_doc("Neverseenbefore77")[0]
        assert (word.norm_, word.prefix_, word.suffix_, word.shape_) == ("neverseenbefore77", "N", "e77", "Xxxxxdd")
    finally:
        vocab.lex_attr_getters = getters


def test_what_a_model_looks_at_is_worked_out_whatever_it_is(nlp: Language) -> None:
    vocab: Any = nlp.vocab
    getters = dict(vocab.lex_attr_getters)
    looks: Model[Any, Any] = Model("extract_features", lambda *_: ([], None), attrs={"columns": ["IS_UPPER", LIKE_URL]})
    try:
        word_rows.only_needed(vocab, looks)
        assert {IS_UPPER, LIKE_URL, NORM} <= vocab.lex_attr_getters.keys()
    finally:
        vocab.lex_attr_getters = getters
