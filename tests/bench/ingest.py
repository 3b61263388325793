"""Intake against raw COPY of every row that the run wrote: all tables and indexes, the same batches and commits."""

import asyncio
import os
import time
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
    ours, floor = [], []
    for round_ in range(ROUNDS):
        database = await Database.open(settings, "bench")
        workspace_id = await a_workspace(database)
        channel = await a_channel(database, workspace_id)
        items = _items(round_)
        began = time.perf_counter()
        for start in range(0, COUNT, BATCH):
            good, _ = read_mentions(items[start : start + BATCH])
            async with database.write(workspace_id) as session:
                await take_in(session, workspace_id, Source(channel.id, channel.type), [one for _, one in good])
        ours.append(COUNT / (time.perf_counter() - began))
        await database.close()
        floor.append(COUNT / await _copied(settings, workspace_id))
    return [
        Measured(
            f"intake, {COUNT:,} mentions in batches of {BATCH}",
            f"{median(ours):,.0f}/s",
            f"{median(floor):,.0f}/s",
            median(ours) / median(floor),
            "0.5 or more",
            "raw COPY of every row the run wrote",
        )
    ]


def _items(round_: int) -> list[dict[str, Any]]:
    return [
        {"external_id": f"{round_}-{n}", "text": text, "published_at": "2026-11-20T10:00:00Z", "permalink": f"https://x.example/{n}",
         "author": {"external_id": f"a{n % 5000}", "handle": f"h{n % 5000}", "followers": n % 900}}
        for n, text in enumerate(texts(COUNT))
    ]  # fmt: skip


async def _copied(settings: Settings, workspace_id: Any) -> float:
    """Seconds that raw COPY takes for the same rows, after they were taken away."""
    owner = await asyncpg.connect(make_url(settings.database_url).set(drivername="postgresql").render_as_string(False))
    rows, columns = {}, {}
    for table in TABLES:
        found = await owner.fetch(f"SELECT * FROM {table} WHERE workspace_id = $1 ORDER BY 2", workspace_id)
        rows[table] = [tuple(row) for row in found]
        columns[table] = list(found[0].keys()) if found else []
        await owner.execute(f"DELETE FROM {table} WHERE workspace_id = $1", workspace_id)
    for table in TABLES:
        await owner.execute(f"VACUUM {table}")
    batches = COUNT // BATCH
    await asyncio.sleep(1)
    began = time.perf_counter()
    for n in range(batches):
        async with owner.transaction():
            for table in TABLES:
                size = -(-len(rows[table]) // batches)
                part = rows[table][n * size : (n + 1) * size]
                if part:
                    await owner.copy_records_to_table(table, records=part, columns=columns[table])
    took = time.perf_counter() - began
    await owner.close()
    return took
