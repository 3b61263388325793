"""Does the account behave like a person? A score with its signals, never a verdict: a person reviews and decides.

The score is 1 less the weights of the signals that hold. Taking a signal away raises it by exactly that signal's weight. Where
more weight is against an account than there is to lose, the score is 0 and `why` says how much there was: taking a signal away
then raises the score to what the others leave, which is 0 as long as they weigh 1 or more together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.triage.links import Names, look_alikes, names_of, posing_as, unsafe
from services.triage.stage import Assessment, Briefing, Finding, LookAlike, finder, stage

_VERSION = "3"
_says = finder("authenticity", _VERSION)

NOTHING_KNOWN: Final = 1.0
ALIKE: Final = 0.7
"""The similarity of two sketches from which one text is a copy of the other, as in stages/duplicates.py."""
MOST: Final = 20
"""How many look-alikes a finding names."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """A sign that speaks against an account. `measure` gives how strongly it holds, from 0 to 1, and the fact itself;
    None where nothing is known. The score falls by weight times strength, so that each signal's share can be seen."""

    name: str
    weight: float
    measure: Callable[[Assessment, Names], tuple[float, Any] | None]


@stage(needs=("sentiment", "spam", "duplicate"), adds=("authenticity",), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """From 1 (nothing speaks against it) to 0, with `signals` ({name, value, weight}) and, where others wrote the same, `cluster`:
    the ids of the look-alikes at hand."""
    brand = briefing.once("authenticity", _brand, of=("brands", "own_handles"))
    return [a.found(authenticity=_of(a, brand)) for a in batch]


def _brand(briefing: Briefing) -> Names:
    return names_of(
        [name for brand in briefing.brands for name in brand.names],
        [*briefing.own_handles, *(handle for brand in briefing.brands for handle in brand.handles)],
    )


def _of(a: Assessment, brand: Names) -> Finding:
    signals = []
    known = 0
    for signal in SIGNALS:
        measured = signal.measure(a, brand)
        if measured is None:
            continue
        known += 1
        strength, fact = measured
        share = round(signal.weight * max(0.0, min(strength, 1.0)), 4)
        if share > 0:
            signals.append({"name": signal.name, "value": fact, "weight": share})
    lost = round(sum(signal["weight"] for signal in signals), 4)
    score = round(max(0.0, NOTHING_KNOWN - lost), 4)
    said = ", ".join(f"{s['name'].replace('_', ' ')} {s['value']}" for s in signals)
    why = said or ("nothing speaks against it" if known else "nothing is known of the account")
    if lost > NOTHING_KNOWN:
        why += f" (they weigh {lost:g}, more than there is to lose)"
    extra: dict[str, Any] = {"signals": signals}
    if cluster := [str(like.mention_id) for like in _cluster(a)][:MOST]:
        extra["cluster"] = cluster
    return _says(score, 0.3 + 0.5 * known / len(SIGNALS), why, **extra)


def _cluster(a: Assessment) -> Iterator[LookAlike]:
    """The earlier mentions at hand that say the same under another account, in the order they came."""
    duplicate = a.one("duplicate")
    if duplicate is not None and duplicate.extra.get("kind") == "repost":
        return
    first = str(duplicate.value) if duplicate is not None and duplicate.extra.get("kind") in ("exact", "near") else None
    own = a.author.external_id if a.author else None
    for like in sorted(a.background.look_alikes, key=lambda one: one.mention_id):
        if like.same_page or like.mention_id == a.mention_id:
            continue
        if own is not None and (a.channel_type, own) == (like.channel_type, like.author):
            continue
        if str(like.mention_id) == first or _alike(a, like):
            yield like


def _alike(a: Assessment, like: LookAlike) -> bool:
    mine, theirs = a.background.sketch, like.sketch
    if mine is None or theirs is None:
        return " ".join(a.text.split()).casefold() == " ".join(like.text.split()).casefold()
    # "thank you!" is said by many and copied by none
    return bool(mine.signature) and mine.similarity(theirs) >= ALIKE


def _falling(value: float, full: float, none: float) -> float:
    """1 at `full` or beyond, 0 at `none` or beyond, straight between."""
    return max(0.0, min(1.0, (none - value) / (none - full)))


def _account_age(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    if a.author is None or a.author.account_created_at is None:
        return None
    days = max(0, (a.published_at - a.author.account_created_at).days)
    return _falling(days, 1, 60), days


def _follower_ratio(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    if a.author is None or a.author.followers is None or a.author.following is None:
        return None
    if a.author.following < 100:
        return 0.0, None
    ratio = a.author.followers / a.author.following
    return _falling(ratio, 0.01, 0.1), round(ratio, 4)


def _posting_pace(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    pace = a.background.author_posts_last_hour
    return _falling(-pace, -30, -6), pace


def _clockwork(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    spread = a.background.rhythm_deviation
    return None if spread is None else (_falling(spread, 0.05, 0.3), round(spread, 3))


def _copied_text(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    duplicate = a.one("duplicate")
    if duplicate is not None and duplicate.extra.get("kind") == "repost":
        return 0.0, None
    others = int(duplicate.extra.get("copied_by", 0)) if duplicate else 0
    if not a.background.look_alikes:  # somebody else has counted
        others = max(others, a.background.copied_by_authors)
    return _falling(-others, -5, -0.5), others


def _review_burst(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    usual = a.background.reviews_usual_day
    if a.kind != "review" or usual is None:
        return None
    times = a.background.reviews_last_day / max(usual, 1.0)
    return _falling(-times, -10, -3), round(times, 1)


def _rating_against_text(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    sentiment = a.one("sentiment")
    if a.rating is None or sentiment is None:
        return None
    told = sentiment.extra.get("text_score")
    if told is None:
        return None
    apart = abs((a.rating - 3) / 2 - float(told))
    return _falling(-apart, -1.6, -1.0), round(apart, 2)


def _unsafe_links(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    """Full strength, but for shortened links, which honest people post too."""
    if not _may_link(a):
        return None
    found = unsafe(a.reading.text)
    if not found:
        return 0.0, None
    strength = 0.6 if all(one.what == "shortened" for one in found) else 1.0
    return strength, ", ".join(f"{one.host} ({one.what})" for one in found[:3])


def _look_alike_links(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    if not brand.names or not _may_link(a):
        return None
    found = look_alikes(a.reading.text, brand)
    return float(bool(found)), ", ".join(f"{one.host} ({one.what})" for one in found[:3]) or None


def _may_link(a: Assessment) -> bool:
    return "." in a.reading.text or "://" in a.reading.text


def _look_alike_handle(a: Assessment, brand: Names) -> tuple[float, Any] | None:
    if a.author is None or not a.author.handle or not brand.names:
        return None
    name = posing_as(a.author.handle, brand)
    return float(name is not None), name and f"reads as {name}"


def _sounds_like_spam(a: Assessment, brand: Names) -> tuple[float, Any] | None:
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
    _Signal("look_alike_links", 0.25, _look_alike_links),
    _Signal("look_alike_handle", 0.20, _look_alike_handle),
    _Signal("spam_points", 0.15, _sounds_like_spam),
)
"""Each with the most it may take from the score."""
