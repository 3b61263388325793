"""Answers go out at most once, whatever the venue does and whoever dies; what became of each is known, or known to be unknown."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.ingest import replies as sending
from services.ingest.replies import QUEUED
from shared.acts import replies as acts
from shared.kit import clock
from shared.kit.settings import Settings
from shared.store import reply as store
from shared.store import work
from tests.ingest.post import Post
from tests.journeys.sending import LEASE_S, carry_until

REPLIES = int(os.environ.get("WEBCARE_JOURNEY_REPLIES", "500"))
KINDS = ("client_token", "read_back", "neither")
HOSTILE = (
    {"on": "reply", "what": "time_out_after_accept", "percent": 20},
    {"on": "reply", "what": "server_error", "percent": 10},
    {"on": "reply", "what": "server_error_after_accept", "percent": 10},
    {"on": "reply", "what": "cut_before_accept", "percent": 5},
    {"on": "reply", "what": "cut_after_accept", "percent": 5},
    {"on": "reply", "what": "too_many_requests", "percent": 5, "seconds": 0.2},
    {"on": "reply", "what": "slow", "percent": 10, "seconds": 0.3},
    {"on": "read_back", "what": "server_error", "percent": 20},
)
DEATHS = {
    REPLIES * part // 100: after_s for part, after_s in ((12, 0.0), (24, 0.01), (36, 0.02), (48, 0.04), (60, 0.08))
}
"""At which time that a venue is asked the asker dies, and how many seconds later: spread over the way, and never too late."""


# ---------------------------------------------------------------- the whole of it


class Senders:
    """Processes that carry replies; where one dies, another begins."""

    def __init__(self, settings: Settings, asked: Path, count: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.journeys.sending"])
        self._arguments = (settings, asked, DEATHS)
        self._running = [self._started() for _ in range(count)]
        self.died = 0

    def look(self) -> None:
        """Counts the dead, and starts as many."""
        for place, process in enumerate(self._running):
            if process.exitcode is not None:
                assert process.exitcode == -signal.SIGKILL
                self.died += 1
                self._running[place] = self._started()

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.join(60)

    def _started(self) -> Any:
        process = self._context.Process(target=carry_until, args=self._arguments, daemon=True)
        process.start()
        return process


@pytest.mark.journey
@pytest.mark.timeout(300)
async def test_none_is_posted_twice_and_each_outcome_is_told(post: Post, settings: Settings, tmp_path: Path) -> None:
    venues = {kind: await post.a_venue(idempotency=kind, faults=HOSTILE, seed=7) for kind in KINDS}
    for number, channel in enumerate(venues.values()):
        await post.queue(channel, REPLIES // 3 + (number < REPLIES % 3))
    began = time.monotonic()
    senders = Senders(settings, tmp_path / "asked", 2)
    try:
        while senders.died < len(DEATHS) or await post.number("SELECT count(*) FROM work WHERE kind LIKE 'reply.%'"):
            assert time.monotonic() < began + 240, Counter(row["state"] for row in await post.rows())
            await asyncio.sleep(0.05)
            senders.look()
    finally:
        senders.end()
    states = {kind: Counter(row["state"] for row in await post.rows(channel)) for kind, channel in venues.items()}
    interrupted = await post.number(
        "SELECT count(*) FROM outbox WHERE type = 'reply.outcome_unknown' AND payload->>'error' LIKE '%interrupted%'"
    )
    print(
        f"\n{REPLIES} replies in {time.monotonic() - began:.1f} s, {senders.died} senders killed, {interrupted} interrupted"
    )
    for kind, counted in states.items():
        print(f"  {kind}: {dict(counted)}")

    assert senders.died == len(DEATHS)
    assert interrupted > 0
    assert sum(sum(counted.values()) for counted in states.values()) == REPLIES
    for kind, channel in venues.items():
        posted: dict[str, list[str]] = {}
        for accepted in post.venue(channel).replies():
            posted.setdefault(accepted.in_reply_to, []).append(accepted.id)
        assert [where for where, times in posted.items() if len(times) > 1] == []  # the venue's own books
        for row in await post.rows(channel):
            there = posted.get(row["post"], [])
            assert row["state"] in ("sent", "failed", "unknown")
            if row["state"] == "sent":
                assert there == [row["external_id"]]
                assert row["sent_at"] is not None
            elif row["state"] == "failed":
                assert there == []
        assert (states[kind]["unknown"] > 0) == (kind == "neither")  # a person looks; nobody guesses
    assert states["client_token"] == {"sent": sum(states["client_token"].values())}
    assert states["read_back"]["failed"] > 0  # not there at the last look: the agent is told
    for state in ("sent", "failed"):
        assert await post.number("SELECT count(*) FROM outbox WHERE type = $1", f"reply.{state}") == sum(
            counted[state] for counted in states.values()
        )
    twice = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE type = ANY($1) GROUP BY subject_id HAVING count(*) > 1) t"
    assert await post.number(twice, ["reply.sent", "reply.failed"]) == 0
    assert await post.number(twice, ["reply.outcome_unknown"]) == 0


# ---------------------------------------------------------------- one at a time


async def test_an_answer_goes_out_signed_and_stands_there_once(post: Post) -> None:
    channel = await post.a_venue()
    (reply_id,) = await post.queue(channel)
    await post.carried()
    row = await post.one(channel)
    (there,) = post.venue(channel).replies()
    assert (there.in_reply_to, there.text, there.private) == (row["post"], f"{row['text']} ^JD", False)
    assert (row["state"], row["external_id"], row["attempts"]) == ("sent", there.id, 1)
    assert (
        timedelta(0) <= there.accepted_at - row["sent_at"] < timedelta(milliseconds=1)
    )  # the venue tells milliseconds
    assert await post.told(reply_id) == ["reply.queued", "reply.sent"]


async def test_a_venue_that_asks_to_wait_gets_it_later(post: Post) -> None:
    fault = {"on": "reply", "what": "too_many_requests", "calls": [1], "seconds": 0.1}
    channel = await post.a_venue(faults=[fault], idempotency="neither")
    (reply_id,) = await post.queue(channel)
    await post.carried()
    row = await post.one(channel)
    assert (row["state"], row["attempts"], len(post.venue(channel).replies())) == ("sent", 2, 1)
    assert await post.told(reply_id) == ["reply.queued", "reply.sent"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sender_cancelled_while_the_venue_is_asked_leaves_it_to_be_settled(post: Post, kind: str) -> None:
    slow = {"on": "reply", "what": "slow", "calls": [1], "seconds": 5}
    channel = await post.a_venue(faults=[slow], idempotency=kind)
    await post.queue(channel)
    sender = asyncio.create_task(post.sender.once())
    async with asyncio.timeout(60):
        while (await post.one(channel))["state"] != "sending":
            await asyncio.sleep(0.01)
        while not post.venue(channel)._db.execute("SELECT 1 FROM call WHERE operation = 'reply'").fetchone():
            await asyncio.sleep(0.01)
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    assert not await post.sender.once()  # its lease still holds: nobody else sends it meanwhile
    async with post.database.write(post.workspace_id) as session:
        await session.execute(text("UPDATE work SET lease_until = now() - interval '1 second'"))
    await post.carried()
    expected = {"client_token": ("sent", 1), "read_back": ("failed", 0), "neither": ("unknown", 0)}
    assert ((await post.one(channel))["state"], len(post.venue(channel).replies())) == expected[kind]


async def test_a_network_that_cannot_be_asked_is_asked_again(post: Post) -> None:
    lost = {"on": "reply", "what": "time_out_after_accept", "calls": [1]}
    away = {"on": "read_back", "what": "server_error", "calls": list(range(1, 8))}
    channel = await post.a_venue(faults=[lost, away], idempotency="read_back")
    await post.queue(channel)
    await post.carried()
    row = await post.one(channel)
    (there,) = post.venue(channel).replies()
    assert (row["state"], row["external_id"], row["settled_by"]) == ("sent", there.id, "read_back")


async def test_a_network_that_stays_away_leaves_it_to_a_person_in_the_end(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE", sending.EARLIER + timedelta(seconds=0.3))
    lost = {"on": "reply", "what": "time_out_after_accept", "calls": [1]}
    away = {"on": "read_back", "what": "server_error", "percent": 100}
    channel = await post.a_venue(faults=[lost, away], idempotency="read_back")
    (reply_id,) = await post.queue(channel)
    await post.carried()
    assert (await post.one(channel))["state"] == "unknown"
    assert await post.told(reply_id) == ["reply.queued", "reply.outcome_unknown"]


async def test_an_outcome_is_looked_up_also_when_the_time_to_answer_is_over(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"on": "reply", "what": "time_out_after_accept", "calls": [1]}
    channel = await post.a_venue(plays="whatsapp", faults=[lost], idempotency="read_back")
    await post.queue(channel, private=True)
    await post.sender.once()
    assert (await post.one(channel))["state"] == "unknown"
    later = clock.now() + timedelta(hours=30)
    monkeypatch.setattr(clock, "now", lambda: later)
    await post.carried()
    assert (await post.one(channel))["state"] == "sent"


async def test_what_the_venue_takes_no_longer_fails_with_a_reason(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await post.a_venue(plays="whatsapp")
    (reply_id,) = await post.queue(channel, private=True)
    later = clock.now() + timedelta(hours=30)
    monkeypatch.setattr(clock, "now", lambda: later)
    await post.carried()
    row = await post.one(channel)
    assert (row["state"], post.venue(channel).replies()) == ("failed", [])
    assert row["error"].endswith(".")
    assert await post.told(reply_id) == ["reply.queued", "reply.failed"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("status = 'paused'", "paused or gone"),
        ("type = 'no-longer-there'", "no channel type"),
        ("type = 'push', settings = '{}'", "carries no public answers"),
        ("secrets = decode(repeat('00', 60), 'hex')", "WEBCARE_SECRET_KEY"),
    ],
)
async def test_a_channel_that_cannot_carry_it_fails_it_with_a_reason(post: Post, change: str, reason: str) -> None:
    channel = await post.a_venue()
    await post.queue(channel)
    async with post.database.write(post.workspace_id) as session:
        await session.execute(text(f"UPDATE channel SET {change} WHERE id = :id"), {"id": channel.id})
    await post.carried()
    row = await post.one(channel)
    assert row["state"] == "failed"
    assert reason in row["error"]


async def test_what_was_withdrawn_is_not_carried(post: Post) -> None:
    channel = await post.a_venue()
    (reply_id,) = await post.queue(channel)
    async with post.database.write(post.workspace_id) as session:
        await acts.withdraw(session, await store.lock(session, post.workspace_id, reply_id), actor="JD")
    await post.carried()
    assert ((await post.one(channel))["state"], post.venue(channel).replies()) == ("withdrawn", [])


async def test_a_sender_that_lost_its_lease_says_nothing_of_the_one_who_sends(post: Post) -> None:
    channel = await post.a_venue()
    (reply_id,) = await post.queue(channel)
    async with post.database.lookup() as connection:
        late = await work.claim(connection, QUEUED, 1, lease_s=-1)
        ours = await work.claim(connection, QUEUED, 1, lease_s=LEASE_S)
    assert late is not None
    assert ours is not None
    errand = await post.sender._begin(ours, ours.work_ids[0], reply_id)
    assert errand is not None
    assert await post.sender._begin(late, late.work_ids[0], reply_id) is None
    assert (await post.one(channel))["state"] == "sending"
    await post.sender._conclude(ours, ours.work_ids[0], errand, await post.sender._carry(errand))
    assert ((await post.one(channel))["state"], len(post.venue(channel).replies())) == ("sent", 1)
    assert await post.told(reply_id) == ["reply.queued", "reply.sent"]


async def test_what_a_sender_learnt_after_it_was_given_up_settles_it(post: Post) -> None:
    channel = await post.a_venue(idempotency="neither")
    (reply_id,) = await post.queue(channel)
    async with post.database.lookup() as connection:
        slow = await work.claim(connection, QUEUED, 1, lease_s=-1)
    assert slow is not None
    errand = await post.sender._begin(slow, slow.work_ids[0], reply_id)
    assert errand is not None
    outcome = await post.sender._carry(errand)
    await post.sender.once()  # its lease has ended: another sender finds it half sent
    assert (await post.one(channel))["state"] == "unknown"
    await post.sender._conclude(slow, slow.work_ids[0], errand, outcome)
    row = await post.one(channel)
    assert (row["state"], row["settled_by"], len(post.venue(channel).replies())) == ("sent", "sender", 1)
