"""Stack Exchange is read in rounds: questions, what stands under them, what is gone; and it is left alone when it asks for that."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import ChannelBroken, TryLater
from services.ingest.channels.stack_exchange import LOOK_EVERY_S, POLL_AFTER, StackExchange
from tests.ingest.site import NOON, Now
from tests.venues import read_on
from tests.venues.stack_exchange import StackExchangeVenue


@pytest.fixture
def venue(now: Now) -> StackExchangeVenue:
    return StackExchangeVenue()


def channel(venue: StackExchangeVenue, key: str | None = None, **settings: object) -> StackExchange:
    return StackExchange({"query": "northwind", **settings}, {"key": key} if key else {}, venue.http())


async def test_questions_answers_and_comments_are_read_whole(venue: StackExchangeVenue) -> None:
    for number in range(1, 231):
        venue.asks(number, NOON - timedelta(minutes=number))
    venue.asks(500, NOON, "something else")
    venue.answers_it(600, 3, NOON - timedelta(minutes=1))
    venue.remarks(700, 3, NOON)
    venue.remarks(701, 600, NOON)
    heard = await read_on(channel(venue))
    assert set(heard.ids) == {*map(str, range(1, 231)), "600", "c700", "c701"}
    told = {one.external_id: one for one in heard.mentions}
    assert told["600"].in_reply_to == told["600"].thread_id == "3"
    assert (told["c701"].in_reply_to, told["c701"].thread_id) == ("600", "3")
    assert heard.pages[-1].quota_left == venue.quota
    assert heard.pages[-1].poll_after == POLL_AFTER[False]


async def test_a_new_round_brings_what_changed(venue: StackExchangeVenue, now: Now) -> None:
    venue.asks(1, NOON - timedelta(days=2))
    venue.asks(2, NOON - timedelta(days=1))
    first = await read_on(channel(venue))
    now.at = NOON + timedelta(hours=1)
    venue.questions[1] |= {"title": "northwind, edited", "last_edit_date": int(now.at.timestamp())}
    venue.questions[1]["last_activity_date"] = int(now.at.timestamp())
    venue.answers_it(3, 2, now.at)
    venue.remarks(4, 1, now.at)
    second = await read_on(channel(venue), first.cursor)
    assert set(second.ids) == {"1", "3", "c4"}
    (edited,) = [one for one in second.mentions if one.external_id == "1"]
    assert edited.edited_at == now.at


async def test_what_is_gone_is_noticed_twice_a_day(venue: StackExchangeVenue, now: Now) -> None:
    for number in (1, 2):
        venue.asks(number, NOON)
    venue.answers_it(3, 1, NOON)
    heard = await read_on(channel(venue))
    del venue.questions[2], venue.answers[3]
    now.at = NOON + timedelta(minutes=30)
    heard = await read_on(channel(venue), heard.cursor)
    assert heard.gone == []
    now.at = NOON + timedelta(seconds=LOOK_EVERY_S)
    heard = await read_on(channel(venue), heard.cursor)
    assert sorted(heard.gone) == ["2", "3"]
    assert (await read_on(channel(venue), heard.cursor)).gone == []


async def test_it_backs_off_and_goes_on_where_it_was(venue: StackExchangeVenue) -> None:
    venue.asks(1, NOON)
    venue.remarks(2, 1, NOON)
    reader = channel(venue, "a-key")
    venue.backoff = 40
    page = await reader.page(None)
    assert (page.has_more, page.poll_after) == (False, timedelta(seconds=40))
    heard = await read_on(reader, page.cursor)
    assert heard.ids == ["c2"]
    assert all(request.url.params["key"] == "a-key" for request in venue.asked)
    assert heard.pages[-1].poll_after == POLL_AFTER[True]


async def test_a_quota_that_is_used_up_rests_until_the_next_day(venue: StackExchangeVenue) -> None:
    venue.asks(1, NOON)
    venue.quota = 1
    page = await channel(venue).page(None)
    assert (page.quota_left, page.has_more, page.poll_after) == (0, False, timedelta(hours=12))
    with pytest.raises(TryLater) as caught:
        await channel(venue).page(page.cursor)
    assert caught.value.after == timedelta(seconds=5_000)


async def test_a_failure_leaves_the_round_where_it_was(venue: StackExchangeVenue) -> None:
    for number in range(1, 151):
        venue.asks(number, NOON - timedelta(minutes=number))
    venue.remarks(900, 1, NOON)
    reader, cursor, ids = channel(venue), None, set[str]()
    venue.faults.extend([None, httpx.Response(503), None, httpx.ReadTimeout, None])
    for _ in range(20):
        try:
            page = await reader.page(cursor)
        except TryLater:
            continue
        ids |= {one.external_id for one in page.mentions}
        cursor = page.cursor
        if not page.has_more:
            break
    assert ids == {*map(str, range(1, 151)), "c900"}


async def test_what_it_does_not_take_is_told(venue: StackExchangeVenue) -> None:
    with pytest.raises(ChannelBroken, match="refuses what it was asked: site"):
        await channel(venue, site="nowhere").page(None)
