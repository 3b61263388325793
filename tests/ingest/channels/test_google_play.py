"""Google Play: one week of reviews, a gap when nobody looked for longer, and one answer to each."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, OutcomeUnknown, OutgoingReply, SkipThis, TryLater
from services.ingest.channels.google_play import GooglePlay
from services.ingest.networks.google import until_new_quota
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.google import SERVICE_ACCOUNT, error
from tests.venues.google_play import LONGEST, PACKAGE, GooglePlayVenue


@pytest.fixture
def venue(now: Now) -> GooglePlayVenue:
    return GooglePlayVenue()


def channel(venue: GooglePlayVenue, key: str = SERVICE_ACCOUNT) -> GooglePlay:
    return GooglePlay({"package": PACKAGE}, {"service_account": key}, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(text=text, token="t", in_reply_to=to)


async def test_a_week_is_read_whole_over_failures_and_then_only_what_is_new(venue: GooglePlayVenue, now: Now) -> None:
    for number in range(250):
        venue.review(number, NOON - timedelta(minutes=30 * number))
    reader, cursor, ids = channel(venue), None, list[str]()
    venue.faults.extend(
        [None, None, None, httpx.Response(503), None, error(429, "RATE_LIMIT_EXCEEDED"), httpx.ReadTimeout]
    )
    failures = 0
    for _ in range(9):
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
    assert sorted(ids) == sorted(f"r-{number}" for number in range(250))
    now.at = NOON + timedelta(hours=1)
    venue.review(500, now.at)
    venue.reviews["r-200"] |= {"at": now.at, "text": "Good\tNow it runs", "stars": 5}
    asked = len(venue.asked_api())
    heard = await read_on(reader, cursor)
    told = {one.external_id: one for one in heard.mentions}
    assert {"r-500", "r-200"} <= told.keys()
    assert (told["r-200"].title, told["r-200"].rating) == ("Good", 5)
    assert len(venue.asked_api()) - asked == 1
    assert heard.gaps() == []


async def test_who_comes_too_late_is_told_what_is_missing(venue: GooglePlayVenue, now: Now) -> None:
    venue.review(1, NOON)
    first = await read_on(channel(venue))
    now.at = NOON + timedelta(days=6)
    quiet = await read_on(channel(venue), first.cursor)
    assert quiet.gaps() == []
    venue.review(2, NOON + timedelta(days=7))
    now.at = NOON + timedelta(days=20)
    for number in range(150):
        venue.review(100 + number, now.at - timedelta(minutes=number))
    late = await read_on(channel(venue), quiet.cursor)
    (gap,) = late.gaps()
    assert (gap.since, gap.until) == (NOON + timedelta(days=6), NOON + timedelta(days=13))
    assert "r-2" not in late.ids
    assert len(late.ids) == 150
    assert (await read_on(channel(venue), late.cursor)).gaps() == []


async def test_the_sign_in_is_signed_and_goes_only_to_google(venue: GooglePlayVenue) -> None:
    account = await channel(venue).account()
    assert account.external_id == PACKAGE
    assert {request.url.host for request in venue.asked} == {"oauth2.googleapis.com", "androidpublisher.googleapis.com"}
    for wrong in ("", "{}", "not JSON", '{"client_email": "a", "private_key": "b"}'):
        with pytest.raises(AskForNewCredential):
            await channel(venue, wrong).page(None)
    venue.consent = False
    with pytest.raises(AskForNewCredential, match="invalid_grant"):
        await channel(venue).page(None)


async def test_what_google_refuses_is_told_by_what_to_do(venue: GooglePlayVenue) -> None:
    cases = (
        (error(403, "permissionDenied", "PERMISSION_DENIED"), AskForNewCredential),
        (error(403, "rateLimitExceeded"), TryLater),
        (error(403, "quotaExceeded"), TryLater),
        (error(401, "authError"), AskForNewCredential),
    )
    for answer, wanted in cases:
        venue.faults.extend([None, answer])
        with pytest.raises(wanted) as caught:
            await channel(venue).page(None)
        if "quotaExceeded" in answer.text:
            assert isinstance(caught.value, TryLater)
            assert caught.value.after == until_new_quota() == timedelta(hours=20)  # noon UTC is 4 o'clock there


async def test_an_answer_replaces_the_one_before_and_is_found_again(venue: GooglePlayVenue, now: Now) -> None:
    review = venue.review(1, NOON)
    writer = channel(venue)
    assert await writer.find_reply(reply(review), private=False, since=NOON) is None
    sent = await writer.reply_publicly(reply(review, "Sorry, <b>write</b> us."))
    assert await writer.find_reply(reply(review, "Sorry, <b>write</b> us."), private=False, since=NOON) == sent
    now.at = NOON + timedelta(minutes=1)
    await writer.reply_publicly(reply(review, "Solved."))
    assert venue.answers[review]["text"] == "Solved."
    assert await writer.find_reply(reply(review, "Solved."), private=False, since=now.at + timedelta(minutes=1)) is None


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: GooglePlayVenue) -> None:
    review = venue.review(1, NOON)
    for fault, stands in ((lost, True), (httpx.Response(502), False)):
        venue.faults.extend([None, fault])
        with pytest.raises(OutcomeUnknown):
            await channel(venue).reply_publicly(reply(review, f"words {stands}"))
        found = await channel(venue).find_reply(reply(review, f"words {stands}"), private=False, since=NOON)
        assert (found is not None) == stands
    venue.faults.extend([httpx.ConnectError])
    with pytest.raises(TryLater):
        await channel(venue).reply_publicly(reply(review))
    assert venue.taken == 1


async def test_an_answer_that_is_not_taken_is_told(venue: GooglePlayVenue) -> None:
    review = venue.review(1, NOON)
    with pytest.raises(SkipThis, match="too long"):
        await channel(venue).reply_publicly(reply(review, "x" * (LONGEST + 1)))
    with pytest.raises(SkipThis, match="not found"):
        await channel(venue).reply_publicly(reply("r-404"))
    with pytest.raises(SkipThis):
        await channel(venue).reply_publicly(reply("../../../evil"))
    assert all(
        request.url.path.startswith(("/token", "/androidpublisher/v3/applications/com.n")) for request in venue.asked
    )
