"""The mastodon channel at a played instance: forward by id without holes, edits and deletions, one post for one token."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import AskForNewCredential, OutcomeUnknown, OutgoingReply, Page, Post, SkipThis, TryLater
from services.ingest.channels.mastodon import Mastodon as Channel
from services.ingest.networks import mastodon_instance
from shared.kit.ids import new_id
from shared.models.mention import MentionKind, Visibility
from tests.ingest.site import Now
from tests.venues import lost, read_on
from tests.venues.mastodon import ADDRESS, TOKEN, US, Mastodon, ids


@pytest.fixture(autouse=True)
def _nothing_is_known(now: Now) -> Iterator[None]:
    mastodon_instance._known.clear()
    yield
    mastodon_instance._known.clear()


def opened(venue: Mastodon, token: str = TOKEN, **settings: Any) -> Channel:
    return Channel({"instance": ADDRESS, **settings}, {"access_token": token} if token else {}, venue.http())


def reply(to: dict[str, Any], text: str = "Sorry!", token: str = "token-1", **more: Any) -> OutgoingReply:
    return OutgoingReply(text=text, token=token, in_reply_to=to["uri"], author_handle="klant@elders.example", **more)


# ---------------------------------------------------------------- reading


async def test_notifications_are_read_forward_without_holes(now: Now) -> None:
    venue = Mastodon(most=3)
    first = [venue.post(f"@acmetel {n}", at=now.at - timedelta(minutes=90 - n), notify=True) for n in range(3)]
    channel = opened(venue)
    heard = await read_on(channel)
    assert heard.ids == ids(first)
    assert heard.pages[0].quota_left == 299
    more = [venue.post(f"@acmetel {n}", at=now.at - timedelta(minutes=60 - n), notify=True) for n in range(10)]
    cursor, seen = heard.cursor, []
    for number in range(24):
        venue.faults.append(httpx.Response(503) if number % 2 else None)
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor = json.loads(json.dumps(page.cursor))
        seen += [one.external_id for one in page.mentions]
    assert seen == ids(more)


async def test_hashtags_need_no_token_and_late_posts_come_in(now: Now) -> None:
    venue = Mastodon()
    early = venue.post("#acmetel plat", at=now.at - timedelta(minutes=3))
    venue.post("#other", at=now.at - timedelta(minutes=2))
    channel = opened(venue, token="", hashtags=["#acmetel"])
    heard = await read_on(channel)
    assert heard.ids == ids([early])
    late = venue.post("#acmetel van elders", at=now.at - timedelta(minutes=10))
    again = await read_on(channel, heard.cursor)
    assert late["uri"] in again.ids
    assert not [request for request in venue.asked if "authorization" in request.headers]


async def test_search_reads_all_that_is_new(now: Now) -> None:
    venue = Mastodon(most=4)
    venue.post("acmetel long ago", at=now.at - timedelta(days=3))
    found = [venue.post(f"acmetel {n}", at=now.at - timedelta(minutes=60 - n)) for n in range(11)]
    channel = opened(venue, queries=["acmetel"])
    heard = await read_on(channel)
    assert sorted(heard.ids) == sorted(ids(found))
    assert venue.asked_for("v1/timelines") == []


async def test_a_public_timeline_is_read_for_words(now: Now) -> None:
    venue = Mastodon()
    wanted = venue.post("AcméTel werkt niet", at=now.at - timedelta(minutes=3))
    venue.post("acmetelefoon werkt niet", at=now.at - timedelta(minutes=2))
    channel = opened(venue, token="", queries=["acmetel niet"], public="local")
    heard = await read_on(channel)
    assert heard.ids == [wanted["uri"]]
    assert venue.asked_for("timelines/public")[0].url.params["local"] == "true"
    venue.post("acmetel niet", at=now.at)
    now.at += timedelta(seconds=60)
    heard = await read_on(channel, heard.cursor)
    late = venue.post("acmetel ook niet", at=now.at - timedelta(seconds=70))
    assert heard.ids == []  # it waits for what comes in late
    now.at += timedelta(seconds=60)
    heard = await read_on(channel, heard.cursor)
    assert len(heard.ids) == 2
    assert late["uri"] in heard.ids
    assert (await read_on(channel, heard.cursor)).ids == []


async def test_what_a_post_answers_is_told_by_its_address(now: Now) -> None:
    venue = Mastodon()
    parent = venue.post("What is wrong?", by=US, at=now.at - timedelta(minutes=9))
    child = venue.post("@acmetel this", to=parent["id"], at=now.at - timedelta(minutes=8), notify=True)
    (heard,) = (await read_on(opened(venue))).mentions
    assert (heard.external_id, heard.in_reply_to, heard.kind) == (child["uri"], parent["uri"], MentionKind.REPLY)


async def test_edits_and_deletions_are_seen_when_it_looks_again(now: Now) -> None:
    venue = Mastodon()
    one = venue.post("@acmetel a", at=now.at - timedelta(minutes=9), notify=True)
    other = venue.post("@acmetel b", at=now.at - timedelta(minutes=8), notify=True)
    channel = opened(venue)
    heard = await read_on(channel)
    venue.edit(one, "a, again", now.at)
    del venue.statuses[other["id"]]
    told = []
    for _ in range(4):
        heard = await read_on(channel, heard.cursor)
        told += heard.mentions
    assert [(one.external_id, one.text, bool(one.deleted_at)) for one in told] == [
        (one["uri"], "a, again", False), (other["uri"], "", True),
    ]  # fmt: skip
    assert told[0].edited_at == now.at


async def test_an_old_instance_is_not_asked_of_several_posts_in_vain(now: Now) -> None:
    venue = Mastodon(version="4.2")
    venue.post("@acmetel a", at=now.at - timedelta(minutes=9), notify=True)
    channel = opened(venue)
    heard = await read_on(channel)
    for _ in range(3):
        heard = await read_on(channel, heard.cursor)
        assert heard.gone == []


async def test_back_filling_goes_as_far_back_as_asked(now: Now) -> None:
    venue = Mastodon(most=2)
    week = [venue.post(f"#acmetel {n}", at=now.at - timedelta(days=n)) for n in range(1, 7)]
    channel = opened(venue, hashtags=["acmetel"])
    cursor, found, more = None, [], True
    while more:
        page = await channel.backfill(now.at - timedelta(days=4, hours=1), cursor)
        cursor, more = page.cursor, page.has_more
        found += [one.external_id for one in page.mentions]
    assert sorted(found) == sorted(ids(week[:4]))


async def test_our_own_posts_are_no_mentions(now: Now) -> None:
    venue = Mastodon()
    venue.post("#acmetel hello", by=US, at=now.at - timedelta(minutes=1))
    assert (await read_on(opened(venue, hashtags=["acmetel"]))).ids == []
    known = opened(venue, token="", handle="@AcmeTel", hashtags=["acmetel"])
    assert known.own_accounts() == {"acmetel@mastodon.example"}
    assert (await read_on(known)).ids == []


async def test_a_wrong_token_asks_for_another() -> None:
    with pytest.raises(AskForNewCredential):
        await opened(Mastodon(), token="wrong").page(None)
    assert (await opened(Mastodon()).account()).handle == "acmetel@mastodon.example"


# ---------------------------------------------------------------- streams


async def test_a_stream_tells_posts_edits_and_deletions(now: Now) -> None:
    venue = Mastodon()
    one = venue.post("acmetel a")
    private = venue.post("@acmetel hush", visibility="direct")
    venue.events = [
        ("update", one), ("update", venue.post("something else")), ("update", "{no json"), ("status.update", {**one, "content": "b"}),
        ("delete", "999"), ("delete", one["id"]), ("filters_changed", "undefined"),
        ("notification", {"id": "1", "type": "favourite", "status": one}), ("update", {**private, "content": "<p>acmetel hush</p>"}),
    ]  # fmt: skip
    channel = opened(venue, queries=["acmetel"], live="public")
    pages: list[Page] = []
    with pytest.raises(TryLater, match="ended the stream"):
        await _collect(channel, {"heard_at": "2026-11-20T11:00:00.000Z"}, pages)
    heard = [mention for page in pages for mention in page.mentions]
    assert [(mention.text, bool(mention.edited_at), bool(mention.deleted_at)) for mention in heard] == [
        ("acmetel a", False, False), ("b", True, False), ("", False, True), ("acmetel hush", False, False),
    ]  # fmt: skip
    assert heard[-1].visibility is Visibility.PRIVATE
    ((gap,),) = [page.gaps for page in pages if page.gaps]
    assert gap.until - gap.since == timedelta(hours=1)
    assert venue.asked_for("streaming")[0].url.host == "streaming.mastodon.example"
    assert [page async for page in opened(venue).stream(None)] == []
    assert (channel.streaming(), opened(venue).streaming()) == (True, False)


async def _collect(channel: Channel, cursor: Any, pages: list[Page]) -> None:
    async for page in channel.stream(cursor):
        pages.append(page)  # noqa: PERF401  # what came before it ends with an error counts


# ---------------------------------------------------------------- answering


async def test_a_reply_names_the_author_and_hangs_under_the_post() -> None:
    venue = Mastodon()
    to = venue.post("@acmetel?")
    sent = await opened(venue).reply_publicly(reply(to))
    (made,) = venue.ours()
    assert (sent.external_id, sent.permalink) == (made["uri"], made["url"])
    assert (made["content"], made["in_reply_to_id"], made["visibility"]) == ("<p>@klant Sorry!</p>", to["id"], "public")
    await opened(venue).reply_privately(reply(to, "@klant@elders.example Hush", "token-2"))
    assert (venue.ours()[-1]["visibility"], venue.ours()[-1]["content"]) == ("direct", "<p>@klant Hush</p>")


async def test_a_reply_whose_answer_was_lost_stands_once(now: Now) -> None:
    venue = Mastodon()
    to = venue.post("@acmetel?")
    channel = opened(venue)
    await channel.page(None)
    token = str(new_id(now.at))
    told = reply(to, token=token)
    venue.faults.extend([None, lost])
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(told)
    now.at += timedelta(minutes=5)
    sent = await channel.reply_publicly(told)
    assert len(venue.ours()) == 1
    now.at += timedelta(hours=3)  # the instance has forgotten the key
    again = await channel.reply_publicly(told)
    assert again == sent
    assert len(venue.ours()) == 1
    assert await channel.find_reply(told, private=False, since=now.at - timedelta(hours=4)) == sent
    assert await channel.find_reply(told, private=True, since=now.at - timedelta(hours=4)) is None
    assert await channel.find_reply(told, private=False, since=now.at) is None


async def test_the_instance_s_own_limit_holds() -> None:
    venue = Mastodon(characters=50)
    to = venue.post("@acmetel?")
    channel = opened(venue)
    assert channel.reply_rules.public is not None
    assert channel.reply_rules.public.lengths[0].limit == 500
    await channel.page(None)
    assert channel.reply_rules.public.lengths[0].limit == 50
    with pytest.raises(SkipThis, match="7 characters too long"):
        await channel.reply_publicly(reply(to, "x" * 50))
    assert venue.ours() == []
    await channel.reply_publicly(reply(to, f"{'x' * 18} https://acme.example/{'y' * 99}"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.Response(429, headers={"X-RateLimit-Reset": "2026-11-20T12:01:17.000000Z"}), TryLater),
        (httpx.Response(500), OutcomeUnknown),
        (httpx.ConnectError, TryLater),
        (httpx.ReadTimeout, OutcomeUnknown),
        (httpx.Response(200, content=b"{"), OutcomeUnknown),
        (httpx.Response(401), AskForNewCredential),
        (httpx.Response(403, json={"error": "This action is outside the authorized scopes"}), AskForNewCredential),
        (httpx.Response(422, json={"error": "no"}), SkipThis),
    ],
)
async def test_what_becomes_of_a_post_is_told(fault: Any, error: type[Exception]) -> None:
    venue = Mastodon()
    to = venue.post("@acmetel?")
    channel = opened(venue)
    await channel.page(None)
    venue.faults.extend([None, fault])
    with pytest.raises(error) as caught:
        await channel.reply_publicly(reply(to))
    if isinstance(caught.value, TryLater) and isinstance(fault, httpx.Response):
        assert caught.value.after == timedelta(seconds=77)


async def test_the_payload_tells_the_id_else_the_instance_is_asked() -> None:
    venue = Mastodon()
    to = venue.post("@acmetel?")
    channel = opened(venue)
    await channel.reply_publicly(reply(to, raw=json.dumps(to).encode()))
    assert venue.asked_for("v2/search") == []
    del venue.statuses[to["id"]]
    with pytest.raises(SkipThis, match="not there any more"):
        await channel.reply_publicly(reply(to, token="other"))


async def test_a_reply_is_deleted_and_a_post_reported() -> None:
    venue = Mastodon()
    to = venue.post("buy pills")
    channel = opened(venue)
    sent = await channel.reply_publicly(reply(to))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert venue.ours() == []
    await channel.report(Post(to["uri"]), "Spam, again")
    assert (venue.reports[0]["category"], venue.reports[0]["status_ids"]) == ("spam", [to["id"]])
