"""Conversations that live through a lot, by the acts that the services use: what replays and figures are compared on."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.triage import new_terms, sla_watch
from shared.acts import conversations as threads
from shared.acts import edits
from shared.acts import replies as acts
from shared.acts.calendars import CHANGED
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.errors import Conflict
from shared.models.channel import Channel
from shared.models.conversation import Conversation, Priority
from shared.models.reply import Reply
from shared.store import conversation as store
from shared.store import reply as replies
from tests.builders import an_arrival

START = datetime.fromisoformat("2026-03-27T14:00:00+00:00")
"""A Friday afternoon; the clocks of Amsterdam go forward on the Sunday."""


@dataclass
class Journey:
    """The conversations of a workspace by thread, and the clock that they live by."""

    database: Database
    workspace_id: UUID
    channel: Channel
    travel: Any
    now: datetime = START
    threads: dict[str, UUID] = field(default_factory=dict)
    sent: dict[str, list[UUID]] = field(default_factory=dict)
    unsettled: dict[str, list[tuple[UUID, datetime]]] = field(default_factory=dict)

    def goes_on(self, minutes: float) -> datetime:
        """So much time goes by."""
        self.now += timedelta(minutes=minutes)
        self.travel.move_to(self.now)
        return self.now

    async def writes(self, thread: str, *, received_ago: float = 0, published_ago: float = 0, **fields: Any) -> UUID:
        """The customer wrote, which we hear of now; the conversation."""
        received = clock.now() - timedelta(minutes=received_ago)
        published = received - timedelta(minutes=published_ago)
        arrival = an_arrival(self.channel, thread, at=received, **{"published_at": published, **fields})
        async with self.database.write(self.workspace_id) as session:
            policies = await in_force(session, self.workspace_id)
            placed = await threads.open_or_extend(session, self.workspace_id, [arrival], policies)
        self.threads[thread] = placed[arrival.mention_id]
        return placed[arrival.mention_id]

    async def answers(
        self, thread: str, *, automatic: bool = False, settled: bool = True, answers: UUID | None = None
    ) -> UUID:
        """We answer, and the venue takes it; or nobody knows whether it does."""
        reply = Reply(
            workspace_id=self.workspace_id, id=ids.new_id(), conversation_id=self.threads[thread], channel_id=self.channel.id,
            text="Sorry!", automatic=automatic, in_reply_to=answers,
        )  # fmt: skip
        async with self.database.write(self.workspace_id) as session:
            await acts.queue(session, reply)
            acts.begin(reply)
            if settled:
                await acts.sent(session, reply, at=clock.now(), external_id=f"there-{reply.id}", permalink=None)
                self.sent.setdefault(thread, []).append(reply.id)
            else:
                await acts.unknown(session, reply, "the connection broke")
                self.unsettled.setdefault(thread, []).append((reply.id, clock.now()))
        return reply.id

    async def settles(self, thread: str) -> None:
        """It turns out that an answer had been taken when it was sent."""
        reply_id, at = self.unsettled[thread].pop(0)
        async with self.database.write(self.workspace_id) as session:
            reply = await replies.lock(session, self.workspace_id, reply_id)
            await acts.sent(
                session, reply, at=at, external_id=f"there-{reply.id}", permalink=None, settled_by="read_back"
            )
        self.sent.setdefault(thread, []).append(reply_id)

    async def bounces(self, thread: str) -> None:
        """The venue tells that it could not deliver the last answer."""
        reply_id = self.sent[thread].pop()
        async with self.database.write(self.workspace_id) as session:
            reply = await replies.lock(session, self.workspace_id, reply_id)
            await acts.failed(session, reply, "no such number", settled_by="receipt")

    async def does(self, thread: str, verb: str, *args: Any, **named: Any) -> None:
        """What the desk does with a conversation; nothing where it cannot be done now."""
        with suppress(Conflict):
            async with self.database.write(self.workspace_id) as session:
                conversation = await store.lock(session, self.workspace_id, self.threads[thread])
                if verb == "tag":
                    conversation.must_not_be_closed()
                    conversation.tags = list(*args)
                    conversation.changed()
                    await session.flush()
                    await threads.refilter(session, conversation)
                else:
                    await getattr(threads, verb)(session, conversation, *args, **named)

    async def watch(self) -> None:
        """Whoever looks after promises does so until nothing is due."""
        while await sla_watch.watch(self.database):
            pass

    async def works_edits_through(self) -> None:
        """Whoever puts clocks under edits does so until nothing is left."""
        for kind in (CHANGED, edits.POLICY_CHANGED):
            while await new_terms.reapply(self.database, kind):
                pass

    async def conversation(self, thread: str) -> Conversation:
        """A conversation as it stands."""
        async with self.database.write(self.workspace_id) as session:
            return await store.lock(session, self.workspace_id, self.threads[thread])

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        """What the database has."""
        async with self.database.read(self.workspace_id) as connection:
            return list(await connection.fetch(sql, *values))

    async def clocks(self, thread: str) -> dict[str, list[Any]]:
        """The clocks of a conversation as they are stored, by metric, in the order of their instances."""
        found: dict[str, list[Any]] = {}
        sql = "SELECT * FROM sla_clock WHERE conversation_id = $1 ORDER BY metric, instance"
        for row in await self.rows(sql, self.threads[thread]):
            found.setdefault(row["metric"], []).append(row)
        return found

    async def told(self, of: str = "sla.%") -> list[str]:
        """What was told, in its order."""
        return [
            row["type"] for row in await self.rows("SELECT type FROM outbox WHERE type LIKE $1 ORDER BY at, id", of)
        ]

    async def at_random(self, chance: random.Random, thread: str) -> None:
        """One thing happens to a conversation."""
        answered = [*self.sent.get(thread, ())]
        match chance.randrange(14):
            case 0 | 1 | 2:
                await self.writes(
                    thread, received_ago=chance.choice([0, 0, 0.5, 45]), published_ago=chance.choice([0, 2, 20]),
                    priority=chance.choice(list(Priority)), issue_keys=chance.choice([(), ("outage",), ("billing",)]),
                )  # fmt: skip
            case 3 | 4:
                await self.answers(thread)
            case 5:
                await self.answers(thread, automatic=True)
            case 6:
                await self.answers(thread, settled=False)
            case 7 if self.unsettled.get(thread):
                await self.settles(thread)
            case 8 if answered:
                await self.bounces(thread)
            case 9:
                await self.does(thread, "wait_for_customer", actor="agent")
            case 10:
                await self.does(thread, "reopen", actor="agent", reason="by hand")
            case 11:
                await self.does(thread, "prioritise", chance.choice(list(Priority)), actor="agent")
            case 12:
                await self.does(thread, "tag", chance.choice([["vip"], []]))
            case _:
                await self.does(thread, "resolve", actor="agent")


NIGHTS = {day: [["22:00", "06:00"]] for day in ("fri", "sat", "sun")}
HOURS = {day: [["09:00", "12:30"], ["13:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")}
CALENDAR = {"name": "Office and some nights", "timezone": "Europe/Amsterdam", "weekly": HOURS}


def targets(*lengths: tuple[str, str, str], hours: str) -> list[dict[str, str]]:
    """Targets, as (metric, priority, within)."""
    return [
        {"metric": metric, "priority": priority, "within": within, "hours": hours}
        for metric, priority, within in lengths
    ]


FOR_VIPS = {
    "name": "VIPs", "position": 1, "filter": {"field": "tags", "op": "contains", "value": "vip"}, "warnings": ["0.5"],
    "starts_at": "published_at", "automatic_replies_count": True, "pause_on": {"resolution": ["pending", "snoozed"], "update": ["pending"]},
    "targets": targets(
        ("first_response", "*", "PT20M"), ("next_response", "*", "PT15M"), ("update", "*", "PT1H"), ("resolution", "*", "PT6H"),
        hours="clock",
    ),
}  # fmt: skip
FOR_THE_PRESSING = {
    "name": "Pressing", "position": 2, "filter": {"field": "priority", "op": "in", "value": ["urgent", "high"]},
    "warnings": ["0.75", "PT5M"],
    "targets": targets(
        ("first_response", "urgent", "PT30M"), ("first_response", "high", "PT1H"), ("next_response", "*", "PT45M"),
        ("update", "*", "PT2H"), ("resolution", "*", "P1D"), hours="business",
    ),
}  # fmt: skip
FOR_ALL = {
    "name": "All", "position": 3, "filter": {}, "warnings": ["0.75"],
    "targets": targets(
        ("first_response", "*", "PT2H"), ("next_response", "*", "PT2H"), ("resolution", "normal", "PT20H"), ("resolution", "low", "PT40H"),
        hours="business",
    ),
}  # fmt: skip
