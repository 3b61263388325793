"""What is told of offers and alarms: each with its subject as it stood, and the same work by either door."""

from typing import Any

import pytest
from sqlalchemy import text

from services.triage import dispatch
from shared.kit import clock
from shared.models.facts import FACTS
from shared.models.workspace import Role
from shared.rules import routing_record
from shared.sequencer import sequence
from shared.store.views import NOUNS
from tests.api.graphql.both_doors import Root, ask, roots
from tests.api.test_queues import general
from tests.api.world import World, a_world


async def _pushes(world: World, **fields: Any) -> str:
    queue = await general(world)
    answer = await world.call("PATCH", f"/v1/queues/{queue}", {"mode": "push", "refusals_to_widen": 9, **fields})
    assert answer.status_code == 200, answer.text
    return queue


async def _offered(world: World) -> dict[str, Any]:
    """What stands before an agent after a look; told while it stands."""
    await dispatch.dispatch(world.database)
    await _sequenced(world)
    (offer,) = (await world.get("/v1/offers?state=open"))["data"]
    return dict(offer)


async def _sequenced(world: World) -> None:
    while await sequence(world.database, world.workspace_id):
        pass


async def _sql(world: World, statement: str) -> None:
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text(statement))


async def _told(world: World, types: str) -> list[dict[str, Any]]:
    await _sequenced(world)
    found: list[dict[str, Any]] = (await world.get(f"/v1/events?limit=500&type={types}"))["data"]
    return found


def test_whatever_is_told_has_something_to_show() -> None:
    assert {fact.noun for fact in FACTS.values()} <= set(NOUNS.nouns())


async def test_every_end_of_an_offer_is_told_with_the_offer_as_it_stood(world: World) -> None:
    await _pushes(world)
    ends: dict[str, str] = {}
    for state in ("accepted", "declined", "expired", "withdrawn"):
        conversation_id, _ = await world.a_conversation()
        offer = await _offered(world)
        ends[str(offer["id"])] = state
        match state:
            case "accepted":
                await world.post(f"/v1/offers/{offer['id']}/accept", status=200, role=Role.AGENT)
            case "declined":
                await world.post(f"/v1/offers/{offer['id']}/decline", {"reason": "Lunch."}, status=200, role=Role.AGENT)
            case "expired":
                await _sql(world, "UPDATE offer SET expires_at = now() - interval '1 second' WHERE state = 'open'")
                await dispatch.dispatch(world.database)
            case _:
                await world.post(f"/v1/conversations/{conversation_id}/resolve", status=200)
    events = await _told(world, "offer.*")
    assert world.agent is not None
    for key, state in ends.items():
        made, ended = [one for one in events if one["subject"] == f"offer/{key}"]
        assert (made["type"], ended["type"]) == ("offer.made", f"offer.{state}")
        assert (made["data"]["state"], ended["data"]["state"]) == ("open", state)
        for one in (made, ended):
            assert (one["data"]["id"], one["data"]["agent"]["name"]) == (key, "Jo Doe")
            assert one["data"]["detail"]["agent_id"] == str(world.agent.id)
        assert made["sequence"] < ended["sequence"]
    assert {one["data"]["reason"] for one in events if one["type"] == "offer.declined"} == {"Lunch."}
    assert len(events) == 2 * len(ends)


async def test_an_alarm_is_told_with_its_queue(world: World) -> None:
    queue = await _pushes(world, refusals_to_widen=1, offer_expires_s=5)
    await world.post("/v1/presence", {"presence": "offline"}, status=200, role=Role.AGENT)
    conversation_id, _ = await world.a_conversation()
    await _sql(world, "UPDATE conversation SET queued_at = queued_at - interval '1 minute'")
    await dispatch.dispatch(world.database)
    (alarm,) = await _told(world, "queue.alarm")
    assert alarm["subject"] == f"queue/{queue}"
    assert (alarm["data"]["id"], alarm["data"]["name"], alarm["data"]["mode"]) == (queue, "General", "push")
    assert alarm["data"]["detail"]["because"].startswith("nobody took it")
    decisions = (await world.get(f"/v1/conversations/{conversation_id}/routing"))["data"]
    (why,) = [one for one in decisions if one["kind"] == "alarm"]
    assert (why["agent_id"], [one["excluded"] for one in why["candidates"]]) == (None, ["absent"])
    timeline = (await world.get(f"/v1/conversations/{conversation_id}/timeline"))["data"]
    assert "queue.alarm" in [one["type"] for one in timeline]


async def test_moved_to_another_queue_it_waits_there_anew(world: World) -> None:
    first = await _pushes(world)
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    second = (await world.post("/v1/queues", {"name": "Second", "position": 99_999, "mode": "push"}))["id"]
    declined = await _offered(world)
    await world.post(f"/v1/offers/{declined['id']}/decline", status=200, role=Role.AGENT)
    await dispatch.dispatch(world.database)
    assert (await world.get("/v1/offers?state=open"))["data"] == []
    for queue in (second, first):
        version = (await world.get(path))["version"]
        moved = await world.call("PATCH", path, {"queue_id": queue}, headers={"if-match": f'"{version}"'})
        assert moved.status_code == 200, moved.text
        offer = await _offered(world)
        assert (offer["queue_id"], offer["agent_id"]) == (queue, declined["agent_id"])
    (withdrawn,) = await _told(world, "offer.withdrawn")
    assert (withdrawn["data"]["queue_id"], withdrawn["data"]["reason"]) == (second, "moved to another queue")
    by_hand = [one for one in (await world.get(f"{path}/routing"))["data"] if one["kind"] == "manual"]
    assert {one["queue_id"] for one in by_hand} == {first, second}


async def test_a_decision_is_taken_again_from_what_either_door_shows(world: World) -> None:
    await _pushes(world)
    await world.post("/v1/agents", {"name": "Away", "languages": ["en"]})
    conversation_id, _ = await world.a_conversation()
    offer = await _offered(world)
    decisions = (await world.get(f"/v1/conversations/{conversation_id}/routing"))["data"]
    (decision,) = [one for one in decisions if one["kind"] == "offer"]
    shown, _ = await ask(world, roots()["routingDecision"], {"id": decision["id"]})
    for record in (decision, shown):
        again = routing_record.replay(record)
        assert str(again.agent_id) == record["agent_id"] == offer["agent_id"]
        assert {one.excluded for one in again.considered} == {None, "absent"}


async def test_work_that_is_pushed_is_answered_alike_by_both_doors(world: World) -> None:
    other = await a_world(world.database, world.client)
    known = roots()
    for one in (world, other):
        await _pushes(one)
    for verb, body, told in (
        ("decline", {"reason": "Lunch."}, "offer.declined"),
        ("accept", None, "offer.accepted"),
    ):
        for one in (world, other):
            await one.a_conversation()
        by_rest, by_graphql = await _offered(world), await _offered(other)
        rest = await world.post(f"/v1/offers/{by_rest['id']}/{verb}", body, status=200, role=Role.AGENT)
        root = known[f"{verb}Offer"]
        shown, code = await ask(other, root, {"id": by_graphql["id"]} | _input(body), Role.AGENT)
        assert code is None
        assert _alike(shown) == _alike(rest)
        assert len(await _told(world, told)) == len(await _told(other, told)) == 1
        again = await world.call("POST", f"/v1/offers/{by_rest['id']}/{verb}", body, role=Role.AGENT)
        assert await _refused(other, root, {"id": by_graphql["id"]} | _input(body)) == again.json()["code"]
    await world.post("/v1/presence", {"presence": "away"}, status=200, role=Role.AGENT)
    await ask(other, known["setPresence"], {"input": {"presence": "away"}}, Role.AGENT)
    (here,), (there,) = [(await one.get("/v1/presence"))["data"] for one in (world, other)]
    assert _alike(here) == _alike(there)
    assert (here["presence"], here["load"], here["offers"]) == ("away", 1, 0)


async def test_presence_is_told_once_for_each_change_by_whatever_way(world: World) -> None:
    assert world.agent is not None
    for presence in ("away", "away", "online"):
        await world.post("/v1/presence", {"presence": presence}, status=200, role=Role.AGENT)
    for changes in ({"presence": "offline"}, {"presence": "offline"}, {"capacity": 7}):
        await world.call("PATCH", f"/v1/agents/{world.agent.id}", changes)
    told = await _told(world, "agent.presence_changed")
    said = [(one["data"]["detail"]["from"], one["data"]["detail"]["to"]) for one in told]
    assert said == [("online", "away"), ("away", "online"), ("online", "offline")]
    assert {one["subject"] for one in told} == {f"agent/{world.agent.id}"}


@pytest.mark.parametrize("body", ["BEGIN:VCALENDAR", ""])
async def test_holidays_that_cannot_be_read_are_refused_alike(world: World, body: str) -> None:
    hours = {"name": "Own", "timezone": "UTC", "weekly": {"mon": [["09:00", "10:00"]]}}
    calendar = (await world.post("/v1/calendars", hours))["id"]
    answer = await world.call("POST", f"/v1/calendars/{calendar}/holidays", {"text": body})
    code = await _refused(world, roots()["importHolidays"], {"id": calendar, "input": {"text": body}}, Role.ADMIN)
    assert (answer.status_code, code) == (422, answer.json()["code"])


async def test_holidays_of_a_file_are_taken_alike(world: World) -> None:
    other = await a_world(world.database, world.client)
    year = clock.now().year
    file = "\r\n".join(
        [
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", "UID:1", f"DTSTAMP:{year}0101T000000Z",
            f"DTSTART;VALUE=DATE:{year}1225", "SUMMARY:Christmas", "END:VEVENT", "END:VCALENDAR", "",
        ]
    )  # fmt: skip
    hours = {"name": "Own", "timezone": "UTC", "weekly": {day: [["09:00", "10:00"]] for day in ("mon", "tue", "wed")}}
    mine, theirs = [(await one.post("/v1/calendars", hours))["id"] for one in (world, other)]
    rest = await world.post(f"/v1/calendars/{mine}/holidays", {"text": file}, status=200)
    shown, code = await ask(other, roots()["importHolidays"], {"id": theirs, "input": {"text": file}})
    assert code is None
    assert shown["holidays"] == rest["holidays"]
    assert [one["date"] for one in rest["holidays"]] == [f"{year}-12-25"]


def _input(body: Any) -> dict[str, Any]:
    return {"input": body} if body else {}


async def _refused(world: World, root: Root, variables: dict[str, Any], role: Role = Role.AGENT) -> str | None:
    return (await ask(world, root, variables, role))[1]


def _alike(row: dict[str, Any]) -> dict[str, Any]:
    """Without ids and moments, which are each workspace's own."""
    return {
        name: _alike(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if name != "id" and not name.endswith(("_id", "_at", "_since"))
    }
