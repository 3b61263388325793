"""The gate: every term that stands in a text as a word, at its place; nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.folding import Folded, fold, is_bounded
from shared.rules.gate import Gate


def test_finds_words_with_their_places() -> None:
    gate = Gate({"klm": "brand", "outage": "issue", "Crème": "food"})
    text = "😡 KLM: outages, Outage! CRE\u0300ME klmx"
    assert [(key, text[start:end]) for key, start, end in gate.find(text)] == [
        ("brand", "KLM"),
        ("issue", "Outage"),
        ("food", "CRE\u0300ME"),
    ]
    assert gate.find(Folded(text)) == gate.find(text)
    assert gate.keys(text) == {"brand", "issue", "food"}
    assert gate.any(text)


def test_terms_may_share_keys_and_have_several() -> None:
    gate = Gate([("klm", 1), ("KLM", 2), ("royal dutch", 1), ("klm", 1)])
    assert len(gate) == 2
    assert gate.find("klm, Royal Dutch") == [(1, 0, 3), (2, 0, 3), (1, 5, 16)]


def test_a_longer_term_does_not_hide_a_shorter_one() -> None:
    gate = Gate({"delta": "d", "delta air": "da", "air": "a"})
    assert gate.find("delta airs") == [("d", 0, 5)]
    assert gate.find("delta air") == [("d", 0, 5), ("da", 0, 9), ("a", 6, 9)]


def test_in_order_of_their_places() -> None:
    assert Gate({"y": 1, "x y z": 2}).find("x y z") == [(2, 0, 5), (1, 2, 3)]


def test_nothing_in_nothing() -> None:
    assert Gate[str]({}).find("klm") == []
    assert not Gate({"klm": 1}).any("")
    assert Gate({"klm": 1}).find("") == []


@pytest.mark.parametrize("term", ["", "  ", "\u0301", "™"])
def test_a_term_without_content_is_refused(term: str) -> None:
    with pytest.raises(ValueError, match="nothing to look for"):
        Gate({term: 1})


def test_select_gives_the_indexes() -> None:
    assert Gate({"klm": 1}).select(["nothing", "KLM", "klms", "a klm b"]) == [1, 3]


TERMS = st.sampled_from(["a", "b", "ab", "aba", "a b", "É", "éa", "ß", "#a", "@b", "a-b", "😡"])
TEXTS = st.text(alphabet="abAé\u0301ß #@-😡,\u200d", max_size=25)


@given(st.sets(TERMS, min_size=1), TEXTS)
def test_agrees_with_looking_for_each_term(chosen: set[str], text: str) -> None:
    gate = Gate({term: term for term in chosen})
    folded = fold(text)
    wanted = [
        (term, found.start(), found.start() + len(fold(term)))
        for term in chosen
        for found in re.finditer(f"(?={re.escape(fold(term))})", folded)
        if not (re.match(r"\w", fold(term)) and re.search(r"\w$", folded[: found.start()]))
        and not (re.search(r"\w$", fold(term)) and re.match(r"\w", folded[found.start() + len(fold(term)) :]))
    ]
    got = gate.find(text)
    way_back = Folded(text)
    assert sorted(got) == sorted((term, *way_back.original(start, end)) for term, start, end in wanted)
    assert gate.any(text) is bool(got)
    assert gate.keys(text) == {key for key, _, _ in got}
    assert gate.select([text, ""]) == ([0] if got else [])
    assert [start for _, start, _ in got] == sorted(start for _, start, _ in got)


MANY = st.lists(st.one_of(TEXTS, st.text(alphabet="ab \0_-1A", max_size=12)), max_size=8)


@given(st.sets(st.one_of(TERMS, st.sampled_from(["b a", "a b a", "a_1", "1", "b-1", "#ab", "a #b"])), min_size=1), MANY)
def test_many_texts_at_once_are_as_each_by_itself(chosen: set[str], texts: list[str]) -> None:
    gate = Gate({term: term for term in chosen})
    folded = [fold(text) for text in texts]
    assert gate.select(texts) == [
        at for at, text in enumerate(folded)
        if any(is_bounded(text, found.start(), found.start() + len(fold(term)))
               for term in chosen for found in re.finditer(f"(?={re.escape(fold(term))})", text))
    ]  # fmt: skip
    assert gate.select(texts) == [at for at, text in enumerate(texts) if gate.any(text)]


def test_long_texts_and_words_are_seen_whole() -> None:
    word = "x" * 300
    gate = Gate({word: 1, "end of it": 2, "klm": 3})
    texts = [
        "a " * 200_000 + word, "a" * 300_000, "b" * 131_068 + " klm", "c" * 131_070 + " end of it", "", "\ud800 klm", "d" * 131_072,
        "end of", "it klmx", "e " * 65_530 + "end of it",
    ]  # fmt: skip
    assert gate.select(texts) == [0, 2, 3, 5, 9]


def test_a_hundred_thousand_terms() -> None:
    gate = Gate((f"brand{n} phone", n) for n in range(100_000))
    assert gate.find("my Brand99999 Phone and brand5 phones and brand5 phone") == [(99_999, 3, 19), (5, 42, 54)]
