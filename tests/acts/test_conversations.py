"""A customer's message opens or extends a conversation, starts what was promised, and is told once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.acts import conversations
from shared.acts.conversations import Arrival, open_or_extend
from shared.acts.policies import in_force
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.errors import Conflict
from shared.models.conversation import ConversationClosed, Priority
from shared.store import conversation as store
from tests.builders import a_channel, a_policy, a_queue, a_workspace, an_arrival


async def arrive(database: Database, workspace_id: UUID, *arrivals: Arrival) -> dict[UUID, UUID]:
    async with database.write(workspace_id) as session:
        return await open_or_extend(session, workspace_id, arrivals, await in_force(session, workspace_id))


async def rows(database: Database, workspace_id: UUID, table: str, order: str = "id") -> Sequence[Any]:
    async with database.read(workspace_id) as connection:
        return await connection.fetch(f"SELECT * FROM {table} ORDER BY {order}")  # a test's own names


async def told(database: Database, workspace_id: UUID) -> list[str]:
    return [row["type"] for row in await rows(database, workspace_id, "outbox", "at, id")]


async def test_a_first_message_opens_routes_and_promises(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    urgent = await a_queue(
        database, workspace_id, position=1, filter={"field": "priority", "op": "eq", "value": "urgent"}
    )
    usual = await a_queue(database, workspace_id, position=2)
    await a_policy(database, workspace_id, within="PT1H")
    first, second = an_arrival(channel, "t1"), an_arrival(channel, "t2", priority=Priority.URGENT)

    placed = await arrive(database, workspace_id, first, second)

    found = {row["id"]: row for row in await rows(database, workspace_id, "conversation")}
    assert found[placed[first.mention_id]]["queue_id"] == usual.id
    assert found[placed[second.mention_id]]["queue_id"] == urgent.id
    assert found[placed[first.mention_id]]["next_deadline_at"] == first.received_at + timedelta(hours=1)
    clocks = await rows(database, workspace_id, "sla_clock")
    assert sorted((row["metric"], row["state"]) for row in clocks) == sorted(
        2 * [("first_response", "running"), ("resolution", "running")]
    )
    assert sorted(await told(database, workspace_id)) == sorted(
        2 * ["conversation.opened", "conversation.routed"] + 4 * ["sla.started"]
    )
    assert [row["reason"] for row in await rows(database, workspace_id, "routing_decision")]


async def test_the_same_thread_is_one_conversation_and_the_worst_priority_holds(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    opened = await arrive(database, workspace_id, an_arrival(channel, "t", issue_keys=("outage",)))
    again = await arrive(
        database, workspace_id,
        an_arrival(channel, "t", priority=Priority.HIGH, issue_keys=("billing", "outage")), an_arrival(channel, "t"),
    )  # fmt: skip
    assert set(opened.values()) == set(again.values())
    (row,) = await rows(database, workspace_id, "conversation")
    assert (row["priority"], row["messages"], row["issue_keys"], row["version"]) == (
        "high",
        3,
        ["outage", "billing"],
        2,
    )
    assert (await told(database, workspace_id)).count("conversation.message_added") == 2
    assert (await told(database, workspace_id)).count("conversation.priority_changed") == 1


async def test_two_workers_open_one_thread_once(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await a_policy(database, workspace_id)
    arrivals = [an_arrival(channel, f"t{n % 3}") for n in range(12)]
    placed = await asyncio.gather(*(arrive(database, workspace_id, *arrivals[n : n + 3]) for n in range(0, 12, 3)))
    assert len({one for found in placed for one in found.values()}) == 3
    assert len(await rows(database, workspace_id, "conversation")) == 3
    assert sum(row["messages"] for row in await rows(database, workspace_id, "conversation")) == 12
    assert len(await rows(database, workspace_id, "message")) == 12
    assert (await told(database, workspace_id)).count("conversation.opened") == 3
    assert (await told(database, workspace_id)).count("sla.started") == 6


async def test_an_answer_within_72_hours_reopens_and_later_opens_anew(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await a_policy(database, workspace_id)
    (first,) = (await arrive(database, workspace_id, an_arrival(channel, "t"))).values()
    async with database.write(workspace_id) as session:
        await conversations.resolve(session, await store.lock(session, workspace_id, first), actor="test")
    states = {row["metric"]: row["state"] for row in await rows(database, workspace_id, "sla_clock")}
    assert states == {"first_response": "running", "resolution": "met"}

    (again,) = (
        await arrive(database, workspace_id, an_arrival(channel, "t", at=clock.now() + timedelta(hours=71)))
    ).values()
    assert again == first
    (row,) = await rows(database, workspace_id, "conversation")
    assert (row["status"], row["reopened"], row["resolved_at"]) == ("open", 1, None)

    async with database.write(workspace_id) as session:
        await conversations.resolve(session, await store.lock(session, workspace_id, first), actor="test")
    (new,) = (
        await arrive(database, workspace_id, an_arrival(channel, "t", at=clock.now() + timedelta(hours=73)))
    ).values()
    assert new != first
    linked = {row["id"]: row["previous_conversation_id"] for row in await rows(database, workspace_id, "conversation")}
    assert linked[new] == first


async def test_pending_pauses_the_resolution_and_a_message_resumes_it(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await a_policy(database, workspace_id)
    (one,) = (await arrive(database, workspace_id, an_arrival(channel, "t"))).values()
    async with database.write(workspace_id) as session:
        await conversations.wait_for_customer(session, await store.lock(session, workspace_id, one), actor="test")
    states = {row["metric"]: row["state"] for row in await rows(database, workspace_id, "sla_clock")}
    assert states == {"first_response": "running", "resolution": "paused"}
    await arrive(database, workspace_id, an_arrival(channel, "t"))
    states = {row["metric"]: row["state"] for row in await rows(database, workspace_id, "sla_clock")}
    assert states == {"first_response": "running", "resolution": "running"}
    names = await told(database, workspace_id)
    assert (names.count("sla.paused"), names.count("sla.resumed")) == (1, 1)


async def test_a_closed_conversation_never_changes(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    (one,) = (await arrive(database, workspace_id, an_arrival(channel, "t"))).values()
    async with database.write(workspace_id) as session:
        await conversations.resolve(session, await store.lock(session, workspace_id, one), actor="test")
    async with database.write(workspace_id) as session:
        assert await conversations.close(session, workspace_id, [one]) == 1
        assert await conversations.close(session, workspace_id, [one]) == 0
    with pytest.raises(ConversationClosed):
        async with database.write(workspace_id) as session:
            await conversations.assign(
                session, await store.lock(session, workspace_id, one), None, team_id=None, actor="test", reason="manual"
            )
    (new,) = (await arrive(database, workspace_id, an_arrival(channel, "t"))).values()
    assert new != one


async def test_resolving_twice_is_refused(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    (one,) = (await arrive(database, workspace_id, an_arrival(channel, "t"))).values()
    async with database.write(workspace_id) as session:
        await conversations.resolve(session, await store.lock(session, workspace_id, one), actor="test")
    with pytest.raises(Conflict):
        async with database.write(workspace_id) as session:
            await conversations.resolve(session, await store.lock(session, workspace_id, one), actor="test")
