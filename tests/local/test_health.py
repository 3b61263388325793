"""Whether a worker is well is asked of this machine's own: others that share the database do not answer for it."""

import os
import socket
from datetime import timedelta

import pytest

from services.local import health
from services.local.running import RunningProcess
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.store import heartbeats

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
async def _nobody_beats(database: Database) -> None:
    async with database.lookup() as connection:
        await connection.execute("DELETE FROM heartbeat")


async def beats(database: Database, instance: str, *, silent_s: float = 0, ran_s: float = 60) -> None:
    async with database.lookup() as connection:
        await connection.execute(
            "INSERT INTO heartbeat (process, instance, started_at, beat_at, detail) VALUES "
            "('triage', $1, now() - make_interval(secs => $2), now() - make_interval(secs => $3), '{}')",
            instance, ran_s, silent_s,
        )  # fmt: skip


async def test_a_worker_that_beats_here_is_well(database: Database, settings: Settings) -> None:
    assert await health.trouble_of("triage", settings) == "triage has not shown itself yet."
    await heartbeats.beat(database, "triage")
    assert await health.trouble_of("triage", settings) is None
    assert await health.trouble_of("triage", settings, pid=os.getpid()) is None
    assert await health.trouble_of("ingest-worker", settings) == "ingest-worker has not shown itself yet."


@pytest.mark.parametrize("stranger", ["elsewhere:1", f"{HERE}x:1", f"x{HERE}:1", f"{HERE[:-1]}_:1", HERE])
async def test_another_machines_worker_does_not_answer_for_ours(
    database: Database, settings: Settings, stranger: str
) -> None:
    await beats(database, stranger)
    assert await health.trouble_of("triage", settings) == "triage has not shown itself yet."
    await beats(database, f"{HERE}:77", silent_s=40)
    assert await health.trouble_of("triage", settings) == "triage was last heard of 40 seconds ago."


async def test_of_several_here_the_one_that_is_meant_is_asked(database: Database, settings: Settings) -> None:
    await beats(database, f"{HERE}:7")
    await beats(database, f"{HERE}:77", silent_s=40)
    assert await health.trouble_of("triage", settings) is None
    assert await health.trouble_of("triage", settings, pid=7) is None
    assert await health.trouble_of("triage", settings, pid=77) == "triage was last heard of 40 seconds ago."
    assert await health.trouble_of("triage", settings, pid=777) == "triage has not shown itself yet."


async def test_a_worker_that_waits_to_be_started_again_is_not_well(database: Database, settings: Settings) -> None:
    await beats(database, f"{HERE}:7")
    assert await health.trouble_of_kept(RunningProcess("triage", 7, 0), settings) is None
    ended = await health.trouble_of_kept(RunningProcess("triage", None, 1), settings)
    assert ended == "triage ended and is about to be started again."


async def test_what_started_before_the_given_moment_does_not_count(database: Database, settings: Settings) -> None:
    await beats(database, f"{HERE}:7", ran_s=60)
    assert await health.trouble_of("triage", settings, since=clock.now() - timedelta(seconds=90)) is None
    early = await health.trouble_of("triage", settings, since=clock.now() - timedelta(seconds=30))
    assert early == "triage has not shown itself yet."


async def test_silence_is_measured_by_the_databases_clock(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await beats(database, f"{HERE}:7")
    fast = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: fast)
    assert await health.trouble_of("triage", settings) is None
