"""Mastodon, and what speaks its API: who names us, hashtags, search, public timelines and live streams. Answered.

One channel is one instance. Lists are read forward from the last id, a little overlapping, because posts of other instances come in
with the ids of the time they were written. The instance's own limits hold. Repeats are known by `Idempotency-Key` for an hour.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    Gap,
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
    expect_read,
    reading,
)
from services.ingest.networks.json_api import moment, parsed, quota_left
from services.ingest.networks.mastodon_instance import Instance
from services.ingest.networks.mastodon_reading import Held, Reader, holds_time, is_later, later, moved, since_id
from services.ingest.networks.walks import Walk
from services.ingest.networks.words import Words
from shared.kit import clock

FIRST_REACH = timedelta(days=1)  # for searching
LAG = timedelta(minutes=15)  # how late a post of another instance may come in
SETTLED = timedelta(seconds=90)  # by when nearly all have
PAUSE = timedelta(seconds=60)
NOTIFICATIONS, TIMELINE = 80, 40  # the most that the API gives at once
LOOKED_AT = 20
HEARTBEAT_S = 90.0  # a stream says something every 15 to 30 seconds
PAGE_S = 3.0
_NOTIFIED, _PUBLIC, _LOOKS = "notifications", "public", "looks"
_ALL = "0"  # before every id
_ASKED = {_NOTIFIED: [("types[]", "mention"), ("types[]", "quote")]}
_LIVE = {"notifications": "user/notification", "local": "public/local", "public": "public"}


def _rules(limit: int, url_weight: int) -> ReplyRules:
    lengths = (Length(limit=limit, counted_as="mastodon", url_weight=url_weight),)
    return ReplyRules(
        public=ReplyWay(lengths=lengths, threads=True),
        private=ReplyWay(lengths=lengths, threads=True, requires=("author_known",)),
    )


class MastodonSettings(ChannelSettings):
    """Which instance, and what to listen to there."""

    instance: str = Field(
        title="Address of the instance",
        description="As https://mastodon.social.",
        pattern=r"^https?://[^\s/]+/?$",
        max_length=300,
    )
    handle: str = Field(
        default="", title="Our account there", description="As acme, or acme@mastodon.social.", max_length=300
    )
    hashtags: tuple[str, ...] = Field(
        default=(), title="Hashtags to follow", description="Without the #.", max_length=20
    )
    queries: tuple[str, ...] = Field(
        default=(),
        title="What to search for",
        description='By the instance\'s search, and in public timelines: words and "phrases", all of them.',
        max_length=20,
    )
    public: Literal["off", "local", "federated"] = Field(
        default="off",
        title="Public timeline to read",
        description="Posts in it that hold the words of a query are kept.",
    )
    live: Literal["off", "notifications", "local", "public"] = Field(
        default="off", title="Stream to hear", description="Posts at once instead of by the minute; needs a token."
    )


class MastodonSecrets(ChannelSecrets):
    """What signs our account in."""

    access_token: SecretStr | None = Field(
        default=None,
        title="Access token",
        description="Of an application of our account, with the scopes read, write:statuses and write:reports.",
        max_length=500,
    )


class Mastodon:
    """One instance."""

    title: ClassVar[str] = "Mastodon"
    Settings: ClassVar[type[ChannelSettings]] = MastodonSettings
    Secrets: ClassVar[type[ChannelSecrets]] = MastodonSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(calls=250, per_s=300)  # of the 300 that an account is granted
    display_rules: ClassVar[DisplayRules] = DisplayRules(attribution="The author's name and a link to the post.")
    reply_rules: ReplyRules = _rules(500, 23)

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = MastodonSettings.model_validate(settings)
        token = MastodonSecrets.model_validate(secrets).access_token
        self._there = Instance(known.instance, token.get_secret_value() if token else "", http)
        self._words = Words(known.queries)
        self._http = http
        self._know_limits()

    def _know_limits(self) -> None:
        limits = self._there.known
        if limits is not None:
            self.reply_rules = _rules(limits.characters, limits.url_weight)

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A status, a notification, a search's answer, a list of these, or an event of a stream (`event`, `payload`)."""
        try:
            whole = parsed(body)
        except ValueError as wrong:
            raise TryLater("Mastodon answers something that is not whole JSON.") from wrong
        reader = Reader("", at)
        if isinstance(whole, dict) and isinstance(whole.get("event"), str):
            reader.take_event(whole["event"], whole.get("payload"), Held())
        elif isinstance(whole, dict) and isinstance(whole.get("statuses"), list):
            reader.take_all(whole["statuses"])
        else:
            reader.take_all(whole if isinstance(whole, list) else [whole])
        return reader.page({})

    async def page(self, cursor: Cursor | None) -> Page:
        """One page of one of the lists: notifications, hashtags, search, a public timeline, and posts looked at again."""
        await self._there.know()
        self._know_limits()
        return await self._read(cursor or {}, Walk.of(cursor, self._lists()))

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was published at `since` or later, by hashtags, search and public timeline."""
        lists = [name for name in self._lists() if name not in (_LOOKS, _NOTIFIED)]
        if not lists:
            return Page()
        begun = {"walk": {"read": {one: since_id(since if one == _PUBLIC else since + LAG) for one in lists}}}
        return await self._read(cursor or begun, Walk.of(cursor or begun, lists))

    def streaming(self) -> bool:
        """Whether it is set to hear a stream."""
        return self._settings.live != "off"

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """What the stream tells. It cannot be heard from a moment on: where no list holds what was missed, that is a gap."""
        if not self.streaming():
            return
        await self._there.know()
        held = Held(dict((cursor or {}).get("heard") or {}))
        heard = moment((cursor or {}).get("heard_at"))
        begun = clock.now()
        listed = self._settings.live == "notifications" or self._settings.public != "off"
        gaps = [Gap(heard, begun, "The stream was not heard meanwhile.")] if heard and not listed else []
        reader, due = self._reader(), begun + timedelta(seconds=PAGE_S)
        wanted = None if self._settings.live == "notifications" else self._words
        with reading(self._there.what):
            async with self._there.stream(_LIVE[self._settings.live], HEARTBEAT_S) as answer:
                expect_read(answer.head, self._there.what)
                yield Page(cursor=cursor or {})
                async for event in answer.events():
                    reader.take_event(event.event, event.data, held, wanted)
                    now = clock.now()
                    if gaps or reader.mentions or now >= due:
                        await self._find_parents(reader, held)
                        yield reader.page({**(cursor or {}), "heard_at": clock.iso(now), "heard": held.posts}, gaps)
                        reader, due, gaps = self._reader(), now + timedelta(seconds=PAGE_S), []
        raise TryLater(f"{self._there.what} ended the stream.", timedelta(seconds=5))

    async def _read(self, cursor: Cursor, walk: Walk) -> Page:
        held, turn = Held.of(cursor), walk.turn
        if not turn:
            raise ChannelBroken("Nothing is asked of this instance. Enter an access token, a hashtag or a query.")
        reader = self._reader()
        if turn == _LOOKS:
            await self._look_again(reader, held)
            walk.step(None, None)
            return reader.page({**cursor, **walk.cursor(), "held": held.posts}, poll_after=PAUSE)
        kind, _, what = turn.partition(":")
        floor = walk.until if kind in (_NOTIFIED, _PUBLIC) else moved(walk.until, -LAG)
        at = walk.token or floor or (walk.since and _ALL)  # where nothing stood, whatever does now is new
        params = [*_ASKED.get(kind, ())]
        if kind == "search":  # newest first, passed over by number; the others go forward by id
            at = floor or since_id(walk.floor(None, FIRST_REACH, LAG))
            params = [("q", what), ("type", "statuses"), *([("offset", walk.token)] if walk.token else [])]
        if kind == _PUBLIC:  # too much to be read twice: it is read once what comes in late has come
            params = [("local", "true")] if self._settings.public == "local" else []
            params += [("max_id", since_id(clock.now() - SETTLED))] if holds_time(walk.until) else []
        path = {"search": "v2/search", _NOTIFIED: "v1/notifications"}.get(kind, f"v1/timelines/{quote(kind)}")
        path += f"/{quote(what, safe='')}" if kind == "tag" else ""
        limit = NOTIFICATIONS if kind == _NOTIFIED else TIMELINE
        params += [("limit", str(limit)), *([("min_id", at)] if at else ())]
        answer, found = await self._there.listed(path, params)
        reader.take_all(found, self._words if kind == _PUBLIC else None, held)
        newest = later(found)
        if kind == "search":
            on = str(int(walk.token or 0) + len(found)) if found else None
        else:
            on = newest if newest and at and is_later(newest, at) else None
            walk.top = newest if on else walk.top
        more = walk.step(on, newest)
        await self._find_parents(reader, held)
        return reader.page({**cursor, **walk.cursor(), "held": held.posts}, (), more, PAUSE, quota_left(answer))

    async def _look_again(self, reader: Reader, held: Held) -> None:
        """Whether posts read lately still stand as they were. Instances before 4.3 do not tell of several at once."""
        ids = held.next(LOOKED_AT)
        if not ids:
            return
        answer, found = await self._there.listed("v1/statuses", [("id[]", one) for one in ids], optional=True)
        if answer.status == 200:
            reader.compare(found, ids, held)

    async def _find_parents(self, reader: Reader, held: Held) -> None:
        """The addresses of what is answered, which a status tells by their ids here."""
        for one in reader.orphans()[:LOOKED_AT]:
            shown = await self._there.status(one)
            if shown is not None and isinstance(uri := shown.get("uri"), str):
                held.addresses[one] = uri
        reader.adopt(held)

    def _reader(self) -> Reader:
        return Reader(self._there.host, clock.now(), self.own_accounts())

    def _lists(self) -> list[str]:
        signed = self._there.signed
        tags = [f"tag:{tag.removeprefix('#')}" for tag in self._settings.hashtags]
        searched = [f"search:{query}" for query in self._settings.queries] if signed else []
        public = [_PUBLIC] if self._settings.public != "off" else []
        lists = [*([_NOTIFIED] if signed else ()), *tags, *searched, *public]
        return [*lists, _LOOKS] if lists else []

    # ---------------------------------------------------------------- who we are

    def own_accounts(self) -> frozenset[str]:
        """Our handle, with the instance, and our account's address once it is known."""
        ours = self._settings.handle.strip().removeprefix("@").lower()
        names = {ours if "@" in ours else f"{ours}@{self._there.host}"} if ours else set[str]()
        return frozenset(names | self._there.ourselves())

    async def account(self) -> Account:
        """Whom the token belongs to."""
        return await self._there.account()

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """The instance knows a repeat by its key; after an hour what we posted is looked up first."""
        return "client_token"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts under the status."""
        return await self._there.reply(reply, private=False)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Posts so that only who is named reads it."""
        return await self._there.reply(reply, private=True)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our status under the one that was answered, with the same words."""
        return await self._there.find(reply, private=private, since=since)

    async def delete_reply(self, post: Post) -> None:
        """Deletes a status of ours."""
        await self._there.delete(post)

    async def report(self, post: Post, reason: str) -> None:
        """Reports a status to the moderators of the instance."""
        await self._there.report(post, reason)


CHANNEL: type[Channel] = Mastodon
