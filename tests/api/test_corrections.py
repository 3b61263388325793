"""A person's word about a mention is seen wherever its conversation is: lists, queues, both doors, the day's issues."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from services.api.desk.corrections import changes
from shared import outbox
from shared.acts import conversations
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.models.channel import Channel
from shared.models.conversation import Conversation, Priority
from shared.models.mention import Assessment
from shared.models.workspace import Role
from shared.store.corrections import Turn
from tests.api.graphql.asking import asked
from tests.api.world import World
from tests.builders import a_policy, a_queue, an_arrival

CORRECT = """mutation ($id: ID!, $input: CorrectMentionInput!) {
    correctMention(id: $id, input: $input) { id sentiment issueKeys lang priority } }"""


async def correct(world: World, mention_id: UUID, finding: str, value: Any, door: str = "rest") -> None:
    body = {"finding": finding, "value": value}
    if door == "rest":
        await world.post(f"/v1/mentions/{mention_id}/corrections", body, role=Role.AGENT)
    else:
        await asked(world, CORRECT, {"id": str(mention_id), "input": body})


async def listed(world: World, **filters: str) -> list[str]:
    asked_for = "&".join(f"{name}={value}" for name, value in filters.items())
    return [one["id"] for one in (await world.get(f"/v1/conversations?{asked_for}"))["data"]]


async def another_turn(world: World, conversation_id: UUID, **assessed: Any) -> UUID:
    """The customer wrote again; what triage found of it is given."""
    async with world.database.read(world.workspace_id) as connection:
        where = await connection.fetchrow(
            "SELECT channel_id, thread_key FROM conversation WHERE id = $1", conversation_id
        )
    assert where is not None
    mention_id = await world.a_mention(said="And again")
    row = {"lang": "en", "sentiment": "neutral", "priority": "normal", "issue_keys": ["outage"], **assessed}
    async with world.database.write(world.workspace_id) as session:
        channel = await session.get(Channel, (world.workspace_id, where["channel_id"]))
        assert channel is not None
        arrival = an_arrival(
            channel, where["thread_key"], mention_id=mention_id, lang=row["lang"], sentiment=row["sentiment"],
            priority=Priority(row["priority"]), issue_keys=tuple(row["issue_keys"]),
        )  # fmt: skip
        placed = await conversations.open_or_extend(
            session, world.workspace_id, [arrival], await in_force(session, world.workspace_id)
        )
        assert placed == {mention_id: conversation_id}
        session.add(
            Assessment(
                workspace_id=world.workspace_id, mention_id=mention_id, conversation_id=conversation_id,
                disposition="engage", findings={}, pipeline_version="test", triaged_at=clock.now(), text_hash=mention_id.bytes,
                **row,
            )
        )  # fmt: skip
    return mention_id


@pytest.mark.parametrize("door", ["rest", "graphql"])
async def test_lists_follow_by_either_door(world: World, door: str) -> None:
    conversation_id, mention_id = await world.a_conversation(lang="en")
    key = str(conversation_id)
    before = await world.get(f"/v1/conversations/{key}")
    await correct(world, mention_id, "issues", ["billing"], door)
    await correct(world, mention_id, "sentiment", "positive", door)
    await correct(world, mention_id, "language", "nl", door)
    assert await listed(world, issue="billing") == await listed(world, sentiment="positive") == [key]
    assert await listed(world, lang="nl") == [key]
    assert key not in await listed(world, issue="outage") + await listed(world, sentiment="negative")
    after = await world.get(f"/v1/conversations/{key}")
    assert (after["issue_keys"], after["sentiment"], after["lang"]) == (["billing"], "positive", "nl")
    assert after["version"] == before["version"] + 3
    told = await asked(
        world,
        '{ conversations(filter: {issue: "billing", sentiment: "positive"}) { edges { node { id issueKeys sentiment lang } } } }',
    )
    (edge,) = told["conversations"]["edges"]
    assert edge["node"] == {"id": key, "issueKeys": ["billing"], "sentiment": "positive", "lang": "nl"}
    stale = await world.call(
        "PATCH", f"/v1/conversations/{key}", {"tags": ["x"]}, headers={"if-match": f'"{before["version"]}"'}
    )
    assert stale.status_code == 412, "whoever saw it before has to look again"


async def test_the_days_issues_follow(world: World) -> None:
    _, mention_id = await world.a_conversation()
    await correct(world, mention_id, "issues", ["billing"])
    async with world.database.write(world.workspace_id) as session:  # not just before midnight
        await session.execute(text("UPDATE mention SET published_at = now()"))
    told = (await world.get("/v1/issues/daily"))["data"]
    assert [(one["issue"], one["count"]) for one in told] == [("billing", 1)]
    await correct(world, mention_id, "spam", True)
    assert (await world.get("/v1/issues/daily"))["data"] == []


async def test_a_priority_goes_to_the_front_of_the_queue_with_its_clock(world: World) -> None:
    targets = [
        {"metric": "first_response", "priority": "urgent", "within": "PT15M", "hours": "clock"},
        {"metric": "first_response", "priority": "*", "within": "PT4H", "hours": "clock"},
    ]
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE sla_policy SET status = 'paused'"))
    await a_policy(world.database, world.workspace_id, targets=targets)
    queue = await a_queue(world.database, world.workspace_id, position=0)
    first, _ = await world.a_conversation()
    second, mention_id = await world.a_conversation()
    order = f"/v1/conversations?order=queue&queue={queue.id}"
    assert [one["id"] for one in (await world.get(order))["data"]] == [str(first), str(second)]
    await correct(world, mention_id, "priority", "urgent")
    waiting = (await world.get(order))["data"]
    assert [(one["id"], one["priority"]) for one in waiting] == [(str(second), "urgent"), (str(first), "normal")]
    (promise,) = (await world.get(f"/v1/conversations/{second}/sla"))["data"]
    assert (promise["target"], promise["priority"]) == ("PT15M", "urgent")
    (fact,) = await world.events("conversation.priority_changed")
    assert fact["conversation_id"] == second
    given = await world.post(f"/v1/queues/{queue.id}/next", role=Role.AGENT, status=200)
    assert given["id"] == str(second)


async def test_turns_count_together_and_what_is_dismissed_does_not(world: World) -> None:
    conversation_id, first = await world.a_conversation(priority=Priority.HIGH)
    second = await another_turn(world, conversation_id, issue_keys=["billing"], sentiment="positive")

    async def stands() -> tuple[Any, ...]:
        one = await world.get(f"/v1/conversations/{conversation_id}")
        return one["issue_keys"], one["sentiment"], one["priority"], one["lang"]

    assert await stands() == (["outage", "billing"], "positive", "high", "en")
    await correct(world, first, "sentiment", "neutral")
    assert await stands() == (["outage", "billing"], "positive", "high", "en"), "the last turn tells how it sounds"
    await correct(world, second, "issues", ["billing", "outage"])
    await correct(world, first, "issues", [])
    assert await stands() == (["outage", "billing"], "positive", "high", "en"), "another turn is about it too"
    await correct(world, second, "spam", True)
    assert await stands() == ([], "neutral", "high", "en")
    await correct(world, second, "spam", False)
    assert await stands() == (["billing", "outage"], "positive", "high", "en")
    await correct(world, first, "priority", "low")
    assert await stands() == (["billing", "outage"], "positive", "normal", "en"), "the highest of its turns"


async def test_what_somebody_gave_the_conversation_by_hand_stands(world: World) -> None:
    await world.post("/v1/issue-types", {"key": "tariffs", "name": "Tariffs"})
    conversation_id, mention_id = await world.a_conversation()
    path = f"/v1/conversations/{conversation_id}"
    version = (await world.get(path))["version"]
    given = {"issue_keys": ["outage", "tariffs"], "priority": "low"}
    await world.call("PATCH", path, given, headers={"if-match": f'"{version}"'})
    await correct(world, mention_id, "issues", ["billing"])
    await correct(world, mention_id, "priority", "urgent")
    one = await world.get(path)
    assert (one["issue_keys"], one["priority"]) == (["tariffs", "billing"], "low")


async def test_a_closed_conversation_is_counted_right_and_keeps_its_priority(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("UPDATE conversation SET status = 'closed', resolved_at = now()"))
    await correct(world, mention_id, "issues", ["billing"])
    await correct(world, mention_id, "priority", "urgent")
    one = await world.get(f"/v1/conversations/{conversation_id}")
    assert (one["status"], one["issue_keys"], one["priority"]) == ("closed", ["billing"], "normal")


async def test_all_of_it_or_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation_id, mention_id = await world.a_conversation()

    async def broken(*_: Any) -> None:
        raise asyncpg.PostgresError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "add", broken)
        answer = await world.call(
            "POST", f"/v1/mentions/{mention_id}/corrections", {"finding": "sentiment", "value": "positive"}
        )
    assert answer.status_code >= 500
    assert (await world.get(f"/v1/mentions/{mention_id}"))["sentiment"] == "negative"
    assert (await world.get(f"/v1/conversations/{conversation_id}"))["sentiment"] == "negative"
    assert (await world.get(f"/v1/mentions/{mention_id}/corrections"))["data"] == []


async def test_corrections_of_two_turns_at_once_both_count(world: World) -> None:
    await world.post("/v1/issue-types", {"key": "tariffs", "name": "Tariffs"})
    conversation_id, first = await world.a_conversation()
    second = await another_turn(world, conversation_id)
    await asyncio.gather(correct(world, first, "issues", ["billing"]), correct(world, second, "issues", ["tariffs"]))
    assert set((await world.get(f"/v1/conversations/{conversation_id}"))["issue_keys"]) == {"billing", "tariffs"}


def a_turn(**fields: Any) -> Turn:
    return Turn(**{
        "mention_id": ids.new_id(), "disposition": "engage", "sentiment": None, "lang": None, "priority": None, "issue_keys": [],
        **fields,
    })  # fmt: skip


def test_a_mention_without_a_conversations_columns_changes_nothing() -> None:
    one = Conversation(
        workspace_id=ids.new_id(), channel_id=ids.new_id(), channel_type="x", thread_key="t", sentiment="negative", lang="de",
        issue_keys=["a"], priority="high",
    )  # fmt: skip
    turns = [a_turn(issue_keys=["b"], sentiment="neutral", lang="nl", priority="low")]
    assert changes(one, turns, turns) == {}, "where it stands otherwise, somebody had a reason"
