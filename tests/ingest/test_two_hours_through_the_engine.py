"""Two venues cut off for two hours of a test's time, through the real poller and the real reading of gaps, on Postgres."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import httpx
import orjson
import pytest

from services.ingest.channel import Channel as Network
from services.ingest.gaps import Filler
from services.ingest.networks import atproto_session
from services.ingest.poller import Poller
from shared.kit import clock
from shared.kit.database import Database
from shared.models.channel import Channel
from tests.builders import a_workspace
from tests.ingest.cast import CAST, Part, words
from tests.ingest.scripted import Bench
from tests.ingest.site import Now
from tests.venues.bluesky import Bluesky
from tests.venues.hacker_news import HackerNewsVenue

SHOWN_AGAIN = timedelta(minutes=30)
UNSEEN = range(6, 10)
"""Posts of the two hours that the venue does not show yet when we are back."""


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    atproto_session._sessions.clear()
    yield
    atproto_session._sessions.clear()


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    bench = Bench(database, await a_workspace(database))
    yield bench
    await bench.execute("UPDATE channel SET status = 'paused'")
    await bench.execute("UPDATE channel_gap SET next_try_at = NULL")


def telling_half_an_hour(network: Any) -> Network:
    """The same channel, at a venue of which it is known that it tells for sure only of the last half hour."""

    class Brief(type(network)):  # type: ignore[misc]  # a class that the test is given
        def reach(self) -> timedelta:
            return SHOWN_AGAIN

    network.__class__ = Brief
    return cast(Network, network)


def unseen(part: Part, now: Now) -> Callable[[], None]:
    """Hides some of what was said; what is returned shows it."""
    if isinstance(venue := part.venue, Bluesky):
        texts = {words(number) for number in UNSEEN}
        venue.hidden |= {uri for uri, post in venue.records.items() if post["record"]["text"] in texts}
        assert len(venue.hidden) == len(UNSEEN)
        return venue.hidden.clear
    assert isinstance(venue, HackerNewsVenue)
    for number in UNSEEN:
        venue.posts[number + 1].indexed_at = now.at + timedelta(minutes=5)

    def later() -> None:
        now.at += timedelta(minutes=6)

    return later


async def poll(bench: Bench, channel: Channel) -> None:
    """Polls until the channel has no more at once. The clock runs ahead of Postgres', by which channels are due."""
    for _ in range(100):
        await bench.due(channel)
        await Poller(bench.database, bench.opener).once()
        if (await bench.state(channel))["next_poll_at"] > clock.now():
            return
    raise AssertionError("the channel has always more")


@pytest.mark.parametrize("name", ["bluesky", "hacker_news"])
async def test_a_venue_is_cut_off_for_two_hours(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = Now()
    now.at = clock.now()
    monkeypatch.setattr(clock, "now", now)
    part = CAST[name](now)
    assert isinstance(part, Part)
    assert part.venue is not None
    channel = await bench.a_channel(cast(Any, telling_half_an_hour(part.channel)), type=name)
    for number in range(3):
        part.say(number, words(number))
    now.at += timedelta(minutes=1)
    await poll(bench, channel)
    assert len(await bench.posts(channel)) == 3
    was_there = (await bench.state(channel))["last_success_at"]

    for number in range(3, 27):
        now.at += timedelta(minutes=5)
        part.say(number, words(number))
        part.venue.faults.extend([httpx.Response(503)] * 20)
        await poll(bench, channel)
        part.venue.faults.clear()
    assert len(await bench.posts(channel)) == 3
    assert await bench.told() == ["channel.connected", "channel.degraded"], "it is said once"

    show = unseen(part, now)
    now.at += timedelta(minutes=1)
    await poll(bench, channel)
    assert len(await bench.posts(channel)) == 27 - len(UNSEEN)
    (gap,) = await bench.gaps(channel)
    assert gap["since"] == was_there
    assert timedelta(0) <= now.at - SHOWN_AGAIN - gap["until"] < timedelta(seconds=5)
    assert gap["closed_at"] is None
    once = ["channel.connected", "channel.degraded", "channel.gap_found", "channel.recovered"]
    assert sorted(await bench.told()) == once

    show()
    for _ in range(20):
        await bench.execute("UPDATE channel_gap SET next_try_at = now() WHERE next_try_at IS NOT NULL")
        if not await Filler(bench.database, bench.opener).once():
            break
    (gap,) = await bench.gaps(channel)
    assert gap["closed_at"] is not None, gap["error"]
    assert gap["recovered"] == len(UNSEEN)
    assert len(await bench.posts(channel)) == 27
    assert sorted(await bench.told()) == sorted([*once, "channel.gap_closed"])
    received = await bench.rows("SELECT payload, subject_id FROM outbox WHERE type = 'mention.received'")
    assert set(Counter(row["subject_id"] for row in received).values()) == {1}
    assert len(received) == 27, [orjson.loads(row["payload"]) for row in received]

    await poll(bench, channel)
    assert len(await bench.posts(channel)) == 27
    assert len(await bench.gaps(channel)) == 1
