"""The simulated venue: what goes in comes out, faults strike where they are said to, and the truth can be looked up."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.channel import (
    AskForNewCredential,
    ChannelError,
    OutcomeUnknown,
    OutgoingReply,
    Sent,
    SkipThis,
    TryLater,
)
from services.ingest.channels.simulated import Simulated, venue_of
from services.ingest.played_venues import PLAYS
from shared.kit import clock
from shared.kit.http import HttpClient

ROOT = Path(__file__).parents[2]


def _channel(folder: Path, **settings: Any) -> Simulated:
    return Simulated({"data_dir": folder, **settings}, {}, HttpClient())


def _reply(to: str, text: str = "Dank voor je bericht!", token: str = "t-1") -> OutgoingReply:
    return OutgoingReply(text=text, token=token, in_reply_to=to)


def _fault(on: str, what: str, *calls: int, **more: Any) -> dict[str, Any]:
    return {"on": on, "what": what, "calls": calls, **more}


# ---------------------------------------------------------------- in


async def test_posts_edits_and_deletions_come_page_by_page(tmp_path: Path) -> None:
    channel = _channel(tmp_path, page_size=2)
    posts = [channel.venue.post(f"post {number}", author={"id": "u", "handle": "@jan"}) for number in range(3)]
    first = await channel.page(None)
    assert ([one.text for one in first.mentions], first.has_more) == (["post 0", "post 1"], True)
    second = await channel.page(first.cursor)
    assert ([one.text for one in second.mentions], second.has_more) == (["post 2"], False)
    assert first.mentions[0].author is not None
    assert first.mentions[0].author.handle == "jan"
    channel.venue.edit(posts[0], "post 0, changed")
    channel.venue.delete(posts[1])
    third = await channel.page(second.cursor)
    assert [(one.external_id, one.text) for one in third.mentions] == [(posts[0], "post 0, changed"), (posts[1], "")]
    assert third.mentions[0].edited_at
    assert third.mentions[1].deleted_at
    assert (await channel.page(third.cursor)).mentions == ()


async def test_a_script_is_played_once_and_on_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = clock.now()
    monkeypatch.setattr(clock, "now", lambda: began)
    script = [
        {"after_s": 60, "do": "edit", "id": "p1", "text": "Toch opgelost"},
        {"after_s": 0, "id": "p1", "text": "Storing!", "post": {"author": {"id": "u1"}, "lang": "nl"}},
        {"after_s": 120, "do": "delete", "id": "p1"},
    ]
    channel = _channel(tmp_path, script=script)
    first = await channel.page(None)
    assert [(one.text, one.lang) for one in first.mentions] == [("Storing!", "nl")]
    assert (await _channel(tmp_path, script=script).page(first.cursor)).mentions == ()
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=61))
    second = await channel.page(first.cursor)
    assert [one.text for one in second.mentions] == ["Toch opgelost"]
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=500))
    third = await channel.page(second.cursor)
    assert third.mentions[0].deleted_at is not None
    assert (await channel.page(third.cursor)).mentions == ()


async def test_a_stream_brings_posts_as_they_come(tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    stream = channel.stream(None)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    channel.venue.post("now")
    page = await asyncio.wait_for(waiting, 5)
    assert [one.text for one in page.mentions] == ["now"]
    channel.venue.post("later")
    assert [one.text for one in (await asyncio.wait_for(anext(stream), 5)).mentions] == ["later"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_backfill_reads_from_a_moment_on(tmp_path: Path) -> None:
    channel = _channel(tmp_path, page_size=2)
    now = clock.now()
    for days in range(5):
        channel.venue.post(f"{days} days ago", created_at=now - timedelta(days=days))
    found: list[str] = []
    cursor, more = None, True
    while more:
        page = await channel.backfill(now - timedelta(days=2, hours=1), cursor)
        found += [one.text for one in page.mentions]
        cursor, more = page.cursor, page.has_more
    assert sorted(found) == ["0 days ago", "1 days ago", "2 days ago"]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("server_error", TryLater),
        ("server_error_after_accept", TryLater),
        ("too_many_requests", TryLater),
        ("bad_credential", AskForNewCredential),
        ("garbage", TryLater),
        ("cut_off_answer", TryLater),
        ("refuse_connection", TryLater),
        ("cut_before_accept", TryLater),
        ("time_out_after_accept", TryLater),
    ],
)
async def test_a_page_that_fails_costs_nothing(tmp_path: Path, what: str, error: type[ChannelError]) -> None:
    channel = _channel(tmp_path, faults=[_fault("page", what, 1, seconds=3)])
    channel.venue.post("hello")
    with pytest.raises(error) as caught:
        await channel.page(None)
    if what == "too_many_requests":
        assert isinstance(caught.value, TryLater)
        assert caught.value.after == timedelta(seconds=3)
    assert len((await channel.page(None)).mentions) == 1


# ---------------------------------------------------------------- out

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
    channel = _channel(tmp_path, faults=[_fault("reply", what, 1)])
    reply = _reply(channel.venue.post("kapot"))
    with pytest.raises(error):
        await channel.reply_publicly(reply)
    assert len(channel.venue.replies()) == int(taken)
    assert not taken or error is OutcomeUnknown  # whatever stands there is never called "not sent"


async def test_a_venue_that_knows_tokens_takes_a_repeat_once(tmp_path: Path) -> None:
    channel = _channel(tmp_path, idempotency="client_token", faults=[_fault("reply", "time_out_after_accept", 1, 2)])
    reply = _reply(channel.venue.post("kapot"))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await channel.reply_publicly(reply)
    sent = await channel.reply_publicly(reply)
    [truth] = channel.venue.replies()
    assert (sent.external_id, truth.text, truth.token) == (truth.id, reply.text, "t-1")
    assert channel.idempotency() == "client_token"


async def test_a_venue_that_can_be_read_back_tells_what_it_took(tmp_path: Path) -> None:
    faults = [_fault("reply", "time_out_after_accept", 1), _fault("reply", "server_error", 2)]
    channel = _channel(tmp_path, idempotency="read_back", faults=faults)
    since = clock.now()
    taken, lost = _reply(channel.venue.post("one"), token="a"), _reply(channel.venue.post("two"), token="b")
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
    channel = _channel(tmp_path, idempotency="neither", faults=[_fault("reply", "time_out_after_accept", 1)])
    reply = _reply(channel.venue.post("kapot"))
    with pytest.raises(OutcomeUnknown):
        await channel.reply_publicly(reply)
    await channel.reply_publicly(reply)
    assert len(channel.venue.replies()) == 2
    with pytest.raises(ChannelError):
        await channel.find_reply(reply, private=False, since=clock.now())


async def test_slow_is_slow_and_then_right(tmp_path: Path) -> None:
    channel = _channel(tmp_path, faults=[_fault("reply", "slow", 1, seconds=0.3)])
    started = time.perf_counter()
    await channel.reply_publicly(_reply(channel.venue.post("kapot")))
    assert time.perf_counter() - started >= 0.3
    assert len(channel.venue.replies()) == 1


async def test_our_replies_can_come_back_among_the_posts(tmp_path: Path) -> None:
    channel = _channel(tmp_path, echoes=True, brand_handle="@northwind")
    post = channel.venue.post("kapot")
    sent = await channel.reply_publicly(_reply(post))
    page = await channel.page(None)
    assert [one.external_id for one in page.mentions] == [post, sent.external_id]
    echo = page.mentions[1]
    assert echo.author is not None
    assert (echo.author.handle, echo.in_reply_to, echo.thread_id) == ("northwind", post, post)
    await channel.reply_publicly(_reply(post))  # the same token: nothing new
    assert (await channel.page(page.cursor)).mentions == ()


# ---------------------------------------------------------------- chance


async def _outcomes(folder: Path, seed: int, *, at_once: bool) -> dict[str, str]:
    faults = [
        {"on": "reply", "what": "time_out_after_accept", "percent": 20},
        {"on": "reply", "what": "server_error", "percent": 20},
        {"on": "reply", "what": "cut_after_accept", "percent": 5},
        {"on": "reply", "what": "cut_before_accept", "percent": 5},
    ]
    channel = _channel(folder, seed=seed, faults=faults, idempotency="neither")
    posts = channel.venue.post_many({"id": f"p{number}", "text": "x"} for number in range(200))

    async def one(post: str) -> tuple[str, str]:
        try:
            await channel.reply_publicly(_reply(post, token=post))
        except OutcomeUnknown as unknown:
            return post, str(unknown)
        return post, "sent"

    if at_once:
        return dict(await asyncio.gather(*[one(post) for post in reversed(posts)]))
    return dict([await one(post) for post in posts])


async def test_the_same_seed_goes_wrong_the_same_way(tmp_path: Path) -> None:
    first = await _outcomes(tmp_path / "a", 7, at_once=False)
    second = await _outcomes(tmp_path / "b", 7, at_once=True)
    other = await _outcomes(tmp_path / "c", 8, at_once=True)
    assert first == second
    assert first != other
    counts = Counter(first.values())
    assert 80 <= counts["sent"] <= 120
    taken = len(venue_of(tmp_path / "a").replies())
    assert counts["sent"] < taken < 200


async def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    too_much = [{"on": "reply", "what": "slow", "percent": 60}, {"on": "reply", "what": "garbage", "percent": 60}]
    for wrong in (
        {"faults": too_much},
        {"plays": "myspace"},
        {"venue": "../../etc/passwd"},
        {"venue": ""},
        {"faults": [{"on": "reply", "what": "explode"}]},
        {"page_size": 0},
    ):
        with pytest.raises(ValidationError):
            _channel(tmp_path, **wrong)


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
    channel = _channel(tmp_path, plays=plays)
    assert channel.reply_rules == PLAYS[plays].rules
    fields = {"text": "kapot", "author": {"id": "u1"}, **post}
    if "created_at" in post:
        fields["created_at"] = clock.now() + post["created_at"]
    reply = _reply(channel.venue.post(**fields), text)
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
    channel = _channel(tmp_path, plays="whatsapp")
    old = channel.venue.post("hallo?", author={"id": "u1"}, created_at=clock.now() - 2 * A_DAY)
    with pytest.raises(SkipThis, match="window_closed"):
        await channel.reply_privately(_reply(old))
    channel.venue.post("iemand?", author={"id": "u1"})
    await channel.reply_privately(_reply(old))


async def test_once_is_once_and_overwriting_overwrites(tmp_path: Path) -> None:
    once = _channel(tmp_path, venue="ig", plays="instagram")
    post = once.venue.post("kapot", author={"id": "u1"})
    await once.reply_privately(_reply(post, token="a"))
    with pytest.raises(SkipThis, match="already_answered"):
        await once.reply_privately(_reply(post, token="b"))
    await once.reply_privately(_reply(post, token="a"))  # a repeat is no second answer
    review = _channel(tmp_path, venue="gp", plays="google_play")
    post = review.venue.post("1 ster", rating=1)
    await review.reply_publicly(_reply(post, "first", "a"))
    await review.reply_publicly(_reply(post, "second", "b"))
    assert [(one.text, one.replaced) for one in review.venue.replies()] == [("first", True), ("second", False)]


async def test_a_reply_to_what_is_gone_is_refused(tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    post = channel.venue.post("kapot", author={"id": "u1"})
    channel.venue.delete(post)
    for gone in (post, "never-there"):
        with pytest.raises(SkipThis):
            await channel.reply_publicly(_reply(gone))
    assert channel.venue.replies() == []


# ---------------------------------------------------------------- a killed process

WORKER = """
import asyncio, sys
from pathlib import Path
from services.ingest.channel import OutcomeUnknown, OutgoingReply
from services.ingest.channels.simulated import Simulated
from shared.kit.http import HttpClient

async def main():
    faults = [{"on": "reply", "what": "time_out_after_accept", "percent": 30}]
    channel = Simulated({"data_dir": Path(sys.argv[1]), "faults": faults}, {}, HttpClient())
    for number in range(100000):
        post = channel.venue.post(f"post {number}")
        try:
            await channel.reply_publicly(OutgoingReply("hi", f"{sys.argv[2]}-{number}", post))
        except OutcomeUnknown:
            pass
        print(number, flush=True)

asyncio.run(main())
"""


def test_the_truth_outlives_killed_processes(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), name], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    done: dict[str, int] = {}
    for name, worker in zip(("a", "b"), workers, strict=True):
        assert worker.stdout is not None
        for _ in range(15):
            done[name] = int(worker.stdout.readline())
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert worker.stdout is not None
        worker.stdout.close()
    replies = venue_of(tmp_path).replies()
    tokens = {reply.token for reply in replies}
    assert {f"{name}-{number}" for name, last in done.items() for number in range(last + 1)} <= tokens
    assert len(tokens) == len(replies)
    channel = _channel(tmp_path)
    channel.venue.post("after the kill")
    assert asyncio.run(channel.page({"after": 0})).mentions
