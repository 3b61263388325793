"""What an Instagram account tells, by webhook or when it is read, in our words."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from services.ingest.channel import Engagement, IncomingMention, OutgoingReply, Page, SkipThis
from services.ingest.networks import meta_messages
from services.ingest.networks.items import Drift, Items, cut, mention, missing, payload_in
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import when
from shared.models.mention import MentionKind

NAMED = "Our account was named in a {} on Instagram. Its words have not come yet."
OTHERS = frozenset({"story_insights", "messaging_seen", "message_reactions"})
MESSAGES = frozenset({"messages", "message_edit", "messaging_postbacks", "standby"})
_MEDIA: Mapping[str, Literal["image", "video"]] = {"IMAGE": "image", "CAROUSEL_ALBUM": "image", "VIDEO": "video"}


def to_mention(event: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """An event in our words. Pure. None where it is no writing of others; raises ValidationError where it makes no mention."""
    if is_message(event):
        return meta_messages.to_mention(_as_pushed(event), drift, at)
    if event["kind"] == "changes":
        return _changed(event, drift, at)
    if event["kind"] == "media.comments":
        return _comment(event, drift, at)
    return _tagged(event, drift, at) if event["kind"] == "tags" else None


def is_message(event: Mapping[str, Any]) -> bool:
    """Whether an event is of a conversation, where all others are of comments and posts."""
    told = event["kind"] == "changes" and event.get("field") in MESSAGES
    return told or event["kind"] in (*meta_messages.PUSHED, "conversations", meta_messages.LISTED)


def kind_of(listed: Any) -> str:
    """What an entry of a list is of which only the entries are known, by the fields that only it has."""
    fields = listed if isinstance(listed, dict) else {}
    if "media_type" in fields:
        return "tags"
    return meta_messages.LISTED if "created_time" in fields else "media.comments"


def _as_pushed(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Meta's tests, and some of its apps, get messages as they get comments: as a field with a value."""
    if event["kind"] != "changes":
        return event
    value = event.get("value")
    about = {name: event.get(name) for name in ("entry", "time")}
    return {**(value if isinstance(value, dict) else {}), **about, "kind": "messaging"}


def _changed(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention | None:
    value = Fields(event.get("value"), "value", drift)
    told_at = when(Fields(event, "entry", drift), "time") or at
    media = value.inside("media")
    if event.get("field") == "mentions":
        missing(value, "media_id")
        comment, post = value.text("comment_id"), value.text("media_id")
        return mention(
            event, external_id=comment or post, text="", title=NAMED.format("comment" if comment else "post"), addressed_to_us=True,
            published_at=told_at, kind=MentionKind.COMMENT if comment else MentionKind.POST, thread_id=post,
        )  # fmt: skip
    if event.get("field") not in ("comments", "live_comments"):
        if event.get("field") not in OTHERS:
            drift["field"] = None
        return None
    missing(value, "id", "text", "from", "media")
    parent = value.text("parent_id") or None
    return mention(
        event,
        external_id=value.text("id"),
        text=value.text("text") or "",
        published_at=when(value, "timestamp") or told_at,  # the delivery tells no time of the comment itself
        author=_author(value),
        kind=MentionKind.REPLY if parent else MentionKind.COMMENT,
        in_reply_to=parent or media.text("id"),
        thread_id=media.text("id"),
    )


def _comment(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value, media = Fields(event.get("value"), "comment", drift), Fields(event.get("entry"), "media", drift)
    missing(value, "id", "timestamp")
    parent = media.text("parent") or value.text("parent_id")
    likes = value.count("like_count")
    kept = {name: told for name, told in value.value.items() if name != "replies"}
    return mention(
        kept or event.get("value"),
        external_id=value.text("id"),
        text=value.text("text") or "",
        published_at=when(value, "timestamp") or at,
        author=_author(value),
        kind=MentionKind.REPLY if parent else MentionKind.COMMENT,
        permalink=media.link("permalink"),
        in_reply_to=parent or media.text("id"),
        thread_id=media.text("id"),
        engagement=None if likes is None else Engagement(likes=likes),
    )


def _tagged(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value = Fields(event.get("value"), "media", drift)
    missing(value, "id", "timestamp", "permalink")
    permalink, likes = value.link("permalink"), value.count("like_count")
    kind = _MEDIA.get(value.text("media_type") or "")
    return mention(
        event.get("value"),
        external_id=value.text("id"),
        text=value.text("caption") or "",
        published_at=when(value, "timestamp") or at,
        author=_author(value),
        kind=MentionKind.POST,
        permalink=permalink,
        thread_id=value.text("id"),
        engagement=None if likes is None else Engagement(likes=likes),
        media=[{"kind": kind, "url": permalink}] if kind and permalink else [],
    )


def _author(value: Fields) -> dict[str, Any] | None:
    writer = value.inside("from")
    known_by, handle = writer.text("id") or None, cut(writer.text("username") or value.text("username"))
    if not known_by and not handle:
        return None
    url = f"https://www.instagram.com/{handle}/" if handle and handle.replace(".", "").isidentifier() else None
    return {"external_id": known_by, "handle": handle, "url": url}


def named_in(reply: OutgoingReply) -> dict[str, str] | None:
    """Where we were named outside our own posts, as `mentions` takes it; None for a comment under a post of ours."""
    if reply.kind == MentionKind.POST:
        return {"media_id": reply.in_reply_to}
    try:
        kept = payload_in(reply.raw or b"{}")
    except SkipThis:
        return None
    if isinstance(kept, dict) and kept.get("field") == "mentions" and reply.thread_id:
        return {"media_id": reply.thread_id, "comment_id": reply.in_reply_to}
    return None


def page_of(events: list[dict[str, Any]], at: datetime, **more: Any) -> Page:
    """Events as a page, with what else is known of it."""
    told = Items().take(events, partial(to_mention, at=at)).told()
    named = {_named(one) for one in events}
    return Page(
        **told, **more, incomplete=tuple(one.external_id for one in told["mentions"] if one.external_id in named)
    )


def whole_of(found: Any, mention: IncomingMention, at: datetime) -> IncomingMention | None:
    """What the account is shown of where it was named, as its mention: known and answered as what came. None for nothing."""
    told, post = Fields(found, "account", {}), mention.kind == MentionKind.POST
    value = told.inside("mentioned_media" if post else "mentioned_comment")
    if not value:
        return None
    shown = {**value.value, "id": mention.external_id}
    drift: Drift = {}
    if post:
        whole = _tagged({"value": shown}, drift, at)
    else:
        entry = {"id": mention.thread_id, "permalink": value.inside("media").text("permalink")}
        whole = _comment({"value": shown, "entry": entry}, drift, at)
    kept = {"raw": mention.raw, "kind": mention.kind, "in_reply_to": mention.in_reply_to, "addressed_to_us": True}
    return whole.model_copy(update={**kept, "thread_id": mention.thread_id})


def _named(event: Mapping[str, Any]) -> str | None:
    """The id of the comment or post in which we were named, where the event tells that."""
    if event.get("kind") != "changes" or event.get("field") != "mentions":
        return None
    told = Fields(event.get("value"), "value", {})
    return told.text("comment_id") or told.text("media_id")
