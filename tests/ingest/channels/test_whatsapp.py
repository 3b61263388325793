"""The whatsapp channel against a played number: webhooks, statuses, answers that quote, and the window of 24 hours."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Push,
    SkipThis,
    TryLater,
)
from services.ingest.channels.whatsapp import Whatsapp
from shared.models.reply_rules import Answerable
from tests.ingest.site import NOON, Now
from tests.venues import lost
from tests.venues.graph import SECRETS, error, question
from tests.venues.whatsapp import DAY, NUMBER, WhatsappVenue

WHO = "31612345678"


def opened(venue: WhatsappVenue, **settings: Any) -> Whatsapp:
    return Whatsapp({"phone_number_id": NUMBER, **settings}, SECRETS, venue.http())


def reply(to: str, text: str = "Dag!", who: str | None = WHO) -> OutgoingReply:
    return OutgoingReply(text, "token-9", to, author_external_id=who, kind="message")


@pytest.fixture
def venue(now: Now) -> WhatsappVenue:
    return WhatsappVenue()


def test_messages_of_our_number_come_in_once_in_their_order(venue: WhatsappVenue) -> None:
    channel = opened(venue)
    late, early = venue.says(WHO, text={"body": "twee"}), venue.says(WHO, text={"body": "één"}, ago=5)
    push = venue.tells(late, early, late)
    assert b"\\u00e9\\u00e9n" in push.body
    channel.verify(push, NOON)
    page = channel.read_push(push, NOON)
    assert [one.text for one in page.mentions] == ["één", "twee"]
    assert page.mentions[0].author is not None
    assert page.mentions[0].author.name == "Klánt"
    assert {one.thread_id for one in page.mentions} == {WHO}
    assert channel.read_push(venue.tells(late, number="1"), NOON).mentions == ()


def test_what_became_of_our_messages_is_told_as_receipts(venue: WhatsappVenue) -> None:
    told = [
        {
            "id": "wamid.1",
            "status": status,
            "timestamp": "1795168800",
            "recipient_id": WHO,
            "biz_opaque_callback_data": "token-9",
        }
        for status in ("sent", "delivered", "read", "failed")
    ]
    told[3]["errors"] = [{"code": 131026, "title": "Message undeliverable"}]  # type: ignore[assignment]
    page = opened(venue).read_push(venue.tells(statuses=told), NOON)
    assert page.mentions == ()
    assert [(one.outcome, one.token, one.external_id) for one in page.receipts] == [
        (outcome, "token-9", "wamid.1") for outcome in ("sent", "delivered", "read", "failed")
    ]
    assert [one.reason for one in page.receipts] == [
        "", "", "", "WhatsApp did not deliver it: Message undeliverable (code 131026)."
    ]  # fmt: skip
    assert {one.at for one in page.receipts} == {datetime.fromtimestamp(1795168800, UTC)}
    assert (page.skipped, page.drift) == ((), ())


@pytest.mark.parametrize("status", [{}, {"id": 7, "status": "teleported"}, {"status": "sent", "timestamp": "x" * 50}])
def test_a_receipt_that_cannot_be_read_is_drift(venue: WhatsappVenue, status: dict[str, object]) -> None:
    page = opened(venue).read_push(venue.tells(statuses=[status]), NOON)
    assert (page.receipts, page.mentions) == ((), ())
    assert "status.status" in page.drift


def test_a_new_kind_of_message_is_drift_and_still_somebody_who_wrote(venue: WhatsappVenue) -> None:
    page = opened(venue).read_push(venue.tells(venue.says(WHO, "hologram", hologram={"id": "1"})), NOON)
    assert page.drift == ("message.type",)
    assert page.mentions[0].title == "A message of a kind that WhatsApp does not pass on."


def test_handshake_and_signature(venue: WhatsappVenue) -> None:
    channel = opened(venue)
    answer = channel.answer_hook(question(), NOON)
    assert answer is not None
    assert answer.body == b"1158201444"
    push = venue.tells()
    with pytest.raises(NotGenuine):
        channel.verify(Push("POST", push.headers, push.body + b"\n"), NOON)
    other = b'{"object":"page","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[{"id":"1"}]}}]}]}'
    assert channel.read_push(Push("POST", {}, other), NOON).mentions == ()
    with pytest.raises(SkipThis, match="no entries"):
        channel.read_push(Push("POST", {}, b'{"object":"page"}'), NOON)
    with pytest.raises(SkipThis, match="not JSON"):
        channel.read_push(Push("POST", {}, b'{"object":'), NOON)


async def test_an_answer_quotes_what_it_answers_and_carries_our_token(venue: WhatsappVenue) -> None:
    message = venue.says(WHO, text={"body": "Help"})
    sent = await opened(venue, link_previews=True).reply_privately(reply(message["id"]))
    taken = venue.sent[0]
    assert taken["id"] == sent.external_id
    assert taken["context"] == {"message_id": message["id"]}
    assert taken["text"] == {"body": "Dag!", "preview_url": True}
    assert (taken["to"], taken["biz_opaque_callback_data"]) == (WHO, "token-9")
    assert opened(venue).idempotency() == "neither"


async def test_after_24_hours_the_answer_is_refused_with_its_reason(venue: WhatsappVenue) -> None:
    channel = opened(venue)
    old = venue.says(WHO, text={"body": "Help"}, ago=DAY)
    with pytest.raises(SkipThis, match="the time in which it takes one is over"):
        await channel.reply_privately(reply(old["id"]))
    venue.says(WHO, text={"body": "Hallo?"}, ago=DAY - 1)
    await channel.reply_privately(reply(old["id"]))
    with pytest.raises(SkipThis, match="4096"):
        await channel.reply_privately(reply(old["id"], "x" * 4097))
    with pytest.raises(SkipThis, match="nobody can be answered"):
        await channel.reply_privately(reply(old["id"], who=None))
    assert len(venue.sent) == 1


async def test_after_24_hours_the_answer_goes_out_in_the_template_that_is_set(venue: WhatsappVenue) -> None:
    channel = opened(venue, reopening_template="answer_later", reopening_language="nl")
    old = venue.says(WHO, text={"body": "Help"}, ago=2 * DAY)
    late = replace(reply(old["id"], "Het is\nopgelost.\t\tDank!"), last_inbound_at=NOON - timedelta(days=2))
    sent = await channel.reply_privately(late)
    taken = venue.sent[0]
    assert (taken["id"], taken["type"], taken["biz_opaque_callback_data"]) == (sent.external_id, "template", "token-9")
    (variable,) = taken["template"]["components"][0]["parameters"]
    assert variable == {"type": "text", "text": "Het is opgelost. Dank!"}
    with pytest.raises(SkipThis, match="1024 characters"):
        await channel.reply_privately(replace(late, text="x" * 1025))
    with pytest.raises(SkipThis, match="does not exist"):
        await opened(venue, reopening_template="other").reply_privately(late)
    fresh = venue.says(WHO, text={"body": "Nog iets"}, ago=60)
    await channel.reply_privately(replace(reply(fresh["id"]), last_inbound_at=NOON - timedelta(minutes=1)))
    assert [one["type"] for one in venue.sent] == ["template", "text"]
    assert len(venue.sent) == 2


def test_with_a_template_the_way_stays_open(venue: WhatsappVenue) -> None:
    yesterday = Answerable(published_at=NOON - timedelta(days=1), private=True)
    assert opened(venue).reply_rules.answer_for(yesterday, NOON).private.reason == "window_closed"
    rules = opened(venue, reopening_template="answer_later").reply_rules
    assert rules.answer_for(yesterday, NOON).private.allowed
    assert rules.answer_for(yesterday, NOON).public.reason == "no_api"
    assert Whatsapp.reply_rules.private is not None
    assert Whatsapp.reply_rules.private.window_s == DAY


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(131056, "pair rate limit"), TryLater),
        (error(130429, "throughput", status=429), TryLater),
        (error(190, "token", status=401), AskForNewCredential),
        (error(131042, "payment issue"), ChannelBroken),
        (error(131000, "something went wrong", status=500), OutcomeUnknown),
        (error(131026, "undeliverable"), SkipThis),
        (httpx.Response(200, json={"messages": []}), OutcomeUnknown),
        (lost, OutcomeUnknown),
        (httpx.ConnectError, TryLater),
    ],
)
async def test_what_an_error_means(venue: WhatsappVenue, answer: object, expected: type[Exception]) -> None:
    message = venue.says(WHO, text={"body": "Help"})
    venue.faults.append(answer)  # type: ignore[arg-type]
    with pytest.raises(expected):
        await opened(venue).reply_privately(reply(message["id"]))


async def test_the_credential_is_checked(venue: WhatsappVenue) -> None:
    account = await opened(venue).account()
    assert (account.external_id, account.name, account.handle) == (NUMBER, "Acme", "+31 20 123 4567")
    venue.token = "another"
    with pytest.raises(AskForNewCredential):
        await opened(venue).account()
