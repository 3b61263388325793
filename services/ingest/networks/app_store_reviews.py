"""Reviews of the App Store in our words, from its public feeds and from App Store Connect: pure, apart from any server."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.channel import IncomingMention, SkipThis
from services.ingest.networks.items import Drift, Items, cut, mention, missing, unknown
from services.ingest.networks.json_api import Fields
from services.ingest.networks.territories import two_letters
from shared.models.mention import MentionKind

_REVIEW = "rating title body reviewerNickname createdDate territory"


def reviews_in(told: Any, country: str | None = None) -> Items:
    """The reviews of a page, whichever of the two it is of. `country` is the feed's."""
    read = Items()
    whole = Fields(told, "page", read.drift)
    if "feed" in whole.value:
        feed = whole.inside("feed")
        country = country or _country_of(feed)
        return read.take(_entries(feed), lambda entry, drift: from_feed(entry, drift, country))
    missing(whole, "data")
    return read.take(whole.all("data"), from_connect)


def times_in(told: Any) -> list[datetime]:
    """When the reviews of a page were written, as far as they tell."""
    whole = Fields(told, "page", {})
    if "feed" in whole.value:
        moments = [_label(Fields(one, "entry", {}), "updated", "moment") for one in _entries(whole.inside("feed"))]
    else:
        moments = [one.inside("attributes").moment("createdDate") for one in whole.each("data")]
    return [at for at in moments if at is not None]


def from_feed(entry: Any, drift: Drift, country: str | None) -> IncomingMention | None:
    """An entry of a feed. None for the one that describes the app itself."""
    told = Fields(entry, "feed.entry", drift)
    if not told:
        raise SkipThis("An entry is no object.")
    if "im:rating" not in told.value:
        return None
    missing(told, "id", "author", "updated", "title", "content")
    author = told.inside("author")
    page = author.inside("uri").link("label")
    name = cut(author.inside("name").text("label"))
    return mention(
        entry,
        external_id=_label(told, "id", "text"),
        text=_label(told, "content", "text") or "",
        title=cut(_label(told, "title", "text"), 2_000),
        published_at=_label(told, "updated", "moment"),
        author={"external_id": page, "name": name, "url": page} if page or name else None,
        kind=MentionKind.REVIEW,
        permalink=told.inside("link").inside("attributes").link("href")
        if isinstance(told.value.get("link"), dict)
        else None,
        rating=_stars(_label(told, "im:rating", "text")),
        country=country.upper() if country else None,
    )


def from_connect(review: Any, drift: Drift) -> IncomingMention:
    """A review as App Store Connect tells it."""
    told = Fields(review, "data", drift)
    if not told:
        raise SkipThis("A review is no object.")
    about = told.inside("attributes", needed=True)
    unknown(about, _REVIEW)
    missing(about, *_REVIEW.split())
    name = cut(about.text("reviewerNickname"))
    return mention(
        review,
        external_id=told.text("id", needed=True),
        text=about.text("body") or "",
        title=cut(about.text("title"), 2_000),
        published_at=about.moment("createdDate"),
        author={"name": name} if name else None,
        kind=MentionKind.REVIEW,
        rating=_stars(about.text("rating")),
        country=two_letters(about.text("territory")),
    )


def _entries(feed: Fields) -> Iterator[Any]:
    """A feed with one review has an object where others have a list, and one without any has nothing there."""
    found = feed.value.get("entry")
    if isinstance(found, dict):
        yield found
    elif isinstance(found, list):
        yield from found
    elif found is not None:
        feed.drift["feed.entry"] = None


def _label(told: Fields, name: str, kind: str) -> Any:
    held = told.inside(name)
    return held.moment("label") if kind == "moment" else held.text("label")


def _stars(told: str | None) -> float | None:
    return float(told) if told in ("1", "2", "3", "4", "5") else None


def _country_of(feed: Fields) -> str | None:
    found = re.search(r"/([a-z]{2})/rss/", feed.inside("id").text("label") or "")
    return found[1] if found else None
