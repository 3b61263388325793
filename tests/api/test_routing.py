"""What routing goes by, over the doors: skills, shifts, presence, what queues need, offers, and a queue tried on the past."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.triage import dispatch
from shared.kit import clock
from shared.models.conversation import Priority
from shared.models.workspace import Role
from tests.api.test_queues import general
from tests.api.world import World


async def _next(world: World, queue: str) -> int:
    return (await world.call("POST", f"/v1/queues/{queue}/next", role=Role.AGENT)).status_code


async def _agent(world: World, **changes: Any) -> None:
    assert world.agent is not None
    answer = await world.call("PATCH", f"/v1/agents/{world.agent.id}", changes)
    assert answer.status_code == 200, answer.text


async def test_next_gives_only_what_the_agent_has_skill_room_and_share_for(world: World) -> None:
    queue = await general(world)
    needs = [{"kind": "language", "level": 2, "required": True}, {"kind": "product", "name": "fibre", "required": True}]
    await world.call("PATCH", f"/v1/queues/{queue}", {"needs": needs, "share": 2})
    for _ in range(4):
        await world.a_conversation()
    assert await _next(world, queue) == 204
    await _agent(world, skills=[{"kind": "product", "name": "Fibre", "level": 4}])
    assert {(one["kind"], one["name"]) for one in (await world.get("/v1/skills"))["data"]} == {
        ("product", "fibre"),
        ("product", "Fibre"),
    }
    await _agent(world, capacity=1)
    assert await _next(world, queue) == 200
    assert await _next(world, queue) == 204, "one of one"
    await _agent(world, capacity=9)
    assert await _next(world, queue) == 200
    assert await _next(world, queue) == 204, "two within the hour are its share"


async def test_a_decision_by_asking_keeps_what_was_known(world: World) -> None:
    queue = await general(world)
    conversation_id, _ = await world.a_conversation()
    assert await _next(world, queue) == 200
    newest = (await world.get(f"/v1/conversations/{conversation_id}/routing"))["data"][0]
    assert world.agent is not None
    assert (newest["kind"], newest["agent_id"], newest["item"]["queue_id"]) == ("next", str(world.agent.id), queue)
    (candidate,) = newest["candidates"]
    assert candidate["agent_id"] == str(world.agent.id)
    assert candidate["score"] is not None
    assert newest["rules"] == {"relax_after_s": 300, "affinity_s": 604800, "share": None}


async def test_one_customers_matters_go_in_their_order(world: World) -> None:
    queue, now = await general(world), clock.now()
    channel = await world.a_channel()
    first, mention = await world.a_conversation(channel, at=now - timedelta(minutes=9))
    second, _ = await world.a_conversation(channel, at=now - timedelta(minutes=10))
    pressing, _ = await world.a_conversation(channel, at=now - timedelta(minutes=1), priority=Priority.HIGH)
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE conversation SET author_id = :a"), {"a": mention})
    got = [(await world.post(f"/v1/queues/{queue}/next", status=200, role=Role.AGENT))["id"] for _ in range(3)]
    assert got == [str(pressing), str(second), str(first)]


@pytest.mark.parametrize(
    ("shift", "pointer"),
    [
        ({"weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "UTC"}, "/agent_id"),
        ({"agent_id": "me", "weekly": {"mon": [["09:00", "17:00"]]}}, "/timezone"),
        ({"agent_id": "me", "weekly": {"mon": [["9", "17"]]}, "timezone": "UTC"}, "/weekly/mon/0/0"),
        ({"agent_id": "me", "starts_at": "2026-11-23T09:00:00Z"}, "/starts_at"),
        ({"agent_id": "me", "starts_at": "2026-11-23T09:00:00Z", "ends_at": "2026-11-23T08:00:00Z"}, "/ends_at"),
        (
            {"agent_id": "me", "starts_at": "2026-11-23T09:00:00Z", "ends_at": "2026-11-23T10:00:00Z", "kind": "nap"},
            "/kind",
        ),
    ],
)
async def test_a_shift_that_cannot_be_used_is_refused_with_the_place(
    world: World, shift: dict[str, Any], pointer: str
) -> None:
    assert world.agent is not None
    given = {**shift, **({"agent_id": str(world.agent.id)} if shift.get("agent_id") == "me" else {})}
    refused = await world.call("POST", "/v1/shifts", given)
    assert refused.status_code == 422, refused.text
    assert pointer in [one["pointer"] for one in refused.json()["errors"]]


async def test_who_is_there_and_at_work(world: World) -> None:
    assert world.agent is not None
    agent, now = str(world.agent.id), clock.now()
    (standing,) = (await world.get("/v1/presence"))["data"]
    assert (standing["presence"], standing["on_shift"], standing["load"], standing["offers"]) == ("online", True, 0, 0)
    away = await world.post("/v1/presence", {"presence": "away"}, status=200, role=Role.AGENT)
    assert away["presence"] == "away"
    await world.post("/v1/presence", {"presence": "online", "agent_id": agent}, status=200, role=Role.LEAD)
    other = await world.post("/v1/agents", {"name": "Someone"})
    refused = await world.call("POST", "/v1/presence", {"presence": "online", "agent_id": other["id"]}, role=Role.AGENT)
    assert refused.status_code == 403
    leave = {
        "agent_id": agent, "kind": "leave", "starts_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    made = await world.post("/v1/shifts", leave)
    standings = {one["name"]: one for one in (await world.get("/v1/presence"))["data"]}
    assert (standings["Jo Doe"]["on_shift"], standings["Someone"]["on_shift"]) == (False, True)
    assert (await world.call("DELETE", f"/v1/shifts/{made['id']}")).status_code == 204


async def test_whose_hours_are_over_is_not_at_work_whenever_present(world: World) -> None:
    assert world.agent is not None
    hour = timedelta(hours=1)
    for n, owner in enumerate(("agent_id", "team_id")):
        team = (await world.post("/v1/teams", {"name": f"t{n}"}))["id"]
        await _agent(world, team_ids=[team])
        given = {"agent_id": str(world.agent.id), "team_id": team}[owner]
        span = {"starts_at": (clock.now() - 2 * hour).isoformat(), "ends_at": (clock.now() - hour).isoformat()}
        made = [await world.post("/v1/shifts", {owner: given, **span}) for _ in range(2)]
        (standing,) = (await world.get("/v1/presence"))["data"]
        assert standing["on_shift"] is False, owner
        for one in made:
            await world.call("DELETE", f"/v1/shifts/{one['id']}")
        (standing,) = (await world.get("/v1/presence"))["data"]
        assert standing["on_shift"] is True


async def test_offers_by_the_doors(world: World) -> None:
    queue = await general(world)
    await world.call("PATCH", f"/v1/queues/{queue}", {"mode": "push", "refusals_to_widen": 5})
    first, _ = await world.a_conversation()
    await dispatch.dispatch(world.database)
    (offer,) = (await world.get("/v1/offers?state=open&agent=Jo Doe", role=Role.AGENT))["data"]
    assert offer["conversation_id"] == str(first)
    declined = await world.post(f"/v1/offers/{offer['id']}/decline", {"reason": "Lunch."}, status=200, role=Role.AGENT)
    assert (declined["state"], declined["reason"]) == ("declined", "Lunch.")
    again = await world.call("POST", f"/v1/offers/{offer['id']}/accept", role=Role.AGENT)
    assert (again.status_code, again.json()["code"]) == (409, "offer_answered")
    second, _ = await world.a_conversation()
    await dispatch.dispatch(world.database)
    (offer,) = (await world.get("/v1/offers?state=open", role=Role.AGENT))["data"]
    assert offer["conversation_id"] == str(second), "what was declined does not come back"
    nobody = await world.call("POST", f"/v1/offers/{offer['id']}/accept", role=Role.ADMIN)
    assert (nobody.status_code, nobody.json()["code"]) == (403, "agent_required")
    await world.post(f"/v1/offers/{offer['id']}/accept", status=200, role=Role.AGENT)
    assert world.agent is not None
    assert (await world.get(f"/v1/conversations/{second}"))["assignee"]["id"] == str(world.agent.id)
    (decision,) = [
        one for one in (await world.get(f"/v1/conversations/{second}/routing"))["data"] if one["kind"] == "offer"
    ]
    assert decision["id"] == offer["id"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"needs": [{"kind": "product"}]}, "/needs/0/name"),
        ({"needs": [{"kind": "language", "level": 9}]}, "/needs/0"),
        ({"needs": [{"kind": "language", "must": True}]}, "/needs/0"),
        ({"needs": [{"kind": "language", "required": "yes"}]}, "/needs/0/required"),
        ({"mode": "throw"}, "/mode"),
        ({"offer_expires_s": 1}, "/offer_expires_s"),
        ({"calendar_id": "0190a0f0-0000-7000-8000-000000000000"}, "/calendar_id"),
    ],
)
async def test_a_queue_that_cannot_be_used_is_refused_with_the_place(
    world: World, fields: dict[str, Any], pointer: str
) -> None:
    refused = await world.call("POST", "/v1/queues", {"name": "q", **fields})
    assert refused.status_code == 422, refused.text
    assert pointer in [one["pointer"] for one in refused.json()["errors"]]


async def test_a_queue_tried_on_the_past(world: World) -> None:
    queue = await general(world)
    for _ in range(2):
        await world.a_conversation(priority=Priority.HIGH)
    await world.a_conversation()
    high = {"field": "priority", "op": "eq", "value": "high"}
    first = await world.post("/v1/queues/dry-run", {"filter": high, "position": 0}, status=200)
    assert (first["hits"], first["taken"]) == (2, 2)
    (found,) = first["queues"]
    assert (found["queue_id"], len(found["samples"])) == (queue, 2)
    last = await world.post("/v1/queues/dry-run", {"filter": {}, "position": 99_999}, status=200)
    assert (last["hits"], last["taken"]) == (3, 0), "the first queue whose filter matches has them"


async def test_a_skill_in_use_stays(world: World) -> None:
    await _agent(world, skills=[{"kind": "product", "name": "fibre"}])
    (skill,) = (await world.get("/v1/skills?kind=product"))["data"]
    refused = await world.call("DELETE", f"/v1/skills/{skill['id']}")
    assert (refused.status_code, "Jo Doe" in refused.json()["detail"]) == (409, True)
    await _agent(world, skills=[])
    assert (await world.call("DELETE", f"/v1/skills/{skill['id']}")).status_code == 204
