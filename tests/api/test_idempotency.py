"""A POST with an Idempotency-Key happens once, whatever the network does."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.api.desk import brands
from shared.kit import clock, ids
from shared.models.workspace import Role
from tests.api.world import World


def with_key(key: str, **more: str) -> dict[str, str]:
    return {"idempotency-key": key, **more}


async def test_the_same_request_is_answered_again_and_done_once(world: World) -> None:
    key, body = ids.new_id().hex, {"name": "Northwind"}
    first = await world.call("POST", "/v1/brands", body, headers=with_key(key))
    again = await world.call("POST", "/v1/brands", body, headers=with_key(key))
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await world.get("/v1/brands"))["data"]) == 1


async def test_the_key_with_another_body_is_refused(world: World) -> None:
    key = ids.new_id().hex
    await world.call("POST", "/v1/brands", {"name": "one"}, headers=with_key(key))
    other = await world.call("POST", "/v1/brands", {"name": "two"}, headers=with_key(key))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    other_path = await world.call("POST", "/v1/teams", {"name": "one"}, headers=with_key(key))
    assert other_path.status_code == 422
    strange = await world.call("POST", "/v1/teams", {"name": "one"}, headers=with_key("x" * 256))
    assert strange.status_code == 422


async def test_another_callers_key_is_another_key(world: World) -> None:
    key = ids.new_id().hex
    one = await world.call("POST", "/v1/teams", {"name": "one"}, headers=with_key(key))
    two = await world.call("POST", "/v1/teams", {"name": "two"}, headers=with_key(key), role=Role.LEAD)
    assert one.status_code == two.status_code == 201


async def test_of_many_at_once_one_does_the_work(world: World) -> None:
    key = ids.new_id().hex
    answers = await asyncio.gather(
        *(world.call("POST", "/v1/teams", {"name": "Race"}, headers=with_key(key)) for _ in range(8))
    )
    statuses = sorted(one.status_code for one in answers)
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_key_running"
            assert answer.headers["retry-after"]
    assert [one["name"] for one in (await world.get("/v1/teams"))["data"]] == ["Race"]
    final = await world.call("POST", "/v1/teams", {"name": "Race"}, headers=with_key(key))
    assert final.status_code == 201
    assert final.headers["idempotent-replayed"] == "true"


async def test_a_refusal_keeps_nothing(world: World) -> None:
    key = ids.new_id().hex
    assert (await world.call("POST", "/v1/brands", {"name": ""}, headers=with_key(key))).status_code == 422
    assert (await world.call("POST", "/v1/brands", {"name": "good"}, headers=with_key(key))).status_code == 201


async def test_work_that_broke_off_is_done_by_the_next_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key, body = ids.new_id().hex, {"name": "Comet"}

    async def broken(*_: Any) -> None:
        raise RuntimeError("the process died")

    with monkeypatch.context() as patch:
        patch.setattr(brands, "create_brand", broken)
        assert (await world.call("POST", "/v1/brands", body, headers=with_key(key))).status_code == 500
    assert (await world.call("POST", "/v1/brands", body, headers=with_key(key))).status_code == 201


async def test_a_dead_requests_claim_ends_with_its_lease_and_a_late_one_is_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, body = ids.new_id().hex, {"name": "Meteor"}
    real, entered, go_on = brands.create_brand, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        entered.set()
        await go_on.wait()
        return await real(*arguments)

    monkeypatch.setattr(brands, "create_brand", slow)
    late = asyncio.create_task(world.call("POST", "/v1/brands", body, headers=with_key(key)))
    await entered.wait()
    waiting = await world.call("POST", "/v1/brands", body, headers=with_key(key))
    assert waiting.status_code == 409
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE idempotency_record SET lease_until = :past WHERE key = :key"),
            {"past": clock.now() - timedelta(seconds=1), "key": key},
        )
    monkeypatch.setattr(brands, "create_brand", real)
    second = await world.call("POST", "/v1/brands", body, headers=with_key(key))
    assert second.status_code == 201
    go_on.set()
    assert (await late).status_code == 409
    assert [one["id"] for one in (await world.get("/v1/brands"))["data"]] == [second.json()["id"]]


async def test_secrets_are_told_once_even_to_a_replay(world: World) -> None:
    key, body = ids.new_id().hex, {"url": "http://127.0.0.1:9/", "event_types": ["*"]}
    first = await world.call("POST", "/v1/webhook-endpoints", body, headers=with_key(key))
    again = await world.call("POST", "/v1/webhook-endpoints", body, headers=with_key(key))
    assert first.json()["secret"].startswith("whsec_")
    assert again.status_code == 201
    assert "secret" not in again.json()
    assert again.json()["id"] == first.json()["id"]
    async with world.database.read(world.workspace_id) as connection:
        kept = await connection.fetchval("SELECT body FROM idempotency_record WHERE key = $1", key)
    assert first.json()["secret"].encode() not in kept


async def test_readings_by_post_are_kept_too(world: World) -> None:
    key = ids.new_id().hex
    first = await world.call("POST", "/v1/queries/validate", {"text": "a AND b"}, headers=with_key(key))
    again = await world.call("POST", "/v1/queries/validate", {"text": "a AND b"}, headers=with_key(key))
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_nothing_to_hand_out_is_replayed_as_nothing(world: World) -> None:
    queue = (await world.get("/v1/queues"))["data"][0]
    key = ids.new_id().hex
    first = await world.call("POST", f"/v1/queues/{queue['id']}/next", role=Role.AGENT, headers=with_key(key))
    again = await world.call("POST", f"/v1/queues/{queue['id']}/next", role=Role.AGENT, headers=with_key(key))
    assert first.status_code == again.status_code == 204
    assert again.headers["idempotent-replayed"] == "true"
