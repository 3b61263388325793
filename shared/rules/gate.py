"""Which of very many terms stand in a text: the gate in front of everything that costs more.

Terms are found as whole words, whatever their case and accents (see `folding`), with their places in code points of the
original text. All terms are searched at once by one automaton, so a text costs about the same for ten terms as for a
hundred thousand.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind

from shared.rules.folding import Folded, fold, is_bounded

Key = TypeVar("Key", bound=Hashable)


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
        self._keys = tuple(tuple(found) for found in keys.values())
        # All overlapping matches: a longer term that fails at its boundary must not hide a shorter one.
        self._automaton = AhoCorasick(list(keys), matchkind=MatchKind.Standard, store_patterns=False)

    def __len__(self) -> int:
        """How many different terms there are."""
        return len(self._keys)

    def find(self, text: str | Folded) -> list[tuple[Key, int, int]]:
        """Every term in the text, as (key, start, end), in order of their places."""
        folded = Folded(text) if isinstance(text, str) else text
        searched = folded.text
        found = [
            (key, *folded.original(start, end))
            for index, start, end in self._automaton.find_matches_as_indexes(searched, overlapping=True)
            if is_bounded(searched, start, end)
            for key in self._keys[index]
        ]
        found.sort(key=_place)
        return found

    def keys(self, text: str | Folded) -> set[Key]:
        """The keys of the terms in the text, without their places."""
        searched = fold(text) if isinstance(text, str) else text.text
        return {
            key
            for index, start, end in self._automaton.find_matches_as_indexes(searched, overlapping=True)
            if is_bounded(searched, start, end)
            for key in self._keys[index]
        }

    def any(self, text: str | Folded) -> bool:
        """Whether some term stands in the text."""
        searched = fold(text) if isinstance(text, str) else text.text
        for _, start, end in self._automaton.find_matches_as_indexes(searched, overlapping=True):
            if is_bounded(searched, start, end):
                return True
        return False

    def select(self, texts: Iterable[str]) -> list[int]:
        """Which of many texts, by their index, hold some term: the door for a firehose."""
        search = self._automaton.find_matches_as_indexes
        passed: list[int] = []
        for index, text in enumerate(texts):
            searched = fold(text)
            for _, start, end in search(searched, overlapping=True):
                if is_bounded(searched, start, end):
                    passed.append(index)
                    break
        return passed


def _place(found: tuple[object, int, int]) -> tuple[int, int]:
    return found[1], found[2]
