"""Hacker News is walked back from the newest, and what stands there no more is found out."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import TryLater
from services.ingest.channels.hacker_news import LAG, LOOKS, PAGE_SIZE, HackerNews
from shared.kit import clock
from tests.ingest.site import NOON, Now
from tests.venues import read_on
from tests.venues.hacker_news import HackerNewsVenue


@pytest.fixture
def venue(now: Now) -> HackerNewsVenue:
    return HackerNewsVenue(clock.now)


def channel(venue: HackerNewsVenue, **settings: object) -> HackerNews:
    return HackerNews({"query": "northwind", **settings}, {}, venue.http())


async def test_more_than_the_search_ever_gives_is_read_whole(venue: HackerNewsVenue) -> None:
    for number in range(1_350):
        venue.says(number + 1, NOON - timedelta(minutes=5 * number))  # older than a week at the end
    heard = await read_on(channel(venue, days_back=30))
    assert sorted({int(one) for one in heard.ids}) == list(range(1, 1_351))
    assert len(venue.asked_for("search_by_date")) <= 1_350 // (PAGE_SIZE - 1) + 2
    assert (await read_on(channel(venue, days_back=2))).mentions[0].published_at >= NOON - timedelta(days=2)


async def test_a_failure_in_the_middle_loses_nothing(venue: HackerNewsVenue) -> None:
    for number in range(350):
        venue.says(number + 1, NOON - timedelta(minutes=number))
    reader, ids, cursor = channel(venue), set[str](), None
    venue.faults.extend(
        [None, httpx.Response(429, headers={"Retry-After": "9"}), httpx.ReadTimeout, None, httpx.Response(502), None]
    )
    failures = 0
    for _ in range(20):
        try:
            page = await reader.page(cursor)
        except TryLater:
            failures += 1
            continue
        ids |= {one.external_id for one in page.mentions}
        cursor = page.cursor
        if not page.has_more:
            break
    assert failures == 3
    assert ids == {str(number + 1) for number in range(350)}


async def test_what_is_indexed_late_and_what_is_edited_is_heard(venue: HackerNewsVenue, now: Now) -> None:
    venue.says(1, NOON)
    venue.says(2, NOON - timedelta(minutes=20), indexed_at=NOON + timedelta(minutes=10))
    first = await read_on(channel(venue))
    assert first.ids == ["1"]
    now.at = NOON + timedelta(hours=1)
    venue.posts[1].text = "northwind, edited"
    second = await read_on(channel(venue), first.cursor)
    assert {one.external_id: one.text for one in second.mentions} == {"2": "northwind again", "1": "northwind, edited"}
    now.at = NOON + LAG + timedelta(hours=2)
    venue.says(3, now.at)
    third = await read_on(channel(venue), second.cursor)
    assert third.ids == ["2", "1", "3"]  # down to LAG before the newest known
    assert (await read_on(channel(venue), third.cursor)).ids == ["3"]


async def test_what_is_deleted_or_dead_becomes_a_tombstone(venue: HackerNewsVenue, now: Now) -> None:
    for number in range(1, 9):
        venue.says(number, NOON - timedelta(minutes=number))
    heard = await read_on(channel(venue))
    venue.posts[3].gone, venue.posts[6].gone = "deleted", "dead"
    del venue.posts[7]
    gone = list[str]()
    for _ in range(3):
        heard = await read_on(channel(venue), heard.cursor)
        assert len(venue.asked_for("/item/")) % LOOKS == 0 or len(gone) == 3
        gone += heard.gone
    assert sorted(gone) == ["3", "6", "7"]
    now.at = NOON + timedelta(days=3)
    heard = await read_on(channel(venue), heard.cursor)
    asked = len(venue.asked_for("/item/"))
    await read_on(channel(venue), heard.cursor)
    assert len(venue.asked_for("/item/")) == asked, "nobody looks for ever"


async def test_a_look_that_fails_does_not_hold_up_what_was_found(venue: HackerNewsVenue) -> None:
    venue.says(1, NOON)
    venue.faults.extend([None, httpx.Response(503)])
    heard = await read_on(channel(venue))
    assert heard.ids == ["1"]
    venue.posts[1].gone = "dead"
    assert (await read_on(channel(venue), heard.cursor)).gone == ["1"]


async def test_it_reads_back_in_time(venue: HackerNewsVenue) -> None:
    for number in range(250):
        venue.says(number + 1, NOON - timedelta(days=20, minutes=number))
    reader, cursor, ids = channel(venue, kinds="comments"), None, set[str]()
    while True:
        page = await reader.backfill(NOON - timedelta(days=30), cursor)
        ids |= {one.external_id for one in page.mentions}
        cursor = page.cursor
        if not page.has_more:
            break
    assert ids == {str(number + 1) for number in range(250) if (number + 1) % 5}
    assert (await reader.backfill(NOON - timedelta(days=19), None)).mentions == ()


async def test_more_in_one_second_than_a_page_holds_does_not_go_on_for_ever(venue: HackerNewsVenue) -> None:
    for number in range(PAGE_SIZE + 20):
        venue.says(number + 1, NOON - timedelta(hours=1))
    venue.says(1_000, NOON - timedelta(hours=2))
    heard = await read_on(channel(venue), most=5)
    assert "1000" in heard.ids
