"""What a network is told with an answer, what an answer costs, and what is looked at again before it goes out."""

from datetime import timedelta

import pytest

from services.ingest import spending
from services.ingest.channel import OutcomeUnknown, OutgoingReply, Sent
from services.ingest.channels.simulated import Simulated
from shared.kit import clock
from tests.builders import taken
from tests.ingest.post import Post


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[OutgoingReply]:
    """Every answer that a simulated venue is asked to post; each costs half a dollar."""
    seen: list[OutgoingReply] = []

    async def reply(_: Simulated, outgoing: OutgoingReply) -> Sent:
        seen.append(outgoing)
        return Sent(f"sent-{len(seen)}", clock.now(), cost=500_000)

    monkeypatch.setattr(Simulated, "reply_publicly", reply)
    monkeypatch.setattr(Simulated, "reply_privately", reply)
    return seen


async def execute(post: Post, sql: str, *values: object) -> None:
    async with post.database.read(post.workspace_id) as connection:
        await connection.execute(sql, *values)


async def test_a_network_is_told_of_the_mention_as_it_is(post: Post, carried: list[OutgoingReply]) -> None:
    channel = await post.a_venue()
    (reply_id,) = await post.queue(channel)
    await execute(
        post,
        "UPDATE mention SET kind = 'review', title = 'Slow', permalink = 'https://site.example/1', raw = '{\"id\":1}'::bytea",
    )
    await post.carried()
    (outgoing,) = carried
    assert (outgoing.kind, outgoing.title, outgoing.permalink) == ("review", "Slow", "https://site.example/1")
    assert outgoing.raw == b'{"id":1}'
    assert (outgoing.token, outgoing.author_external_id) == (str(reply_id), f"a-{outgoing.in_reply_to}")
    async with post.database.read(post.workspace_id) as connection:
        assert outgoing.last_inbound_at == await connection.fetchval("SELECT published_at FROM mention")


async def test_what_answers_cost_counts_and_a_spent_budget_refuses_them(
    post: Post, carried: list[OutgoingReply], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        spending, "BUDGET_SETTING", "seed"
    )  # a simulated venue costs nothing and has no budget of its own
    channel = await post.a_venue(seed=1)
    await post.queue(channel, 2)
    await post.carried()
    assert await post.number("SELECT cost FROM channel_spend WHERE channel_id = $1", channel.id) == 1_000_000
    await post.queue(channel)
    await post.carried()
    refused = [row for row in await post.rows(channel) if row["state"] == "failed"]
    assert len(carried) == 2
    assert len(refused) == 1
    assert "budget of 1.00 US dollars is spent (1.00)" in refused[0]["error"]


async def test_a_second_answer_where_the_venue_takes_one_is_not_carried(
    post: Post, carried: list[OutgoingReply]
) -> None:
    channel = await post.a_venue(plays="facebook")
    first, second = await post.queue(channel, 2, private=True)
    answered = "UPDATE reply SET in_reply_to = (SELECT in_reply_to FROM reply WHERE id = $1) WHERE id = $2"
    await execute(post, answered, first, second)  # two agents, at the same moment
    while await post.sender.once():
        pass
    states = sorted((row["state"], row["error"]) for row in await post.rows(channel))
    assert [state for state, _ in states] == ["failed", "sent"]
    assert states[0][1] == "This venue takes one answer and has it."
    assert len(carried) == 1


async def test_an_answer_to_what_was_deleted_is_not_carried(post: Post, carried: list[OutgoingReply]) -> None:
    channel = await post.a_venue()
    await post.queue(channel)
    await execute(post, "UPDATE mention SET deleted_at = now()")
    await post.carried()
    row = await post.one(channel)
    assert (row["state"], carried) == ("failed", [])
    assert "deleted" in row["error"]


async def test_our_own_post_come_back_settles_an_answer_of_unknown_outcome(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(_: Simulated, outgoing: OutgoingReply) -> Sent:
        raise OutcomeUnknown("The network broke off.")

    monkeypatch.setattr(Simulated, "reply_publicly", lost)
    channel = await post.a_venue(idempotency="neither")
    reply_id, _ = await post.queue(channel, 2)
    await post.carried()
    assert {row["state"] for row in await post.rows(channel)} == {"unknown"}
    (row,) = [row for row in await post.rows(channel) if row["id"] == reply_id]
    said = f"{row['text']}  {row['signature']}"
    ours = {"external_id": "e1", "text": said, "published_at": clock.now(), "in_reply_to": row["post"]}
    source = {"scope": str(channel.id), "own_accounts": frozenset({"us"})}
    for other in (
        {"text": "Other words"},
        {"in_reply_to": "another post"},
        {"published_at": clock.now() - timedelta(hours=1)},
        {"author": {"external_id": "a stranger"}},
    ):
        item = {"author": {"external_id": "us"}, **ours, "external_id": f"e-{len(str(other))}", **other}
        await taken(post.database, post.workspace_id, channel, item, **source)
    assert {row["state"] for row in await post.rows(channel)} == {"unknown"}
    echo = {**ours, "author": {"external_id": "us"}, "permalink": "https://site.example/e1"}
    for _ in range(2):
        assert (await taken(post.database, post.workspace_id, channel, echo, **source)).filtered == 1
    rows = {row["id"]: row for row in await post.rows(channel)}
    settled = rows.pop(reply_id)
    assert (settled["state"], settled["external_id"], settled["settled_by"]) == ("sent", "e1", "echo")
    assert settled["permalink"] == "https://site.example/e1"
    assert [row["state"] for row in rows.values()] == ["unknown"]
    assert (await post.told(reply_id)).count("reply.sent") == 1
