"""The figures that are read of conversations and promises: each against rows that were put there for it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.api.listening.reading import snapshot
from services.api.listening.report import Bucket, ConversationFlow
from shared import outbox
from shared.kit import ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.conversation import Message
from shared.models.facts import ConversationReopened, ConversationResolved
from shared.models.people import Queue
from tests.api.listening.stored import MONDAY, SUNDAY_AFTER, a_clock, a_conversation, found, heard


async def test_conversations_that_came_and_went(database: Database, workspace_id: UUID, channel: Channel) -> None:
    at = MONDAY + timedelta(days=1)
    before, after = MONDAY - timedelta(days=1), SUNDAY_AFTER + timedelta(hours=1)
    await a_conversation(database, channel, at)
    await a_conversation(database, channel, at, first_replied_at=at, resolved_at=at, status="resolved")
    await a_conversation(database, channel, before, first_replied_at=at, resolved_at=after, status="resolved")
    await a_conversation(database, channel, before, first_replied_at=before, resolved_at=before, status="closed")
    await a_conversation(database, channel, after)
    reopened = await a_conversation(database, channel, before)
    async with database.write(workspace_id) as session:
        about: dict[str, Any] = {"subject_id": reopened.id, "conversation_id": reopened.id}
        told = [
            (ConversationResolved, at),
            (ConversationReopened, at),
            (ConversationResolved, at),
            (ConversationReopened, before),
        ]
        await outbox.add(session, workspace_id, [fact(**about, at=when) for fact, when in told])
    async with snapshot(database, workspace_id) as reader:
        flow = await reader.conversation_flow(MONDAY, SUNDAY_AFTER)
    assert flow == ConversationFlow(opened=2, answered=2, resolved=1, reopened=1, open_at_end=3)


async def test_critical_conversations_say_why_and_the_worst_comes_first(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    at, before = MONDAY + timedelta(days=1), MONDAY - timedelta(days=20)
    queue = Queue(workspace_id=workspace_id, name="Urgent", filter={})
    async with database.write(workspace_id) as session:
        session.add(queue)
    urgent = await a_conversation(database, channel, at, priority="urgent", subject="It burns", queue_id=queue.id)
    late = await a_conversation(database, channel, before)
    await a_clock(database, late, "resolution", before, state="breached", breached_at=at)
    unnoticed = await a_conversation(database, channel, at)
    await a_clock(database, unnoticed, "first_response", at, deadline_at=at + timedelta(hours=1))
    loud = await a_conversation(database, channel, at)
    said = "My name is Maria and your app is broken"
    mention_id = await heard(
        database, channel, at, said, reach=10_000, conversation_id=loud.id, findings={"pii": [found(11, 16)]}
    )
    answered = await a_conversation(database, channel, before, priority="urgent")
    long_over = await a_conversation(database, channel, before, priority="urgent")
    await a_clock(database, long_over, "first_response", before, state="breached", breached_at=before)
    quiet = await a_conversation(database, channel, at)
    await a_clock(
        database, quiet, "first_response", at, state="met", stopped_at=at, deadline_at=at + timedelta(hours=1)
    )
    async with database.write(workspace_id) as session:
        session.add(
            Message(workspace_id=workspace_id, conversation_id=loud.id, kind="inbound", mention_id=mention_id, at=at)
        )
        session.add(Message(workspace_id=workspace_id, conversation_id=answered.id, kind="outbound", at=at))
        session.add(Message(workspace_id=workspace_id, conversation_id=long_over.id, kind="note", text="hm", at=at))
        await session.execute(
            text("UPDATE conversation SET last_message_at = :at"), {"at": SUNDAY_AFTER + timedelta(days=9)}
        )
    async with snapshot(database, workspace_id) as reader:
        count, critical = await reader.critical_conversations(MONDAY, SUNDAY_AFTER, 10_000, 3)
        everyone = (await reader.critical_conversations(MONDAY, SUNDAY_AFTER, 10_000, 50))[1]
    assert count == 5
    reasons = {one.conversation_id: one.reasons for one in everyone}
    assert reasons == {
        urgent.id: ("urgent",), answered.id: ("urgent",), late.id: ("sla_breached",), unnoticed.id: ("sla_breached",),
        loud.id: ("high_reach",),
    }  # fmt: skip
    assert {one.conversation_id for one in critical[:2]} == {urgent.id, answered.id}
    assert list(critical) == list(everyone[:3])
    told = {one.conversation_id: one for one in everyone}
    assert (told[urgent.id].subject, told[urgent.id].queue) == ("It burns", "Urgent")
    assert (told[loud.id].subject, told[loud.id].reach) == ("My name is [hidden] and your app is broken", 10_000)
    assert told[urgent.id].url == f"/v1/conversations/{urgent.id}"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"failed_stages": ["pii"]}, True),  # the text is not shown, but where it stands may be
        ({"visibility": "private"}, False),
        ({"deleted": True}, False),
        ({"permalink": None}, False),
    ],
)
async def test_a_critical_conversation_is_linked_to_where_the_customer_began(
    database: Database, workspace_id: UUID, channel: Channel, fields: dict[str, Any], shown: bool
) -> None:
    at, opening = MONDAY + timedelta(days=1), "https://venue.example/opening"
    one = await a_conversation(database, channel, at, priority="urgent")
    began = await heard(database, channel, at, conversation_id=one.id, **{"permalink": opening, **fields})
    later = await heard(database, channel, at, conversation_id=one.id, permalink="https://venue.example/later")
    async with database.write(workspace_id) as session:
        for mention_id in (began, later):
            session.add(
                Message(workspace_id=workspace_id, conversation_id=one.id, kind="inbound", mention_id=mention_id, at=at)
            )
            await session.flush()
    async with snapshot(database, workspace_id) as reader:
        found_ = (await reader.critical_conversations(MONDAY, SUNDAY_AFTER, 10_000, 50))[1]
    told = {each.conversation_id: each for each in found_}[one.id]
    assert told.url == (opening if shown else f"/v1/conversations/{one.id}")


async def test_promises_by_metric_with_the_most_common_target(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    at, before, after = MONDAY + timedelta(days=1), MONDAY - timedelta(days=2), SUNDAY_AFTER + timedelta(days=1)
    states: list[tuple[str, dict[str, Any]]] = [
        ("first_response", {"state": "met", "stopped_at": at, "counts_by": str(ids.new_id())}),
        ("first_response", {"state": "met", "stopped_at": before}),
        (
            "first_response",
            {"state": "breached", "breached_at": at, "stopped_at": after, "counts_by": str(ids.new_id())},
        ),
        ("first_response", {"state": "breached", "breached_at": before, "target_s": 60.0}),
        ("first_response", {"state": "running", "deadline_at": at}),  # nobody has looked since
        ("first_response", {"state": "met", "stopped_at": after, "deadline_at": after, "counts_by": str(ids.new_id())}),
        ("first_response", {"state": "cancelled", "breached_at": at}),
        ("resolution", {"state": "running", "deadline_at": after, "target_s": 60.0}),
        ("resolution", {"state": "paused", "target_s": 120.0}),
        ("resolution", {"state": "breached", "breached_at": after, "target_s": 180.0}),
    ]
    for metric, fields in states:
        one = await a_conversation(database, channel, before)
        await a_clock(database, one, metric, before, **fields)
    late = await a_conversation(database, channel, after)
    await a_clock(database, late, "first_response", after)
    async with snapshot(database, workspace_id) as reader:
        first, resolution = await reader.sla(MONDAY, SUNDAY_AFTER)
    assert (first.metric, first.met, first.breached, first.running) == ("first_response", 1, 2, 1)
    assert (first.target, first.hours) == (timedelta(hours=1), "business")
    assert (resolution.metric, resolution.met, resolution.breached, resolution.running) == ("resolution", 0, 0, 3)
    assert resolution.target is None


async def test_answer_times_fall_into_the_bucket_they_reach_up_to(
    database: Database, workspace_id: UUID, channel: Channel
) -> None:
    asked = MONDAY + timedelta(hours=1)
    for minutes in (10, 15, 16, 100):
        one = await a_conversation(database, channel, asked, first_replied_at=asked + timedelta(minutes=minutes))
        await a_clock(database, one, "first_response", asked, state="met", stopped_at=one.first_replied_at)
    unpromised = await a_conversation(
        database, channel, asked + timedelta(hours=3), first_replied_at=asked + timedelta(hours=3)
    )
    async with database.write(workspace_id) as session:
        session.add(
            Message(
                workspace_id=workspace_id,
                conversation_id=unpromised.id,
                kind="inbound",
                at=asked + timedelta(hours=2, minutes=40),
            )
        )
    await a_conversation(database, channel, asked, first_replied_at=SUNDAY_AFTER)
    again = await a_conversation(database, channel, asked)
    await a_clock(database, again, "next_response", asked, state="met", stopped_at=asked + timedelta(minutes=5))
    edges = (timedelta(minutes=15), timedelta(minutes=30))
    async with snapshot(database, workspace_id) as reader:
        first, following = await reader.answer_times(MONDAY, SUNDAY_AFTER, edges)
    assert (first.metric, first.count, first.p50) == ("first_response", 5, timedelta(minutes=16))
    assert first.p90 == timedelta(minutes=68)
    assert first.histogram == (Bucket(edges[0], 2), Bucket(edges[1], 2), Bucket(None, 1))
    assert (following.metric, following.count, following.p50) == ("next_response", 1, timedelta(minutes=5))
