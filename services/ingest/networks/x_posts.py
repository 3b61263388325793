"""Posts and direct messages of X in our words, as search, timelines, streams and activity events tell them. Pure.

A post that was edited has a new id; the first of its history is what it stays known by. An id holds its moment: milliseconds
since November 2010 in all but the last 22 bits.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from services.ingest.channel import (
    Engagement,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Page,
    Skipped,
    cleaned,
    explain,
)
from services.ingest.networks.json_api import Fields, kept
from shared.models.mention import MentionKind, Visibility

SITE = "https://x.com"
_EPOCH_MS = 1_288_834_974_657
_ID = re.compile(r"[0-9]{1,19}")
_MEDIA: Mapping[str, Literal["image", "video"]] = {"photo": "image", "video": "video", "animated_gif": "video"}
READ = frozenset({"post.mention.create", "post.reply.create", "post.quote.create", "post.create"})
"""Activity events that tell of a post of somebody else's to us."""
NAMING = frozenset({"post.mention.create", "post.quote.create"})
"""Those by which X lets us answer: its author named or quoted us."""
_POST = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/(\w{1,50})/status/([0-9]{1,19})(?:[/?#].*)?", re.IGNORECASE
)


def id_at(at: datetime) -> str:
    """The smallest id that a post of that moment can have."""
    return str(max(0, int(at.timestamp() * 1_000) - _EPOCH_MS) << 22)


def time_of(post_id: str) -> datetime | None:
    """When a post with this id was made; None for ids from before they held it."""
    if not _ID.fullmatch(post_id) or int(post_id) < 1 << 40:
        return None
    return datetime.fromtimestamp(((int(post_id) >> 22) + _EPOCH_MS) / 1_000, UTC)


def newest(ids: list[str]) -> str | None:
    """The largest id."""
    return max((one for one in ids if _ID.fullmatch(one)), key=int, default=None)


@dataclass(slots=True)
class Gathered:
    """What was read: mentions, what is none, ids as they stand in the payload, and where that departs from what is documented.
    `ours` are our own accounts: handles, folded, and ids."""

    ours: frozenset[str] = frozenset()
    mentions: list[IncomingMention] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    drift: dict[str, None] = field(default_factory=dict)

    def page(self, cursor: Mapping[str, Any], **more: Any) -> Page:
        """As a page, oldest first."""
        order = sorted(self.mentions, key=lambda one: one.deleted_at or one.edited_at or one.published_at)
        return Page(tuple(order), cursor, skipped=tuple(self.skipped), drift=tuple(self.drift), **more)

    def take(self, posts: list[Any], includes: Any, at: datetime, *, to_us: bool = False) -> None:
        """Posts with what was told beside them; a repost is nobody's own words and is left out. `to_us`: X says that they name
        or quote us."""
        beside = _Beside.of(Fields(includes, "includes", self.drift))
        for one in posts:
            post = Fields(one, "data", self.drift)
            if (known := post.value.get("id")) and isinstance(known, str):
                self.ids.append(known)
            try:
                mention = to_mention(post, beside, at, self.ours, to_us=to_us)
            except ValidationError as wrong:
                self._skip(wrong, post)
            else:
                self.mentions += [mention] if mention is not None else []

    def take_event(self, event: Fields, at: datetime) -> None:
        """An event of the activity API."""
        kind, payload = event.text("event_type", needed=True) or "", event.inside("payload", needed=True)
        if kind in READ:
            self.take([payload.value], event.value.get("includes"), at, to_us=kind in NAMING)
        elif kind == "post.delete" and (gone := payload.text("id", needed=True)):
            self.mentions.append(tombstone(gone, at, payload.text("author_id")))
        elif kind == "dm.received":
            users = payload.inside("users")
            for one in payload.each("direct_message_events"):
                try:
                    message = _message(one, users, at)
                except ValidationError as wrong:
                    self._skip(wrong, one)
                else:
                    self.mentions += [message] if message is not None else []

    def _skip(self, wrong: ValidationError, what: Fields) -> None:
        told = what.value.get("id")
        reason = " ".join(detail for _, detail in explain(wrong))
        self.skipped.append(Skipped(reason, told if isinstance(told, str) else None))


def to_mention(
    post: Fields, beside: "_Beside", at: datetime, ours: frozenset[str] = frozenset(), *, to_us: bool = False
) -> IncomingMention | None:
    """A post. None for a repost. Raises pydantic's ValidationError where nothing is left that could be a mention."""
    post_id = post.text("id", needed=True) or ""
    history = [one for one in post.all("edit_history_tweet_ids") if isinstance(one, str)]
    first = history[0] if history else post_id
    references = {one.text("type"): one.text("id") for one in post.each("referenced_tweets")}
    if "retweeted" in references:
        return None
    author_id = post.text("author_id", needed=True)
    user = beside.users.get(author_id or "")
    handle = user.text("username") if user else None
    told = post.moment("created_at", needed=True)  # of this version
    made = (told if len(history) < 2 else None) or time_of(first) or told or at
    answers = references.get("replied_to")
    language = post.text("lang")
    lang = language if language and re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", language) else None
    return IncomingMention(
        external_id=first,
        text=_text(post),
        published_at=min(made, at),
        author=_author(author_id, user) if author_id else None,
        kind=MentionKind.REPLY if answers else MentionKind.POST,
        permalink=f"{SITE}/{handle or 'i/web'}/status/{first}" if _ID.fullmatch(first) else None,
        lang=None if lang in ("und", "qme", "qst", "qht", "zxx", "qam", "qct") else lang,
        in_reply_to=answers,
        thread_id=post.text("conversation_id") or answers or first,
        engagement=_engagement(post.inside("public_metrics")),
        media=_media(post, beside, references.get("quoted")),
        country=beside.countries.get(post.inside("geo").text("place_id") or ""),
        edited_at=min(time_of(post_id) or at, at) if len(history) > 1 else None,
        addressed_to_us=to_us or _quotes(post, references.get("quoted"), ours) or None,
        raw=kept(post.value),
    )


def tombstone(post_id: str, deleted_at: datetime, author_id: str | None = None) -> IncomingMention:
    """A post that X has no more, or shows no more."""
    return IncomingMention(
        external_id=post_id,
        text="",
        published_at=min(time_of(post_id) or deleted_at, deleted_at),
        deleted_at=deleted_at,
        author=IncomingAuthor(external_id=author_id) if author_id else None,
        raw=kept({"id": post_id, "deleted": True}),
    )


@dataclass(slots=True)
class _Beside:
    """What is told beside posts."""

    users: dict[str, Fields]
    media: dict[str, Fields]
    countries: dict[str, str]

    @classmethod
    def of(cls, includes: Fields) -> "_Beside":
        users = {}
        for one in includes.each("users"):
            user = one.inside("data") if "data" in one.value else one  # activity events wrap each
            if known := user.text("id"):
                users[known] = user
        media = {key: one for one in includes.each("media") if (key := one.text("media_key"))}
        places = {key: one.text("country_code") or "" for one in includes.each("places") if (key := one.text("id"))}
        return cls(users, media, {key: code for key, code in places.items() if re.fullmatch(r"[A-Za-z]{2}", code)})


def _text(post: Fields) -> str:
    """The words, a long post's in full; addresses as they were written, not as X shortens them."""
    long = post.inside("note_tweet")
    text = (long.text("text") if long else None) or post.text("text", needed=True) or ""
    entities = long.inside("entities") or post.inside("entities")
    for url in entities.each("urls"):
        short, whole = url.text("url"), url.text("unwound_url") or url.text("expanded_url")
        if short and whole and short.startswith("https://t.co/"):
            text = text.replace(short, "" if url.text("media_key") else whole)
    return cleaned(html.unescape(text)).strip()


def _quotes(post: Fields, quoted: str | None, ours: frozenset[str]) -> bool:
    """Whether it quotes a post of ours, which its link to the quoted post shows."""
    if quoted is None or not ours:
        return False
    links = (url.text("unwound_url") or url.text("expanded_url") or "" for url in post.inside("entities").each("urls"))
    told = (_POST.fullmatch(link) for link in links)
    return any(one is not None and one[2] == quoted and one[1].lower() in ours for one in told)


def _author(author_id: str, user: Fields | None) -> IncomingAuthor:
    if user is None:
        return IncomingAuthor(external_id=author_id, url=f"{SITE}/i/user/{author_id}" if author_id.isdigit() else None)
    counts, name, handle = user.inside("public_metrics"), user.text("name"), user.text("username")
    return IncomingAuthor(
        external_id=author_id,
        handle=handle,
        name=cleaned(name)[:500] if name else None,
        url=f"{SITE}/{handle}" if handle and re.fullmatch(r"\w{1,50}", handle) else None,
        followers=counts.count("followers_count"),
        following=counts.count("following_count"),
        verified=user.flag("verified"),
        account_created_at=user.moment("created_at"),
    )


def _engagement(counts: Fields) -> Engagement | None:
    found = Engagement(
        likes=counts.count("like_count"),
        replies=counts.count("reply_count"),
        shares=counts.count("retweet_count"),
        quotes=counts.count("quote_count"),
        views=counts.count("impression_count"),
    )
    return found if found.model_dump(exclude_none=True) else None


def _media(post: Fields, beside: _Beside, quoted: str | None) -> tuple[IncomingMedia, ...]:
    found = []
    for key in post.inside("attachments").all("media_keys"):
        one = beside.media.get(key) if isinstance(key, str) else None
        if one is None:
            continue
        films = sorted(one.each("variants"), key=lambda variant: variant.count("bit_rate") or 0, reverse=True)
        film = next((link for variant in films if (link := variant.link("url"))), None)
        url = one.link("url") or film or one.link("preview_image_url")
        alt = one.text("alt_text")
        if url:
            kind = _MEDIA.get(one.text("type") or "", "image")
            found.append(IncomingMedia(kind=kind, url=url, alt=cleaned(alt)[:10_000] if alt else None))
    if quoted and _ID.fullmatch(quoted):
        found.append(IncomingMedia(kind="link", url=f"{SITE}/i/web/status/{quoted}"))
    return tuple(found[:50])


def _message(one: Fields, users: Fields, at: datetime) -> IncomingMention | None:
    """A direct message. None for other events in a conversation."""
    if one.text("type") != "message_create":
        return None
    said = one.inside("message_create", needed=True)
    sender, told = said.text("sender_id", needed=True), said.inside("message_data", needed=True)
    millis = one.text("created_timestamp", needed=True) or ""
    made = (
        datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(millis))
        if millis.isdigit() and len(millis) < 15
        else at
    )
    text = told.text("text") or ""
    for url in told.inside("entities").each("urls"):
        text = text.replace(url.text("url") or "\x00", url.text("expanded_url") or "")
    user = users.inside(sender).inside("data") if sender and isinstance(users.value.get(sender), dict) else None
    return IncomingMention(
        external_id=one.text("id", needed=True) or "",
        text=cleaned(html.unescape(text)),
        published_at=min(made, at),
        author=_author(sender, user) if sender else None,
        kind=MentionKind.MESSAGE,
        visibility=Visibility.PRIVATE,
        raw=kept(one.value),
    )
