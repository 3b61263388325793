"""The api's worker as it runs: a fact becomes a webhook soon, it beats, keeps house, and stops when told."""

import asyncio
from ipaddress import ip_network

from sqlalchemy import text
from standardwebhooks import Webhook

from services.api import housekeeping, worker
from shared import outbox
from shared.kit import ids
from shared.kit.database import Database
from shared.kit.jobs import Nudger
from shared.kit.secrets import Vault, new_webhook_secret
from shared.kit.settings import Settings
from shared.models import facts
from shared.models.event import WebhookEndpoint
from shared.store import heartbeats, ledger
from shared.store.deliveries import SECRET_FIELD
from tests.api.webhooks.receiver import a_receiver
from tests.builders import a_channel, a_workspace


async def test_a_fact_reaches_the_world_and_the_worker_stops_cleanly(database: Database, settings: Settings) -> None:
    allowed = settings.model_copy(update={"allowed_networks": (ip_network("127.0.0.0/8"),)})
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    secret, vault = new_webhook_secret(), Vault(settings.secret_key.get_secret_value())
    nudger = Nudger(settings)
    nudger.attach(database)
    stop = asyncio.Event()
    async with a_receiver() as receiver:
        async with database.write(workspace_id) as session:
            sealed = vault.seal(secret, workspace_id, SECRET_FIELD)
            session.add(WebhookEndpoint(workspace_id=workspace_id, url=receiver.url, event_types=["*"], secret=sealed))
            await ledger.add(session, workspace_id, channel.id, {"received": 3, "stored": 3})
            await ledger.add(session, workspace_id, channel.id, {"received": 1, "duplicate": 1})
        running = asyncio.create_task(worker.run(allowed, stop))
        try:
            while not await heartbeats.alive(database, worker.PROCESS):
                await asyncio.sleep(0.05)
            for count in (1, 2, 3):  # also after it has been idle
                async with database.write(workspace_id) as session:
                    await outbox.add(session, workspace_id, [facts.ReplySent(subject_id=ids.new_id())])
                async with asyncio.timeout(30):
                    while len(receiver.posts) < count:
                        await asyncio.sleep(0.01)
            (alive,) = await heartbeats.alive(database, worker.PROCESS)
            assert alive.instance == heartbeats.instance()
            assert 0 <= alive.age_s < 10
            async with database.read(workspace_id) as connection:
                assert await connection.fetchval("SELECT count(*) FROM ledger_delta") == 0
                hour = await connection.fetchrow("SELECT received, stored, duplicate FROM ledger_hour")
                assert tuple(hour or ()) == (4, 3, 1)
            figures = ""
            async with asyncio.timeout(60):  # a beat or two
                while 'webcare_webhook_tries_total{outcome="delivered"} 3.0' not in figures:
                    await asyncio.sleep(0.1)
                    figures = str((await heartbeats.alive(database, worker.PROCESS))[0].detail["figures"])
            assert 'webcare_ingest_mentions_total{channel_type="push",outcome="received"} 4.0' in figures
            assert 'webcare_replies_total{channel_type="unknown",state="sent"} 3.0' in figures
        finally:
            stop.set()
            await asyncio.wait_for(running, 30)  # its chores sleep for an hour
        for post in receiver.posts:
            Webhook(secret).verify(post.body, post.headers)
        assert len({post.id for post in receiver.posts}) == len(receiver.posts) == 3
    assert await heartbeats.alive(database, worker.PROCESS) == [], "it said farewell"
    await nudger.close()


async def test_answers_are_forgotten_when_their_day_is_over(database: Database) -> None:
    workspace_id = await a_workspace(database)
    async with database.write(workspace_id) as session:
        for key, lasts in (("old", "-1 minute"), ("fresh", "1 hour")):
            await session.execute(
                text(
                    "INSERT INTO idempotency_record (workspace_id, client_id, key, request_hash, lease_until, "
                    "created_at, expires_at) "
                    "VALUES (:w, :w, :k, 'x', now(), now(), now() + CAST(CAST(:l AS text) AS interval))"
                ),
                {"w": workspace_id, "k": key, "l": lasts},
            )
    await housekeeping.forget_answers(database)
    async with database.read(workspace_id) as connection:
        assert [row["key"] for row in await connection.fetch("SELECT key FROM idempotency_record")] == ["fresh"]


async def test_partitions_are_made_once(database: Database) -> None:
    await housekeeping.make_partitions(database)
    await housekeeping.make_partitions(database)
    async with database.lookup() as connection:
        found = await connection.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass")
    assert found == 4, "the default, this month and two more"


async def test_a_chore_that_fails_is_done_again_and_holds_nobody_up(database: Database) -> None:
    tries, stop = 0, asyncio.Event()

    async def fail(_: Database) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            stop.set()
        raise ValueError

    chore = housekeeping.Chore("x", 0.01, fail)
    await asyncio.wait_for(housekeeping.keep_doing(chore, database, stop), 30)
    assert tries == 3


async def test_the_dead_are_not_alive_and_are_forgotten(database: Database) -> None:
    await heartbeats.beat(database, "triage", detail={"batches": 3})
    async with database.lookup() as connection:
        await connection.execute(
            "INSERT INTO heartbeat (process, instance, started_at, beat_at, detail) VALUES "
            "('ingest', 'a', now(), now() - interval '1 minute', '{}'), "
            "('ingest', 'b', now(), now() - interval '2 days', '{}')"
        )
    assert [(one.process, dict(one.detail)) for one in await heartbeats.alive(database)] == [("triage", {"batches": 3})]
    assert await heartbeats.alive(database, "ingest") == []
    await housekeeping.forget_the_dead(database)
    async with database.lookup() as connection:
        assert await connection.fetchval("SELECT count(*) FROM heartbeat WHERE process = 'ingest'") == 1
