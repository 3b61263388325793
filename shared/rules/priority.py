"""How much a mention presses: a score from 0 to 100 out of named parts, and the class it falls into.

| part | points | when |
|---|---|---|
| expected | 20 | always: somebody who is engaged is owed an answer |
| urgency | 70 safety, 65 vulnerable, 45 outage, 45 legal, 35 churn | the gravest found, times its confidence |
| severity | 0 to 30 | severity of the issue type, from 0 (a wish) to 1 (critical) |
| sentiment | +15 to -15 | how strongly negative it is; praise takes points off |
| reach | 0 to 15 | followers of the author: half at 1,000, all at 1,000,000, evenly by factors of ten |
| velocity | 0 to 15 | posts an hour in the thread: half at 10, all at 100 or more |
| rating | 10, 6 or 2 | one, two, three stars of five (other scales are mapped to five) |
| tier | 15 vip, 8 key | the contact's tier |
| asked again | 7 each, 21 at most | times the person already asked without an answer |

The score is the sum, rounded, kept between 0 and 100. Classes by default: urgent from 70, high from 45, normal from 20,
low below. A workspace may set other limits. The parts are kept, so that anybody can see why.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Urgency = Literal["safety", "vulnerable", "outage", "legal", "churn"]
PriorityClass = Literal["urgent", "high", "normal", "low"]

CLASSES: tuple[PriorityClass, ...] = ("urgent", "high", "normal", "low")
"""Most pressing first; the index is the rank in a queue's order."""

URGENCY: Mapping[Urgency, int] = {"safety": 70, "vulnerable": 65, "outage": 45, "legal": 45, "churn": 35}
TIERS: Mapping[str, int] = {"vip": 15, "key": 8}
EXPECTED, SEVERITY, SENTIMENT, REACH, VELOCITY = 20, 30, 15, 15, 15
RATING = {1: 10, 2: 6, 3: 2}
ASKED, ASKED_AT_MOST = 7, 21


@dataclass(frozen=True, slots=True)
class Limits:
    """From which score on a class holds."""

    urgent: int = 70
    high: int = 45
    normal: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.normal <= self.high <= self.urgent <= 100:
            raise ValueError("Limits rise from normal over high to urgent and lie between 0 and 100.")


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of a mention. What is not known is left out and gives no points.

    `urgency` maps the kinds found to their confidence (0 to 1), `severity` is 0 to 1, `sentiment` -1 to 1, `velocity`
    posts an hour in the thread, `rating` stars out of `rating_of`, `asked` earlier unanswered messages on the matter.
    """

    urgency: Mapping[Urgency, float] = field(default_factory=dict)
    severity: float | None = None
    sentiment: float | None = None
    followers: int | None = None
    velocity: float | None = None
    rating: float | None = None
    rating_of: float = 5
    tier: str | None = None
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for the score: its name, its points, and a few words."""

    name: str
    points: float
    why: str


@dataclass(frozen=True, slots=True)
class Priority:
    """The score, the class it falls into, and its parts, those with the most points first."""

    score: int
    cls: PriorityClass
    parts: tuple[Part, ...]


_DEFAULTS = Limits()


def score(signals: Signals, limits: Limits = _DEFAULTS) -> Priority:
    """The priority of a mention; parts without points are left out."""
    parts = [
        Part("expected", EXPECTED, "somebody waits for an answer"),
        _urgency(signals.urgency),
        _severity(signals.severity),
        _sentiment(signals.sentiment),
        _reach(signals.followers),
        _velocity(signals.velocity),
        _rating(signals.rating, signals.rating_of),
        Part("tier", TIERS.get(signals.tier or "", 0), f"tier {signals.tier}"),
        Part("asked again", min(max(signals.asked, 0) * ASKED, ASKED_AT_MOST), f"asked {signals.asked} times before"),
    ]
    counted = sorted((part for part in parts if part.points), key=lambda part: -abs(part.points))
    total = round(min(max(math.fsum(part.points for part in counted), 0), 100))
    return Priority(total, class_of(total, limits), tuple(counted))


def class_of(points: float, limits: Limits = _DEFAULTS) -> PriorityClass:
    """The class a score falls into."""
    if points >= limits.urgent:
        return "urgent"
    if points >= limits.high:
        return "high"
    return "normal" if points >= limits.normal else "low"


def rank(cls: str) -> int:
    """A class's place in the order, 0 first; a class nobody knows goes last."""
    return CLASSES.index(cls) if cls in CLASSES else len(CLASSES)


def _points(value: float) -> float:
    # A tenth is as fine as anybody can explain, and keeps sums free of binary dust.
    return round(value, 1)


def _within(value: float | None, low: float, high: float) -> float:
    """The value kept between two limits; 0 for what is not known."""
    return 0 if value is None or math.isnan(value) else min(max(value, low), high)


def _urgency(kinds: Mapping[Urgency, float]) -> Part:
    weighed = [(_points(URGENCY[kind] * _within(sure, 0, 1)), kind) for kind, sure in kinds.items() if kind in URGENCY]
    if not weighed:
        return Part("urgency", 0, "")
    points, kind = max(weighed)
    return Part("urgency", points, f"{kind}, confidence {_within(kinds[kind], 0, 1):.2f}")


def _severity(severity: float | None) -> Part:
    return Part("severity", _points(SEVERITY * _within(severity, 0, 1)), f"severity {severity}")


def _sentiment(sentiment: float | None) -> Part:
    strength = _within(sentiment, -1, 1)
    return Part(
        "sentiment", _points(-SENTIMENT * strength), f"{'negative' if strength < 0 else 'positive'} {strength:+.2f}"
    )


def _reach(followers: int | None) -> Part:
    if followers is None or followers < 1:
        return Part("reach", 0, "")
    return Part("reach", _points(REACH * min(math.log10(followers + 1) / 6, 1)), f"{followers} followers")


def _velocity(velocity: float | None) -> Part:
    pace = _within(velocity, 0, 1e9)
    if pace <= 1:
        return Part("velocity", 0, "")
    return Part("velocity", _points(VELOCITY * min(math.log10(pace) / 2, 1)), f"{pace:.0f} posts an hour")


def _rating(rating: float | None, of: float) -> Part:
    if rating is None or math.isnan(rating) or of <= 0:
        return Part("rating", 0, "")
    stars = math.ceil(_within(rating / of * 5, 0, 5) - 1e-9)
    return Part("rating", RATING.get(max(stars, 1), 0), f"{rating:g} of {of:g} stars")
