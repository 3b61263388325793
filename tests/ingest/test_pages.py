"""What a page brings beside mentions: accounts that are gone, drift, cost; our own posts, and deletions that come first."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.ingest import gone_accounts
from services.ingest.channel import ChannelBroken, Gap, IncomingMention, Page, ReplyRules, ReplyWay
from services.ingest.gone_accounts import Taker
from services.ingest.poller import Poller
from shared.kit import clock
from shared.kit.database import Database
from tests.builders import a_workspace
from tests.ingest.scripted import Bench, Knowing, Paging, Script, a_mention, a_page


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    bench = Bench(database, await a_workspace(database))
    yield bench
    await bench.execute("UPDATE channel SET status = 'paused'")


async def poll(bench: Bench, channel: Any, script: Script, page: Page) -> None:
    script.answer = page
    await bench.due(channel)
    await Poller(bench.database, bench.opener).once()


def gone(external_id: str, **fields: Any) -> IncomingMention:
    now = clock.now()
    return a_mention(external_id, text="", deleted_at=now, published_at=now, **fields)


# ---------------------------------------------------------------- deletions


async def test_a_deletion_that_comes_first_keeps_a_late_creation_out(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    await poll(bench, channel, script, Page([gone("1", author=None)], {"n": 1}))
    assert await bench.told("mention.") == [], "what was gone before it came is no news"
    for _ in range(2):
        await poll(bench, channel, script, Page([a_mention("1", text="late words", edited_at=clock.now())], {"n": 2}))
    (row,) = await bench.rows("SELECT text, deleted_at FROM mention")
    assert row["text"] == ""
    assert row["deleted_at"] is not None
    assert await bench.told("mention.") == []
    assert await bench.rows("SELECT id FROM work WHERE kind = 'mention.received'") == []


@pytest.mark.parametrize("first", [0, 1])
async def test_a_deletion_wins_in_whichever_order_a_page_tells_it(bench: Bench, first: int) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    at = clock.now() - timedelta(minutes=3)
    both = [
        a_mention("1", published_at=at, edited_at=clock.now()),
        a_mention("1", text="", published_at=at, deleted_at=at + timedelta(seconds=1)),
    ]
    await poll(bench, channel, script, Page([both[first], both[1 - first]], {"n": 1}))
    (row,) = await bench.rows("SELECT text, deleted_at FROM mention")
    assert (row["text"], row["deleted_at"]) == ("", at + timedelta(seconds=1))


# ---------------------------------------------------------------- accounts


async def test_what_a_gone_account_wrote_is_taken_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone_accounts, "BATCH", 3)
    script = Script()
    channel = await bench.a_channel(Paging(script))
    his = {"external_id": "him", "handle": "him"}
    media = [{"url": "https://site.example/p.png", "kind": "image"}]
    wrote = [a_mention(f"h{n}", author=his, title="T", media=media, raw=b"{}") for n in range(7)]
    await poll(bench, channel, script, Page([*wrote, a_mention("other", raw=b"{}")], {"n": 1}))
    await poll(
        bench, channel, script, Page([a_mention("h0", author=his, text="edited", edited_at=clock.now())], {"n": 2})
    )
    await poll(bench, channel, script, Page([gone("h1", author=his)], {"n": 3}))
    assert len(await bench.rows("SELECT id FROM mention_revision")) == 1
    await poll(bench, channel, script, Page(gone_accounts=["him", "nobody we know"], cursor={"n": 4}))
    assert len(await bench.rows("SELECT id FROM mention WHERE text = ''")) == 0, "not in the transaction of the page"
    turns = 0
    while await Taker(bench.database).once():
        turns += 1
    assert turns == 3
    rows = await bench.rows("SELECT external_id, text, title, media, raw, deleted_at FROM mention ORDER BY external_id")
    for row in rows[:-1]:
        assert (row["text"], row["title"], row["media"], row["raw"]) == ("", None, None, None), row
        assert row["deleted_at"] is not None
    assert (rows[-1]["external_id"], rows[-1]["deleted_at"], bytes(rows[-1]["raw"])) == ("other", None, b"{}")
    assert await bench.rows("SELECT id FROM mention_revision") == []
    assert (await bench.told("mention.")).count("mention.deleted") == 7, (
        "each once, the one that was known as deleted too"
    )
    assert await bench.rows("SELECT id FROM work WHERE kind = 'author.gone'") == []
    await poll(bench, channel, script, Page(wrote, {"n": 5}))
    assert len(await bench.rows("SELECT id FROM mention WHERE text = ''")) == 7, "a late copy does not come back"


async def test_what_our_own_accounts_post_is_no_mention(bench: Bench) -> None:
    script = Script(own=frozenset({"1234", "northwind"}))
    channel = await bench.a_channel(Knowing(script))
    posts = [
        a_mention("1", author={"external_id": "1234", "handle": "renamed"}),
        a_mention("2", author={"external_id": "9", "handle": "@NorthWind"}),
        a_mention("3", author={"external_id": "northwind-fan", "handle": "fan"}),
        a_mention("4", author=None),
    ]
    await poll(bench, channel, script, Page(posts, {"n": 1}))
    assert await bench.posts(channel) == ["3", "4"]
    (counts,) = await bench.rows("SELECT sum(received) AS received, sum(filtered) AS filtered FROM ledger_delta")
    assert (counts["received"], counts["filtered"]) == (4, 2)


async def test_who_names_an_account_of_ours_may_be_answered_where_that_is_asked(bench: Bench) -> None:
    script = Script(own=frozenset({"1234", "northwind"}))
    network = Knowing(script)
    network.reply_rules = ReplyRules(public=ReplyWay(requires=("addressed_to_us",)))
    channel = await bench.a_channel(network)
    page = [
        a_mention("1", text="@NorthWind, help!"),
        a_mention("2", text="@northwinds of change"),
        a_mention("3", text="help"),
        a_mention("4", text="help", addressed_to_us=True),
        a_mention("5", text="@NorthWind in code", addressed_to_us=False),
    ]
    await poll(bench, channel, script, Page(page, {"n": 1}))
    rows = await bench.rows("SELECT (reply->'public'->>'allowed')::bool AS allowed FROM mention ORDER BY external_id")
    assert [row["allowed"] for row in rows] == [True, False, False, True, False]


# ---------------------------------------------------------------- drift, cost


async def test_drift_is_counted_and_bounded(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    for fields in (["post.colour", "post.size", "post.size"], ["post.size"], []):
        await poll(bench, channel, script, a_page("1", drift=fields))
    assert (await bench.state(channel))["drift"] == {"post.colour": 1, "post.size": 2}
    await poll(
        bench, channel, script, a_page("1", drift=[f"field.{n}" for n in range(500)] + ["x" * 5_000, "post.size"])
    )
    drift = (await bench.state(channel))["drift"]
    assert len(drift) == 100
    assert drift["post.size"] == 3
    assert max(map(len, drift)) <= 200


async def test_what_it_costs_is_added_up_by_the_month(bench: Bench, now: Any) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    for cost in (5_000, 15_000, 0):
        await poll(bench, channel, script, a_page("1", cost=cost))
    now.at += timedelta(days=32)
    await poll(bench, channel, script, a_page("2", cost=7))
    rows = await bench.rows("SELECT cost FROM channel_spend WHERE channel_id = $1 ORDER BY month", channel.id)
    assert [row["cost"] for row in rows] == [20_000, 7]


async def test_a_spent_budget_stops_the_reading_until_the_month_is_over(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script), settings={"monthly_budget_usd": 0.05})
    await poll(bench, channel, script, a_page("1", cost=49_999))
    await poll(bench, channel, script, a_page("2", cost=1))
    assert (await bench.state(channel))["health"] == "ok"
    asked = len(script.paged)
    for _ in range(2):
        await poll(bench, channel, script, a_page("3", cost=1))
    state = await bench.state(channel)
    assert len(script.paged) == asked
    assert state["health"] == "failing"
    assert "budget of 0.05 US dollars is spent (0.05)" in state["health_detail"]
    until = state["next_poll_at"]
    assert (until.day, until.hour, until.minute) == (1, 0, 0)
    assert f"{until:%Y-%m-%d}" in state["health_detail"]
    assert await bench.told() == ["channel.connected", "channel.degraded"]
    await bench.execute("UPDATE channel SET settings = '{\"monthly_budget_usd\": 1}' WHERE id = :id", id=channel.id)
    await poll(bench, channel, script, a_page("3", cost=1))
    assert await bench.told() == ["channel.connected", "channel.degraded", "channel.recovered"]


async def test_a_page_that_cannot_be_stored_is_told_and_stores_nothing(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    await poll(bench, channel, script, a_page("1", cursor={"token": "\x00"}))
    state = await bench.state(channel)
    assert (state["health"], state["cursor"], state["lease_token"]) == ("failing", None, None)
    assert "could not be stored" in state["health_detail"]
    assert await bench.posts(channel) == []
    await poll(bench, channel, script, a_page("1"))
    assert await bench.told() == ["channel.degraded", "channel.connected", "channel.recovered"]


async def test_what_a_network_says_is_made_storable(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    odd = "no\x00thing \ud83d" + "x" * 5_000
    gap = Gap(clock.now() - timedelta(hours=2), clock.now() - timedelta(hours=1), odd)
    await poll(bench, channel, script, a_page("1", quota_left=2**40, drift=["a\x00b"], gaps=[gap]))
    state = await bench.state(channel)
    assert (state["health"], state["quota_left"], state["drift"]) == ("ok", 2**31 - 1, {"ab": 1})
    (found,) = await bench.gaps(channel)
    assert found["reason"].startswith("nothing \ufffdx")
    script.answer = ChannelBroken(odd)
    await bench.due(channel)
    await Poller(bench.database, bench.opener).once()
    assert (await bench.state(channel))["health_detail"].startswith("nothing \ufffdx")
