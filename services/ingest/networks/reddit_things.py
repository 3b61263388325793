"""Posts and comments of Reddit in our words: pure, apart from any server.

A listing holds things: t1 is a comment, t3 a post, t4 a private message. What is gone stays as a thing without words.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ingest.channel import IncomingAuthor, IncomingMention, SkipThis
from services.ingest.networks.items import (
    Drift,
    Items,
    cut,
    engagement,
    from_epoch,
    mention,
    missing,
    place_in,
    score_of,
    tombstone,
)
from services.ingest.networks.json_api import Fields
from shared.models.mention import MentionKind, Visibility

SITE = "https://www.reddit.com"
WATCHED_FOR_S = 172_800
MOST_WATCHED = 500
GONE = frozenset({"[deleted]", "[removed]", "[ Removed by Reddit ]"})
_NO_ONE = "[deleted]"


@dataclass(slots=True)
class Listing:
    """What was read of a listing. `nameless`: things whose words stand there while their author's account is gone."""

    items: Items = field(default_factory=Items)
    after: str | None = None
    times: list[datetime] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    nameless: set[str] = field(default_factory=set)


def listing_in(told: Any, at: datetime) -> Listing:
    """The things of a listing. `at` is the moment it was read."""
    read = Listing()
    drift = read.items.drift
    page = Fields(told, "listing", drift)
    missing(page, "data")
    data = page.inside("data")
    read.after = place_in(data, "after")
    for child in data.all("children"):
        thing = Fields(child, "children", drift)
        about = thing.inside("data")
        read.items.take([child], lambda one, drift: to_mention(one, drift, at))
        name, created = about.text("name"), from_epoch(about, "created_utc")
        if created:
            read.times.append(created)
        if name:
            read.names.add(name)
            if about.text("author") == _NO_ONE and not _is_gone(about):
                read.nameless.add(name)
    return read


def watch(watched: list[list[Any]], read: Listing, now: datetime) -> list[list[Any]]:
    """Whose deletion is looked for, as [name, published, author]: what was found in the last days."""
    known = {one[0] for one in watched}
    new = [
        [one.external_id, int(one.published_at.timestamp()), (one.author and one.author.external_id) or ""]
        for one in read.items.mentions
        if one.external_id not in known and one.deleted_at is None and one.external_id[:3] in ("t1_", "t3_")
    ]
    floor = int(now.timestamp()) - WATCHED_FOR_S
    return [one for one in [*watched, *new] if one[1] >= floor][-MOST_WATCHED:]


def to_mention(thing: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """A thing of a listing. None for what is neither a post nor a comment nor a message."""
    whole = Fields(thing, "children", drift)
    kind = whole.text("kind")
    if kind not in ("t1", "t3", "t4"):
        return None
    told = whole.inside("data", needed=True)
    missing(told, "name", "author", "created_utc")
    name, published = told.text("name"), from_epoch(told, "created_utc")
    words = told.text("selftext" if kind == "t3" else "body") or ""
    edited = from_epoch(told, "edited") if told.value.get("edited") not in (False, None) else None
    if _is_gone(told):
        return tombstone(thing, name, published, at)
    link = told.link("url") if kind == "t3" and told.value.get("is_self") is False else None
    path = told.text("permalink") or ""
    return mention(
        thing,
        external_id=name,
        text=words,
        title=cut(told.text("title" if kind == "t3" else "subject"), 2_000) if kind != "t1" else None,
        published_at=published,
        edited_at=edited,
        author=_author(told),
        kind={"t1": MentionKind.COMMENT, "t3": MentionKind.POST, "t4": MentionKind.MESSAGE}[kind],
        visibility=Visibility.PRIVATE if kind == "t4" else Visibility.PUBLIC,
        permalink=f"{SITE}{path}"
        if path.startswith("/r/") and not any(map(str.isspace, path)) and len(path) < 2_000
        else None,
        in_reply_to=told.text("parent_id"),
        thread_id=told.text("link_id") or told.text("first_message_name") or name,
        engagement=engagement(
            score=score_of(told, "score"), replies=told.count("num_comments") if kind == "t3" else None
        ),
        media=[{"kind": "link", "url": link}] if link else (),
    )


def _is_gone(told: Fields) -> bool:
    """Whether its author deleted it or somebody removed it; its author is not named then either."""
    words = told.value.get("body", told.value.get("selftext"))
    return bool(told.text("removed_by_category")) or (isinstance(words, str) and words in GONE)


def _author(told: Fields) -> IncomingAuthor | None:
    """Who wrote it; None where the account is gone."""
    handle = told.text("author")
    if not handle or handle == _NO_ONE:
        return None
    plain = handle.replace("-", "").replace("_", "").isalnum() and handle.isascii() and len(handle) < 100
    return IncomingAuthor(
        external_id=told.text("author_fullname"), handle=cut(handle), url=f"{SITE}/user/{handle}" if plain else None
    )


def posted_in(told: Any) -> tuple[Fields, list[tuple[str, str]]]:
    """What an answer to a form says: the first thing it made, and its errors as (code, sentence)."""
    answer = Fields(told, "answer", {}).inside("json")
    errors = [
        (str(one[0]), str(one[1])) for one in answer.all("errors") if isinstance(one, list) and len(one) >= 2
    ]  # a third part names the field
    things = [thing.inside("data") for thing in answer.inside("data").each("things")]
    return (things[0] if things else Fields(None, "thing", {})), errors


def check_thing(name: str) -> str:
    """A name that can be acted on: of a comment or a post. Raises SkipThis."""
    if not (name[:3] in ("t1_", "t3_") and name[3:].isalnum() and name.isascii() and len(name) < 30):
        raise SkipThis("This is no post or comment of Reddit.")
    return name
