"""What a try means for its endpoint and for what else waits there; and what people can do about it."""

from datetime import timedelta
from uuid import UUID

import orjson

from shared.kit import clock
from shared.kit.database import Database
from shared.sequencer import sequence
from shared.store import deliveries
from tests.api.webhooks.receiver import (
    LOOPBACK,
    Receiver,
    an_endpoint,
    answering,
    change,
    data,
    deliver,
    ended,
    events,
    one,
    rows,
)
from tests.builders import a_workspace


async def test_410_disables_at_once_with_a_fact_and_stops_what_waits(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    endpoint_id, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/gone")
    watcher, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/watch", types=("webhook_endpoint.*",))
    receiver.answers["/gone"] = answering(410)
    await events(database, workspace_id, 300)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    while await sequence(database, workspace_id):
        pass
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)

    assert len(receiver.to("/gone")) < 10, "what waited was not sent any more"
    states = await rows(
        database, workspace_id, f"SELECT DISTINCT state FROM delivery WHERE endpoint_id = '{endpoint_id}'"
    )
    assert states == [{"state": "failed"}]
    endpoint = (
        await rows(
            database, workspace_id, f"SELECT status, disabled_because FROM webhook_endpoint WHERE id = '{endpoint_id}'"
        )
    )[0]
    assert endpoint == {"status": "disabled", "disabled_because": "The receiver answered 410 Gone."}
    told = [data(post) for post in receiver.to("/watch")]
    assert [(one["type"], one["subject"]) for one in told] == [
        ("webhook_endpoint.disabled", f"webhook_endpoint/{endpoint_id}")
    ]
    assert b'"secret"' not in receiver.to("/watch")[0].body

    # enabled again, what failed can be recovered
    del receiver.answers["/gone"]
    receiver.posts.clear()
    await change(database, workspace_id, "UPDATE webhook_endpoint SET status = 'enabled'")
    async with database.write(workspace_id) as session:
        assert await deliveries.recover(session, workspace_id, endpoint_id, clock.now() + timedelta(minutes=1)) == 0
        assert await deliveries.recover(session, workspace_id, endpoint_id, clock.now() - timedelta(hours=1)) == 300
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert len({post.id for post in receiver.to("/gone")}) == len(receiver.to("/gone")) == 300
    assert watcher != endpoint_id


async def test_five_days_of_failure_disable(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    for path, since in (("/long", "5 days 1 minute"), ("/short", "4 days 23 hours"), ("/well", "6 days")):
        endpoint_id, _ = await an_endpoint(database, workspace_id, receiver.url + path)
        await change(
            database,
            workspace_id,
            f"UPDATE webhook_endpoint SET failing_since = now() - interval '{since}' WHERE id = '{endpoint_id}'",
        )
    receiver.answers |= {"/long": answering(500), "/short": answering(500)}
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    found = await rows(database, workspace_id, "SELECT url, status, failing_since FROM webhook_endpoint")
    by_path = {str(row["url"]).rpartition("/")[2]: row for row in found}
    assert {path: row["status"] for path, row in by_path.items()} == {
        "long": "disabled",
        "short": "enabled",
        "well": "enabled",
    }
    assert by_path["well"]["failing_since"] is None
    assert by_path["short"]["failing_since"] is not None
    facts = await rows(database, workspace_id, "SELECT type, payload FROM outbox")
    assert [(row["type"], orjson.loads(str(row["payload"]))) for row in facts] == [
        ("webhook_endpoint.disabled", {"because": "Every try failed for five days."})
    ]


async def test_an_abort_message_discards_this_one_only(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/stop")
    receiver.answers["/stop"] = answering(422, webhook_delivery="abort-message")
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    found = await one(database, workspace_id)
    assert (found["state"], found["attempts"], found["next_at"]) == ("discarded", 1, None)
    endpoint = (await rows(database, workspace_id, "SELECT status, failing_since FROM webhook_endpoint"))[0]
    assert endpoint == {"status": "enabled", "failing_since": None}


async def test_what_waits_for_a_disabled_or_removed_endpoint_ends(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    disabled, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/d")
    removed, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/r")
    await events(database, workspace_id, 600)
    await change(database, workspace_id, f"UPDATE webhook_endpoint SET status = 'disabled' WHERE id = '{disabled}'")
    await change(database, workspace_id, f"DELETE FROM webhook_endpoint WHERE id = '{removed}'")
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert receiver.posts == []
    found = await rows(database, workspace_id, "SELECT endpoint_id, state, count(*) FROM delivery GROUP BY 1, 2")
    assert {row["endpoint_id"]: (row["state"], row["count"]) for row in found} == {
        disabled: ("failed", 600),
        removed: ("discarded", 600),
    }


async def test_what_was_never_sent_can_be_replayed_and_one_sent_again(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    since = clock.now() - timedelta(seconds=5)
    await events(database, workspace_id, 5)  # nobody listens yet
    endpoint_id, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/late", types=("reply.*",))
    other, _ = await an_endpoint(database, workspace_id, f"{receiver.url}/none", types=("sla.*",))
    for asked, expected in ((endpoint_id, 5), (endpoint_id, 0), (other, 0)):
        async with database.write(workspace_id) as session:
            assert await deliveries.replay_missing(session, workspace_id, asked, since) == expected
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert sorted(str(data(post)["data"]["detail"]["n"]) for post in receiver.posts) == list("01234")

    delivery_id = (await rows(database, workspace_id, "SELECT id FROM delivery LIMIT 1"))[0]["id"]
    assert isinstance(delivery_id, UUID)
    async with database.write(workspace_id) as session:
        assert await deliveries.resend(session, workspace_id, delivery_id)
    await change(
        database, workspace_id, f"UPDATE delivery SET lease_until = now() + interval '9 s' WHERE id = '{delivery_id}'"
    )
    async with database.write(workspace_id) as session:
        assert not await deliveries.resend(session, workspace_id, delivery_id), "it is on its way"
    await change(database, workspace_id, f"UPDATE delivery SET lease_until = NULL WHERE id = '{delivery_id}'")
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    assert len(receiver.posts) == 6
    assert len({post.id for post in receiver.posts}) == 5


async def test_a_secret_of_another_key_is_said_and_costs_no_message(database: Database, receiver: Receiver) -> None:
    workspace_id = await a_workspace(database)
    await an_endpoint(database, workspace_id, f"{receiver.url}/x")
    await change(
        database,
        workspace_id,
        "UPDATE webhook_endpoint SET secret = '\\x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021'",
    )
    await events(database, workspace_id, 1)
    await deliver(database, ended(database, workspace_id), allowed=LOOPBACK)
    found = await one(database, workspace_id)
    assert found["state"] == "pending"
    assert "WEBCARE_SECRET_KEY" in str(found["last_error"])
    assert receiver.posts == []
