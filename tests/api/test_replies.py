"""Answers over REST: checked against the venue's rules, signed, queued once, withdrawn, settled."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from shared.kit import clock
from shared.models.reply import ReplyState
from shared.models.workspace import Role
from shared.rules import duration
from tests.api.graphql.asking import asked
from tests.api.world import World


async def put(world: World, reply_id: str, state: ReplyState) -> None:
    """Puts a reply into a state as its carrier would."""
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE reply SET state = :s, sending_at = :at WHERE id = :id"),
            {"s": state, "at": clock.now() - timedelta(minutes=1), "id": UUID(reply_id)},
        )


async def test_an_answer_is_signed_queued_and_told(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/replies"
    reply = await world.post(path, {"text": "Sorry about that!"}, role=Role.AGENT)
    assert (reply["state"], reply["signature"], reply["in_reply_to"]) == ("queued", "^JD", str(mention_id))
    assert reply["agent"]["name"] == "Jo Doe"
    (told,) = await world.events("reply.queued")
    assert str(told["subject_id"]) == reply["id"]
    async with world.database.read(world.workspace_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM work WHERE kind = 'reply.queued'") == 1
    assert [one["id"] for one in (await world.get(path))["data"]] == [reply["id"]]
    assert (await world.get("/v1/replies?state=queued"))["data"][0]["id"] == reply["id"]
    unsigned = await world.post(path, {"text": "Sorry!"})
    assert unsigned["signature"] is None


@pytest.mark.parametrize(
    ("signature", "signed", "room"), [("none", None, 60), ("initials", "^JD", 56), ("name", "– Jo Doe", 51)]
)
async def test_a_channel_says_how_agents_are_named_under_an_answer(
    world: World, signature: str, signed: str | None, room: int
) -> None:
    channel = await world.a_channel()
    changed = await world.call("PATCH", f"/v1/channels/{channel.id}", {"signature": signature})
    assert (changed.status_code, changed.json()["signature"]) == (200, signature)
    conversation_id, _ = await world.a_conversation(channel)
    path = f"/v1/conversations/{conversation_id}/replies"
    too_long = await world.call("POST", path, {"text": "x" * (room + 1)}, role=Role.AGENT)
    assert too_long.json()["errors"] == [{"pointer": "/text", "detail": "is 61 of 60 characters: 1 too many"}]
    checked = await world.post(f"{path}/check", {"text": "x" * room}, status=200, role=Role.AGENT)
    assert checked["allowed"]
    assert checked["said"] == " ".join(filter(None, ("x" * room, signed)))
    reply = await world.post(path, {"text": "x" * room}, role=Role.AGENT)
    assert reply["signature"] == signed
    await world.call("PATCH", f"/v1/channels/{channel.id}", {"signature": "none"})
    assert (await world.get(f"/v1/replies/{reply['id']}"))["signature"] == signed, "what is queued is signed already"
    assert (await world.post(path, {"text": "By nobody in particular."}))["signature"] is None


async def test_both_doors_set_the_signature(world: World) -> None:
    body = {"type": "venue", "name": "a page", "settings": {"page": "x1"}}
    assert (await world.post("/v1/channels", body))["signature"] == "initials"
    strange = await world.call("POST", "/v1/channels", {**body, "name": "other", "signature": "seal"})
    assert (strange.status_code, strange.json()["errors"][0]["pointer"]) == (422, "/signature")
    made = await asked(
        world, "mutation ($input: CreateChannelInput!) { createChannel(input: $input) { id signature } }",
        {"input": {**body, "name": "another", "signature": "name"}},
    )  # fmt: skip
    assert made["createChannel"]["signature"] == "name"


async def test_too_long_says_by_how_much_signature_included(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/replies"
    answer = await world.call("POST", path, {"text": "x" * 60}, role=Role.AGENT)
    assert (answer.status_code, answer.json()["code"]) == (422, "reply_too_long")
    assert answer.json()["errors"] == [{"pointer": "/text", "detail": "is 64 of 60 characters: 4 too many"}]
    assert (await world.call("POST", path, {"text": "x" * 56}, role=Role.AGENT)).status_code == 201
    long = " ".join(["word"] * 30)
    checked = await world.post(f"{path}/check", {"text": long}, status=200)
    assert not checked["allowed"]
    assert checked["problems"][0]["code"] == "reply_too_long"
    assert len(checked["parts"]) == 3
    assert all(len(part) <= 60 for part in checked["parts"])
    assert len((await world.get(path))["data"]) == 1


async def test_a_way_that_the_venue_does_not_have(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/replies"
    answer = await world.call("POST", path, {"text": "hello", "visibility": "private"})
    assert (answer.status_code, answer.json()["code"]) == (409, "reply_not_allowed")
    strange = await world.call("POST", path, {"text": "hello", "visibility": "whispered"})
    assert strange.status_code == 422
    _, other_mention = await world.a_conversation()
    elsewhere = await world.call("POST", path, {"text": "hello", "in_reply_to": str(other_mention)})
    assert elsewhere.status_code == 422
    assert elsewhere.json()["errors"][0]["pointer"] == "/in_reply_to"


async def test_a_window_that_closed_since_the_mention_came_in(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    past = (clock.now() - timedelta(minutes=1)).isoformat()
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text(
                "UPDATE mention SET reply = jsonb_set(reply, '{public,open_until}', to_jsonb(CAST(:p AS text))) WHERE id = :m"
            ),
            {"p": past, "m": mention_id},
        )
    path = f"/v1/conversations/{conversation_id}/replies"
    answer = await world.call("POST", path, {"text": "hello"})
    assert answer.status_code == 409
    assert "over" in answer.json()["detail"]
    checked = await world.post(f"{path}/check", {"text": "hello"}, status=200)
    assert not checked["allowed"]


async def test_where_the_venue_takes_one_answer_a_second_is_refused(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE mention SET reply = jsonb_set(reply, '{public,once}', 'true') WHERE id = :m"),
            {"m": mention_id},
        )
    path = f"/v1/conversations/{conversation_id}/replies"
    first = await world.post(path, {"text": "one"})
    assert (await world.call("POST", path, {"text": "two"})).status_code == 409
    assert (await world.post(f"/v1/replies/{first['id']}/check", status=200))["allowed"]
    await world.post(f"/v1/replies/{first['id']}/withdraw", status=200)
    assert (await world.call("POST", path, {"text": "two"})).status_code == 201


async def test_a_reply_to_what_was_seen_at_an_older_version_or_is_closed(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/replies"
    assert (await world.call("POST", path, {"text": "x"}, headers={"if-match": '"9"'})).status_code == 412
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE conversation SET status = 'closed' WHERE id = :c"), {"c": conversation_id})
    closed = await world.call("POST", path, {"text": "x"})
    assert (closed.status_code, closed.json()["code"]) == (409, "conversation_closed")


async def test_withdrawing_only_before_it_goes_out(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}/replies"
    reply = await world.post(path, {"text": "one"})
    withdrawn = await world.post(f"/v1/replies/{reply['id']}/withdraw", status=200)
    assert withdrawn["state"] == "withdrawn"
    assert len(await world.events("reply.withdrawn")) == 1
    going = await world.post(path, {"text": "two"})
    await put(world, going["id"], ReplyState.SENDING)
    late = await world.call("POST", f"/v1/replies/{going['id']}/withdraw")
    assert late.status_code == 409


async def test_settling_an_unknown_outcome_stops_the_clock_when_it_was_sent(world: World) -> None:
    conversation_id, _ = await world.a_conversation(at=clock.now() - timedelta(minutes=30))
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "one"})
    path = f"/v1/replies/{reply['id']}/settle"
    known = await world.call("POST", path, {"outcome": "sent"})
    assert known.status_code == 409
    await put(world, reply["id"], ReplyState.UNKNOWN)
    assert (await world.call("POST", path, {"outcome": "perhaps"})).status_code == 422
    future = {"outcome": "sent", "sent_at": "2099-01-01T00:00:00Z"}
    assert (await world.call("POST", path, future)).status_code == 422
    at = clock.now() - timedelta(minutes=10)
    settled = await world.post(path, {"outcome": "sent", "sent_at": at.isoformat(), "external_id": "77"}, status=200)
    assert (settled["state"], settled["external_id"]) == ("sent", "77")
    assert settled["settled_by"].startswith("key:")
    clocks = {one["metric"]: one for one in (await world.get(f"/v1/conversations/{conversation_id}/sla"))["data"]}
    first = clocks["first_response"]
    assert first["state"] == "met"
    assert timedelta(0) <= duration.parse(first["elapsed"]) <= timedelta(minutes=20)
    assert first["stopped_at"][:19] == at.isoformat()[:19]
    assert len(await world.events("reply.sent")) == 1
    times = (await world.get("/v1/metrics/response-times?group=none"))["data"]
    assert times == [{**times[0], "conversations": 1, "answered": 1}]
    assert times[0]["median"] is not None


async def test_settling_as_failed(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "one"})
    await put(world, reply["id"], ReplyState.UNKNOWN)
    body = {"outcome": "failed", "note": "not there"}
    settled = await world.post(f"/v1/replies/{reply['id']}/settle", body, status=200, role=Role.AGENT)
    assert (settled["state"], settled["error"]) == ("failed", "not there")
    assert settled["settled_by"].startswith("agent:")
