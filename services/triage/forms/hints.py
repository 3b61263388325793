"""Which of many patterns are worth trying on a text: each names letters without one of which it cannot match.

All are looked for at once, which costs less than a single pattern: most texts have none of them.
"""

from collections.abc import Mapping, Sequence

from ahocorasick_rs import AhoCorasick, MatchKind


class Hints:
    """The letters of each pattern, by the pattern's name; in lower case."""

    def __init__(self, letters: Mapping[str, Sequence[str]]) -> None:
        self._names = [name for name, hints in letters.items() for _ in hints]
        self._automaton = AhoCorasick(
            [hint for hints in letters.values() for hint in hints], matchkind=MatchKind.Standard
        )

    def of(self, text: str) -> set[str]:
        """The names of the patterns that may match."""
        names = self._names
        found = self._automaton.find_matches_as_indexes(text.lower(), overlapping=True)
        return {names[at] for at, _, _ in found}
