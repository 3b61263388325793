"""The discourse channel against a played forum: reading down the numbers, webhooks with their events, answers in public and private."""

import json
from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    IncomingMention,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    Push,
    SkipThis,
    TryLater,
)
from services.ingest.channels.discourse import Discourse
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.discourse import BASE, SECRETS, US, DiscourseVenue

SAID = "Dank voor de melding, we zoeken het uit."


def opened(venue: DiscourseVenue, secrets: dict[str, str] = SECRETS, **settings: object) -> Discourse:
    return Discourse({"instance": BASE, "username": US, **settings}, secrets, venue.http())


def reply(to: int, text: str = SAID, **more: str) -> OutgoingReply:
    return OutgoingReply(text, "019ae0c2-7b11-7000-8000-000000000001", str(to), author_handle="sanne", **more)  # type: ignore[arg-type]


@pytest.fixture
def venue(now: Now) -> DiscourseVenue:
    return DiscourseVenue()


@pytest.mark.parametrize("version", ["numbers", "posts", "below"])
async def test_posts_are_read_down_to_where_they_were_read_before(venue: DiscourseVenue, version: str) -> None:
    venue.version = version
    topic = venue.topic("App stuk")
    venue.post(topic, "Van vorige maand", ago=30 * 86_400)
    first = [venue.post(topic, f"Bericht {number}", ago=200 - number, skip=number % 3) for number in range(160)]
    heard = await read_on(opened(venue))
    assert sorted(map(int, heard.ids)) == first
    later = [venue.post(topic, f"Nieuw {number}") for number in range(120)]
    more = await read_on(opened(venue), heard.cursor)
    assert set(map(str, later)) <= set(more.ids)
    assert len(set(more.ids) - set(map(str, later))) < 50, "only the overlap comes again"
    assert more.cursor == {"read": later[-1]}


@pytest.mark.parametrize("version", ["numbers", "posts", "below"])
async def test_a_hole_of_hidden_posts_is_no_end(venue: DiscourseVenue, version: str) -> None:
    venue.version = version
    topic, closed = venue.topic("Open"), venue.topic("Besloten", "private_message")
    old = venue.post(topic, "Eerst", ago=60)
    heard = await read_on(opened(venue))
    low = venue.post(topic, "Laag")
    for _ in range(180):
        venue.post(closed, "privé")
    high = venue.post(topic, "Hoog")
    more = await read_on(opened(venue), heard.cursor)
    assert sorted(int(one) for one in more.ids if int(one) != old) == [low, high]
    page, ids = await opened(venue).backfill(NOON - timedelta(hours=2), None), list[str]()
    ids += [one.external_id for one in page.mentions]
    while page.has_more:
        page = await opened(venue).backfill(NOON - timedelta(hours=2), page.cursor)
        ids += [one.external_id for one in page.mentions]
    assert sorted(map(int, ids)) == [old, low, high]


async def test_a_fault_on_the_way_down_loses_nothing(venue: DiscourseVenue) -> None:
    topic = venue.topic("x")
    written = [venue.post(topic, f"B{number}") for number in range(220)]
    channel, cursor, ids = opened(venue), None, list[int]()
    for number in range(20):
        if number % 2:
            venue.faults.append((httpx.Response(502), httpx.ConnectError, lost)[number % 3])
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = json.loads(json.dumps(page.cursor)), ids + [int(one.external_id) for one in page.mentions]
        if number == 6:
            written.append(venue.post(topic, "ondertussen"))
        if not page.has_more:
            break
    ids += [int(one) for one in (await read_on(channel, cursor)).ids]
    assert set(ids) == set(written)


async def test_a_cut_of_two_hours_is_read_back_without_touching_the_cursor(venue: DiscourseVenue) -> None:
    topic = venue.topic("x")
    venue.post(topic, "Van gisteren", ago=86_400)
    missed = [venue.post(topic, f"M{number}", ago=7000 - number * 50) for number in range(130)]
    page, ids = await opened(venue).backfill(NOON - timedelta(hours=2), None), list[IncomingMention]()
    ids += page.mentions
    while page.has_more:
        page = await opened(venue).backfill(NOON - timedelta(hours=2), page.cursor)
        ids += page.mentions
    assert sorted(int(one.external_id) for one in ids) == missed


async def test_only_what_holds_our_words_is_kept(venue: DiscourseVenue) -> None:
    topic = venue.topic("Iets anders")
    wanted = venue.post(topic, "Ik ben bij Acmé weg")
    venue.post(topic, "Mooi weer")
    assert (await read_on(opened(venue, queries=["acme"]))).ids == [str(wanted)]


def test_webhooks_tell_what_befell_a_post(venue: DiscourseVenue) -> None:
    channel = opened(venue)
    known = venue.post(venue.topic("App stuk"), "Werkt niet")
    created = channel.read_push(venue.tells(known), NOON).mentions[0]
    assert (created.kind, created.title, created.permalink) == ("post", "App stuk", f"{BASE}/t/x/70/1")
    assert created.author is not None
    assert created.author.url == f"{BASE}/u/sanne"
    venue.edit(known, "Werkt weer")
    edited = channel.read_push(venue.tells(known, "post_edited"), NOON).mentions[0]
    assert (edited.text, edited.edited_at) == ("Werkt weer", NOON)
    gone = channel.read_push(venue.tells(known, "post_destroyed"), NOON).mentions[0]
    assert (gone.external_id, gone.deleted_at, gone.text) == (str(known), NOON, "")
    back = channel.read_push(venue.tells(known, "post_recovered"), NOON).mentions[0]
    assert (back.deleted_at, back.restored, back.text) == (None, True, "Werkt weer")
    assert not any(one.restored for one in (created, edited, gone))
    assert opened(venue, queries=["iets"]).read_push(venue.tells(known, "post_destroyed"), NOON).mentions
    assert channel.read_push(venue.tells(known, "topic_created"), NOON).mentions == ()


async def test_webhook_and_reading_tell_the_same(venue: DiscourseVenue) -> None:
    known = venue.post(venue.topic("Titel"), "Eén &amp; <b>twee</b>", ago=60)
    channel = opened(venue)
    pushed = channel.read_push(venue.tells(known), NOON).mentions[0]
    read = (await read_on(channel)).mentions[0]
    assert pushed.model_dump() == read.model_dump()
    assert read.text == "Eén & twee"


def test_signature_and_ping(venue: DiscourseVenue) -> None:
    channel = opened(venue)
    push = venue.tells(venue.post(venue.topic("x"), "y"))
    assert channel.verify(push, NOON) == push.headers["x-discourse-event-id"]
    opened(venue, {"webhook_secret": "new", "former_webhook_secret": SECRETS["webhook_secret"]}).verify(push, NOON)
    assert channel.answer_hook(push, NOON) is None
    answer = channel.answer_hook(venue.ping(), NOON)
    assert answer is not None
    assert answer.status == 200
    for wrong in (venue.ping("other"), Push("POST", {"x-discourse-event-type": "ping"}, b"{}")):
        with pytest.raises(NotGenuine):
            channel.answer_hook(wrong, NOON)
    with pytest.raises(NotGenuine):
        channel.verify(Push("POST", push.headers, push.body + b" "), NOON)


async def test_a_public_answer_stands_in_the_topic_and_is_found_again(venue: DiscourseVenue) -> None:
    topic = venue.topic("x")
    for number in range(30):
        venue.post(topic, f"B{number}")
    known = venue.post(topic, "Help", above=3)
    channel = opened(venue)
    sent = await channel.reply_publicly(reply(known))
    assert venue.posts[int(sent.external_id)]["reply_to_post_number"] == 31
    assert sent.permalink == f"{BASE}/t/x/{topic}/32"
    venue.faults.extend([None, lost])
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(reply(known, f"{SAID} Nog iets."))
    found = await channel.find_reply(
        reply(known, f"{SAID} Nog iets."), private=False, since=NOON - timedelta(minutes=1)
    )
    assert found is not None
    assert found.external_id == str(venue.last)
    assert await channel.find_reply(reply(known, "Nooit geschreven"), private=False, since=NOON) is None
    with pytest.raises(SkipThis, match="not have it any more"):
        await channel.reply_publicly(reply(99_999))


async def test_a_private_message_is_written_once(venue: DiscourseVenue) -> None:
    known = venue.post(venue.topic("x"), "Help")
    channel = opened(venue)
    assert await channel.find_reply(reply(known), private=True, since=NOON) is None
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_privately(reply(known))
    found = await channel.find_reply(reply(known), private=True, since=NOON - timedelta(minutes=1))
    assert found is not None
    with pytest.raises(SkipThis, match="already been taken"):
        await channel.reply_privately(reply(known))
    inside = int(found.external_id)
    again = await channel.reply_privately(reply(inside, f"{SAID} En verder.", kind="message"))
    assert venue.posts[int(again.external_id)]["topic_id"] == venue.posts[inside]["topic_id"]
    with pytest.raises(SkipThis, match="nobody can be written to"):
        await channel.reply_privately(OutgoingReply(SAID, "t", str(known)))


async def test_what_the_forum_refuses_or_holds_back(venue: DiscourseVenue) -> None:
    known, channel = venue.post(venue.topic("x"), "Help"), opened(venue)
    for text, said in (("kort", "minimum is 20"), ("x" * 32_001, "limited to 32000")):
        with pytest.raises(SkipThis, match=said):
            await channel.reply_publicly(reply(known, text))
    venue.moderates = True
    assert (await channel.reply_publicly(reply(known))).external_id == "pending-7"
    limited = httpx.Response(429, json={"errors": ["slow"], "error_type": "rate_limit", "extras": {"wait_seconds": 23}})
    venue.faults.extend([None, limited])
    with pytest.raises(TryLater) as caught:
        await channel.reply_publicly(reply(known))
    assert caught.value.after == timedelta(seconds=23)
    venue.faults.append(httpx.Response(429, headers={"retry-after": "9"}))
    with pytest.raises(TryLater) as caught:
        await channel.page(None)
    assert caught.value.after == timedelta(seconds=9)


async def test_moderation_and_the_credential(venue: DiscourseVenue) -> None:
    known, channel = venue.post(venue.topic("x"), "spam"), opened(venue)
    await channel.report(Post(str(known)), "Reclame")
    assert venue.flags == [{"id": known, "post_action_type_id": 7, "message": "Reclame"}]
    sent = await channel.reply_publicly(reply(known))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert int(sent.external_id) not in venue.posts
    account = await channel.account()
    assert (account.handle, account.url) == (US, f"{BASE}/u/{US}")
    assert channel.own_accounts() == {US}
    with pytest.raises(AskForNewCredential):
        await opened(venue, {"api_key": "wrong"}).account()
    with pytest.raises(ChannelBroken):
        await opened(venue, {}).account()
