"""Posts of a Discourse forum, in our words."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from html import unescape
from typing import Any

from services.ingest.channel import Engagement, IncomingMention, Page
from services.ingest.incoming_mention import MOST_MEDIA
from services.ingest.networks.items import Drift, Items, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields, is_link
from services.ingest.networks.words import Words
from shared.models.mention import MentionKind, Visibility
from shared.rules.plain_text import plain_text

REGULAR = 1  # 2 and 3 are notices, 4 is whispered among the forum's staff
_QUOTE = re.compile(r"<aside[^>]*\bclass=\"[^\"]*\bquote\b[^>]*>(?:(?!<aside\b).)*?</aside>", re.DOTALL)
_PICTURE = re.compile(r"<img\b[^>]*>")
_ATTRIBUTE = re.compile(r"\b(src|alt|class)=\"([^\"]*)\"")
_BB_QUOTE = re.compile(r"\[quote[^\]]*\](?:(?!\[quote).)*?\[/quote\]", re.DOTALL)


def to_mention(
    post: Any, drift: Drift, at: datetime, base: str, event: str = "", words: Words | None = None
) -> IncomingMention | None:
    """A post in our words. Pure; `event` is what its webhook says befell it. None where it is no post of anybody, or holds none
    of the `words`. Raises pydantic's ValidationError where it makes no mention."""
    fields = Fields(post, "post", drift)
    missing(fields, "id", "username", "created_at", "topic_id", "post_number")
    known, published = fields.text("id"), fields.moment("created_at") or at
    if fields.value.get("post_type", REGULAR) != REGULAR:
        return None
    gone_at = fields.moment("deleted_at")
    if event == "post_destroyed" or (gone_at and event != "post_recovered") or fields.value.get("user_deleted") is True:
        return tombstone(post, known, published, gone_at or at)
    text = said_in(fields)
    if words is not None and not words.are_in(text, fields.text("topic_title")):
        return None
    topic, number, above = fields.text("topic_id"), fields.count("post_number"), fields.count("reply_to_post_number")
    private = fields.text("topic_archetype") == "private_message"
    first = number == 1
    edited = (fields.count("version") or 1) > 1
    path = fields.text("post_url") or ""
    return mention(
        post,
        external_id=known,
        text=text,
        title=cut(fields.text("topic_title") or fields.text("title"), 2_000) if first else None,
        published_at=published,
        edited_at=(fields.moment("updated_at") or at) if edited or event in ("post_edited", "post_recovered") else None,
        author=_author(fields, base),
        kind=MentionKind.MESSAGE if private else MentionKind.POST if first else MentionKind.REPLY,
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        permalink=f"{base}{path}" if base and path.startswith("/") and not any(map(str.isspace, path)) else None,
        in_reply_to=f"{topic}/{above or 1}" if topic and not first else None,
        thread_id=topic and f"{topic}/1",
        restored=event == "post_recovered",
        engagement=_engagement(fields),
        media=_pictures(fields),
    )


def said_in(fields: Fields) -> str:
    """The words of a post without what it quotes: from its HTML, else from its Markdown."""
    cooked = fields.text("cooked")
    if cooked is not None:
        return plain_text(_PICTURE.sub(_emoji, _without(_QUOTE, cooked)))
    return _without(_BB_QUOTE, fields.text("raw") or "").strip()


def _emoji(picture: re.Match[str]) -> str:
    """An emoji, which the forum shows as a picture, by its name; nothing for other pictures."""
    told = dict(_ATTRIBUTE.findall(picture[0]))
    return told.get("alt", "") if "emoji" in told.get("class", "").split() else " "


def _pictures(fields: Fields) -> list[dict[str, Any]]:
    told = [dict(_ATTRIBUTE.findall(one)) for one in _PICTURE.findall(_without(_QUOTE, fields.text("cooked") or ""))]
    shown = [one for one in told if not {"emoji", "avatar", "site-icon"} & set(one.get("class", "").split())]
    links = [(unescape(one.get("src", "")), unescape(one.get("alt", ""))) for one in shown]
    return [{"kind": "image", "url": url, "alt": alt or None} for url, alt in links if is_link(url)][:MOST_MEDIA]


def _without(quotes: re.Pattern[str], said: str) -> str:
    for _ in range(5):  # quotes within quotes, from the innermost out
        said, found = quotes.subn(" ", said)
        if not found:
            break
    return said


def _author(fields: Fields, base: str) -> dict[str, Any] | None:
    handle = cut(fields.text("username"))
    known = fields.text("user_id")
    if handle is None and known is None:
        return None
    plain = handle is not None and handle.replace(".", "").replace("-", "").isidentifier()
    url = f"{base}/u/{handle}" if base and plain else None
    return {"external_id": known, "handle": handle, "name": cut(fields.text("name")), "url": url}


def _engagement(fields: Fields) -> Engagement | None:
    likes = fields.count("like_count")
    told = {"likes": likes, "replies": fields.count("reply_count"), "views": fields.count("reads")}
    return Engagement(**told) if any(one is not None for one in told.values()) else None


def page_of(
    posts: Iterable[Any], at: datetime, base: str, event: str = "", words: Words | None = None, **more: Any
) -> Page:
    """Posts as a page, with what else is known of it."""
    reader = partial(to_mention, at=at, base=base, event=event, words=words)
    return Page(**Items().take(posts, reader).told(), **more)
