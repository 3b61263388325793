"""What the code may do it was granted by name: it works where everybody else may do nothing, as careful installations have it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

import migrations
from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.builders import a_channel, a_workspace, an_item, taken

NAME = "granted_by_name"


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="module")
def granted(settings: Settings) -> Settings:
    """An installation that was migrated into a database where everybody (PUBLIC) may do nothing."""
    url = make_url(settings.database_url).set(database=NAME).render_as_string(hide_password=False)
    asyncio.run(execute(settings.database_url, f"CREATE DATABASE {NAME}"))
    asyncio.run(execute(url, f"REVOKE ALL ON DATABASE {NAME} FROM PUBLIC", "REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    migrations.upgrade(url)
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
async def careful(granted: Settings) -> AsyncIterator[Database]:
    opened = await Database.open(granted, "tests")
    yield opened
    await opened.close()


async def test_mentions_come_in_where_everybody_may_do_nothing(careful: Database) -> None:
    workspace_id = await a_workspace(careful)
    channel = await a_channel(careful, workspace_id)
    page: list[dict[str, Any]] = [an_item(f"m{number}") for number in range(3)]
    assert (await taken(careful, workspace_id, channel, *page)).stored == 3
    assert (await taken(careful, workspace_id, channel, *page)).duplicate == 3


async def test_it_is_the_grant_that_lets_them_in(granted: Settings, careful: Database) -> None:
    workspace_id = await a_workspace(careful)
    channel = await a_channel(careful, workspace_id)
    await execute(granted.database_url, f"REVOKE TEMPORARY ON DATABASE {NAME} FROM webcare_app")
    try:
        with pytest.raises(Exception, match="temporary"):
            await taken(careful, workspace_id, channel, an_item("m1"))
    finally:
        await execute(granted.database_url, f"GRANT TEMPORARY ON DATABASE {NAME} TO webcare_app")
