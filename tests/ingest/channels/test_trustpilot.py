"""The trustpilot channel against a played venue: reading down by page, edits and deletions by comparison, answers that replace."""

import json
from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, OutcomeUnknown, OutgoingReply, Post, SkipThis, TryLater
from services.ingest.channels.trustpilot import Trustpilot
from tests.ingest.site import NOON, Now
from tests.venues import json_of, lost, read_on
from tests.venues.trustpilot import KEY, SECRETS, UNIT, USER, TrustpilotVenue


def opened(venue: TrustpilotVenue, secrets: dict[str, str] = SECRETS, **settings: object) -> Trustpilot:
    return Trustpilot({"business_unit_id": UNIT, "business_user_id": USER, **settings}, secrets, venue.http())


@pytest.fixture
def venue(now: Now) -> TrustpilotVenue:
    return TrustpilotVenue()


async def test_reviews_are_read_once_from_the_newest_down(venue: TrustpilotVenue, now: Now) -> None:
    venue.review("Uit de oude doos", ago=90 * 86_400)
    first = [venue.review(f"Review {number}", ago=9_000 + 60 * number) for number in range(250)]
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted(first)
    assert heard.mentions[0].rating == 2
    assert (await read_on(opened(venue), heard.cursor)).ids == []
    venue.now += 600
    now.at += timedelta(minutes=10)
    fresh = venue.review("Nieuw")
    late = venue.review("Werd eerst nagekeken", ago=3_600)
    assert sorted((await read_on(opened(venue), heard.cursor)).ids) == sorted([fresh, late])


async def test_faults_on_the_way_lose_and_double_nothing(venue: TrustpilotVenue) -> None:
    written = [venue.review(f"R{number}", ago=number * 60) for number in range(330)]
    channel, cursor, ids = opened(venue), None, list[str]()
    for number in range(20):
        if number % 2:
            venue.faults.extend([None, (httpx.Response(503), httpx.ConnectError, lost)[number % 3]])
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = json.loads(json.dumps(page.cursor)), ids + [one.external_id for one in page.mentions]
        if not page.has_more:
            break
    assert sorted(ids) == sorted(written)


async def test_edits_and_deletions_are_found_by_comparison(venue: TrustpilotVenue, now: Now) -> None:
    kept, edited, gone, moved = (venue.review(text, ago=86_400 * (5 + day)) for day, text in enumerate("abcd"))
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted([kept, edited, gone, moved])
    venue.reviews[edited] |= {"text": "B, toch tevreden", "stars": 5, "updatedAt": "2026-11-20T13:00:00Z"}
    del venue.reviews[gone]
    now.at += timedelta(hours=7)
    after = await read_on(opened(venue), heard.cursor)
    told = {one.external_id: one for one in after.mentions}
    assert told.keys() == {edited, gone}
    assert (told[edited].text, told[edited].rating) == ("B, toch tevreden", 5)
    assert told[edited].edited_at is not None
    assert told[gone].deleted_at == now.at
    assert (await read_on(opened(venue), after.cursor)).ids == []


async def test_a_cut_of_two_hours_is_read_back(venue: TrustpilotVenue) -> None:
    venue.review("Van gisteren", ago=86_400)
    missed = [venue.review(f"M{number}", ago=number * 50) for number in range(140)]
    page, ids = await opened(venue).backfill(NOON - timedelta(hours=2), None), []
    ids += [one.external_id for one in page.mentions]
    while page.has_more:
        page = await opened(venue).backfill(NOON - timedelta(hours=2), page.cursor)
        ids += [one.external_id for one in page.mentions]
    assert sorted(ids) == sorted(missed)


async def test_a_key_alone_reads_what_everybody_may_read(venue: TrustpilotVenue) -> None:
    known = venue.review("Openbaar")
    channel = opened(venue, {"api_key": KEY})
    assert (await read_on(channel)).ids == [known]
    assert venue.asked_for("private") == []
    with pytest.raises(AskForNewCredential, match="Enter the API secret"):
        await channel.reply_publicly(OutgoingReply("x", "t", known))


async def test_an_answer_stands_once_and_a_second_replaces_it(venue: TrustpilotVenue) -> None:
    known, channel = venue.review("Slecht"), opened(venue)
    sent = await channel.reply_publicly(OutgoingReply("Dank voor uw bericht.", "t", known))
    assert (sent.external_id, sent.permalink) == (f"{known}/reply", f"https://www.trustpilot.com/reviews/{known}")
    assert json_of(venue.asked[-1]) == {"authorBusinessUserId": USER, "message": "Dank voor uw bericht."}
    venue.faults.extend([None, lost])
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(OutgoingReply("Beter.", "t2", known))
    found = await channel.find_reply(
        OutgoingReply("Beter.", "t2", known), private=False, since=NOON - timedelta(minutes=1)
    )
    assert found is not None
    assert (
        await channel.find_reply(OutgoingReply("Dank voor uw bericht.", "t", known), private=False, since=NOON) is None
    )
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert venue.reviews[known]["companyReply"] is None


async def test_what_is_refused(venue: TrustpilotVenue) -> None:
    known = venue.review("Slecht")
    for channel, to, said in (
        (opened(venue, business_user_id=None), known, "Enter business_user_id"),
        (opened(venue, business_user_id="other"), known, "not valid"),
        (opened(venue), "6740a1b2c3d4e5f607189999", "not found"),
        (opened(venue), "../../me", "no review"),
    ):
        with pytest.raises(SkipThis, match=said):
            await channel.reply_publicly(OutgoingReply("x", "t", to))
    venue.faults.extend([None, httpx.Response(429, headers={"retry-after": "60"})])
    with pytest.raises(TryLater) as caught:
        await opened(venue).reply_publicly(OutgoingReply("x", "t", known))
    assert caught.value.after == timedelta(seconds=60)
    venue.faults.extend([None, httpx.Response(500)])
    with pytest.raises(OutcomeUnknown):
        await opened(venue).reply_publicly(OutgoingReply("x", "t", known))
    assert venue.reviews[known]["companyReply"] is None


async def test_the_credential_is_checked(venue: TrustpilotVenue) -> None:
    account = await opened(venue).account()
    assert (account.name, account.url) == ("Acme", "https://www.trustpilot.com/review/acme.example")
    for wrong in ({"api_key": KEY, "api_secret": "other"}, {"api_key": "other"}, {}):
        with pytest.raises(AskForNewCredential):
            await opened(venue, wrong).account()
