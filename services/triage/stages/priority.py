"""How much does it press? The parts that the other stages found, added up by the rule of shared/rules/priority.py."""

from collections.abc import Sequence
from typing import Final

from services.triage.stage import Assessment, Briefing, Finding, finder, stage
from shared.rules import priority

_VERSION = "1"
_says = finder("priority", _VERSION)

GRAVEST_SEVERITY: Final = 5


@stage(needs=("language", "sentiment", "urgency", "issues", "intent"), adds=("priority",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """urgent, high, normal or low, with the score and its parts."""
    severities = {issue.key: issue.severity for issue in briefing.issue_types}
    limits = priority.Limits(**dict(briefing.priority.get("limits", {})))
    return [a.found(priority=_of(a, briefing, severities, limits)) for a in batch]


def _of(a: Assessment, briefing: Briefing, severities: dict[str, int], limits: priority.Limits) -> Finding:
    urgency = a.one("urgency")
    sentiment = a.one("sentiment")
    gravest = max(
        ((severities.get(i.value, 3) - 1) / (GRAVEST_SEVERITY - 1) * i.confidence for i in a.many("issues")),
        default=None,
    )
    reasons = urgency.extra.get("reasons", ()) if urgency else ()
    scored = priority.score(
        priority.Signals(
            urgency=dict.fromkeys(reasons, urgency.confidence) if urgency else {},
            severity=None if gravest is None else round(gravest, 2),
            sentiment=sentiment.extra.get("score") if sentiment else None,
            followers=a.reach if a.reach is not None else a.author.followers if a.author else None,
            velocity=a.background.thread_per_hour or None,
            rating=a.rating,
            tier=a.background.contact_tier,
            asked=max(a.background.asked_unanswered, _says_asked_before(a, briefing)),
        ),
        limits,
    )
    why = "; ".join(f"{part.name} {part.points:+g} ({part.why})" for part in scored.parts)
    parts = [{"name": part.name, "points": part.points, "why": part.why} for part in scored.parts]
    sure = min(
        (f.confidence for f in (urgency, sentiment) if f is not None and f.value not in ("none", "neutral")),
        default=0.6,
    )
    return _says(scored.cls, sure, why, score=scored.score, parts=parts)


def _says_asked_before(a: Assessment, briefing: Briefing) -> int:
    """How often the author says to have asked before; believed, for the database may not know the telephone."""
    hits = briefing.models.phrasebook("repeats", a.language).find(a.reading.words)
    return max((int(label) for label, _, _ in hits), default=0)
