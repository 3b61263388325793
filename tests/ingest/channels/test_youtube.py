"""YouTube: new threads, replies that came later, comments that are gone, a quota that is shared with answering, moderation."""

from datetime import timedelta
from typing import Any

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
from services.ingest.channels.youtube import LOOK_EVERY_S, Youtube
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.google import BY_PERSON, error
from tests.venues.youtube import KEY, LONGEST, OURS, YoutubeVenue


@pytest.fixture
def venue(now: Now) -> YoutubeVenue:
    return YoutubeVenue()


def channel(venue: YoutubeVenue, secrets: dict[str, str] | None = None, **settings: Any) -> Youtube:
    given = {"api_key": KEY, **BY_PERSON} if secrets is None else secrets
    return Youtube({"channel_id": OURS, **settings}, given, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(
        text=text, token="t", in_reply_to=to, permalink=f"https://www.youtube.com/watch?v=vid1&lc={to}"
    )


async def test_threads_and_all_their_replies_are_read_over_failures(venue: YoutubeVenue) -> None:
    wanted = {venue.says(f"T{number}", NOON - timedelta(minutes=number)) for number in range(230)}
    wanted |= {venue.says(f"R{number}", NOON, parent="T7") for number in range(130)}
    wanted |= {venue.says("R", NOON, parent="T220")}
    reader, cursor, ids = channel(venue), None, list[str]()
    page = Page()
    venue.faults.extend([None, httpx.Response(503), httpx.ReadTimeout, None, error(403, "rateLimitExceeded")])
    failures = 0
    for _ in range(30):
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
    assert set(ids) == wanted
    assert page.quota_left == venue.units, "what we count is what Google counts"


async def test_replies_to_older_threads_edits_and_deletions_are_noticed(venue: YoutubeVenue, now: Now) -> None:
    for number in range(120):
        venue.says(f"T{number}", NOON - timedelta(hours=number))
    first = await read_on(channel(venue))
    now.at = NOON + timedelta(seconds=LOOK_EVERY_S)
    for number in range(5):
        venue.says(f"R{number}", now.at, parent="T100")
    venue.comments["T50"] |= {"text": "edited", "updated": now.at}
    del venue.comments["T60"]
    second = await read_on(channel(venue), first.cursor)
    told = {one.external_id: one for one in second.mentions}
    assert {f"T100.R{number}" for number in range(5)} <= told.keys()
    assert told["T100.R1"].permalink == "https://www.youtube.com/watch?v=vid1&lc=T100.R1"
    assert (told["T50"].text, told["T50"].edited_at) == ("edited", now.at)
    assert second.gone == ["T60"]
    assert "T110" not in told, "what was told before is not told again"
    asked = len(venue.asked_api())
    now.at += timedelta(minutes=2)
    quiet = await read_on(channel(venue), second.cursor)
    assert quiet.gone == []
    assert len(venue.asked_api()) - asked == 1


async def test_a_thread_without_items_deletes_nothing(venue: YoutubeVenue, now: Now) -> None:
    venue.says("T1", NOON)
    first = await read_on(channel(venue))
    now.at = NOON + timedelta(seconds=LOOK_EVERY_S)
    venue.faults.extend([None, httpx.Response(200, json={"kind": "something else"})])
    second = await read_on(channel(venue), first.cursor)
    assert second.gone == []


async def test_reading_leaves_units_for_answers(venue: YoutubeVenue, now: Now) -> None:
    venue.says("T1", NOON)
    reader = channel(venue, daily_units=5, units_for_answers=3)
    heard = await read_on(reader)
    heard = await read_on(reader, heard.cursor)
    asked = len(venue.asked_api())
    assert asked == 2
    page = await reader.page(heard.cursor)
    assert (page.has_more, page.quota_left, page.poll_after) == (False, 3, timedelta(hours=20))
    assert len(venue.asked_api()) == asked
    now.at = NOON + timedelta(hours=20)
    assert (await reader.page(page.cursor)).quota_left == 4
    venue.units = 0
    with pytest.raises(TryLater) as caught:
        await reader.page(page.cursor)
    assert caught.value.after == timedelta(days=1)


async def test_a_video_without_comments_does_not_hold_up_the_others(venue: YoutubeVenue) -> None:
    venue.says("T1", NOON)
    heard = await read_on(channel(venue, channel_id=None, videos=("closed", "vid1")))
    assert set(heard.ids) == {"T1"}


async def test_credentials_do_what_they_may(venue: YoutubeVenue) -> None:
    venue.says("T1", NOON)
    keyed = channel(venue, {"api_key": KEY})
    assert keyed.reply_rules == ReplyRules()
    assert (await keyed.account()).name == "Northwind"
    assert all("key" not in str(request.url) for request in venue.asked)
    with pytest.raises(AskForNewCredential, match="refresh_token"):
        await keyed.reply_publicly(reply("T1"))
    assert "T1" in (await read_on(channel(venue, BY_PERSON))).ids
    for secrets in ({"api_key": "wrong"}, {}):
        with pytest.raises(AskForNewCredential):
            await channel(venue, secrets).page(None)
    venue.consent = False
    with pytest.raises(AskForNewCredential, match="invalid_grant"):
        await channel(venue, BY_PERSON).page(None)


async def test_an_answer_stands_in_the_thread_and_is_found_again(venue: YoutubeVenue) -> None:
    thread = venue.says("T1", NOON)
    second = venue.says("R1", NOON, "me too", parent=thread)
    writer = channel(venue)
    sent = await writer.reply_publicly(reply(second))
    assert sent.external_id == "T1.ours1"
    assert sent.permalink == "https://www.youtube.com/watch?v=vid1&lc=T1.ours1"
    assert await writer.find_reply(reply(second), private=False, since=NOON) == sent
    assert await writer.find_reply(reply(second, "me too"), private=False, since=NOON) is None, "somebody else said it"
    assert await writer.find_reply(reply(second), private=False, since=NOON + timedelta(seconds=2)) is None
    assert OURS in writer.own_accounts()
    await writer.delete_reply(Post(sent.external_id))
    await writer.delete_reply(Post(sent.external_id))
    assert sent.external_id not in venue.comments


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: YoutubeVenue) -> None:
    thread = venue.says("T1", NOON)
    for fault, stands in ((lost, True), (httpx.Response(500), False)):
        venue.faults.extend([None, fault])
        with pytest.raises(OutcomeUnknown):
            await channel(venue).reply_publicly(reply(thread, f"words {stands}"))
        found = await channel(venue).find_reply(reply(thread, f"words {stands}"), private=False, since=NOON)
        assert (found is not None) == stands
    assert venue.taken == 1


async def test_what_youtube_refuses_is_told(venue: YoutubeVenue) -> None:
    thread = venue.says("T1", NOON)
    with pytest.raises(SkipThis, match="too long"):
        await channel(venue).reply_publicly(reply(thread, "x" * (LONGEST + 1)))
    with pytest.raises(SkipThis, match="parent comment"):
        await channel(venue).reply_publicly(reply("T404"))
    venue.faults.extend([None, error(403, "forbidden")])
    with pytest.raises(AskForNewCredential):
        await channel(venue).reply_publicly(reply(thread))


async def test_a_comment_is_hidden_and_shown_again(venue: YoutubeVenue) -> None:
    thread = venue.says("T1", NOON)
    for _ in range(2):
        await channel(venue).hide(Post(thread))
    assert venue.comments[thread]["status"] == "heldForReview"
    await channel(venue).unhide(Post(thread))
    assert venue.comments[thread]["status"] == "published"
    with pytest.raises(SkipThis):
        await channel(venue).hide(Post("T404"))
