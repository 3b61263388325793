"""The servers that tests run against: one real Postgres and one real Valkey for the whole run, a fresh database for each file."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

import migrations
from services.local.environment import resolved
from shared.kit.database import Database
from shared.kit.settings import Settings

SECRET = "tests-only-" + "x" * 40
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """(Postgres URL, Valkey URL) of embedded servers that live as long as the run."""
    with tempfile.TemporaryDirectory(prefix="webcare-tests-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user where we are root
        with resolved(Settings(data_dir=Path(folder) / "data", database_url="", valkey_url="")) as settings:
            yield settings.database_url, settings.valkey_url


@pytest.fixture(scope="session")
def template(servers: tuple[str, str]) -> str:
    """The name of a migrated database, to be copied: a copy is ten times faster than migrating."""
    url, _ = servers
    asyncio.run(_execute(url, "CREATE DATABASE template_webcare"))
    migrations.upgrade(_named(url, "template_webcare"))
    return "template_webcare"


@pytest.fixture(scope="module")
def settings(servers: tuple[str, str], template: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an installation with a fresh, migrated database of its own for this file."""
    url, valkey = servers
    name = f"test_{os.getpid()}_{next(_numbers)}"
    asyncio.run(_execute(url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return Settings(
        database_url=_named(url, name),
        valkey_url=valkey,
        secret_key=SecretStr(SECRET),
        data_dir=tmp_path_factory.mktemp("data"),
        database_pool_size=5,
        database_read_pool_size=5,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The database, opened for one test."""
    opened = await Database.open(settings, "tests")
    yield opened
    await opened.close()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    await connection.execute(statement)
    await connection.close()
