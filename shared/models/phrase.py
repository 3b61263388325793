"""The phrase language that issue types are written in: how customers say that something is wrong.

A phrase says, in customers' own words, how a problem sounds. It is written in these few signs:

=====================  ==========================================================================================
``no signal``          words, in this order and next to each other; any white space between them
``(a|b c|d)``          one of these; an alternative may be several words and may hold brackets itself
``(x)?``               this or nothing
``cancel(s|led)?``     brackets glued to letters make one word of all: cancel, cancels, cancelled
``valt .. uit``        a gap: 0 to 4 tokens, none of which ends the sentence
``<cant> log in``      a named word set from ``words.yaml`` of the phrase's language; ``<the>?`` makes it optional
=====================  ==========================================================================================

Words are compared *folded* (see `fold`): upper and lower case, accents and curly apostrophes make no difference.
``( ) | ? < >`` cannot be part of a word; a lone ``?`` in a text needs no phrase.

What counts as a hit
--------------------
`Phrase.spellings` expands a phrase into flat rows of *runs*: words that follow one another, with a gap between two
runs. Runs are in the words of the author of the phrase; pass each through the tokenizer of the language ("can't" may
be two tokens, "4g" too), on folded text on both sides. A taxonomy has some 20,000 spellings, most with a gap, but few
different runs: give the runs to one PhraseMatcher and join what it finds (the next run begins 0 to `MAX_GAP` tokens
behind the one before, no sentence ends between). A Matcher pattern per spelling was measured at 20 documents a second.

1. A *negatable* spelling does not count where it is negated: a negation word governs it (`Negation.governs` on the
   tokens before it in its sentence) or denies it from one of its gaps (`Negation.denies_within`). "no outage", "was
   never late", "ik zeg niet op".
2. A spelling that holds a negation word itself ("doet het niet", "no signal") is by default not negatable.
   ``{phrase: …, negatable: false}`` in the file says so for all spellings of a phrase.
3. ``unless`` phrases, of one phrase or of the whole type, undo a hit whose span they overlap by a token or more:
   "geld terug" unless "geld terug .. gekregen". An unless-hit that is negated itself, by rule 1 or by a negation word
   right behind it, undoes nothing: "geld terug nog steeds niet gekregen" and "internet doet het weer niet" stay hits.
4. Overlapping hits of one type keep the longest. A hit of a type whose span overlaps a hit of one of its descendants
   adds nothing: "my internet is down" is outage.internet, not outage as well.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

LANGUAGES: Final = ("en", "nl")
"""The languages that phrases and names are written in (BCP 47)."""
MAX_GAP: Final = 4
"""The most tokens a gap ``..`` may skip."""
NEGATION_REACH: Final = 3
"""How many tokens before a hit a negation word may stand and still govern it."""
MAX_SPELLINGS: Final = 2_000
"""A phrase with more spellings than this is refused: it is several phrases."""

_WORDS: Final = Path(__file__).with_name("taxonomies") / "words.yaml"


class TaxonomyError(ValueError):
    """An issue type, a phrase or a file is not written as it must be. The message says where and what to change."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Stands for 0 to `most` tokens, none of which ends the sentence."""

    most: int = MAX_GAP


@dataclass(frozen=True, slots=True)
class Choice:
    """One place of a phrase: any of `options`, each a row of folded words and gaps; nothing where it is `optional`."""

    options: tuple[tuple[str | Gap, ...], ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Spelling:
    """One flat reading of a phrase: `runs` of folded words (one space between words), with a gap between two runs."""

    runs: tuple[str, ...]
    negatable: bool

    @property
    def has_gap(self) -> bool:
        """True where the words do not simply follow one another."""
        return len(self.runs) > 1


@dataclass(frozen=True, slots=True)
class Phrase:
    """A parsed phrase: its `text` as written and the same as a row of `Choice` and `Gap`."""

    text: str
    language: str
    elements: tuple[Choice | Gap, ...]
    negatable: bool | None = None  # None: each spelling decides, by holding a negation word or not
    unless: tuple["Phrase", ...] = ()

    def spellings(self) -> tuple[Spelling, ...]:
        """Every reading, longest first, without doubles. Computed on each call: keep the result."""
        places: list[list[tuple[str | Gap, ...]]] = []
        for element in self.elements:
            if isinstance(element, Gap):
                places.append([(element,)])
            else:
                places.append([*element.options, *([()] if element.optional else [])])
        negation = negations(self.language)
        found: dict[tuple[str, ...], Spelling] = {}
        for combination in itertools.product(*places):
            runs = _runs(itertools.chain.from_iterable(combination))
            holds = any(negation.holds(word) for run in runs for word in run.split())
            found[runs] = Spelling(runs, (not holds) if self.negatable is None else self.negatable)
        return tuple(sorted(found.values(), key=lambda spelling: -sum(map(len, spelling.runs))))

    def as_source(self) -> str | dict[str, Any]:
        """The phrase as a taxonomy file, an API body or a JSON column writes it; `parse_phrase` reads it back."""
        if self.negatable is None and not self.unless:
            return self.text
        source: dict[str, Any] = {"phrase": self.text}
        if self.negatable is not None:
            source["negatable"] = self.negatable
        if self.unless:
            source["unless"] = [phrase.as_source() for phrase in self.unless]
        return source


@dataclass(frozen=True, slots=True)
class Negation:
    """How one language says no. All words folded."""

    words: frozenset[str]
    not_negations: tuple[tuple[str, ...], ...]  # "not only", "geen wonder": the first word negates nothing here
    of_nouns: frozenset[str]  # those of `words` that deny the noun behind them and nothing else
    breaks: frozenset[str]  # words that begin a new clause: what stands before them governs nothing behind

    def holds(self, word: str) -> bool:
        """Whether this folded word (or token) says no: "never", "n't", "doesn't", "geen"."""
        return word in self.words or word.endswith("n't")

    def denies_within(self, word: str) -> bool:
        """Whether this folded word, standing in a gap of a hit, denies the hit: "zeg .. niet .. op". Words like "without"
        deny only the noun behind them: "cancelled my flight without a word"."""
        return self.holds(word) and word not in self.of_nouns

    def governs(self, before: Sequence[str]) -> int | None:
        """The index, in the folded tokens that precede a hit in its sentence, of the negation word that governs the
        hit; None where there is none. It looks back `NEGATION_REACH` tokens and stops at a clause break or at
        punctuation."""
        for back in range(1, min(NEGATION_REACH, len(before)) + 1):
            at = len(before) - back
            word = before[at]
            if word in self.breaks or not any(letter.isalnum() for letter in word):
                return None
            if self.holds(word):
                return None if self._is_only_apparent(before, at) else at
        return None

    def _is_only_apparent(self, tokens: Sequence[str], at: int) -> bool:
        return any(tuple(tokens[at : at + len(words)]) == words for words in self.not_negations)


def fold(text: str) -> str:
    """Lower case, no accents, straight apostrophes; one code point in, one out, so that every position in the folded
    text is the same position in the text. Expects composed text (NFC), as mentions are stored."""
    return "".join(map(_fold_letter, text))


@cache
def _fold_letter(letter: str) -> str:
    if letter in "\u2018\u2019\u02bc\u00b4`":
        return "'"
    base = unicodedata.normalize("NFD", letter)[0]
    lower = base.lower()
    return lower if len(lower) == 1 else base


def parse_phrase(source: object, language: str) -> Phrase:
    """Read a phrase: a string, or ``{"phrase": …, "negatable": bool, "unless": […]}``.

    Raises TaxonomyError with the place in the phrase where it went wrong."""
    if isinstance(source, str):
        return Phrase(source, language, _parse_text(source, language))
    if not isinstance(source, Mapping) or not isinstance(source.get("phrase"), str):
        raise TaxonomyError(f"A phrase is a text or a mapping with `phrase`; put {source!r} in quotes.")
    refuse_unknown(source, {"phrase", "negatable", "unless"}, f"phrase {source['phrase']!r}")
    negatable, unless = source.get("negatable"), source.get("unless", ())
    if negatable is not None and not isinstance(negatable, bool):
        raise TaxonomyError(f"`negatable` of phrase {source['phrase']!r} must be true or false.")
    if isinstance(unless, str) or not isinstance(unless, Sequence):
        raise TaxonomyError(f"`unless` of phrase {source['phrase']!r} must be a list of phrases.")
    inner = tuple(parse_phrase(one, language) for one in unless)
    return Phrase(source["phrase"], language, _parse_text(source["phrase"], language), negatable, inner)


@cache
def negations(language: str) -> Negation:
    """How the language says no, from ``words.yaml``. Raises TaxonomyError for a language not in LANGUAGES."""
    try:
        source = _words()["negation"][language]
    except KeyError:
        raise TaxonomyError(f"There are no words for {language!r}; choose one of: {', '.join(LANGUAGES)}.") from None
    apparent = tuple(tuple(fold(line).split()) for line in lines_of(source["not_negations"]))
    words, of_nouns, breaks = (frozenset(fold(source[field]).split()) for field in ("words", "of_nouns", "breaks"))
    return Negation(words, apparent, of_nouns, breaks)


@cache
def word_sets(language: str) -> Mapping[str, tuple[str, ...]]:
    """The named word sets of the language: name to readings, each folded words and gaps joined by one space."""
    negations(language)  # refuses an unknown language in a sentence
    sets: dict[str, tuple[str, ...]] = {}
    for name, source in _words()["sets"][language].items():
        readings = itertools.chain.from_iterable(_Reader(line, language, {}).whole() for line in lines_of(source))
        sets[name] = tuple(dict.fromkeys(" ".join(reading.split()) for reading in readings))
    return sets


class _Reader:
    """Recursive descent over one phrase; expands brackets and word sets into the texts they stand for."""

    def __init__(self, text: str, language: str, sets: Mapping[str, tuple[str, ...]]) -> None:
        self.text, self.language, self.sets, self.at = fold(text), language, sets, 0

    def elements(self) -> Iterator[Choice | Gap]:
        while self._skip_space():
            rows = dict.fromkeys(tuple(map(self._piece, reading.split())) for reading in self._item())
            if list(rows) == [(Gap(),)]:
                yield Gap()
            else:
                yield Choice(tuple(row for row in rows if row), optional=() in rows)

    def _piece(self, word: str) -> str | Gap:
        if ".." in word and word != "..":
            self._fail(f"a gap `..` stands between spaces, not inside {word!r}")
        return Gap() if word == ".." else word

    def whole(self) -> list[str]:
        readings = self._sequence()
        if self.at < len(self.text):
            self._fail("a closing bracket has no opening one")
        return readings

    def _sequence(self) -> list[str]:
        readings = [""]
        while self._skip_space() and self.text[self.at] not in "|)":
            readings = self._product(readings, self._item(), " ")
        return readings

    def _item(self) -> list[str]:
        readings = [""]
        while self.at < len(self.text) and not self.text[self.at].isspace() and self.text[self.at] not in "|)":
            readings = self._product(readings, self._atom(), "")
        if self.at < len(self.text) and self.text[self.at] in "|)" and readings == [""]:
            self._fail("a bracket or bar stands where a word was expected")
        return readings

    def _atom(self) -> list[str]:
        start, sign = self.at, self.text[self.at]
        if sign == "(":
            self.at += 1
            readings = self._sequence()
            while self._peek() == "|":
                self.at += 1
                readings = readings + self._sequence()
            if self._peek() != ")":
                self.at = start
                self._fail("this bracket is not closed")
            if "" in readings:
                self._fail("an alternative is empty; write (x)? for something that may be missing")
        elif sign == "<":
            end = self.text.find(">", start)
            name = self.text[start + 1 : end]
            if end < 0 or name not in self.sets:
                self._fail(f"there is no word set {name!r}; known ones: {', '.join(sorted(self.sets))}")
            self.at, readings = end, list(self.sets[name])
        elif sign in "?>":
            self._fail(f"{sign!r} belongs behind a closing bracket")
        else:
            match = re.compile(r"[^()|?<>\s]+").match(self.text, start)
            assert match is not None
            self.at = match.end()
            return [match[0]]
        self.at += 1
        if self._peek() == "?":
            self.at += 1
            readings = [*readings, ""]
        return readings

    def _product(self, left: list[str], right: list[str], glue: str) -> list[str]:
        if len(left) * len(right) > MAX_SPELLINGS:
            self._fail(f"it has more than {MAX_SPELLINGS} spellings; split it")
        return [f"{one}{glue if one and other else ''}{other}" for one in left for other in right]

    def _skip_space(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _fail(self, problem: str) -> NoReturn:
        raise TaxonomyError(f"Phrase {self.text!r}, at character {self.at + 1}: {problem}.")


def _parse_text(text: str, language: str) -> tuple[Choice | Gap, ...]:
    reader = _Reader(text, language, word_sets(language))
    elements = tuple(reader.elements())
    choices = [element for element in elements if isinstance(element, Choice)]
    if all(choice.optional for choice in choices):
        raise TaxonomyError(f"Phrase {text!r} can match nothing at all; give it a word that must be there.")
    for edge in (elements[0], elements[-1]):
        if isinstance(edge, Gap) or edge.optional:
            raise TaxonomyError(f"Phrase {text!r} begins or ends with a gap or an optional part; that changes nothing.")
    size = 1
    for choice in choices:
        size *= len(choice.options) + choice.optional
    if size > MAX_SPELLINGS:
        raise TaxonomyError(f"Phrase {text!r} has {size} spellings, more than {MAX_SPELLINGS}; split it.")
    return elements


def _runs(pieces: Iterable[str | Gap]) -> tuple[str, ...]:
    """The words between gaps; left-out options can leave gaps side by side or at an end, where they mean nothing."""
    grouped = itertools.groupby(pieces, key=lambda piece: isinstance(piece, Gap))
    return tuple(" ".join(map(str, words)) for is_gap, words in grouped if not is_gap)


def refuse_unknown(source: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raise TaxonomyError when `source` has a field that is not `known`; a misspelt field is never just ignored."""
    unknown = sorted(str(field) for field in source if field not in known)
    if unknown:
        raise TaxonomyError(f"The {where} has unknown fields {', '.join(unknown)}; known: {', '.join(sorted(known))}.")


def lines_of(source: str) -> list[str]:
    """The lines of a block of text that say something: no empty ones, none that begin with ``#``."""
    lines = (line.strip() for line in source.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _words() -> Any:
    return read_yaml(_WORDS)


def read_yaml(path: Path) -> Any:
    """The mapping that a YAML file of this project holds. Raises TaxonomyError when it is not valid."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TaxonomyError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise TaxonomyError(f"{path.name} must be a mapping.")
    return content
