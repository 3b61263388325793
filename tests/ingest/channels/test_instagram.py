"""The instagram channel against a played account: reading back by count, webhooks of both shapes, answers, moderation."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    ChannelBroken,
    IncomingMention,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels.instagram import Instagram
from shared.models.reply_rules import Answerable
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.graph import SECRETS, question
from tests.venues.instagram import ACCOUNT, DAY, HANDLE, InstagramVenue


def opened(venue: InstagramVenue) -> Instagram:
    return Instagram({"account_id": ACCOUNT, "handle": f"@{HANDLE}"}, SECRETS, venue.http())


def reply(to: str, text: str = "Dag!", **more: Any) -> OutgoingReply:
    return OutgoingReply(text, "token", to, **{"kind": "comment", "author_external_id": "77", **more})


@pytest.fixture
def venue(now: Now) -> InstagramVenue:
    return InstagramVenue()


async def test_all_that_is_new_is_read_once_however_the_lists_are_cut(venue: InstagramVenue) -> None:
    venue.page_size = 2
    posts = [venue.post(ago=number * 3600) for number in range(5)]
    comments = [venue.comment(posts[number % 5], f"Vraag {number}", ago=100 + number) for number in range(23)]
    answers = [venue.comment(comments[0], f"Ook {number}", ago=number) for number in range(7)]
    tag = venue.tag("Met @acme", ago=50)
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted([*comments, *answers, tag])
    by_id = {one.external_id: one for one in heard.mentions}
    assert (by_id[answers[3]].kind, by_id[answers[3]].in_reply_to, by_id[answers[3]].thread_id) == (
        "reply",
        comments[0],
        posts[0],
    )
    assert by_id[comments[1]].permalink == f"https://www.instagram.com/p/{posts[1]}/"
    assert not any("evil" in str(request.url) for request in venue.asked)


async def test_a_new_answer_below_an_old_comment_is_seen_by_the_count(venue: InstagramVenue, now: Now) -> None:
    post, quiet = venue.post(ago=6 * DAY), venue.post(ago=5 * DAY)
    old = [venue.comment(post, f"Oud {number}", ago=5 * DAY + number) for number in range(120)]
    venue.comment(quiet, "Rust", ago=4 * DAY)
    before = await read_on(opened(venue))
    assert len(before.ids) == 121
    now.at += timedelta(hours=1)
    venue.now += 3600
    calls = len(venue.asked)
    assert (await read_on(opened(venue), before.cursor)).ids == []
    assert len(venue.asked) - calls == 3, "nothing was opened whose count stands still"
    new = venue.comment(old[-1], "Nog steeds", ago=5)
    after = await read_on(opened(venue), before.cursor)
    assert after.ids == [new]


async def test_faults_in_the_middle_lose_and_double_nothing(venue: InstagramVenue) -> None:
    venue.page_size = 2
    posts = [venue.post(ago=number) for number in range(3)]
    comments = [venue.comment(posts[number % 3], f"C{number}", ago=number) for number in range(15)]
    channel, cursor, ids = opened(venue), None, list[str]()
    for number in range(80):
        if number % 2:
            venue.faults.append((httpx.Response(500), httpx.ConnectError, lost)[number % 3])
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = json.loads(json.dumps(page.cursor)), ids + [one.external_id for one in page.mentions]
        if not page.has_more:
            break
    assert sorted(ids) == sorted(comments)


async def test_a_cut_of_two_hours_is_read_back(venue: InstagramVenue) -> None:
    post = venue.post(ago=3 * DAY)
    missed = [venue.comment(post, f"V{number}", ago=number * 300) for number in range(24)]
    venue.comment(post, "Van gisteren", ago=DAY)
    page = await opened(venue).backfill(NOON - timedelta(hours=2), None)
    ids = [one.external_id for one in page.mentions]
    while page.has_more:
        page = await opened(venue).backfill(NOON - timedelta(hours=2), page.cursor)
        ids += [one.external_id for one in page.mentions]
    assert sorted(ids) == sorted(missed)


async def test_webhooks_tell_what_reading_tells_the_same_way(venue: InstagramVenue) -> None:
    comment = venue.comment(venue.post(), "Kapot 😡 één")
    below = venue.comment(comment, "Ook")
    channel = opened(venue)
    pushed: dict[str, IncomingMention] = {}
    for known in (below, comment, comment):
        push = venue.tells(known)
        channel.verify(push, NOON)
        pushed |= {one.external_id: one for one in channel.read_push(push, NOON).mentions}
    read = {one.external_id: one for one in (await read_on(channel)).mentions}
    assert pushed.keys() == read.keys() == {comment, below}
    for known in pushed:
        assert pushed[known].digest() == read[known].digest()
        assert pushed[known].author == read[known].author
        assert (pushed[known].thread_id, pushed[known].in_reply_to) == (read[known].thread_id, read[known].in_reply_to)
    assert channel.read_push(venue.tells(comment, account="17841400000000002"), NOON).mentions == ()


def test_handshake_and_signature(venue: InstagramVenue) -> None:
    channel = opened(venue)
    answer = channel.answer_hook(question(), NOON)
    assert answer is not None
    assert answer.body == b"1158201444"
    push = venue.tells(venue.comment(venue.post(), "x"))
    with pytest.raises(NotGenuine):
        Instagram({"account_id": ACCOUNT}, {"app_secret": "other"}, venue.http()).verify(push, NOON)


async def test_an_answer_to_an_answer_lands_below_the_same_comment_and_is_found(venue: InstagramVenue) -> None:
    comment = venue.comment(venue.post(), "Help")
    below = venue.comment(comment, "Ook")
    channel = opened(venue)
    sent = await channel.reply_publicly(reply(below))
    assert venue.comments[sent.external_id]["parent"] == comment
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(reply(below, "Nog iets"))
    venue.page_size = 1
    found = await channel.find_reply(reply(below, "Nog iets"), private=False, since=NOON - timedelta(minutes=1))
    assert found is not None
    assert venue.comments[found.external_id]["text"] == "Nog iets"
    assert await channel.find_reply(reply(comment, "Nooit"), private=False, since=NOON - timedelta(minutes=1)) is None


async def test_where_we_were_named_elsewhere_the_answer_goes_there(venue: InstagramVenue) -> None:
    channel = opened(venue)
    page = channel.read_push(venue.tells_named("18999", "17999"), NOON)
    mention = page.mentions[0]
    assert mention.title is not None
    kept: dict[str, Any] = {"thread_id": mention.thread_id, "raw": mention.raw, "kind": str(mention.kind.value)}
    await channel.reply_publicly(reply(mention.external_id, **kept))
    await channel.reply_publicly(reply(venue.tag("x"), kind="post"))
    assert [(one["media_id"], one.get("comment_id")) for one in venue.named] == [
        ("18999", "17999"),
        (venue.tagged[0]["id"], None),
    ]
    with pytest.raises(SkipThis, match="under our own posts"):
        await channel.reply_privately(reply(mention.external_id, **kept))
    with pytest.raises(ChannelBroken, match="look for it there"):
        await channel.find_reply(reply(mention.external_id, **kept), private=False, since=NOON)


async def test_one_private_answer_within_seven_days(venue: InstagramVenue) -> None:
    post = venue.post(ago=9 * DAY)
    comment, old = venue.comment(post, "Help"), venue.comment(post, "Lang geleden", ago=8 * DAY)
    channel = opened(venue)
    sent = await channel.reply_privately(reply(comment))
    for wrong, said in (
        (reply(comment), "already"),
        (reply(old), "is over"),
        (reply(venue.comment(post, "y"), "é" * 501), "1000"),
    ):
        with pytest.raises(SkipThis, match=said):
            await channel.reply_privately(wrong)
    found = await channel.find_reply(reply(comment), private=True, since=NOON - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == sent.external_id
    assert len(venue.messages) == 1


async def test_moderation_and_the_credential(venue: InstagramVenue) -> None:
    comment = venue.comment(venue.post(), "spam")
    channel = opened(venue)
    await channel.hide(Post(comment))
    with pytest.raises(SkipThis, match="Hidden"):
        await channel.reply_publicly(reply(comment))
    await channel.unhide(Post(comment))
    sent = await channel.reply_publicly(reply(comment))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert list(venue.comments) == [comment]
    account = await channel.account()
    assert (account.handle, account.name, account.url) == (HANDLE, "Acme BV", "https://www.instagram.com/acme/")
    assert channel.own_accounts() == {ACCOUNT, HANDLE}


@pytest.mark.parametrize("comment", ["17999", None])
async def test_the_words_of_a_mention_are_asked_for(venue: InstagramVenue, comment: str | None) -> None:
    channel = opened(venue)
    page = channel.read_push(venue.tells_named("18999", comment), NOON)
    (came,) = page.mentions
    assert page.incomplete == (came.external_id,) == (comment or "18999",)
    assert came.addressed_to_us is True
    with pytest.raises(SkipThis, match="does not exist"):
        await channel.complete(came)
    assert await channel.complete(came.model_copy(update={"external_id": "1){id}"})) is None
    link = "https://www.instagram.com/p/abc/"
    told = {"id": came.external_id, "timestamp": "2026-11-20T08:00:00+0000", "username": "mila.foto", "like_count": 3}
    venue.elsewhere[came.external_id] = (
        {**told, "text": "@acme is stuk", "media": {"id": "18999", "permalink": link}}
        if comment
        else {**told, "caption": "@acme is stuk", "permalink": link, "media_type": "IMAGE"}
    )
    whole = await channel.complete(came)
    assert whole is not None
    assert (whole.external_id, whole.text, whole.title, whole.permalink) == (
        came.external_id,
        "@acme is stuk",
        None,
        link,
    )
    assert (whole.kind, whole.thread_id, whole.raw) == (came.kind, "18999", came.raw)
    assert whole.published_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert whole.author is not None
    assert whole.author.handle == "mila.foto"
    assert whole.digest() != came.digest()
    await channel.reply_publicly(
        reply(whole.external_id, thread_id=whole.thread_id, raw=whole.raw, kind=str(whole.kind.value))
    )
    assert [(one["media_id"], one.get("comment_id")) for one in venue.named] == [("18999", comment)]
    nothings: list[dict[str, Any]] = [{"id": "1"}, {"id": None, "timestamp": "never", "text": []}, {}]
    for nothing in nothings:
        venue.elsewhere[came.external_id] = nothing
        assert await channel.complete(came) is None


async def test_direct_messages_are_told_by_webhook_as_they_are_read_back(venue: InstagramVenue) -> None:
    said = [
        venue.says("77", "Help één 😡"),
        venue.says("77", attachments=("image", "video")),
        venue.says("77", story="mention"),
        venue.says("77", "Mooi!", story="reply_to"),
        venue.says("77", "Dag", ours=True),
    ]
    channel = opened(venue)
    push = venue.tells_messages(*(venue.event(one) for one in (*reversed(said), said[0])))
    channel.verify(push, NOON)
    pushed = {one.external_id: one for one in channel.read_push(push, NOON).mentions}
    read = {one.external_id: one for one in (await read_on(channel)).mentions}
    assert pushed.keys() == read.keys() == {one["mid"] for one in said}
    for known, one in pushed.items():
        assert (one.digest(), one.in_reply_to) == (read[known].digest(), read[known].in_reply_to)
    assert {(str(one.kind), str(one.visibility)) for one in pushed.values()} == {("message", "private")}
    assert [pushed[one["mid"]].title for one in said] == [
        None, None, "Our account was named in a story.", "An answer to our story.", None
    ]  # fmt: skip
    own = pushed[said[4]["mid"]]
    assert own.author is not None
    assert own.author.external_id in channel.own_accounts(), "an echo is known as our own"
    assert own.thread_id == "77"
    elsewhere = venue.tells_messages(venue.event(said[0]), account="17841400000000002")
    assert channel.read_push(elsewhere, NOON).mentions == ()
    assert channel.told_of(elsewhere) == {"17841400000000002"}


async def test_direct_messages_can_be_left_alone(venue: InstagramVenue) -> None:
    said = venue.says("77", "Help")
    comment = venue.comment(venue.post(), "Ook hier")
    channel = Instagram({"account_id": ACCOUNT, "direct_messages": False}, SECRETS, venue.http())
    assert channel.read_push(venue.tells_messages(venue.event(said)), NOON).mentions == ()
    assert (await read_on(channel)).ids == [comment]
    assert venue.asked_for("conversations") == []


def test_a_direct_message_is_edited_and_unsent(venue: InstagramVenue) -> None:
    channel = opened(venue)
    said = venue.says("77", "Waar blijf het", ago=60)
    around = {name: value for name, value in venue.event(said).items() if name != "message"} | {
        "timestamp": int(venue.now * 1000)
    }
    edit = {**around, "message_edit": {"mid": said["mid"], "text": "Waar blijft het?", "num_edit": 1}}
    page = channel.read_push(venue.tells_messages(venue.event(said), edit), NOON)
    assert [(one.text, one.edited_at) for one in page.mentions] == [("Waar blijft het?", NOON)]
    page = channel.read_push(
        venue.tells_messages({**around, "message": {"mid": said["mid"], "is_deleted": True}}), NOON
    )
    assert [(one.external_id, one.deleted_at, one.text) for one in page.mentions] == [(said["mid"], NOON, "")]
    seen = channel.read_push(venue.tells_messages({**around, "read": {"mid": said["mid"]}}), NOON)
    assert (seen.mentions, seen.drift) == ((), ())
    assert channel.read_push(venue.tells_messages({**around, "telepathy": {}}), NOON).drift == ("messaging.telepathy",)


async def test_a_direct_message_is_answered_for_a_day_and_as_often_as_one_likes(venue: InstagramVenue) -> None:
    channel = opened(venue)
    old = venue.says("77", "Help", ago=DAY)
    message = {"kind": "message", "author_external_id": "77"}
    with pytest.raises(SkipThis, match="the time in which it takes one is over"):
        await channel.reply_privately(reply(old["mid"], **message))
    new = venue.says("77", "Hallo?", ago=DAY - 1)
    await channel.reply_privately(reply(new["mid"], **message))
    sent = await channel.reply_privately(reply(new["mid"], "Nog iets", **message))
    found = await channel.find_reply(
        reply(new["mid"], "Nog iets", **message), private=True, since=NOON - timedelta(minutes=1)
    )
    assert found is not None
    assert found.external_id == sent.external_id
    for wrong, why in ((None, "nobody can be answered"), ("nobody", "No matching user")):
        with pytest.raises(SkipThis, match=why):
            await channel.reply_privately(replace(reply(new["mid"], **message), author_external_id=wrong))
    said_today = Answerable(published_at=NOON - timedelta(hours=23), private=True, answered_privately=True)
    assert channel.reply_rules.answer_for(said_today, NOON).private.allowed
    yesterday = Answerable(published_at=NOON - timedelta(hours=24), private=True)
    assert channel.reply_rules.answer_for(yesterday, NOON).private.reason == "window_closed"
    comment = Answerable(published_at=NOON - timedelta(days=6))
    assert channel.reply_rules.answer_for(comment, NOON).private.allowed
