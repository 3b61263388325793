"""The simulated venue: what goes in comes out, chance can be repeated, and what it took outlives whoever is killed."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.ingest.channel import (
    AskForNewCredential,
    ChannelError,
    OutcomeUnknown,
    TryLater,
)
from services.ingest.channels.simulated import venue_of
from shared.kit import clock
from tests.ingest.simulation import a_fault, a_venue_channel, an_answer

ROOT = Path(__file__).parents[2]


# ---------------------------------------------------------------- in


async def test_posts_edits_and_deletions_come_page_by_page(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, page_size=2)
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
    channel = a_venue_channel(tmp_path, script=script)
    first = await channel.page(None)
    assert [(one.text, one.lang) for one in first.mentions] == [("Storing!", "nl")]
    assert (await a_venue_channel(tmp_path, script=script).page(first.cursor)).mentions == ()
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=61))
    second = await channel.page(first.cursor)
    assert [one.text for one in second.mentions] == ["Toch opgelost"]
    monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=500))
    third = await channel.page(second.cursor)
    assert third.mentions[0].deleted_at is not None
    assert (await channel.page(third.cursor)).mentions == ()


async def test_a_stream_brings_posts_as_they_come(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path)
    stream = channel.stream(None)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    channel.venue.post("now")
    page = await asyncio.wait_for(waiting, 60)
    assert [one.text for one in page.mentions] == ["now"]
    channel.venue.post("later")
    assert [one.text for one in (await asyncio.wait_for(anext(stream), 60)).mentions] == ["later"]
    await stream.aclose()  # type: ignore[attr-defined]


async def test_backfill_reads_from_a_moment_on(tmp_path: Path) -> None:
    channel = a_venue_channel(tmp_path, page_size=2)
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
    channel = a_venue_channel(tmp_path, faults=[a_fault("page", what, 1, seconds=3)])
    channel.venue.post("hello")
    with pytest.raises(error) as caught:
        await channel.page(None)
    if what == "too_many_requests":
        assert isinstance(caught.value, TryLater)
        assert caught.value.after == timedelta(seconds=3)
    assert len((await channel.page(None)).mentions) == 1


# ---------------------------------------------------------------- chance


async def _outcomes(folder: Path, seed: int, *, at_once: bool) -> dict[str, str]:
    faults = [
        {"on": "reply", "what": "time_out_after_accept", "percent": 20},
        {"on": "reply", "what": "server_error", "percent": 20},
        {"on": "reply", "what": "cut_after_accept", "percent": 5},
        {"on": "reply", "what": "cut_before_accept", "percent": 5},
    ]
    channel = a_venue_channel(folder, seed=seed, faults=faults, idempotency="neither")
    posts = channel.venue.post_many({"id": f"p{number}", "text": "x"} for number in range(200))

    async def one(post: str) -> tuple[str, str]:
        try:
            await channel.reply_publicly(an_answer(post, token=post))
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
            a_venue_channel(tmp_path, **wrong)


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
    channel = a_venue_channel(tmp_path)
    channel.venue.post("after the kill")
    assert asyncio.run(channel.page({"after": 0})).mentions
