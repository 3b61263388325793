"""One workspace never sees another's rows: by policy on every table, whatever the SQL says."""

from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.kit import ids
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.brand import Brand
from shared.models.tables import metadata
from tests.builders import a_channel, a_workspace, an_item, taken

GLOBAL = {"channel_type", "heartbeat"}


async def test_every_table_of_a_workspace_has_a_forced_policy(settings: Settings) -> None:
    owner = await asyncpg.connect(settings.database_url)
    found = {
        row["relname"]: row
        for row in await owner.fetch(
            "SELECT relname, relrowsecurity, relforcerowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid "
            "AND 'webcare_app'::regrole = ANY(p.polroles)) AS policies FROM pg_class c WHERE relkind IN ('r', 'p')"
        )
    }
    await owner.close()
    for table in set(metadata.tables) - GLOBAL:
        row = found[table]
        assert (row["relrowsecurity"], row["relforcerowsecurity"], row["policies"]) == (True, True, 1), table


async def test_the_roles_own_nothing_and_partitions_are_closed(settings: Settings) -> None:
    owner = await asyncpg.connect(settings.database_url)
    owned = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relowner IN ('webcare_app'::regrole, 'webcare_worker'::regrole)"
    )
    granted = await owner.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, unnest(ARRAY['webcare_app', 'webcare_worker', "
        "'webcare_search']) r(name) WHERE c.relkind = 'r' AND has_table_privilege(r.name, c.oid, 'SELECT, INSERT, UPDATE, DELETE')"
    )
    await owner.close()
    assert (owned, granted) == ([], [])


async def test_a_partition_cannot_be_read_by_name(database: Database) -> None:
    workspace_id = await a_workspace(database)
    async with database.read(workspace_id) as connection:
        for table in ("mention_default", "event_default", "assessment_default"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")  # a test's own names


async def test_readers_of_two_workspaces_share_connections_and_see_their_own(database: Database) -> None:
    first, second = await a_workspace(database), await a_workspace(database)
    for workspace_id, name in ((first, "one"), (second, "two")):
        async with database.write(workspace_id) as session:
            session.add(Brand(workspace_id=workspace_id, name=name))
    for n in range(40):
        workspace_id, name = ((first, "one"), (second, "two"))[n % 2]
        async with database.read(workspace_id) as connection:
            assert [row["name"] for row in await connection.fetch("SELECT name FROM brand")] == [name]


async def test_without_a_workspace_nothing_is_seen_and_nothing_written(database: Database) -> None:
    workspace_id = await a_workspace(database)
    await a_channel(database, workspace_id)
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM channel"))).scalar_one() == 0
    with pytest.raises(DBAPIError):
        async with database.write(workspace_id) as session:
            session.add(Brand(workspace_id=ids.new_id(), name="somebody else's"))


async def test_a_worker_sees_ids_and_nobodys_words(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await taken(database, workspace_id, channel, an_item("1"))
    async with database.lookup() as connection:
        assert await connection.fetchval("SELECT count(*) FROM work WHERE workspace_id = $1", workspace_id) == 1
        for table in ("mention", "author", "brand", "reply", "event"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")  # a test's own names
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT secrets FROM channel")


async def test_the_policy_is_an_index_condition_and_search_uses_its_index(database: Database) -> None:
    workspace_id: UUID = await a_workspace(database)
    async with database.read(workspace_id) as connection:
        plan = "\n".join(
            row[0] for row in await connection.fetch("EXPLAIN SELECT id FROM mention ORDER BY id DESC LIMIT 50")
        )
        assert "Index Cond: (workspace_id = (NULLIF(current_setting('app.workspace_id'" in plan, plan
        assert "Filter" not in plan, plan
