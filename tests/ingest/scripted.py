"""A channel that a test plays: what it pages, streams and reads back is set by the test; and the worker's view of its rows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import text

from services.ingest.channel import Cursor, IncomingMention, Page
from services.ingest.opening import Opener
from shared.kit import clock
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.reply_rules import ReplyRules
from tests.builders import a_channel


def a_mention(external_id: str, **fields: Any) -> IncomingMention:
    return IncomingMention.model_validate(
        {
            "external_id": external_id,
            "text": f"words of {external_id}",
            "published_at": clock.now() - timedelta(minutes=1),
            "author": {"external_id": f"author-{external_id}", "handle": f"handle_{external_id}"},
            **fields,
        }
    )


def a_page(*ids: str, cursor: Mapping[str, Any] | None = None, **fields: Any) -> Page:
    return Page(
        [a_mention(one) for one in ids], cursor if cursor is not None else {"after": ids[-1] if ids else None}, **fields
    )


@dataclass
class Script:
    """A network. `posts` are ids in their order: pages and streams go on after the cursor's place in them."""

    posts: list[str] = field(default_factory=list)
    page_size: int = 100
    replays: bool = True
    paged: list[Cursor | None] = field(default_factory=list)
    streamed: list[Cursor | None] = field(default_factory=list)
    backfilled: list[tuple[datetime, Cursor | None]] = field(default_factory=list)
    closed: int = 0
    heard: "asyncio.Queue[Page | Exception | None]" = field(default_factory=asyncio.Queue)
    backfills: Callable[[datetime, Cursor | None], Page] | None = None
    answer: Page | Exception | None = None
    own: frozenset[str] = frozenset()
    back: timedelta | None = None

    ids_unique_within = "channel"
    reply_rules = ReplyRules()


class Scripted:
    """What every scripted channel has."""

    title = "Scripted"
    ids_unique_within = "channel"
    reply_rules = ReplyRules()

    def __init__(self, script: Script) -> None:
        self.script = script


class Paging(Scripted):
    async def page(self, cursor: Cursor | None) -> Page:
        self.script.paged.append(cursor)
        if isinstance(self.script.answer, Exception):
            raise self.script.answer
        if self.script.answer is not None:
            return self.script.answer
        posts = self.script.posts
        start = int((cursor or {}).get("place", 0))
        end = min(start + self.script.page_size, len(posts))
        return a_page(*posts[start:end], cursor={**(cursor or {}), "place": end}, has_more=end < len(posts))


class Telling(Scripted):
    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        self.script.streamed.append(cursor)
        try:
            while (said := await self.script.heard.get()) is not None:
                if isinstance(said, Exception):
                    raise said
                yield said
        finally:
            self.script.closed += 1


class TellingAndPaging(Telling, Paging):
    pass


class ReadBack(Paging):
    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        self.script.backfilled.append((since, cursor))
        assert self.script.backfills is not None
        return self.script.backfills(since, cursor)

    def reach(self) -> timedelta | None:
        return self.script.back


class Knowing(Paging):
    def own_accounts(self) -> frozenset[str]:
        return self.script.own


@dataclass
class Bench:
    """A workspace with scripted channels."""

    database: Database
    workspace_id: UUID
    networks: dict[UUID, Scripted] = field(default_factory=dict)

    @property
    def opener(self) -> Opener:
        return cast(Opener, self)

    def network(self, channel: Channel) -> Scripted:
        return self.networks[channel.id]

    async def a_channel(self, network: Scripted, **fields: Any) -> Channel:
        channel = await a_channel(
            self.database, self.workspace_id, **{"type": "scripted", "next_poll_at": clock.now(), **fields}
        )
        self.networks[channel.id] = network
        return channel

    async def execute(self, sql: str, **values: Any) -> None:
        async with self.database.write(self.workspace_id) as session:
            await session.execute(text(sql), values)

    async def due(self, channel: Channel) -> None:
        await self.execute("UPDATE channel SET next_poll_at = now() WHERE id = :id", id=channel.id)

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.read(self.workspace_id) as connection:
            return [dict(row) for row in await connection.fetch(sql, *values)]

    async def state(self, channel: Channel) -> dict[str, Any]:
        (row,) = await self.rows(
            "SELECT *, extract(epoch FROM next_poll_at - now())::float8 AS in_s FROM channel WHERE id = $1", channel.id
        )
        return row | {"cursor": row["cursor"] and orjson.loads(row["cursor"]), "drift": orjson.loads(row["drift"])}

    async def gaps(self, channel: Channel) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM channel_gap WHERE channel_id = $1 ORDER BY since", channel.id)

    async def posts(self, channel: Channel) -> list[str]:
        found = await self.rows("SELECT external_id FROM mention WHERE channel_id = $1", channel.id)
        ids = sorted(row["external_id"] for row in found)
        assert len(set(ids)) == len(ids)
        return ids

    async def told(self, noun: str = "channel.") -> list[str]:
        rows = await self.rows("SELECT type FROM outbox WHERE type LIKE $1 ORDER BY at, id", f"{noun}%")
        return [row["type"] for row in rows]

    async def soon(self, wish: Callable[[], Any], within_s: float = 60) -> Any:
        """Waits until `wish()` (or what it gives to await) is true."""
        async with asyncio.timeout(within_s):
            while True:
                found = wish()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)
