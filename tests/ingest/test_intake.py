"""What is sent is stored once, edits and deletions are kept, and the ledger balances."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from services.ingest.incoming_mention import IncomingMention, read_mentions
from services.ingest.intake import Source, take_in
from shared.kit import clock
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.reply_rules import ReplyRules, ReplyWay
from shared.store import ledger
from tests.builders import a_channel, a_workspace, an_item, taken

POOL = 5  # connections of a test's database


def read(*items: dict[str, Any]) -> list[IncomingMention]:
    return [one for _, one in read_mentions(items)[0]]


async def counts(database: Database, workspace_id: UUID) -> dict[str, int]:
    async with database.read(workspace_id) as connection:
        rows = await ledger.read(connection, since=None, until=None, channel=None)
    return {name: sum(row[name] for row in rows) for name in ledger.COUNTS}


async def texts(database: Database, workspace_id: UUID) -> dict[str, str]:
    async with database.read(workspace_id) as connection:
        return {
            row["external_id"]: row["text"] for row in await connection.fetch("SELECT external_id, text FROM mention")
        }


async def outbox(database: Database, workspace_id: UUID) -> list[str]:
    async with database.read(workspace_id) as connection:
        return [row["type"] for row in await connection.fetch("SELECT type FROM outbox ORDER BY at, id")]


async def test_the_same_page_again_changes_nothing(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    page = [an_item(str(n)) for n in range(50)]
    assert (await taken(database, workspace_id, channel, *page)).stored == 50
    again = await taken(database, workspace_id, channel, *page)
    assert (again.stored, again.duplicate, again.updated) == (0, 50, 0)
    assert await outbox(database, workspace_id) == ["mention.received"] * 50


async def test_two_senders_at_once_store_each_mention_once(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    page = [an_item(str(n)) for n in range(200)]
    done = await asyncio.gather(*(taken(database, workspace_id, channel, *page[::step]) for step in (1, -1, 1, -1)))
    assert sum(one.stored for one in done) == 200
    assert sum(one.duplicate for one in done) == 600
    assert len(await texts(database, workspace_id)) == 200
    assert await outbox(database, workspace_id) == ["mention.received"] * 200


async def test_senders_in_any_order_never_lock_each_other(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    for round_ in range(5):
        page = [an_item(f"{round_}-{n}", author=None) for n in range(1500)]  # authors would make them queue before
        done = await asyncio.gather(*(taken(database, workspace_id, channel, *page[::step]) for step in (1, -1)))
        assert sum(one.stored for one in done) == 1500


async def test_a_page_undone_leaves_nothing_and_the_next_one_is_stored(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    source = Source(channel.id, channel.type)
    for n in range(2 * POOL):  # more often than there are connections: each has its own page to begin with
        with contextlib.suppress(ZeroDivisionError):
            async with database.write(workspace_id) as session:
                assert (await take_in(session, workspace_id, source, read(an_item(f"undone {n}")))).stored == 1
                raise ZeroDivisionError
    assert (await taken(database, workspace_id, channel, an_item("kept"))).stored == 1
    assert list(await texts(database, workspace_id)) == ["kept"]
    assert await outbox(database, workspace_id) == ["mention.received"]


async def test_two_pages_in_one_transaction_are_both_stored_with_their_own_channel(database: Database) -> None:
    workspace_id = await a_workspace(database)
    one, other = await a_channel(database, workspace_id), await a_channel(database, workspace_id)
    for again in (False, True):
        async with database.write(workspace_id) as session:
            for channel in (one, other):
                item = an_item(f"at {channel.name}", "said")
                done = await take_in(session, workspace_id, Source(channel.id, channel.type), read(item))
                assert (done.stored, done.duplicate) == ((0, 1) if again else (1, 0))
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch("SELECT external_id, channel_id FROM mention")
    assert {row["external_id"]: row["channel_id"] for row in rows} == {f"at {c.name}": c.id for c in (one, other)}


async def test_an_author_who_did_not_change_is_not_written_again(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)

    async def version() -> str:
        async with database.read(workspace_id) as connection:
            return str(await connection.fetchval("SELECT ctid::text || updated_at::text FROM author"))

    jo = {"external_id": "7", "handle": "Jo", "name": "Jo Doe", "followers": 12}
    await taken(database, workspace_id, channel, an_item("1", author=jo))
    first = await version()
    await taken(database, workspace_id, channel, an_item("2", author=jo))
    await taken(database, workspace_id, channel, an_item("3", author={"external_id": "7"}))  # told less: no change
    assert await version() == first
    await taken(database, workspace_id, channel, an_item("4", author={**jo, "followers": 13}))
    assert await version() != first


async def test_an_edit_keeps_what_was_said_and_a_deletion_stays(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await taken(database, workspace_id, channel, an_item("1", "kapot"), an_item("2", "stuk"))
    edited = await taken(database, workspace_id, channel, an_item("1", "weer heel", edited_at=clock.now()))
    deleted = await taken(database, workspace_id, channel, an_item("2", "stuk", deleted_at=clock.now()))
    assert (edited.updated, deleted.updated) == (1, 1)
    late = await taken(database, workspace_id, channel, an_item("2", "stuk, again"))
    assert (late.updated, late.duplicate) == (0, 1)
    assert await texts(database, workspace_id) == {"1": "weer heel", "2": "stuk"}
    async with database.read(workspace_id) as connection:
        assert [row["text"] for row in await connection.fetch("SELECT text FROM mention_revision")] == ["kapot"]
    assert (await outbox(database, workspace_id))[2:] == ["mention.edited", "mention.deleted"]


async def test_a_deletion_may_come_first(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await taken(database, workspace_id, channel, an_item("1", "", deleted_at=clock.now()))
    await taken(database, workspace_id, channel, an_item("1", "what it said"))
    assert await texts(database, workspace_id) == {"1": ""}


async def test_the_brands_own_posts_are_filtered_and_counted(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    ours = an_item("1", author={"external_id": "us", "handle": "@Northwind"})
    done = await taken(database, workspace_id, channel, ours, an_item("2"), own_handles=frozenset({"northwind"}))
    assert (done.received, done.stored, done.filtered) == (2, 1, 1)


async def test_an_author_is_kept_once_as_last_seen(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    known = {"external_id": "a", "handle": "Jan", "followers": 10}
    await taken(database, workspace_id, channel, an_item("1", author=known), an_item("2", author={"external_id": "a"}))
    await taken(database, workspace_id, channel, an_item("3", author={**known, "followers": 12, "handle": "jan2"}))
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch("SELECT handle, handle_folded, followers FROM author")
        assert [tuple(row) for row in rows] == [("jan2", "jan2", 12)]
        assert await connection.fetchval("SELECT count(DISTINCT author_id) FROM mention") == 1


actions = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["one", "two"]), st.booleans()), min_size=1, max_size=12
)


@runs(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pages=st.lists(actions, min_size=1, max_size=5))
async def test_the_ledger_balances_whatever_is_sent(
    database: Database, pages: list[list[tuple[str, str, bool]]]
) -> None:
    workspace_id = await a_workspace(database)
    channel: Channel = await a_channel(database, workspace_id)
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    sent = 0
    for page in pages:
        items = [
            an_item(key, said, published_at=at, **({"deleted_at": at + timedelta(hours=1)} if gone else {}))
            for key, said, gone in page
        ]  # fmt: skip
        sent += len(items)
        await taken(database, workspace_id, channel, *items)
    found = await counts(database, workspace_id)
    assert found["received"] == sent
    assert found["received"] == sum(found[name] for name in ledger.COUNTS if name != "received")
    assert all(number >= 0 for number in found.values())
    assert found["stored"] == len(await texts(database, workspace_id))
    async with database.write(workspace_id) as session:
        await ledger.roll_up(session)
    assert await counts(database, workspace_id) == found


async def test_another_text_under_the_id_of_a_mail_is_no_edit(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    first = an_item("m1@klant.example", "Mijn modem is stuk", kind="mail", visibility="private")
    assert (await taken(database, workspace_id, channel, first)).stored == 1
    forged = await taken(database, workspace_id, channel, {**first, "text": "Ik wil geen antwoord meer"})
    assert (forged.updated, forged.duplicate) == (0, 1)
    assert await texts(database, workspace_id) == {"m1@klant.example": "Mijn modem is stuk"}
    told = await taken(database, workspace_id, channel, {**first, "text": "Mijn router", "edited_at": clock.now()})
    assert told.updated == 1
    assert await texts(database, workspace_id) == {"m1@klant.example": "Mijn router"}


async def test_only_the_venues_own_word_brings_back_what_was_deleted(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    rules = ReplyRules(public=ReplyWay())
    await taken(database, workspace_id, channel, an_item("1", "stuk"), rules=rules)
    gone = {"deleted_at": clock.now(), "author": None}
    await taken(database, workspace_id, channel, an_item("1", "", **gone), an_item("2", "", **gone), rules=rules)

    async def standing() -> dict[str, bool]:
        async with database.read(workspace_id) as connection:
            rows = await connection.fetch("SELECT external_id, deleted_at IS NULL AS there FROM mention")
        return {row["external_id"]: row["there"] for row in rows}

    late = [an_item("1", "stuk"), an_item("1", "heel"), an_item("1", "heel", edited_at=clock.now())]
    for again in late:
        await taken(database, workspace_id, channel, again, rules=rules)
        assert await standing() == {"1": False, "2": False}
    back = [an_item("1", "weer stuk", restored=True), an_item("2", "ook terug", restored=True)]
    assert (await taken(database, workspace_id, channel, *back, rules=rules)).updated == 2
    assert await standing() == {"1": True, "2": True}
    assert await texts(database, workspace_id) == {"1": "weer stuk", "2": "ook terug"}
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch("SELECT author_id, (reply->'public'->>'allowed')::bool AS open FROM mention")
    assert all(row["author_id"] is not None and row["open"] for row in rows)
    assert (await outbox(database, workspace_id))[-2:] == ["mention.edited"] * 2
    repeated = await taken(database, workspace_id, channel, *back, rules=rules)
    assert (repeated.updated, repeated.duplicate) == (0, 2)
    edited = await taken(database, workspace_id, channel, an_item("1", "heel", restored=True), rules=rules)
    assert edited.updated == 1
    await taken(database, workspace_id, channel, an_item("1", "", **gone), rules=rules)
    assert await standing() == {"1": False, "2": True}
