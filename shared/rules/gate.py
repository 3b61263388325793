"""Which of very many terms stand in a text: the gate in front of everything that costs more.

Terms are found as whole words, whatever their case and accents (see `folding`), with their places in code points of the
original text. All terms are searched at once by one automaton, so a text costs about the same for ten terms as for a
hundred thousand. It looks for words with the space around them, in a text in which all that is no word is a space: then
most words are given up after a letter or two, and next to nothing is found that is not bounded.
"""

import re
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import accumulate, islice
from typing import Final, Generic, TypeVar

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, MatchKind

from shared.rules.folding import Folded, fold, is_bounded

Key = TypeVar("Key", bound=Hashable)

_WORD = re.compile(rb"[0-9A-Za-z_]")
_SPACED: Final = bytes(ord(chr(code).lower()) if code == 0 or _WORD.match(bytes([code])) else 32 for code in range(256))
"""All in lower case, and a space for what is no letter, digit or underscore of ASCII. Letters of other scripts become spaces too:
what they would hold together is looked at again."""

_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no encoding takes it
_TOGETHER: Final = 64
_BETWEEN: Final = " \0 "  # no space: no phrase is found from one text to the next
_LONG: Final = 100_000
"""A text longer than this is searched by itself."""


class Gate(Generic[Key]):
    """Finds terms in texts. Each term has a key (a query's id, a brand's); a term may have several and share them.

    `terms` is a mapping from term to key, or (term, key) pairs. White space inside a term is one plain space: a text in
    which the words stand further apart is not found, so for a phrase give the gate one of its words.

    Raises:
        ValueError: a term has nothing to look for, once case, accents and outer white space are gone.
    """

    def __init__(self, terms: Mapping[str, Key] | Iterable[tuple[str, Key]]) -> None:
        keys: dict[str, dict[Key, None]] = {}
        for term, key in terms.items() if isinstance(terms, Mapping) else terms:
            folded = fold(term).strip()
            if not folded:
                raise ValueError(f"The term {term!r:.60} has nothing to look for. Leave it out.")
            keys.setdefault(folded, {})[key] = None
        self._terms = tuple(keys)
        self._keys = tuple(tuple(found) for found in keys.values())
        patterns: dict[bytes, list[tuple[int, int]]] = {}
        wordless: list[int] = []
        for index, term in enumerate(self._terms):
            spaced = _spaced(term)
            if words := spaced.strip():
                patterns.setdefault(b" %b " % words, []).append((index, len(spaced) - len(spaced.lstrip()) - 1))
            else:
                wordless.append(index)
        # For each pattern the terms that it may stand for, and how many characters of each stand before it.
        self._meant = tuple(tuple(meant) for meant in patterns.values())
        self._sure = frozenset(
            at for at, (pattern, meant) in enumerate(patterns.items())
            if any(len(pattern) == len(self._terms[index]) + 2 and b" " not in pattern[1:-1] for index, _ in meant)
        )  # fmt: skip
        self._patterns = BytesAhoCorasick(list(patterns), matchkind=MatchKind.Standard)
        # Emoji, other scripts, and signs alone, which have no words that ASCII can spell.
        self._wordless = _automaton([self._terms[index] for index in wordless]) if wordless else None
        self._signs = any(self._terms[index].isascii() for index in wordless)
        self._every = _automaton(self._terms)

    def __len__(self) -> int:
        """How many different terms there are."""
        return len(self._keys)

    def find(self, text: str | Folded) -> list[tuple[Key, int, int]]:
        """Every term in the text, as (key, start, end), in order of their places."""
        folded = Folded(text) if isinstance(text, str) else text
        found = [
            (key, *folded.original(start, end))
            for index, start, end in self._standing(folded.text)
            for key in self._keys[index]
        ]
        found.sort(key=_place)
        return found

    def keys(self, text: str | Folded) -> set[Key]:
        """The keys of the terms in the text, without their places."""
        searched = fold(text) if isinstance(text, str) else text.text
        return {key for index, _, _ in self._standing(searched) for key in self._keys[index]}

    def any(self, text: str | Folded) -> bool:
        """Whether some term stands in the text."""
        searched = fold(text) if isinstance(text, str) else text.text
        if searched.isascii() and not self._signs:
            found = self._patterns.find_matches_as_indexes(_spaced(searched))
            if not found or found[0][0] in self._sure:
                return bool(found)
        return next(self._standing(searched), None) is not None

    def select(self, texts: Iterable[str]) -> list[int]:
        """Which of many texts, by their index, hold some term: the door for a firehose. They are searched many at a time."""
        passed: set[int] = set()
        numbered = enumerate(texts)
        while some := list(islice(numbered, _TOGETHER)):
            numbers, together, apart = [], [], []
            for number, text in some:
                searched = text if text.isascii() else fold(text)
                if searched.isascii() and not self._signs and len(searched) < _LONG:
                    numbers.append(number)
                    together.append(searched)
                else:
                    apart.append((number, searched))
            joined = _BETWEEN.join(together)
            if joined.count("\0") > len(together) - 1:  # one of them holds what is to stand between them
                apart += zip(numbers, together, strict=True)
            elif found := self._patterns.find_matches_as_indexes(b" %b " % joined.encode().translate(_SPACED)):
                passed |= self._holding(found, numbers, together)
            for number, searched in apart:
                if next(self._standing(searched.lower() if searched.isascii() else searched), None) is not None:
                    passed.add(number)
        return sorted(passed)

    def _holding(self, found: Iterable[tuple[int, int, int]], numbers: list[int], together: list[str]) -> set[int]:
        """The numbers of the texts, among those searched together, that hold a term."""
        ends = list(accumulate(len(one) + len(_BETWEEN) for one in together))
        sure: set[int] = set()
        perhaps: set[int] = set()
        for at, start, _ in found:
            (sure if at in self._sure else perhaps).add(bisect_right(ends, start))
        sure |= {at for at in perhaps - sure if next(self._standing(together[at].lower()), None) is not None}
        return {numbers[at] for at in sure}

    def _standing(self, searched: str) -> Iterator[tuple[int, int, int]]:
        """The terms that stand in a folded text, as (index, start, end), in no particular order."""
        if not searched.isascii():
            searched = _HALF.sub("\ufffd", searched)
        found = self._patterns.find_matches_as_indexes(_spaced(searched), overlapping=True)
        if not searched.isascii() or self._signs:
            if found or (self._wordless and self._wordless.find_matches_as_indexes(searched)):
                yield from self._bounded(searched)
            return
        for at, start, _ in found:
            for index, before in self._meant[at]:
                term, begins = self._terms[index], start - before
                ends = begins + len(term)
                if begins >= 0 and searched.startswith(term, begins) and is_bounded(searched, begins, ends):
                    yield index, begins, ends

    def _bounded(self, searched: str) -> Iterator[tuple[int, int, int]]:
        # All overlapping matches: a longer term that fails at its boundary must not hide a shorter one.
        for index, start, end in self._every.find_matches_as_indexes(searched, overlapping=True):
            if is_bounded(searched, start, end):
                yield index, start, end


def _spaced(folded: str) -> bytes:
    return b" %b " % folded.replace("\0", " ").encode("utf-8", "replace").translate(_SPACED)


def _automaton(terms: Iterable[str]) -> AhoCorasick:
    return AhoCorasick(list(terms), matchkind=MatchKind.Standard, store_patterns=False)


def _place(found: tuple[object, int, int]) -> tuple[int, int]:
    return found[1], found[2]
