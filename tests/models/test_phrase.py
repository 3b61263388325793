"""The phrase language: what a phrase expands to, what is refused, and how a language says no."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.models.phrase import (
    MAX_GAP,
    Choice,
    Gap,
    TaxonomyError,
    fold,
    lines_of,
    negations,
    parse_phrase,
    word_sets,
)


def spellings(source: object, language: str = "en") -> set[tuple[str, ...]]:
    return {spelling.runs for spelling in parse_phrase(source, language).spellings()}


class TestGrammar:
    @pytest.mark.parametrize(
        ("phrase", "expected"),
        [
            ("no signal", {("no signal",)}),
            ("(late|too slow) again", {("late again",), ("too slow again",)}),
            ("a (very)? b", {("a b",), ("a very b",)}),
            ("cancel(s|led)?", {("cancel",), ("cancels",), ("cancelled",)}),
            ("wi(-)?fi", {("wifi",), ("wi-fi",)}),
            ("valt .. uit", {("valt", "uit")}),
            ("x (a|b .. c) y", {("x a y",), ("x b", "c y")}),
            ("(in|over(due|charge(d)?)) it", {("in it",), ("overdue it",), ("overcharge it",), ("overcharged it",)}),
            ("x .. (kort)? .. y", {("x", "y"), ("x", "kort", "y")}),
            ("Geïnd  CAFÉ’s", {("geind cafe's",)}),
        ],
    )
    def test_a_phrase_is_expanded_into_its_spellings(self, phrase: str, expected: set[tuple[str, ...]]) -> None:
        assert spellings(phrase) == expected

    def test_the_elements_say_what_is_a_choice_and_what_a_gap(self) -> None:
        assert parse_phrase("no (mobile)? .. (data|4g)", "en").elements == (
            Choice((("no",),)),
            Choice((("mobile",),), optional=True),
            Gap(MAX_GAP),
            Choice((("data",), ("4g",))),
        )

    def test_a_word_set_stands_for_all_its_words(self) -> None:
        found = spellings("<cant> log in")
        assert ("can't log in",) in found
        assert ("unable to log in",) in found
        assert len(found) == len(word_sets("en")["cant"])
        assert spellings("<not_working> meer", "nl") >= {("doet het", "niet meer"), ("werkt", "niet meer")}

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("", "can match nothing"),
            ("(late)?", "can match nothing"),
            ("late ..", "begins or ends"),
            ("(very)? late", "begins or ends"),
            ("a ..b", "stands between spaces"),
            ("a (b|c", "not closed"),
            ("a b)", "where a word was expected"),
            ("a | b", "where a word was expected"),
            ("a (|b)", "an alternative is empty"),
            ("late?", "behind a closing bracket"),
            ("<nonsense> b", "no word set 'nonsense'"),
            ("(a|b|c|d|e|f|g|h|i|j) " * 4 + "x", "split it"),
            (17, "put 17 in quotes"),
            ({"phrase": "a b", "unles": []}, "unknown fields unles"),
            ({"phrase": "a b", "negatable": "yes"}, "must be true or false"),
            ({"phrase": "a b", "unless": "c"}, "must be a list"),
        ],
    )
    def test_a_mistake_is_said_in_a_sentence(self, source: object, said: str) -> None:
        with pytest.raises(TaxonomyError, match=re.escape(said)):
            parse_phrase(source, "en").spellings()

    def test_a_shape_holds_many_spellings(self) -> None:
        (shape,) = parse_phrase("(app|site) .. (not|never) ~ (work|load)", "en").shapes()
        assert shape.segments == (("app", "site"), ("not", "never"), ("work", "load"))
        assert [(gap.most, gap.short) for gap in shape.gaps] == [(MAX_GAP, False), (3, True)]

    @pytest.mark.parametrize(
        ("phrase", "count"),
        [("x (a|b .. c|d .. c) y", 2), ("x .. (kort)? .. y", 2), ("(a|b) (c)? d", 1), ("a (b .. c)? d", 2)],
    )
    def test_options_with_gaps_are_shapes_of_their_own(self, phrase: str, count: int) -> None:
        assert len(parse_phrase(phrase, "en").shapes()) == count

    def test_a_pattern_says_many_things_of_a_thing(self) -> None:
        found = spellings("<broken: kiosk|lift>")
        assert {("kiosk", "doesn't", "work"), ("lift", "stopped working"), ("broken kiosk",)} <= found
        assert ("kiosk", "doesn't", "work") not in spellings("<fine: kiosk>")

    @pytest.mark.parametrize("source", ["<nonsense: app>", "my <broken: app>", "<broken: >", "<broken: (app>"])
    def test_a_wrong_pattern_is_refused(self, source: str) -> None:
        with pytest.raises(TaxonomyError):
            parse_phrase(source, "en")

    def test_an_unknown_language_is_refused(self) -> None:
        with pytest.raises(TaxonomyError, match="choose one of: en, nl"):
            parse_phrase("panne", "fr")

    @given(st.text(alphabet="ab(|)?<>. ", max_size=20))
    def test_whatever_is_written_it_is_read_or_refused(self, text: str) -> None:
        try:
            found = parse_phrase(text, "en").spellings()
        except TaxonomyError:
            return
        assert found
        assert all(spelling.runs and all(run.split() for run in spelling.runs) for spelling in found)

    def test_a_spelling_that_says_no_itself_is_not_negatable(self) -> None:
        found = {one.runs: one.negatable for one in parse_phrase("(not working|broken|doesn't work)", "en").spellings()}
        assert found == {("not working",): False, ("broken",): True, ("doesn't work",): False}
        assert all(not one.negatable for one in parse_phrase({"phrase": "a b", "negatable": False}, "en").spellings())

    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x24F), max_size=80))
    def test_folding_keeps_every_position(self, text: str) -> None:
        assert len(fold(text)) == len(text)
        assert fold(fold(text)) == fold(text)
        assert fold(text) == "".join(map(fold, text))

    def test_folding(self) -> None:
        assert fold("Één CAFÉ’s naïef") == "een cafe's naief"
        assert fold("ΑΣ Σ`´ẞİ") == "ασ σ''ßi"


class TestNegation:
    @pytest.mark.parametrize(
        ("language", "before", "supposed"),
        [
            ("en", "tell me if the", True),
            ("en", "if i", False),  # what happened to the author is not only supposed
            ("en", "the", False),
            ("en", "", False),
            ("nl", "mocht het", True),
            ("nl", "wat als mijn", True),
            ("nl", "als ik", False),
        ],
    )
    def test_what_is_only_supposed(self, language: str, before: str, supposed: bool) -> None:
        assert negations(language).supposes(before.split()) is supposed

    @pytest.mark.parametrize(
        ("language", "before", "index"),
        [
            ("en", "there is no", 2),
            ("en", "never had an", 0),
            ("en", "did n't see any", 1),
            ("en", "i am not happy , because the", None),
            ("en", "not only is the", None),
            ("en", "no one answers and the", None),
            ("en", "", None),
            ("nl", "ik heb geen", 2),
            ("nl", "nooit meer een", None),
            ("nl", "geen wonder , weer", None),
            ("nl", "zonder enige", 0),
            ("nl", "niet blij want de", None),
        ],
    )
    def test_what_governs_a_hit(self, language: str, before: str, index: int | None) -> None:
        assert negations(language).governs(before.split()) == index


def test_lines_leave_out_remarks() -> None:
    assert lines_of("a b\n\n  # no\n c ") == ["a b", "c"]
