"""Replies ready to be carried, venues that take them, and what became of each."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from services.ingest.channels.simulated import venue_of
from services.ingest.networks.played_venues import PLAYS
from services.ingest.networks.simulated_venue import Venue
from services.ingest.opening import Opener, workspace_folder
from services.ingest.replies import Sender
from shared.acts import conversations
from shared.acts import replies as acts
from shared.kit import ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.reply import Reply
from tests.builders import a_channel, an_arrival, an_item, taken


@dataclass
class Post:
    """A workspace with venues to answer at, and a sender in this process."""

    database: Database
    folder: Path
    workspace_id: UUID
    opener: Opener
    names: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    @property
    def sender(self) -> Sender:
        return Sender(self.database, self.opener)

    def venue(self, channel: Channel) -> Venue:
        return venue_of(workspace_folder(self.folder, self.workspace_id), str(channel.settings["venue"]))

    async def a_venue(self, *, faults: Any = (), **settings: Any) -> Channel:
        known = {"venue": f"v{next(self.names)}", "faults": list(faults), **settings}
        return await a_channel(self.database, self.workspace_id, type="simulated", settings=known)

    async def queue(self, channel: Channel, count: int = 1, *, private: bool = False) -> list[UUID]:
        """Customers post, agents answer each of them: the replies, ready to be carried."""
        played = PLAYS[str(channel.settings.get("plays", "plain"))]
        names = [f"p{next(self.names)}" for _ in range(count)]
        people = [{"id": f"a-{name}", "handle": name} for name in names]
        visibility = played.visibility.value
        self.venue(channel).post_many(
            {"id": name, "text": "kapot", "author": author} for name, author in zip(names, people, strict=True)
        )
        items = [an_item(name, author={"external_id": f"a-{name}"}, visibility=visibility) for name in names]
        await taken(self.database, self.workspace_id, channel, *items, scope=str(channel.id), rules=played.rules)
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT id, external_id FROM mention WHERE external_id = ANY($1)", names)
        made = []
        async with self.database.write(self.workspace_id) as session:
            arrivals = [an_arrival(channel, f"{channel.id} {row['external_id']}", mention_id=row["id"]) for row in rows]
            placed = await conversations.open_or_extend(session, self.workspace_id, arrivals, [])
            for row in rows:
                reply = Reply(
                    workspace_id=self.workspace_id, id=ids.new_id(), conversation_id=placed[row["id"]],
                    channel_id=channel.id, text=f"Sorry, {row['external_id']}!", in_reply_to=row["id"],
                    visibility="private" if private else "public", signature="^JD",
                )  # fmt: skip
                await acts.queue(session, reply)
                made.append(reply.id)
        return made

    async def rows(self, channel: Channel | None = None) -> list[dict[str, Any]]:
        """Every reply (of a channel) with the post that it answers."""
        async with self.database.read(self.workspace_id) as connection:
            found = await connection.fetch(
                "SELECT r.*, m.external_id AS post FROM reply r JOIN mention m ON m.id = r.in_reply_to "
                "WHERE $1::uuid IS NULL OR r.channel_id = $1", channel and channel.id,
            )  # fmt: skip
        return [dict(row) for row in found]

    async def one(self, channel: Channel) -> dict[str, Any]:
        (row,) = await self.rows(channel)
        return row

    async def number(self, sql: str, *values: Any) -> int:
        async with self.database.read(self.workspace_id) as connection:
            found: int = await connection.fetchval(sql, *values)
        return found

    async def told(self, reply_id: UUID) -> list[str]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT type FROM outbox WHERE subject_id = $1 ORDER BY at, id", reply_id)
        return [row["type"] for row in rows]

    async def carried(self) -> None:
        """Sends and settles until there is nothing left to do."""
        sender, end = self.sender, time.monotonic() + 60
        while await self.number("SELECT count(*) FROM work WHERE kind LIKE 'reply.%'"):
            assert time.monotonic() < end, await self.rows()
            if not (await sender.once() | await sender.settle_once()):
                await asyncio.sleep(0.02)
