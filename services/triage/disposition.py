"""What must be done with an assessed mention: dismissed, watch or engage, and why."""

from services.triage.stage import Assessment, Briefing, finder

_says = finder("disposition", "1")

OWES_ANSWER = ("complaint", "question", "request", "churn")
BROADCAST_KINDS = ("article", "video")
LOW_RATING = 2.0
SURE_ENOUGH = 0.6
"""An issue less sure than this (told with praise) opens no conversation by itself."""


def decide(assessment: Assessment, briefing: Briefing) -> Assessment:
    """Settle the disposition.

    Dismissed: a stage said so. Engage: a person should answer. Watch: it is about us and counts in the figures, but
    nobody is owed an answer: news and videos, reposts by others, chatter that neither asks, complains nor speaks to
    us. In doubt (a stage failed, low rating, anything urgent) a person sees it.
    """
    disposition, confidence, why = _decide(assessment, briefing)
    return assessment.but(disposition=disposition).found(disposition=_says(disposition, confidence, why))


def _decide(a: Assessment, briefing: Briefing) -> tuple[str, float, str]:
    if a.dismissed:
        return "dismissed", 0.9, a.dismissed
    if failures := a.many("failed"):
        return "engage", 0.5, f"a person must look: {', '.join(str(f.value) for f in failures)} could not be assessed"
    return _by_venue(a) or _by_words(a, briefing)


def _by_venue(a: Assessment) -> tuple[str, float, str] | None:
    """What kind of publication it is, where that settles it."""
    duplicate = a.one("duplicate")
    if duplicate is not None and duplicate.extra.get("kind") == "repost":
        return "watch", 0.8, "a repost: its author is owed no answer"
    if a.visibility == "private":
        return "engage", 0.95, "a private message to us"
    urgency = a.value("urgency", "none")
    if a.kind in BROADCAST_KINDS:
        if urgency in ("safety", "legal"):
            return "engage", 0.7, f"published for everybody, but it touches {urgency}"
        return "watch", 0.85, f"published for everybody: {a.kind}"
    return None


def _by_words(a: Assessment, briefing: Briefing) -> tuple[str, float, str]:
    urgency = a.value("urgency", "none")
    if urgency != "none":
        return "engage", 0.9, f"urgent: {urgency}"
    if a.rating is not None and a.rating <= LOW_RATING:
        return "engage", 0.9, f"rated {a.rating:g} of 5"
    intent = a.value("intent", "other")
    if intent in OWES_ANSWER:
        return "engage", 0.85, f"a {intent}" if intent != "churn" else "a threat to leave"
    if any(issue.confidence >= SURE_ENOUGH for issue in a.many("issues")):
        return "engage", 0.8, f"names a problem: {a.many('issues')[0].value}"
    if a.addressed:
        return "engage", 0.7, "speaks to us"
    if a.value("sentiment") == "negative" and briefing.brands:
        return "engage", 0.6, "negative about us"
    if a.owned:
        return "engage", 0.6, "written on a venue of ours"
    return "watch", 0.7, "about us, but asks nothing of us"
