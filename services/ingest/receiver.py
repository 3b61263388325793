"""The doorstep: mentions pushed with an API key, and pushes from networks, each checked by its channel's own scheme.

An answer of 202 is given after the commit. One bad item never spoils the others; what is refused is counted and told.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.ingest import catalog, pages, sharing
from services.ingest.channel import (
    AnswersHooks,
    ChannelBroken,
    NotGenuine,
    PagesByCursor,
    Push,
    ReceivesPushes,
    SkipThis,
    Streams,
)
from services.ingest.channels.push import split_body
from services.ingest.incoming_mention import IncomingMention, Rejected, cleaned, read_mentions
from services.ingest.intake import Source, take_in
from services.ingest.opening import Opener, source_of
from shared.kit import clock, logging
from shared.kit.database import Database, WriteSession
from shared.kit.errors import Conflict, Forbidden, Malformed, NotFound, TooMany, Unauthenticated
from shared.kit.ids import parse_id
from shared.kit.limits import Buckets
from shared.kit.problems import EXTRA, ROUTE
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.workspace import Role
from shared.store import channel as channels
from shared.store.keys import Keys, KnownKey

log = logging.get(__name__)

MAY_PUSH = frozenset({Role.ADMIN, Role.LEAD, Role.INTEGRATION})
STRANGERS_PER_MINUTE = 120
UNKNOWN_CHANNEL, BROKEN_CHANNEL, PAUSED_CHANNEL, PULLING_CHANNEL = (
    "unknown_channel", "broken_channel", "paused_channel", "pulling_channel",
)  # fmt: skip
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Shut:
    """Why a channel takes no mention by push at this moment: a code, and what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a push: how many were accepted (`updated` of them edits or deletions), known
    already, or our own posts (filtered), and which were refused, with the reason."""

    accepted: int
    duplicates: int
    updated: int
    filtered: int
    rejected: tuple[Rejected, ...]

    def body(self) -> bytes:
        """As it is sent."""
        refused = [{"index": one.index, "code": one.code, "detail": one.detail} for one in self.rejected]
        return orjson.dumps(
            {
                "accepted": self.accepted,
                "duplicates": self.duplicates,
                "updated": self.updated,
                "filtered": self.filtered,
                "rejected": refused,
            }
        )


class Receiver:
    """Takes pushes of all workspaces. One per process."""

    def __init__(self, database: Database, opener: Opener, settings: Settings) -> None:
        self._database = database
        self._opener = opener
        self._settings = settings
        self._keys = Keys(database)
        self._buckets = Buckets(settings.requests_per_minute)
        self._strangers = Buckets(STRANGERS_PER_MINUTE)

    async def push(self, request: Request) -> Response:
        """POST /v1/mentions: an array, {"mentions": […]}, or NDJSON, of at most as many as the settings allow."""
        request.scope[ROUTE] = "/v1/mentions"
        known = await self._recognise(request)
        allowance = self._buckets.take(known.id)
        request.scope[EXTRA] += allowance.headers()
        if not allowance.granted:
            raise TooMany(f"This key may make {allowance.quota} requests a minute.", retry_after=allowance.retry_after)
        try:
            items = split_body(await request.body(), request.headers.get("content-type", ""))
        except SkipThis as unreadable:
            raise Malformed(str(unreadable)) from unreadable
        good, bad = read_mentions(items)
        answer = await self._take(known.workspace_id, items, good, bad)
        return Response(answer.body(), 202, media_type="application/json")

    async def hook(self, request: Request) -> Response:
        """GET and POST /v1/hooks/{channel_id}: a network's push, or what it asks of our hook (a challenge, a ping), which is answered
        and changes nothing. A repeat of a delivery changes nothing either, as its mentions are known."""
        request.scope[ROUTE] = "/v1/hooks/{channel_id}"
        channel, network = await self._channel_of_hook(request.path_params["channel_id"])
        push = Push(
            method=request.method,
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw},
            body=await request.body(),
            query=dict(request.query_params),
        )
        now = clock.now()
        try:
            if isinstance(network, AnswersHooks) and (asked := network.answer_hook(push, now)) is not None:
                return Response(asked.body, asked.status, {"content-type": asked.content_type})
            if not _takes_deliveries(network):
                raise NotGenuine("Nothing is delivered to this hook.")
            delivery = network.verify(push, now)
            page = network.read_push(push, now)
        except NotGenuine as wrong:
            raise Unauthenticated(str(wrong), code="not_genuine") from wrong
        except SkipThis as unreadable:
            raise Malformed(str(unreadable)) from unreadable
        readings = await sharing.readings(self._database, self._opener, channel, network, push, page, now)
        taken = []
        for one in readings:  # each in a transaction of its own, as deliveries to other hooks may be about the same
            async with self._database.write(channel.workspace_id) as session:
                taken.append(await pages.enter(session, *one, gaps=one[2].gaps))
        stored, updated = sum(one.stored for one in taken), sum(one.updated for one in taken)
        log.info(
            "a push came in", channel_id=str(channel.id), delivery=delivery[:64], stored=stored, channels=len(readings)
        )
        refused = tuple(
            Rejected(one.index, one.code, one.reason) for one in page.skipped if one.index is not None
        )  # a network that does not count what it sends is told of none; the ledger and the log know them
        repeats, filtered = sum(one.duplicate for one in taken), sum(one.filtered for one in taken)
        answer = Answer(stored + updated, repeats, updated, filtered, refused)
        return Response(answer.body(), 202, media_type="application/json")

    async def _recognise(self, request: Request) -> KnownKey:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        client = request.client.host if request.client else ""
        if not self._strangers.left(client):
            raise TooMany("Too many requests with an unknown key came from this address.", retry_after=60)
        known = await self._keys.recognise(key.strip()) if scheme.lower() == "bearer" else None
        if known is None:
            self._strangers.take(client)
            raise Unauthenticated("Send `Authorization: Bearer <API key>`; `webcare key create` makes one.")
        if known.role not in MAY_PUSH:
            raise Forbidden(
                f"The role {known.role} may not push mentions. Roles that may: {', '.join(sorted(MAY_PUSH))}."
            )
        return known

    async def _channel_of_hook(self, text: str) -> tuple[Channel, Any]:
        channel_id = parse_id(text)
        workspace_id = await self._workspace_of(channel_id) if channel_id else None
        if channel_id is None or workspace_id is None:
            raise NotFound("There is no such hook.")
        async with self._database.write(workspace_id) as session:
            channel = await channels.get(session, workspace_id, channel_id)
        if channel is None or channel.status != "active":
            raise NotFound("There is no such hook.")
        try:
            network = self._opener.network(channel)
        except ChannelBroken as broken:
            raise Conflict(str(broken)) from broken
        if not isinstance(network, ReceivesPushes | AnswersHooks):
            raise NotFound("There is no such hook.")
        return channel, network

    async def _workspace_of(self, channel_id: UUID) -> UUID | None:
        async with self._database.lookup() as connection:
            found: UUID | None = await connection.fetchval("SELECT workspace_id FROM channel WHERE id = $1", channel_id)
        return found

    async def _take(
        self,
        workspace_id: UUID,
        items: Sequence[Any],
        good: Sequence[tuple[int, IncomingMention]],
        bad: Sequence[Rejected],
    ) -> Answer:
        """Stores what is good, channel by channel, in one transaction; what is refused is counted with the channel it names."""
        refused = list(bad)
        async with self._database.write(workspace_id) as session:
            named = {one.channel for _, one in good if one.channel} | {
                str(name) for one in bad if (name := _channel_name(items[one.index])) is not None
            }
            known = await channels.by_names(session, workspace_id, sorted(named))
            doors = await self._doors(session, workspace_id, known.values())
            lost = Counter(
                known[name].id for one in bad if (name := _channel_name(items[one.index])) is not None and name in known
            )
            groups: dict[UUID, list[IncomingMention]] = {channel_id: [] for channel_id in lost}
            for index, one in good:
                channel = known.get(one.channel or "")
                if channel is None:
                    refused.append(Rejected(index, UNKNOWN_CHANNEL, _which(one.channel)))
                    continue
                page = groups.setdefault(channel.id, [])
                if isinstance(door := doors[channel.id], Shut):
                    refused.append(Rejected(index, door.code, door.detail))
                    lost[channel.id] += 1
                else:
                    page.append(one)
            types = {channel.id: channel.type for channel in known.values()}
            results = []
            for channel_id, page in groups.items():
                door = doors[channel_id]
                source = Source(channel_id, types[channel_id]) if isinstance(door, Shut) else door
                results.append(await take_in(session, workspace_id, source, page, rejected=lost[channel_id]))
        return Answer(
            accepted=sum(one.stored + one.updated for one in results),
            duplicates=sum(one.duplicate for one in results),
            updated=sum(one.updated for one in results),
            filtered=sum(one.filtered for one in results),
            rejected=tuple(sorted(refused, key=lambda one: one.index)),
        )

    async def _doors(
        self, session: WriteSession, workspace_id: UUID, named: Iterable[Channel]
    ) -> dict[UUID, Source | Shut]:
        """For each channel what intake has to know of it, or why it takes nothing by push."""
        doors: dict[UUID, Source | Shut] = {}
        for channel in {one.id: one for one in named}.values():
            try:
                network = self._opener.network(channel)
            except ChannelBroken as wrong:
                doors[channel.id] = Shut(BROKEN_CHANNEL, str(wrong))
                continue
            if not isinstance(network, ReceivesPushes) or isinstance(network, PagesByCursor | Streams):
                pushed = await channels.names_of_types(session, workspace_id, _only_pushed(), MOST_NAMED)
                doors[channel.id] = Shut(PULLING_CHANNEL, _not_pushed(channel, pushed))
            elif channel.status != "active":
                doors[channel.id] = Shut(PAUSED_CHANNEL, _paused(channel))
            else:
                doors[channel.id] = await source_of(session, channel, network)
        return doors


def _channel_name(item: Any) -> str | None:
    """The channel that a refused item names, if it can be read that far."""
    name = item.get("channel") if isinstance(item, dict) else None
    return cleaned(name).strip() if isinstance(name, str) else None


def _takes_deliveries(network: Any) -> bool:
    return isinstance(network, ReceivesPushes)


def _only_pushed() -> list[str]:
    """The types whose channels fetch nothing themselves: to these, mentions are pushed."""
    fetching = {*catalog.types_with("pages"), *catalog.types_with("stream")}
    return [type_ for type_ in catalog.types_with("push") if type_ not in fetching]


def _which(name: str | None) -> str:
    if not name:
        return "channel is missing: give the name or the id of the channel that it comes in by."
    return "There is no channel of this name or id; make one with POST /v1/channels, or look for a spelling mistake."


def _paused(channel: Channel) -> str:
    return (
        f"The channel {channel.name} is paused and takes nothing in. Start it again with "
        f'PATCH /v1/channels/{channel.id} and {{"status": "active"}}, then send this again.'
    )


def _not_pushed(channel: Channel, pushed: Sequence[str]) -> str:
    instead = f"Push to one of these: {', '.join(pushed)}." if pushed else "Make a push channel with POST /v1/channels."
    return f"The channel {channel.name} fetches its mentions itself, as {channel.type} channels do. {instead}"
