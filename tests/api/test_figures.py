"""What the workers count is told at /metrics: webhooks, triage, answers and intake, each exactly as often as it happened."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from services.api import app, housekeeping
from services.api.figures import FiguresOfWorkers, WorkerFigures
from shared import outbox
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.models import facts
from shared.models.mention import Assessment
from shared.sequencer import Told, sequence
from shared.store import heartbeats, ledger
from shared.store.deliveries import Claimed, Result
from tests.api.world import World
from tests.builders import a_channel, a_workspace

HERE = heartbeats.instance()


def samples(told: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Name and labels → value."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(told)
        for one in family.samples
    }


def value(told: str, name: str, **labels: str) -> float | None:
    return samples(told).get((name, frozenset(labels.items())))


def of(figures: WorkerFigures) -> str:
    return str(figures.told()["figures"])


async def test_what_a_worker_counts_is_told_by_the_api(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = FiguresOfWorkers()
    monkeypatch.setattr(app._WORKERS, "_until", 0.0)  # what another test read may not be told here
    figures = WorkerFigures()
    figures.came_in({("push", "stored"): 3, ("push", "duplicate"): 2, ("rss", "stored"): -1})
    figures.tried([a_result("delivered", 30.0), a_result("pending", 400.0)])
    await heartbeats.beat(world.database, "api-worker", detail=figures.told())
    other = WorkerFigures()
    other.came_in({("push", "stored"): 4})
    async with world.database.lookup() as connection:
        for instance, told, age in (("elsewhere:1", other.told(), "1 second"), ("dead:1", other.told(), "1 hour")):
            await connection.execute(
                "INSERT INTO heartbeat (process, instance, started_at, beat_at, detail) "
                "VALUES ('api-worker', $1, now(), now() - $2::text::interval, $3)",
                instance, age, orjson.dumps(told).decode(),
            )  # fmt: skip
    answer = (await world.client.get("/metrics")).text
    stored = partial(value, answer, "webcare_ingest_mentions_total", channel_type="push", outcome="stored")
    assert (stored(worker=HERE), stored(worker="elsewhere:1"), stored(worker="dead:1")) == (3, 4, None)
    assert value(answer, "webcare_ingest_mentions_total", channel_type="push", outcome="duplicate", worker=HERE) == 2
    assert value(answer, "webcare_ingest_mentions_total", channel_type="rss", outcome="stored", worker=HERE) is None
    assert value(answer, "webcare_webhook_tries_total", outcome="delivered", worker=HERE) == 1
    assert value(answer, "webcare_webhook_tries_total", outcome="retried", worker=HERE) == 1
    assert value(answer, "webcare_webhook_seconds_bucket", le="0.1", worker=HERE) == 1
    assert value(answer, "webcare_webhook_seconds_count", worker=HERE) == 2
    assert value(answer, "webcare_webhook_seconds_sum", worker=HERE) == pytest.approx(0.43)
    assert answer.count("# TYPE webcare_ingest_mentions_total counter") == 1
    assert answer.count("# TYPE webcare_webhook_seconds histogram") == 1
    assert "webcare_http_requests_total" in answer, "the api's own figures are there too"
    await fresh.read(world.database)
    assert {dict(one.labels)["worker"] for family in fresh.collect() for one in family.samples} == {HERE, "elsewhere:1"}


async def test_what_was_read_is_told_for_some_seconds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    really = heartbeats.alive

    async def counted(database: Database) -> Any:
        nonlocal reads
        reads += 1
        return await really(database)

    monkeypatch.setattr(heartbeats, "alive", counted)
    figures = FiguresOfWorkers()
    for _ in range(3):
        await figures.read(world.database)
    assert reads == 1


async def test_a_beat_carries_the_figures(database: Database) -> None:
    stop, figures = asyncio.Event(), WorkerFigures()
    figures.came_in({("push", "stored"): 1})
    beating = asyncio.create_task(heartbeats.pulse(database, "api-worker-x", stop, figures.told))
    while not (alive := await heartbeats.alive(database, "api-worker-x")):
        await asyncio.sleep(0.02)
    assert (
        value(alive[0].detail["figures"], "webcare_ingest_mentions_total", channel_type="push", outcome="stored") == 1
    )
    stop.set()
    await beating


async def test_facts_are_counted_once_when_they_get_their_place(world: World) -> None:
    figures = WorkerFigures()
    tell = partial(figures.facts, world.database)
    while await sequence(world.database, world.workspace_id, 500):
        pass
    conversation_id, mention_id = await world.a_conversation()
    dismissed = await world.a_mention(said="buy now")
    async with world.database.write(world.workspace_id) as session:
        received = await session.scalar(text("SELECT received_at FROM mention WHERE id = :m"), {"m": dismissed})
        session.add(
            Assessment(
                workspace_id=world.workspace_id, mention_id=dismissed, disposition="dismissed", findings={},
                pipeline_version="t", triaged_at=received, text_hash=b"x",
            )
        )  # fmt: skip
        await session.execute(
            text(
                "UPDATE assessment a SET triaged_at = m.received_at + interval '4 seconds' FROM mention m "
                "WHERE m.id = a.mention_id AND a.mention_id = :m"
            ),
            {"m": mention_id},
        )
        told = [facts.MentionTriaged(subject_id=one) for one in (mention_id, dismissed)]
        await outbox.add(session, world.workspace_id, [*told, facts.MentionQuarantined(subject_id=ids.new_id())])
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    await world.post(f"/v1/replies/{reply['id']}/withdraw", status=200)
    while await sequence(world.database, world.workspace_id, 2, tell):
        pass
    assert value(of(figures), "webcare_triaged_mentions_total", disposition="engage") == 1
    assert value(of(figures), "webcare_triaged_mentions_total", disposition="dismissed") == 1
    assert value(of(figures), "webcare_triage_seconds_bucket", le="2.5") == 1
    assert value(of(figures), "webcare_triage_seconds_sum") == pytest.approx(4)
    assert value(of(figures), "webcare_quarantined_mentions_total") == 1
    for state in ("queued", "withdrawn"):
        assert value(of(figures), "webcare_replies_total", channel_type="venue", state=state) == 1


async def test_who_cannot_count_undoes_nothing(world: World) -> None:
    async def broken(_: Any) -> None:
        raise ValueError

    await world.a_mention()
    placed = await sequence(world.database, world.workspace_id, 500, broken)
    assert placed > 0
    assert await sequence(world.database, world.workspace_id, 500, broken) == 0


async def test_what_came_in_is_counted_when_the_ledger_is_added_up(database: Database) -> None:
    workspace_id = await a_workspace(database)
    push = await a_channel(database, workspace_id)
    feed = await a_channel(database, workspace_id, type="rss")
    first, second = WorkerFigures(), WorkerFigures()

    async def came(channel_id: UUID, counts: Mapping[str, int]) -> None:
        async with database.write(workspace_id) as session:
            await ledger.add(session, workspace_id, channel_id, counts)

    await came(push.id, {"received": 5, "stored": 4, "rejected": 1})
    await came(feed.id, {"received": 7, "stored": 1, "filtered": 6})
    await housekeeping.roll_up_ledger(database, first)
    await housekeeping.roll_up_ledger(database, first)
    await came(push.id, {"received": 2, "stored": 2})
    await housekeeping.roll_up_ledger(database, second)
    counted = {
        (type_, outcome): [
            value(of(one), "webcare_ingest_mentions_total", channel_type=type_, outcome=outcome) or 0
            for one in (first, second)
        ]
        for type_, outcome in (("push", "received"), ("push", "stored"), ("push", "rejected"), ("rss", "filtered"))
    }
    assert counted == {
        ("push", "received"): [5, 2], ("push", "stored"): [4, 2], ("push", "rejected"): [1, 0], ("rss", "filtered"): [6, 0],
    }  # fmt: skip


async def test_a_fact_whose_subject_is_gone_is_counted_all_the_same(world: World) -> None:
    figures = WorkerFigures()
    await figures.facts(world.database, [Told("mention.triaged", None), Told("reply.sent", None)])
    assert value(of(figures), "webcare_triaged_mentions_total", disposition="unknown") == 1
    assert value(of(figures), "webcare_replies_total", channel_type="unknown", state="sent") == 1


async def test_metrics_answer_while_postgres_is_away(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(app._WORKERS, "_until", 0.0)  # read now, not what was read before
    monkeypatch.setattr(heartbeats, "alive", away)
    assert (await client.get("/metrics")).status_code == 200


def a_result(state: str, latency_ms: float) -> Result:
    claimed = Claimed(ids.new_id(), ids.new_id(), ids.new_id(), ids.new_id(), 0, ids.new_id())
    return Result(claimed, state, clock.now(), latency_ms)
