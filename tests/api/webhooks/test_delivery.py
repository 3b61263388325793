"""Deliveries on real Postgres to a real receiver: each event once, signed, tried again as promised, nobody held up."""

import asyncio
from collections import Counter

import orjson
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from services.api.webhooks import delivery
from services.api.webhooks.delivery import Deliverer
from services.api.webhooks.post import Postman
from services.api.webhooks.recorder import Recorder
from shared.kit.database import Database
from shared.store import events as feed
from tests.api.webhooks.receiver import (
    LOOPBACK,
    VAULT,
    Receiver,
    a_deliverer,
    an_endpoint,
    answering,
    change,
    data,
    deliver,
    ended,
    events,
    hang,
    one,
    rows,
)
from tests.builders import a_workspace


async def test_two_thousand_events_each_arrive_exactly_once_and_verify(database: Database, receiver: Receiver) -> None:
    workspace_id, other = await a_workspace(database), await a_workspace(database)
    _, secret = await an_endpoint(database, workspace_id, f"{receiver.url}/a")
    await an_endpoint(database, workspace_id, f"{receiver.url}/b", types=("sla.*",))
    await an_endpoint(database, other, f"{receiver.url}/c")
    await events(database, workspace_id, 2_000)
    await events(database, other, 10)
    # two workers share the work
    done = ended(database, workspace_id)
    both = ended(database, other)

    async def all_done() -> bool:
        return await done() and await both()

    await asyncio.gather(
        deliver(database, all_done, allowed=LOOPBACK, within_s=60),
        deliver(database, all_done, allowed=LOOPBACK, within_s=60),
    )

    posts = receiver.to("/a")
    async with database.read(workspace_id) as connection:
        told: dict[str, bytes] = {}
        after = 0
        while True:
            page = await feed.page(connection, after=after, limit=500)
            told |= {orjson.loads(item.body)["id"]: item.body.encode() for item in page.items}
            after = page.after
            if not page.has_more:
                break
    assert len(told) == 2_000
    assert Counter(post.id for post in posts) == dict.fromkeys(told, 1)
    assert all(post.body == told[post.id] for post in posts), "webhook and feed say the same bytes"
    webhook = Webhook(secret)
    for post in posts:
        webhook.verify(post.body, post.headers)
        assert data(post)["id"] == post.id
        assert post.headers["content-type"] == "application/json"
    assert receiver.to("/b") == []
    assert len({post.id for post in receiver.to("/c")}) == len(receiver.to("/c")) == 10
    stored = await rows(
        database, workspace_id, "SELECT state, attempts, last_status, count(*) FROM delivery GROUP BY 1, 2, 3"
    )
    assert stored == [{"state": "delivered", "attempts": 1, "last_status": 200, "count": 2_000}]
    attempts = await rows(
        database,
        workspace_id,
        "SELECT count(*) AS n, count(DISTINCT delivery_id) AS d, min(excerpt) AS said FROM delivery_attempt",
    )
    assert attempts == [{"n": 2_000, "d": 2_000, "said": "thank you"}]


async def test_a_retry_has_the_same_id_and_bytes_and_a_new_timestamp(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    _, secret = await an_endpoint(database, workspace_id, f"{receiver.url}/flaky")
    receiver.answers["/flaky"] = answering(500)
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    first = await one(database, workspace_id)
    assert (first["state"], first["attempts"], first["last_status"]) == ("pending", 1, 500)
    assert 5 * 0.8 - 2 < float(str(first["in_s"])) <= 5 * 1.2 + 0.01
    await asyncio.sleep(1.1)  # timestamps are whole seconds
    del receiver.answers["/flaky"]
    await change(database, workspace_id, "UPDATE delivery SET next_at = now()")
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    one_try, other_try = receiver.posts
    assert (one_try.id, one_try.body) == (other_try.id, other_try.body)
    assert int(other_try.headers["webhook-timestamp"]) > int(one_try.headers["webhook-timestamp"])
    for post in receiver.posts:
        Webhook(secret).verify(post.body, post.headers)
    assert (await one(database, workspace_id))["state"] == "delivered"
    tries = await rows(database, workspace_id, "SELECT n, status FROM delivery_attempt ORDER BY id")
    assert tries == [{"n": 1, "status": 500}, {"n": 2, "status": 200}]


async def test_the_tenth_failure_is_the_last(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/broken")
    receiver.answers["/broken"] = answering(503)
    await events(database, workspace_id, 1)
    await change(database, workspace_id, "UPDATE delivery SET attempts = 9")
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    found = await one(database, workspace_id)
    assert (found["state"], found["attempts"], found["next_at"]) == ("failed", 10, None)


@pytest.mark.parametrize(
    ("status", "header", "low", "high"), [(429, "120", 115, 120), (503, "999999999", 86_390, 86_400), (500, "1", 3, 6)]
)
async def test_retry_after_is_honoured(
    database: Database, receiver: Receiver, status: int, header: str, low: float, high: float
) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/busy")
    receiver.answers["/busy"] = answering(status, retry_after=header)
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert low < float(str((await one(database, workspace_id))["in_s"])) <= high + 0.01


async def test_a_redirect_is_a_failure_and_is_not_followed(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/moved")
    receiver.answers["/moved"] = answering(307, location="/elsewhere")
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert [post.path for post in receiver.posts] == ["/moved"]
    found = await one(database, workspace_id)
    assert (found["state"], found["last_status"]) == ("pending", 307)


async def test_one_that_hangs_holds_nobody_up(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    hanging, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/hang")
    well, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/well")
    receiver.answers["/hang"] = hang
    await events(database, workspace_id, 400)
    # what hangs does so for a minute and may for two: closing ended it and gave it back untried
    async with asyncio.timeout(50), a_deliverer(database, LOOPBACK, total_s=120) as run:
        while not await ended(database, workspace_id, f"endpoint_id = '{well}'")():
            await run()
    assert len({post.id for post in receiver.to("/well")}) == len(receiver.to("/well")) == 400
    assert len(receiver.to("/hang")) <= 8
    left = await rows(
        database,
        workspace_id,
        f"SELECT DISTINCT state, attempts, lease_token FROM delivery WHERE endpoint_id = '{hanging}'",
    )
    assert left == [{"state": "pending", "attempts": 0, "lease_token": None}]


async def test_no_answer_in_time_is_a_failed_try(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/hang")
    receiver.answers["/hang"] = hang
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK, total_s=0.3)
    found = await one(database, workspace_id)
    assert (found["state"], found["attempts"], found["last_error"]) == (
        "pending",
        1,
        "No answer came within 0.3 seconds.",
    )


async def test_a_body_without_end_is_not_read_and_its_status_counts(database: Database, receiver: Receiver) -> None:
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(2_000):
            await response.write(b"\x00x" * 5_000)
            written += 10_000
        return response

    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/endless")
    receiver.answers["/endless"] = endless
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert (await one(database, workspace_id))["state"] == "delivered"
    assert written < 10_000_000
    excerpt = (await rows(database, workspace_id, "SELECT excerpt FROM delivery_attempt"))[0]["excerpt"]
    assert isinstance(excerpt, str)
    assert len(excerpt) == 1_024


async def test_during_a_rotation_both_secrets_sign_and_afterwards_one(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    endpoint_id, former = await an_endpoint(database, workspace_id, f"{receiver.url}/r")
    _, new = await an_endpoint(database, workspace_id, f"{receiver.url}/other", types=("sla.met",))
    await change(
        database, workspace_id,
        f"UPDATE webhook_endpoint SET former_secret = secret, former_secret_until = now() + interval '1 day', secret = "
        f"(SELECT o.secret FROM webhook_endpoint o WHERE o.id <> '{endpoint_id}') WHERE id = '{endpoint_id}'",
    )  # fmt: skip
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    await change(
        database, workspace_id, "UPDATE webhook_endpoint SET former_secret_until = now() - interval '1 second'"
    )
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    during, afterwards = receiver.to("/r")
    for secret in (former, new):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(new).verify(afterwards.body, afterwards.headers)
    assert [len(post.headers["webhook-signature"].split()) for post in (during, afterwards)] == [2, 1]


async def test_an_address_that_may_not_be_called_is_not(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/private")
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=())
    assert receiver.posts == []
    found = await one(database, workspace_id)
    assert found["state"] == "pending"
    assert "WEBCARE_ALLOWED_NETWORKS" in str(found["last_error"])


async def test_http_without_tls_is_for_allowed_networks_only() -> None:
    async def resolver(_: str, __: int) -> list[str]:
        return ["93.184.215.14"]

    async with Postman(resolver=resolver) as postman:
        outcome = await postman.post("http://example.com:8443/", {}, b"{}")
    assert outcome.status is None
    assert "https" in str(outcome.error)


async def test_a_crash_between_post_and_record_repeats_the_same_message(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/twice")
    await events(database, workspace_id, 1)

    async def nothing_is_written(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as crash:
        crash.setattr(Recorder, "flush", nothing_is_written)
        async with a_deliverer(database, LOOPBACK) as run:
            while not receiver.posts:
                await run()
    assert (await one(database, workspace_id))["state"] == "pending"
    await deliver(database, ended(database, workspace_id, "lease_until < now()"), allowed=LOOPBACK)
    assert len(receiver.posts) == 1, "nobody tries while the lease runs"
    await change(database, workspace_id, "UPDATE delivery SET lease_until = now() - interval '1 second'")
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    one_try, other_try = receiver.posts
    assert (one_try.id, one_try.body) == (other_try.id, other_try.body)
    assert (await one(database, workspace_id))["state"] == "delivered"


async def test_results_wait_for_postgres_and_are_not_posted_again(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/once")
    await events(database, workspace_id, 20)
    monkeypatch.setattr(delivery, "LEASE_S", 20.0)
    real, failures = Recorder._write, 0

    async def away_at_first(self: Recorder, *arguments: object) -> None:
        nonlocal failures
        failures += 1
        if failures <= 3:
            raise ConnectionResetError
        await real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Recorder, "_write", away_at_first)
    async with a_deliverer(database, LOOPBACK) as run:
        while len(receiver.posts) < 20:
            await run()
        # their leases end while Postgres does not take the results
        await change(
            database,
            workspace_id,
            "UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_token IS NOT NULL",
        )
        while not await ended(database, workspace_id)():
            await run()
    assert failures > 3
    assert len(receiver.posts) == 20
    found = await rows(database, workspace_id, "SELECT state, attempts, count(*) FROM delivery GROUP BY 1, 2")
    assert found == [{"state": "delivered", "attempts": 1, "count": 20}]


async def test_a_deliverer_that_was_never_used_closes(database: Database) -> None:
    async with Deliverer(database, VAULT, Postman(), lambda: None) as deliverer:
        assert deliverer.lanes() == {}
