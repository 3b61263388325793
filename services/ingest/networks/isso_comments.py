"""Comments of Isso as its API tells them, in our words."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from services.ingest.channel import IncomingMention
from services.ingest.networks.items import Drift, cut, from_epoch, mention, missing
from services.ingest.networks.json_api import Fields
from shared.models.mention import MentionKind
from shared.rules.plain_text import plain_text


def to_mention(comment: Any, drift: Drift, at: datetime, site: str = "") -> IncomingMention | None:
    """A comment in our words; None for one that waits for moderation or is deleted (of which its place is left). Pure."""
    found = Fields(comment, "comment", drift)
    missing(found, "id", "parent", "created", "modified", "mode", "text", "author", "uri")
    if found.text("mode") in ("2", "4"):
        return None
    external_id, uri = found.text("id"), found.text("uri")
    parent = found.count("parent")
    likes, dislikes = found.count("likes"), found.count("dislikes")
    author = {"name": cut(found.text("author")), "url": found.link("website")}
    edited = from_epoch(found, "modified")
    return mention(
        comment,
        external_id=external_id,
        text=plain_text(found.text("text") or ""),
        published_at=min(from_epoch(found, "created") or at, at),
        edited_at=edited and min(edited, at),
        author=author if any(author.values()) else None,
        kind=MentionKind.COMMENT,
        permalink=link_to(site, uri, external_id) if uri and external_id else None,
        in_reply_to=str(parent) if parent else None,
        thread_id=uri[:1_000] if uri else None,
        engagement=None if likes is None else {"likes": likes, "score": likes - (dislikes or 0)},
    )


def link_to(site: str, uri: str, external_id: str) -> str | None:
    """The address of a comment, where the site's is known."""
    link = f"{urljoin(site, uri)}#isso-{external_id}"
    return link if link.startswith(("http://", "https://")) and len(link) <= 2_048 and len(link.split()) == 1 else None


def created_at(comment: Any) -> float:
    """When a comment was written, in seconds since 1970; 0 where it does not say."""
    at = comment.get("created") if isinstance(comment, Mapping) else None
    return float(at) if isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at < 1e11 else 0.0


def oldest_in(listed: list[Any]) -> float:
    """When the oldest of these comments was written."""
    return min(map(created_at, listed), default=0.0)


def digest_of(comment: Any) -> str:
    """Eight digits that change when the words of a comment do."""
    said = comment.get("text") if isinstance(comment, Mapping) else None
    return hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=4).hexdigest()
