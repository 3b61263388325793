"""A firehose on this machine: 3,472 posts a second (300 million a day), one in twenty about the brand. `make firehose`.

The posts are real texts, as Jetstream sends them: JSON, one event a post, told to the bluesky channel of the real ingest worker
by a connection that is played in its process; only the frames and the encryption of a WebSocket are left out. From there all is
as it runs: the gate, pages and cursor committed, triage in its own process with its child, and the api's worker that puts facts
in order. Every five seconds it is counted what is behind. It stops by itself.

WEBCARE_FIREHOSE_S (600), WEBCARE_FIREHOSE_RATE (3472), WEBCARE_FIREHOSE_RELEVANT (0.05)
"""

import asyncio
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

import migrations
from services.local.environment import resolved
from services.local.processes import run_process
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType, Query
from shared.store import heartbeats
from tests.bench.firehose_watched import told, watched
from tests.bench.played_jetstream import BRAND, DATA, SEARCHES, Counts, run_ingest
from tests.builders import a_channel, a_policy, a_queue, a_workspace

PROCESSES = ("ingest-worker", "triage", "api-worker")


async def furnished(settings: Settings) -> UUID:
    """A workspace with a brand, searches, kinds of problem, a queue, a promise, and a channel that hears Jetstream."""
    database = await Database.open(settings, "bench")
    workspace_id = await a_workspace(database)
    await a_queue(database, workspace_id)
    await a_policy(database, workspace_id)
    async with database.write(workspace_id) as session:
        brand = Brand(
            workspace_id=workspace_id, name=BRAND.names[0], aliases=list(BRAND.names[1:]), handles=list(BRAND.handles),
            excluded=list(BRAND.unless),
        )  # fmt: skip
        session.add(brand)
        await session.flush()
        for number, text in enumerate(SEARCHES):
            session.add(Query(workspace_id=workspace_id, name=f"search {number}", text=text, brand_id=brand.id))
        for one in taxonomy.load("airline"):
            session.add(
                IssueType(
                    workspace_id=workspace_id, key=one.key, name=one.name["en"], names=dict(one.name), severity=one.severity,
                    phrases=one.as_source()["phrases"],
                )
            )  # fmt: skip
    await a_channel(
        database, workspace_id, type="bluesky", name="jetstream", settings={"firehose": True}, next_poll_at=clock.now()
    )
    await database.close()
    return workspace_id


@contextmanager
def running(settings: Settings, counts: Counts) -> Iterator[dict[str, int]]:
    """The workers, each in a process of its own, by name and pid."""
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=run_process, args=(name, settings)) for name in PROCESSES[1:]]
    started.insert(0, context.Process(target=run_ingest, args=(settings, counts)))
    for process in started[1:]:
        process.start()
    try:
        _wait_for_life(settings)  # models are loaded before the first post, as in an installation that runs
        started[0].start()
        yield {name: process.pid or 0 for name, process in zip(PROCESSES, started, strict=True)}
    finally:
        for process in started:
            if process.pid:
                process.terminate()
        for process in started:
            if process.pid:
                process.join(20)
                process.kill()


def _wait_for_life(settings: Settings) -> None:
    """Until the triage worker has given a sign of life."""

    async def lives() -> bool:
        database = await Database.open(settings, "bench")
        try:
            return bool(await heartbeats.alive(database, "triage"))
        finally:
            await database.close()

    end = time.monotonic() + 120
    while not asyncio.run(lives()) and time.monotonic() < end:
        time.sleep(1)


def main() -> None:
    """Runs it, and prints what was seen."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, too
    if not DATA.exists():
        print(f"No real texts are at hand ({DATA} is not there), and it is measured with nothing else.")
        return
    with tempfile.TemporaryDirectory(prefix="webcare-firehose-") as folder:
        Path(folder).chmod(0o755)
        given = Settings(data_dir=Path(folder) / "data", database_url="", valkey_url="")
        with resolved(given) as settings:
            migrations.upgrade(settings.database_url)
            settings = settings.model_copy(update={"secret_key": SecretStr("bench-" + "x" * 40)})
            counts = Counts.fresh()
            workspace_id = asyncio.run(furnished(settings))
            with running(settings, counts) as pids:
                seen = asyncio.run(watched(settings, workspace_id, counts, pids))
            print(told(seen, counts))


if __name__ == "__main__":
    main()
