"""Payloads that nobody here wrote: the pairs of granary (public domain), read by our channels.

Beside a venue's payload (`note.bsky.json`) stands what granary read in it (`note.as-from-bsky.json`), or what it was
made from (`note.as.json`), as ActivityStreams. Our channel must find the same text, author, link and time in it. A
channel is one line of KINDS; where the data or the channel is not there, the reason is printed. Where granary's reading
is not ours on purpose, OTHERWISE says why, and the test fails as soon as that is no longer so.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.ingest import catalog
from services.ingest.channel import ChannelError, IncomingMention
from shared.rules.canonical_url import key

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FOLDER = Path(os.environ.get("WEBCARE_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "granary"


@dataclass(frozen=True)
class Kind:
    """Files of one form: which channel reads them, where ActivityStreams stands beside them, what is put around them so
    that they are what the venue sends, and what can be compared then."""

    channel_type: str
    beside: tuple[str, ...]
    as_sent: Callable[[bytes], bytes] = lambda body: body
    compared: frozenset[str] = frozenset({"text", "title", "link", "time", "author", "in_reply_to"})


def _bluesky(body: bytes) -> bytes:
    """A bare record, as a venue would show it: in a post, with its address and its author."""
    told = json.loads(body)
    if told.get("$type") != "app.bsky.feed.post":
        return body
    uri = "at://did:plc:foo/app.bsky.feed.post/3jv3wdw2hkt25"
    author = {"did": "did:plc:foo", "handle": "foo.example"}
    return json.dumps(
        {"posts": [{"uri": uri, "author": author, "record": told, "indexedAt": told["createdAt"]}]}
    ).encode()


def _listed(name: str) -> Callable[[bytes], bytes]:
    return lambda body: json.dumps({name: [json.loads(body)]}).encode()


KINDS: Mapping[str, Kind] = {
    "rss.xml": Kind("rss", ("as-from-rss.json", "as.json")),
    "atom.xml": Kind("rss", ("as-from-atom.json", "as.json")),
    "feed.json": Kind("rss", ("as-from-feed.json", "as.json")),
    "feed-from-as.json": Kind("rss", ("as-from-feed.json", "as.json")),
    "bsky.json": Kind("bluesky", ("as-from-bsky.json", "as.json"), _bluesky),
    # written by granary from the other side: a record of its own, whose address and author we make up
    "bsky-from-as.json": Kind("bluesky", ("as.json",), _bluesky, frozenset({"text", "time"})),
    "mastodon.json": Kind("mastodon", ("as-from-mastodon.json", "as.json")),
    "tweet.json": Kind("x", ("as-from-tweet.json", "as.json")),
    "fb.json": Kind("facebook", ("as-from-fb.json", "as.json")),
    "instagram.json": Kind("instagram", ("as-from-instagram.json", "as.json")),
    "reddit.json": Kind("reddit", ("as-from-reddit.json", "as.json"), _listed("children")),
}
NO_POST = ("actor", "actor_with_featured", "like", "follow")
_BARE_SHARE = ("repost.bsky-from-as.json", "like.bsky-from-as.json")

# Where their reading is not ours, and why: (the file's name, what differs).
OTHERWISE: Mapping[tuple[str, str], str] = {
    ("feed_with_audio_video.rss.xml", "author"): "the feed names its author (itunes:author); they show its title",
    ("attachments.feed.json", "mentions"): "its only item has no words, and links that lead nowhere",
    ("note.feed-from-as.json", "text"): "the feed was written from a longer note, with a place at its end",
    ("note.bsky-from-as.json", "text"): "the post was written with the note's summary put in front",
    ("quote_and_attachment.bsky.json", "mentions"): "the post has no address, by which a mention is known",
    ("quote_and_image.bsky.json", "mentions"): "the post has no address, by which a mention is known",
}


def _pairs() -> Iterator[tuple[Path, Path, Kind]]:
    for file in sorted(FOLDER.glob("*")):
        name, _, form = file.name.partition(".")
        kind = KINDS.get(form)
        if kind is None or name in NO_POST or file.name in _BARE_SHARE:
            continue
        for beside in kind.beside:
            if (oracle := FOLDER / f"{name}.{beside}").exists():
                yield file, oracle, kind
                break


PAIRS = list(_pairs())
LACKING = sorted({kind.channel_type for kind in KINDS.values()} - {kind.channel_type for _, _, kind in PAIRS})


def _read(file: Path, kind: Kind) -> list[IncomingMention]:
    if kind.channel_type not in catalog.types():
        pytest.skip(f"there is no channel {kind.channel_type} to read {file.name}")
    return list(catalog.load(kind.channel_type).read_payload(kind.as_sent(file.read_bytes()), AT).mentions)


def _told(oracle: Path) -> list[dict[str, Any]]:
    told = json.loads(oracle.read_text(encoding="utf-8"))
    posts = (
        [one.get("object", one) if one.get("verb") == "share" else one for one in told]
        if isinstance(told, list)
        else [told]
    )
    return sorted(posts, key=lambda one: one.get("published") or "")


@pytest.mark.skipif(not PAIRS, reason=f"the payload pairs of granary are not at {FOLDER}")
@pytest.mark.parametrize(("file", "oracle", "kind"), PAIRS, ids=lambda one: one.name if isinstance(one, Path) else "")
def test_we_read_what_others_read(file: Path, oracle: Path, kind: Kind) -> None:
    mentions, theirs = _read(file, kind), _told(oracle)
    found = {"mentions"} if len(mentions) != len(theirs) else set()
    if not found:
        for mention, told in zip(sorted(mentions, key=lambda one: one.published_at), theirs, strict=True):
            found |= set(differences(mention, told, kind)) & kind.compared
    assert found == {what for name, what in OTHERWISE if name == file.name}


@pytest.mark.skipif(not PAIRS, reason=f"the payload pairs of granary are not at {FOLDER}")
@pytest.mark.parametrize("name", NO_POST)
def test_what_is_no_post_is_no_mention(name: str) -> None:
    for form, kind in KINDS.items():
        if (file := FOLDER / f"{name}.{form}").exists():
            try:
                assert _read(file, kind) == []
            except ChannelError:
                continue


@pytest.mark.parametrize("channel_type", LACKING)
def test_venues_without_pairs_are_named(channel_type: str) -> None:
    pytest.skip(f"there are no pairs of {channel_type} at {FOLDER}")


def differences(mention: IncomingMention, told: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    """What we read otherwise than they: text, title, link, time, author, answers."""
    words = _words(told.get("content") or "")
    if mention.text.split() != words and (words or mention.text != (mention.title or mention.text)):
        yield "text"
    if kind.channel_type == "rss" and mention.title != told.get("displayName"):
        yield "title"
    if "url" in told and not _same_link(mention, told):
        yield "link"
    if told.get("published") and mention.published_at != _moment(told["published"]):
        yield "time"
    author = told.get("author") or next(iter(told.get("authors") or ()), None)
    if isinstance(author, dict) and not _same_author(mention, author):
        yield "author"
    for parent in told.get("inReplyTo") or ():
        if mention.in_reply_to != parent["id"]:
            yield "in_reply_to"


def _words(html: str) -> list[str]:
    return re.sub(r"<(audio|video).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL).split()


def _same_link(mention: IncomingMention, told: Mapping[str, Any]) -> bool:
    if mention.permalink is None:
        return False
    if mention.external_id == told.get("id") and mention.external_id.startswith("at://"):
        # they write the handle where there is one, we the lasting id: the rest must be the same
        return re.sub(r"/profile/[^/]+/", "/", mention.permalink) == re.sub(r"/profile/[^/]+/", "/", told["url"])
    return key(mention.permalink) == key(told["url"])


def _same_author(mention: IncomingMention, told: Mapping[str, Any]) -> bool:
    author = mention.author
    if author is None or author.name != told.get("displayName"):
        return False
    if "username" in told and author.handle != told["username"]:
        return False
    if str(told.get("id", "")).startswith("did:") and author.external_id != told["id"]:
        return False
    return author.url is None or "url" not in told or "bsky.app" in author.url or key(author.url) == key(told["url"])


def _moment(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
