"""What a Facebook page tells, by webhook or when it is read, in our words."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from services.ingest.channel import Engagement, IncomingMention, Page
from services.ingest.networks.items import Drift, Items, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import when
from shared.models.mention import MentionKind

WWW = "https://www.facebook.com/"

POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "album", "note", "event", "reel", "story"})
OTHERS = frozenset({"reaction", "like", "page", "milestone", "address", "coupon", "cta", "offer", "rating", "hours"})
RECOMMENDED = {"positive": "Recommends the page.", "negative": "Does not recommend the page."}
ADDED, EDITED, REMOVED = frozenset({"add"}), frozenset({"edit", "edited", "update"}), frozenset({"remove", "delete"})
_MEDIA: Mapping[str, Literal["image", "video"]] = {
    "photo": "image", "album": "image", "sticker": "image", "animated_image_share": "image",
    "animated_image_autoplay": "image", "video": "video", "video_inline": "video", "video_autoplay": "video",
    "reel": "video",
}  # fmt: skip


def to_mention(event: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """An event in our words. Pure. None where it is no writing; raises pydantic's ValidationError where it makes no mention."""
    if event["kind"] == "changes":
        return _changed(event, drift, at)
    if event["kind"] == "feed.comments":
        return _comment(event, drift, at)
    if event["kind"] == "ratings":
        return _review(event.get("value"), drift, at)
    return _post(event, drift, at)


def kind_of(listed: Any) -> str:
    """What an entry of a list is of which only the entries are known."""
    return "ratings" if isinstance(listed, dict) and "open_graph_story" in listed else "feed.comments"


def _changed(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention | None:
    value = Fields(event.get("value"), "value", drift)
    if event.get("field") == "ratings":
        return _review_changed(event, value, at)
    if event.get("field") not in ("feed", "mention"):
        if event.get("field") not in ("videos", "live_videos", "name", "picture"):
            drift["field"] = None
        return None
    item, verb = value.text("item") or "post", value.text("verb") or "add"
    told_at = when(Fields(event, "entry", drift), "time") or at
    if item not in POSTS | {"comment"}:
        if item not in OTHERS:
            drift["value.item"] = None
        return None
    if verb not in ADDED | EDITED | REMOVED:
        if verb not in ("hide", "unhide", "hided", "unhided", "block", "unblock", "follow", "mute"):
            drift["value.verb"] = None
        return None
    published = when(value, "created_time") or told_at
    post_id, is_comment = value.text("post_id"), item == "comment"
    external_id = value.text("comment_id") if is_comment else post_id
    if verb in REMOVED:
        return tombstone(event, external_id, published, told_at)
    missing(value, "post_id", *(("comment_id", "parent_id") if is_comment and event["field"] == "feed" else ()))
    writer = value.inside("from")
    name = writer.text("name") or value.text("sender_name")
    parent = value.text("parent_id") if is_comment else None
    link = value.link("link") if item in ("share", "link", "status", "post") else None
    shown = _MEDIA.get(item) or ("image" if value.text("photo") else "video" if value.text("video") else None)
    return mention(
        event,
        external_id=external_id,
        text=value.text("message") or "",
        published_at=published,
        edited_at=told_at if verb in EDITED else None,
        author=_author(writer.text("id") or value.text("sender_id"), name),
        kind=_kind(parent, post_id) if is_comment else MentionKind.POST,
        permalink=value.link("permalink_url") or (external_id and f"{WWW}{external_id}"),
        in_reply_to=(parent or post_id) if is_comment else None,
        thread_id=post_id,
        media=_media(external_id, shown, link),
    )


def _review_changed(event: Mapping[str, Any], value: Fields, at: datetime) -> IncomingMention | None:
    """What became of a recommendation: given, changed, taken back, or commented on."""
    item, verb = value.text("item") or "rating", value.text("verb") or "add"
    if item not in ("rating", "comment") or verb not in ADDED | EDITED | REMOVED:
        return None
    told_at = when(Fields(event, "entry", value.drift), "time") or at
    story, published = value.text("open_graph_story_id"), when(value, "created_time") or told_at
    if verb in REMOVED:
        return tombstone(event, value.text("comment_id") if item == "comment" else story, published, told_at)
    missing(value, "open_graph_story_id")
    edited_at = told_at if verb in EDITED else None
    if item == "rating":
        reviewer = (value.text("reviewer_id"), value.text("reviewer_name"))
        return _rated(event, value, story, reviewer, published, edited_at)
    writer, external_id = value.inside("from"), value.text("comment_id")
    return mention(
        event,
        external_id=external_id,
        text=value.text("message") or "",
        published_at=published,
        edited_at=edited_at,
        author=_author(writer.text("id") or value.text("sender_id"), writer.text("name") or value.text("sender_name")),
        kind=MentionKind.COMMENT,
        permalink=external_id and f"{WWW}{external_id}",
        in_reply_to=value.text("parent_id") or story,
        thread_id=story,
    )


def _review(entry: Any, drift: Drift, at: datetime) -> IncomingMention:
    value = Fields(entry, "rating", drift)
    missing(value, "created_time", "open_graph_story")
    reviewer, story = value.inside("reviewer"), value.inside("open_graph_story").text("id")
    named = (reviewer.text("id"), reviewer.text("name"))
    return _rated(entry, value, story, named, when(value, "created_time") or at, None)


def _rated(
    item: Any, value: Fields, story: str | None, reviewer: tuple[str | None, str | None], at: datetime,
    edited_at: datetime | None,
) -> IncomingMention:  # fmt: skip
    """A recommendation: yes or no, which are the ends of the scale; older ones have stars. It is known by its story, under
    which it is answered."""
    advised = (value.text("recommendation_type") or "").lower()
    stars = value.count("rating")
    return mention(
        item,
        external_id=story,
        text=value.text("review_text") or "",
        title=RECOMMENDED.get(advised),
        published_at=at,
        edited_at=edited_at,
        author=_author(*reviewer),
        kind=MentionKind.REVIEW,
        permalink=story and f"{WWW}{story}",
        thread_id=story,
        rating=stars if stars and stars <= 5 else {"positive": 5, "negative": 1}.get(advised),
    )


def _comment(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value, post = Fields(event.get("value"), "comment", drift), Fields(event.get("entry"), "post", drift)
    missing(value, "id", "created_time")
    external_id, writer = value.text("id"), value.inside("from")
    post_id = post.text("id") or None
    parent = value.inside("parent").text("id")
    return mention(
        event["value"],
        external_id=external_id,
        text=value.text("message") or "",
        published_at=when(value, "created_time") or at,
        author=_author(writer.text("id"), writer.text("name")),
        kind=_kind(parent, None),
        permalink=value.link("permalink_url") or (external_id and f"{WWW}{external_id}"),
        in_reply_to=parent or post_id,
        thread_id=post_id,
        engagement=_engagement(value),
        media=_media(external_id, _MEDIA.get(value.inside("attachment").text("type") or ""), None),
    )


def _post(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value = Fields(event.get("value"), "post", drift)
    missing(value, "id", "created_time")
    external_id, writer = value.text("id"), value.inside("from")
    shown = next(value.inside("attachments").each("data"), Fields(None, "attachments", drift))
    kind = shown.text("type") or ""
    return mention(
        {name: told for name, told in value.value.items() if name != "comments"} or event.get("value"),
        external_id=external_id,
        text=value.text("message") or "",
        title=None if value.text("message") or shown else cut(value.text("story")),
        published_at=when(value, "created_time") or at,
        author=_author(writer.text("id"), writer.text("name")),
        kind=MentionKind.POST,
        permalink=value.link("permalink_url") or (external_id and f"{WWW}{external_id}"),
        thread_id=external_id,
        media=_media(external_id, _MEDIA.get(kind), shown.link("unshimmed_url") if kind == "share" else None),
    )


def _author(known_by: str | None, name: str | None) -> dict[str, Any] | None:
    """Facebook names nobody who did not allow it to the app."""
    return {"external_id": known_by or None, "name": cut(name)} if known_by or cut(name) else None


def _kind(parent: str | None, post_id: str | None) -> MentionKind:
    return MentionKind.REPLY if parent and parent != post_id else MentionKind.COMMENT


def _media(external_id: str | None, shown: Literal["image", "video"] | None, link: str | None) -> list[dict[str, str]]:
    """A picture is where its post is: Facebook's own addresses of pictures end after a while."""
    if shown and external_id:
        return [{"kind": shown, "url": f"{WWW}{external_id}"}]
    return [{"kind": "link", "url": link}] if link else []


def _engagement(value: Fields) -> Engagement | None:
    likes, replies = value.count("like_count"), value.count("comment_count")
    return Engagement(likes=likes, replies=replies) if likes is not None or replies is not None else None


def page_of(events: list[dict[str, Any]], at: datetime, **more: Any) -> Page:
    """Events as a page, with what else is known of it."""
    found = Items().take(events, partial(to_mention, at=at))
    return Page(**found.told(), **more)
