"""Does the account behave like a person? A score with its signals, never a verdict: a person reviews and decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.triage.stage import Assessment, Briefing, Finding, finder, stage

_VERSION = "1"
_says = finder("authenticity", _VERSION)

NOTHING_KNOWN: Final = 1.0
SHORTENERS: Final = ("bit.ly/", "tinyurl.com/", "t.ly/", "cutt.ly/", "is.gd/", "goo.gl/", "rb.gy/", "shorturl.at/")


@dataclass(frozen=True, slots=True)
class _Signal:
    """A sign that speaks against an account. `measure` gives how strongly it holds, from 0 to 1, and the fact itself;
    None where nothing is known. The score falls by weight times strength, so that each signal's share can be seen."""

    name: str
    weight: float
    measure: Callable[[Assessment], tuple[float, Any] | None]


@stage(needs=("sentiment", "spam", "duplicate"), adds=("authenticity",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """From 1 (nothing speaks against it) to 0. score = 1 - sum of weight x strength of its signals, not below 0."""
    return [a.found(authenticity=_of(a)) for a in batch]


def _of(a: Assessment) -> Finding:
    signals = []
    lost = 0.0
    known = 0
    for signal in SIGNALS:
        measured = signal.measure(a)
        if measured is None:
            continue
        known += 1
        strength, fact = measured
        if strength > 0:
            share = round(signal.weight * min(strength, 1.0), 4)
            lost += share
            signals.append({"name": signal.name, "value": fact, "weight": share})
    score = round(max(0.0, NOTHING_KNOWN - lost), 4)
    said = ", ".join(f"{s['name'].replace('_', ' ')} {s['value']}" for s in signals)
    why = said or ("nothing speaks against it" if known else "nothing is known of the account")
    return _says(score, 0.3 + 0.5 * known / len(SIGNALS), why, signals=signals)


def _falling(value: float, full: float, none: float) -> float:
    """1 at `full` or beyond, 0 at `none` or beyond, straight between."""
    return max(0.0, min(1.0, (none - value) / (none - full)))


def _account_age(a: Assessment) -> tuple[float, Any] | None:
    if a.author is None or a.author.account_created_at is None:
        return None
    days = max(0, (a.published_at - a.author.account_created_at).days)
    return _falling(days, 1, 60), days


def _follower_ratio(a: Assessment) -> tuple[float, Any] | None:
    if a.author is None or a.author.followers is None or a.author.following is None:
        return None
    if a.author.following < 100:
        return 0.0, None
    ratio = a.author.followers / a.author.following
    return _falling(ratio, 0.01, 0.1), round(ratio, 4)


def _posting_pace(a: Assessment) -> tuple[float, Any] | None:
    pace = a.background.author_posts_last_hour
    return _falling(-pace, -30, -6), pace


def _clockwork(a: Assessment) -> tuple[float, Any] | None:
    spread = a.background.rhythm_deviation
    return None if spread is None else (_falling(spread, 0.05, 0.3), round(spread, 3))


def _copied_text(a: Assessment) -> tuple[float, Any] | None:
    duplicate = a.one("duplicate")
    if duplicate is not None and duplicate.extra.get("kind") == "repost":
        return 0.0, None
    others = int(duplicate.extra.get("copied_by", 0)) if duplicate else 0
    if not a.background.look_alikes:  # somebody else has counted
        others = max(others, a.background.copied_by_authors)
    return _falling(-others, -5, -0.5), others


def _review_burst(a: Assessment) -> tuple[float, Any] | None:
    usual = a.background.reviews_usual_day
    if a.kind != "review" or usual is None:
        return None
    times = a.background.reviews_last_day / max(usual, 1.0)
    return _falling(-times, -10, -3), round(times, 1)


def _rating_against_text(a: Assessment) -> tuple[float, Any] | None:
    sentiment = a.one("sentiment")
    if a.rating is None or sentiment is None:
        return None
    told = sentiment.extra.get("text_score")
    if told is None:
        return None
    apart = abs((a.rating - 3) / 2 - float(told))
    return _falling(-apart, -1.6, -1.0), round(apart, 2)


def _unsafe_links(a: Assessment) -> tuple[float, Any] | None:
    text = a.reading.text.lower()
    if "http" not in text and "www." not in text:
        return None
    hidden = [short.rstrip("/") for short in SHORTENERS if short in text]
    lookalike = "xn--" in text or any(f"//{ip}" in text for ip in ("127.", "10.", "192.168."))
    return (1.0 if lookalike else 0.6 if hidden else 0.0), ", ".join(hidden) or (
        "a look-alike address" if lookalike else None
    )


def _sounds_like_spam(a: Assessment) -> tuple[float, Any] | None:
    spam = a.one("spam")
    points = float(spam.extra.get("points", 0.0)) if spam else 0.0
    return (_falling(-points, -1.0, -0.4), points) if spam else None


SIGNALS: Final = (
    _Signal("account_age_days", 0.20, _account_age),
    _Signal("follower_ratio", 0.10, _follower_ratio),
    _Signal("posts_last_hour", 0.15, _posting_pace),
    _Signal("clockwork_posting", 0.15, _clockwork),
    _Signal("copied_by_authors", 0.25, _copied_text),
    _Signal("review_burst", 0.20, _review_burst),
    _Signal("rating_against_text", 0.10, _rating_against_text),
    _Signal("unsafe_links", 0.15, _unsafe_links),
    _Signal("spam_points", 0.15, _sounds_like_spam),
)
"""Each with the most it may take from the score."""
