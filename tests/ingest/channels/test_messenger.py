"""The messenger channel against played conversations: webhooks and reading back, edits, deletions, and the window of 24 hours."""

import json
from datetime import timedelta

import httpx
import pytest

from services.ingest.channel import ChannelBroken, NotGenuine, OutcomeUnknown, OutgoingReply, Push, SkipThis, TryLater
from services.ingest.channels.messenger import Messenger
from tests.ingest.site import NOON, Now
from tests.venues import lost, read_on
from tests.venues.graph import SECRETS, question
from tests.venues.messenger import DAY, PAGE, MessengerVenue


def opened(venue: MessengerVenue) -> Messenger:
    return Messenger({"page_id": PAGE}, SECRETS, venue.http())


def reply(who: str | None = "77", text: str = "Dag!") -> OutgoingReply:
    return OutgoingReply(text, "token", "m_1", author_external_id=who, kind="message")


@pytest.fixture
def venue(now: Now) -> MessengerVenue:
    return MessengerVenue()


async def test_what_webhooks_missed_is_read_once_however_the_lists_are_cut(venue: MessengerVenue) -> None:
    venue.page_size = 3
    said = [venue.says(str(70 + number % 4), f"Bericht {number}", ago=number * 60)["mid"] for number in range(50)]
    heard = await read_on(opened(venue))
    assert sorted(heard.ids) == sorted(said)
    assert all(
        one.visibility == "private" and one.thread_id == one.author.external_id for one in heard.mentions if one.author
    )
    again = await read_on(opened(venue), heard.cursor)
    assert len(again.ids) <= 16  # the overlap of fifteen minutes


async def test_faults_in_the_middle_lose_and_double_nothing(venue: MessengerVenue) -> None:
    venue.page_size = 2
    said = [venue.says(str(70 + number % 3), f"B{number}", ago=number)["mid"] for number in range(20)]
    channel, cursor, ids = opened(venue), None, list[str]()
    for number in range(80):
        if number % 2:
            venue.faults.append((httpx.Response(502), httpx.ConnectError, lost)[number % 3])
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = json.loads(json.dumps(page.cursor)), ids + [one.external_id for one in page.mentions]
        if not page.has_more:
            break
    assert sorted(ids) == sorted(said)


async def test_a_cut_of_two_hours_is_read_back(venue: MessengerVenue) -> None:
    venue.says("77", "Van gisteren", ago=DAY)
    missed = [venue.says("77", f"V{number}", ago=number * 300)["mid"] for number in range(24)]
    page = await opened(venue).backfill(NOON - timedelta(hours=2), None)
    ids = [one.external_id for one in page.mentions]
    while page.has_more:
        page = await opened(venue).backfill(NOON - timedelta(hours=2), page.cursor)
        ids += [one.external_id for one in page.mentions]
    assert sorted(ids) == sorted(missed)


async def test_webhooks_tell_what_reading_tells_the_same_way(venue: MessengerVenue) -> None:
    said = [
        venue.says("77", "Help één 😡"),
        venue.says("77", "", attachments=("image", "file")),
        venue.says("77", "Ja", ours=True),
    ]
    channel = opened(venue)
    push = venue.tells(*(venue.event(one) for one in (*reversed(said), said[0])))
    channel.verify(push, NOON)
    pushed = {one.external_id: one for one in channel.read_push(push, NOON).mentions}
    read = {one.external_id: one for one in (await read_on(channel)).mentions}
    assert pushed.keys() == read.keys() == {one["mid"] for one in said}
    assert all(pushed[known].digest() == read[known].digest() for known in pushed)
    own = pushed[said[2]["mid"]]
    assert own.author is not None
    assert own.author.external_id in channel.own_accounts(), "an echo is known as our own"
    assert own.thread_id == "77"


def test_edits_deletions_standby_and_other_pages(venue: MessengerVenue) -> None:
    channel = opened(venue)
    said = venue.says("77", "Waar blijf mijn pakket", ago=60)
    page = channel.read_push(venue.tells(venue.event(said), venue.edited(said, "Waar blijft mijn pakket?")), NOON)
    assert [(one.text, one.edited_at) for one in page.mentions] == [("Waar blijft mijn pakket?", NOON)]
    deleted = {"sender": {"id": "77"}, "recipient": {"id": PAGE}, "timestamp": int(venue.now * 1000)}
    page = channel.read_push(venue.tells({**deleted, "message": {"mid": said["mid"], "is_deleted": True}}), NOON)
    assert [(one.external_id, one.deleted_at, one.text) for one in page.mentions] == [(said["mid"], NOON, "")]
    assert len(channel.read_push(venue.tells(venue.event(said), kind="standby"), NOON).mentions) == 1
    assert channel.read_push(venue.tells(venue.event(said), page="501"), NOON).mentions == ()
    read = channel.read_push(venue.tells({**deleted, "read": {"watermark": 1}}), NOON)
    assert (read.mentions, read.drift) == ((), ())
    assert channel.read_push(venue.tells({**deleted, "telepathy": {}}), NOON).drift == ("messaging.telepathy",)


def test_handshake_and_signature(venue: MessengerVenue) -> None:
    channel = opened(venue)
    answer = channel.answer_hook(question(), NOON)
    assert answer is not None
    assert answer.body == b"1158201444"
    push = venue.tells()
    with pytest.raises(NotGenuine):
        channel.verify(Push("POST", push.headers, push.body + b"\n"), NOON)


async def test_an_answer_is_sent_once_and_found_again(venue: MessengerVenue) -> None:
    venue.says("77", "Help")
    channel = opened(venue)
    sent = await channel.reply_privately(reply())
    assert venue.talks["77"][-1]["mid"] == sent.external_id
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_privately(reply(text="Nog iets"))
    found = await channel.find_reply(reply(text="Nog iets"), private=True, since=NOON - timedelta(minutes=1))
    assert found is not None
    assert venue.talks["77"][-1]["mid"] == found.external_id
    assert await channel.find_reply(reply(text="Nooit"), private=True, since=NOON) is None
    venue.faults.append(httpx.ConnectError)
    with pytest.raises(TryLater):
        await channel.reply_privately(reply(text="Kwam niet weg"))
    assert [one["text"] for one in venue.talks["77"]] == ["Help", "Dag!", "Nog iets"]


async def test_after_24_hours_the_answer_is_refused_with_its_reason(venue: MessengerVenue) -> None:
    venue.says("77", "Help", ago=DAY)
    channel = opened(venue)
    with pytest.raises(SkipThis, match="the time in which it takes one is over"):
        await channel.reply_privately(reply())
    venue.says("77", "Hallo?", ago=DAY - 1)
    await channel.reply_privately(reply())
    with pytest.raises(SkipThis, match="2000"):
        await channel.reply_privately(reply(text="x" * 2001))
    with pytest.raises(SkipThis, match="No matching user"):
        await channel.reply_privately(reply("nobody"))
    with pytest.raises(SkipThis, match="nobody can be answered"):
        await channel.reply_privately(reply(None))


async def test_the_credential_is_checked(venue: MessengerVenue) -> None:
    assert (await opened(venue).account()).name == "Acme"
    with pytest.raises(ChannelBroken, match="belongs to Acme"):
        await Messenger({"page_id": "501"}, SECRETS, venue.http()).account()
