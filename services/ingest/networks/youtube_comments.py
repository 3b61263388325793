"""Comments of YouTube in our words: pure, apart from any server."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.ingest.channel import IncomingAuthor, IncomingMention, SkipThis
from services.ingest.networks.items import Drift, Items, cut, engagement, mention, missing, place_in, unknown
from services.ingest.networks.json_api import Fields
from shared.models.mention import MentionKind

SITE = "https://www.youtube.com"
WATCHED_FOR = timedelta(days=14)
MOST_WATCHED = 300
_SNIPPET = (
    "authorChannelId authorChannelUrl authorDisplayName authorProfileImageUrl canRate channelId likeCount "
    "moderationStatus parentId publishedAt textDisplay textOriginal updatedAt videoId viewerRating"
)


@dataclass(frozen=True, slots=True)
class Thread:
    """What is kept of a thread: how many replies it has, how many of them came with it, and where it stands."""

    id: str
    replies: int
    shown: int
    published_at: datetime
    video: str = ""


@dataclass(slots=True)
class Comments:
    """What was read of a page."""

    items: Items = field(default_factory=Items)
    threads: list[Thread] = field(default_factory=list)
    next_page: str | None = None


def comments_in(told: Any, video: str | None = None) -> Comments:
    """The comments of an answer of commentThreads or comments. `video` stands in where a reply does not tell its own."""
    read = Comments()
    drift = read.items.drift
    whole = Fields(told, "page", drift)
    missing(whole, "items")
    read.next_page = place_in(whole, "nextPageToken")
    for item in whole.all("items"):
        thread = Fields(item, "items", drift)
        snippet = thread.inside("snippet")
        if "topLevelComment" not in snippet.value:
            read.items.take([item], lambda one, drift: to_mention(one, drift, video))
            continue
        where = place_in(snippet, "videoId") or video
        replies = thread.inside("replies").all("comments")
        top = snippet.value["topLevelComment"]
        read.items.take([top, *replies], lambda one, drift, where=where: to_mention(one, drift, where))  # type: ignore[misc]
        number, at = place_in(thread, "id"), Fields(top, "top", {}).inside("snippet").moment("publishedAt")
        if number and at:
            read.threads.append(Thread(number, snippet.count("totalReplyCount") or 0, len(replies), at, where or ""))
    return read


def remember(held: dict[str, Any], seen: Iterable[Thread], now: datetime) -> None:
    """Keeps in a cursor the young threads, as [replies, published, video]; those with more replies than came along are put
    among what is to be read (`todo`)."""
    threads, todo = dict(held.get("threads", {})), list(held.get("todo", []))
    for thread in seen:
        before = threads.get(thread.id, [0])[0]
        if thread.replies > max(before, thread.shown) and [thread.id, ""] not in todo:
            todo.append([thread.id, ""])
        threads[thread.id] = [max(thread.replies, before), int(thread.published_at.timestamp()), thread.video]
    oldest = int((now - WATCHED_FOR).timestamp())
    by_age = sorted(threads, key=lambda name: threads[name][1], reverse=True)
    kept = {name for name in by_age[:MOST_WATCHED] if threads[name][1] >= oldest} | {name for name, _ in todo}
    held |= {"threads": {name: one for name, one in threads.items() if name in kept}, "todo": todo}


def to_mention(comment: Any, drift: Drift, video: str | None) -> IncomingMention:
    """A comment. Raises pydantic's ValidationError, SkipThis where it is none."""
    told = Fields(comment, "items", drift)
    if not told:
        raise SkipThis("A comment is no object.")
    about = told.inside("snippet", needed=True)
    unknown(about, _SNIPPET)
    missing(about, "authorDisplayName", "textDisplay", "publishedAt", "updatedAt")
    number, parent = told.text("id", needed=True), about.text("parentId")
    video = about.text("videoId") or video
    published, updated = about.moment("publishedAt"), about.moment("updatedAt")
    place = f"{SITE}/watch?v={video}&lc={number}"
    return mention(
        comment,
        external_id=number,
        text=about.text("textOriginal") or about.text("textDisplay") or "",
        published_at=published,
        edited_at=updated if published and updated and updated > published else None,
        author=_author(about),
        kind=MentionKind.REPLY if parent else MentionKind.COMMENT,
        permalink=place if video and number and _plain(video) and _plain(number) else None,
        in_reply_to=parent,
        thread_id=parent or number,
        engagement=engagement(likes=about.count("likeCount")),
    )


def _author(about: Fields) -> IncomingAuthor | None:
    name = cut(about.text("authorDisplayName"))
    number = about.inside("authorChannelId").text("value")
    if not name and not number:
        return None
    handle = name if name and name.startswith("@") else None
    return IncomingAuthor(external_id=number, handle=handle, name=name, url=about.link("authorChannelUrl"))


def _plain(part: str) -> bool:
    return len(part) < 200 and part.replace("-", "").replace("_", "").replace(".", "").isalnum() and part.isascii()
