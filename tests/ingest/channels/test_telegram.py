"""The telegram channel against a played Bot API: updates confirmed only when taken in, webhooks, edits, answers and their limits."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels.telegram import Telegram
from tests.ingest.site import NOON, Now
from tests.venues import json_of, lost
from tests.venues.telegram import BOT, DAY, GROUP, SECRETS, TOKEN, TelegramVenue, no


def opened(venue: TelegramVenue, secrets: dict[str, str] = SECRETS, **settings: Any) -> Telegram:
    return Telegram(settings, secrets, venue.http())


@pytest.fixture
def venue(now: Now) -> TelegramVenue:
    return TelegramVenue()


async def all_of(
    venue: TelegramVenue, cursor: dict[str, object] | None = None, **settings: Any
) -> tuple[list[str], dict[str, object]]:
    channel, ids = opened(venue, **settings), []
    while True:
        page = await channel.page(cursor)
        ids += [one.external_id for one in page.mentions]
        cursor = dict(page.cursor)
        if not page.has_more:
            return ids, cursor


async def test_updates_come_once_and_are_confirmed_only_with_the_stored_cursor(venue: TelegramVenue) -> None:
    said = [venue.says(f"Bericht {number}")["message"]["message_id"] for number in range(250)]
    ids, cursor = await all_of(venue)
    assert ids == [f"42:{number}" for number in said]
    assert len(venue.updates) == 50, "the last page stays with Telegram until the next asking"
    again, _ = await all_of(venue, {"offset": cursor["offset"] - 50, "at": cursor["at"]})  # type: ignore[operator]
    assert again == ids[-50:], "a page that was not committed comes again"
    assert await all_of(venue, cursor) == ([], cursor)
    assert venue.updates == []


async def test_faults_lose_and_double_nothing(venue: TelegramVenue) -> None:
    said = [venue.says(f"B{number}")["message"]["message_id"] for number in range(120)]
    channel, cursor, ids = opened(venue), None, list[str]()
    for fault in (
        httpx.ConnectError,
        None,
        lost,
        httpx.Response(502),
        no(429, "Too Many Requests: retry after 7", retry_after=7),
        None,
        None,
    ):
        venue.faults.append(fault)
        try:
            page = await channel.page(cursor)
        except TryLater:
            continue
        cursor, ids = page.cursor, ids + [one.external_id for one in page.mentions]
    assert ids == [f"42:{number}" for number in said]


async def test_after_a_week_of_silence_numbers_begin_anew(venue: TelegramVenue, now: Now) -> None:
    venue.says("eerst")
    _, cursor = await all_of(venue)
    now.at += timedelta(days=8)
    venue.now += 8 * DAY
    venue.number = 3
    fresh = venue.says("weer")
    ids, _ = await all_of(venue, cursor)
    assert ids == [f"42:{fresh['message']['message_id']}"]


async def test_edits_in_the_same_page_count_last_and_chats_can_be_chosen(venue: TelegramVenue) -> None:
    first = venue.says("Waar blijf mijn pakket", GROUP)
    venue.edits(first, "Waar blijft mijn pakket?")
    venue.says("privé")
    heard = await opened(venue, chats=["-1001234567890"]).page(None)
    assert [(one.text, one.edited_at) for one in heard.mentions] == [
        ("Waar blijft mijn pakket?", NOON + timedelta(seconds=1))
    ]
    assert heard.mentions[0].permalink is not None
    assert heard.mentions[0].permalink.startswith("https://t.me/acmehulp/")


async def test_a_webhook_and_asking_exclude_each_other(venue: TelegramVenue) -> None:
    venue.webhook = "https://hooks.example/v1/hooks/1"
    venue.says("hoi")
    with pytest.raises(ChannelBroken, match="A webhook is set"):
        await opened(venue).page(None)
    page = await opened(venue, delivery="webhook").page({"offset": 5})
    assert (page.mentions, page.cursor) == ((), {"offset": 5})
    assert len(venue.updates) == 1
    venue.webhook = ""
    with pytest.raises(ChannelBroken, match="No webhook is set"):
        await opened(venue, delivery="webhook").page(None)


def test_a_webhook_is_known_by_one_of_our_secrets(venue: TelegramVenue) -> None:
    update = venue.says("hoi", GROUP)
    channel = opened(venue)
    assert channel.verify(venue.push(update), NOON) == channel.verify(venue.push(update), NOON)
    opened(venue, {"webhook_secret": "new", "former_webhook_secret": SECRETS["webhook_secret"]}).verify(
        venue.push(update), NOON
    )
    for wrong in ("", "guessed", "é"):
        with pytest.raises(NotGenuine):
            channel.verify(venue.push(update, wrong), NOON)
    with pytest.raises(NotGenuine, match="no webhook secret"):
        opened(venue, {}).verify(venue.push(update, ""), NOON)
    assert [one.text for one in channel.read_push(venue.push(update), NOON).mentions] == ["hoi"]
    assert opened(venue, chats=["1"]).read_push(venue.push(update), NOON).mentions == ()


async def test_an_answer_stands_as_an_answer_to_the_message(venue: TelegramVenue) -> None:
    private, group = venue.says("Help"), venue.says("@acmebot help", GROUP)
    channel = opened(venue)
    for update, send in ((private, channel.reply_privately), (group, channel.reply_publicly)):
        message = update["message"]
        known = f"{message['chat']['id']}:{message['message_id']}"
        sent = await send(OutgoingReply("Dag!", "t", known))
        chat, _, number = sent.external_id.partition(":")
        assert venue.messages[int(chat), int(number)]["reply_to"] == message["message_id"]
        assert (sent.permalink or "").startswith("https://t.me/acmehulp/") == (message["chat"] is GROUP)
        assert sent.sent_at == NOON
    assert "parse_mode" not in json_of(venue.asked[-1]), "a < in an answer is a <"
    assert channel.idempotency() == "neither"


async def test_what_telegram_refuses(venue: TelegramVenue) -> None:
    message = venue.says("Help")["message"]
    known, channel = f"42:{message['message_id']}", opened(venue)
    await channel.reply_privately(OutgoingReply("😀" * 2048, "t", known))
    for outgoing, said in (
        (OutgoingReply("😀" * 2048 + "x", "t", known), "too long"),
        (OutgoingReply("x", "t", "42:1"), "replied not found"),
        (OutgoingReply("x", "t", "43:1"), "chat not found"),
        (OutgoingReply("x", "t", "not an id"), "no message of Telegram"),
    ):
        with pytest.raises(SkipThis, match=said):
            await channel.reply_privately(outgoing)
    venue.blocked.add(42)
    with pytest.raises(SkipThis, match="blocked by the user"):
        await channel.reply_privately(OutgoingReply("x", "t", known))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (no(429, "Too Many Requests: retry after 31", retry_after=31), TryLater),
        (httpx.ConnectError, TryLater),
        (httpx.Response(502), OutcomeUnknown),
        (lost, OutcomeUnknown),
        (httpx.Response(200, content=b"{"), OutcomeUnknown),
        (httpx.Response(200, json={"ok": True, "result": {}}), OutcomeUnknown),
        (no(401, "Unauthorized"), AskForNewCredential),
    ],
)
async def test_what_a_fault_means_to_an_answer(venue: TelegramVenue, fault: object, expected: type[Exception]) -> None:
    message = venue.says("Help")["message"]
    venue.faults.append(fault)  # type: ignore[arg-type]
    with pytest.raises(expected) as caught:
        await opened(venue).reply_privately(OutgoingReply("x", "t", f"42:{message['message_id']}"))
    if isinstance(caught.value, TryLater) and isinstance(fault, httpx.Response):
        assert caught.value.after == timedelta(seconds=31)
    assert TOKEN not in str(caught.value)


async def test_our_answer_can_be_taken_away(venue: TelegramVenue) -> None:
    message = venue.says("Help")["message"]
    channel = opened(venue)
    sent = await channel.reply_privately(OutgoingReply("x", "t", f"42:{message['message_id']}"))
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    later = await channel.reply_privately(OutgoingReply("x", "t", f"42:{message['message_id']}"))
    venue.now += 3 * DAY
    with pytest.raises(SkipThis, match="can't be deleted"):
        await channel.delete_reply(Post(later.external_id))


async def test_the_credential_is_checked(venue: TelegramVenue) -> None:
    account = await opened(venue).account()
    assert (account.external_id, account.handle, account.url) == (str(BOT), "acmebot", "https://t.me/acmebot")
    assert opened(venue).own_accounts() == {str(BOT)}
    for wrong in ({"bot_token": "9000001:other"}, {"bot_token": "nonsense"}):
        with pytest.raises(AskForNewCredential):
            await opened(venue, wrong).account()
    assert opened(venue).reach() == timedelta(hours=24)
