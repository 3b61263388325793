"""Is it an advertisement, a trick or a job ad rather than a customer? Phrases, the text's shape and a head, added up."""

import re
from collections.abc import Sequence
from typing import Final

from services.triage.stage import Assessment, Briefing, Finding, finder, quote, stage

_VERSION = "2"
_says = finder("spam", _VERSION)

DISMISS_FROM: Final = 1.0
"""Points from which a mention is set aside. No single sign reaches it but two of them do, so that a customer who posts
a link or shouts is not taken for an advertiser."""
WEIGHTS: Final = {
    "phrase": 0.6,
    "more_phrases": 0.4,
    "links": 0.4,
    "only_links": 0.5,
    "hashtags": 0.4,
    "many_handles": 0.4,
    "short_link": 0.25,
    "money_signs": 0.25,
    "contact": 0.4,
    "unknown_young": 0.2,
    "copied": 0.4,
    "reads_like_spam": 0.3,
    "reads_very_like_spam": 0.6,
    "speaks_to_us": -0.5,
    "names_a_problem": -0.4,
    "suspects_a_scam": -0.5,
    "private_or_owned": -0.4,
}
"""What each sign adds."""
SHORTENERS: Final = (
    "bit.ly/",
    "tinyurl.com/",
    "t.ly/",
    "cutt.ly/",
    "is.gd/",
    "goo.gl/",
    "rb.gy/",
    "shorturl.at/",
    "wa.me/",
    "t.me/",
)
YOUNG_DAYS: Final = 30
READS_LIKE: Final = 0.6
READS_VERY_LIKE: Final = 0.9
"""How sure the head must be for its two signs."""

_LINK = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_MONEY_SIGN = re.compile(
    r"[$€£]{2,}|💰|🤑|💸|🚀|💵|[$€£]\s?\d[\d.,]*\s?(?:k\b|per|a day|/day|weekly|daily)", re.IGNORECASE
)
_CONTACT = re.compile(
    r"\b(?:whats\s?app|telegram|dm me|wa\.me|t\.me)\b[^\n]{0,40}?(?:\+?\d[\d\s()-]{7,}|@\w{3,})", re.IGNORECASE
)
_CONTACT_VENUES: Final = ("whats", "telegram", "dm me", "wa.me", "t.me")
_SUSPICION: Final = frozenset(
    {"scam", "phishing", "fraud", "fake", "legit", "oplichting", "nep", "fraude", "betrouwbaar"}
)
_PROBLEM_LABELS: Final = ("complaint", "churn", "request")


@stage(needs=("relevance", "wording"), adds=("spam",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """Whether it is spam (kind spam or job_ad), with its points; what is, is dismissed."""
    return [_judged(a, briefing) for a in batch]


def _judged(a: Assessment, briefing: Briefing) -> Assessment:
    finding = _of(a, briefing)
    judged = a.found(spam=finding)
    if not finding.value:
        return judged
    return judged.dismiss("a job advertisement" if finding.extra["kind"] == "job_ad" else "spam")


def _of(a: Assessment, briefing: Briefing) -> Finding:
    text = a.reading.text
    quoted: dict[str, list[str]] = {}
    for language in briefing.languages:  # spam comes in all of them, whatever the text around it
        for label, start, end in briefing.models.phrasebook("spam", language).find(a.reading.words):
            quoted.setdefault(label, []).append(text[start:end])
    phrases = [*quoted.get("spam", ()), *quoted.get("job_ad", ())]
    signs = _signs(a, briefing, text, phrases)
    points = sum(WEIGHTS[sign] for sign in signs)
    if points >= DISMISS_FROM and _complains(a, briefing):
        signs.append("names_a_problem")
        points += WEIGHTS["names_a_problem"]
    kind = "job_ad" if len(quoted.get("job_ad", ())) > len(quoted.get("spam", ())) else "spam"
    if kind == "job_ad" and "links" in signs and "names_a_problem" not in signs:
        points += 0.2
    because = ", ".join(part for part in (quote(*phrases), _named(signs, a)) if part) or "no sign of it"
    confidence = min(0.5 + 0.35 * abs(points - DISMISS_FROM), 0.95)
    if points >= DISMISS_FROM:
        return _says(True, confidence, because, kind=kind, points=round(points, 2))
    return _says(False, confidence, because, points=round(points, 2))


def _signs(a: Assessment, briefing: Briefing, text: str, phrases: Sequence[str]) -> list[str]:
    words = [word for word, _, _ in a.reading.words]
    lowered = text.lower()
    links = len(_LINK.findall(text)) if "://" in lowered or "www." in lowered or not text.isascii() else 0
    handles = sum(word[0] == "@" for word in words)
    bare = sum(word[0].isalpha() for word in words)
    heard = (
        a.wording if a.kind not in ("article", "video") else None
    )  # the head knows messages; articles advertise jobs
    opinion = heard.opinion("spam") if heard else None
    likely = opinion.probabilities.get("yes", 0.0) if opinion else 0.0
    author = a.author
    young = (
        author is not None
        and author.account_created_at is not None
        and (a.published_at - author.account_created_at).days < YOUNG_DAYS
        and not author.followers
    )
    held = {
        "phrase": bool(phrases),
        "more_phrases": len(set(phrases)) > 1,
        "links": links >= 1 and bool(phrases),
        "only_links": links >= 1 and bare - 4 * links <= 2 and not handles and a.kind not in ("article", "video"),
        "hashtags": sum(word[0] == "#" for word in words) >= 6,
        "many_handles": handles >= 6,
        "short_link": any(short in lowered for short in SHORTENERS),
        "money_signs": ("$" in text or not text.isascii()) and bool(_MONEY_SIGN.search(text)),
        "contact": _may_give_a_contact(lowered) and bool(_CONTACT.search(text[:2_000])),
        "unknown_young": young,
        "reads_like_spam": READS_LIKE <= likely < READS_VERY_LIKE,
        "reads_very_like_spam": likely >= READS_VERY_LIKE,
        "copied": a.background.copied_by_authors >= 3 and bool(phrases),
        "speaks_to_us": a.addressed and not phrases,
        "suspects_a_scam": not _SUSPICION.isdisjoint(words),
        "private_or_owned": a.owned or a.visibility == "private",
    }
    return [sign for sign, holds in held.items() if holds]


def _may_give_a_contact(lowered: str) -> bool:
    """Whether the dear pattern can match; in a text of other letters than ASCII's, where folding is not that simple, it may."""
    return not lowered.isascii() or any(venue in lowered for venue in _CONTACT_VENUES)


def _complains(a: Assessment, briefing: Briefing) -> bool:
    return any(
        label in _PROBLEM_LABELS
        for language in briefing.languages
        for label, _, _ in briefing.models.phrasebook("intent", language).find(a.reading.words)
    )


def _named(signs: Sequence[str], a: Assessment) -> str:
    named = [sign.replace("_", " ") for sign in signs if sign not in ("phrase", "more_phrases")]
    if a.wording and named and any(sign.startswith("reads_") for sign in signs):
        words = quote(*(one.word for one in a.wording.told("spam", "yes")), limit=3)
        named = [f"{name} ({words})" if words and name.startswith("reads ") else name for name in named]
    return ", ".join(named)
