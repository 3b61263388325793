"""The servers that tests run against: one real Postgres and one real Valkey for the whole run, a fresh database for each file."""

import asyncio
import itertools
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import hypothesis
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

import migrations
from services.local import postgres
from services.local.accounts import make_own, server_account
from services.local.postgres import Postgres
from services.local.valkey import Valkey
from shared.kit.database import Database
from shared.kit.settings import Settings

LONGEST = (
    "local/test_up.py", "triage/test_nlp_process.py", "journeys/test_airline_replay.py", "triage/training/test_train_ner.py",
    "triage/forms/test_forms.py", "triage/training/test_train_shipped.py", "local/test_commands.py", "ingest/test_replies.py",
    "chaos/test_hostile_stream.py", "local/test_postgres.py", "local/test_environment.py", "ingest/test_moderator.py",
    "ingest/channels/test_two_hours_away.py", "ingest/test_channel_contract.py", "journeys/test_what_is_sent_to_us.py",
    "journeys/test_moderation.py", "triage/training/test_evaluate_issues.py", "journeys/test_a_working_day.py",
    "triage/test_analyse.py", "triage/stages/test_entities.py", "local/test_supervisor.py", "journeys/test_heard_twice.py",
    "api/test_issues_and_reports.py", "api/test_masking.py", "api/listening/test_phrases.py",
)  # fmt: skip
"""The files that take longest. They begin first, so that no worker is left with one when the others are through."""

# How long an example takes says how busy this machine is. A change is held to the same examples each time; `make laws` draws new ones.
hypothesis.settings.register_profile(
    "webcare", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="WEBCARE_LAWS" not in os.environ, database=None,
)  # fmt: skip
hypothesis.settings.load_profile("webcare")

SECRET = "tests-only-" + "x" * 40
_numbers = itertools.count(1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a quarter of the time a test waits, for a process that starts or a moment that comes."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others as they were found."""
    places = {str(Path(__file__).parent / file): place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """(Postgres URL, Valkey URL) of servers that live as long as the run. Postgres does not wait for the disk: what is written here
    outlives every process and need not outlive the machine. That an installation's own does wait, its own tests ask."""
    with ExitStack() as stack:
        home = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="webcare-tests-", ignore_cleanup_errors=True))
        )
        home.chmod(0o755)  # Postgres runs as another user where we are root
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wct-", dir="/tmp")))
        sockets.chmod(0o755)
        started: list[Postgres | Valkey] = []
        with pytest.MonkeyPatch.context() as hurried:
            for setting in ("fsync", "full_page_writes"):
                hurried.setitem(postgres.SETTINGS, setting, "off")
            for kind in (Postgres, Valkey):
                make_own(sockets / kind.kind, server_account(home / "none"))
                started.append(kind(home, sockets / kind.kind, print))
                started[-1].start()
                stack.callback(started[-1].stop)
        yield started[0].url, started[1].url
        if started[0].alive() and started[0].pid:
            os.kill(started[0].pid, signal.SIGQUIT)  # ends at once: nobody needs what it holds any more


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
