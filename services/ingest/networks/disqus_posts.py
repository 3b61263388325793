"""Comments of Disqus in our words: pure, apart from any server."""

from datetime import datetime
from typing import Any

from services.ingest.channel import IncomingAuthor, IncomingMention, Sent, SkipThis
from services.ingest.networks.items import Drift, Items, cut, engagement, mention, missing, score_of, tombstone
from services.ingest.networks.json_api import Fields
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.plain_text import plain_text


def to_mention(post: Any, drift: Drift, at: datetime) -> IncomingMention:
    """A comment in our words. Pure. Raises pydantic's ValidationError, SkipThis where it is none."""
    told = Fields(post, "response", drift)
    if not told:
        raise SkipThis("A comment is no object.")
    missing(told, "id", "thread", "author", "message", "createdAt")
    number, published = told.text("id"), told.moment("createdAt")
    if told.flag("isDeleted"):
        return tombstone(post, number, published, at)
    related = isinstance(told.value.get("thread"), dict)
    thread = told.inside("thread") if related else Fields(None, "response.thread", drift)
    page = thread.link("link")
    parent = told.text("parent")
    return mention(
        post,
        external_id=number,
        text=plain_text(told.text("message") or "") or (told.text("raw_message") or ""),
        published_at=published,
        author=_author(told.inside("author")),
        kind=MentionKind.REPLY if parent else MentionKind.COMMENT,
        permalink=f"{page.partition('#')[0]}#comment-{number}" if page and number and number.isdigit() else None,
        in_reply_to=parent,
        thread_id=thread.text("id") if related else told.text("thread"),
        engagement=engagement(likes=told.count("likes"), score=score_of(told, "points")),
        media=[{"kind": "link", "url": url} for one in told.each("media") if (url := one.link("url"))][:10],
    )


def _author(author: Fields) -> IncomingAuthor | None:
    """Who wrote it. A guest has a name only."""
    number, name = author.text("id"), cut(author.text("name"))
    guest = author.flag("isAnonymous") is True
    if guest or not number:
        return IncomingAuthor(name=name) if name else None
    return IncomingAuthor(
        external_id=number, handle=cut(author.text("username")), name=name, url=author.link("profileUrl")
    )


def posts_in(told: Any, at: datetime) -> Items:
    """The comments of an answer."""
    read = Items()
    whole = Fields(told, "page", read.drift)
    missing(whole, "response", "code")
    return read.take(whole.all("response"), lambda post, drift: to_mention(post, drift, at))


def sent_as(post: Fields) -> Sent | None:
    """What we posted, as the API shows it; None where it cannot be read, or is gone."""
    try:
        made = to_mention(post.value, {}, clock.now())
    except (SkipThis, ValueError):
        return None
    return None if made.deleted_at else Sent(made.external_id, made.published_at, made.permalink)
