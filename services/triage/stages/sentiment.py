"""How does the author feel about it? A head that has read many texts and the lexicon's opinion; a rating counts most."""

from collections.abc import Sequence
from typing import Any, Final

from services.triage.stage import Assessment, Briefing, Finding, finder, quote, stage
from services.triage.words.feeling import Feeling, read_feeling
from services.triage.words.heads import Opinion

_VERSION = "2"
_says = finder("sentiment", _VERSION)

NEUTRAL_ABOVE: Final = -0.05
NEUTRAL_BELOW: Final = 0.3
"""Scores between these two are neutral where the lexicon or a rating decides. Positive words are cheaper than negative ones,
hence the lopsided band."""
RATING_WEIGHT: Final = 0.7
_WORDLESS: Final = "no word that praises or complains"


@stage(needs=("language", "wording"), adds=("sentiment",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """positive, neutral or negative with a score from -1 to 1, and the words that decided. The head decides where there is
    one (its features hold the lexicon's opinion), else the lexicon."""
    return [a.found(sentiment=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    wording = a.wording
    feeling = wording.feeling if wording else read_feeling(a.whole_reading()[0], a.language, briefing.models)
    opinion = wording.opinion("sentiment") if wording and feeling.length else None
    if opinion is None or opinion.label is None:
        return _by_lexicon(a, feeling)
    score = opinion.probabilities.get("positive", 0.0) - opinion.probabilities.get("negative", 0.0)
    if a.rating is not None:
        return _rated(a.rating, score, True, max(opinion.confidence, 0.6), _why(a, feeling, opinion), opinion)
    known: dict[str, Any] = {"by": opinion.decided_by, "learned": opinion.version, "score": round(score, 3)}
    if opinion.unsure:
        known["unsure"] = True
    return _says(opinion.label, opinion.confidence, _why(a, feeling, opinion), **known)


def _why(a: Assessment, feeling: Feeling, opinion: Opinion) -> str:
    """The lexicon's words that agree, then those that weighed most in the head."""
    sign = {"positive": 1.0, "negative": -1.0}.get(opinion.label or "", 0.0)
    words = feeling.strongest(sign, 2) if sign else []
    if len(words) < 2 and sign and a.wording:
        words += [one.word for one in a.wording.told("sentiment", opinion.label) if one.word.lower() not in words]
    return quote(*words, limit=3) if words else _WORDLESS


def _by_lexicon(a: Assessment, feeling: Feeling) -> Finding:
    score = feeling.score
    strongest = feeling.strongest(score)
    why = quote(*strongest, limit=3) if strongest else _WORDLESS
    evidence = min(abs(score) + 0.05 * len(feeling.hits), 1.0)
    if a.rating is not None:
        return _rated(a.rating, score, bool(feeling.hits), 0.5 + 0.45 * max(evidence, 0.6), why, None)
    value = _valued(score)
    confidence = (0.55 if feeling.hits else 0.6) if value == "neutral" else 0.5 + 0.45 * evidence
    return _says(value, confidence, why, by="sentiment.lexicon", score=round(score, 3))


def _rated(rating: float, told: float, words: bool, confidence: float, why: str, opinion: Opinion | None) -> Finding:
    """What a rating and the words make together; `words` says whether there are any that tell."""
    rated = max(-1.0, min(1.0, (rating - 3.0) / 2.0))
    score = RATING_WEIGHT * rated + (1 - RATING_WEIGHT) * told if words else rated
    return _says(
        _valued(score),
        confidence,
        f"rated {rating:g} of 5; {why}",
        by=opinion.decided_by if opinion else "sentiment.lexicon",
        learned=opinion.version if opinion else None,
        score=round(score, 3),
        text_score=round(told, 3),
    )


def _valued(score: float) -> str:
    return "negative" if score < NEUTRAL_ABOVE else "positive" if score > NEUTRAL_BELOW else "neutral"
