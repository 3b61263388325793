"""Posts of the AT Protocol in our words, and ours in its: pure, apart from any server.

Places in a text are counted in UTF-8 bytes there. A record's key is a TID: a moment in microseconds and ten bits, written so
that keys sort by time; ours is worked out from the reply's token, so that the same reply has the same place at each try.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from services.ingest.channel import (
    Engagement,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Skipped,
    cleaned,
    explain,
)
from services.ingest.networks.json_api import Fields, is_link, kept, token_time
from shared.models.mention import MentionKind
from shared.rules import urls

POST = "app.bsky.feed.post"
SITE = "https://bsky.app"
# Where the network's own site fetches media of a record; from general knowledge, not documented.
IMAGE = "https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}@jpeg"
VIDEO = "https://video.bsky.app/watch/{did}/{cid}/playlist.m3u8"
_TID_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")
_AT_URI = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]{1,200})/([a-zA-Z0-9.-]{1,200})/([A-Za-z0-9._:~-]{1,512})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HANDLE = re.compile(r"(?<![\w@/])@((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,63})(?![\w-])")
_HASHTAG = re.compile(r"(?<![\w#&/])#([^\s#\d.,;:!?()\[\]{}\"'][^\s#.,;:!?()\[\]{}\"']{0,63})")
LONGEST_TAG = 64  # graphemes, as the record's schema has it; code points are never fewer


# ---------------------------------------------------------------- keys


def tid(token: str) -> str:
    """A valid record key for a reply's token, always the same. A token that is a UUID of version 7 keeps its moment."""
    digest = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest())
    micros = digest >> 11  # 53 bits
    if (made := token_time(token)) is not None:
        micros = int(made.timestamp() * 1_000) * 1_000 + digest % 1_000
    number = (micros & (1 << 53) - 1) << 10 | digest >> 10 & 0x3FF
    return "".join(_TID_LETTERS[number >> shift & 31] for shift in range(60, -1, -5))


def tid_time(rkey: str) -> datetime | None:
    """The moment that a record key says; None where it is no TID, or says a time that cannot be."""
    if not _TID.fullmatch(rkey):
        return None
    number = 0
    for letter in rkey:
        number = number << 5 | _TID_LETTERS.index(letter)
    at = _EPOCH + timedelta(microseconds=number >> 10)
    return at if at.year >= 2022 else None


def split_uri(uri: str) -> tuple[str, str, str] | None:
    """(did, collection, record key) of an at:// address."""
    found = _AT_URI.fullmatch(uri)
    return (found[1], found[2], found[3]) if found else None


def permalink(uri: str) -> str | None:
    """Where people see a post."""
    parts = split_uri(uri)
    return f"{SITE}/profile/{parts[0]}/post/{parts[2]}" if parts else None


# ---------------------------------------------------------------- reading


def to_mention(post: Fields, at: datetime) -> IncomingMention:
    """A post as the app view shows it (`uri`, `author`, `record`, `indexedAt`, counts), or as a notification tells it.

    Raises pydantic's ValidationError where nothing is left that could be a mention.
    """
    uri = post.text("uri", needed=True) or ""
    record = post.inside("record", needed=True)
    author = post.inside("author", needed=True)
    did = author.text("did", needed=True) or (split_uri(uri) or (None,))[0]
    indexed = post.moment("indexedAt", needed=True) or at
    reply = record.inside("reply")
    parent = reply.inside("parent").text("uri") if reply else None
    langs = [one for one in record.all("langs") if isinstance(one, str)]
    counts = Engagement(
        likes=post.count("likeCount"),
        replies=post.count("replyCount"),
        shares=post.count("repostCount"),
        quotes=post.count("quoteCount"),
    )
    return IncomingMention(
        external_id=uri,
        text=cleaned(record.text("text", needed=True) or ""),
        published_at=published(record.moment("createdAt", needed=True), indexed, uri, at),
        author=IncomingAuthor(
            external_id=did, handle=_handle(author.text("handle")), name=_short(author.text("displayName")),
            url=f"{SITE}/profile/{did}",
        ) if did else None,
        kind=MentionKind.REPLY if parent else MentionKind.POST,
        permalink=permalink(uri),
        lang=next((one for one in langs if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", one)), None),
        in_reply_to=parent,
        thread_id=(reply.inside("root").text("uri") if reply else None) or parent or uri,
        engagement=counts if counts.model_dump(exclude_none=True) else None,
        media=_media(record, post.inside("embed"), (split_uri(uri) or (did or "",))[0]),
        raw=kept(post.value),
    )  # fmt: skip


def published(created: datetime | None, indexed: datetime, uri: str, at: datetime) -> datetime:
    """When it was published: what the writer's program says, never later than the network saw it."""
    said = created if created is not None and created >= _EPOCH else None
    parts = split_uri(uri)
    return min(said or (parts and tid_time(parts[2])) or indexed, indexed, at)


def tombstone(uri: str, deleted_at: datetime) -> IncomingMention:
    """A post that the network has no more."""
    parts = split_uri(uri)
    made = (parts and tid_time(parts[2])) or deleted_at
    return IncomingMention(
        external_id=uri,
        text="",
        published_at=min(made, deleted_at),
        deleted_at=deleted_at,
        author=IncomingAuthor(external_id=parts[0]) if parts else None,
        raw=kept({"uri": uri, "deleted": True}),
    )


def mentions_of(
    posts: Iterable[Any], name: str, at: datetime, drift: dict[str, None]
) -> tuple[list[IncomingMention], list[Skipped]]:
    """Each of `posts` as a mention, or why it is none."""
    good: list[IncomingMention] = []
    bad: list[Skipped] = []
    for one in posts:
        fields = Fields(one, name, drift)
        try:
            good.append(to_mention(fields, at))
        except ValidationError as wrong:
            uri = fields.value.get("uri")
            bad.append(Skipped(" ".join(detail for _, detail in explain(wrong)), uri if isinstance(uri, str) else None))
    return good, bad


def _media(record: Fields, view: Fields, did: str) -> tuple[IncomingMedia, ...]:
    """What is shown beside the text. The view has addresses of its own; a bare record only what was uploaded."""
    found: list[IncomingMedia | None] = []
    embed = view or record.inside("embed")
    inner = embed.inside("media")
    for part in (embed, inner) if inner else (embed,):
        for image in part.each("images"):
            cid = image.inside("image").inside("ref").text("$link")
            address = image.link("fullsize") or (IMAGE.format(did=did, cid=cid) if cid else None)
            found.append(_medium("image", address, image.text("alt")))
        if (external := part.inside("external")) and (link := external.link("uri")):
            found.append(_medium("link", link, external.text("title")))
        cid = part.inside("video").inside("ref").text("$link") if "video" in part.value else None
        playlist = part.link("playlist") or (VIDEO.format(did=did, cid=cid) if cid else None)
        found.append(_medium("video", playlist, part.text("alt") if playlist else None))
        quoted = part.inside("record") if isinstance(part.value.get("record"), dict) else Fields(None, "", {})
        uri = quoted.text("uri") or (quoted.inside("record").text("uri") if quoted else None)
        if uri and (address := permalink(uri)):
            found.append(_medium("link", address, None))
    said = record.text("text") or ""
    for facet in record.each("facets"):
        for feature in facet.each("features"):
            link = feature.link("uri")
            if link and link not in said and not any(one and one.url == link for one in found):
                found.append(_medium("link", link, None))
    return tuple(one for one in found if one is not None)[:50]


def _medium(kind: Literal["image", "video", "link"], url: str | None, alt: str | None) -> IncomingMedia | None:
    return (
        IncomingMedia(kind=kind, url=url, alt=(alt or None) and cleaned(alt or "")[:10_000])
        if url and is_link(url)
        else None
    )


def _short(name: str | None) -> str | None:
    return (name and cleaned(name).strip()[:500]) or None


def _handle(handle: str | None) -> str | None:
    return None if handle in (None, "", "handle.invalid") else handle


# ---------------------------------------------------------------- writing


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """What makes links, mentions and hashtags of a text live. `dids` are those of the handles in it that exist."""
    found: list[tuple[int, int, dict[str, Any]]] = [
        (link.start, link.end, {"$type": "app.bsky.richtext.facet#link", "uri": link.url}) for link in urls.find(text)
    ]
    taken = [(start, end) for start, end, _ in found]

    def free(start: int, end: int) -> bool:
        return all(end <= other or start >= last for other, last in taken)

    for match in HANDLE.finditer(text):
        did = dids.get(match[1].lower())
        if did and free(*match.span()):
            found.append((*match.span(), {"$type": "app.bsky.richtext.facet#mention", "did": did}))
    found += [
        (*match.span(), {"$type": "app.bsky.richtext.facet#tag", "tag": match[1]})
        for match in _HASHTAG.finditer(text)
        if free(*match.span())
    ]
    return [
        {
            "index": {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())},
            "features": [feature],
        }
        for start, end, feature in sorted(found, key=lambda one: one[:2])
    ]


def handles_in(text: str) -> list[str]:
    """The handles that a text names, in lower case, each once."""
    return list(dict.fromkeys(match[1].lower() for match in HANDLE.finditer(text)))
