"""What does the author want? A complaint, a question, a request, praise, a threat to leave, or nothing of these."""

from collections.abc import Sequence
from typing import Final

from services.triage.stage import Assessment, Briefing, Finding, finder, quote, stage

_VERSION = "1"
_says = finder("intent", _VERSION)

NEGATIVE: Final = -0.3
NEGATIVE_TO_US: Final = -0.15
"""A text as negative as this complains, even where no phrase says so; sooner where it speaks to us."""
INTENTS: Final = ("churn", "complaint", "request", "question", "praise", "other")


@stage(needs=("language", "sentiment"), adds=("intent",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """One of INTENTS. A text with several wants has the one that can least wait: leaving, then what went wrong, then
    what is asked. How the author feels tells an angry question from a plain one, and thanks from mockery."""
    return [a.found(intent=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    quoted: dict[str, list[str]] = {}
    text = a.reading.text
    for label, start, end in briefing.models.phrasebook("intent", a.language).find(a.reading.words):
        quoted.setdefault(label, []).append(text[start:end])
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
