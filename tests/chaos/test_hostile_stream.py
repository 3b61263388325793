"""Hostile texts in a normal stream: each is read in a second or set aside, nothing restarts, and neighbours wait no longer.

`make hostile` sends 10,000 of them to a whole installation; the ordinary tests send 500 through the doorstep and a triage worker.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import httpx
import orjson
import pytest

from services.ingest.app import create_app
from services.triage import worker
from services.triage.library import Library
from services.triage.nlp_process import NlpProcess
from services.triage.pipeline import run
from services.triage.stage import Assessment, BrandBrief, Briefing
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.chaos import hostile
from tests.chaos.installation import Installation, an_installation
from tests.chaos.test_kill import furnished, texts

HOSTILE = int(os.environ.get("WEBCARE_HOSTILE", "10000"))
CALM_S = float(os.environ.get("WEBCARE_HOSTILE_CALM_S", "40"))
STORM_S = float(os.environ.get("WEBCARE_HOSTILE_STORM_S", "240"))
NEIGHBOURS_PER_S = 20
EVERY_S = 0.25
SLOWER = 1.2
TIMED = 400
A_SECOND = 1.0


def an_item(name: str, text: str) -> dict[str, Any]:
    return {"channel": "tweets", "external_id": name, "text": text, "published_at": "2026-11-20T10:00:00Z",
            "author": {"external_id": f"a-{name}", "handle": f"h {text[:80]}"}}  # fmt: skip


def a_body(items: Sequence[dict[str, Any]]) -> bytes:
    """As JSON; what only escapes can carry (halves of surrogate pairs) is escaped."""
    return b'{"mentions":[' + b",".join(map(_written, items)) + b"]}"


def _written(item: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:
        return json.dumps(item).encode()


async def pushed(client: httpx.AsyncClient, body: bytes) -> tuple[int, float]:
    """(status, seconds)."""
    began = time.perf_counter()
    answer = await client.post("/v1/mentions", content=body, headers={"content-type": "application/json"})
    return answer.status_code, time.perf_counter() - began


# ---------------------------------------------------------------- 500 in the ordinary tests


class Noted(NlpProcess):
    """The analysing process, which is remembered."""

    made: ClassVar[list["Noted"]] = []

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.made.append(self)


@pytest.fixture
async def doorstep(settings: Settings, database: Database) -> AsyncIterator[tuple[UUID, httpx.AsyncClient]]:
    workspace_id, key = await furnished(database)
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://ingest", headers={"authorization": f"Bearer {key}"}
        ) as client,
    ):
        yield workspace_id, client


async def test_no_body_is_too_much_for_the_doorstep(doorstep: tuple[UUID, httpx.AsyncClient]) -> None:
    _, client = doorstep
    answers = {name: await pushed(client, body) for name, body in hostile.bodies().items()}
    assert {name: status for name, (status, _) in answers.items() if status not in (202, 400, 413)} == {}
    assert {name: took for name, (_, took) in answers.items() if took > A_SECOND} == {}


async def test_500_hostile_texts_are_read_and_nothing_restarts(
    doorstep: tuple[UUID, httpx.AsyncClient], settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id, client = doorstep
    monkeypatch.setattr(worker, "NlpProcess", Noted)
    said = list(hostile.texts(500))
    for start in range(0, len(said), 20):
        items = [an_item(f"h{start + n}", text) for n, text in enumerate(said[start : start + 20])]
        status, _ = await pushed(client, a_body(items))
        assert status == 202
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(settings, stop))
    try:
        async with asyncio.timeout(90):
            while (await counted(database, workspace_id))["waiting"]:
                await asyncio.sleep(0.2)
    finally:
        stop.set()
        await running
    now = await counted(database, workspace_id)
    assert now == {"stored": 500, "assessed": 500, "waiting": 0, "quarantined": 0, "failed": 0}
    assert [one.restarts for one in Noted.made] == [0]


async def counted(database: Database, workspace_id: UUID) -> dict[str, int]:
    async with database.read(workspace_id) as connection:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM mention) AS stored, (SELECT count(*) FROM assessment) AS assessed, "
            "(SELECT count(*) FROM work WHERE kind = 'mention.received') AS waiting, "
            "(SELECT count(*) FROM quarantine) AS quarantined, "
            "(SELECT count(*) FROM assessment WHERE cardinality(failed_stages) > 0) AS failed"
        )
    assert row is not None
    return dict(row)


# ---------------------------------------------------------------- 10,000 in a stream


@pytest.mark.hostile
async def test_neighbours_do_not_notice_10_000_hostile_texts() -> None:
    with an_installation("ingest", "triage", "api-worker") as installation:
        installation.wait_ready(installation.ingest_url)
        database = await Database.open(installation.settings, "hostile")
        workspace_id, key = await furnished(database)
        async with httpx.AsyncClient(
            base_url=installation.ingest_url, headers={"authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            await neighbours(client, "warm", 5)
            await drained(database, workspace_id)
            before = pids(installation)
            await neighbours(client, "calm", CALM_S)
            await drained(database, workspace_id)
            _, slowest = await asyncio.gather(neighbours(client, "storm", STORM_S), storm(client))
            left = await drained(database, workspace_id)
        after = pids(installation)
        calm, stormy = await p95(database, workspace_id, "calm"), await p95(database, workspace_id, "storm")
        now = await counted(database, workspace_id)
        await database.close()
        took = await asyncio.to_thread(timed)
        print(
            f"\n{HOSTILE:,} hostile texts and {len(hostile.bodies())} bodies in {STORM_S:.0f} s beside {NEIGHBOURS_PER_S} ordinary "
            f"mentions a second: p95 until understood {calm:.3f} s without, {stormy:.3f} s with ({stormy / calm:.2f}); the slowest push "
            f"took {slowest:.2f} s; drained {left:.1f} s after the last; {now}; {TIMED:,} of them alone: mean "
            f"{sum(took) / len(took):.3f} s, at most {max(took):.3f} s of CPU; load {os.getloadavg()[0]:.1f}"
        )
        assert after == before, "a process was started again"
        assert "a text killed its reader" not in (installation.folder / "triage.log").read_text()
        assert now["failed"] == now["waiting"] == 0
        assert now["assessed"] + now["quarantined"] == now["stored"] >= HOSTILE
        assert max(took) < A_SECOND
        assert stormy <= SLOWER * calm


async def neighbours(client: httpx.AsyncClient, name: str, seconds: float) -> None:
    """Ordinary mentions, evenly."""
    said, each = texts(), int(NEIGHBOURS_PER_S * EVERY_S)
    began = time.monotonic()
    for tick in range(int(seconds / EVERY_S)):
        items = [an_item(f"{name}{tick}-{n}", said[(tick * each + n) % len(said)]) for n in range(each)]
        status, _ = await pushed(client, a_body(items))
        assert status == 202
        await asyncio.sleep(max(0.0, began + (tick + 1) * EVERY_S - time.monotonic()))


async def storm(client: httpx.AsyncClient) -> float:
    """All hostile texts and bodies, evenly; none is answered by an error of ours. Returns how long the slowest push took."""
    ticks = int(STORM_S / EVERY_S)
    each = -(-HOSTILE // ticks)
    said, bodies = hostile.texts(HOSTILE), iter(hostile.bodies().items())
    began, slowest, number = time.monotonic(), 0.0, 0
    for tick in range(ticks):
        items = []
        for _ in range(each):
            if (text := next(said, None)) is not None:
                items.append(an_item(f"h{number}", text))
                number += 1
        for body in (a_body(items), next(bodies, ("", b"[]"))[1]):
            status, took = await pushed(client, body)
            assert status in (202, 400, 413), body[:200]
            slowest = max(slowest, took)
        await asyncio.sleep(max(0.0, began + (tick + 1) * EVERY_S - time.monotonic()))
    return slowest


async def drained(database: Database, workspace_id: UUID) -> float:
    began = time.monotonic()
    async with asyncio.timeout(120):
        while (await counted(database, workspace_id))["waiting"]:
            await asyncio.sleep(0.1)
    return time.monotonic() - began


async def p95(database: Database, workspace_id: UUID, name: str) -> float:
    """Seconds from the doorstep until a mention was understood, of 95 in 100 of these."""
    async with database.read(workspace_id) as connection:
        found = await connection.fetchval(
            "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM a.triaged_at - m.received_at)) "
            "FROM mention m JOIN assessment a ON a.mention_id = m.id WHERE m.external_id LIKE $1 || '%'",
            name,
        )
    return float(found)


def pids(installation: Installation) -> dict[str, int | None]:
    """The processes of the installation, and those that they started."""
    found = {name: process.pid for name, process in installation.processes.items() if process.is_alive()}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            child = b"nlp_child" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if child and parent == found.get("triage"):
            found["reader"] = int(folder.name)
    return found


def timed() -> list[float]:
    """Seconds of CPU for texts of the corpus, each read by itself."""
    briefing = Briefing("w", "1", brands=(BrandBrief("b", "United", handles=("united",)),)).with_models(Library())
    now, took = clock.now(), []
    chosen = [text for n, text in enumerate(hostile.texts(HOSTILE)) if n % max(1, HOSTILE // TIMED) == 0]
    for text in ["warm up", "Hallo, opwarmen", *chosen]:
        began = time.process_time()
        run([Assessment(ids.new_id(), text, "push", now, owned=True)], briefing)
        took.append(time.process_time() - began)
    return took[2:]
