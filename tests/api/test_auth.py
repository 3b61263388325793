"""Who is let in, as whom, and how often."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from services.api.auth import ROLES, Action
from services.api.desk import workspaces
from services.api.rest.door import OPERATIONS
from shared.kit import clock, ids
from shared.kit.errors import Conflict, Invalid
from shared.kit.settings import Settings
from shared.models.workspace import ApiKey, Role
from shared.store import keys
from tests.api.world import World, a_world


def test_the_table_of_roles_is_whole() -> None:
    assert set(ROLES) == set(Role)
    assert ROLES[Role.ADMIN] == frozenset(Action)
    assert not any(action.endswith(":write") for action in ROLES[Role.ANALYST])
    only_admin = {action for action in Action if [role for role in Role if action in ROLES[role]] == [Role.ADMIN]}
    assert only_admin == {Action.MANAGE_KEYS, Action.MANAGE_MASKING}


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_do_what_the_table_says_and_nothing_else(world: World, role: Role) -> None:
    for operation in OPERATIONS:
        path = operation.path.replace("{id}", str(ids.new_id())).replace("{type}", "none").replace("{metric}", "x")
        path = path.replace("{key}", "none").replace("{week}", "2026-W01")
        answer = await world.call(operation.method, path, {} if operation.takes else None, role=role)
        allowed = operation.action in ROLES[role]
        assert (answer.status_code != 403 or answer.json()["code"] != "forbidden") == allowed, (
            operation.id,
            answer.text,
        )


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEPT_S", 0.0)
    made = await world.post("/v1/api-keys", {"name": "CRM", "role": "analyst"})
    key = made["key"]
    assert key.startswith("wc_live_")
    assert made["prefix"] == key[:16]
    shown = await world.get(f"/v1/api-keys/{made['id']}")
    assert "key" not in shown
    assert "hash" not in shown
    assert (await world.call("GET", "/v1/brands", key=key)).status_code == 200
    assert (await world.get(f"/v1/api-keys/{made['id']}"))["last_used_at"] is not None
    assert (await world.call("DELETE", f"/v1/api-keys/{made['id']}")).status_code == 204
    assert (await world.call("GET", "/v1/brands", key=key)).status_code == 401
    assert (await world.get(f"/v1/api-keys/{made['id']}"))["revoked_at"] is not None


async def test_a_key_does_not_revoke_itself(world: World) -> None:
    own = next(one for one in (await world.get("/v1/api-keys"))["data"] if one["role"] == "admin")
    assert (await world.call("DELETE", f"/v1/api-keys/{own['id']}")).json()["code"] == "own_key"


async def test_an_expired_key_and_one_letter_off(world: World) -> None:
    made = await world.post(
        "/v1/api-keys",
        {"name": "short", "role": "analyst", "expires_at": (clock.now() + timedelta(days=1)).isoformat()},
    )
    assert (await world.call("GET", "/v1/brands", key=made["key"])).status_code == 200
    assert (await world.call("GET", "/v1/brands", key=made["key"][:-1] + "!")).status_code == 401
    world_past = await world.call(
        "POST", "/v1/api-keys", {"name": "past", "role": "analyst", "expires_at": "2020-01-01T00:00:00Z"}
    )
    assert world_past.status_code == 422
    async with world.database.write(world.workspace_id) as session:
        row = await session.get(ApiKey, (world.workspace_id, made["id"]))
        assert row is not None
        row.expires_at = clock.now() - timedelta(seconds=1)
    fresh = keys.Keys(world.database)
    assert await fresh.recognise(made["key"]) is None


async def test_acting_for_an_agent(world: World) -> None:
    assert world.agent is not None
    conversation_id, _ = await world.a_conversation()
    path, body = f"/v1/conversations/{conversation_id}/notes", {"text": "hello"}
    header = {"webcare-agent": str(world.agent.id)}
    note = await world.post(path, body, role=Role.INTEGRATION, headers=header)
    assert note["agent"]["name"] == "Jo Doe"
    alone = await world.post(path, body, role=Role.INTEGRATION)
    assert alone["agent"] is None
    unknown = await world.call("POST", path, body, role=Role.INTEGRATION, headers={"webcare-agent": str(ids.new_id())})
    assert (unknown.status_code, unknown.json()["code"]) == (403, "unknown_agent")
    lead = await world.call("POST", path, body, role=Role.LEAD, headers=header)
    assert (lead.status_code, lead.json()["code"]) == (403, "may_not_act_for_agents")
    other = await a_world(world.database, world.client)
    assert other.agent is not None
    foreign = await world.call("POST", path, body, role=Role.ADMIN, headers={"webcare-agent": str(other.agent.id)})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "unknown_agent")


async def test_the_limit_of_a_key_is_told_and_held(app: FastAPI, api_settings: Settings) -> None:
    small = create_app(api_settings.model_copy(update={"requests_per_minute": 3}))
    async with small.router.lifespan_context(small):
        transport = httpx.ASGITransport(small, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            world = await a_world(small.state.database, client)
            answers = [await world.call("GET", "/v1/brands") for _ in range(5)]
            assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
            assert answers[0].headers["ratelimit-policy"] == '"default";q=3;w=60'
            assert answers[0].headers["ratelimit"].startswith('"default";r=2;t=')
            assert answers[3].json()["code"] == "too_many_requests"
            assert 1 <= int(answers[3].headers["retry-after"]) <= 20
            other = await world.call("GET", "/v1/brands", role=Role.ANALYST)
            assert other.status_code == 200


async def test_guessing_keys_from_one_address_is_slowed(client: httpx.AsyncClient) -> None:
    statuses = [
        (await client.get("/v1/brands", headers={"authorization": f"Bearer wc_live_{n:040d}"})).status_code
        for n in range(130)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429


async def test_a_key_of_the_operators_choice_is_made_once(world: World) -> None:
    chosen = "operator-" + ids.new_id().hex
    make = workspaces.create_key
    assert await make(world.database, world.workspace_id, Role.ADMIN, "first", key=chosen) == chosen
    assert await make(world.database, world.workspace_id, Role.ADMIN, "first", key=chosen) == chosen
    with pytest.raises(Conflict):
        await make(world.database, world.workspace_id, Role.ADMIN, "other", key=chosen[:16] + "x" * 30)
    with pytest.raises(Invalid):
        await make(world.database, world.workspace_id, Role.ADMIN, "short", key="x" * 31)
    names = [one["name"] for one in (await world.get("/v1/api-keys", key=chosen))["data"]]
    assert names.count("first") == 1
