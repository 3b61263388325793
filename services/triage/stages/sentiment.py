"""How does the author feel about it? Weighted words, turned by negation, contrast and emphasis; a rating too."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from services.triage.stage import Assessment, Briefing, Finding, Lexicon, Models, finder, fold, quote, stage

_VERSION = "1"
_says = finder("sentiment", _VERSION)

NEUTRAL_ABOVE: Final = -0.05
NEUTRAL_BELOW: Final = 0.3
"""Scores between these two are neutral. Positive words are cheaper than negative ones, hence the lopsided band."""
FLATTENING: Final = 12.0
REACH: Final = 3
"""How many words a negation governs."""
BEHIND: Final = 4
"""How many words behind a Dutch verb its "niet" may stand."""
RATING_WEIGHT: Final = 0.7
SHOUTED: Final = 1.25
DRAWN_OUT: Final = 1.2
SAME_SIGN: Final = 3
"""How often the same emoji counts."""

_DRAWN = re.compile(r"(\w)\1{2,}")


@dataclass(frozen=True, slots=True)
class _Turns:
    negators: frozenset[str]
    breaks: frozenset[str]
    contrasts: frozenset[str]
    negated_behind: frozenset[str]
    hollow: frozenset[str]


@dataclass(slots=True)
class _Hit:
    at: int
    weight: float
    words: str
    hollow: bool


@stage(needs=("language",), adds=("sentiment",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """positive, neutral or negative with a score from -1 to 1, and the words that decided."""
    return [a.found(sentiment=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    hits, score = _read(a, briefing)
    strongest = [hit.words for hit in sorted(hits, key=lambda hit: -abs(hit.weight)) if hit.weight * score >= 0]
    why = quote(*strongest, limit=3) if strongest else "no word that praises or complains"
    told = None if a.rating is None else round(score, 3)
    evidence = min(abs(score) + 0.05 * len(hits), 1.0)
    if a.rating is not None:
        rated = max(-1.0, min(1.0, (a.rating - 3.0) / 2.0))
        score = RATING_WEIGHT * rated + (1 - RATING_WEIGHT) * score if hits else rated
        why = f"rated {a.rating:g} of 5; {why}"
        evidence = max(evidence, 0.6)
    if score < NEUTRAL_ABOVE:
        value, confidence = "negative", 0.5 + 0.45 * evidence
    elif score > NEUTRAL_BELOW:
        value, confidence = "positive", 0.5 + 0.45 * evidence
    else:
        value, confidence = "neutral", 0.55 if hits else 0.6
    if told is None:
        return _says(value, confidence, why, by="sentiment.lexicon", score=round(score, 3))
    return _says(value, confidence, why, by="sentiment.lexicon", score=round(score, 3), text_score=told)


def _turns(briefing: Briefing) -> _Turns:
    return _Turns(**{name: briefing.models.words(f"sentiment_turns:{name}") for name in _Turns.__slots__})


def _read(a: Assessment, briefing: Briefing) -> tuple[list[_Hit], float]:
    """What in the text carries feeling, and the sum of it between -1 and 1."""
    words = [word for word, _, _ in a.reading.words]
    if a.title and a.title not in a.text:
        words = [fold(word) for word in a.title.split()] + ["."] + words
        places = None
    else:
        places = a.reading.words
    turns = briefing.once("sentiment.turns", _turns)
    hits = _hits(a, words, places, turns, briefing.models)
    for at, word in enumerate(words):
        if word in turns.contrasts and any(hit.at > at for hit in hits):
            for hit in hits:
                hit.weight *= 0.6 if hit.at < at else 1.3
            break
    against = sum(hit.weight for hit in hits if hit.weight < 0)
    if against <= -1.5:
        for hit in hits:
            if hit.weight > 0 and hit.hollow:
                hit.weight *= 0.2
    total = sum(hit.weight for hit in hits)
    total *= 1 + 0.08 * min(words.count("!"), 3)
    if total < 0:
        total *= 1 + 0.06 * max(0, min(words.count("?"), 4) - 1)
    return hits, total / sqrt(total * total + FLATTENING)


def _hits(
    a: Assessment, words: list[str], places: Sequence[tuple[str, int, int]] | None, turns: _Turns, models: Models
) -> list[_Hit]:
    lexicon, modifiers = models.lexicon("sentiment", a.language), models.lexicon("sentiment_modifiers", a.language)
    signs = models.lexicon("sentiment", "emoji")
    shouting = places is not None and not a.reading.text.isupper()
    hits: list[_Hit] = []
    seen: Counter[str] = Counter()
    at = 0
    while at < len(words):
        word = words[at]
        if not word[0].isalnum() and word[0] != "#":
            weight = signs.weight((word,))
            if weight is not None and seen[word] < SAME_SIGN:
                seen[word] += 1
                hits.append(_Hit(at, weight, word, hollow=False))
            at += 1
            continue
        taken, weight = _looked_up(words, at, lexicon)
        if weight is not None:
            text = " ".join(words[at : at + taken])
            if words[at] not in turns.negators or taken == 1:
                weight, text = _turned(words, at, taken, weight, text, turns)
            weight *= _emphasis(words, at, modifiers)
            if shouting and places is not None and len(word) > 2:
                _, start, end = places[at]
                if a.reading.text[start:end].isupper():
                    weight *= SHOUTED
            hits.append(_Hit(at, weight, text, hollow="_".join(words[at : at + taken]) in turns.hollow))
        at += taken
    return hits


def _looked_up(words: list[str], at: int, lexicon: Lexicon) -> tuple[int, float | None]:
    """How many words the longest entry that begins here takes, and its weight."""
    word = words[at].removeprefix("#")
    longest = lexicon.longest_from(word)
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
