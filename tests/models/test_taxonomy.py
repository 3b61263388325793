"""The shipped taxonomies and the phrase language: what a phrase expands to, and what customers' sentences it finds."""

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.models import taxonomy
from shared.models.phrase import (
    LANGUAGES,
    MAX_GAP,
    Choice,
    Gap,
    Negation,
    Phrase,
    Shape,
    TaxonomyError,
    fold,
    lines_of,
    negations,
    parse_phrase,
    word_sets,
)
from shared.models.taxonomy import IssueTypeDefinition, load, read_definition, sectors

TWEETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline_dev.jsonl.gz"
ENDS = frozenset(".!?…\n")
SECTORS = ("airline", "bank", "energy", "retail", "software", "telecom")


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

    def test_folding(self) -> None:
        assert fold("Één CAFÉ’s naïef") == "een cafe's naief"


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


GOOD: dict[str, Any] = {
    "key": "outage.internet",
    "name": {"en": "Internet outage", "nl": "Internetstoring"},
    "severity": 5,
    "phrases": {"en": "no internet\n# a remark\n\ninternet .. down", "nl": ["geen internet"]},
    "unless": {"nl": [{"phrase": "geen internet .. nodig", "negatable": False}]},
}


class TestDefinitions:
    def test_what_is_written_is_read_and_written_again(self) -> None:
        definition = read_definition(GOOD)
        assert [phrase.text for phrase in definition.phrases["en"]] == ["no internet", "internet .. down"]
        assert read_definition(json.loads(json.dumps(definition.as_source()))) == definition

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"key": "Outage Internet"}, "lower-case words joined by dots"),
            ({"name": {"en": "Outage"}}, "needs a `name`"),
            ({"name": {"en": "A", "nl": "B", "gift card": None}}, "unknown fields gift card"),
            ({"severity": 6}, "from 1 to 5"),
            ({"severity": True}, "from 1 to 5"),
            ({"parent": "Not a key"}, "must be the key"),
            ({"phrases": {"de": ["kein netz"]}}, "unknown fields de"),
            ({"phrases": {"en": ["ok", "not ("]}}, "Issue type outage.internet, phrases.en: Phrase 'not ('"),
            ({"phrase": []}, "unknown fields phrase"),
        ],
    )
    def test_a_mistake_is_said_with_its_place(self, change: dict[str, Any], said: str) -> None:
        with pytest.raises(TaxonomyError, match=re.escape(said)):
            read_definition({**GOOD, **change})


class TestShippedFiles:
    def test_there_is_one_for_every_sector(self) -> None:
        assert sectors() == SECTORS
        with pytest.raises(TaxonomyError, match="choose one of: airline, bank"):
            load("bakery")

    @pytest.mark.parametrize("sector", [None, *SECTORS])
    def test_every_type_is_rich_in_both_languages(self, sector: str | None) -> None:
        definitions = load(sector)
        seen: set[str] = set()
        for definition in definitions:
            assert definition.parent is None or definition.parent in seen, "parents come first"
            seen.add(definition.key)
            for language in LANGUAGES:
                texts = [phrase.text for phrase in definition.phrases[language]]
                assert 8 <= len(texts) <= 30, f"{definition.key} {language}"
                assert len(set(texts)) == len(texts), f"{definition.key} {language} says something twice"
        if sector:
            assert 12 <= len(definitions) - len(load(None)) <= 20

    def test_sectors_can_be_loaded_together(self) -> None:
        keys = Counter(one.key for sector in SECTORS for one in load(sector)) - Counter(
            one.key for _ in SECTORS for one in load(None)
        )
        assert [key for key, times in keys.items() if times > 1] == []

    def test_a_parent_ring_and_a_missing_parent_are_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = "{key: %s, name: {en: A, nl: B}, severity: 1, parent: %s}"
        (tmp_path / "common.yaml").write_text("issue_types: []")
        for name, rows in {"ring": [("a", "b"), ("b", "a")], "orphan": [("a", "nobody")]}.items():
            lines = "".join(f"\n  - {body % row}" for row in rows)
            (tmp_path / f"{name}.yaml").write_text(f"issue_types:{lines}")
        monkeypatch.setattr(taxonomy, "_FOLDER", tmp_path)
        taxonomy._read_file.cache_clear()
        try:
            with pytest.raises(TaxonomyError, match="form a ring"):
                load("ring")
            with pytest.raises(TaxonomyError, match="parent nobody, which does not exist"):
                load("orphan")
        finally:
            taxonomy._read_file.cache_clear()


class TestCustomersWords:
    """What a matcher that follows the rules of shared/models/phrase.py finds. Written apart from triage's own."""

    @pytest.mark.parametrize(
        ("sector", "language", "text", "key"),
        [
            ("telecom", "en", "My internet is down AGAIN and nobody answers the phone", "outage.internet"),
            ("telecom", "en", "still waiting, the engineer never showed up", "installation.engineer"),
            ("telecom", "en", "I’m leaving you for a competitor, never again", "contract.cancel"),
            ("telecom", "en", "Charged twice for October!", "billing.charged_wrongly"),
            ("telecom", "nl", "mijn internet doet het weer niet", "outage.internet"),
            ("telecom", "nl", "al drie kwartier in de wacht", "contact.unreachable"),
            ("telecom", "nl", "geld terug nog steeds niet gekregen", "billing.refund"),
            ("telecom", "nl", "monteur is weer niet komen opdagen", "installation.engineer"),
            ("telecom", "nl", "in heel Zwolle geen bereik", "mobile.coverage"),
            ("telecom", "nl", "ik zeg mijn abonnement op", "contract.cancel"),
            ("telecom", "nl", "krijg mijn geld maar niet terug", "billing.refund"),
            ("airline", "en", "3 hour delay and now you lost my bag", "baggage.lost"),
            ("airline", "nl", "onze vlucht is zonder uitleg geannuleerd", "flight.cancelled"),
            ("bank", "en", "my card was declined at the supermarket", "card.declined"),
            ("bank", "nl", "oplichters hebben mijn spaarrekening leeggehaald", "fraud.unauthorised"),
            ("energy", "en", "we can smell gas in the hallway", "gas.leak"),
            ("energy", "nl", "termijnbedrag is ineens verdubbeld", "bill.advance"),
            ("retail", "en", "parcel says delivered but nothing has arrived", "delivery.missing"),
            ("retail", "nl", "verkeerde maat gestuurd en retourlabel werkt niet", "order.wrong"),
            ("software", "en", "the app crashes since the last update and I lost all my notes", "data.loss"),
            ("software", "nl", "exporteren naar csv lukt niet", "export"),
        ],
    )
    def test_a_problem_is_found(self, sector: str, language: str, text: str, key: str) -> None:
        assert key in find(sector, language, text)

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("en", "works fine, no problem at all"),
            ("en", "No outage here, never had an outage in nine years"),
            ("en", "not expensive at all and great speeds"),
            ("en", "got my refund within two days, thank you"),
            ("en", "I have no plans to leave"),
            ("nl", "geen storing hier hoor, werkt prima"),
            ("nl", "nooit storing gehad"),
            ("nl", "ik zeg niet op, veel te blij mee"),
            ("nl", "netjes mijn geld terug gekregen"),
            ("nl", "internet doet het weer, dank jullie wel!"),
            ("nl", "vijf streepjes in de kelder, top bereik"),
        ],
    )
    def test_praise_and_denials_are_not_problems(self, language: str, text: str) -> None:
        assert find("telecom", language, text) == set()

    def test_real_complaints_are_found_and_real_praise_is_left_alone(self) -> None:
        if not TWEETS.exists():
            pytest.skip(f"{TWEETS} is not on this machine")
        with gzip.open(TWEETS, "rt", encoding="utf-8") as file:
            tweets = [json.loads(line) for line in islice(file, 1_500)]
        hit: Counter[str] = Counter()
        reasons: dict[str, list[set[str]]] = defaultdict(list)
        for tweet in tweets:
            found = find("airline", "en", tweet["text"])
            hit[tweet["sentiment"]] += bool(found)
            reasons[tweet["reason"]].append(found)
        total = Counter(tweet["sentiment"] for tweet in tweets)
        assert hit["positive"] / total["positive"] < 0.10
        assert hit["negative"] / total["negative"] > 0.36
        for reason, key in (("Cancelled Flight", "flight.cancelled"), ("Late Flight", "flight.delayed")):
            assert sum(key in found for found in reasons[reason]) / len(reasons[reason]) > 0.4, reason


def find(sector: str, language: str, text: str) -> set[str]:
    """The keys found in a text, by a matcher of this file's own."""
    tokens = words(text)
    negation = negations(language)
    hits: list[tuple[str, bool, int, int]] = []
    for at, token in enumerate(tokens):
        for key, undoes, phrase, shape in shapes_by_first_word(sector, language).get(token, ()):
            for runs, end, skipped in ends(tokens, at, shape, 0, negation):
                sentence = next((i + 1 for i in range(at - 1, -1, -1) if tokens[i] in ENDS), 0)
                denied = negation.governs(tokens[sentence:at]) is not None or any(
                    negation.denies_within(tokens[i]) for i in skipped
                )
                if (phrase.is_negatable(runs) and denied) or negation.supposes(tokens[sentence:at]):
                    continue
                if not (undoes and taken_back(tokens[end : end + 3], negation)):
                    hits.append((key, undoes, at, end))
    undone = [hit for hit in hits if hit[1]]
    return {
        key
        for key, undoes, start, end in hits
        if not undoes and not any(one[0] == key and one[2] < end and start < one[3] for one in undone)
    }


def taken_back(behind: list[str], negation: Negation) -> bool:
    for word in behind:
        if word in ENDS or is_break(word, negation):
            return False
        if negation.denies_within(word):
            return True
    return False


def is_break(word: str, negation: Negation) -> bool:
    return word in negation.joins or not any(letter.isalnum() for letter in word)


def words(text: str) -> list[str]:
    return re.findall(r"\n|[^\W_]+(?:'[^\W_]+)*|[^\w\s]", fold(text))


def ends(
    tokens: list[str], at: int, shape: Shape, number: int, negation: Negation
) -> Iterator[tuple[list[str], int, list[int]]]:
    """The runs, where they end, and what was skipped, for each way that the shape stands from its segment `number` on at `at`."""
    for run in shape.segments[number]:
        behind = at + len(cut(run))
        if tuple(tokens[at:behind]) != cut(run):
            continue
        if number + 1 == len(shape.segments):
            yield [run], behind, []
            continue
        gap = shape.gaps[number]
        for skip in range(gap.most + 1):
            between = tokens[behind : behind + skip]
            if any(word in ENDS or (gap.short and is_break(word, negation)) for word in between):
                break
            for runs, end, skipped in ends(tokens, behind + skip, shape, number + 1, negation):
                yield [run, *runs], end, [*range(behind, behind + skip), *skipped]


@cache
def cut(run: str) -> tuple[str, ...]:
    return tuple(words(run))


@cache
def shapes_by_first_word(sector: str, language: str) -> dict[str, list[tuple[str, bool, Phrase, Shape]]]:
    found: dict[str, list[tuple[str, bool, Phrase, Shape]]] = defaultdict(list)
    for definition in load(sector):
        for undoes, phrases in both(definition, language):
            for phrase in phrases:
                for shape in phrase.shapes():
                    for first in {cut(run)[0] for run in shape.segments[0]}:
                        found[first].append((definition.key, undoes, phrase, shape))
    return found


def both(definition: IssueTypeDefinition, language: str) -> Iterator[tuple[bool, Any]]:
    yield False, definition.phrases.get(language, ())
    yield True, definition.unless.get(language, ())


def test_lines_leave_out_remarks() -> None:
    assert lines_of("a b\n\n  # no\n c ") == ["a b", "c"]
