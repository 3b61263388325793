"""Queues over REST: kept, and handing out work so that nobody gets what another one has."""

import asyncio
from datetime import timedelta

from shared.kit import clock
from shared.models.conversation import Priority
from shared.models.people import Agent
from shared.models.workspace import Role
from tests.api.world import World


async def general(world: World) -> str:
    return next(str(one["id"]) for one in (await world.get("/v1/queues"))["data"] if one["name"] == "General")


async def test_next_goes_by_priority_then_deadline_then_waiting(world: World) -> None:
    now = clock.now()
    queue = await general(world)
    low = await world.a_conversation(priority=Priority.LOW, at=now - timedelta(hours=9))
    newer = await world.a_conversation(priority=Priority.HIGH, at=now - timedelta(minutes=5))
    older = await world.a_conversation(priority=Priority.HIGH, at=now - timedelta(minutes=50))
    order = (await world.get(f"/v1/conversations?queue={queue}&order=queue"))["data"]
    assert [one["id"] for one in order] == [str(older[0]), str(newer[0]), str(low[0])]
    got = [await world.post(f"/v1/queues/{queue}/next", status=200, role=Role.AGENT) for _ in range(3)]
    assert [one["id"] for one in got] == [str(older[0]), str(newer[0]), str(low[0])]
    assert all(one["assignee"]["name"] == "Jo Doe" for one in got)
    empty = await world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT)
    assert empty.status_code == 204
    assert not empty.content
    (decision, *_) = (await world.get(f"/v1/conversations/{older[0]}/routing"))["data"]
    assert decision["kind"] == "next"
    assert decision["agent_id"] == got[0]["assignee"]["id"]
    assert len(await world.events("conversation.assigned")) == 3


async def test_however_many_ask_at_once_each_gets_another_one(world: World) -> None:
    queue = await general(world)
    waiting = {str((await world.a_conversation())[0]) for _ in range(6)}
    answers = await asyncio.gather(*(world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT) for _ in range(9)))
    got = [one.json()["id"] for one in answers if one.status_code == 200]
    assert len(got) == len(set(got)) == 6
    assert set(got) == waiting
    assert [one.status_code for one in answers].count(204) == 3


async def test_only_in_languages_the_agent_has_and_for_teams_the_agent_is_in(world: World) -> None:
    queue = await general(world)
    await world.a_conversation(lang="fr")
    assert (await world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT)).status_code == 204
    team = await world.post("/v1/teams", {"name": "Night"})
    await world.call("PATCH", f"/v1/queues/{queue}", {"team_ids": [team["id"]]})
    refused = await world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_in_team")
    nobody = await world.call("POST", f"/v1/queues/{queue}/next", role=Role.ADMIN)
    assert (nobody.status_code, nobody.json()["code"]) == (403, "agent_required")
    assert world.agent is not None
    joined = await world.call("PATCH", f"/v1/agents/{world.agent.id}", {"team_ids": [team["id"]], "languages": []})
    assert joined.status_code == 200
    assert (await world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT)).status_code == 200


async def test_a_queue_in_use_stays_and_a_filter_is_read(world: World) -> None:
    queue = await general(world)
    await world.a_conversation()
    assert (await world.call("DELETE", f"/v1/queues/{queue}")).status_code == 409
    wrong = await world.call(
        "POST", "/v1/queues", {"name": "x", "filter": {"field": "prioritee", "op": "eq", "value": 1}}
    )
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"].startswith("/filter")
    made = await world.post(
        "/v1/queues", {"name": "VIP", "filter": {"field": "author.followers", "op": "gt", "value": 5000}}
    )
    assert (await world.call("POST", "/v1/queues", {"name": "VIP"})).json()["code"] == "already_exists"
    assert (await world.call("DELETE", f"/v1/queues/{made['id']}")).status_code == 204


async def test_the_workload_counts_it(world: World) -> None:
    queue = await general(world)
    await world.a_conversation()
    await world.a_conversation()
    await world.post(f"/v1/queues/{queue}/next", status=200, role=Role.AGENT)
    load = await world.get("/v1/metrics/workload")
    found = next(one for one in load["queues"] if one["id"] == queue)
    assert (found["waiting"], found["assigned"]) == (1, 1)
    assert found["waiting_since"] is not None
    agents = {one["name"]: one for one in load["agents"]}
    assert agents["Jo Doe"]["open"] == 1


async def test_an_agent_with_work_is_not_taken_away(world: World) -> None:
    queue = await general(world)
    conversation_id, _ = await world.a_conversation()
    await world.post(f"/v1/queues/{queue}/next", status=200, role=Role.AGENT)
    assert isinstance(world.agent, Agent)
    path = f"/v1/agents/{world.agent.id}"
    busy = await world.call("DELETE", path)
    assert busy.status_code == 409
    assert "1 open" in busy.json()["detail"]
    await world.post(f"/v1/conversations/{conversation_id}/resolve", status=200)
    assert (await world.call("DELETE", path)).status_code == 204
