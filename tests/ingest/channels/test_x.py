"""The x channel at a played X: nothing lost, nothing doubled, the money told as X books it, answers only when named."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    NotGenuine,
    OutgoingReply,
    Page,
    Push,
    SkipThis,
    TryLater,
)
from services.ingest.channels.x import X as Channel
from services.ingest.networks.x_posts import id_at, time_of
from shared.models.mention import Visibility
from tests.ingest.site import Now
from tests.venues import read_on
from tests.venues.x import SECRETS, THEM, US, X, push_of

pytestmark = pytest.mark.usefixtures("now")


def opened(venue: X, secrets: dict[str, str] | None = None, **settings: Any) -> Channel:
    return Channel({"compliance": False, **settings}, SECRETS if secrets is None else secrets, venue.http())


def reply(to: str, text: str = "Sorry!", **more: Any) -> OutgoingReply:
    return OutgoingReply(text=text, token="token-1", in_reply_to=to, author_external_id=THEM, **more)


# ---------------------------------------------------------------- reading


async def test_all_that_is_new_is_read_once_and_its_price_is_told(now: Now) -> None:
    venue = X(page_size=3)
    found = [venue.post(f"acmetel {n}", at=now.at - timedelta(minutes=50 - n)) for n in range(10)]
    venue.post("acmetel too long ago", at=now.at - timedelta(hours=3))
    channel = opened(venue, queries=["acmetel"])
    first = await read_on(channel)
    assert sorted(first.ids) == sorted(found)
    assert first.pages[0].quota_left == 449
    assert sum(page.cost for page in first.pages) == venue.spent == 50_000
    found = [venue.post(f"acmetel {n}", at=now.at - timedelta(seconds=n)) for n in range(4)]
    second = await read_on(channel, first.cursor)
    assert set(found) <= set(second.ids)
    assert sum(page.cost for page in [*first.pages, *second.pages]) == venue.spent


async def test_a_walk_that_breaks_off_leaves_no_hole(now: Now) -> None:
    venue = X(page_size=2)
    channel = opened(venue, user_id=US, queries=["acmetel"])
    cursor = (await read_on(channel)).cursor
    new = [venue.post(f"hey @AcmeTel {n}", at=now.at - timedelta(seconds=60 - n)) for n in range(7)]
    seen: set[str] = set()
    for number in range(50):
        venue.faults.append(httpx.Response(503) if number % 2 else None)
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor = json.loads(json.dumps(page.cursor))
        seen |= {one.external_id for one in page.mentions}
        if number == 20:
            new.append(venue.post("hey @AcmeTel meanwhile"))
    assert seen == set(new)


async def test_our_own_timeline_is_read_as_our_account_at_its_own_price(now: Now) -> None:
    venue = X()
    uri = venue.post("hey @AcmeTel", at=now.at - timedelta(minutes=3))
    venue.post("acmetel", at=now.at - timedelta(minutes=2))
    channel = opened(venue, user_id=US, handle="@AcmeTel")
    heard = await read_on(channel)
    assert heard.ids == [uri]
    assert heard.pages[0].cost == venue.spent == 1_000
    assert venue.asked[0].headers["authorization"].startswith("OAuth ")
    assert channel.own_accounts() == {US, "acmetel"}


async def test_an_edit_keeps_its_first_id(now: Now) -> None:
    venue = X()
    first = venue.post("@AcmeTel dwon", at=now.at - timedelta(minutes=9))
    channel = opened(venue, queries=["acmetel"])
    heard = await read_on(channel)
    now.at += timedelta(minutes=1)
    venue.post("@AcmeTel down", at=now.at, edits=first)
    (mention,) = (await read_on(channel, heard.cursor)).mentions
    assert (mention.external_id, mention.text, mention.edited_at) == (first, "@AcmeTel down", now.at)


async def test_after_more_than_a_week_the_gap_is_told(now: Now) -> None:
    venue = X()
    channel = opened(venue, queries=["acmetel"])
    venue.post("acmetel", at=now.at - timedelta(minutes=1))
    cursor = (await read_on(channel)).cursor
    now.at += timedelta(days=9)
    fresh = venue.post("acmetel", at=now.at - timedelta(days=6))
    heard = await read_on(channel, cursor)
    assert heard.ids == [fresh]
    (gap,) = heard.gaps()
    assert timedelta(days=1, hours=23) < gap.until - gap.since < timedelta(days=2, hours=1)


async def test_back_filling_goes_as_far_back_as_asked(now: Now) -> None:
    venue = X(page_size=2)
    week = [venue.post(f"acmetel {n}", at=now.at - timedelta(days=n)) for n in range(1, 7)]
    channel = opened(venue, queries=["acmetel"])
    cursor, found, more = None, [], True
    while more:
        page = await channel.backfill(now.at - timedelta(days=4, hours=1), cursor)
        cursor, more = page.cursor, page.has_more
        found += [one.external_id for one in page.mentions]
    assert sorted(found) == sorted(week[:4])


async def test_what_was_deleted_is_found_by_a_compliance_job(now: Now) -> None:
    venue = X()
    keep, drop, hide = (venue.post(f"acmetel {n}", at=now.at - timedelta(minutes=n)) for n in range(1, 4))
    channel = opened(venue, queries=["acmetel"], compliance=True)
    heard = await read_on(channel)
    venue.gone = {drop: "deleted", hide: "scrub_geo"}
    assert set(venue.jobs["1"]["ids"]) == {keep, drop, hide}
    heard = await read_on(channel, heard.cursor)
    assert heard.gone == []
    venue.jobs["1"]["status"] = "complete"
    del venue.posts[drop]
    heard = await read_on(channel, heard.cursor)
    assert heard.gone == [drop]
    heard = await read_on(channel, heard.cursor)
    assert (heard.gone, len(venue.jobs)) == ([], 1)
    now.at += timedelta(days=1, minutes=1)
    await read_on(channel, heard.cursor)
    assert set(venue.jobs["2"]["ids"]) == {keep, hide}


async def test_a_compliance_job_that_fails_holds_nothing_up(now: Now) -> None:
    venue = X()
    venue.post("acmetel", at=now.at - timedelta(minutes=1))
    channel = opened(venue, queries=["acmetel"], compliance=True)
    venue.faults.extend([None, httpx.Response(403, json={"detail": "not enrolled"})])
    heard = await read_on(channel)
    assert len(heard.ids) == 1
    assert "not enrolled" in str(heard.cursor)


async def test_refusals_mean_different_things() -> None:
    venue = X()
    channel = opened(venue, queries=["acmetel"])
    venue.faults.append(httpx.Response(429, headers={"x-rate-limit-reset": str(int(_noon().timestamp()) + 77)}))
    with pytest.raises(TryLater) as caught:
        await channel.page(None)
    assert caught.value.after == timedelta(seconds=77)
    venue.faults.append(httpx.Response(402, json={"title": "CreditsDepleted", "detail": "no credits"}))
    with pytest.raises(ChannelBroken, match="credits are spent"):
        await channel.page(None)
    venue.faults.append(httpx.Response(403, json={"detail": "not enrolled"}))
    with pytest.raises(AskForNewCredential, match="not enrolled"):
        await channel.page(None)
    with pytest.raises(AskForNewCredential):
        await opened(venue, {"bearer_token": "wrong"}, queries=["acmetel"]).page(None)
    with pytest.raises(ChannelBroken, match="Nothing is asked"):
        await opened(venue).page(None)
    with pytest.raises(ChannelBroken, match="longer than X takes"):
        await opened(venue, queries=["x" * 513]).page(None)


def _noon() -> datetime:
    return datetime(2026, 11, 20, 12, tzinfo=UTC)


# ---------------------------------------------------------------- stream


async def test_the_stream_has_our_rules_and_tells_posts(now: Now) -> None:
    venue = X()
    venue.rules = [{"id": "7", "value": "others", "tag": "theirs"}]
    first = venue.posts[venue.post("acmetel a")]
    venue.lines = [
        {"data": first, "matching_rules": [{"id": "1"}]},
        b"",
        b"no json",
        {"errors": [{"title": "operational-disconnect"}]},
    ]
    channel = opened(venue, queries=["acmetel"], stream=True, user_id=US)
    pages: list[Page] = []
    with pytest.raises(TryLater, match="X ends the stream"):
        await _collect(channel, pages)
    assert [one.external_id for page in pages for one in page.mentions] == [first["id"]]
    assert sum(page.cost for page in pages) == 5_000
    assert [rule["value"] for rule in venue.rules] == ["others", "acmetel"]
    with pytest.raises(TryLater):
        await _collect(opened(venue, queries=["other"], stream=True, user_id=US), pages)
    assert [rule["value"] for rule in venue.rules] == ["others", "other"]
    venue.invalid_rules = {"bad ("}
    with pytest.raises(ChannelBroken, match="does not understand"):
        await _collect(opened(venue, queries=["bad ("], stream=True, user_id=US), pages)
    assert [page async for page in opened(venue, queries=["acmetel"]).stream(None)] == []


async def _collect(channel: Channel, pages: list[Page]) -> None:
    async for page in channel.stream(None):
        pages.append(page)  # noqa: PERF401  # what came before it ends with an error counts


# ---------------------------------------------------------------- webhooks


def test_the_challenge_is_answered_and_signatures_are_held_to_the_bytes(now: Now) -> None:
    channel = opened(X(), {"consumer_secret": "consumer-secret", "former_consumer_secret": "cs"}, user_id=US)
    answer = channel.answer_hook(Push("GET", {}, b"", {"crc_token": "crc-token-1"}), now.at)
    assert answer is not None
    assert json.loads(answer.body) == {"response_token": "sha256=aJ/TfRGygcFc7Yofl6IC07Ywjqb8THuaNEI/WohhbMw="}
    assert answer.content_type.startswith("application/json")
    body, headers = push_of("post.mention.create", {"id": "1"})
    push = Push("POST", headers, body)
    assert channel.answer_hook(push, now.at) is None
    assert channel.verify(push, now.at) == "post.mention.create-1"
    for wrong in (Push("POST", headers, body + b" "), Push("POST", {}, body)):
        with pytest.raises(NotGenuine):
            channel.verify(wrong, now.at)
    for bad in (Push("GET", {}, b""), Push("GET", {}, b"", {"crc_token": "x" * 2_000})):
        with pytest.raises(NotGenuine):
            channel.answer_hook(bad, now.at)
    with pytest.raises(NotGenuine):
        opened(X(), {}).verify(push, now.at)


def test_activity_events_are_read(now: Now) -> None:
    channel = opened(X(), user_id=US)

    def read(kind: str, payload: Any) -> Page:
        body, headers = push_of(kind, payload)
        return channel.read_push(Push("POST", headers, body), now.at)

    made = id_at(now.at - timedelta(minutes=1))
    (mention,) = read("post.mention.create", {"id": made, "text": "hey @AcmeTel", "author_id": THEM}).mentions
    assert (mention.external_id, mention.author and mention.author.handle) == (made, "klant")
    assert read("post.create", {"id": made, "text": "ours", "author_id": US}).mentions == ()
    (gone,) = read("post.delete", {"id": made, "author_id": THEM}).mentions
    assert (gone.external_id, gone.deleted_at) == (made, now.at)
    said = {"target": {"recipient_id": US}, "sender_id": THEM, "message_data": {"text": "hush"}}
    event = {"type": "message_create", "id": "7", "created_timestamp": "1784928224372", "message_create": said}
    (private,) = read("dm.received", {"direct_message_events": [event], "users": {}}).mentions
    assert (private.visibility, private.text) == (Visibility.PRIVATE, "hush")
    assert read("follow.follow", {}).mentions == ()
    for body in (b"{", b"[]", b"{}"):
        with pytest.raises(SkipThis):
            channel.read_push(Push("POST", {}, body), now.at)


def test_an_id_holds_its_moment(now: Now) -> None:
    assert time_of(id_at(now.at)) == now.at
    assert time_of("20") is None
    assert time_of("x") is None


async def test_who_quotes_or_names_our_account_speaks_to_us(now: Now) -> None:
    venue = X()
    mine = venue.post("acmetel: wij zijn er weer", by=US)

    def quoting(whose: str, quoted: str) -> str:
        link = {"url": "https://t.co/q", "expanded_url": f"https://twitter.com/{whose}/status/{quoted}"}
        about: dict[str, Any] = {
            "referenced_tweets": [{"type": "quoted", "id": quoted}],
            "entities": {"mentions": [], "urls": [link]},
        }
        return venue.post(f"acmetel, echt? {quoted[-3:]}{whose} https://t.co/q", **about)

    ours, others, elsewhere = quoting("AcmeTel", mine), quoting("other", mine), quoting("AcmeTel", "77")
    linked = venue.post("acmetel https://t.co/q", entities={"mentions": [], "urls": [
        {"url": "https://t.co/q", "expanded_url": f"https://x.com/AcmeTel/status/{mine}"}]})  # fmt: skip
    told = (await read_on(opened(venue, handle="@AcmeTel", queries=["acmetel"]))).pages[0].mentions
    addressed = {one.external_id: one.addressed_to_us for one in told}
    assert (addressed[ours], addressed[others], addressed[linked]) == (True, None, None)
    assert addressed[elsewhere] is True, "it says that it quotes 77, and its link leads to our 77"
    named = venue.post("hé @acmetel")
    timeline = await read_on(opened(venue, user_id=US))
    assert [one.addressed_to_us for page in timeline.pages for one in page.mentions] == [True]
    for kind, told_to_us in (("post.quote.create", True), ("post.mention.create", True), ("post.reply.create", None)):
        body = json.dumps({"data": {"event_type": kind, "event_uuid": "1", "payload": venue.posts[named]}}).encode()
        assert Channel.read_payload(body, now.at).mentions[0].addressed_to_us is told_to_us
