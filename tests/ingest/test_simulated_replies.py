"""Answers at the simulated venue: each says whether it stands there, and the rules of the venue it plays hold."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.channel import (
    AskForNewCredential,
    ChannelError,
    OutcomeUnknown,
    Sent,
    SkipThis,
    TryLater,
)
from services.ingest.networks.played_venues import PLAYS
from shared.kit import clock
from tests.ingest.simulation import a_fault, a_venue_channel, an_answer

TAKEN = {
    "refuse_connection": (TryLater, False),
    "cut_before_accept": (OutcomeUnknown, False),
    "cut_after_accept": (OutcomeUnknown, True),
    "time_out_before_accept": (OutcomeUnknown, False),
    "time_out_after_accept": (OutcomeUnknown, True),
    "server_error": (OutcomeUnknown, False),
    "server_error_after_accept": (OutcomeUnknown, True),
    "too_many_requests": (TryLater, False),
    "bad_credential": (AskForNewCredential, False),
    "garbage": (OutcomeUnknown, True),
    "cut_off_answer": (OutcomeUnknown, True),
}


@pytest.mark.parametrize("what", TAKEN)
async def test_a_reply_that_fails_says_whether_it_may_stand_there(tmp_path: Path, what: str) -> None:
    error, taken = TAKEN[what]
    channel = a_venue_channel(tmp_path, faults=[a_fault("reply", what, 1)])
    reply = an_answer(channel.venue.post("kapot"))
    with pytest.raises(error):
        await channel.reply_publicly(reply)
    assert len(channel.venue.replies()) == int(taken)
    assert not taken or error is OutcomeUnknown  # whatever stands there is never called "not sent"


async def test_a_venue_that_knows_tokens_takes_a_repeat_once(tmp_path: Path) -> None:
    channel = a_venue_channel(
        tmp_path, idempotency="client_token", faults=[a_fault("reply", "time_out_after_accept", 1, 2)]
    )
    reply = an_answer(channel.venue.post("kapot"))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await channel.reply_publicly(reply)
    sent = await channel.reply_publicly(reply)
    [truth] = channel.venue.replies()
    assert (sent.external_id, truth.text, truth.token) == (truth.id, reply.text, "t-1")
    assert channel.idempotency() == "client_token"


async def test_a_venue_that_can_be_read_back_tells_what_it_took(tmp_path: Path) -> None:
    faults = [a_fault("reply", "time_out_after_accept", 1), a_fault("reply", "server_error", 2)]
    channel = a_venue_channel(tmp_path, idempotency="read_back", faults=faults)
    since = clock.now()
    taken, lost = an_answer(channel.venue.post("one"), token="a"), an_answer(channel.venue.post("two"), token="b")
    for reply in (taken, lost):
        with pytest.raises(OutcomeUnknown):
            await channel.reply_publicly(reply)
    found = await channel.find_reply(taken, private=False, since=since)
    assert isinstance(found, Sent)
    assert found.external_id == channel.venue.replies()[0].id
    assert await channel.find_reply(lost, private=False, since=since) is None
    assert await channel.find_reply(taken, private=True, since=since) is None
    assert await channel.find_reply(taken, private=False, since=clock.now() + timedelta(seconds=1)) is None


async def test_a_venue_that_is_neither_posts_a_repeat_twice(tmp_path: Path) -> None:
    """Which is why the runner never repeats a reply there."""
    channel = a_venue_channel(tmp_path, idempotency="neither", faults=[a_fault("reply", "time_out_after_accept", 1)])
    reply = an_answer(channel.venue.post("kapot"))
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(reply)
    await channel.reply_publicly(reply)
    assert len(channel.venue.replies()) == 2
    with pytest.raises(ChannelError):
        await channel.find_reply(reply, private=False, since=clock.now())


async def test_slow_is_slow_and_then_right(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, faults=[a_fault("reply", "slow", 1, seconds=0.3)])
    started = time.perf_counter()
    await channel.reply_publicly(an_answer(channel.venue.post("kapot")))
    assert time.perf_counter() - started >= 0.3
    assert len(channel.venue.replies()) == 1


async def test_our_replies_can_come_back_among_the_posts(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, echoes=True, brand_handle="@northwind")
    post = channel.venue.post("kapot")
    sent = await channel.reply_publicly(an_answer(post))
    page = await channel.page(None)
    assert [one.external_id for one in page.mentions] == [post, sent.external_id]
    echo = page.mentions[1]
    assert echo.author is not None
    assert (echo.author.handle, echo.in_reply_to, echo.thread_id) == ("northwind", post, post)
    await channel.reply_publicly(an_answer(post))  # the same token: nothing new
    assert (await channel.page(page.cursor)).mentions == ()


# ---------------------------------------------------------------- what the venue allows

A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("plays", "post", "text", "private", "refusal"),
    [
        ("plain", {}, "x" * 500, False, None),
        ("plain", {}, "x" * 501, False, "1 too long"),
        ("mastodon", {}, "x" * 470 + " https://example.com/" + "y" * 300, False, None),
        ("mastodon", {}, "x" * 501, False, "1 too long"),
        ("bluesky", {}, "👨‍👩‍👧‍👦" * 120, False, None),
        ("bluesky", {}, "👨‍👩‍👧‍👦" * 121, False, "too long"),
        ("bluesky", {}, "a" * 301, False, "1 too long"),
        ("x", {"text": "@brand help"}, "日" * 140, False, None),
        ("x", {"text": "@brand help"}, "日" * 141, False, "2 too long"),
        ("x", {"text": "brand is bad"}, "sorry", False, "not_addressed_to_us"),
        ("google_play", {}, "x" * 351, False, "1 too long"),
        ("trustpilot", {}, "x" * 5000, False, None),
        ("trustpilot", {}, "hello", True, "no_api"),
        ("whatsapp", {}, "hello", False, "no_api"),
        ("whatsapp", {}, "hello", True, None),
        ("whatsapp", {"created_at": -A_DAY}, "hello", True, "window_closed"),
        ("instagram", {"created_at": -8 * A_DAY}, "hello", True, "window_closed"),
        ("instagram", {"created_at": -6 * A_DAY}, "hello", True, None),
        ("watch_only", {}, "hello", False, "no_api"),
        ("plain", {"author": None}, "hello", True, "author_unknown"),
    ],
)
async def test_a_venue_holds_to_the_rules_it_plays(
    tmp_path: Path, plays: str, post: dict[str, Any], text: str, private: bool, refusal: str | None
) -> None:
    channel = a_venue_channel(tmp_path, plays=plays)
    assert channel.reply_rules == PLAYS[plays].rules
    fields = {"text": "kapot", "author": {"id": "u1"}, **post}
    if "created_at" in post:
        fields["created_at"] = clock.now() + post["created_at"]
    reply = an_answer(channel.venue.post(**fields), text)
    send = channel.reply_privately if private else channel.reply_publicly
    if refusal is None:
        await send(reply)
        [taken] = channel.venue.replies()
        assert (taken.text, taken.private) == (text, private)
    else:
        with pytest.raises(SkipThis, match=refusal):
            await send(reply)
        assert channel.venue.replies() == []


async def test_a_later_message_opens_the_window_again(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, plays="whatsapp")
    old = channel.venue.post("hallo?", author={"id": "u1"}, created_at=clock.now() - 2 * A_DAY)
    with pytest.raises(SkipThis, match="window_closed"):
        await channel.reply_privately(an_answer(old))
    channel.venue.post("iemand?", author={"id": "u1"})
    await channel.reply_privately(an_answer(old))


async def test_once_is_once_and_overwriting_overwrites(tmp_path: Path) -> None:
    once = a_venue_channel(tmp_path, venue="ig", plays="instagram")
    post = once.venue.post("kapot", author={"id": "u1"})
    await once.reply_privately(an_answer(post, token="a"))
    with pytest.raises(SkipThis, match="already_answered"):
        await once.reply_privately(an_answer(post, token="b"))
    await once.reply_privately(an_answer(post, token="a"))  # a repeat is no second answer
    review = a_venue_channel(tmp_path, venue="gp", plays="google_play")
    post = review.venue.post("1 ster", rating=1)
    await review.reply_publicly(an_answer(post, "first", "a"))
    await review.reply_publicly(an_answer(post, "second", "b"))
    assert [(one.text, one.replaced) for one in review.venue.replies()] == [("first", True), ("second", False)]


async def test_a_reply_to_what_is_gone_is_refused(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path)
    post = channel.venue.post("kapot", author={"id": "u1"})
    channel.venue.delete(post)
    for gone in (post, "never-there"):
        with pytest.raises(SkipThis):
            await channel.reply_publicly(an_answer(gone))
    assert channel.venue.replies() == []
