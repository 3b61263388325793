"""What the x channel does at a played X: answers only to who named us, once, at the price X books; deleting, hiding."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.channels.x import X as Channel
from services.ingest.networks.x_api import Keys, signed
from shared.kit.ids import new_id
from tests.ingest.site import Now
from tests.venues import lost
from tests.venues.x import SECRETS, THEM, US, X

pytestmark = pytest.mark.usefixtures("now")


def opened(venue: X, secrets: dict[str, str] | None = None, **settings: Any) -> Channel:
    return Channel({"compliance": False, **settings}, SECRETS if secrets is None else secrets, venue.http())


def reply(to: str, text: str = "Sorry!", **more: Any) -> OutgoingReply:
    return OutgoingReply(text=text, token="token-1", in_reply_to=to, author_external_id=THEM, **more)


def test_calls_are_signed_as_x_s_own_example() -> None:
    keys = Keys(
        "", "xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    )  # fmt: skip
    params = [("status", "Hello Ladies + Gentlemen, a signed OAuth request!"), ("include_entities", "true")]
    header = signed(
        keys, "post", "https://api.x.com/1.1/statuses/update.json", params,
        nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg", at=1318622958,
    )  # fmt: skip
    assert 'oauth_signature="Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D"' in header


async def test_who_named_us_is_answered_and_others_are_not() -> None:
    venue = X()
    named, other = venue.post("hey @AcmeTel"), venue.post("acmetel is down")
    channel = opened(venue, user_id=US)
    sent = await channel.reply_publicly(reply(named))
    assert (sent.external_id, sent.cost) == (venue.ours()[0]["id"], 10_000)
    linked = await channel.reply_publicly(reply(named, "See https://acme.example/help"))
    assert linked.cost == 200_000
    assert venue.spent == 210_000
    with pytest.raises(SkipThis, match="have not been mentioned"):
        await channel.reply_publicly(reply(other, "Hello"))
    with pytest.raises(SkipThis, match="too long"):
        await channel.reply_publicly(reply(named, "日" * 141))
    rules = channel.reply_rules.public
    assert rules is not None
    assert rules.requires == ("addressed_to_us",)


async def test_a_reply_whose_answer_was_lost_stands_once(now: Now) -> None:
    venue = X()
    to = venue.post("hey @AcmeTel", at=now.at - timedelta(minutes=1))
    channel = opened(venue)  # without an id: it is asked for
    text = "Sorry! See https://acme.example/help & wait"
    token = str(new_id(now.at))
    told = OutgoingReply(text=text, token=token, in_reply_to=to, author_external_id=THEM)
    assert channel.idempotency() == "read_back"
    assert await channel.find_reply(told, private=False, since=now.at - timedelta(minutes=1)) is None
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(told)
    found = await channel.find_reply(told, private=False, since=now.at - timedelta(minutes=1))
    assert found is not None
    assert (found.external_id, found.cost) == (venue.ours()[0]["id"], 200_000)
    again = await channel.reply_publicly(told)  # refused as a duplicate, and found
    assert again.external_id == found.external_id
    assert len(venue.ours()) == 1
    assert await channel.find_reply(told, private=False, since=now.at + timedelta(minutes=1)) is None


async def test_the_latest_version_of_an_edited_post_is_answered(now: Now) -> None:
    venue = X()
    first = venue.post("@AcmeTel dwon", at=now.at - timedelta(minutes=5))
    latest = venue.post("@AcmeTel down", at=now.at, edits=first)
    raw = json.dumps(venue.posts[latest]).encode()
    await opened(venue, user_id=US).reply_publicly(reply(first, raw=raw))
    assert venue.ours()[0]["referenced_tweets"][0]["id"] == latest


async def test_a_direct_message_is_sent_and_found(now: Now) -> None:
    venue = X()
    channel = opened(venue, user_id=US)
    venue.faults.append(lost)
    with pytest.raises(OutcomeUnknown):
        await channel.reply_privately(reply("7", "Hush"))
    found = await channel.find_reply(reply("7", "Hush"), private=True, since=now.at - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == venue.messages[0]["id"]
    assert await channel.find_reply(reply("7", "Else"), private=True, since=now.at - timedelta(minutes=1)) is None
    sent = await channel.reply_privately(reply("7", "Else"))
    assert sent.external_id == "2"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (httpx.Response(429, headers={"Retry-After": "77"}), TryLater),
        (httpx.Response(500), OutcomeUnknown),
        (httpx.ConnectError, TryLater),
        (httpx.ReadTimeout, OutcomeUnknown),
        (httpx.Response(201, content=b"{"), OutcomeUnknown),
        (httpx.Response(401), AskForNewCredential),
        (httpx.Response(402), ChannelBroken),
        (httpx.Response(400, json={"detail": "bad"}), SkipThis),
    ],
)
async def test_what_becomes_of_a_post_is_told(fault: Any, error: type[Exception]) -> None:
    venue = X()
    to = venue.post("hey @AcmeTel")
    venue.faults.append(fault)
    with pytest.raises(error):
        await opened(venue, user_id=US).reply_publicly(reply(to))
    assert venue.ours() == []


async def test_deleting_and_hiding() -> None:
    venue = X()
    to = venue.post("hey @AcmeTel")
    channel = opened(venue, user_id=US)
    sent = await channel.reply_publicly(reply(to))
    await channel.hide(Post(to))
    assert venue.hidden == {to: True}
    await channel.unhide(Post(to))
    assert venue.hidden == {to: False}
    await channel.delete_reply(Post(sent.external_id))
    await channel.delete_reply(Post(sent.external_id))
    assert venue.ours() == []
    assert (await channel.account()).handle == "AcmeTel"
    with pytest.raises(AskForNewCredential, match="four keys"):
        await opened(venue, {"bearer_token": "AAAA"}).delete_reply(Post("1"))
