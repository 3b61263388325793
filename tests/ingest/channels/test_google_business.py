"""Google Business Profile: the places take turns, and a review has one answer."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels.google_business import GoogleBusiness
from shared.rules.reply_length import fits
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.google import BY_PERSON, error
from tests.venues.google_business import LONGEST, PLACES, GoogleBusinessVenue


@pytest.fixture
def venue(now: Now) -> GoogleBusinessVenue:
    return GoogleBusinessVenue()


def channel(venue: GoogleBusinessVenue, *places: str) -> GoogleBusiness:
    return GoogleBusiness({"locations": places or PLACES}, BY_PERSON, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(text=text, token="t", in_reply_to=to)


async def test_all_places_are_read_over_failures_and_then_only_what_changed(
    venue: GoogleBusinessVenue, now: Now
) -> None:
    wanted = {venue.review(number, NOON - timedelta(hours=number)) for number in range(130)}
    wanted |= {venue.review(number, NOON - timedelta(hours=number), place=PLACES[1]) for number in range(60)}
    reader, cursor, ids = channel(venue), None, list[str]()
    venue.faults.extend(
        [None, None, None, httpx.Response(503), httpx.ReadTimeout, None, error(429, "x", "RESOURCE_EXHAUSTED")]
    )
    failures = 0
    for _ in range(15):
        try:
            page = await reader.page(cursor)
        except TryLater:
            failures += 1
            continue
        ids += [one.external_id for one in page.mentions]
        cursor = page.cursor
        if not page.has_more:
            break
    assert failures == 3
    assert sorted(ids) == sorted(wanted)
    now.at = NOON + timedelta(hours=1)
    changed = f"{PLACES[0]}/reviews/r100"
    venue.reviews[changed] |= {"comment": "hot now", "starRating": "FIVE", "updateTime": now.at.isoformat()}
    asked = len(venue.asked_api())
    second = await read_on(reader, cursor)
    told = {one.external_id: one for one in second.mentions}
    assert (told[changed].text, told[changed].rating, told[changed].edited_at) == ("hot now", 5, now.at)
    assert len(venue.asked_api()) - asked == 2, "one page for each place"


async def test_an_answer_replaces_the_one_before_and_can_be_taken_away(venue: GoogleBusinessVenue, now: Now) -> None:
    review = venue.review(1, NOON)
    writer = channel(venue)
    assert await writer.find_reply(reply(review), private=False, since=NOON) is None
    sent = await writer.reply_publicly(reply(review))
    assert sent.external_id == f"{review}/reply"
    assert await writer.find_reply(reply(review), private=False, since=NOON) == sent
    now.at = NOON + timedelta(minutes=1)
    await writer.reply_publicly(reply(review, "Solved."))
    assert venue.reviews[review]["reviewReply"]["comment"] == "Solved."
    assert await writer.find_reply(reply(review), private=False, since=NOON) is None
    for _ in range(2):
        await writer.delete_reply(Post(sent.external_id))
    assert "reviewReply" not in venue.reviews[review]


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: GoogleBusinessVenue) -> None:
    review = venue.review(1, NOON)
    for fault, stands in ((lost, True), (httpx.Response(500), False)):
        venue.faults.extend([None, fault])
        with pytest.raises(OutcomeUnknown):
            await channel(venue).reply_publicly(reply(review, f"words {stands}"))
        found = await channel(venue).find_reply(reply(review, f"words {stands}"), private=False, since=NOON)
        assert (found is not None) == stands
    assert venue.taken == 1


async def test_what_google_refuses_is_told(venue: GoogleBusinessVenue) -> None:
    review = venue.review(1, NOON)
    long = "é" * (LONGEST // 2 + 1)
    way = channel(venue).reply_rules.public
    assert way is not None
    assert not fits(long, way.lengths)
    with pytest.raises(SkipThis, match="too long"):
        await channel(venue).reply_publicly(reply(review, long))
    with pytest.raises(SkipThis):
        await channel(venue).reply_publicly(reply(f"{PLACES[0]}/reviews/r404"))
    asked = len(venue.asked)
    with pytest.raises(SkipThis, match="no review"):
        await channel(venue).reply_publicly(reply("accounts/1/../../evil/locations/2/reviews/3"))
    assert len(venue.asked) == asked
    venue.verified = False
    with pytest.raises(SkipThis, match="not verified"):
        await channel(venue).reply_publicly(reply(review))


async def test_consent_is_needed_and_reaches_an_account(venue: GoogleBusinessVenue) -> None:
    assert (await channel(venue).account()).name == "Northwind cafés"
    with pytest.raises(ChannelBroken, match="accounts/9"):
        await channel(venue, "accounts/9/locations/1").account()
    with pytest.raises(AskForNewCredential, match="client_id"):
        await GoogleBusiness({"locations": PLACES}, {}, venue.http()).page(None)
    venue.faults.extend([None, error(403, "forbidden", "PERMISSION_DENIED")])
    with pytest.raises(AskForNewCredential):
        await channel(venue).page(None)
    venue.consent = False
    with pytest.raises(AskForNewCredential, match="invalid_grant"):
        await channel(venue).page(None)
