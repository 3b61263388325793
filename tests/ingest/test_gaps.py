"""Gaps: noted, told once, read again a little at a time, closed without doubles; those that cannot be read back stay open."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.ingest import gaps
from services.ingest.channel import Cursor, Gap, Page, TryLater
from services.ingest.gaps import Filler
from services.ingest.poller import Poller
from shared.kit import clock
from shared.kit.database import Database
from tests.builders import a_workspace
from tests.ingest.scripted import Bench, Paging, ReadBack, Script, a_page


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    bench = Bench(database, await a_workspace(database))
    yield bench
    await bench.execute("UPDATE channel SET status = 'paused'")
    await bench.execute("UPDATE channel_gap SET next_try_at = NULL")


def a_gap(hours: float, until: float = 0, reason: str = "The network skipped some.") -> Gap:
    now = clock.now()
    return Gap(now - timedelta(hours=hours), now - timedelta(hours=until), reason)


async def poll(bench: Bench) -> None:
    await Poller(bench.database, bench.opener).once()


async def fill(bench: Bench) -> bool:
    await bench.execute("UPDATE channel_gap SET next_try_at = now() WHERE next_try_at IS NOT NULL")
    return await Filler(bench.database, bench.opener).once()


async def test_two_hours_away_are_noted_read_again_and_closed_without_doubles(bench: Bench) -> None:
    script = Script(posts=["1", "2"], back=timedelta(minutes=30))
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    assert await bench.gaps(channel) == []
    # two hours without it; its network then shows the last half hour only
    await bench.execute(
        "UPDATE channel SET last_success_at = now() - interval '2 hours', next_poll_at = now() WHERE id = :id",
        id=channel.id,
    )
    script.posts += ["6", "7"]
    await poll(bench)
    (gap,) = await bench.gaps(channel)
    assert (gap["until"] - gap["since"]) == pytest.approx(timedelta(minutes=90), abs=timedelta(seconds=20))
    assert "reaches back only 30 minutes" in gap["reason"]
    assert await bench.told() == ["channel.connected", "channel.gap_found"]
    assert await bench.posts(channel) == ["1", "2", "6", "7"]

    places = [["2", "3"], ["4", "5"], ["6"]]

    def backfill(since: object, cursor: Cursor | None) -> Page:
        place = int((cursor or {}).get("place", 0))
        return a_page(*places[place], cursor={"place": place + 1}, has_more=place + 1 < len(places))

    script.backfills = backfill
    assert await fill(bench)
    assert await bench.posts(channel) == ["1", "2", "3", "4", "5", "6", "7"]
    (gap,) = await bench.gaps(channel)
    assert gap["closed_at"] is not None
    assert (gap["recovered"], gap["lease_token"], gap["next_try_at"]) == (3, None, None)
    assert [since for since, _ in script.backfilled] == [gap["since"]] * 3
    assert await bench.told() == ["channel.connected", "channel.gap_found", "channel.gap_closed"]
    (closed,) = await bench.rows("SELECT payload, subject_id FROM outbox WHERE type = 'channel.gap_closed'")
    assert orjson.loads(closed["payload"])["recovered"] == 3
    assert closed["subject_id"] == channel.id
    assert not await fill(bench)
    assert (await bench.state(channel))["cursor"] == {"place": 4}, "the poll's cursor is its own"


async def test_a_long_gap_is_read_a_few_pages_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "PAGES_A_TURN", 2)
    script = Script(answer=Page(gaps=[a_gap(5)], cursor={"place": 1}))

    def endless(since: object, cursor: Cursor | None) -> Page:
        place = int((cursor or {}).get("place", 0)) + 1
        return a_page(f"b{place}", cursor={"place": place}, has_more=place < 5)

    script.backfills = endless
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    assert await Filler(bench.database, bench.opener).once()
    assert await bench.posts(channel) == ["b1", "b2"]
    assert not await Filler(bench.database, bench.opener).once(), "it rests between two turns"
    (gap,) = await bench.gaps(channel)
    assert orjson.loads(gap["cursor"]) == {"place": 2}
    await fill(bench)
    await fill(bench)
    assert await bench.posts(channel) == ["b1", "b2", "b3", "b4", "b5"]
    assert [cursor for _, cursor in script.backfilled] == [None, *({"place": n} for n in range(1, 5))]
    (work,) = await bench.rows("SELECT DISTINCT priority FROM work WHERE kind = 'mention.received'")
    assert work["priority"] == 7


async def test_what_cannot_be_read_back_stays_open(bench: Bench) -> None:
    channel = await bench.a_channel(Paging(Script(answer=Page(gaps=[a_gap(2, 1)], cursor={"place": 1}))))
    await poll(bench)
    assert not await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert (gap["closed_at"], gap["next_try_at"], gap["reason"]) == (None, None, "The network skipped some.")
    assert await bench.told() == ["channel.gap_found", "channel.connected"]


async def test_a_gap_that_is_told_again_or_grows_is_one_gap(bench: Bench) -> None:
    script = Script()
    channel = await bench.a_channel(Paging(script))
    told = a_gap(3, 2)
    for gap in (
        told,
        told,
        Gap(told.since, told.until + timedelta(minutes=30), "more"),
        a_gap(1, 0.5),
        Gap(told.until, told.until, ""),
    ):
        script.answer = Page(gaps=[gap], cursor={"place": 1})
        await bench.due(channel)
        await poll(bench)
    found = await bench.gaps(channel)
    assert len(found) == 2
    assert (found[0]["since"], found[0]["until"]) == (told.since, told.until + timedelta(minutes=30))
    assert await bench.told() == ["channel.gap_found", "channel.connected", "channel.gap_found"]


async def test_a_gap_that_grows_while_it_is_read_is_read_from_its_beginning(bench: Bench) -> None:
    script = Script(answer=Page(gaps=[a_gap(3, 2)], cursor={"place": 1}))
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    (gap,) = await bench.gaps(channel)

    async def grows(since: object, cursor: Cursor | None) -> Page:
        await bench.execute(
            "UPDATE channel_gap SET since = since - interval '1 hour', cursor = NULL WHERE id = :id", id=gap["id"]
        )
        network.backfill = read
        return a_page("1", cursor={"place": 9})

    network: Any = bench.networks[channel.id]
    read = network.backfill
    network.backfill = grows
    script.backfills = lambda since, cursor: a_page("0", "1", cursor={"place": 1})
    await fill(bench)
    assert script.backfilled == [(gap["since"] - timedelta(hours=1), None)]
    (gap,) = await bench.gaps(channel)
    assert gap["closed_at"] is not None
    assert await bench.posts(channel) == ["0", "1"]


async def test_a_network_that_fails_is_tried_again_and_in_the_end_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "TRIES", 3)

    def away(since: object, cursor: Cursor | None) -> Page:
        raise TryLater("The network is away.", timedelta(seconds=500))

    script = Script(answer=Page(gaps=[a_gap(3, 2)], cursor={"place": 1}), backfills=away)
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert (gap["failures"], gap["error"], gap["closed_at"]) == (1, "The network is away.", None)
    assert 490 < (gap["next_try_at"] - clock.now()).total_seconds() <= 500
    await fill(bench)
    await fill(bench)
    assert not await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert (gap["failures"], gap["next_try_at"], gap["closed_at"]) == (3, None, None)
    assert (await bench.state(channel))["health"] == "ok", "its reading goes on"


async def test_a_paused_channel_is_not_read_back(bench: Bench) -> None:
    script = Script(answer=Page(gaps=[a_gap(3, 2)], cursor={"place": 1}))
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    await bench.execute("UPDATE channel SET status = 'paused' WHERE id = :id", id=channel.id)
    assert await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert (script.backfilled, gap["failures"]) == ([], 0)
    assert gap["next_try_at"] is not None


async def test_a_network_that_gives_the_same_page_again_is_not_asked_forever(bench: Bench) -> None:
    script = Script(
        answer=Page(gaps=[a_gap(3, 2)], cursor={"place": 1}),
        backfills=lambda since, cursor: a_page("1", cursor={"place": 1}, has_more=True),
    )
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert len(script.backfilled) == 2
    assert "the same page again" in gap["error"]


async def test_gaps_of_another_workspace_are_not_seen(bench: Bench) -> None:
    await bench.a_channel(Paging(Script(answer=Page(gaps=[a_gap(2, 1)], cursor={"place": 1}))))
    await poll(bench)
    other = Bench(bench.database, await a_workspace(bench.database))
    assert await other.rows("SELECT id FROM channel_gap") == []
    async with bench.database.lookup() as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.fetch("SELECT reason FROM channel_gap")


async def test_what_is_not_shown_again_either_stays_a_gap_and_the_rest_is_read(bench: Bench) -> None:
    script = Script(answer=Page(gaps=[a_gap(9)], cursor={"place": 1}))
    lost = a_gap(10, 4, "It searches four hours back.")
    later = replace(lost, until=lost.until + timedelta(seconds=2))

    def backfill(since: object, cursor: Cursor | None) -> Page:
        """Two lists, of which each tells it, the second a little later."""
        first = cursor is None
        return replace(
            a_page("6" if first else "7", cursor={"place": 2}, has_more=first), gaps=[lost if first else later]
        )

    script.backfills = backfill
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    await fill(bench)
    unread, read = sorted(await bench.gaps(channel), key=lambda gap: gap["since"])
    assert (unread["closed_at"], unread["next_try_at"], unread["until"]) == (None, None, later.until)
    assert unread["error"] == "It searches four hours back."
    assert read["closed_at"] is not None
    assert (read["since"], read["recovered"]) == (later.until, 2)
    assert await bench.told() == ["channel.gap_found", "channel.connected", "channel.gap_found", "channel.gap_closed"]
    assert not await fill(bench)


async def test_a_gap_of_which_nothing_is_shown_again_stays_open(bench: Bench) -> None:
    script = Script(answer=Page(gaps=[a_gap(9, 8)], cursor={"place": 1}))
    script.backfills = lambda since, cursor: Page(
        gaps=[a_gap(9, 4, "It searches four hours back.")], cursor={"place": 2}
    )
    channel = await bench.a_channel(ReadBack(script))
    await poll(bench)
    await fill(bench)
    (gap,) = await bench.gaps(channel)
    assert (gap["closed_at"], gap["next_try_at"], gap["lease_token"]) == (None, None, None)
    assert gap["error"] == "It searches four hours back."
    assert await bench.told() == ["channel.gap_found", "channel.connected"]
