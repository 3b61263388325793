"""Bluesky: posts that name us, answer us, or hold our words, by notifications, search and Jetstream; and direct messages. Answered.

An app password signs in; without one only what the network shows to everybody is read. A reply's key is worked out from its
token, so sending it again posts it once. What was read is looked at again for a while, so that deletions are seen.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HttpClient,
    Idempotency,
    Length,
    OutgoingReply,
    Pace,
    Page,
    Post,
    ReplyRules,
    ReplyWay,
    Sent,
    TryLater,
    reading,
)
from services.ingest.networks import atproto, atproto_chat
from services.ingest.networks.atproto_chat import Chat
from services.ingest.networks.atproto_jetstream import Listener
from services.ingest.networks.atproto_records import Records
from services.ingest.networks.atproto_session import SignedIn
from services.ingest.networks.json_api import Fields, expect_json, moment, object_in, quota_left
from services.ingest.networks.walks import Walk
from shared.kit import clock
from shared.rules.wanted import Wanted

LAG = timedelta(minutes=5)  # how late the app view may show a post; read again that far
FIRST_REACH = timedelta(days=1)
PAGE_SIZE = 100
LOOKED_AT, LONGEST_ASK = 25, 1_700  # posts in one getPosts, and characters of their addresses in its URL
WATCHED = 200  # of the posts read last, those that are looked at again
MISSED_TWICE = 2
PAUSE, SOON = timedelta(seconds=60), timedelta(seconds=5)
_NOTIFIED, _LOOKS, _MESSAGES = "notifications", "looks", "messages"


class BlueskySettings(ChannelSettings):
    """Whom and what to listen to."""

    handle: str = Field(
        default="", title="Our handle", description="As acme.bsky.social. Empty: nothing is answered.", max_length=253
    )
    queries: tuple[str, ...] = Field(
        default=(), title="What to search for", description="As one types it into Bluesky's search.", max_length=20
    )
    direct_messages: bool = Field(
        default=False, title="Read direct messages", description="The app password needs access to them."
    )
    firehose: bool = Field(
        default=False,
        title="Hear queries from Jetstream",
        description="Every post of the network is heard. Kept are those with all the words of a query here, and those that name a "
        "brand of the workspace or hold what a saved search looks for; needs no password.",
    )
    service: str = Field(
        default="https://bsky.social", title="Server of our account (PDS)", pattern=r"^https?://\S+$", max_length=300
    )
    public_service: str = Field(
        default="https://api.bsky.app",
        title="Server asked without a password",
        pattern=r"^https?://\S+$",
        max_length=300,
    )
    jetstream: str = Field(
        default="wss://jetstream2.us-east.bsky.network/subscribe",
        title="Address of Jetstream", pattern=r"^wss?://\S+$", max_length=300,
    )  # fmt: skip
    labeler: str = Field(
        default="did:plc:ar7c4by46qjdydhdevvrndac",
        title="Who takes reports", description="The DID of a moderation service.", pattern=r"^did:\S+$", max_length=300,
    )  # fmt: skip


class BlueskySecrets(ChannelSecrets):
    """What signs our account in."""

    app_password: SecretStr | None = Field(
        default=None,
        title="App password",
        description="Made in Bluesky's settings, with access to direct messages where we answer privately.",
        max_length=200,
    )


class Bluesky:
    """One account, or what everybody says."""

    title: ClassVar[str] = "Bluesky"
    Settings: ClassVar[type[ChannelSettings]] = BlueskySettings
    Secrets: ClassVar[type[ChannelSecrets]] = BlueskySecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(calls=2_000, per_s=300)  # of the 3,000 that an address is granted
    display_rules: ClassVar[DisplayRules] = DisplayRules(attribution="The author's name and a link to the post.")
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(
            lengths=(Length(limit=300, counted_as="graphemes"), Length(limit=3_000, counted_as="utf8_bytes")),
            threads=True,
        ),
        private=ReplyWay(lengths=(Length(limit=1_000, counted_as="graphemes"),), requires=("author_known",)),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = BlueskySettings.model_validate(settings)
        password = BlueskySecrets.model_validate(secrets).app_password
        self._wanted = Wanted(())
        self._handle = known.handle.strip().removeprefix("@").lower()
        self._signed = bool(password and self._handle)
        server = known.service if self._signed else known.public_service
        self._server = SignedIn(
            server, self._handle, password.get_secret_value() if password and self._signed else "", http
        )
        self._http = http
        self._what = f"Bluesky ({server})"
        self._records = Records(self._server, self._what)

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """Notifications, found posts, a thread's post or an event of Jetstream, as mentions."""
        whole = object_in(body, "Bluesky")
        if "kind" in whole:
            return Listener((), frozenset(), at).read(whole, everything=True)
        if isinstance(whole.get("logs"), list):
            return atproto_chat.page_of(whole["logs"], at)
        name = next((name for name in ("notifications", "posts") if name in whole), None)
        return _page(
            [whole.get("post", whole)] if name is None else whole[name], (name or "posts").removesuffix("s"), at
        )

    async def page(self, cursor: Cursor | None) -> Page:
        """One page of one of the lists: notifications, each query, and last the posts that are looked at again."""
        walk = Walk.of(cursor, self._lists())
        held = _held(cursor)
        if walk.turn == _LOOKS:
            return await self._look_again(cursor or {}, walk, held)
        if walk.turn == _MESSAGES:
            return await self._hear(cursor or {}, walk, Chat.of((cursor or {}).get("chat"), clock.now() - FIRST_REACH))
        return await self._read(walk, cursor or {}, held)

    async def _read(self, walk: Walk, cursor: Cursor, held: dict[str, int]) -> Page:
        now = clock.now()
        floor = walk.floor(moment(walk.until), FIRST_REACH, LAG)
        params = [("limit", str(PAGE_SIZE)), *([("cursor", walk.token)] if walk.token else ())]
        if walk.turn == _NOTIFIED:
            asked, nsid = "notifications", "app.bsky.notification.listNotifications"
            params += [("reasons", reason) for reason in ("mention", "reply", "quote")]
        else:
            asked, nsid = "posts", "app.bsky.feed.searchPosts"
            params += [("q", walk.turn.partition(":")[2]), ("sort", "latest"), ("since", clock.iso(floor))]
        with reading(self._what):
            answer = await self._server.call("GET", nsid, params=params)
        told = expect_json(answer, self._what)
        found = _page(told.get(asked), asked.removesuffix("s"), now)
        entries = told[asked] if isinstance(told.get(asked), list) else []
        times = [at for one in entries if isinstance(one, dict) and (at := moment(one.get("indexedAt")))]
        token = told.get("cursor")
        ended = not times or min(times) < floor or not isinstance(token, str) or token == walk.token
        more = walk.step(None if ended else token, clock.iso(max(times)) if times else None)
        did = self._did()
        fresh = [one for one in found.mentions if did is None or one.author is None or one.author.external_id != did]
        _watch(held, (one.external_id for one in fresh))
        return Page(
            tuple(reversed(fresh)), {**cursor, **walk.cursor(), "held": held}, more, found.skipped, PAUSE,
            quota_left(answer), drift=found.drift,
        )  # fmt: skip

    async def _hear(self, cursor: Cursor, walk: Walk, chat: Chat, *, by_log: bool = True) -> Page:
        """The next direct messages. They are served apart from posts: one failure is tried again at once, and while that service
        stays away posts are read all the same."""
        try:
            told, more = await chat.step(self._server, self._what, by_log=by_log)
            chat.failed = 0
        except TryLater:
            if not by_log:
                raise
            chat.failed += 1
            told, more = Page(drift=("chat",)), False
        again = chat.failed == 1
        more = more or (not again and walk.step(None, None))
        kept = {**cursor, **walk.cursor(), "chat": chat.cursor()}
        return replace(told, cursor=kept, has_more=more, poll_after=SOON if again else PAUSE)

    def streaming(self) -> bool:
        """Whether it is set to hear Jetstream."""
        return self._settings.firehose

    def listen_for(self, wanted: Wanted) -> None:
        """Has Jetstream heard for what the workspace listens for, too."""
        self._wanted = wanted

    def _wants(self, text: str) -> bool:
        return self._wanted.wants(text)  # which may become another while a stream is heard

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """What Jetstream tells, from a little before where hearing stopped. Ends at once where it is not asked for."""
        if not self.streaming():
            return
        ours = frozenset({(await self._server.session()).did} if self._signed else ())
        listener = Listener(self._settings.queries, ours, clock.now(), cursor, self._wants)
        async for page in listener.hear(self._http, self._settings.jetstream):
            yield page

    async def _look_again(self, cursor: Cursor, walk: Walk, held: dict[str, int]) -> Page:
        """Whether posts read lately still stand: one that is missing twice has been deleted."""
        batch, room = list[str](), LONGEST_ASK
        for uri in [uri for uri, misses in held.items() if misses < MISSED_TWICE][:LOOKED_AT]:
            room -= len(uri) + len("&uris=")
            batch += [uri] if room >= 0 else []
        there = await self._records.shown(batch) if batch else {}
        for uri in batch:  # to the end, so that each has its turn; what is gone stays, so as not to be told again
            held[uri] = 0 if uri in there else held.pop(uri) + 1
            held[uri] = held.pop(uri)
        gone = [uri for uri in batch if held[uri] >= MISSED_TWICE]
        walk.step(None, None)
        now = clock.now()
        stones = tuple(atproto.tombstone(uri, now) for uri in gone)
        return Page(stones, {**cursor, **walk.cursor(), "held": held}, poll_after=PAUSE)

    def _lists(self) -> list[str]:
        """What is read in turn. Where Jetstream tells it all, search is left to those who are signed in."""
        by_search = self._signed or not self._settings.firehose
        searched = [f"search:{query}" for query in self._settings.queries] if by_search else []
        messages = [_MESSAGES] if self._signed and self._settings.direct_messages else []
        return [*([_NOTIFIED] if self._signed else ()), *searched, *messages, _LOOKS]

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was published at `since` or later, by notifications and search."""
        lists = [name for name in self._lists() if name != _LOOKS]
        if not lists:
            return Page()
        read = dict.fromkeys(lists, clock.iso(since + LAG))
        walk = Walk.of(cursor or {"walk": {"read": read}}, lists)
        if walk.turn == _MESSAGES:
            return await self._hear({}, walk, Chat.of((cursor or {}).get("chat"), since), by_log=False)
        return await self._read(walk, {}, {})

    # ---------------------------------------------------------------- who we are

    def own_accounts(self) -> frozenset[str]:
        """Our handle, and our DID once this process has signed in."""
        return frozenset(one for one in (self._handle, self._did()) if one)

    async def account(self) -> Account:
        """Signs in anew, so that a wrong app password is seen."""
        session = await self._server.session(anew=True)
        with reading(self._what):
            answer = await self._server.call("GET", "app.bsky.actor.getProfile", params=[("actor", session.did)])
        profile = Fields(expect_json(answer, self._what), "profile", {})
        return Account(
            session.did, profile.text("displayName") or session.handle, session.handle,
            f"{atproto.SITE}/profile/{session.did}",
        )  # fmt: skip

    def _did(self) -> str | None:
        return self._server.known.did if self._server.known else None

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """A public reply has a key of its own; a private one is looked for before it is sent."""
        return "client_token"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts a reply under a key of its own."""
        return await self._records.reply(reply)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Sends a direct message."""
        return await self._records.message(reply)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """The post under the reply's key; or a direct message of ours with the same words."""
        return await (self._records.find_message(reply, since) if private else self._records.find(reply))

    async def delete_reply(self, post: Post) -> None:
        """Deletes a post of ours."""
        await self._records.delete(post)

    async def report(self, post: Post, reason: str) -> None:
        """Reports a post to the moderation service."""
        await self._records.report(post, reason, self._settings.labeler)


def _page(posts: Any, name: str, at: datetime) -> Page:
    drift: dict[str, None] = {}
    if not isinstance(posts, list):
        drift[f"{name}s"] = None
        posts = []
    good, bad = atproto.mentions_of(posts, name, at, drift)
    return Page(tuple(good), skipped=tuple(bad), drift=tuple(drift))


def _held(cursor: Cursor | None) -> dict[str, int]:
    """The posts that are looked at again, how often each was missed; those that Jetstream told are among them."""
    told = cursor or {}
    return {**dict.fromkeys(told.get("heard") or (), 0), **(told.get("held") or {})}


def _watch(held: dict[str, int], uris: Iterable[str]) -> None:
    for uri in uris:
        held.setdefault(uri, 0)
    for uri in list(held)[: max(0, len(held) - WATCHED)]:
        del held[uri]


CHANNEL: type[Channel] = Bluesky
