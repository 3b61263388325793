"""Conversations over REST: reading, changing under a version, assigning, snoozing, resolving, notes, clocks, timeline."""

from datetime import datetime, timedelta

from shared.kit import clock, ids
from shared.models.conversation import Priority
from shared.models.workspace import Role
from shared.rules import duration
from tests.api.world import World


async def test_one_shows_who_where_and_its_version_as_etag(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    answer = await world.call("GET", f"/v1/conversations/{conversation_id}")
    shown = answer.json()
    assert shown["status"] == "open"
    assert shown["issue_keys"] == ["outage"]
    assert shown["message_count"] == 1
    assert shown["queue"]["name"] == "General"
    assert shown["channel"]["type"] == "venue"
    assert answer.headers["etag"] == f'"{shown["version"]}"'
    again = await world.call(
        "GET", f"/v1/conversations/{conversation_id}", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    assert not again.content


async def test_a_change_needs_the_version_and_refuses_an_old_one(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    blind = await world.call("PATCH", path, {"subject": "Router"})
    assert blind.status_code == 428
    assert blind.json()["code"] == "precondition_required"
    seen = (await world.call("GET", path)).headers["etag"]
    first = await world.call("PATCH", path, {"subject": "Router", "tags": ["vip"]}, headers={"if-match": seen})
    assert first.status_code == 200
    assert first.json()["subject"] == "Router"
    assert first.json()["tags"] == ["vip"]
    assert first.headers["etag"] != seen
    stale = await world.call("PATCH", path, {"subject": "Modem"}, headers={"if-match": seen})
    assert stale.status_code == 412
    assert stale.json()["code"] == "stale_version"
    assert (await world.get(path))["subject"] == "Router"


async def test_another_priority_puts_its_clocks_under_other_terms_and_keeps_the_time_used(world: World) -> None:
    at = clock.now() - timedelta(minutes=20)
    conversation_id, _ = await world.a_conversation(priority=Priority.HIGH, at=at)
    path = f"/v1/conversations/{conversation_id}"
    before = {one["metric"]: one for one in (await world.get(f"{path}/sla"))["data"]}
    assert before["first_response"]["target"] == "PT2H"
    assert before["first_response"]["state"] == "running"
    seen = (await world.call("GET", path)).headers["etag"]
    changed = await world.call("PATCH", path, {"priority": "urgent"}, headers={"if-match": seen})
    assert changed.status_code == 200
    assert changed.json()["priority"] == "urgent"
    after = {one["metric"]: one for one in (await world.get(f"{path}/sla"))["data"]}
    first = after["first_response"]
    assert first["target"] == "PT30M"
    assert timedelta(minutes=20) <= duration.parse(first["elapsed"]) < timedelta(minutes=21)
    due = (at + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert first["deadline_at"] == due
    assert changed.json()["next_deadline_at"][:19] == due[:19]
    assert [one["conversation_id"] for one in await world.events("conversation.priority_changed")] == [conversation_id]


async def test_explain_says_where_the_time_went(world: World) -> None:
    conversation_id, _ = await world.a_conversation(priority=Priority.URGENT)
    explained = await world.get(f"/v1/conversations/{conversation_id}/sla/first_response/explain")
    counted = sum(
        (
            datetime.fromisoformat(one["to"]) - datetime.fromisoformat(one["from"])
            for one in explained["intervals"]
            if one["counted"]
        ),
        timedelta(),
    )
    assert counted == duration.parse(explained["elapsed"]) >= timedelta(minutes=5)
    assert all(one["reason"] for one in explained["intervals"])
    missing = await world.call("GET", f"/v1/conversations/{conversation_id}/sla/update/explain")
    assert missing.status_code == 404
    strange = await world.call("GET", f"/v1/conversations/{ids.new_id()}/sla")
    assert strange.status_code == 404


async def test_assigning_and_giving_back(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    assert world.agent is not None
    given = await world.post(f"{path}/assign", {"agent_id": str(world.agent.id)}, status=200)
    assert given["assignee"] == {"id": str(world.agent.id), "name": "Jo Doe"}
    back = await world.post(f"{path}/assign", {"agent_id": None}, status=200)
    assert back["assignee"] is None
    decisions = (await world.get(f"{path}/routing"))["data"]
    assert [one["kind"] for one in decisions] == ["manual", "manual", "queue"]
    nobody = await world.call("POST", f"{path}/assign", {"agent_id": str(ids.new_id())})
    assert nobody.status_code == 422
    assert nobody.json()["errors"][0]["pointer"] == "/agent_id"
    silent = await world.call("POST", f"{path}/assign", {})
    assert silent.status_code == 422
    assert len(await world.events("conversation.assigned", "conversation.released")) == 2


async def test_a_stale_verb_is_refused_where_a_version_is_named(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/resolve"
    refused = await world.call("POST", path, headers={"if-match": '"77"'})
    assert refused.status_code == 412
    assert (await world.call("POST", path, headers={"if-match": '"1"'})).status_code == 200


async def test_snooze_resolve_and_reopen_follow_the_rules(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    past = await world.call("POST", f"{path}/snooze", {"until": "2020-01-01T00:00:00Z"})
    assert past.status_code == 422
    assert past.json()["errors"] == [{"pointer": "/until", "detail": "is in the past"}]
    naive = await world.call("POST", f"{path}/snooze", {"until": "2099-01-01T00:00:00"})
    assert naive.status_code == 422
    snoozed = await world.post(f"{path}/snooze", {"until": "2099-01-01T00:00:00Z"}, status=200)
    assert snoozed["status"] == "snoozed"
    assert snoozed["snoozed_until"].startswith("2099-01-01T00:00:00")
    assert (await world.post(f"{path}/reopen", status=200))["status"] == "open"
    assert (await world.post(f"{path}/resolve", status=200))["status"] == "resolved"
    twice = await world.call("POST", f"{path}/resolve")
    assert twice.status_code == 409
    assert twice.json()["code"] == "conflict"
    clocks = {one["metric"]: one["state"] for one in (await world.get(f"{path}/sla"))["data"]}
    assert clocks["resolution"] == "met"
    reopened = await world.post(f"{path}/reopen", status=200)
    assert reopened["status"] == "open"
    assert reopened["reopened"] == 1


async def test_notes_and_messages_in_order(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    note = await world.post(f"{path}/notes", {"text": "Called back."}, role=Role.AGENT)
    assert note["kind"] == "note"
    assert note["agent"]["name"] == "Jo Doe"
    messages = (await world.get(f"{path}/messages"))["data"]
    assert [one["kind"] for one in messages] == ["inbound", "note"]
    assert messages[0]["mention_id"] == str(mention_id)
    assert (await world.get(path))["message_count"] == 2
    empty = await world.call("POST", f"{path}/notes", {"text": "  "})
    assert empty.status_code == 422
    assert len(await world.events("note.created")) == 1


async def test_bulk_does_what_can_be_done_and_says_what_cannot(world: World) -> None:
    one, _ = await world.a_conversation()
    two, _ = await world.a_conversation()
    await world.post(f"/v1/conversations/{two}/resolve", status=200)
    stranger = ids.new_id()
    done = await world.post(
        "/v1/bulk", {"action": "resolve", "conversation_ids": [str(one), str(two), str(stranger)]}, status=200
    )
    by_id = {result["conversation_id"]: result for result in done["results"]}
    assert (done["done"], done["refused"]) == (1, 2)
    assert by_id[str(one)]["ok"]
    assert by_id[str(two)]["code"] == "conflict"
    assert by_id[str(stranger)]["code"] == "not_found"
    assert (await world.get(f"/v1/conversations/{one}"))["status"] == "resolved"
    nothing = await world.call("POST", "/v1/bulk", {"action": "sing", "conversation_ids": [str(one)]})
    assert nothing.status_code == 422
