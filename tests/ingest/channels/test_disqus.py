"""Disqus: comments oldest first by cursor, codes instead of statuses, a moderator's hand."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    Post,
    ReplyRules,
    SkipThis,
    TryLater,
)
from services.ingest.channels.disqus import AN_HOUR, Disqus
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.disqus import FORUM, SECRETS, DisqusVenue


@pytest.fixture
def venue(now: Now) -> DisqusVenue:
    return DisqusVenue()


def channel(venue: DisqusVenue, secrets: dict[str, str] | None = None, **settings: Any) -> Disqus:
    return Disqus({"forum": FORUM, **settings}, SECRETS if secrets is None else secrets, venue.http())


def reply(to: str, text: str = "We are sorry.", thread: str | None = "91") -> OutgoingReply:
    return OutgoingReply(text=text, token="t", in_reply_to=to, thread_id=thread)


async def test_all_comments_are_read_over_failures_and_then_what_is_new(venue: DisqusVenue, now: Now) -> None:
    wanted = {venue.says(number, NOON - timedelta(minutes=10 * number)) for number in range(1, 351)}
    cursor, ids = None, list[str]()
    page = Page()
    venue.faults.extend(
        [None, httpx.Response(503), None, httpx.ReadTimeout, httpx.Response(429, headers={"Retry-After": "7"})]
    )
    failures = 0
    for _ in range(15):
        try:
            page = await channel(venue).page(cursor)
        except TryLater:
            failures += 1
            continue
        ids += [one.external_id for one in page.mentions]
        cursor = page.cursor
        if not page.has_more:
            break
    assert failures == 3
    assert sorted(ids) == sorted(wanted)
    assert page.quota_left == venue.left
    now.at = NOON + timedelta(hours=1)
    venue.says(900, now.at)
    venue.posts["1"] |= {"message": "<p>edited</p>", "isEdited": True}
    venue.posts["2"]["isDeleted"] = True
    second = await read_on(channel(venue), cursor)
    told = {one.external_id: one for one in second.mentions}
    assert "900" in told
    assert told["1"].text == "edited"
    assert second.gone == ["2"]
    assert len(second.pages) == 1
    assert told["900"].permalink == "https://blog.example/a#comment-900"


async def test_with_a_key_alone_it_only_reads(venue: DisqusVenue) -> None:
    venue.says(1, NOON)
    alone = channel(venue, {"api_key": "public"})
    assert alone.reply_rules == ReplyRules()
    assert (await read_on(alone)).ids == ["1"]
    assert (await alone.account()).name == "Northwind's blog"
    with pytest.raises(AskForNewCredential, match="api_secret"):
        await alone.reply_publicly(reply("1"))


async def test_codes_tell_what_to_do(venue: DisqusVenue) -> None:
    with pytest.raises(AskForNewCredential, match="Invalid API key"):
        await channel(venue, {"api_key": "wrong"}).page(None)
    with pytest.raises(AskForNewCredential, match="expired"):
        await channel(venue, {**SECRETS, "access_token": "old"}).page(None)
    with pytest.raises(ChannelBroken, match="forum"):
        await channel(venue, forum="nowhere").page(None)
    venue.left = 0
    with pytest.raises(TryLater) as caught:
        await channel(venue).page(None)
    assert caught.value.after == AN_HOUR


async def test_an_answer_is_found_again_and_deleted(venue: DisqusVenue) -> None:
    comment = venue.says(1, NOON)
    writer = channel(venue)
    assert (await writer.account()).name == "Northwind"
    sent = await writer.reply_publicly(reply(comment))
    assert sent.external_id == "9001"
    found = await writer.find_reply(reply(comment), private=False, since=NOON)
    assert found is not None
    assert (found.external_id, found.sent_at) == ("9001", NOON)
    assert await writer.find_reply(reply(comment, thread=None), private=False, since=NOON) == found
    assert await writer.find_reply(reply(comment, "where is it"), private=False, since=NOON) is None
    assert await writer.find_reply(reply(comment), private=False, since=NOON + timedelta(seconds=2)) is None
    for _ in range(2):
        await writer.delete_reply(Post(sent.external_id))
    await writer.delete_reply(Post("404"))
    assert venue.posts["9001"]["isDeleted"]
    assert await writer.find_reply(reply(comment), private=False, since=NOON) is None


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: DisqusVenue) -> None:
    comment = venue.says(1, NOON)
    away = httpx.Response(500, json={"code": 15, "response": "Internal server error"})
    for fault, stands in ((lost, True), (away, False), (httpx.Response(502), False)):
        venue.faults.append(fault)
        with pytest.raises(OutcomeUnknown):
            await channel(venue).reply_publicly(reply(comment, f"words {stands} {fault}"))
        found = await channel(venue).find_reply(reply(comment, f"words {stands} {fault}"), private=False, since=NOON)
        assert (found is not None) == stands
    assert venue.taken == 1


async def test_what_it_does_not_take_is_told(venue: DisqusVenue) -> None:
    comment = venue.says(1, NOON)
    with pytest.raises(SkipThis, match="too long"):
        await channel(venue).reply_publicly(reply(comment, "x" * 2_001))
    with pytest.raises(SkipThis, match="not found"):
        await channel(venue).reply_publicly(reply("404"))
    asked = len(venue.asked)
    with pytest.raises(SkipThis, match="no comment"):
        await channel(venue).reply_publicly(reply("1&forum=other"))
    assert len(venue.asked) == asked
    assert all("secret" not in str(request.url) for request in venue.asked)


@pytest.mark.parametrize(("hide_as", "field"), [("spam", "isSpam"), ("remove", "isDeleted")])
async def test_hidden_shown_reported(venue: DisqusVenue, hide_as: str, field: str) -> None:
    comment = venue.says(1, NOON)
    moderator = channel(venue, hide_as=hide_as)
    for _ in range(2):
        await moderator.hide(Post(comment))
    assert venue.posts[comment][field]
    await moderator.unhide(Post(comment))
    assert not venue.posts[comment][field]
    await moderator.report(Post(comment), "insulting")
    await moderator.report(Post(comment), "Shares private data")
    assert venue.flagged == [(comment, "2"), (comment, "5")]
