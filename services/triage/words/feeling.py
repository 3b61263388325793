"""What the sentiment lexicon makes of a text: the words that carry feeling, turned by negation, contrast and emphasis."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Final

from services.triage.briefing_types import Lexicon, Models
from services.triage.reading import Reading, Word

FLATTENING: Final = 12.0
REACH: Final = 3
"""How many words a negation governs."""
BEHIND: Final = 4
"""How many words behind a Dutch verb its "niet" may stand."""
SHOUTED: Final = 1.25
DRAWN_OUT: Final = 1.2
SAME_SIGN: Final = 3
"""How often the same emoji counts."""

_DRAWN = re.compile(r"(\w)\1{2,}")


@dataclass(slots=True)
class Hit:
    """A word or phrase that carries feeling: the number of its word in the text, its weight as it stands, its words."""

    at: int
    weight: float
    words: str
    hollow: bool


@dataclass(frozen=True, slots=True)
class Feeling:
    """All hits of a text in order, their sum between -1 and 1, and the number of words of the text."""

    hits: tuple[Hit, ...]
    score: float
    length: int

    @property
    def numbers(self) -> tuple[float, ...]:
        """For a head: score, praise, blame, their shares of the words, which way the first and last hit lean."""
        praise = blame = 0.0
        pros = cons = 0
        for hit in self.hits:
            if hit.weight > 0:
                praise += hit.weight
                pros += 1
            elif hit.weight < 0:
                blame -= hit.weight
                cons += 1
        first = self.hits[0].weight if self.hits else 0.0
        last = self.hits[-1].weight if self.hits else 0.0
        return (
            self.score,
            praise / (praise + 4),
            blame / (blame + 4),
            pros / (pros + 2),
            cons / (cons + 2),
            float(self.score > 0.3),
            float(self.score < -0.05),
            first / 4,
            last / 4,
        )  # fmt: skip

    def strongest(self, sign: float, limit: int = 3) -> list[str]:
        """The words that speak for this sign (or for none in particular, where it is 0), strongest first."""
        ranked = sorted(self.hits, key=lambda hit: -abs(hit.weight))
        return [hit.words for hit in ranked if hit.weight * sign >= 0][:limit]


@dataclass(frozen=True, slots=True)
class _Turns:
    negators: frozenset[str]
    breaks: frozenset[str]
    contrasts: frozenset[str]
    negated_behind: frozenset[str]
    hollow: frozenset[str]


@cache
def _turns(words: Callable[[str], frozenset[str]]) -> _Turns:
    return _Turns(**{name: words(f"sentiment_turns:{name}") for name in _Turns.__slots__})


def read_feeling(reading: Reading, language: str, models: Models) -> Feeling:
    """What in the text carries feeling, and the sum of it. A language without a lexicon has only its emoji."""
    words = [word for word, _, _ in reading.words]
    turns = _turns(models.words)
    hits = _hits(reading, words, reading.words, turns, models, language)
    if not hits:
        return Feeling((), 0.0, len(words))
    if not turns.contrasts.isdisjoint(words):
        _contrasted(hits, words, turns)
    against = sum(hit.weight for hit in hits if hit.weight < 0)
    if against <= -1.5:
        for hit in hits:
            if hit.weight > 0 and hit.hollow:
                hit.weight *= 0.2
    total = sum(hit.weight for hit in hits)
    total *= 1 + 0.08 * min(words.count("!"), 3)
    if total < 0:
        total *= 1 + 0.06 * max(0, min(words.count("?"), 4) - 1)
    return Feeling(tuple(hits), total / sqrt(total * total + FLATTENING), len(words))


def _contrasted(hits: Sequence[Hit], words: Sequence[str], turns: _Turns) -> None:
    """What stands behind the first "but" that anything follows counts more, what stands before it less."""
    for at, word in enumerate(words):
        if word in turns.contrasts and any(hit.at > at for hit in hits):
            for hit in hits:
                hit.weight *= 0.6 if hit.at < at else 1.3
            break


def _hits(
    reading: Reading, words: list[str], places: Sequence[Word], turns: _Turns, models: Models, language: str
) -> list[Hit]:
    lexicon, modifiers = models.lexicon("sentiment", language), models.lexicon("sentiment_modifiers", language)
    signs = models.lexicon("sentiment", "emoji")
    shouting: bool | None = None
    drawn = _DRAWN.search(reading.text) is not None
    hits: list[Hit] = []
    seen: Counter[str] = Counter()
    at, count = 0, len(words)
    longest_from = lexicon.longest_from
    while at < count:
        word = words[at]
        longest = longest_from(word)
        if not longest:  # most words: nothing more is asked of them than needs be
            first = word[0]
            if first == "#":
                longest = longest_from(word[1:])
            elif not first.isalnum():
                weight = signs.weight((word,)) if first > "\x7f" else None
                if weight is not None and seen[word] < SAME_SIGN:
                    seen[word] += 1
                    hits.append(Hit(at, weight, word, hollow=False))
                at += 1
                continue
            if not longest and not drawn:
                at += 1
                continue
        taken, weight = _looked_up(words, at, lexicon, longest)
        if weight is not None:
            text = " ".join(words[at : at + taken])
            if words[at] not in turns.negators or taken == 1:
                weight, text = _turned(words, at, taken, weight, text, turns)
            weight *= _emphasis(words, at, modifiers)
            if len(word) > 2:
                _, start, end = places[at]
                if reading.text[start:end].isupper():
                    shouting = not reading.text.isupper() if shouting is None else shouting
                    weight *= SHOUTED if shouting else 1.0
            hits.append(Hit(at, weight, text, hollow="_".join(words[at : at + taken]) in turns.hollow))
        at += taken
    return hits


def _looked_up(words: list[str], at: int, lexicon: Lexicon, longest: int) -> tuple[int, float | None]:
    """How many words the longest entry that begins here takes, and its weight; none is longer than `longest`."""
    word = words[at].removeprefix("#")
    for length in range(min(longest, len(words) - at), 1, -1):
        if (weight := lexicon.weight(words[at : at + length])) is not None:
            return length, weight
    if longest:
        return 1, lexicon.weight((word,))
    return 1, _drawn_out(word, lexicon) if len(word) > 4 and _DRAWN.search(word) else None


def _emphasis(words: list[str], at: int, modifiers: Lexicon) -> float:
    """What the words before make of it: "very" more, "a bit" less."""
    stronger = None
    if at:
        stronger = modifiers.weight((words[at - 1],))
    if stronger is None and at > 1 and modifiers.longest_from(words[at - 2]) > 1:
        stronger = modifiers.weight(words[at - 2 : at])
    return 1.0 if stronger is None else stronger


def _drawn_out(word: str, lexicon: Lexicon) -> float | None:
    """The weight of "baaaad": letters written three times or more count twice or once."""
    for letters in (r"\1\1", r"\1"):
        if (found := lexicon.weight((_DRAWN.sub(letters, word),))) is not None:
            return found * DRAWN_OUT
    return None


def _turned(words: list[str], at: int, taken: int, weight: float, text: str, turns: _Turns) -> tuple[float, str]:
    """The weight under negation: praise turns to blame, blame to faint praise."""
    for back in range(1, min(REACH, at) + 1):
        word = words[at - back]
        if word in turns.breaks:
            break
        if word in turns.negators:
            if word == "no" and back > 1:
                break
            return (-0.75 if weight > 0 else -0.35) * weight, f"{word} {text}"
    if words[at] in turns.negated_behind:
        for word in words[at + taken : at + taken + BEHIND]:
            if word in turns.breaks:
                break
            if word == "niet":
                return -1.5 * max(weight, 1.0), f"{text} niet"
    return weight, text
