"""The bluesky channel at a played Bluesky: nothing lost, nothing doubled, one reply for one token; and Jetstream heard."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels import bluesky
from services.ingest.channels.bluesky import Bluesky as Channel
from services.ingest.networks import atproto, atproto_session
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.bluesky import PASSWORD, THEM, US, Bluesky, names_us

pytestmark = pytest.mark.usefixtures("now")
TOKEN = "019a9f00-5e80-7abc-8def-0123456789ab"


@pytest.fixture(autouse=True)
def _nobody_is_signed_in() -> Iterator[None]:
    atproto_session._sessions.clear()
    yield
    atproto_session._sessions.clear()


def opened(venue: Bluesky, password: str = PASSWORD, **settings: Any) -> Channel:
    return Channel({"handle": "acmetel.test", **settings}, {"app_password": password}, venue.http())


def reply(text: str = "Sorry!", token: str = TOKEN, to: str = "") -> OutgoingReply:
    return OutgoingReply(text=text, token=token, in_reply_to=to, author_external_id=THEM)


# ---------------------------------------------------------------- reading


async def test_all_notifications_are_read_once_over_many_pages() -> None:
    venue = Bluesky(page_size=3)
    uris = [venue.post(n, f"{n} @acmetel.test", facets=names_us(f"{n} @acmetel.test")) for n in range(10)]
    venue.post(50, "not about us")
    channel = opened(venue)
    first = await read_on(channel)
    assert sorted(first.ids) == sorted(uris)
    assert first.pages[0].quota_left == 2987
    uris.append(venue.post(60, "again @acmetel.test", facets=names_us("again @acmetel.test")))
    second = await read_on(channel, first.cursor)
    assert uris[-1] in second.ids
    assert venue.sign_ins == 1


async def test_a_walk_that_breaks_off_leaves_no_hole() -> None:
    venue = Bluesky(page_size=2)
    old = [venue.post(n, f"old {n} acmetel") for n in range(3)]
    channel = opened(venue, queries=["acmetel"])
    cursor = (await read_on(channel)).cursor
    new = [venue.post(1000 + n, f"new {n} acmetel") for n in range(7)]
    seen: set[str] = set()
    for number in range(40):
        venue.faults.append(httpx.Response(503) if number % 2 else None)
        if number == 5:
            new.append(venue.post(2000, "while we walked acmetel"))
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor = json.loads(json.dumps(page.cursor))
        seen |= {one.external_id for one in page.mentions}
    assert set(new) <= seen <= {*new, *old}


async def test_what_is_indexed_late_is_read_all_the_same(now: Now) -> None:
    venue = Bluesky()
    channel = opened(venue, queries=["acmetel"])
    late = venue.post(3590, "acmetel late")
    venue.hidden.add(late)
    known = venue.post(3599, "acmetel")
    first = await read_on(channel)
    assert first.ids == [known]
    venue.hidden.clear()
    now.at += timedelta(minutes=1)
    assert late in (await read_on(channel, first.cursor)).ids


async def test_without_a_password_only_search_is_asked_and_nobody_signs_in() -> None:
    venue = Bluesky()
    uri = venue.post(1, "acmetel down")
    channel = Channel({"queries": ["acmetel"]}, {}, venue.http())
    assert (await read_on(channel)).ids == [uri]
    assert venue.sign_ins == 0
    assert venue.asked[0].url.host == "api.bsky.app"
    assert channel.own_accounts() == frozenset()


async def test_our_own_posts_are_no_mentions() -> None:
    venue = Bluesky()
    venue.post(1, "acmetel says hello", by=US)
    channel = opened(venue, queries=["acmetel"])
    assert (await read_on(channel)).ids == []
    assert channel.own_accounts() == {US, "acmetel.test"}


async def test_a_post_that_is_gone_is_told_once_it_was_missed_twice() -> None:
    venue = Bluesky()
    uri, other = venue.post(1, "acmetel"), venue.post(2, "acmetel too")
    channel = opened(venue, queries=["acmetel"])
    heard = await read_on(channel)
    venue.hidden.add(other)
    heard = await read_on(channel, heard.cursor)
    venue.hidden.clear()
    del venue.records[uri]
    gone: list[str] = []
    for _ in range(4):
        heard = await read_on(channel, heard.cursor)
        gone += heard.gone
    assert gone == [uri]


async def test_back_filling_reads_as_far_back_as_asked(now: Now) -> None:
    venue = Bluesky(page_size=2)
    week = [venue.post(n, f"acmetel {n}", at=now.at - timedelta(days=n)) for n in range(1, 7)]
    channel = opened(venue, queries=["acmetel"])
    cursor, found, more = None, set(), True
    while more:
        page = await channel.backfill(now.at - timedelta(days=4, hours=1), cursor)
        cursor, more = page.cursor, page.has_more
        found |= {one.external_id for one in page.mentions}
    assert set(week[:4]) <= found


# ---------------------------------------------------------------- being signed in


async def test_a_session_that_ends_is_refreshed_and_a_lost_refresh_signs_in_again() -> None:
    venue = Bluesky()
    channel = opened(venue)
    assert (await channel.account()).name == "Acme Tel"
    atproto_session._sessions[channel._server._key] = atproto_session.Session(US, "x", "stale", "refresh-0")
    await channel.page(None)
    assert (venue.sign_ins, venue.generation) == (1, 1)
    atproto_session._sessions[channel._server._key] = atproto_session.Session(US, "x", "stale", "stale")
    await channel.page(None)
    assert venue.sign_ins == 2


async def test_a_wrong_password_asks_for_another_and_too_many_sign_ins_wait() -> None:
    venue = Bluesky()
    with pytest.raises(AskForNewCredential, match="app password"):
        await opened(venue, password="wrong").page(None)
    venue.sign_ins = 300
    with pytest.raises(TryLater) as caught:
        await opened(venue).page(None)
    assert caught.value.after == timedelta(hours=1)


# ---------------------------------------------------------------- answering


async def test_a_reply_hangs_under_the_thread_with_its_links_alive() -> None:
    venue = Bluesky()
    root = venue.post(1, "AcmeTel?")
    refs = {"root": {"uri": root, "cid": venue.records[root]["cid"]}, "parent": {"uri": root, "cid": "x"}}
    parent = venue.post(2, "me too", reply=refs)
    text = "Sorry 👩‍👩‍👧 @klant.test, see https://acmetel.test/help. #storing @nobody.test"
    sent = await opened(venue).reply_publicly(reply(text, to=parent))
    (made,) = venue.ours()
    assert sent.external_id == made["uri"]
    assert sent.permalink == f"https://bsky.app/profile/{US}/post/{atproto.tid(TOKEN)}"
    assert made["record"]["reply"] == {
        "root": refs["root"], "parent": {"uri": parent, "cid": venue.records[parent]["cid"]},
    }  # fmt: skip
    told = [
        (text.encode()[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode(), one["features"][0])
        for one in made["record"]["facets"]
    ]
    kind = "app.bsky.richtext.facet#"
    assert told == [
        ("@klant.test", {"$type": f"{kind}mention", "did": THEM}),
        ("https://acmetel.test/help", {"$type": f"{kind}link", "uri": "https://acmetel.test/help"}),
        ("#storing", {"$type": f"{kind}tag", "tag": "storing"}),
    ]


@pytest.mark.parametrize("times", [1, 3])
async def test_a_reply_whose_answer_was_lost_stands_once(times: int, now: Now) -> None:
    venue = Bluesky()
    to = venue.post(1, "AcmeTel?")
    channel = opened(venue)
    await channel.account()
    for _ in range(times):
        venue.faults.extend([None, lost])
        with pytest.raises(OutcomeUnknown):
            await channel.reply_publicly(reply(to=to))
        now.at += timedelta(seconds=10)
    assert channel.idempotency() == "client_token"
    sent = await channel.reply_publicly(reply(to=to))
    (made,) = venue.ours()
    assert (sent.external_id, sent.sent_at) == (made["uri"], datetime.fromisoformat(made["record"]["createdAt"]))
    assert await channel.find_reply(reply(to=to), private=False, since=now.at) == sent
    other = await channel.reply_publicly(reply(to=to, token="another"))
    assert other.external_id != sent.external_id
    assert await channel.find_reply(reply(to=to, token="third"), private=False, since=now.at) is None


async def test_what_is_too_long_or_gone_or_closed_is_refused() -> None:
    venue = Bluesky()
    to = venue.post(1, "AcmeTel?")
    channel = opened(venue)
    family = "👨‍👩‍👧‍👦"
    for text in ("a" * 301, family * 121):
        with pytest.raises(SkipThis, match="300 graphemes"):
            await channel.reply_publicly(reply(text, to=to))
    assert (await channel.reply_publicly(reply(family * 119, to=to))).external_id
    with pytest.raises(SkipThis, match="not there any more"):
        await channel.reply_publicly(reply(to=to[:-1] + "z"))
    venue.records[to]["viewer"] = {"replyDisabled": True}
    with pytest.raises(SkipThis, match="not let us answer"):
        await channel.reply_publicly(reply(token="x", to=to))
    assert len(venue.ours()) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.Response(429, headers={"RateLimit-Reset": "77"}), TryLater),
        (httpx.Response(500), OutcomeUnknown),
        (httpx.ConnectError, TryLater),
        (httpx.ReadTimeout, OutcomeUnknown),
        (httpx.Response(200, content=b"{"), OutcomeUnknown),
        (httpx.Response(403), AskForNewCredential),
    ],
)
async def test_what_becomes_of_a_write_is_told(fault: Any, error: type[Exception]) -> None:
    venue = Bluesky()
    to = venue.post(1, "AcmeTel?")
    channel = opened(venue)
    await channel.account()
    venue.faults.extend([None, fault])
    with pytest.raises(error) as caught:
        await channel.reply_publicly(reply(to=to))
    if isinstance(caught.value, TryLater) and isinstance(fault, httpx.Response):
        assert caught.value.after == timedelta(seconds=77)


async def test_a_direct_message_goes_out_once(now: Now) -> None:
    venue = Bluesky()
    channel = opened(venue)
    await channel.account()
    now.at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    venue.faults.extend([None, None, lost])
    with pytest.raises(OutcomeUnknown):
        await channel.reply_privately(reply(token="t"))
    sent = await channel.reply_privately(reply(token="t"))
    assert len(venue.messages) == 1
    assert sent.external_id == f"convo-{THEM}/m1"
    assert await channel.find_reply(reply(token="t"), private=True, since=now.at) == sent
    assert await channel.find_reply(reply("Else"), private=True, since=now.at) is None
    venue.takes_messages = False
    with pytest.raises(SkipThis, match="no direct message"):
        await channel.reply_privately(reply("Else"))


async def test_a_reply_is_deleted_and_a_post_reported() -> None:
    venue = Bluesky()
    to = venue.post(1, "buy pills")
    channel = opened(venue)
    sent = await channel.reply_publicly(reply(to=to))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert venue.ours() == []
    with pytest.raises(SkipThis, match="no post of our account"):
        await channel.delete_reply(Post(to))
    await channel.report(Post(to), "This is spam.")
    assert venue.reports[0]["reasonType"] == "com.atproto.moderation.defs#reasonSpam"


def test_keys_are_valid_sort_by_time_and_are_the_same_at_each_try() -> None:
    keys = [atproto.tid(str(UUID(int=(1_763_637_600_000 + n << 80) | 7 << 76 | 2 << 62))) for n in range(50)]
    assert keys == sorted(set(keys))
    assert atproto.tid(TOKEN) == atproto.tid(TOKEN) != atproto.tid("x")
    made = atproto.tid_time(keys[0])
    assert made is not None
    assert abs(made - datetime(2025, 11, 20, 11, 20, tzinfo=UTC)) < timedelta(seconds=1)
    for token in ("", "x", "a" * 1000):
        assert atproto._TID.fullmatch(atproto.tid(token))


def test_the_figures_of_the_venue() -> None:
    assert bluesky.LOOKED_AT == 25
    assert bluesky.PAGE_SIZE == 100
