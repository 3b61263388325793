"""Moderation at the doors: who may ask what of a venue, what is refused with which sentence, and what is told of it."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from shared.kit import ids
from shared.kit.settings import Settings
from shared.models.moderation import ModerationState
from shared.models.reply import ReplyState
from shared.models.workspace import Role
from tests.api.graphql.asking import asked
from tests.api.world import World, a_world

MAY = {Role.ADMIN, Role.LEAD, Role.AGENT, Role.INTEGRATION}
OF_A_MENTION = ("hide", "unhide", "report", "dispute")
ACTIONS = (*OF_A_MENTION, "delete_reply")
WHY = {"reason": "It is a threat."}


async def a_sent_reply(world: World, state: ReplyState = ReplyState.SENT, external_id: str | None = "there-1") -> str:
    conversation_id, _ = await world.a_conversation()
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE reply SET state = :s, external_id = :e, sent_at = now() WHERE id = :id"),
            {"s": state, "e": external_id, "id": UUID(reply["id"])},
        )
    return str(reply["id"])


async def path_of(world: World, action: str) -> str:
    """Where an action is asked, about something new that it can be asked about."""
    if action == "delete_reply":
        return f"/v1/replies/{await a_sent_reply(world)}/delete"
    return f"/v1/mentions/{(await world.a_conversation())[1]}/{action}"


async def put(world: World, moderation_id: str, state: ModerationState) -> None:
    """Puts a moderation into a state as its carrier would."""
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE moderation SET state = :s, attempts = 1 WHERE id = :id"),
            {"s": state, "id": UUID(moderation_id)},
        )


async def refused(world: World, path: str, body: Any = None, code: str = "moderation_not_possible") -> str:
    answer = await world.call("POST", path, body)
    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
    said: str = answer.json()["detail"]
    assert said.endswith(".")
    return said


@pytest.mark.parametrize("action", ACTIONS)
async def test_each_role_may_ask_or_may_not(world: World, action: str) -> None:
    for role in Role:
        answer = await world.call("POST", await path_of(world, action), WHY, role=role)
        assert answer.status_code == (201 if role in MAY else 403), (role, answer.text)
        if role in MAY:
            asked_for = answer.json()
            shown = await world.get(f"/v1/moderations/{asked_for['id']}", role=Role.ANALYST)
            assert shown == asked_for
            assert (shown["action"], shown["state"], shown["reason"]) == (action, "queued", WHY["reason"])
            assert (shown["agent"] or {}).get("name") == ("Jo Doe" if role == Role.AGENT else None)
            assert shown["actor"].startswith("agent:" if role == Role.AGENT else "key:")
            settle = await world.call("POST", f"/v1/moderations/{shown['id']}/settle", {"outcome": "done"}, role=role)
            assert settle.status_code == 409, "its outcome is not unknown"


async def test_what_is_asked_is_told_and_lies_ready_to_be_carried(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    made = await world.post(f"/v1/mentions/{mention_id}/hide")
    assert (made["mention_id"], made["reply_id"]) == (str(mention_id), None)
    assert made["conversation_id"] == str(conversation_id)
    (told,) = await world.events("moderation.requested")
    assert (str(told["subject_id"]), told["conversation_id"]) == (made["id"], conversation_id)
    async with world.database.read(world.workspace_id) as connection:
        (work,) = await connection.fetch("SELECT * FROM work WHERE kind = 'moderation.requested'")
    assert str(work["subject_id"]) == made["id"]
    assert (await world.get(f"/v1/mentions/{mention_id}"))["hidden_at"] is None, "the venue did nothing yet"


async def test_a_mention_that_waits_for_triage_can_be_moderated(world: World) -> None:
    mention_id = await world.a_mention()
    made = await world.post(f"/v1/mentions/{mention_id}/report", WHY)
    assert made["conversation_id"] is None


@pytest.mark.parametrize("action", ["report", "dispute"])
async def test_the_venue_hears_why(world: World, action: str) -> None:
    path = await path_of(world, action)
    for body in (None, {}, {"reason": " "}, {"reason": "x" * 2_001}, {"reason": None}):
        answer = await world.call("POST", path, body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["errors"][0]["pointer"] == "/reason"
    strange = await world.call("POST", path, {**WHY, "because": "x"})
    assert strange.json()["errors"][0]["pointer"] == "/because"
    assert (await world.get("/v1/moderations"))["data"] == []


async def test_what_the_kind_of_venue_cannot_do_is_refused_with_a_sentence(world: World, settings: Settings) -> None:
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(
        "INSERT INTO channel_type (type, title, abilities, settings_schema, secrets_schema, reply_rules, published_at) "
        "VALUES ('letters', 'Letters', '{pages,reply_public,report}', '{}', '{}', '{}', now()) ON CONFLICT DO NOTHING"
    )
    await connection.close()
    channel = await world.a_channel(type="letters")
    conversation_id, mention_id = await world.a_conversation(channel)
    path = f"/v1/mentions/{mention_id}"
    assert await refused(world, f"{path}/hide") == "Letters cannot hide or show posts from here."
    assert await refused(world, f"{path}/unhide") == "Letters cannot hide or show posts from here."
    assert await refused(world, f"{path}/dispute", WHY) == "Letters takes no disputes from here."
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    assert await refused(world, f"/v1/replies/{reply['id']}/delete") == "Letters lets us delete no replies from here."
    await world.post(f"{path}/report", WHY)
    unpublished = await world.a_mention(await world.a_channel(type="never-published"))
    await refused(world, f"/v1/mentions/{unpublished}/hide")


async def test_what_is_gone_at_its_venue_is_not_hidden(world: World) -> None:
    mention_id = await world.a_mention()
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE mention SET deleted_at = now() WHERE id = :m"), {"m": mention_id})
    assert await refused(world, f"/v1/mentions/{mention_id}/hide") == "The mention has been deleted at its venue."


@pytest.mark.parametrize("action", ACTIONS)
async def test_the_same_is_not_asked_twice_at_once(world: World, action: str) -> None:
    path = await path_of(world, action)
    first = await world.post(path, WHY)
    for state in (ModerationState.QUEUED, ModerationState.SENDING):
        await put(world, first["id"], state)
        said = await refused(world, path, WHY, "moderation_under_way")
        assert first["id"] in said
    for state in (ModerationState.DONE, ModerationState.FAILED):
        await put(world, first["id"], state)
        again = await world.post(path, WHY)
        await put(world, again["id"], ModerationState.FAILED)


async def test_of_unknown_outcome_only_what_does_no_harm_is_asked_again(world: World) -> None:
    for action in ACTIONS:
        path = await path_of(world, action)
        first = await world.post(path, WHY)
        await put(world, first["id"], ModerationState.UNKNOWN)
        if action in ("report", "dispute"):
            said = await refused(world, path, WHY, "moderation_under_way")
            assert "settle" in said
            await world.post(f"/v1/moderations/{first['id']}/settle", {"outcome": "failed"}, status=200)
        assert (await world.post(path, WHY))["state"] == "queued"


async def test_the_opposite_takes_back_what_did_not_go_out(world: World) -> None:
    mention_id = await world.a_mention()
    hide = await world.post(f"/v1/mentions/{mention_id}/hide")
    show = await world.post(f"/v1/mentions/{mention_id}/unhide")
    assert show["state"] == "queued"
    former = await world.get(f"/v1/moderations/{hide['id']}")
    assert (former["state"], former["error"][:11]) == ("failed", "Taken back:")
    (told,) = await world.events("moderation.failed")
    assert str(told["subject_id"]) == hide["id"]
    await put(world, show["id"], ModerationState.SENDING)
    said = await refused(world, f"/v1/mentions/{mention_id}/hide", code="moderation_under_way")
    assert "opposite" in said


@pytest.mark.parametrize("state", [state for state in ReplyState if state != ReplyState.SENT])
async def test_only_a_reply_that_stands_there_can_be_deleted(world: World, state: ReplyState) -> None:
    await refused(world, f"/v1/replies/{await a_sent_reply(world, state)}/delete")


async def test_a_reply_without_the_venues_id_cannot_be_deleted(world: World) -> None:
    said = await refused(world, f"/v1/replies/{await a_sent_reply(world, external_id=None)}/delete")
    assert "at the venue itself" in said


@pytest.mark.parametrize(("outcome", "state"), [("done", "done"), ("failed", "failed")])
async def test_a_person_settles_what_nobody_knows(world: World, outcome: str, state: str) -> None:
    mention_id = await world.a_mention()
    made = await world.post(f"/v1/mentions/{mention_id}/hide")
    path = f"/v1/moderations/{made['id']}/settle"
    await put(world, made["id"], ModerationState.UNKNOWN)
    assert (await world.call("POST", path, {"outcome": "perhaps"})).status_code == 422
    settled = await world.post(path, {"outcome": outcome, "note": "I looked."}, status=200, role=Role.AGENT)
    assert world.agent is not None
    assert (settled["state"], settled["settled_by"]) == (state, f"agent:{world.agent.id}")
    assert settled["error"] == (None if outcome == "done" else "I looked.")
    assert ((await world.get(f"/v1/mentions/{mention_id}"))["hidden_at"] is not None) == (outcome == "done")
    assert len(await world.events(f"moderation.{state}")) == 1
    assert (await world.call("POST", path, {"outcome": outcome})).status_code == 409


async def test_a_deleted_reply_says_so(world: World) -> None:
    reply_id = await a_sent_reply(world)
    made = await world.post(f"/v1/replies/{reply_id}/delete", WHY)
    await put(world, made["id"], ModerationState.UNKNOWN)
    await world.post(f"/v1/moderations/{made['id']}/settle", {"outcome": "done"}, status=200)
    reply = await world.get(f"/v1/replies/{reply_id}")
    assert reply["state"] == "deleted"
    assert reply["deleted_at"] is not None
    assert reply["sent_at"] is not None, "it was an answer all the same"
    (told,) = await world.events("reply.deleted")
    assert str(told["subject_id"]) == reply_id
    assert (await world.get("/v1/replies?state=deleted"))["data"][0]["id"] == reply_id


async def test_moderations_are_listed_by_what_they_are_about_and_where_they_stand(world: World) -> None:
    mention_id, reply_id = await world.a_mention(), await a_sent_reply(world)
    report = await world.post(f"/v1/mentions/{mention_id}/report", WHY)
    hide = await world.post(f"/v1/mentions/{mention_id}/hide")
    delete = await world.post(f"/v1/replies/{reply_id}/delete")
    await put(world, report["id"], ModerationState.UNKNOWN)
    every = [delete["id"], hide["id"], report["id"]]
    for query, found in {
        "": every, f"?mention={mention_id}": every[1:], f"?reply={reply_id}": every[:1], "?state=unknown": every[2:],
        "?state=done": [], "?action=hide": [hide["id"]], f"?action=report&mention={mention_id}": [report["id"]],
    }.items():  # fmt: skip
        assert [one["id"] for one in (await world.get(f"/v1/moderations{query}"))["data"]] == found, query
    assert (await world.call("GET", "/v1/moderations?state=lost")).status_code == 422


async def test_another_workspace_asks_nothing_about_what_is_ours(world: World) -> None:
    other = await a_world(world.database, world.client)
    made = await world.post(f"/v1/mentions/{await world.a_mention()}/report", WHY)
    paths = [await path_of(world, action) for action in ACTIONS]
    for path in paths:
        assert (await other.call("POST", path, WHY)).status_code == 404
    assert (await other.call("GET", f"/v1/moderations/{made['id']}")).status_code == 404
    settle = await other.call("POST", f"/v1/moderations/{made['id']}/settle", {"outcome": "done"})
    assert settle.status_code == 404
    assert (await other.get("/v1/moderations"))["data"] == []
    assert [one["id"] for one in (await world.get("/v1/moderations"))["data"]] == [made["id"]]


async def test_graphql_asks_and_shows_the_same(world: World) -> None:
    mention_id, reply_id = await world.a_mention(), await a_sent_reply(world)
    shown = "{ id action state reason mentionId replyId }"
    for verb, key in (("hideMention", mention_id), ("deleteReply", reply_id)):
        made = (
            await asked(
                world,
                f'mutation ($id: ID!) {{ {verb}(id: $id, input: {{reason: "spam"}}) {shown} }}',
                {"id": str(key)},
            )
        )[verb]
        by_rest = await world.get(f"/v1/moderations/{made['id']}")
        assert (made["action"], made["state"], made["reason"]) == (by_rest["action"], "queued", by_rest["reason"])
        assert (made["mentionId"], made["replyId"]) == (by_rest["mention_id"], by_rest["reply_id"])
    found = await asked(
        world, '{ moderations(filter: {action: "hide"}) { edges { node { mention { id hiddenAt } } } } }', {}
    )
    assert found["moderations"]["edges"] == [{"node": {"mention": {"id": str(mention_id), "hiddenAt": None}}}]


async def test_an_unknown_thing_is_not_found(world: World) -> None:
    for path in (f"/v1/mentions/{ids.new_id()}/hide", f"/v1/replies/{ids.new_id()}/delete"):
        assert (await world.call("POST", path)).status_code == 404
