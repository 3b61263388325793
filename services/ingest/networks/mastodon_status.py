"""Statuses of Mastodon, and of what speaks its API, in our words. Pure.

A status has an address that is the same at every instance (`uri`), by which we know it, and an id at the instance that we ask
(`id`), by which that is asked. It tells what it answers by that id only, so whoever reads it says what addresses are behind ids.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from services.ingest.channel import Engagement, IncomingAuthor, IncomingMedia, IncomingMention, cleaned
from services.ingest.networks.json_api import Fields, is_link, kept
from shared.models.mention import MentionKind, Visibility
from shared.rules.plain_text import plain_text

_MEDIA: Mapping[str, Literal["image", "video", "audio"]] = {
    "image": "image",
    "gifv": "video",
    "video": "video",
    "audio": "audio",
}


def to_mention(
    status: Fields, at: datetime, instance: str = "", uris: Mapping[str, str] | None = None, *, edited: bool = False
) -> IncomingMention:
    """A status. `instance` is the host that told it, `uris` the addresses behind ids; `edited`: it is told as an edit.

    Raises pydantic's ValidationError where nothing is left that could be a mention.
    """
    account = status.inside("account", needed=True)
    uri = status.text("uri", needed=True) or status.text("url") or ""
    visibility = status.text("visibility", needed=True)
    answers = status.text("in_reply_to_id")
    edited_at = status.moment("edited_at")
    permalink = status.link("url") or (uri if is_link(uri) else None)
    private = visibility in ("direct", "private")
    language = status.text("language")
    return IncomingMention(
        external_id=uri,
        text=cleaned(plain_text(status.text("content", needed=True) or "")),
        title=cleaned(status.text("spoiler_text") or "").strip()[:2_000] or None,
        published_at=min(status.moment("created_at", needed=True) or at, at),
        author=author_of(account, instance) if account else None,
        kind=MentionKind.MESSAGE if visibility == "direct" else MentionKind.REPLY if answers else MentionKind.POST,
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        permalink=permalink,
        lang=language if language and len(language) <= 12 and language.replace("-", "").isalnum() else None,
        in_reply_to=(uris or {}).get(answers) if answers else None,
        thread_id=None if answers else uri,
        engagement=_engagement(status),
        media=tuple(_media(status))[:50],
        edited_at=(edited_at or at) if edited else edited_at,
        raw=kept(status.value),
    )


def author_of(account: Fields, instance: str) -> IncomingAuthor | None:
    """Who wrote it. The handle tells the host too; the account's page is the same at every instance."""
    url = account.link("url")
    acct = account.text("acct", needed=True)
    handle = f"{acct}@{instance}" if acct and instance and "@" not in acct else acct
    known_by = url or account.text("uri") or (handle if handle and "@" in handle else None)
    verified = any(field.text("verified_at") for field in account.each("fields"))
    return (
        IncomingAuthor(
            external_id=known_by,
            handle=handle and cleaned(handle)[:500],
            name=cleaned(account.text("display_name") or "").strip()[:500] or account.text("username"),
            url=url,
            followers=account.count("followers_count"),
            following=account.count("following_count"),
            verified=verified or None,
            account_created_at=account.moment("created_at"),
        )
        if known_by or handle
        else None
    )


def tombstone(uri: str, status_id: str, deleted_at: datetime) -> IncomingMention:
    """A status that its instance has no more."""
    return IncomingMention(
        external_id=uri,
        text="",
        published_at=deleted_at,
        deleted_at=deleted_at,
        raw=kept({"uri": uri, "id": status_id, "deleted": True}),
    )


def local_id(uri: str, instance: str, raw: bytes | None, read: Any) -> str | None:
    """The id of a status at the instance, where its payload or its address tells. `read` parses a payload."""
    if raw is not None:
        try:
            told = read(raw)
        except ValueError:
            told = None
        if isinstance(told, dict) and told.get("uri") == uri and isinstance(told.get("id"), str):
            return str(told["id"])
    if uri.startswith(f"{instance}/"):
        tail = uri.rstrip("/").rpartition("/")[2]
        return tail if tail.isascii() and tail.isalnum() else None
    return None


def _engagement(status: Fields) -> Engagement | None:
    counts = Engagement(
        likes=status.count("favourites_count"),
        replies=status.count("replies_count"),
        shares=status.count("reblogs_count"),
        quotes=status.count("quotes_count"),
    )
    return counts if counts.model_dump(exclude_none=True) else None


def _media(status: Fields) -> list[IncomingMedia]:
    found: list[IncomingMedia] = []
    for one in status.each("media_attachments"):
        url = one.link("url") or one.link("remote_url") or one.link("preview_url")
        if url:
            alt = one.text("description")
            found.append(
                IncomingMedia(
                    kind=_MEDIA.get(one.text("type") or "", "file"), url=url, alt=alt and cleaned(alt)[:10_000]
                )
            )
    if link := status.inside("card").link("url"):
        found.append(
            IncomingMedia(
                kind="link", url=link, alt=cleaned(status.inside("card").text("title") or "")[:10_000] or None
            )
        )
    if isinstance(quote := status.value.get("quote"), dict):
        quoted = Fields(quote, "status.quote", status.drift).inside("quoted_status")
        if address := quoted.link("url"):
            found.append(IncomingMedia(kind="link", url=address))
    return found
