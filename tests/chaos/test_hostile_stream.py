"""Hostile texts in a normal stream: each is read in a second or set aside, nothing restarts, and neighbours wait no longer.

`make hostile` sends 10,000 of them to a whole installation, in rounds: ordinary mentions alone, the same beside hostile texts that
come evenly, and then a burst of these within a second. Calm and storm take turns so that whatever else the machine does falls on
both. The ordinary tests send 500 through the doorstep and a triage worker.
"""

import asyncio
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
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
ROUNDS = int(os.environ.get("WEBCARE_HOSTILE_ROUNDS", "4"))
CALM_S = float(os.environ.get("WEBCARE_HOSTILE_CALM_S", "60"))  # of all rounds together, as the storm
STORM_S = float(os.environ.get("WEBCARE_HOSTILE_STORM_S", "240"))
BURST = int(os.environ.get("WEBCARE_HOSTILE_BURST", "300"))
BURST_S = float(os.environ.get("WEBCARE_HOSTILE_BURST_S", "60"))  # ordinary mentions around the burst
DRAINED_WITHIN_S = float(os.environ.get("WEBCARE_HOSTILE_DRAIN_S", "120"))
NEIGHBOURS_PER_S = 20
EVERY_S = 0.25
STORM_EVERY_S = 0.11  # no beat of the neighbours'
SLOWER = 1.2
BURST_FLOOR_S = 0.25  # around a burst: a fifth, or this, which is what one run of the same differs from the next by
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
    monkeypatch.setattr(worker, "LONG_NICE", 0)  # whatever else runs beside the tests is nobody to yield to
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
    assert [one.restarts for one in Noted.made] == [0, 0]  # of short texts and of long ones


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


@dataclass
class Sent:
    """What was pushed under a name, and how long its pushes took."""

    accepted: int = 0
    took: list[float] = field(default_factory=list)

    async def push(self, client: httpx.AsyncClient, items: Sequence[dict[str, Any]]) -> None:
        """Pushes items, all of which must be taken."""
        began = time.perf_counter()
        answer = await client.post("/v1/mentions", content=a_body(items), headers={"content-type": "application/json"})
        self.took.append(time.perf_counter() - began)
        assert answer.status_code == 202, answer.text[:200]
        assert answer.json()["rejected"] == []
        self.accepted += len(items)


@pytest.mark.hostile
async def test_neighbours_do_not_notice_10_000_hostile_texts() -> None:
    with an_installation("ingest", "triage", "api-worker") as installation:
        installation.wait_ready(installation.ingest_url)
        database = await Database.open(installation.settings, "hostile")
        workspace_id, key = await furnished(database)
        said, bodies = hostile.texts(HOSTILE + BURST), itertools.cycle(hostile.bodies().items())
        sent = {name: Sent() for name in ("warm", "calm", "storm", "around", "hostile")}
        left = []
        async with httpx.AsyncClient(
            base_url=installation.ingest_url, headers={"authorization": f"Bearer {key}"}, timeout=30
        ) as client:
            await sent["warm"].push(client, [an_item("warm-long", "@united no word of my bag. " * 200)])
            await neighbours(client, sent["warm"], "warm", 5)
            await drained(database, workspace_id)
            before = processes(installation)
            spent = Counter[str]()
            for turn in range(ROUNDS):
                await neighbours(client, sent["calm"], f"calm{turn}-", CALM_S / ROUNDS)
                spent.subtract(cpu(installation))
                await asyncio.gather(
                    neighbours(client, sent["storm"], f"storm{turn}-", STORM_S / ROUNDS),
                    storm(client, sent["hostile"], said, bodies, HOSTILE // ROUNDS),
                )
                left.append(await drained(database, workspace_id))
                spent.update(cpu(installation))
            await asyncio.gather(
                neighbours(client, sent["around"], "around", BURST_S), burst(client, sent["hostile"], list(said))
            )
            left.append(await drained(database, workspace_id))
        after = processes(installation)
        calm, stormy, around = [await p95(database, workspace_id, name) for name in ("calm", "storm", "around")]
        now = await counted(database, workspace_id)
        await database.close()
        took = await asyncio.to_thread(timed)
        pushes = {name: sorted(one.took)[int(len(one.took) * 0.95)] for name, one in sent.items()}
        print(
            f"\n{HOSTILE:,} hostile texts in {STORM_S:.0f} s ({HOSTILE / STORM_S:.0f} a second) beside {NEIGHBOURS_PER_S} ordinary "
            f"mentions a second, in {ROUNDS} rounds: p95 from the doorstep until recorded {calm:.3f} s without, {stormy:.3f} s with "
            f"({stormy / calm:.2f}); {BURST} more in a second: {around:.3f} s ({around / calm:.2f}); pushes' p95 "
            f"{', '.join(f'{name} {one:.3f} s' for name, one in pushes.items())}, at most {max(sent['hostile'].took):.2f} s; drained "
            f"{', '.join(f'{one:.1f}' for one in left)} s after each; {now}; {TIMED:,} of them alone: mean "
            f"{sum(took) / len(took):.3f} s, at most {max(took):.3f} s of CPU; CPU of the storms until "
            f"drained: {', '.join(f'{name} {used / 1_000:.0f} s' for name, used in spent.most_common())}; load "
            f"{os.getloadavg()[0]:.1f}"
        )
        assert after == before, "a process was started again"
        assert "a text killed its reader" not in (installation.folder / "triage.log").read_text()
        assert now["failed"] == now["waiting"] == 0
        assert now["assessed"] + now["quarantined"] == now["stored"] >= sum(one.accepted for one in sent.values())
        assert sent["hostile"].accepted == HOSTILE // ROUNDS * ROUNDS + BURST
        assert max(took) < A_SECOND
        assert stormy <= SLOWER * calm
        assert around <= max(SLOWER * calm, calm + BURST_FLOOR_S)


async def neighbours(client: httpx.AsyncClient, sent: Sent, name: str, seconds: float) -> None:
    """Ordinary mentions, evenly."""
    said, each = texts(), int(NEIGHBOURS_PER_S * EVERY_S)
    began = time.monotonic()
    for tick in range(int(seconds / EVERY_S)):
        await sent.push(
            client, [an_item(f"{name}{tick}-{n}", said[(tick * each + n) % len(said)]) for n in range(each)]
        )
        await asyncio.sleep(max(0.0, began + (tick + 1) * EVERY_S - time.monotonic()))


async def storm(
    client: httpx.AsyncClient, sent: Sent, said: Iterator[str], bodies: Iterator[tuple[str, bytes]], count: int
) -> None:
    """So many hostile texts, evenly, and with them the hostile bodies; none is answered by an error of ours."""
    ticks = int(STORM_S / ROUNDS / STORM_EVERY_S)
    began = time.monotonic()
    for tick in range(ticks):
        some = list(itertools.islice(said, count * (tick + 1) // ticks - count * tick // ticks))
        await sent.push(client, [an_item(f"h{sent.accepted + n}", text) for n, text in enumerate(some)])
        status, _ = await pushed(client, next(bodies)[1]) if tick % 4 == 0 else (202, 0.0)
        assert status in (202, 400, 413)
        await asyncio.sleep(max(0.0, began + (tick + 1) * STORM_EVERY_S - time.monotonic()))


async def burst(client: httpx.AsyncClient, sent: Sent, said: Sequence[str]) -> None:
    """Hostile texts as fast as the doorstep takes them, a third into the time that neighbours are watched."""
    await asyncio.sleep(BURST_S / 3)
    for start in range(0, len(said), 50):
        some = said[start : start + 50]
        await sent.push(client, [an_item(f"h{sent.accepted + n}", text) for n, text in enumerate(some)])


async def drained(database: Database, workspace_id: UUID) -> float:
    began = time.monotonic()
    async with asyncio.timeout(DRAINED_WITHIN_S):
        while (await counted(database, workspace_id))["waiting"]:
            await asyncio.sleep(0.25)
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


def processes(installation: Installation) -> dict[str, Any]:
    """The processes of the installation, and those that they started to read texts."""
    found: dict[str, Any] = {name: one.pid for name, one in installation.processes.items() if one.is_alive()}
    readers = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            child = b"nlp_child" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if child and parent == found.get("triage"):
            readers.add(int(folder.name))
    return {**found, "readers": readers}


def cpu(installation: Installation) -> Counter[str]:
    """Milliseconds of CPU that the processes of the installation have used: each with what it started, those that read texts apart."""
    ours = {one.pid: name for name, one in installation.processes.items()}
    if (postgres := installation.postgres._process) is not None:  # of a test's own servers
        ours[postgres.pid] = "postgres"
    spent = Counter[str]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
            child = b"nlp_child" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        name = ours.get(int(folder.name)) or ours.get(int(told[1]))
        if name is not None:
            name = f"{name}'s reader (nice {told[16]})" if child else name
            spent[name] += (int(told[11]) + int(told[12])) * 1_000 // os.sysconf("SC_CLK_TCK")
    return spent


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
