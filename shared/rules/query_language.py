"""The listening query language: what a saved search says, where it is wrong, and where in a text it holds.

| written | finds |
|---|---|
| `storing` | the word, whatever its case and accents, never a part of another word |
| `"kapot gegaan"` | these words in this order, with white space or a dash or slash between them |
| `a b`, `a AND b` | both |
| `a OR b` | at least one; AND binds closer |
| `NOT a`, `-a` | texts without it |
| `( … )` | grouping |
| `#outage`, `@northwind` | the hashtag; the handle, also as the first part of a longer address |

AND, OR and NOT are operators in capitals only. A query has to look for something: `NOT a`, and `a OR NOT b`, which
nearly every text of the world fulfils, are refused. Marks at the end of a bare word (`storing,`) are not searched; in
quotes they are. Folding and the ends of words are those of `folding`; positions and spans are code points of the
original.

In the tree NOT stands in front of leaves only (`NOT (a OR b)` is read as `NOT a AND NOT b`). A term is a leaf;
operators over terms (nearness) and over fields (`author:`) are further leaves.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from shared.rules.folding import Folded, fold, is_bounded, is_word

LONGEST = 8_000
MOST_TERMS = 500
DEEPEST = 50

TermKind = Literal["word", "phrase", "handle", "hashtag"]


class QuerySyntaxError(ValueError):
    """A query that cannot be read: what is wrong, and where, as a position in code points from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"{message} (at position {position})")
        self.position = position
        self.message = message


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a text, in code points, a term of the query stands."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Term:
    """A word, phrase, handle or hashtag; `words` are its parts in folded form, without the white space between."""

    text: str
    kind: TermKind
    position: int
    words: tuple[str, ...]
    pattern: re.Pattern[str] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The leaf does not hold."""

    part: Term


Query: TypeAlias = Term | And | Or | Not


def parse(text: str) -> Query:
    """The query that was written down.

    Raises:
        QuerySyntaxError: with the position and a sentence that says what to do.
    """
    if len(text) > LONGEST:
        raise QuerySyntaxError(LONGEST, f"A query has {LONGEST:,} characters at most. Split it into several queries.")
    query = _pushed_down(_Parser(text).query(), negated=False)
    if _needed(query) is None:
        raise QuerySyntaxError(
            0, "This query says only what it does not look for, or has an OR with such a side. Add a word it looks for."
        )
    return query


def matches(query: Query, text: str | Folded) -> tuple[Span, ...]:
    """Where the query's terms stand in a text, in order; nothing if the query does not hold.

    Fold a text once where many queries look at it.
    """
    folded = Folded(text) if isinstance(text, str) else text
    found = _find(query, folded)
    return tuple(sorted(set(found), key=lambda span: (span.start, span.end))) if found else ()


def terms(query: Query) -> frozenset[str]:
    """Words, folded, of which every text that the query finds holds at least one: for a gate in front of it.

    Of the sides of an AND the most telling one is taken: the fewest words, then the longest.
    """
    return _needed(query) or frozenset()


def leaves(query: Query) -> Iterator[Term]:
    """All terms of a query, those under NOT too, in the order they were written."""
    match query:
        case Term():
            yield query
        case Not():
            yield query.part
        case _:
            for part in query.parts:
                yield from leaves(part)


def _find(query: Query, text: Folded) -> list[Span] | None:
    """The spans of what is looked for; None if the query does not hold."""
    match query:
        case Term():
            return list(_occurrences(query, text)) or None
        case Not():
            return [] if _find(query.part, text) is None else None
        case And():
            together: list[Span] = []
            for part in query.parts:
                spans = _find(part, text)
                if spans is None:
                    return None
                together += spans
            return together
        case Or():
            sides = [spans for spans in (_find(part, text) for part in query.parts) if spans is not None]
            return [span for spans in sides for span in spans] if sides else None


def _occurrences(term: Term, text: Folded) -> Iterator[Span]:
    at = 0
    while found := term.pattern.search(text.text, at):
        if is_bounded(text.text, found.start(), found.end()) and _stands_alone(term, text.text, found.start()):
            yield Span(*text.original(found.start(), found.end()))
            at = found.end()
        else:
            at = found.start() + 1


def _stands_alone(term: Term, text: str, start: int) -> bool:
    # The @ and # of a term are no letters, so the ends of words do not keep `a@northwind.example` from `@northwind`.
    return term.kind not in {"handle", "hashtag"} or start == 0 or not is_word(text[start - 1])


def _needed(query: Query) -> frozenset[str] | None:
    """Words of which one must stand in a text for the query to hold; None if there are none such."""
    match query:
        case Term():
            return frozenset((max(query.words, key=len),))
        case Not():
            return None
        case And() | Or():
            sides = [_needed(part) for part in query.parts]
            known = [side for side in sides if side is not None]
            if isinstance(query, And):
                return min(known, key=lambda side: (len(side), -min(map(len, side)), sorted(side)), default=None)
            return frozenset().union(*known) if len(known) == len(sides) else None


@dataclass(frozen=True, slots=True)
class _Negated:
    """NOT as it is written, in front of anything."""

    part: "_Written"


_Written: TypeAlias = "Term | _Negated | tuple[Literal['and', 'or'], tuple[_Written, ...]]"


def _pushed_down(written: _Written, *, negated: bool) -> Query:
    """The tree with every NOT moved down to the leaves."""
    if isinstance(written, Term):
        return Not(written) if negated else written
    if isinstance(written, _Negated):
        return _pushed_down(written.part, negated=not negated)
    joined, parts = written
    moved = tuple(_pushed_down(part, negated=negated) for part in parts)
    return Or(moved) if (joined == "or") is not negated else And(moved)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["(", ")", "AND", "OR", "NOT", "term", "end"]
    position: int
    text: str = ""
    quoted: bool = False


_QUOTES = '"“”„‟'
_FIELD = re.compile(r"([^\W\d][\w-]*):", re.ASCII)
_NEAR = re.compile(r"NEAR/\d*f?", re.ASCII)
_WORD_ENDS_AT = re.compile(rf"[\s(){_QUOTES}]")
_LOOSE_END = ",;:.!?…"
_BETWEEN = r"[\s\-\u2012-\u2015/]+"
_QUOTE_IT = "To look for the text itself, put it in quotes."


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        letter = text[at]
        if letter.isspace():
            at += 1
        elif letter in "()":
            yield _Token("(" if letter == "(" else ")", at)
            at += 1
        elif letter in _QUOTES:
            end = next((i for i in range(at + 1, len(text)) if text[i] in _QUOTES), None)
            if end is None:
                raise QuerySyntaxError(at, "This quote is never closed. Add the closing quote.")
            yield _Token("term", at, text[at + 1 : end], quoted=True)
            at = end + 1
        elif letter == "-" and at + 1 < len(text) and not text[at + 1].isspace():
            yield _Token("NOT", at, "-")
            at += 1
        else:
            ends = _WORD_ENDS_AT.search(text, at)
            word = text[at : ends.start() if ends else len(text)]
            yield _word(word, at)
            at += len(word)
    yield _Token("end", len(text))


def _word(word: str, at: int) -> _Token:
    if word in {"AND", "OR", "NOT"}:
        return _Token("AND" if word == "AND" else "OR" if word == "OR" else "NOT", at, word)
    if found := _FIELD.match(word):
        raise QuerySyntaxError(at, f"There is no search operator {found[0]!r:.40}. {_QUOTE_IT}")
    if _NEAR.fullmatch(word):
        raise QuerySyntaxError(at, f"There is no search operator {word!r:.40}. {_QUOTE_IT}")
    if "*" in word:
        raise QuerySyntaxError(at + word.index("*"), f"Words cannot be shortened with *. {_QUOTE_IT}")
    return _Token("term", at, word)


def _term(token: _Token) -> Term:
    text = token.text if token.quoted else token.text.rstrip(_LOOSE_END)
    words = tuple(fold(text).split())
    if not words or (not token.quoted and text.isascii() and not any(letter.isalnum() for letter in text)):
        raise QuerySyntaxError(token.position, "There is nothing to look for here. Write a word, or mark it in quotes.")
    kind: TermKind = "phrase" if len(words) > 1 else "word"
    if len(words) == 1 and len(words[0]) > 1 and words[0][0] in "@#":
        kind = "handle" if words[0][0] == "@" else "hashtag"
    pattern = re.compile(_BETWEEN.join(re.escape(word) for word in words))
    return Term(text, kind, token.position, words, pattern)


class _Parser:
    """Reads: either = both { OR both }, both = one { [AND] one }, one = { NOT } ( term | "(" either ")" )."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.token = next(self.tokens)
        self.terms = 0
        self.depth = 0

    def query(self) -> _Written:
        if self.token.kind == "end":
            raise QuerySyntaxError(0, "The query is empty. Write at least one word to look for.")
        query = self.either()
        if self.token.kind == ")":
            raise QuerySyntaxError(
                self.token.position, "This parenthesis closes nothing. Take it out, or open it before."
            )
        return query

    def move(self) -> None:
        self.token = next(self.tokens)

    def either(self) -> _Written:
        parts = [self.both()]
        while self.token.kind == "OR":
            self.move()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else ("or", tuple(parts))

    def both(self) -> _Written:
        parts = [self.one()]
        while self.token.kind in {"AND", "NOT", "term", "("}:
            if self.token.kind == "AND":
                self.move()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else ("and", tuple(parts))

    def one(self) -> _Written:
        token = self.token
        if token.kind == "NOT":
            with _Level(self, token.position):
                self.move()
                return _Negated(self.one())
        if token.kind == "(":
            with _Level(self, token.position):
                self.move()
                inner = self.either()
                if self.token.kind != ")":
                    raise QuerySyntaxError(token.position, "This parenthesis is never closed. Add the closing one.")
                self.move()
                return inner
        if token.kind == "term":
            self.terms += 1
            if self.terms > MOST_TERMS:
                raise QuerySyntaxError(token.position, f"A query has {MOST_TERMS} terms at most. Split it up.")
            term = _term(token)
            self.move()
            return term
        raise QuerySyntaxError(token.position, _MISSING[token.kind])


_MISSING = {
    "AND": "AND joins two sides, and the one before it is missing. Write a word there.",
    "OR": "OR joins two sides, and one of them is missing. Write a word there.",
    ")": "There is nothing in front of this parenthesis. Write a word there.",
    "end": "The query ends too soon. Write what should follow.",
}


class _Level:
    """Counts how deep parentheses and NOTs nest, so that a query cannot exhaust the stack."""

    def __init__(self, parser: _Parser, position: int) -> None:
        self.parser = parser
        self.position = position

    def __enter__(self) -> None:
        self.parser.depth += 1
        if self.parser.depth > DEEPEST:
            raise QuerySyntaxError(self.position, f"A query nests {DEEPEST} deep at most. Flatten it.")

    def __exit__(self, *_: object) -> None:
        self.parser.depth -= 1
