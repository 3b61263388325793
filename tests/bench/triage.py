"""Triage from claim to record, against bare `nlp.pipe` with the same model over the same texts."""

import asyncio
import os
import time

from services.ingest.incoming_mention import read_mentions
from services.ingest.intake import Source, take_in
from services.triage import worker
from services.triage.library import Library
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType
from tests.bench.measured import Measured
from tests.bench.texts import texts
from tests.builders import a_channel, a_policy, a_queue, a_workspace

COUNT = int(os.environ.get("WEBCARE_BENCH_TRIAGE", "20000"))
HANDLES = ["united", "usairways", "southwestair", "americanair", "jetblue", "virginamerica"]


async def measure(settings: Settings) -> list[Measured]:
    """Every text is about the brand, so that every one is read by the model."""
    said = [text if "@" in text else f"@united {text}" for text in texts(COUNT)]
    database = await Database.open(settings, "bench")
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await a_queue(database, workspace_id)
    await a_policy(database, workspace_id)
    async with database.write(workspace_id) as session:
        session.add(Brand(workspace_id=workspace_id, name="United", handles=HANDLES))
        for one in taxonomy.load("airline"):
            phrases = one.as_source()["phrases"]
            session.add(
                IssueType(workspace_id=workspace_id, key=one.key, name=one.key, severity=one.severity, phrases=phrases)
            )
    await _push(database, workspace_id, channel, ["@united warm up"])
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(settings, stop))
    await _drained(database, workspace_id)  # models are loaded and the briefing is made
    began = time.perf_counter()
    feeding = asyncio.create_task(_push(database, workspace_id, channel, said, "b"))
    await feeding
    fed = time.perf_counter() - began
    await _drained(database, workspace_id)
    ours = time.perf_counter() - began
    stop.set()
    await running
    async with database.read(workspace_id) as connection:
        read = await connection.fetchval("SELECT count(*) FROM assessment WHERE findings ? 'entities'")
    await database.close()
    bare = await asyncio.to_thread(_bare, said)
    return [
        Measured(
            f"triage, {COUNT:,} mentions from claim to record ({read:,} read by the model; pushed in {fed:.0f} s)",
            f"{ours:.1f} s",
            f"{bare:.1f} s",
            ours / bare,
            "1.25 or less",
            "bare nlp.pipe (NER only), one process",
        )
    ]


async def _push(database: Database, workspace_id: object, channel: object, said: list[str], prefix: str = "w") -> None:
    for start in range(0, len(said), 1000):
        items = [
            {"external_id": f"{prefix}{start + n}", "text": text, "published_at": "2026-11-22T03:00:00Z",
             "author": {"external_id": f"a{(start + n) % 9000}"}}
            for n, text in enumerate(said[start : start + 1000])
        ]  # fmt: skip
        good, _ = read_mentions(items)
        async with database.write(workspace_id) as session:  # type: ignore[arg-type]  # a bench's own shorthand
            await take_in(session, workspace_id, Source(channel.id, channel.type), [one for _, one in good])  # type: ignore[arg-type, attr-defined]


async def _drained(database: Database, workspace_id: object) -> None:
    while True:
        async with database.read(workspace_id) as connection:  # type: ignore[arg-type]
            if await connection.fetchval("SELECT count(*) FROM work WHERE kind = 'mention.received'") == 0:
                return
        await asyncio.sleep(0.2)


def _bare(said: list[str]) -> float:
    library = Library()
    library.read(said[:64], "en")
    nlp = library._pipeline("en")
    began = time.perf_counter()
    for _ in nlp.pipe(said, batch_size=64):
        pass
    return time.perf_counter() - began
