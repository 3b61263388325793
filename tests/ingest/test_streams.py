"""Streams: every page with its cursor, nothing lost between paging and streaming, an end that is said, a stop that is clean."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest import pages, streams
from services.ingest.channel import AskForNewCredential, ChannelBroken, TryLater
from services.ingest.channels import simulated
from services.ingest.channels.simulated import venue_of
from services.ingest.opening import Opener, workspace_folder
from services.ingest.poller import Poller
from services.ingest.streams import Streaming
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from tests.builders import a_channel, a_workspace
from tests.ingest.scripted import Bench, Script, Telling, TellingAndPaging, a_page


@pytest.fixture
async def bench(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(streams, "SETTLE_S", 0.1)
    monkeypatch.setattr(streams, "RENEW_S", 0.1)
    bench = Bench(database, await a_workspace(database))
    yield bench
    await bench.execute("UPDATE channel SET status = 'paused'")


@pytest.fixture
async def running(bench: Bench) -> AsyncIterator[Streaming]:
    running = Streaming(bench.database)
    yield running
    await running.close()


def poller(bench: Bench, running: Streaming) -> Poller:
    return Poller(bench.database, bench.opener, running)


async def test_each_page_is_stored_with_its_cursor(bench: Bench, running: Streaming) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    assert await poller(bench, running).once()
    script.heard.put_nowait(a_page("1", "2"))
    script.heard.put_nowait(a_page("2", "3", cursor={"after": "3"}))
    await bench.soon(lambda: bench.posts(channel), 10)
    await bench.soon(lambda: _cursor(bench, channel, {"after": "3"}))
    assert await bench.posts(channel) == ["1", "2", "3"]
    state = await bench.state(channel)
    assert (state["health"], state["failures"]) == ("ok", 0)
    assert state["lease_token"] is not None
    assert await bench.told() == ["channel.connected"]
    assert not await poller(bench, running).once()  # it is ours, and nobody reads it beside
    await running.close()
    state = await bench.state(channel)
    assert (state["lease_token"], script.closed, len(running)) == (None, 1, 0)
    assert state["in_s"] <= 0  # the next process takes it at once
    again = Streaming(bench.database)
    assert await poller(bench, again).once()
    await bench.soon(lambda: script.streamed == [None, {"after": "3"}])
    await again.close()


async def _cursor(bench: Bench, channel: object, cursor: object) -> bool:
    return bool((await bench.state(channel))["cursor"] == cursor)  # type: ignore[arg-type]


async def test_nothing_is_lost_between_paging_and_streaming(bench: Bench, running: Streaming) -> None:
    script = Script(posts=["1", "2", "3"], page_size=2)
    channel = await bench.a_channel(TellingAndPaging(script))
    await poller(bench, running).once()
    await bench.soon(lambda: script.streamed)
    assert (script.paged[:2], script.streamed) == ([None, {"place": 2}], [{"place": 3}])
    # published in the moment in which the stream was being opened: only paging tells it
    script.posts += ["4", "5"]
    script.heard.put_nowait(a_page("6", cursor={"place": 6}))
    await bench.soon(lambda: len(script.paged) >= 3)
    await bench.soon(lambda: _cursor(bench, channel, {"place": 5}))
    assert await bench.posts(channel) == ["1", "2", "3", "4", "5", "6"]
    assert script.paged[2] == {"place": 3}, "the stream did not move the cursor before paging had caught up"
    script.heard.put_nowait(a_page("7", cursor={"place": 7}))
    await bench.soon(lambda: _cursor(bench, channel, {"place": 7}))
    assert len(script.paged) == 3


async def test_a_stream_that_says_nothing_is_caught_up_too(bench: Bench, running: Streaming) -> None:
    script = Script(posts=["1"])
    channel = await bench.a_channel(TellingAndPaging(script))
    await poller(bench, running).once()
    await bench.soon(lambda: script.streamed)
    script.posts.append("2")
    await bench.soon(lambda: len(script.paged) == 2)
    await bench.soon(lambda: _cursor(bench, channel, {"place": 2}))
    assert await bench.posts(channel) == ["1", "2"]


async def test_an_end_is_tried_again_and_said_once(
    bench: Bench, running: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    read = poller(bench, running)
    for failures in range(1, streams.PATIENCE + 2):
        script.heard.put_nowait(TryLater("The network broke off."))
        await bench.due(channel)
        await read.once()
        await bench.soon(lambda: len(running) == 0)
        state = await bench.state(channel)
        assert state["failures"] == failures
        assert state["in_s"] <= min(streams.FIRST_PAUSE_S * 2**failures, streams.LONGEST_PAUSE_S)
    assert (await bench.state(channel))["health"] == "failing"
    assert await bench.told() == ["channel.degraded"]
    await bench.due(channel)
    await read.once()
    script.heard.put_nowait(a_page("1"))
    await bench.soon(lambda: bench.posts(channel))
    assert await bench.told() == ["channel.degraded", "channel.connected", "channel.recovered"]


async def test_pauses_grow_are_drawn_and_keep_to_what_was_asked() -> None:
    usual = timedelta(minutes=5)
    drawn = [streams._pause(TryLater("cut"), 5, usual).total_seconds() for _ in range(200)]
    assert 0 <= min(drawn) < 8
    assert 24 < max(drawn) <= 32
    assert (
        max(streams._pause(TryLater("cut"), 60, usual).total_seconds() for _ in range(200)) <= streams.LONGEST_PAUSE_S
    )
    asked = TryLater("wait", timedelta(seconds=77))
    assert min(streams._pause(asked, 1, usual) for _ in range(20)) == timedelta(seconds=77)
    assert streams._pause(ChannelBroken("no"), 1, usual) == usual


async def test_a_wrong_credential_is_asked_for(bench: Bench, running: Streaming) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    script.heard.put_nowait(AskForNewCredential("It refuses our credential (401). Enter a new one."))
    await poller(bench, running).once()
    await bench.soon(lambda: len(running) == 0)
    state = await bench.state(channel)
    assert state["health"] == "reauth_required"
    assert state["in_s"] > 3_000
    assert await bench.told() == ["channel.reauth_required"]


async def test_a_quiet_stream_works(bench: Bench, running: Streaming) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script), health="failing", failures=7, failing_since=clock.now())
    await poller(bench, running).once()
    await bench.soon(lambda: _health(bench, channel, "ok"))
    assert (await bench.state(channel))["failures"] == 0
    assert await bench.told() == ["channel.connected", "channel.recovered"]


async def _health(bench: Bench, channel: object, health: str) -> bool:
    return bool((await bench.state(channel))["health"] == health)  # type: ignore[arg-type]


async def test_the_lease_is_kept_and_a_lost_one_ends_the_stream(bench: Bench, running: Streaming) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    await poller(bench, running).once()
    await bench.execute("UPDATE channel SET lease_until = now() + interval '1 second' WHERE id = :id", id=channel.id)
    await bench.soon(lambda: _leased(bench, channel, 60))
    await bench.execute("UPDATE channel SET lease_token = gen_random_uuid() WHERE id = :id", id=channel.id)
    script.heard.put_nowait(a_page("1"))
    await bench.soon(lambda: len(running) == 0)
    assert await bench.posts(channel) == []
    assert (await bench.state(channel))["lease_token"] is not None, "it is somebody else's"


async def _leased(bench: Bench, channel: object, seconds: float) -> bool:
    state = await bench.state(channel)  # type: ignore[arg-type]
    return bool((state["lease_until"] - clock.now()).total_seconds() > seconds)


@pytest.mark.parametrize("change", ["status = 'paused'", 'settings = \'{"words": "other"}\''])
async def test_what_a_person_changes_ends_it(bench: Bench, running: Streaming, change: str) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    await poller(bench, running).once()
    await bench.soon(lambda: script.streamed)
    await bench.execute(f"UPDATE channel SET {change} WHERE id = :id", id=channel.id)
    await bench.soon(lambda: len(running) == 0)
    state = await bench.state(channel)
    assert (state["lease_token"], state["failures"], script.closed) == (None, 0, 1)
    assert await poller(bench, running).once() == ("status" not in change)


async def test_only_so_many_at_once(bench: Bench, running: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "AT_ONCE", 2)
    scripts = [Script() for _ in range(3)]
    made = [await bench.a_channel(Telling(script)) for script in scripts]
    await poller(bench, running).once()
    assert len(running) == 2
    free = [state for channel in made if (state := await bench.state(channel))["lease_token"] is None]
    assert len(free) == 1
    assert 0 < free[0]["in_s"] <= 10


async def test_a_page_that_is_being_committed_is_committed_when_it_stops(
    bench: Bench, running: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script))
    entered, real = asyncio.Event(), pages.enter

    async def slow(*arguments: Any, **named: Any) -> object:
        entered.set()
        await asyncio.sleep(0.3)
        return await real(*arguments, **named)

    monkeypatch.setattr(pages, "enter", slow)
    await poller(bench, running).once()
    script.heard.put_nowait(a_page("1"))
    await asyncio.wait_for(entered.wait(), 60)
    await running.close()
    assert await bench.posts(channel) == ["1"]
    assert (await bench.state(channel))["cursor"] == {"after": "1"}


async def test_what_a_stream_does_not_tell_is_paged_now_and_then(
    bench: Bench, running: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PAGE_EVERY_S", 0.1)
    script = Script(posts=["1"])
    channel = await bench.a_channel(TellingAndPaging(script))
    await poller(bench, running).once()
    await bench.soon(lambda: len(script.paged) >= 3)
    script.heard.put_nowait(a_page("s1", cursor={"place": 1, "heard": 7}))
    script.posts.append("2")
    await bench.soon(lambda: _cursor(bench, channel, {"place": 2, "heard": 7}))
    assert await bench.posts(channel) == ["1", "2", "s1"]


async def test_paging_that_fails_does_not_end_a_stream_that_runs(
    bench: Bench, running: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PAGE_EVERY_S", 0.1)
    script = Script(posts=["1"])
    channel = await bench.a_channel(TellingAndPaging(script))
    await poller(bench, running).once()
    await bench.soon(lambda: len(script.paged) >= 2)
    script.answer = TryLater("Too many requests (429).", timedelta(seconds=900))
    asked = len(script.paged)
    await bench.soon(lambda: len(script.paged) > asked)
    script.heard.put_nowait(a_page("s1", cursor={"place": 1, "heard": 7}))
    await bench.soon(lambda: _cursor(bench, channel, {"place": 1, "heard": 7}))
    state = await bench.state(channel)
    assert (state["health"], state["failures"], len(running)) == ("ok", 0, 1)


def test_a_streams_cursor_is_laid_over_what_paging_moved() -> None:
    began = {"walk": 1, "heard": None, "since": 5}
    assert streams._laid_over({"walk": 3, "heard": None, "since": 5}, began, {"walk": 1, "heard": 9, "since": 5}) == {
        "walk": 3, "heard": 9, "since": 5,
    }  # fmt: skip
    assert streams._laid_over(None, {}, {"after": "1"}) == {"after": "1"}


async def test_a_channel_that_has_nothing_to_stream_is_paged(bench: Bench, running: Streaming) -> None:
    script = Script(posts=["1"])
    script.heard.put_nowait(None)
    channel = await bench.a_channel(TellingAndPaging(script))
    await poller(bench, running).once()
    await bench.soon(lambda: len(running) == 0)
    state = await bench.state(channel)
    assert (state["health"], state["failures"]) == ("ok", 0)
    assert 50 < state["in_s"] <= 60
    assert await bench.posts(channel) == ["1"]


async def test_a_channel_that_is_set_not_to_stream_is_paged(bench: Bench, running: Streaming) -> None:
    class Set(TellingAndPaging):
        def streaming(self) -> bool:
            return False

    script = Script(posts=["1"])
    channel = await bench.a_channel(Set(script))
    await poller(bench, running).once()
    assert (len(running), script.streamed) == (0, [])
    assert await bench.posts(channel) == ["1"]


async def test_a_stream_stops_when_its_budget_is_spent(bench: Bench, running: Streaming) -> None:
    script = Script()
    channel = await bench.a_channel(Telling(script), settings={"monthly_budget_usd": 0.01})
    await poller(bench, running).once()
    script.heard.put_nowait(a_page("1", cost=9_000))
    script.heard.put_nowait(a_page("2", cost=1_000))
    script.heard.put_nowait(a_page("3", cost=1_000))
    await bench.soon(lambda: len(running) == 0)
    state = await bench.state(channel)
    assert await bench.posts(channel) == ["1", "2"]
    assert state["health"] == "failing"
    assert "is spent" in state["health_detail"]
    assert state["next_poll_at"].day == 1


async def test_away_for_longer_than_it_can_replay_is_a_gap(bench: Bench, running: Streaming) -> None:
    class Replaying(Telling):
        def reach(self) -> timedelta:
            return timedelta(hours=1)

    script = Script()
    channel = await bench.a_channel(
        Replaying(script), cursor={"after": "9"}, last_success_at=clock.now() - timedelta(hours=3)
    )
    await poller(bench, running).once()
    (gap,) = await bench.soon(lambda: bench.gaps(channel))
    assert gap["until"] - gap["since"] == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=20))
    assert "channel.gap_found" in await bench.told()


FAULTS = (
    {"on": "page", "what": "server_error", "percent": 10},
    {"on": "page", "what": "cut_after_accept", "percent": 10},
    {"on": "page", "what": "refuse_connection", "percent": 5},
    {"on": "page", "what": "cut_off_answer", "percent": 5},
    {"on": "page", "what": "too_many_requests", "percent": 5, "seconds": 0.05},
)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_a_network_does_nothing_is_lost_or_doubled(
    bench: Bench, running: Streaming, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(streams, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(streams, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(simulated, "STREAM_REST_S", 0.01)
    settings = {"venue": "rough", "streams": True, "page_size": 3, "faults": FAULTS, "seed": seed}
    channel = await a_channel(
        bench.database, bench.workspace_id, type="simulated", next_poll_at=clock.now(), settings=settings
    )
    venue = venue_of(workspace_folder(tmp_path, bench.workspace_id), "rough")
    read = Poller(bench.database, Opener(Vault("k" * 40), HttpClient(), tmp_path), running)
    for number in range(40):
        venue.post(f"words {number}", id=f"p{number:02}")
        if number % 4 == 0:
            await bench.due(channel)
            await read.once()
            await asyncio.sleep(0.03)
    expected = [f"p{number:02}" for number in range(40)]
    async with asyncio.timeout(90):
        while await bench.posts(channel) != expected:
            await bench.due(channel)
            await read.once()
            await asyncio.sleep(0.05)
    told = await bench.told("mention.")
    assert told == ["mention.received"] * 40
