"""An answer that the venue took and could not deliver answered nobody: the customer waits again, and the clocks say so."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from services.ingest import receipts
from services.ingest.channel import Receipt
from shared.acts import clocks, conversations
from shared.acts import replies as acts
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.reply import Reply
from shared.store import conversation as store
from tests.builders import a_channel, a_policy, a_workspace, an_arrival, an_item, taken

START = datetime.fromisoformat("2026-11-23T09:00:00+00:00")
"""The first response is promised within the hour."""


@dataclass
class Desk:
    database: Database
    workspace_id: UUID
    channel: Channel
    travel: Any

    def at(self, time_of_day: str) -> datetime:
        """Goes to that time of the day."""
        moment = datetime.fromisoformat(f"2026-11-23T{time_of_day}:00+00:00")
        self.travel.move_to(moment)
        return moment

    async def writes(self, name: str) -> UUID:
        """The customer writes; the conversation."""
        await taken(self.database, self.workspace_id, self.channel, an_item(name))
        async with self.database.read(self.workspace_id) as connection:
            mention_id = await connection.fetchval("SELECT id FROM mention WHERE external_id = $1", name)
        async with self.database.write(self.workspace_id) as session:
            policies = await in_force(session, self.workspace_id)
            arrival = an_arrival(self.channel, "thread", mention_id=mention_id)
            placed = await conversations.open_or_extend(session, self.workspace_id, [arrival], policies)
        return placed[mention_id]

    async def answers(self, conversation_id: UUID, *, automatic: bool = False) -> UUID:
        """We answer, and the venue takes it; the reply."""
        reply = Reply(workspace_id=self.workspace_id, id=ids.new_id(), conversation_id=conversation_id,
                      channel_id=self.channel.id, text="Sorry!", automatic=automatic)  # fmt: skip
        async with self.database.write(self.workspace_id) as session:
            await acts.queue(session, reply)
            acts.begin(reply)
            await acts.sent(session, reply, at=clock.now(), external_id=f"there-{reply.id}", permalink=None)
        return reply.id

    async def bounces(self, reply_id: UUID) -> None:
        """The venue tells that it could not deliver it."""
        told = Receipt("failed", clock.now(), str(reply_id), reason="No such number.")
        async with self.database.write(self.workspace_id) as session:
            await receipts.settle(session, self.workspace_id, self.channel.id, [told])

    async def conversation(self, conversation_id: UUID) -> dict[str, Any]:
        return await self._one("SELECT * FROM conversation WHERE id = $1", conversation_id)

    async def clock(self, conversation_id: UUID, metric: str = "first_response") -> dict[str, Any]:
        return await self._one(
            "SELECT * FROM sla_clock WHERE conversation_id = $1 AND metric = $2", conversation_id, metric
        )

    async def told(self, of: str = "sla.%") -> list[tuple[str, Any]]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch(
                "SELECT type, payload FROM outbox WHERE type LIKE $1 AND type <> 'sla.started' ORDER BY at, id", of
            )
        return [(row["type"], row["payload"]) for row in rows]

    async def look(self, conversation_id: UUID) -> None:
        """The watch looks at the clocks."""
        clock_id = (await self.clock(conversation_id))["id"]
        async with self.database.write(self.workspace_id) as session:
            await clocks.look(session, self.workspace_id, [clock_id])

    async def _one(self, sql: str, *values: Any) -> dict[str, Any]:
        async with self.database.read(self.workspace_id) as connection:
            (row,) = await connection.fetch(sql, *values)
        return dict(row)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    with time_machine.travel(START, tick=False) as travel:
        workspace_id = await a_workspace(database)
        await a_policy(database, workspace_id)
        channel = await a_channel(database, workspace_id, type="simulated", settings={"venue": "nowhere"})
        yield Desk(database, workspace_id, channel, travel)


async def test_an_answer_in_time_that_was_not_delivered_lets_the_clock_run_on(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:20")
    reply_id = await desk.answers(conversation_id)
    assert (await desk.clock(conversation_id))["state"] == "met"
    assert (await desk.conversation(conversation_id))["waiting_since"] is None
    desk.at("09:30")
    await desk.bounces(reply_id)
    running, conversation = await desk.clock(conversation_id), await desk.conversation(conversation_id)
    assert (running["state"], running["stopped_at"]) == ("running", None)
    assert running["elapsed_s"] == 30 * 60, "as if it had never stopped"
    assert running["deadline_at"] == conversation["next_deadline_at"] == START + timedelta(hours=1)
    assert running["notice_at"] is not None, "and it is looked at again"
    assert (conversation["waiting_since"], conversation["first_replied_at"]) == (START, None)
    assert conversation["status"] == "open"
    met, corrected = [payload for kind, payload in await desk.told() if kind in ("sla.met", "sla.corrected")]
    assert f"reply:{reply_id}" in corrected
    assert '"first_response"' in met
    ((_, failed),) = await desk.told("reply.failed")
    assert '"was_sent":true' in failed.replace(" ", "")
    # the next answer, in time
    desk.at("09:50")
    await desk.answers(conversation_id)
    running = await desk.clock(conversation_id)
    assert (running["state"], running["elapsed_s"]) == ("met", 50 * 60)
    assert (await desk.conversation(conversation_id))["waiting_since"] is None


async def test_learnt_after_the_deadline_it_is_breached_at_the_deadline(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:20")
    reply_id = await desk.answers(conversation_id)
    desk.at("12:00")
    await desk.look(conversation_id)
    await desk.bounces(reply_id)
    running = await desk.clock(conversation_id)
    assert (running["state"], running["breached_at"]) == ("breached", START + timedelta(hours=1))
    kinds = [kind for kind, _ in await desk.told()]
    assert kinds == ["sla.met", "sla.breached", "sla.corrected"] or kinds == [
        "sla.met",
        "sla.corrected",
        "sla.breached",
    ]
    await desk.bounces(reply_id)
    await desk.look(conversation_id)
    assert [kind for kind, _ in await desk.told()] == kinds, "each is told once"


async def test_another_answer_that_arrived_counts_from_when_it_was_sent(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:20")
    first = await desk.answers(conversation_id)
    second_at = desk.at("09:40")
    await desk.answers(conversation_id)
    desk.at("09:45")
    await desk.bounces(first)
    running, conversation = await desk.clock(conversation_id), await desk.conversation(conversation_id)
    assert (running["state"], running["stopped_at"]) == ("met", second_at)
    assert (conversation["waiting_since"], conversation["first_replied_at"]) == (None, second_at)


@pytest.mark.parametrize("how", ["resolve", "wait_for_customer"])
async def test_who_was_not_answered_does_not_wait_in_what_was_put_aside(desk: Desk, how: str) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:20")
    reply_id = await desk.answers(conversation_id)
    async with desk.database.write(desk.workspace_id) as session:
        locked = await store.lock(session, desk.workspace_id, conversation_id)
        await getattr(conversations, how)(session, locked, actor="agent")
    desk.at("09:25")
    await desk.bounces(reply_id)
    conversation = await desk.conversation(conversation_id)
    assert (conversation["status"], conversation["waiting_since"]) == ("open", START)
    assert (await desk.clock(conversation_id, "resolution"))["state"] == "running"
    (kind, payload), *_ = reversed(await desk.told("conversation.%"))
    assert kind == ("conversation.reopened" if how == "resolve" else "conversation.status_changed")
    assert "could not be delivered" in payload


async def test_a_message_since_an_answer_that_arrived_is_what_waits(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    answered_at = desk.at("09:20")
    await desk.answers(conversation_id)
    wrote_at = desk.at("10:00")
    assert await desk.writes("still broken") == conversation_id
    desk.at("10:10")
    reply_id = await desk.answers(conversation_id)
    desk.at("10:20")
    await desk.bounces(reply_id)
    conversation = await desk.conversation(conversation_id)
    assert (conversation["waiting_since"], conversation["first_replied_at"]) == (wrote_at, answered_at)
    assert (await desk.clock(conversation_id))["stopped_at"] == answered_at


async def test_an_automatic_answer_had_stopped_nothing(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:05")
    reply_id = await desk.answers(conversation_id, automatic=True)
    version = (await desk.conversation(conversation_id))["version"]
    desk.at("09:10")
    await desk.bounces(reply_id)
    conversation = await desk.conversation(conversation_id)
    assert (conversation["version"], conversation["waiting_since"]) == (version, START)
    assert [kind for kind, _ in await desk.told()] == []


async def test_what_is_closed_stays_closed_and_its_clocks_tell_the_truth(desk: Desk) -> None:
    desk.at("09:00")
    conversation_id = await desk.writes("help")
    desk.at("09:20")
    reply_id = await desk.answers(conversation_id)
    async with desk.database.write(desk.workspace_id) as session:
        locked = await store.lock(session, desk.workspace_id, conversation_id)
        await conversations.resolve(session, locked, actor="agent")
        await conversations.close(session, desk.workspace_id, [conversation_id])
    desk.at("12:00")
    await desk.bounces(reply_id)
    assert (await desk.conversation(conversation_id))["status"] == "closed"
    assert (await desk.clock(conversation_id))["state"] == "breached"
