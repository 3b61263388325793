"""Bluesky, Mastodon and X, away for two hours: what was said meanwhile is read once they are back, all of it, once."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import TryLater
from services.ingest.channels.bluesky import Bluesky
from services.ingest.channels.mastodon import Mastodon
from services.ingest.channels.x import X
from services.ingest.networks import atproto_session, mastodon_instance
from tests.ingest.site import Now
from tests.venues import Venue, read_on
from tests.venues import bluesky as played_bluesky
from tests.venues import mastodon as played_mastodon
from tests.venues import x as played_x

Say = Callable[[str], str]


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    atproto_session._sessions.clear()
    mastodon_instance._known.clear()
    yield
    atproto_session._sessions.clear()
    mastodon_instance._known.clear()


def _bluesky(now: Now) -> tuple[Venue, Any, Say]:
    venue = played_bluesky.Bluesky(page_size=4)
    settings = {"handle": "acmetel.test", "queries": ["acmetel"]}
    channel = Bluesky(settings, {"app_password": played_bluesky.PASSWORD}, venue.http())
    return venue, channel, lambda text: venue.post(len(venue.records), text, at=now.at)


def _mastodon(now: Now) -> tuple[Venue, Any, Say]:
    venue = played_mastodon.Mastodon(most=4)
    settings = {"instance": played_mastodon.ADDRESS, "hashtags": ["acmetel"]}
    channel = Mastodon(settings, {}, venue.http())
    return venue, channel, lambda text: str(venue.post(f"#{text}", at=now.at)["uri"])


def _x(now: Now) -> tuple[Venue, Any, Say]:
    venue = played_x.X(page_size=4)
    channel = X({"queries": ["acmetel"], "compliance": False}, played_x.SECRETS, venue.http())
    return venue, channel, lambda text: venue.post(text, at=now.at)


@pytest.mark.parametrize("played", [_bluesky, _mastodon, _x])
async def test_two_hours_away(played: Callable[[Now], tuple[Venue, Any, Say]], now: Now) -> None:
    venue, channel, say = played(now)
    before = [say(f"acmetel before {number}") for number in range(3)]
    now.at += timedelta(minutes=1)
    first = await read_on(channel)
    now.at += timedelta(minutes=30)
    missed: list[str] = []
    for number in range(24):
        now.at += timedelta(minutes=5)
        missed.append(say(f"acmetel meanwhile {number}"))
        venue.faults.extend([httpx.Response(503, headers={"Retry-After": "300"})] * 3)
        with pytest.raises(TryLater) as caught:
            await channel.page(first.cursor)
        assert caught.value.after == timedelta(minutes=5)
        venue.faults.clear()
    now.at += timedelta(minutes=1)
    back = await read_on(channel, first.cursor)
    assert sorted(first.ids) == sorted(before)
    fresh = Counter(one for one in back.ids if one not in before)  # what is read twice is known by its id
    assert fresh == Counter(missed)
