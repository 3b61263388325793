"""Reddit: nothing before approval, a request a second, what is gone is taken away, answers in public and in private."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    OutgoingReply,
    Pace,
    Page,
    Post,
    ReplyRules,
    SkipThis,
    TryLater,
)
from services.ingest.channels.reddit import LOOK_EVERY_S, Reddit
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.reddit import LONGEST, ME, SECRETS, RedditVenue


@pytest.fixture
def venue(now: Now) -> RedditVenue:
    return RedditVenue()


def channel(venue: RedditVenue, secrets: dict[str, str] | None = None, **settings: Any) -> Reddit:
    given = {"approved": True, "account": ME, "subreddits": ("trains",), **settings}
    return Reddit(given, SECRETS if secrets is None else secrets, venue.http())


def reply(to: str, text: str = "We are sorry.") -> OutgoingReply:
    return OutgoingReply(text=text, token="t", in_reply_to=to, author_handle="jo", title="northwind is late")


def asked_api(venue: RedditVenue) -> list[httpx.Request]:
    return [request for request in venue.asked if request.url.host == "oauth.reddit.com"]


async def test_without_approval_nothing_is_asked(venue: RedditVenue) -> None:
    closed = channel(venue, approved=False)
    for asks in (
        closed.page(None),
        closed.account(),
        closed.reply_publicly(reply("t3_p1")),
        closed.report(Post("t3_p1"), "x"),
    ):
        with pytest.raises(ChannelBroken, match="approval"):
            await asks
    assert venue.asked == []


async def test_posts_and_comments_are_read_whole_over_failures(venue: RedditVenue, now: Now) -> None:
    wanted = {venue.post(number, NOON - timedelta(minutes=5 * number)) for number in range(230)}
    wanted |= {venue.comment(number, NOON - timedelta(minutes=5 * number)) for number in range(120)}
    cursor, ids = None, list[str]()
    page = Page()
    venue.faults.extend(
        [None, httpx.Response(503), None, httpx.Response(429, headers={"x-ratelimit-reset": "42"}), None]
    )
    waits = []
    for _ in range(30):
        try:
            page = await channel(venue).page(cursor)
        except TryLater as later:
            waits.append(later.after)
            continue
        ids += [one.external_id for one in page.mentions]
        cursor = page.cursor
        if not page.has_more:
            break
    assert set(ids) == wanted
    assert timedelta(seconds=42) in waits
    assert page.quota_left == venue.left
    now.at = NOON + timedelta(minutes=10)
    new = venue.comment(900, now.at)
    second = await read_on(channel(venue), cursor)
    assert new in second.ids
    assert len(second.pages) == 2


async def test_more_than_a_listing_holds_is_told_as_a_gap(venue: RedditVenue, now: Now) -> None:
    venue.post(1, NOON)
    first = await read_on(channel(venue, query="northwind", subreddits=()))
    now.at = NOON + timedelta(days=2)
    for number in range(1_100):
        venue.post(1_000 + number, now.at - timedelta(minutes=number))
    second = await read_on(channel(venue, query="northwind", subreddits=()), first.cursor)
    (gap,) = second.gaps()
    assert (gap.since, gap.until) == (NOON, now.at - timedelta(minutes=999))
    assert venue.asked_for("/search")[-1].url.params["t"] == "week"


async def test_what_is_gone_is_found_out(venue: RedditVenue, now: Now) -> None:
    kept, deleted, removed = (venue.post(number, NOON) for number in (1, 2, 3))
    orphan, vanished = venue.comment(4, NOON, writer="leaver"), venue.comment(5, NOON)
    first = await read_on(channel(venue))
    assert first.gone == []
    now.at = NOON + timedelta(seconds=LOOK_EVERY_S)
    venue.things[deleted] |= {"author": "[deleted]", "selftext": "[deleted]"}
    venue.things[removed] |= {"removed_by_category": "moderator", "selftext": "[removed]"}
    venue.things[orphan] |= {"author": "[deleted]"}
    del venue.things[orphan]["author_fullname"], venue.things[vanished]
    second = await read_on(channel(venue), first.cursor)
    assert set(second.gone) == {deleted, removed, vanished}
    assert [page.gone_accounts for page in second.pages if page.gone_accounts] == [("t2_leaver",)]
    assert kept not in second.gone
    now.at += timedelta(days=3)
    third = await read_on(channel(venue), second.cursor)
    asked = len(venue.asked_for("/api/info"))
    await read_on(channel(venue), third.cursor)
    assert len(venue.asked_for("/api/info")) == asked, "after two days nobody looks"


async def test_a_used_up_limit_is_waited_out(venue: RedditVenue) -> None:
    venue.post(1, NOON)
    venue.left = 2
    page = await channel(venue).page(None)
    assert (page.quota_left, page.has_more, page.poll_after) == (1, False, timedelta(seconds=300))
    assert Reddit.pace == Pace(1, 1), "a request a second, which the runner sees to"


async def test_an_answer_is_found_again_and_deleted(venue: RedditVenue) -> None:
    post = venue.post(1, NOON)
    writer = channel(venue)
    assert (await writer.account()).name == ME
    sent = await writer.reply_publicly(reply(post))
    assert (sent.external_id, sent.permalink) == ("t1_c901", "https://www.reddit.com/r/trains/comments/p1/x/t1_c901/")
    assert await writer.find_reply(reply(post), private=False, since=NOON) == sent
    assert await writer.find_reply(reply(post, "other"), private=False, since=NOON) is None
    for _ in range(2):
        await writer.delete_reply(Post(sent.external_id))
    assert await writer.find_reply(reply(post), private=False, since=NOON) is None
    assert await writer.find_reply(reply(post), private=True, since=NOON) is None
    await writer.reply_privately(reply(post, "Write us."))
    found = await writer.find_reply(reply(post, "Write us."), private=True, since=NOON)
    assert found is not None
    assert found.external_id == "t4_m2"


async def test_an_answer_of_unknown_outcome_is_looked_up(venue: RedditVenue) -> None:
    post = venue.post(1, NOON)
    for fault, stands in ((lost, True), (httpx.Response(500), False)):
        for private in (False, True):
            venue.faults.extend([None, fault])
            writer = channel(venue)
            with pytest.raises(OutcomeUnknown):
                await (writer.reply_privately if private else writer.reply_publicly)(reply(post, f"{stands} {private}"))
            found = await channel(venue).find_reply(reply(post, f"{stands} {private}"), private=private, since=NOON)
            assert (found is not None) == stands
    assert venue.taken == 2


async def test_errors_that_come_with_status_200_are_errors(venue: RedditVenue) -> None:
    post = venue.post(1, NOON)
    venue.errors = [["RATELIMIT", "Looks like you've been doing that a lot. Take a break for 9 minutes.", "ratelimit"]]
    with pytest.raises(TryLater) as caught:
        await channel(venue).reply_publicly(reply(post))
    assert caught.value.after == timedelta(minutes=9)
    venue.errors = [["THREAD_LOCKED", "Comments are locked.", "parent"], ["USER_REQUIRED", "Please log in.", ""]]
    with pytest.raises(SkipThis, match="locked"):
        await channel(venue).reply_publicly(reply(post))
    with pytest.raises(AskForNewCredential):
        await channel(venue).reply_publicly(reply(post))
    with pytest.raises(SkipThis, match="too_long"):
        await channel(venue).reply_publicly(reply(post, "x" * (LONGEST + 1)))
    with pytest.raises(SkipThis, match="no post"):
        await channel(venue).reply_publicly(reply("t2_person"))
    assert venue.taken == 0


async def test_credentials_do_what_they_may(venue: RedditVenue) -> None:
    post = venue.post(1, NOON)
    alone = channel(venue, {name: value for name, value in SECRETS.items() if name != "refresh_token"})
    assert alone.reply_rules == ReplyRules()
    assert post in (await read_on(alone)).ids
    with pytest.raises(AskForNewCredential, match="refresh token"):
        await alone.reply_publicly(reply(post))
    venue.consent = False
    with pytest.raises(AskForNewCredential, match="invalid_grant"):
        await channel(venue).page(None)
    with pytest.raises(AskForNewCredential):
        await channel(venue, {**SECRETS, "client_secret": "wrong"}).page(None)


async def test_moderating(venue: RedditVenue) -> None:
    post = venue.post(1, NOON)
    await channel(venue).hide(Post(post))
    assert venue.things[post]["removed_by_category"] == "moderator"
    await channel(venue).unhide(Post(post))
    assert venue.things[post]["removed_by_category"] is None
    await channel(venue).report(Post(post), "spam")
    assert venue.reported == [(post, "spam")]
    venue.faults.extend([None, httpx.Response(403, json={"message": "Forbidden", "error": 403})])
    with pytest.raises(AskForNewCredential, match="moderat"):
        await channel(venue).hide(Post(post))
