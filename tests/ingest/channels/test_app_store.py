"""The App Store: feeds without a key, App Store Connect with one, and an answer that takes the place of the one before."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    Post,
    ReplyRules,
    SkipThis,
    TryLater,
)
from services.ingest.channels.app_store import AppStore
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.app_store import APP, LONGEST, SECRETS, AppStoreVenue


@pytest.fixture
def venue(now: Now) -> AppStoreVenue:
    return AppStoreVenue()


def feed(venue: AppStoreVenue, *countries: str) -> AppStore:
    return AppStore({"app_id": APP, "countries": countries or ("us",)}, {}, venue.http())


def connect(venue: AppStoreVenue, **secrets: str) -> AppStore:
    return AppStore({"app_id": APP}, {**SECRETS, **secrets}, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(text=text, token="t", in_reply_to=to)


async def test_feeds_of_several_countries_are_read_down_to_what_is_known(venue: AppStoreVenue, now: Now) -> None:
    for number in range(1, 121):
        venue.review(number, NOON - timedelta(hours=number), country="us")
    venue.review(500, NOON - timedelta(hours=1), country="nl")
    first = await read_on(feed(venue, "us", "nl"))
    assert sorted(map(int, first.ids)) == [*range(1, 121), 500]
    assert {one.country for one in first.mentions} == {"US", "NL"}
    asked = len(venue.asked)
    now.at = NOON + timedelta(hours=1)
    venue.review(501, now.at, country="nl")
    venue.reviews["3"] |= {"at": now.at, "text": "better now"}
    second = await read_on(feed(venue, "us", "nl"), first.cursor)
    told = {one.external_id: one for one in second.mentions}
    assert told["3"].text == "better now"
    assert "501" in told
    assert len(venue.asked) - asked <= 3
    assert second.gaps() == []


async def test_what_slid_out_of_the_feed_is_told_as_a_gap(venue: AppStoreVenue, now: Now) -> None:
    venue.review(1, NOON)
    first = await read_on(feed(venue))
    now.at = NOON + timedelta(days=10)
    for number in range(600):
        venue.review(1_000 + number, now.at - timedelta(minutes=number))
    second = await read_on(feed(venue), first.cursor)
    assert len(second.ids) == 500
    (gap,) = second.gaps()
    assert (gap.since, gap.until) == (NOON, now.at - timedelta(minutes=499))
    assert (await read_on(feed(venue), second.cursor)).gaps() == []


async def test_without_a_key_it_is_not_answered(venue: AppStoreVenue) -> None:
    assert feed(venue).reply_rules == ReplyRules()
    assert (await feed(venue).account()).name == "Northwind"
    with pytest.raises(AskForNewCredential, match="issuer_id, key_id and private_key"):
        await feed(venue).reply_publicly(reply("1"))


async def test_connect_is_read_whole_over_failures(venue: AppStoreVenue, now: Now) -> None:
    for number in range(1, 451):
        venue.review(number, NOON - timedelta(hours=number))
    reader, cursor, ids = connect(venue), None, list[str]()
    page = Page()
    venue.faults.extend([None, httpx.Response(429, headers={"Retry-After": "60"}), httpx.ReadTimeout, None])
    for _ in range(9):
        try:
            page = await reader.page(cursor)
        except TryLater:
            continue
        ids += [one.external_id for one in page.mentions]
        cursor = page.cursor
        if not page.has_more:
            break
    assert sorted(map(int, ids)) == list(range(1, 451))
    assert page.quota_left == venue.left
    now.at = NOON + timedelta(hours=1)
    venue.review(900, now.at)
    second = await read_on(reader, cursor)
    assert "900" in second.ids
    assert len(second.pages) == 1


async def test_a_next_link_leads_nowhere_else(venue: AppStoreVenue) -> None:
    venue.review(1, NOON)
    elsewhere = {"data": [], "links": {"next": "https://evil.example/v1/steal?cursor=1&sort=-createdDate"}}
    venue.faults.append(
        lambda answer: httpx.Response(200, json={**answer.json(), **elsewhere, "data": answer.json()["data"]})
    )
    await read_on(connect(venue))
    assert {request.url.host for request in venue.asked} == {"api.appstoreconnect.apple.com"}


async def test_the_token_is_signed_as_apple_wants_it(venue: AppStoreVenue) -> None:
    account = await connect(venue).account()
    assert (account.name, account.handle) == ("Northwind", "com.northwind.app")
    for wrong in ({"private_key": "nonsense"}, {"key_id": "other"}, {"issuer_id": "other"}):
        with pytest.raises(AskForNewCredential):
            await connect(venue, **wrong).account()


async def test_an_answer_replaces_the_one_before_and_is_found_again(venue: AppStoreVenue, now: Now) -> None:
    review = venue.review(1, NOON)
    writer = connect(venue)
    assert await writer.find_reply(reply(review), private=False, since=NOON) is None
    sent = await writer.reply_publicly(reply(review))
    assert await writer.find_reply(reply(review), private=False, since=NOON) == sent
    now.at = NOON + timedelta(minutes=5)
    second = await writer.reply_publicly(reply(review, "Solved."))
    assert second.external_id == sent.external_id
    assert await writer.find_reply(reply(review), private=False, since=NOON) is None
    await writer.delete_reply(Post(second.external_id))
    await writer.delete_reply(Post(second.external_id))
    assert venue.responses == {}


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: AppStoreVenue) -> None:
    review = venue.review(1, NOON)
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await connect(venue).reply_publicly(reply(review))
    assert await connect(venue).find_reply(reply(review), private=False, since=NOON) is not None
    venue.faults.append(httpx.Response(500))
    with pytest.raises(OutcomeUnknown):
        await connect(venue).reply_publicly(reply(review, "Other"))
    assert await connect(venue).find_reply(reply(review, "Other"), private=False, since=NOON) is None


async def test_what_apple_refuses_is_told(venue: AppStoreVenue) -> None:
    review = venue.review(1, NOON)
    with pytest.raises(SkipThis, match="invalid value"):
        await connect(venue).reply_publicly(reply(review, "x" * (LONGEST + 1)))
    venue.may_answer = False
    with pytest.raises(AskForNewCredential, match="answer reviews"):
        await connect(venue).reply_publicly(reply(review))
