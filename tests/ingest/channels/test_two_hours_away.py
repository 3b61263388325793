"""Every polled venue away for two hours, and every one with its faults: all of it is read, once. What a venue shows no more when
we are back is told as a gap, or, where it could not even be known, said here."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from services.ingest import catalog
from services.ingest.channel import Backfills, Cursor, Gap, PagesByCursor, ReachesBack, TryLater
from services.ingest.channels import isso, lemmy
from services.ingest.networks import atproto_session, mastodon_instance
from tests import venues
from tests.ingest.cast import CAST, Feed, Kept, Part, words
from tests.ingest.site import Now
from tests.venues import SOON, Fault, lost
from tests.venues.google_play import GooglePlayVenue
from tests.venues.telegram import TelegramVenue
from tests.venues.x import X

FAULTS: list[Fault] = [
    httpx.Response(429, headers={"Retry-After": "9"}),
    httpx.ReadTimeout,
    httpx.Response(502),
    lost,
    httpx.RemoteProtocolError,
    httpx.Response(200, content=b'{"half of'),
    httpx.Response(200, content=b""),
]
VENUES = Path(venues.__file__).parent


@pytest.fixture(autouse=True)
def _nothing_is_known() -> Iterator[None]:
    atproto_session._sessions.clear()
    mastodon_instance._known.clear()
    yield
    atproto_session._sessions.clear()
    mastodon_instance._known.clear()


@pytest.fixture
async def part(request: pytest.FixtureRequest, now: Now) -> AsyncIterator[Part]:
    made = CAST[request.param](now)
    played = made if isinstance(made, Part) else await made
    yield played
    if played.stop is not None:
        await played.stop()


async def read(channel: PagesByCursor, kept: Kept, cursor: Cursor | None) -> tuple[Cursor, list[Gap], int]:
    """Reads until there is no more, as the runner does: what fails is asked again from the same cursor. Returns the cursor, the
    gaps told, and how often it failed."""
    gaps, failures, quiet = list[Gap](), 0, 0
    for _ in range(500):
        try:
            page = await channel.page(cursor)
        except TryLater:
            failures += 1
            continue
        kept.take(page.mentions)
        gaps += page.gaps
        cursor = orjson.loads(orjson.dumps(page.cursor))
        quiet = 0 if page.mentions else quiet + 1
        rests = page.poll_after is None or page.poll_after > SOON
        if not page.has_more and (rests or quiet > 2):  # Telegram is asked again soon, whatever came
            return cursor, gaps, failures
    raise AssertionError("still more after 500 calls")


def test_every_polled_channel_whose_venue_is_played_has_a_part() -> None:
    """WhatsApp has none: it shows nothing back, so what Meta could not deliver while it tried is lost."""
    polled = {one for one in catalog.types() if issubclass(catalog.load(one), PagesByCursor)}
    played = {one for one in polled if (VENUES / f"{one}.py").exists()} | {"rss"}
    assert {name.partition(",")[0] for name in CAST} == played, "give it a part in tests/ingest/cast.py"
    assert "whatsapp" not in polled


@pytest.mark.parametrize("part", CAST, indirect=True)
async def test_two_hours_away(part: Part, now: Now) -> None:
    kept = Kept()
    for number in range(3):
        part.say(number, words(number))
    now.at += timedelta(minutes=1)
    cursor, _, _ = await read(part.channel, kept, None)
    assert kept.numbers == [0, 1, 2]
    now.at += timedelta(minutes=30)
    for number in range(3, 27):
        now.at += timedelta(minutes=5)
        part.say(number, words(number))
        part.away()
        with pytest.raises(TryLater) as caught:
            await part.channel.page(cursor)
        assert part.venue is None or caught.value.after == timedelta(minutes=5)
        part.back()
    now.at += timedelta(minutes=1)
    cursor, gaps, failures = await read(part.channel, kept, cursor)
    assert kept.numbers == list(range(27))
    assert (gaps, failures) == ([], 0), "it could be read back by paging alone"
    now.at += timedelta(hours=7)  # every venue's overlap, and its next look at what was read
    part.say(27, words(27))
    await read(part.channel, kept, cursor)
    assert kept.numbers == list(range(28))


AT_MOST: Mapping[type[Any], tuple[int, timedelta]] = {
    Feed: (40, timedelta(minutes=1)),
    TelegramVenue: (230, timedelta(minutes=1)),
    X: (130, timedelta(minutes=30)),
    GooglePlayVenue: (230, timedelta(minutes=20)),
}
HTTP = [name for name in CAST if name not in ("mail", "nntp")]


@pytest.mark.parametrize("part", HTTP, indirect=True)
@pytest.mark.parametrize("passing", [0, 1, 2])
async def test_faults_at_any_call_lose_and_double_nothing(part: Part, passing: int, now: Now) -> None:
    assert part.venue is not None
    kept = Kept()
    for number in range(2):  # in each of two lists: one in which nothing was found yet is read for its first days only
        part.say(number, words(number))
    now.at += timedelta(minutes=1)
    cursor, _, _ = await read(part.channel, kept, None)
    # some in the same second, over more pages and a longer time than any overlap; but what the venue still shows
    many, step = AT_MOST.get(type(part.venue), (230, timedelta(minutes=30)))
    for number in range(2, many):
        now.at += step * (number % 3)
        part.say(number, words(number))
    now.at += timedelta(minutes=1)
    for fault in FAULTS:
        part.venue.faults.extend([*[None] * passing, fault])
    for _ in range(30):  # until all faults were met
        cursor, gaps, _ = await read(part.channel, kept, cursor)
        assert gaps == []
        now.at += timedelta(minutes=10)
        if not part.venue.faults:
            break
    assert not part.venue.faults
    assert kept.numbers == list(range(many))


async def _gap_of(name: str, now: Now, many: int, gone_for: timedelta) -> tuple[Any, list[Gap], Kept]:
    """Reads, is away while `many` are said, reads again. The gaps, by the channel or, by its reach, by the runner."""
    made = CAST[name](now)
    assert isinstance(made, Part)
    kept = Kept()
    made.say(0, words(0))
    now.at += timedelta(minutes=1)
    cursor, _, _ = await read(made.channel, kept, None)
    was_there = now.at
    for number in range(1, many + 1):
        now.at += gone_for / many
        made.say(number, words(number))
    now.at += timedelta(seconds=1)
    _, gaps, _ = await read(made.channel, kept, cursor)
    if isinstance(made.channel, ReachesBack) and (reach := made.channel.reach()) and now.at - reach > was_there:
        gaps.append(Gap(was_there, now.at - reach, "It reaches back only so far."))
    return made.channel, gaps, kept


@pytest.mark.parametrize(
    ("name", "many", "gone_for"),
    [
        ("google_play", 40, timedelta(days=20)),  # shows a week
        ("telegram", 40, timedelta(days=2)),  # keeps a day
        ("app_store, by its feeds", 1_040, timedelta(hours=2)),  # shows 500 of a country
        ("reddit", 2_400, timedelta(hours=2)),  # lists about 1,000 things
        ("isso", 300, timedelta(hours=2)),  # shows its latest
        ("lemmy", 700, timedelta(hours=2)),  # gives so many pages
    ],
)
async def test_what_a_venue_shows_no_more_is_told_and_stays_a_gap(
    name: str, many: int, gone_for: timedelta, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isso, "LISTED", 50)  # the venue's own figures, smaller
    monkeypatch.setattr(isso, "LISTED_AT_MOST", 100)
    monkeypatch.setattr(lemmy, "MOST_PAGES", 3)
    began = now.at
    channel, gaps, kept = await _gap_of(name, now, many, gone_for)
    missing = sorted(set(range(many + 1)) - set(kept.numbers))
    assert missing, "the venue shows all of it after all"
    step = gone_for / many
    for number in missing:
        at = began + timedelta(minutes=1) + step * number
        assert any(gap.since - timedelta(seconds=1) <= at <= gap.until + timedelta(seconds=1) for gap in gaps), number
    assert all(gap.reason.endswith(".") for gap in gaps)
    assert not isinstance(channel, Backfills), "then the runner would read it again"


async def test_a_feed_that_moved_on_tells_nobody(now: Now) -> None:
    """A feed shows its newest only and does not say how many there were: what slid out while we were away is lost unheard."""
    made = CAST["rss"](now)
    assert isinstance(made, Part)
    kept = Kept()
    made.say(0, words(0))
    cursor, _, _ = await read(made.channel, kept, None)
    for number in range(1, 61):
        made.say(number, words(number))
    now.at += timedelta(hours=2)
    _, gaps, _ = await read(made.channel, kept, cursor)
    assert kept.numbers == [0, *range(21, 61)]
    assert gaps == []
