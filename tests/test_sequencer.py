"""Facts get their place: one order that never changes behind a reader, no gap in a conversation, nothing lost."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy import text

from shared import outbox, sequencer
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models import facts
from shared.models.brand import Brand
from shared.sequencer import Sequencer, sequence
from shared.store import events
from tests.builders import a_channel, a_workspace, an_item, taken
from tests.telling import about, an_endpoint, feed, rows, sequence_all, tell

ROOT = Path(__file__).parent.parent


@pytest.fixture
async def wide(settings: Settings) -> AsyncIterator[Database]:
    """A database with room for many writers."""
    opened = await Database.open(settings.model_copy(update={"database_pool_size": 14}), "tests")
    yield opened
    await opened.close()


async def test_nothing_appears_behind_a_reader_and_conversations_have_no_gaps(
    wide: Database, settings: Settings
) -> None:
    workspace_id = await a_workspace(wide)
    conversations = [ids.new_id() for _ in range(5)]
    chance = random.Random(7)
    locked_order: dict[UUID, list[str]] = {one: [] for one in conversations}
    others: list[str] = []
    writing = True

    async def writer(name: int) -> None:
        for n in range(30):
            conversation = chance.choice(conversations)
            async with wide.write(workspace_id) as session:
                if n % 5 == 4:  # not about a conversation, and long under way before it commits
                    await outbox.add(
                        session,
                        workspace_id,
                        [facts.MentionReceived(subject_id=ids.new_id(), detail={"k": f"{name}.{n}"})],
                    )
                    others.append(f"{name}.{n}")
                    await asyncio.sleep(chance.uniform(0, 0.05))
                    continue
                # what the row lock of a conversation does in the verbs
                await session.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended(:c, 0))"), {"c": str(conversation)}
                )
                keys = [f"{name}.{n}.{k}" for k in range(chance.randint(1, 3))]
                await outbox.add(session, workspace_id, [about(conversation, k=key) for key in keys])
                locked_order[conversation] += keys
                await asyncio.sleep(chance.uniform(0, 0.02))

    async def sequencing() -> None:
        # two processes that both believe to be elected: the order must hold all the same
        while writing:
            await asyncio.gather(sequence(wide, workspace_id, 7), sequence(wide, workspace_id, 7))

    seen: list[tuple[int, str]] = []

    async def reading() -> None:
        after = 0
        while True:
            done = not writing
            async with wide.read(workspace_id) as connection:
                page = await events.page(connection, after=after, limit=5)
            seen.extend((item.position, orjson.loads(item.body)["id"]) for item in page.items)
            after = page.after
            if done and not page.has_more:
                return
            await asyncio.sleep(0.002)

    reader, worker = asyncio.create_task(reading()), asyncio.create_task(sequencing())
    await asyncio.gather(*(writer(name) for name in range(8)))
    while await rows(wide, workspace_id, "SELECT id FROM outbox LIMIT 1"):
        await asyncio.sleep(0.01)
    writing = False
    await asyncio.gather(reader, worker)

    stored = await rows(
        wide,
        workspace_id,
        "SELECT position, id::text, type, conversation_id, sequence, data FROM event ORDER BY position",
    )
    assert len(stored) == sum(map(len, locked_order.values())) + len(others)
    assert seen == [(row["position"], row["id"]) for row in stored], (
        "a reader by position misses nothing and sees nothing twice"
    )
    assert len({row["position"] for row in stored}) == len(stored)
    for conversation, keys in locked_order.items():
        mine = [row for row in stored if row["conversation_id"] == conversation]
        assert [row["sequence"] for row in mine] == list(range(1, len(keys) + 1))
        assert [orjson.loads(str(row["data"]))["detail"]["k"] for row in mine] == keys
    assert [row for row in stored if row["conversation_id"] is None and row["sequence"] is not None] == []


async def test_a_late_commit_comes_after_what_was_already_read(wide: Database) -> None:
    workspace_id = await a_workspace(wide)
    early, late = ids.new_id(), ids.new_id()
    async with wide.write(workspace_id) as session:
        await outbox.add(session, workspace_id, [facts.MentionReceived(subject_id=late)])  # written first …
        await tell(wide, workspace_id, facts.MentionReceived(subject_id=early))
        assert await sequence_all(wide, workspace_id) == 1
        async with wide.read(workspace_id) as connection:
            first = await events.page(connection, after=0)
    # … and committed last
    assert await sequence_all(wide, workspace_id) == 1
    async with wide.read(workspace_id) as connection:
        second = await events.page(connection, after=first.after)
    assert [orjson.loads(item.body)["subject"] for item in (*first.items, *second.items)] == [
        f"mention/{early}",
        f"mention/{late}",
    ]
    assert second.items[0].position > first.items[0].position


async def test_facts_of_one_conversation_are_ordered_by_the_clock_and_not_by_their_ids(database: Database) -> None:
    workspace_id, conversation = await a_workspace(database), ids.new_id()
    async with database.write(workspace_id) as session:
        for n, (key, seconds) in enumerate((("third", 3), ("first", 1), ("second", 2))):
            await session.execute(
                text(
                    "INSERT INTO outbox (workspace_id, id, type, subject_id, conversation_id, at, payload) "
                    "VALUES (:w, :i, 'conversation.routed', :c, :c, now() + make_interval(secs => :s), "
                    "jsonb_build_object('k', CAST(:k AS text)))"
                ),
                {"w": workspace_id, "i": ids.new_id(), "c": conversation, "s": float(seconds), "k": key},
            )
            assert n < 3
    await sequence_all(database, workspace_id, 2)
    told = await feed(database, workspace_id)
    assert [(one["sequence"], one["data"]["detail"]["k"]) for one in told] == [
        (1, "first"),
        (2, "second"),
        (3, "third"),
    ]


async def test_one_is_elected_and_the_other_takes_over_within_two_seconds(
    database: Database, settings: Settings
) -> None:
    workspace_id = await a_workspace(database)
    other_database = await Database.open(settings, "other")
    one, other = Sequencer(database), Sequencer(other_database)
    try:
        await tell(database, workspace_id, facts.MentionReceived(subject_id=ids.new_id()))
        while not one.placed:
            await one.once()
        assert await other.once() is False
        assert (one.elected, other.elected, other.placed) == (True, False, 0)

        # the elected one's connection dies, as when its process is killed
        await tell(database, workspace_id, facts.MentionReceived(subject_id=ids.new_id()))
        assert one._connection is not None
        pid = one._connection.get_server_pid()
        superuser = await asyncpg.connect(settings.database_url)
        killed = await superuser.fetchval("SELECT pg_terminate_backend($1)", pid)
        await superuser.close()
        assert killed
        async with asyncio.timeout(30):
            while not other.placed:
                await other.once()
                await asyncio.sleep(0.02)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await one.once()  # the former one notices
        assert not one.elected
        assert await one.once() is False

        # and laid down in good order, the office is free at once
        await other.close()
        await one.once()
        assert one.elected
    finally:
        await one.close()
        await other.close()
        await other_database.close()


async def test_a_failure_half_way_leaves_no_trace_and_no_gap(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id, conversation = await a_workspace(database), ids.new_id()
    await an_endpoint(database, workspace_id, ["*"])
    await tell(database, workspace_id, *(about(conversation, n=n) for n in range(3)))
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise ConnectionResetError

        broken.setattr(sequencer, "wake_after_commit", fail)  # everything was written, nothing committed
        with pytest.raises(ConnectionResetError):
            await sequence(database, workspace_id)
    assert await feed(database, workspace_id) == []
    assert await sequence_all(database, workspace_id) == 3
    stored = await rows(database, workspace_id, "SELECT position, sequence FROM event ORDER BY position")
    assert stored == [{"position": n, "sequence": n} for n in (1, 2, 3)]
    assert len(await rows(database, workspace_id, "SELECT id FROM delivery")) == 3


_PROGRAM = """
import asyncio, sys
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.sequencer import Sequencer
async def main():
    database = await Database.open(Settings(database_url=sys.argv[1], valkey_url="redis://127.0.0.1:1/0"), "killed")
    one = Sequencer(database, batch=20)
    print("ready", flush=True)
    while True:
        await one.once()
asyncio.run(main())
"""


async def test_a_killed_sequencer_loses_and_doubles_nothing(database: Database, settings: Settings) -> None:
    workspace_id = await a_workspace(database)
    conversations = [ids.new_id() for _ in range(4)]
    told: list[Any] = []
    kills = 0
    while kills < 2:
        more = [about(conversations[n % 4], n=n) for n in range(len(told), len(told) + 750)]
        await tell(database, workspace_id, *more)
        told += more
        assert len(told) < 7_500, "it is always quicker than we are"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, settings.database_url, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        await child.stdout.readline()
        started = await database_count(database, workspace_id)
        while await database_count(database, workspace_id) < started + 40:
            await asyncio.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        kills += await database_count(database, workspace_id) < len(told)  # it was killed on the way
    await sequence_all(database, workspace_id)
    everything = await feed(database, workspace_id)
    assert [one["data"]["detail"]["n"] for one in everything] == list(range(len(told)))
    for n, conversation in enumerate(conversations):
        mine = [one["sequence"] for one in everything if one["subject"] == f"conversation/{conversation}"]
        assert mine == list(range(1, len(told[n::4]) + 1))


async def database_count(database: Database, workspace_id: UUID) -> int:
    return int(str((await rows(database, workspace_id, "SELECT count(*) AS n FROM event"))[0]["n"]))


async def test_data_is_the_subject_as_it_was_with_what_its_row_does_not_tell(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await taken(database, workspace_id, channel, an_item("1", "Jullie app is kapot"))
    mention_id = UUID(str((await rows(database, workspace_id, "SELECT id FROM mention"))[0]["id"]))
    gone, at = ids.new_id(), clock.now()
    conversation_id = ids.new_id()
    outbox.traceparent.set(outbox.new_traceparent())
    await tell(
        database, workspace_id,
        facts.MentionTriaged(subject_id=mention_id, conversation_id=conversation_id, detail={"by": "triage"}, at=at),
        facts.ReplySent(subject_id=gone, conversation_id=conversation_id),
    )  # fmt: skip
    await sequence_all(database, workspace_id)
    async with database.write(workspace_id) as session:
        await session.execute(text("UPDATE mention SET text = 'changed'"))
    received, triaged, reply = sorted(await feed(database, workspace_id), key=lambda one: str(one["type"]))
    assert list(triaged) == [
        "id", "type", "timestamp", "api_version", "workspace_id", "subject", "sequence", "traceparent", "data",
    ]  # fmt: skip
    data = triaged.pop("data")
    assert triaged == {
        "id": triaged["id"], "type": "mention.triaged", "timestamp": clock.iso(at), "api_version": "2026-12-01",
        "workspace_id": str(workspace_id), "subject": f"mention/{mention_id}", "sequence": triaged["sequence"],
        "traceparent": outbox.traceparent.get(),
    }  # fmt: skip
    assert isinstance(data, dict)
    assert data["text"] == "Jullie app is kapot", "rendered once, when it got its place"
    assert data["author"]["handle"] == "handle_1"
    assert "findings" in data
    assert (data["detail"], data["conversation_id"]) == ({"by": "triage"}, str(conversation_id))
    assert reply["data"] == {"id": str(gone), "conversation_id": str(conversation_id), "detail": {}}
    assert {triaged["sequence"], reply["sequence"]} == {1, 2}
    assert received["sequence"] is None


async def test_deliveries_go_to_the_endpoints_that_asked(database: Database) -> None:
    workspace_id, stranger = await a_workspace(database), await a_workspace(database)
    everything = await an_endpoint(database, workspace_id, ["*"])
    noun = await an_endpoint(database, workspace_id, ["conversation.*"])
    name = await an_endpoint(database, workspace_id, ["mention.received", "sla.breached"])
    await an_endpoint(database, workspace_id, ["conversation", "mention.*d", "sla.*"])
    await an_endpoint(database, workspace_id, ["*"], status="disabled")
    await an_endpoint(database, stranger, ["*"])
    brand = Brand(workspace_id=workspace_id, name="Northwind")
    async with database.write(workspace_id) as session:
        session.add(brand)
    await tell(
        database, workspace_id,
        facts.MentionReceived(subject_id=ids.new_id()), about(ids.new_id()), facts.WebhookTested(subject_id=noun),
    )  # fmt: skip
    await sequence_all(database, workspace_id)
    told = await rows(
        database, workspace_id, "SELECT endpoint_id, type, state, attempts FROM delivery ORDER BY position, endpoint_id"
    )
    assert {(row["endpoint_id"], row["type"]) for row in told} == {
        (everything, "mention.received"), (name, "mention.received"), (everything, "conversation.status_changed"),
        (noun, "conversation.status_changed"), (noun, "webhook_endpoint.tested"),
    }  # fmt: skip
    assert {(row["state"], row["attempts"]) for row in told} == {("pending", 0)}
    assert await rows(database, stranger, "SELECT id FROM delivery") == []
