"""The phrase language that issue types are written in: how customers say that something is wrong.

A phrase says, in customers' own words, how a problem sounds. It is written in these few signs:

=====================  ==========================================================================================
``no signal``          words, in this order and next to each other; any white space between them
``(a|b c|d)``          one of these; an alternative may be several words and may hold brackets itself
``(x)?``               this or nothing
``cancel(s|led)?``     brackets glued to letters make one word of all: cancel, cancels, cancelled
``valt .. uit``        a gap: 0 to 4 tokens, none of which ends the sentence
``app ~ broken``       a short gap: 0 to 3 tokens, no comma or other sign among them, no word that brings another subject
``<cant> log in``      a named word set from ``words.yaml`` of the phrase's language; ``<the>?`` makes it optional
``<broken: app|site>`` a pattern from ``words.yaml``: each of its lines with the things in the place of ``*``; alone in a phrase
=====================  ==========================================================================================

Words are compared *folded* (see `fold`): upper and lower case, accents and curly apostrophes make no difference.
``( ) | ? < > ~`` cannot be part of a word; a lone ``?`` in a text needs no phrase.

What counts as a hit
--------------------
`Phrase.shapes` cuts a phrase at its gaps into *segments*, each any of some *runs*: words that follow one another. Runs are in
the words of the author of the phrase; pass each through the tokenizer of the language ("can't" may be two tokens, "4g"
too), on folded text on both sides. A taxonomy has a million spellings and more, but some thousand runs: give the runs to one
PhraseMatcher and join the segments it finds (the next begins within the gap behind the one before). A Matcher pattern per
spelling was measured at 20 documents a second.

1. A *negatable* spelling does not count where it is negated: a negation word governs it (`Negation.governs` on the
   tokens before it in its sentence) or denies it from one of its gaps (`Negation.denies_within`). "no outage", "was
   never late", "ik zeg niet op".
2. A spelling that holds a negation word itself ("doet het niet", "no signal") is by default not negatable.
   ``{phrase: …, negatable: false}`` in the file says so for all spellings of a phrase.
3. A spelling does not count where it is only supposed: behind "if", "mocht" and the like, with nothing but articles between
   (`Negation.supposes`). "if the internet is down" says nothing of now; "if I cannot log in" tells what happened.
4. ``unless`` phrases, of one phrase or of the whole type, undo a hit whose span they overlap by a token or more:
   "geld terug" unless "geld terug .. gekregen". An unless-hit that is negated itself, by rule 1 or by a negation word
   among the three words behind it in its clause, undoes nothing: "geld terug nog steeds niet gekregen" stays a hit.
5. Of one shape the tightest place counts, of several over the same words the longest. A hit of a type whose span overlaps a hit
   of one of its descendants adds nothing: "my internet is down" is outage.internet, not outage as well.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, NoReturn

from shared.models.words import (
    LANGUAGES,
    NEGATION_REACH,
    Negation,
    TaxonomyError,
    fold,
    lines_of,
    negations,
    read_yaml,
    refuse_unknown,
    words,
)

__all__ = [
    "LANGUAGES", "MAX_GAP", "NEGATION_REACH", "Choice", "Gap", "Negation", "Phrase", "Shape", "Spelling", "TaxonomyError",
    "fold", "lines_of", "negations", "parse_phrase", "read_yaml", "refuse_unknown", "word_sets",
]  # fmt: skip

MAX_GAP: Final = 4
"""The most tokens a gap ``..`` may skip."""
SHORT_GAP: Final = 3
"""The most tokens a short gap ``~`` may skip."""
MAX_SPELLINGS: Final = 2_000
"""A phrase with more spellings than this between two gaps is refused: it is several phrases."""
MAX_RUNS: Final = 6_000
"""A phrase that a matcher would hold more runs of words for than this is refused, too."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Stands for 0 to `most` tokens, none of which ends the sentence; a `short` one stops at other signs and new clauses too."""

    most: int = MAX_GAP
    short: bool = False


SHORT: Final = Gap(SHORT_GAP, short=True)


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
class Shape:
    """Many spellings at once: for each run the `segments` that may stand there, and the `gaps` between them."""

    segments: tuple[tuple[str, ...], ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A parsed phrase: its `text` as written and the same as rows of `Choice` and `Gap`: one row, or one for each line of the
    pattern that it uses."""

    text: str
    language: str
    rows: tuple[tuple[Choice | Gap, ...], ...]
    negatable: bool | None = None  # None: each spelling decides, by holding a negation word or not
    unless: tuple["Phrase", ...] = ()

    @property
    def elements(self) -> tuple[Choice | Gap, ...]:
        """The row of a phrase that uses no pattern; the first row of one that does."""
        return self.rows[0]

    def shapes(self) -> tuple[Shape, ...]:
        """All readings, those that differ in words alone put together. Computed on each call: keep the result."""
        return tuple(dict.fromkeys(shape for row in self.rows for shape in _shapes(row)))

    def is_negatable(self, runs: Iterable[str]) -> bool:
        """Whether a reading with these runs can be denied by a negation word before it or in its gaps."""
        if self.negatable is not None:
            return self.negatable
        negation = negations(self.language)
        return not any(negation.holds(word) for run in runs for word in run.split())

    def spellings(self) -> tuple[Spelling, ...]:
        """Every reading by itself, longest first, without doubles: for phrases that have few."""
        rows = dict.fromkeys(runs for shape in self.shapes() for runs in itertools.product(*shape.segments))
        found = [Spelling(runs, self.is_negatable(runs)) for runs in rows]
        return tuple(sorted(found, key=lambda spelling: -sum(map(len, spelling.runs))))

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


def parse_phrase(source: object, language: str) -> Phrase:
    """Read a phrase: a string, or ``{"phrase": …, "negatable": bool, "unless": […]}``.

    Raises TaxonomyError with the place in the phrase where it went wrong."""
    if isinstance(source, str):
        return Phrase(source, language, _rows(source, language))
    if not isinstance(source, Mapping) or not isinstance(source.get("phrase"), str):
        raise TaxonomyError(f"A phrase is a text or a mapping with `phrase`; put {source!r} in quotes.")
    refuse_unknown(source, {"phrase", "negatable", "unless"}, f"phrase {source['phrase']!r}")
    negatable, unless = source.get("negatable"), source.get("unless", ())
    if negatable is not None and not isinstance(negatable, bool):
        raise TaxonomyError(f"`negatable` of phrase {source['phrase']!r} must be true or false.")
    if isinstance(unless, str) or not isinstance(unless, Sequence):
        raise TaxonomyError(f"`unless` of phrase {source['phrase']!r} must be a list of phrases.")
    inner = tuple(parse_phrase(one, language) for one in unless)
    return Phrase(source["phrase"], language, _rows(source["phrase"], language), negatable, inner)


@cache
def word_sets(language: str) -> Mapping[str, tuple[str, ...]]:
    """The named word sets of the language: name to readings, each folded words and gaps joined by one space."""
    negations(language)  # refuses an unknown language in a sentence
    sets: dict[str, tuple[str, ...]] = {}
    for name, source in words()["sets"][language].items():
        readings = itertools.chain.from_iterable(_Reader(line, language, {}).whole() for line in lines_of(source))
        sets[name] = tuple(dict.fromkeys(" ".join(reading.split()) for reading in readings))
    return sets


@cache
def patterns(language: str) -> Mapping[str, tuple[str, ...]]:
    """The patterns of the language: name to lines, in each of which ``*`` is the place of what the phrase puts in."""
    return {name: tuple(lines_of(source)) for name, source in words()["patterns"][language].items()}


_PATTERN: Final = re.compile(r"\s*<([a-z_]+):(.+)>\s*", re.DOTALL)


class _Reader:
    """Recursive descent over one phrase; expands brackets and word sets into the texts they stand for."""

    def __init__(self, text: str, language: str, sets: Mapping[str, tuple[str, ...]]) -> None:
        self.text, self.language, self.sets, self.at = fold(text), language, sets, 0

    def elements(self) -> Iterator[Choice | Gap]:
        while self._skip_space():
            rows = dict.fromkeys(tuple(map(self._piece, reading.split())) for reading in self._item())
            if list(rows) == [(Gap(),)]:
                yield Gap()
            elif list(rows) == [(SHORT,)]:
                yield SHORT
            else:
                yield Choice(tuple(row for row in rows if row), optional=() in rows)

    def _piece(self, word: str) -> str | Gap:
        if ".." in word and word != "..":
            self._fail(f"a gap `..` stands between spaces, not inside {word!r}")
        if "~" in word and word != "~":
            self._fail(f"a short gap `~` stands between spaces, not inside {word!r}")
        return Gap() if word == ".." else SHORT if word == "~" else word

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


@lru_cache(maxsize=50_000)
def _rows(text: str, language: str) -> tuple[tuple[Choice | Gap, ...], ...]:
    """The rows of a phrase, one for each line of a pattern. Raises TaxonomyError."""
    pattern = _PATTERN.fullmatch(text)
    if not pattern:
        rows = [_row(text, language)]
    else:
        lines = patterns(language).get(pattern[1])
        if lines is None:
            known = ", ".join(sorted(patterns(language)))
            raise TaxonomyError(f"Phrase {text!r}: there is no pattern {pattern[1]!r}; known ones: {known}.")
        rows = [_row(line.replace("*", f"({pattern[2].strip()})"), language) for line in lines]
    size = sum(sum(map(len, shape.segments)) for row in rows for shape in _shapes(row))
    if size > MAX_RUNS:
        raise TaxonomyError(f"Phrase {text!r} has {size} runs of words, more than {MAX_RUNS}; split it.")
    return tuple(rows)


@lru_cache(maxsize=50_000)
def _row(text: str, language: str) -> tuple[Choice | Gap, ...]:
    reader = _Reader(text, language, word_sets(language))
    elements = tuple(reader.elements())
    choices = [element for element in elements if isinstance(element, Choice)]
    if all(choice.optional for choice in choices):
        raise TaxonomyError(f"Phrase {text!r} can match nothing at all; give it a word that must be there.")
    for edge in (elements[0], elements[-1]):
        if isinstance(edge, Gap) or edge.optional:
            raise TaxonomyError(f"Phrase {text!r} begins or ends with a gap or an optional part; that changes nothing.")
    for is_gap, between in itertools.groupby(elements, key=lambda element: isinstance(element, Gap)):
        size = 1
        for choice in between:
            size *= 1 if is_gap or isinstance(choice, Gap) else len(choice.options) + choice.optional
        if size > MAX_SPELLINGS:
            raise TaxonomyError(f"Phrase {text!r} has {size} spellings, more than {MAX_SPELLINGS}; split it.")
    return elements


@lru_cache(maxsize=50_000)
def _shapes(row: tuple[Choice | Gap, ...]) -> tuple[Shape, ...]:
    """The shapes of one row: an option with a gap in it makes a shape of its own."""
    variants: list[list[tuple[str, ...] | Gap]] = [[]]
    for element in row:
        if isinstance(element, Gap):
            ways: list[list[tuple[str, ...] | Gap]] = [[element]]
        else:
            plain = tuple(" ".join(map(str, one)) for one in element.options if not _has_gap(one))
            ways = [[(*plain, "") if element.optional else plain]] if plain or element.optional else []
            ways += _merged([one for one in element.options if _has_gap(one)])
        variants = [[*variant, *way] for variant in variants for way in ways]
    return tuple(dict.fromkeys(shape for variant in variants for shape in _cut(variant)))


def _has_gap(option: Sequence[str | Gap]) -> bool:
    return any(isinstance(piece, Gap) for piece in option)


def _merged(options: Iterable[Sequence[str | Gap]]) -> list[list[tuple[str, ...] | Gap]]:
    """Options with gaps; those that differ in one run only are put together."""
    rows: list[tuple[tuple[str, ...] | Gap, ...]] = []
    for option in options:
        row: list[tuple[str, ...] | Gap] = []
        for _, group in itertools.groupby(option, key=lambda piece: isinstance(piece, Gap)):
            pieces = list(group)
            row.append(pieces[0] if isinstance(pieces[0], Gap) else (" ".join(map(str, pieces)),))
        rows.append(tuple(row))
    for at in range(max(map(len, rows), default=0)):
        together: dict[tuple[Any, ...], dict[str, None]] = {}
        others = [one for one in rows if at >= len(one) or isinstance(one[at], Gap)]
        for one in rows:
            if at < len(one) and not isinstance(runs := one[at], Gap):
                together.setdefault((one[:at], one[at + 1 :]), {}).update(dict.fromkeys(runs))
        rows = [*others, *((*before, tuple(runs), *after) for (before, after), runs in together.items())]
    return [list(one) for one in rows]


def _cut(variant: Sequence[tuple[str, ...] | Gap]) -> Iterator[Shape]:
    """The shapes of pieces in a row: a segment that may be left out wholly is there in one shape and not in the other."""
    grouped: list[tuple[str, ...] | Gap] = []
    for is_gap, pieces in itertools.groupby(variant, key=lambda piece: isinstance(piece, Gap)):
        if is_gap:
            grouped.append(max((gap for gap in pieces if isinstance(gap, Gap)), key=lambda gap: gap.most))
        else:
            ways = itertools.product(*(piece for piece in pieces if not isinstance(piece, Gap)))
            grouped.append(tuple(dict.fromkeys(" ".join(filter(None, way)) for way in ways)))
    for at, piece in enumerate(grouped):
        if not isinstance(piece, Gap) and "" in piece:
            if full := tuple(run for run in piece if run):
                yield from _cut([*grouped[:at], full, *grouped[at + 1 :]])
            yield from _cut([*grouped[:at], *grouped[at + 1 :]])
            return
    while grouped and isinstance(grouped[0], Gap):
        del grouped[0]
    while grouped and isinstance(grouped[-1], Gap):
        del grouped[-1]
    segments = tuple(piece for piece in grouped if not isinstance(piece, Gap))
    yield Shape(segments, tuple(piece for piece in grouped if isinstance(piece, Gap)))
