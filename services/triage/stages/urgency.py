"""Can it wait? Danger, law, outages, people about to leave and people who depend on us go first."""

from collections.abc import Sequence
from typing import Any, Final

from services.triage.stage import Assessment, Briefing, Finding, finder, quote, stage
from services.triage.words.heads import Opinion

_VERSION = "3"
_says = finder("urgency", _VERSION)

REASONS: Final = ("safety", "vulnerable", "legal", "outage", "churn")
"""Gravest first."""
OUTAGE_ISSUES: Final = "outage"
_CONFIDENCE: Final = {"safety": 0.75, "vulnerable": 0.7, "legal": 0.75, "outage": 0.7, "churn": 0.65}


@stage(needs=("language", "sentiment", "intent", "issues", "wording"), adds=("urgency",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """The gravest of REASONS that holds, or `none`; `reasons` lists all that hold."""
    return [a.found(urgency=_of(a, briefing)) for a in batch]


def _of(a: Assessment, briefing: Briefing) -> Finding:
    quoted: dict[str, list[str]] = {}
    text = a.reading.text
    for label, start, end in briefing.models.phrasebook("urgency", a.language).find(a.reading.words):
        quoted.setdefault(label, []).append(text[start:end])
    if a.value("intent") == "churn":
        churn = a.one("intent")
        quoted.setdefault("churn", []).append(churn.why.strip("'") if churn else "leaving")
    for issue in a.many("issues"):
        if str(issue.value).partition(".")[0] == OUTAGE_ISSUES and issue.start is not None:
            quoted.setdefault("outage", []).append(a.text[issue.start : issue.end])
    if a.value("intent") == "praise" or (a.value("sentiment") == "positive" and "safety" not in quoted):
        # "the outage was solved so fast, thank you" is told with pleasure and can wait
        quoted.pop("outage", None)
        quoted.pop("churn", None)
    holding = [reason for reason in REASONS if reason in quoted]
    opinion = a.wording.opinion("urgency") if a.wording and a.reading.words else None
    if opinion and not holding:
        return _worded(a, opinion)
    if not holding:
        return _says("none", 0.6, "nothing in it that cannot wait", reasons=[])
    gravest = holding[0]
    return _says(gravest, _CONFIDENCE[gravest], quote(*quoted[gravest]), reasons=holding)


def _worded(a: Assessment, opinion: Opinion) -> Finding:
    """Where no phrase speaks, what the head says; a reason that it is unsure of is none, and the finding says so."""
    reason = opinion.label if opinion.label in REASONS and not opinion.unsure else "none"
    heard = a.wording if reason != "none" else None
    told = quote(*(one.word for one in heard.told("urgency", opinion.label))) if heard else ""
    why = "nothing in it that cannot wait" if reason == "none" else told or "how it is worded as a whole"
    unsure: dict[str, Any] = {"unsure": True} if opinion.unsure else {}
    return _says(
        reason,
        opinion.confidence if reason == opinion.label else opinion.probabilities.get(reason, 0.0),
        why,
        by=opinion.decided_by,
        learned=opinion.version,
        reasons=[] if reason == "none" else [reason],
        **unsure,
    )
