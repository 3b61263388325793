"""5,000 mentions are pushed while everything is killed in turn: none acknowledged is lost or doubled, each fact told once."""

import asyncio
import gzip
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.api.desk import workspaces
from shared.kit.database import AWAY_OR_SLOW, Database
from shared.models import taxonomy
from shared.models.brand import Brand, IssueType
from tests.builders import a_channel, a_policy, a_queue, a_workspace
from tests.chaos.installation import Installation, an_installation

pytestmark = pytest.mark.chaos

MENTIONS = int(os.environ.get("WEBCARE_CHAOS_MENTIONS", "5000"))
PER_REQUEST = 20
EVERY_S = {"process": 2.0, "triage": 10.0, "valkey": 5.0, "postgres": 8.0}
PUSH_PER_S = 80
RESUMED_WITHIN_S = 15.0
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline_dev.jsonl.gz"


def texts() -> list[str]:
    """Real tweets where they are at hand, else sentences of our own, all about the brand."""
    if DATA.exists():
        with gzip.open(DATA, "rt") as lines:
            return [json.loads(line)["text"] for line in lines]
    print("real texts are not at hand; sentences of our own are used")
    return [f"@united my flight number {n} is late again and nobody answers" for n in range(400)]


async def furnished(database: Database) -> tuple[UUID, str]:
    """A workspace that listens for airlines, and a key that may push."""
    workspace_id = await a_workspace(database)
    await a_channel(database, workspace_id, name="tweets")
    await a_queue(database, workspace_id)
    await a_policy(database, workspace_id)
    async with database.write(workspace_id) as session:
        session.add(
            Brand(workspace_id=workspace_id, name="United", handles=["united", "usairways", "southwestair", "jetblue"])
        )
        for one in taxonomy.load("airline"):
            source = one.as_source()
            session.add(
                IssueType(
                    workspace_id=workspace_id,
                    key=one.key,
                    name=one.key,
                    severity=one.severity,
                    phrases=source["phrases"],
                )
            )
    key = await workspaces.create_key(database, workspace_id, role="integration", name="chaos")
    return workspace_id, key


async def push_all(installation: Installation, key: str, done: asyncio.Event) -> set[str]:
    """Pushes every mention until it is acknowledged; a batch without an answer is sent again. Returns what was acknowledged."""
    said, acknowledged = texts(), set[str]()
    began, sent = time.monotonic(), 0
    async with httpx.AsyncClient(
        base_url=installation.ingest_url, headers={"authorization": f"Bearer {key}"}, timeout=10
    ) as client:
        for start in range(0, MENTIONS, PER_REQUEST):
            numbers = range(start, min(start + PER_REQUEST, MENTIONS))
            batch: list[dict[str, Any]] = [
                {"channel": "tweets", "external_id": f"m{n}", "text": said[n % len(said)], "published_at": "2026-11-20T10:00:00Z",
                 "author": {"external_id": f"a{n % 1500}", "handle": f"h{n % 1500}"}, "thread_id": f"t{n % 4000}"}
                for n in numbers
            ]  # fmt: skip
            while True:
                try:
                    answer = await client.post("/v1/mentions", json={"mentions": batch})
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code == 202:
                    assert answer.json()["rejected"] == [], answer.text
                    break
                assert answer.status_code in (500, 503), answer.text
                await asyncio.sleep(0.2)
            acknowledged.update(f"m{n}" for n in numbers)
            sent += len(batch)
            await asyncio.sleep(max(0.0, began + sent / PUSH_PER_S - time.monotonic()))
    done.set()
    return acknowledged


async def kill_in_turn(installation: Installation, done: asyncio.Event) -> None:
    """Kills by the clock until all is pushed."""
    began = time.monotonic()
    next_at = {name: began + every for name, every in EVERY_S.items()}
    process = itertools.cycle(("ingest", "api-worker", "ingest-worker"))
    triage = itertools.cycle(("triage", "triage-2"))
    valkey = itertools.cycle((installation.empty_valkey, installation.kill_valkey))
    while not done.is_set():
        await asyncio.sleep(0.05)
        installation.revive()
        for name, at in next_at.items():
            if time.monotonic() < at:
                continue
            if name == "process":
                await asyncio.to_thread(installation.kill, next(process))
            elif name == "triage":
                await asyncio.to_thread(installation.kill, next(triage))
            elif name == "valkey":
                await asyncio.to_thread(next(valkey))
            else:
                await asyncio.to_thread(installation.kill_postgres)
            next_at[name] = time.monotonic() + EVERY_S[name]


async def figures(installation: Installation, workspace_id: UUID) -> dict[str, Any]:
    database = await Database.open(installation.settings, "checker")
    try:
        async with database.read(workspace_id) as connection:
            row = await connection.fetchrow(
                "SELECT (SELECT count(*) FROM mention) AS stored, (SELECT count(*) FROM assessment) AS assessed, "
                "(SELECT count(*) FROM work) AS waiting, (SELECT count(*) FROM outbox) AS untold"
            )
            assert row is not None
            return dict(row)
    finally:
        await database.close()


async def drained(installation: Installation, workspace_id: UUID, seconds: float) -> tuple[float, float | None]:
    """(seconds until nothing waits any more, seconds until the first progress was seen). Fails when it takes too long."""
    began, first, progress = time.monotonic(), None, None
    now: dict[str, Any] = {}
    while time.monotonic() - began < seconds:
        try:
            now = await figures(installation, workspace_id)
        except AWAY_OR_SLOW:
            await asyncio.sleep(0.3)
            continue
        if first is None:
            first = now
        if progress is None and (now["assessed"] > first["assessed"] or now["waiting"] == 0):
            progress = time.monotonic() - began
        if now["waiting"] == now["untold"] == 0:
            return time.monotonic() - began, progress
        await asyncio.sleep(0.3)
    raise AssertionError(f"it was not drained in {seconds:.0f} s: {now}; see {installation.folder}")


async def bare_nlp_seconds(count: int) -> float:
    """How long the NLP of so many texts takes by itself on this machine, in one process, as it is loaded now."""
    from services.triage.library import Library

    sample = (texts() * 2)[: min(count, 600)]
    library = Library()
    began = time.monotonic()
    for start in range(0, len(sample), 64):
        library.read(sample[start : start + 64], "en")
    return (time.monotonic() - began) * count / max(len(sample), 1)


async def test_nothing_acknowledged_is_lost_or_doubled() -> None:
    with an_installation("ingest", "triage", "triage-2", "api-worker", "ingest-worker") as installation:
        installation.wait_ready(installation.ingest_url)
        database = await Database.open(installation.settings, "chaos")
        workspace_id, key = await furnished(database)
        await database.close()
        done = asyncio.Event()
        acknowledged, _ = await asyncio.gather(push_all(installation, key, done), kill_in_turn(installation, done))
        backlog = (await figures(installation, workspace_id))["waiting"]
        bare = await asyncio.to_thread(lambda: asyncio.run(bare_nlp_seconds(backlog)))
        took, resumed = await drained(installation, workspace_id, 240)
        print(
            f"\nkilled: {installation.kills}; acknowledged {len(acknowledged)}; backlog {backlog} at the last fault; bare NLP "
            f"{bare:.1f} s; resumed after {resumed:.1f} s; drained after {took:.1f} s (allowed {15 + 1.5 * bare:.1f})"
        )
        await check(installation, workspace_id, acknowledged)
        assert resumed is not None
        assert resumed <= RESUMED_WITHIN_S
        assert took <= RESUMED_WITHIN_S + 1.5 * bare


async def check(installation: Installation, workspace_id: UUID, acknowledged: set[str]) -> None:
    """The history: what was acknowledged is stored once, understood once, in one conversation, and each fact told once."""
    database = await Database.open(installation.settings, "checker")
    async with database.read(workspace_id) as connection:
        stored = [row["external_id"] for row in await connection.fetch("SELECT external_id FROM mention")]
        assert len(stored) == len(set(stored))
        assert acknowledged <= set(stored)
        ledger = await connection.fetchrow(
            "SELECT sum(received) AS received, sum(stored) AS stored, sum(updated + duplicate + filtered + quarantined + rejected) AS rest "
            "FROM (SELECT received, stored, updated, duplicate, filtered, quarantined, rejected FROM ledger_hour "
            "UNION ALL SELECT received, stored, updated, duplicate, filtered, quarantined, rejected FROM ledger_delta) l"
        )
        assert ledger is not None
        assert ledger["received"] == ledger["stored"] + ledger["rest"]
        assert ledger["stored"] == len(stored)
        assert await connection.fetchval("SELECT count(*) FROM assessment") == len(stored)
        assert await connection.fetchval("SELECT count(*) FROM quarantine") == 0
        twice = await connection.fetch(
            "SELECT type, subject, count(*) FROM event WHERE type IN ('mention.received', 'mention.triaged', 'conversation.opened', "
            "'conversation.routed') GROUP BY type, subject HAVING count(*) > 1"
        )
        assert twice == []
        for name in ("mention.received", "mention.triaged"):
            assert await connection.fetchval("SELECT count(*) FROM event WHERE type = $1", name) == len(stored)
        conversations = await connection.fetchval("SELECT count(*) FROM conversation")
        assert (
            await connection.fetchval("SELECT count(*) FROM event WHERE type = 'conversation.opened'") == conversations
        )
        started = await connection.fetchval("SELECT count(*) FROM sla_clock")
        assert await connection.fetchval("SELECT count(*) FROM event WHERE type = 'sla.started'") == started
        gaps = await connection.fetch(
            "SELECT conversation_id FROM event WHERE conversation_id IS NOT NULL GROUP BY conversation_id "
            "HAVING max(sequence) <> count(*) OR min(sequence) <> 1"
        )
        assert gaps == []
        assert await connection.fetchval("SELECT sum(messages) FROM conversation") == await connection.fetchval(
            "SELECT count(*) FROM message"
        )
    await database.close()
