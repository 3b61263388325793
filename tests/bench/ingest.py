"""Intake against raw COPY of every row that the run wrote: all tables and indexes, the same batches and commits, as many
connections. Once with a batch after the other, once with two in flight, as the service has them."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from services.ingest.incoming_mention import read_mentions
from services.ingest.intake import Source, take_in
from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.bench.measured import Measured, median
from tests.bench.texts import texts
from tests.builders import a_channel, a_workspace

COUNT = int(os.environ.get("WEBCARE_BENCH_INGEST", "20000"))
BATCH = 500
ROUNDS = 3
TABLES = ("author", "mention_key", "mention", "outbox", "work", "ledger_delta")


async def measure(settings: Settings) -> list[Measured]:
    """Rounds of ours and of the floor in turn; the floor writes the very rows that ours wrote."""
    return [await _measured(settings, in_flight) for in_flight in (1, 2)]


async def _measured(settings: Settings, in_flight: int) -> Measured:
    ours, floor = [], []
    for round_ in range(ROUNDS):
        database = await Database.open(settings, "bench")
        workspace_id = await a_workspace(database)
        channel = await a_channel(database, workspace_id)
        items = _items(round_)
        source = Source(channel.id, channel.type)

        async def intake(n: int) -> None:
            good, _ = read_mentions(items[n : n + BATCH])  # noqa: B023  # run within this round
            async with database.write(workspace_id) as session:  # noqa: B023
                await take_in(session, workspace_id, source, [one for _, one in good])  # noqa: B023

        began = time.perf_counter()
        await _each(intake, range(0, COUNT, BATCH), in_flight)
        ours.append(COUNT / (time.perf_counter() - began))
        await database.close()
        floor.append(COUNT / await _copied(settings, workspace_id, in_flight))
    return Measured(
        f"intake, {COUNT:,} mentions in batches of {BATCH}, {in_flight} in flight",
        f"{median(ours):,.0f}/s",
        f"{median(floor):,.0f}/s",
        median(ours) / median(floor),
        "0.5 or more",
        f"raw COPY of every row the run wrote, {in_flight} in flight",
    )


async def _each(do: Callable[[int], Awaitable[None]], places: Iterable[int], in_flight: int) -> None:
    """Does it for all places in turn, `in_flight` at a time."""
    left = iter(places)

    async def some() -> None:
        for place in left:
            await do(place)

    await asyncio.gather(*(some() for _ in range(in_flight)))


def _items(round_: int) -> list[dict[str, Any]]:
    return [
        {"external_id": f"{round_}-{n}", "text": text, "published_at": "2026-11-20T10:00:00Z", "permalink": f"https://x.example/{n}",
         "author": {"external_id": f"a{n % 5000}", "handle": f"h{n % 5000}", "followers": n % 5000}}
        for n, text in enumerate(texts(COUNT))
    ]  # fmt: skip


async def _copied(settings: Settings, workspace_id: Any, in_flight: int) -> float:
    """Seconds that raw COPY takes for the same rows, after they were taken away."""
    url = make_url(settings.database_url).set(drivername="postgresql").render_as_string(False)
    free = [await asyncpg.connect(url) for _ in range(in_flight)]
    owner = free[0]
    rows, columns = {}, {}
    for table in TABLES:
        found = await owner.fetch(f"SELECT * FROM {table} WHERE workspace_id = $1 ORDER BY 2", workspace_id)
        rows[table] = [tuple(row) for row in found]
        columns[table] = list(found[0].keys()) if found else []
        await owner.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
    for table in TABLES:
        await owner.execute(f"VACUUM {table}")
    batches = COUNT // BATCH

    async def copied(n: int) -> None:
        connection = free.pop()
        async with connection.transaction():
            for table in TABLES:
                size = -(-len(rows[table]) // batches)
                if part := rows[table][n * size : (n + 1) * size]:
                    await connection.copy_records_to_table(table, records=part, columns=columns[table])
        free.append(connection)

    await asyncio.sleep(1)
    began = time.perf_counter()
    await _each(copied, range(batches), in_flight)
    took = time.perf_counter() - began
    for connection in free:
        await connection.close()
    return took
