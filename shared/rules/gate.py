"""Which of very many terms stand in a text: the gate in front of everything that costs more.

Terms are found as whole words, whatever their case and accents (see `folding`), with their places in code points of the
original text. All terms are searched at once by one automaton, so a text costs about the same for ten terms as for a
hundred thousand. It looks for words with the space around them, in a text in which all that is no word is a space: then
most words are given up after a letter or two, and next to nothing is found that is not bounded. Of many texts only those are
searched that hold the first words of a term (see `door`).
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, MatchKind

from shared.rules.door import Door
from shared.rules.folding import Folded, fold, fold_other, is_bounded

Key = TypeVar("Key", bound=Hashable)

_WORD = re.compile(rb"[0-9A-Za-z_]")
_SPACED: Final = bytes(ord(chr(code).lower()) if code == 0 or _WORD.match(bytes([code])) else 32 for code in range(256))
"""All in lower case, and a space for what is no letter, digit or underscore of ASCII. Letters of other scripts become spaces too:
what they would hold together is looked at again."""


_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no encoding takes it
_TOGETHER: Final = 256
_BETWEEN: Final = "\0"


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
        spelt: list[bytes] = []
        apart: list[str] = []
        for index, term in enumerate(self._terms):
            spaced = _spaced(term)
            words = spaced.strip()
            if words:
                patterns.setdefault(b" %b " % words, []).append((index, len(spaced) - len(spaced.lstrip()) - 1))
            if words and term.isascii():
                spelt.append(spaced[1:-1])
            else:
                apart.append(term)
        # For each pattern the terms that it may stand for, and how many characters of each stand before it.
        self._meant = tuple(tuple(meant) for meant in patterns.values())
        self._patterns = _bytes_automaton(patterns)
        self._door = Door(spelt)
        # Emoji, other scripts, and signs alone, which ASCII cannot spell or has no words for.
        self._apart = _automaton(apart) if apart else None
        self._signs = any(term.isascii() for term in apart)
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

    def standing(self, folded: Folded) -> Iterator[tuple[Key, int, int]]:
        """Every term in the text, in no particular order, with its place in the folded text (`find` leads back to the original)."""
        for index, start, end in self._standing(folded.text):
            for key in self._keys[index]:
                yield key, start, end

    def any(self, text: str | Folded) -> bool:
        """Whether some term stands in the text."""
        searched = fold(text) if isinstance(text, str) else text.text
        return next(self._standing(searched), None) is not None

    def select(self, texts: Iterable[str]) -> list[int]:
        """Which of many texts, by their index, hold some term. They are searched many at a time."""
        passed = []
        for number, text, sure in self._candidates(texts):
            if sure or self.any(text):
                passed.append(number)
        return passed

    def candidates(self, texts: Iterable[str]) -> list[int]:
        """Which of many texts, by their index, may hold some term, whatever stands between its words: the door for a firehose, which
        costs least. All that hold one are among them, and few that do not."""
        return [number for number, _, _ in self._candidates(texts)]

    def _candidates(self, texts: Iterable[str]) -> Iterator[tuple[int, str, bool]]:
        """(index, text, whether a term surely stands in it), in order."""
        numbered = iter(enumerate(texts))
        while some := list(islice(numbered, _TOGETHER)):
            folded = [text if text.isascii() else fold_other(text) for _, text in some]
            joined = _BETWEEN.join([text.replace("\0", " ") if "\0" in text else text for text in folded])
            held = self._door.opened(joined.encode("utf-8", "replace").translate(_SPACED))
            if self._apart:
                for place, text in enumerate(folded):
                    if place not in held and (self._signs or not text.isascii()) and self._has_apart(fold(text)):
                        held[place] = False
            for place in sorted(held):  # beside a letter of another script, what is found is no word
                number, text = some[place]
                yield number, text, held[place] and folded[place].isascii()

    def _has_apart(self, searched: str) -> bool:
        return bool(self._apart and self._apart.find_matches_as_indexes(_HALF.sub("\ufffd", searched)))

    def _standing(self, searched: str) -> Iterator[tuple[int, int, int]]:
        """The terms that stand in a folded text, as (index, start, end), in no particular order."""
        if not searched.isascii():
            searched = _HALF.sub("\ufffd", searched)
        found = self._patterns.find_matches_as_indexes(_spaced(searched), overlapping=True)
        if not searched.isascii() or self._signs:
            if found or self._has_apart(searched):
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


def _bytes_automaton(patterns: Iterable[bytes]) -> BytesAhoCorasick:
    return BytesAhoCorasick(list(patterns), matchkind=MatchKind.Standard)


def _automaton(terms: Iterable[str]) -> AhoCorasick:
    return AhoCorasick(list(terms), matchkind=MatchKind.Standard, store_patterns=False)


def _place(found: tuple[object, int, int]) -> tuple[int, int]:
    return found[1], found[2]
