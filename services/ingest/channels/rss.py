"""Feeds (RSS, Atom, JSON Feed, Google Alerts): news sites, blogs, forums, comments under articles. Read, not answered.

A poll asks only for what changed (ETag, Last-Modified); where the feed names a hub (WebSub), that tells of changes at
once. Items are known by their id, else by their link; an item whose words changed is an edit, one that slid out of the
feed is not a deletion, and one that is pinned comes only once. Feeds of Google Alerts link through a redirect of
Google's; the mention carries the address behind it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Answer,
    AskForNewCredential,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HookAnswer,
    HttpClient,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    NotGenuine,
    Page,
    Push,
    ReplyRules,
    SkipThis,
    TryLater,
    cleaned,
    expect_read,
    reading,
)
from services.ingest.networks import websub
from services.ingest.networks.feed_document import CutOff, NotAFeed
from services.ingest.networks.feed_memory import FeedMemory, ToMention, as_id, is_alert
from services.ingest.networks.feeds import Feed, FeedItem, read_feed
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.canonical_url import canonical

ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.1"
MOST_BYTES = 10_000_000
READ_IN_THREAD = 50_000  # bytes from which on reading would hold up the others
UNTIDY_REST = timedelta(minutes=15)
DEADLINE_S = 30.0


class RssSettings(ChannelSettings):
    """Which feed, and what its items are."""

    url: str = Field(
        title="Address of the feed",
        description="Begins with http:// or https://; the feed itself, not the page it belongs to.",
        pattern=r"^[hH][tT]{2}[pP][sS]?://\S+$",
        max_length=2_048,
    )
    kind: Literal["auto", "article", "post", "comment", "review", "video"] = Field(
        default="auto",
        title="What its items are",
        description="auto: comments where the feed says that they answer something, else articles.",
    )
    hook_url: str = Field(
        default="",
        title="Address of this channel's hook",
        description="Where a feed's hub calls us, once there is a hub secret. Empty: the channel's own, where webcare knows its "
        "public address (WEBCARE_INGEST_PUBLIC_URL).",
        pattern=r"^([hH][tT]{2}[pP][sS]?://[^\s#]+)?$",
        max_length=1_000,
    )


class RssSecrets(ChannelSecrets):
    """For feeds behind a password, and for hubs."""

    user: str | None = Field(default=None, title="User name", description="Sent to the feed's site.", max_length=200)
    password: SecretStr | None = Field(default=None, title="Password", description="That user's.", max_length=1_000)
    hub_secret: SecretStr | None = Field(
        default=None,
        title="Hub secret",
        description="20 random characters or more, from which the key is made that a hub signs with.",
        min_length=20,
        max_length=500,
    )


class Rss:
    """One feed."""

    title: ClassVar[str] = "RSS, Atom and JSON feeds"
    Settings: ClassVar[type[ChannelSettings]] = RssSettings
    Secrets: ClassVar[type[ChannelSecrets]] = RssSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    display_rules: ClassVar[DisplayRules] = DisplayRules(
        attribution="The publisher's name and a link to its page.", excerpt_only=True
    )
    reply_rules: ReplyRules = ReplyRules()

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = RssSettings.model_validate(settings)
        known = RssSecrets.model_validate(secrets)
        self._auth = (known.user, known.password.get_secret_value()) if known.user and known.password else None
        self._secret = known.hub_secret.get_secret_value() if known.hub_secret else ""
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A whole feed document as mentions."""
        feed = _read(body, "", "", "The feed")
        return FeedMemory().news(feed, at, _describe(feed, "auto"))

    async def page(self, cursor: Cursor | None) -> Page:
        """Asks for the feed; brings what is new or changed in it since `cursor`."""
        memory = FeedMemory.of(cursor, self._settings.url)
        url = memory.url or self._settings.url
        what = f"The feed {url.partition('?')[0]}"
        with reading(what):
            answer = await self._http.get(
                url,
                headers={"Accept": ACCEPT, **memory.conditions()},
                auth=self._auth,
                redirects=5,
                deadline_s=DEADLINE_S,
                max_bytes=MOST_BYTES,
            )
        self._refuse(answer, what)
        memory.follow(answer)
        await self._ask_hub(memory, answer)
        if memory.is_same(answer):
            return Page(cursor=memory.cursor(), poll_after=memory.pause)
        read = (answer.body, answer.headers.get("content-type", ""), answer.url, what)
        feed = await asyncio.to_thread(_read, *read) if len(answer.body) > READ_IN_THREAD else _read(*read)
        return memory.news(feed, clock.now(), _describe(feed, self._settings.kind))

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """What a hub hears that asks whether we want a topic; and one whose delivery is not signed as agreed, which is dropped."""
        return websub.answer_hook(push, self._secret) if self._secret else HookAnswer(404)

    def verify(self, push: Push, at: datetime) -> str:
        """A hub's delivery, by the signature over its very bytes."""
        if not self._secret:
            raise NotGenuine("This channel has no hub secret, so nothing is delivered to it.")
        return websub.verify(push, self._secret)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a hub delivers: the feed, or the part of it that is new."""
        try:
            feed = _read(push.body, push.headers.get("content-type", ""), self._settings.url, "The delivery")
        except (ChannelBroken, TryLater) as unreadable:
            raise SkipThis(str(unreadable)) from unreadable
        page = FeedMemory().news(feed, at, _describe(feed, self._settings.kind))
        return replace(page, cursor={})

    async def _ask_hub(self, memory: FeedMemory, answer: Answer) -> None:
        """Asks the feed's hub to tell of changes, where there is one and it is time to. That it cannot be reached is no failure
        of the feed."""
        if not (self._secret and self._settings.hook_url):
            memory.hub_took = False
            return
        now = clock.now()
        if (hub := memory.hub_to_ask(answer, now)) is not None:
            took = await websub.subscribe(hub, self._settings.hook_url, self._secret, self._http)
            memory.asked_hub(now, took=took)

    def _refuse(self, answer: Answer, what: str) -> None:
        if answer.status == 401 and self._auth is None:
            raise AskForNewCredential(f"{what} asks for a user name and a password. Enter them as its secrets.")
        if answer.status == 403 and self._auth is None:
            raise ChannelBroken(f"{what} is not given to us (403). Ask the site to let webcare read it.")
        expect_read(answer, what)


# ---------------------------------------------------------------- items


def to_mention(item: FeedItem, feed: Feed, external_id: str, at: datetime, kind: str = "auto") -> IncomingMention:
    """An item in our words. Pure; `at` stands in where the item has no date, or one that is still to come.

    Raises pydantic's ValidationError where nothing is left that could be a mention.
    """
    link = canonical(item.link) if item.link else None
    is_comment = kind == "comment" or (kind == "auto" and _is_comment(item, link))
    return IncomingMention(
        external_id=external_id,
        text=item.text or item.title or "",
        title=item.title,
        published_at=min(item.published or at, at),
        author=None if is_alert(item) else _author(item, feed, link, is_comment=is_comment),
        kind=MentionKind.COMMENT if is_comment else MentionKind.ARTICLE if kind == "auto" else MentionKind(kind),
        permalink=_short(link),
        lang=_language(item.lang or feed.lang),
        in_reply_to=as_id(item.in_reply_to) if item.in_reply_to else None,
        thread_id=as_id(link.partition("#")[0]) if is_comment and link else None if is_comment else external_id,
        media=tuple(
            IncomingMedia(kind=_MEDIA_KINDS.get(one.kind, "file"), url=one.url, alt=one.alt and one.alt[:1_000])
            for one in item.media
            if _short(one.url)
        ),
        raw=item.raw,
    )


_MEDIA_KINDS: Mapping[str, Literal["image", "video", "audio"]] = {"image": "image", "video": "video", "audio": "audio"}


def _is_comment(item: FeedItem, link: str | None) -> bool:
    return item.in_reply_to is not None or "#comment" in (item.id or "") or "#comment" in (link or "")


def _author(item: FeedItem, feed: Feed, link: str | None, *, is_comment: bool) -> IncomingAuthor | None:
    """Who wrote it. An article without a by-line is its publisher's; a commenter is known only by a page of theirs."""
    name = item.author_name or (item.author_email or "").partition("@")[0] or None
    page = _short(canonical(item.author_url)) if item.author_url else None
    if is_comment:
        return IncomingAuthor(name=_cut(name), url=page, external_id=page and as_id(page)) if name or page else None
    site = _short(canonical(feed.link)) if feed.link else None
    if name or page:
        known_by = page or ((site or link) and f"{site or _site_of(link)} {name}")
        return IncomingAuthor(name=_cut(name), url=page, external_id=known_by and as_id(known_by))
    publisher = feed.author_name or feed.title
    if publisher is None:
        return None
    page = (_short(canonical(feed.author_url)) if feed.author_url else None) or site
    return IncomingAuthor(name=_cut(publisher), url=page, external_id=page and as_id(page))


def _site_of(link: str | None) -> str:
    return "/".join((link or "").split("/")[:3])


def _cut(name: str | None) -> str | None:
    return name and cleaned(name)[:500]


def _short(link: str | None) -> str | None:
    return link if link and len(link) <= 2_048 else None


def _language(tag: str | None) -> str | None:
    tag = (tag or "").strip().replace("_", "-")
    parts = tag.split("-")
    fits = len(parts[0]) in (2, 3) and all(part.isalnum() and part.isascii() and len(part) <= 8 for part in parts)
    return tag if fits and parts[0].isalpha() and all(len(part) > 1 for part in parts) and len(tag) <= 35 else None


def _describe(feed: Feed, kind: str) -> ToMention:
    return lambda item, external_id, at: to_mention(item, feed, external_id, at, kind)


def _read(body: bytes, content_type: str, url: str, what: str) -> Feed:
    try:
        return read_feed(body, content_type, url)
    except NotAFeed as wrong:
        raise ChannelBroken(f"{what} cannot be read: {wrong}.") from wrong
    except CutOff as cut:
        raise TryLater(f"{what} was not whole: {cut}.", UNTIDY_REST) from cut


CHANNEL: type[Channel] = Rss
