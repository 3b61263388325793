"""Lemmy: both lists are walked back, answers are comments, and nothing is written without a token."""

from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    ReplyRules,
    SkipThis,
    TryLater,
)
from services.ingest.channels.lemmy import LAG, Lemmy
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.lemmy import HOST, TOKEN, LemmyVenue, refused


@pytest.fixture
def venue(now: Now) -> LemmyVenue:
    return LemmyVenue()


def channel(venue: LemmyVenue, token: str | None = TOKEN, **settings: object) -> Lemmy:
    return Lemmy({"query": "northwind", **settings}, {"token": token} if token else {}, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(text=text, token="t1", in_reply_to=to)


async def test_posts_and_comments_are_read_whole_and_once(venue: LemmyVenue, now: Now) -> None:
    for number in range(1, 181):
        venue.posts_there(number, NOON - timedelta(minutes=30 * number))
        venue.comments_there(1_000 + number, 1, NOON - timedelta(minutes=30 * number))
    reader = channel(venue)
    heard = await read_on(reader)
    assert len(heard.ids) == len(set(heard.ids)) == 360
    asked = len(venue.asked)
    now.at = NOON + timedelta(days=1)
    venue.posts_there(500, now.at)
    heard = await read_on(reader, heard.cursor)
    assert f"{HOST}/post/500" in heard.ids
    assert len(venue.asked) - asked == 2, "down to where it was, and no further"


async def test_a_walk_broken_off_leaves_no_hole(venue: LemmyVenue) -> None:
    for number in range(1, 121):
        venue.posts_there(number, NOON - timedelta(minutes=number))
    reader, cursor, ids = channel(venue), None, set[str]()
    venue.faults.extend([None, httpx.Response(503), refused("rate_limit_error"), None])
    failures = 0
    for _ in range(9):
        try:
            page = await reader.page(cursor)
        except TryLater:
            failures += 1
            venue.posts_there(200 + failures, NOON)  # pushes what is older down a page
            continue
        ids |= {one.external_id for one in page.mentions}
        cursor = page.cursor
        if not page.has_more:
            break
    assert failures == 2
    page = await reader.page(cursor)
    ids |= {one.external_id for one in page.mentions}
    assert ids == {f"{HOST}/post/{number}" for number in [*range(1, 121), 201, 202]}


async def test_late_federation_edits_and_deletions(venue: LemmyVenue, now: Now) -> None:
    venue.posts_there(1, NOON)
    venue.comments_there(2, 1, NOON)
    first = await read_on(channel(venue))
    venue.comments_there(3, 1, NOON - LAG + timedelta(minutes=1))  # came by another instance
    venue.posts[1].update(name="northwind, edited", updated=NOON.isoformat())
    venue.comments[2].update(content="", deleted=True)
    now.at = NOON + timedelta(minutes=5)
    second = await read_on(channel(venue), first.cursor)
    told = {one.external_id: one for one in second.mentions}
    assert f"{HOST}/comment/3" in told
    assert told[f"{HOST}/post/1"].edited_at == NOON
    assert second.gone == [f"{HOST}/comment/2"]


async def test_a_community_is_read_by_its_lists(venue: LemmyVenue) -> None:
    venue.posts_there(1, NOON, "anything")
    await read_on(channel(venue, query=None, community="travel@lemmy.world"))
    assert [request.url.path for request in venue.asked] == ["/api/v3/post/list", "/api/v3/comment/list"]
    assert all(request.url.params["community_name"] == "travel@lemmy.world" for request in venue.asked)


async def test_without_a_token_it_only_reads(venue: LemmyVenue) -> None:
    post = venue.posts_there(1, NOON)
    reader = channel(venue, None)
    assert reader.reply_rules == ReplyRules()
    assert (await reader.account()).name == "Lemmy there"
    for asks in (
        reader.reply_publicly(reply(post)),
        reader.report(Post(post), "spam"),
        reader.delete_reply(Post(post)),
    ):
        with pytest.raises(AskForNewCredential, match="token"):
            await asks
    assert not venue.asked_for("resolve")
    with pytest.raises(AskForNewCredential):
        await channel(venue, "wrong").page(None)


async def test_an_answer_is_a_comment_and_is_found_again(venue: LemmyVenue) -> None:
    post = venue.posts_there(1, NOON)
    comment = venue.comments_there(2, 1, NOON)
    writer = channel(venue)
    assert (await writer.account()).external_id == f"{HOST}/u/brand"
    sent = await writer.reply_publicly(reply(comment))
    assert venue.comments[90_001]["path"] == "0.2.90001"
    assert sent.external_id == sent.permalink == f"{HOST}/comment/90001"
    assert await writer.find_reply(reply(comment), private=False, since=NOON) == sent
    assert await writer.find_reply(reply(comment, "Other words"), private=False, since=NOON) is None
    assert await writer.find_reply(reply(comment), private=False, since=NOON + timedelta(minutes=1)) is None
    await writer.reply_publicly(reply(post, "To the post."))
    assert venue.comments[90_002]["path"] == "0.90002"
    await writer.delete_reply(Post(sent.external_id))
    assert venue.comments[90_001]["deleted"]
    await writer.delete_reply(Post(f"{HOST}/comment/404"))


async def test_an_answer_whose_outcome_is_unknown_is_never_sent_twice(venue: LemmyVenue) -> None:
    comment = venue.comments_there(2, 1, NOON)
    venue.posts_there(1, NOON)
    writer = channel(venue)
    for fault, stands in ((lost, True), (httpx.Response(502), False)):
        venue.faults.extend([None, fault])
        with pytest.raises(OutcomeUnknown):
            await writer.reply_publicly(reply(comment, f"{stands}"))
        assert (await writer.find_reply(reply(comment, f"{stands}"), private=False, since=NOON) is not None) == stands
    venue.faults.extend([None, httpx.ConnectError])
    with pytest.raises(TryLater):
        await writer.reply_publicly(reply(comment))
    assert venue.written == 1


async def test_what_the_instance_refuses_is_told(venue: LemmyVenue) -> None:
    post = venue.posts_there(1, NOON)
    venue.posts[1]["locked"] = True
    with pytest.raises(SkipThis, match="locked"):
        await channel(venue).reply_publicly(reply(post))
    with pytest.raises(SkipThis, match="not have this post"):
        await channel(venue).reply_publicly(reply(f"{HOST}/post/404"))
    await channel(venue).report(Post(post), "spam")
    assert venue.reported == [("post", 1, "spam")]
