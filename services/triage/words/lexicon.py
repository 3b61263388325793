"""Word lists of the project read from lexicons/: weights for single words, labelled phrases, plain lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from services.triage.reading import Word, fold
from shared.models.phrase import LANGUAGES, MAX_GAP, negations, parse_phrase

_FOLDER: Final = Path(__file__).parents[1] / "lexicons"
_SENTENCE_ENDS: Final = frozenset(".!?…")


@dataclass(frozen=True, slots=True)
class WeightedWords:
    """Folded words and short phrases, each with a weight. In a file: `weight: words`, a phrase's words joined by _."""

    weights: Mapping[tuple[str, ...], float]
    longest: Mapping[str, int]

    @classmethod
    def read(cls, name: str, language: str) -> "WeightedWords":
        """From lexicons/<name>.<language>.yaml; empty where there is no such file."""
        weights: dict[tuple[str, ...], float] = {}
        longest: dict[str, int] = {}
        for weight, line in (_read(f"{name}.{language}") or {}).items():
            for entry in str(line).split():
                words = tuple(fold(word) for word in entry.split("_"))
                weights[words] = float(weight)
                longest[words[0]] = max(longest.get(words[0], 0), len(words))
        return cls(weights, longest)

    def weight(self, words: Sequence[str]) -> float | None:
        """The weight of exactly these folded words, or None."""
        return self.weights.get(tuple(words))

    def longest_from(self, word: str) -> int:
        """How many words the longest entry has that begins with this folded word; 0 where none does."""
        return self.longest.get(word, 0)


@dataclass(slots=True)
class _Node:
    """A place in the tree of all spellings: what may follow, and what has been said when one arrives here."""

    words: "dict[str, _Node]" = field(default_factory=dict)
    gap: "_Node | None" = None
    said: "list[tuple[str, bool]]" = field(default_factory=list)  # (label, negatable)


class PhraseTree:
    """Labelled phrases of one language in the grammar and with the negation rules of shared/models/phrase.py."""

    def __init__(self, phrases: Iterable[tuple[str, object]], language: str) -> None:
        self._root = _Node()
        self._negation = negations(language) if language in LANGUAGES else None
        for label, source in phrases:
            for spelling in parse_phrase(source, language).spellings():
                node = self._root
                for number, run in enumerate(spelling.runs):
                    if number:
                        node.gap = node.gap or _Node()
                        node = node.gap
                    for word in run.split():
                        node = node.words.setdefault(word, _Node())
                if (label, spelling.negatable) not in node.said:
                    node.said.append((label, spelling.negatable))

    @classmethod
    def read(cls, name: str, language: str) -> "PhraseTree":
        """From lexicons/<name>.<language>.yaml (label: list of phrases); empty where there is no such file."""
        book = (_read(f"{name}.{language}") or {}) if language in LANGUAGES else {}
        return cls(((label, source) for label, sources in book.items() for source in sources), language)

    def find(self, words: Sequence[Word]) -> list[tuple[str, int, int]]:
        """(label, start, end) for each phrase that stands in the words and is not negated, in order of place; of hits
        with one label that begin together the longest."""
        found: dict[tuple[str, int], tuple[str, int, int]] = {}
        first = self._root.words
        for at, (word, start, _) in enumerate(words):
            node = first.get(word)
            if node is None or not self._goes_on(words, at + 1, node):
                continue
            for label, last, negatable, gapped in self._from(words, at + 1, node, ()):
                if negatable and self._negated(words, at, gapped):
                    continue
                end = words[last][2]
                known = found.get((label, at))
                if known is None or known[2] < end:
                    found[label, at] = (label, start, end)
        return list(found.values())

    @staticmethod
    def _goes_on(words: Sequence[Word], at: int, node: _Node) -> bool:
        """Whether anything can come of a first word: most go on to nothing, and are given up before they cost."""
        return bool(node.said) or node.gap is not None or (at < len(words) and words[at][0] in node.words)

    def _from(
        self, words: Sequence[Word], at: int, node: _Node, gapped: tuple[int, ...]
    ) -> Iterable[tuple[str, int, bool, tuple[int, ...]]]:
        for label, negatable in node.said:
            yield label, at - 1, negatable, gapped
        if node.words and at < len(words) and (following := node.words.get(words[at][0])) is not None:
            yield from self._from(words, at + 1, following, gapped)
        if node.gap is not None:
            for skipped in range(MAX_GAP + 1):
                if at + skipped >= len(words) or (skipped and words[at + skipped - 1][0] in _SENTENCE_ENDS):
                    break
                if (following := node.gap.words.get(words[at + skipped][0])) is not None:
                    yield from self._from(words, at + skipped + 1, following, (*gapped, *range(at, at + skipped)))

    def _negated(self, words: Sequence[Word], at: int, gapped: tuple[int, ...]) -> bool:
        if self._negation is None:
            return False
        if any(self._negation.holds(words[index][0]) for index in gapped):
            return True
        return self._negation.governs([word for word, _, _ in words[max(0, at - 8) : at]]) is not None


@cache
def plain_words(name: str) -> frozenset[str]:
    """The folded words of lexicons/<name>.yaml, which holds texts with words in them: a list, or a mapping of which
    `file:key` names one."""
    file, _, key = name.partition(":")
    content: Any = _read(file) or ()
    lines = [content[key]] if key else content
    return frozenset(fold(word) for line in lines for word in str(line).split())


def _read(name: str) -> Any:
    path = _FOLDER / f"{name}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
