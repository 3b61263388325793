"""What does the author want? A complaint, a question, a request, praise, a threat to leave, or nothing of these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.triage.stage import Assessment, Briefing, Finding, finder, quote, stage
from services.triage.words.heads import Opinion

_VERSION = "3"
_says = finder("intent", _VERSION)

NEGATIVE: Final = -0.3
NEGATIVE_TO_US: Final = -0.15
"""A text as negative as this complains, even where no phrase says so; sooner where it speaks to us."""
INTENTS: Final = ("churn", "complaint", "request", "question", "praise", "other")
RULED: Final = 6.0
"""What the phrases together come to is so many times likelier than the head says, and"""
SPOKEN: Final = 2.0
"""any other want that a phrase speaks of."""
UNSPOKEN: Final = 0.5
"""A threat to leave is so much less likely where no phrase speaks of it, and"""
UNASKED: Final = 0.35
"""a question where no phrase asks and no question mark stands."""
DOUBTFUL: Final = 0.35
"""Less sure than this, the head is not asked, but how the author feels."""
ANGRY: Final = 0.15
"""A question that complains outright and is negative asks for nothing, and what is negative praises nothing unless a phrase does:
so much less likely."""
POORLY_RATED: Final = 4.0
TO_NOBODY: Final = 3.0
"""Who speaks to nobody in particular wants nothing so many times likelier than the head says: it has mostly read texts that
speak to a company."""
MOVED: Final = 0.15
"""Who speaks to us with feeling wants nothing so much less likely."""
UNMOVED: Final = 0.5
"""A text that is not negative complains so much less likely."""
OUTRIGHT: Final = 0.6
"""So sure must a threat to leave be that no phrase speaks of, and a complaint in a text that is not negative: both call people to
work. Else phrases and the feeling decide, and the finding says that it is unsure."""
_BROKEN_OFF: Final = ("...", "…")
"""So ends the excerpt of a feed, of which nobody knows how it goes on: phrases alone are heard."""


@stage(needs=("language", "sentiment", "wording"), adds=("intent",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """One of INTENTS. A text with several wants has the one that can least wait: leaving, then what went wrong, then
    what is asked. A head weighs the whole wording, phrases what is said outright; without a head phrases decide, and how
    the author feels tells an angry question from a plain one, and thanks from mockery."""
    return [a.found(intent=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    quoted: dict[str, list[str]] = {}
    text = a.reading.text
    for label, start, end in briefing.models.phrasebook("intent", a.language).find(a.reading.words):
        quoted.setdefault(label, []).append(text[start:end])
    worded = any(word[0].isalnum() for word, _, _ in a.reading.words)  # signs alone want nothing that a head could tell
    opinion = a.wording.opinion("intent") if a.wording and worded else None
    if opinion is None or opinion.label is None:
        return _by_phrases(a, quoted)
    return _weighed(a, quoted, opinion)


def _weighed(a: Assessment, quoted: Mapping[str, list[str]], opinion: Opinion) -> Finding:
    ruled = _by_phrases(a, quoted)
    chances = {want: chance * (SPOKEN if want in quoted else 1.0) for want, chance in opinion.probabilities.items()}
    if ruled.value in quoted:
        chances[ruled.value] = chances.get(ruled.value, 0.0) * RULED / SPOKEN
    elif opinion.confidence < DOUBTFUL or (a.kind == "article" and a.reading.text.rstrip().endswith(_BROKEN_OFF)):
        return replace(ruled, extra={**ruled.extra, "unsure": True})
    _weigh(chances, a, quoted)
    want = max(chances, key=lambda one: chances[one])
    sure = chances[want] / sum(chances.values())
    heard = min(sure, opinion.probabilities.get(want, 0.0))
    if heard < OUTRIGHT and want not in quoted and (want == "churn" or (want == "complaint" and _unmoved(a))):
        return replace(ruled, extra={**ruled.extra, "unsure": True})
    told = [one.word for one in a.wording.told("intent", want)] if a.wording else []
    why = quote(*quoted.get(want, ()), *told, limit=3) or "how it is worded as a whole"
    if a.rating is not None and want == "complaint":
        why = f"rated {a.rating:g} of 5; {why}"
    unsure: dict[str, Any] = {"unsure": True} if sure < opinion.unsure_below else {}
    return _says(want, sure, why, by=opinion.decided_by, learned=opinion.version, **unsure)


def _weigh(chances: dict[str, float], a: Assessment, quoted: Mapping[str, list[str]]) -> None:
    """Turns the chances by what the head does not know of the mention: its phrases, feeling, rating, and whom it speaks to."""
    if "churn" not in quoted:
        chances["churn"] = UNSPOKEN * chances.get("churn", 0.0)
    if "question" not in quoted and not _question_mark(a.reading.text):
        chances["question"] = UNASKED * chances.get("question", 0.0)
    if "praise" not in quoted and a.value("sentiment") == "negative":
        chances["praise"] = ANGRY * chances.get("praise", 0.0)
    if "complaint" in quoted and a.value("sentiment") == "negative":
        chances["question"] = ANGRY * chances.get("question", 0.0)
    if a.rating is not None and a.rating <= 2 and "complaint" in chances:
        chances["complaint"] *= POORLY_RATED
    if a.addressed or a.owned or a.visibility == "private":
        if a.value("sentiment") != "neutral":
            chances["other"] = MOVED * chances.get("other", 0.0)
    else:
        chances["other"] = TO_NOBODY * chances.get("other", 0.0)
    if _unmoved(a) and "complaint" not in quoted:
        chances["complaint"] = UNMOVED * chances.get("complaint", 0.0)


def _unmoved(a: Assessment) -> bool:
    """Whether neither its words nor its rating are negative."""
    return a.value("sentiment") != "negative" and (a.rating is None or a.rating > 2)


def _by_phrases(a: Assessment, quoted: Mapping[str, list[str]]) -> Finding:
    text = a.reading.text
    feeling = a.one("sentiment")
    score = float(feeling.extra.get("score", 0.0)) if feeling else 0.0
    asks = _question_mark(text)
    if churn := quoted.get("churn"):
        return _says("churn", 0.75 if score <= 0 else 0.55, quote(*churn))
    complaint, praise = quoted.get("complaint", []), quoted.get("praise", [])
    if complaint and not (praise and score > 0.4):
        sure = 0.6 + 0.1 * min(len(complaint), 2) + (0.1 if score < 0 else 0.0)
        return _says("complaint", sure, quote(*complaint))
    if a.rating is not None and a.rating <= 2:
        return _says("complaint", 0.8, f"rated {a.rating:g} of 5")
    if (request := quoted.get("request")) and score > -0.55:
        return _says("request", 0.7, quote(*request))
    question = quoted.get("question", [])
    if score < (NEGATIVE_TO_US if a.addressed else NEGATIVE):
        because = quote(*request) if (request := quoted.get("request")) else feeling.why if feeling else ""
        return _says("complaint", 0.55 + 0.2 * min(-score, 1.0), f"negative: {because}")
    if asks or (question and question[0] == text[: len(question[0])]):
        return _says("question", 0.75 if asks and question else 0.6, quote(*question, "?" if asks else ""))
    if praise and score > 0:
        return _says("praise", 0.6 + 0.3 * min(score, 1.0), quote(*praise))
    if score > 0.45:
        return _says("praise", 0.55, f"positive: {feeling.why}" if feeling else "positive")
    if question and a.value("relevance") is not None:
        return _says("other", 0.4, f"perhaps a question: {quote(*question)}")
    return _says("other", 0.5, "asks nothing, complains of nothing")


def _question_mark(text: str) -> bool:
    """Whether a question mark ends a word; one inside a link asks nothing."""
    at = text.find("?")
    while at >= 0:
        if at + 1 == len(text) or not (text[at + 1].isalnum() or text[at + 1] in "=&%_-/"):
            return True
        at = text.find("?", at + 1)
    return False
