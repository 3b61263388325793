"""Replies go out each by itself: one that hangs delays no other, and a network that hangs takes only its own places."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text

from services.ingest import in_flight
from services.ingest.channel import OutgoingReply, ReplyRules, ReplyWay, Sent
from services.ingest.in_flight import OF_A_TYPE
from services.ingest.replies import QUEUED, UNKNOWN, Sender
from shared.kit import clock
from shared.kit.jobs import Wakeups
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.store import work
from tests.ingest.post import Post


@dataclass
class Network:
    """A network that answers at once, but keeps whoever it `holds` waiting until it is `released`."""

    holds: Callable[[OutgoingReply], bool] = lambda _: False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    reply_rules: ClassVar[ReplyRules] = ReplyRules(public=ReplyWay(), private=ReplyWay())

    def idempotency(self) -> str:
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        return await self._answer(reply)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        return await self._answer(reply)

    async def find_reply(self, reply: OutgoingReply, **_: Any) -> Sent:
        return await self._answer(reply)

    async def _answer(self, reply: OutgoingReply) -> Sent:
        self.asked[reply.token] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.holds(reply):
                await self.released.wait()
            await asyncio.sleep(0.01)
            return Sent(external_id=f"there-{reply.token}", sent_at=clock.now())
        finally:
            self.at_once -= 1


@dataclass
class Networks:
    """Opens channels of made-up types, each a network of its own."""

    known: dict[str, Any] = field(default_factory=dict)

    def network(self, channel: Channel) -> Any:
        return self.known[channel.type]


@dataclass
class Office:
    """Workspaces' channels of made-up types, and a sender that carries their replies."""

    post: Post
    networks: Networks
    sender: Sender
    settings: Settings

    async def a_channel(self, channel_type: str, network: Any) -> Channel:
        channel = await self.post.a_venue()
        self.networks.known[channel_type] = network
        async with self.post.database.write(self.post.workspace_id) as session:
            await session.execute(
                text("UPDATE channel SET type = :type WHERE id = :id"), {"type": channel_type, "id": channel.id}
            )
        return channel

    async def states(self, channel: Channel) -> Counter[str]:
        return Counter(row["state"] for row in await self.post.rows(channel))

    async def until(self, question: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not await question():
            assert time.monotonic() < end, Counter((row["channel_id"], row["state"]) for row in await self.post.rows())
            await asyncio.sleep(0.02)

    async def until_states(self, channel: Channel, **expected: int) -> None:
        async def reached() -> bool:
            return await self.states(channel) == Counter(expected)

        await self.until(reached)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None]]]:
        """The sender runs as the worker runs it."""
        stop = asyncio.Event()
        async with Wakeups(self.settings, [QUEUED, UNKNOWN], sweep_s=0.2) as wakeups:
            running = asyncio.create_task(self.sender.run(wakeups, stop))
            try:
                yield stop, running
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


@pytest.fixture
def office(post: Post, settings: Settings) -> Office:
    networks = Networks()
    return Office(post, networks, Sender(post.database, networks), settings)  # type: ignore[arg-type]


def everything(_: OutgoingReply) -> bool:
    return True


async def test_a_network_that_hangs_takes_its_own_places_and_no_others(office: Office) -> None:
    stuck, well = Network(holds=everything), Network()
    first = await office.a_channel("stuck", stuck)
    second = await office.a_channel("well", well)
    await office.post.queue(first, 3 * OF_A_TYPE)  # these are due first
    await office.post.queue(second, 3 * OF_A_TYPE)
    async with office.working():
        await office.until_states(second, sent=3 * OF_A_TYPE)
        assert await office.states(first) == Counter(sending=OF_A_TYPE, queued=2 * OF_A_TYPE)
        held = await office.post.number("SELECT count(*) FROM work WHERE lease_until > now()")
        assert held == OF_A_TYPE  # the rest of them is anybody's
        stuck.released.set()
        await office.until_states(first, sent=3 * OF_A_TYPE)
    assert set((stuck.asked + well.asked).values()) == {1}
    assert stuck.most_at_once == OF_A_TYPE


async def test_one_that_hangs_delays_no_other_of_its_network(office: Office) -> None:
    network = Network()
    channel = await office.a_channel("slow", network)
    slow, *_ = await office.post.queue(channel, 4 * OF_A_TYPE)
    network.holds = lambda reply: reply.token == str(slow)
    async with office.working():
        await office.until_states(channel, sent=4 * OF_A_TYPE - 1, sending=1)
        network.released.set()
        await office.until_states(channel, sent=4 * OF_A_TYPE)
    assert network.most_at_once <= OF_A_TYPE
    assert set(network.asked.values()) == {1}


async def test_unknown_replies_are_looked_for_side_by_side(office: Office) -> None:
    network = Network(holds=everything)
    channel = await office.a_channel("looked-at", network)
    made = await office.post.queue(channel, OF_A_TYPE)
    await unknown(office, made)
    async with office.working():
        await office.until(lambda: answered(network.at_once == OF_A_TYPE))
        network.released.set()
        await office.until_states(channel, sent=OF_A_TYPE)


async def test_all_together_are_bounded_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "AT_ONCE", 10)
    networks = [Network(holds=everything) for _ in range(3)]
    for number, network in enumerate(networks):
        await office.post.queue(await office.a_channel(f"stuck-{number}", network), OF_A_TYPE)
    async with office.working():
        await office.until(lambda: answered(sum(one.at_once for one in networks) == 10))
        await asyncio.sleep(0.3)  # more than a sweep
        assert sum(one.at_once for one in networks) == 10
        for network in networks:
            network.released.set()
        await office.until(lambda: nothing_left(office))
    assert sum((one.asked for one in networks), Counter()).total() == 3 * OF_A_TYPE


async def test_who_hangs_stays_ours_for_as_long_as_it_takes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "RENEW_S", 0.05)
    monkeypatch.setattr(work, "claim_replies", partial(work.claim_replies, lease_s=60))
    monkeypatch.setattr(work, "renew", partial(work.renew, lease_s=600))
    network = Network(holds=everything)
    channel = await office.a_channel("stuck", network)
    await office.post.queue(channel, 2)
    other = Sender(office.post.database, office.networks)  # type: ignore[arg-type]
    async with office.working():
        await office.until_states(channel, sending=2)
        ends = await until_when(office)
        for _ in range(3):  # and so on
            before = ends

            async def renewed(before: datetime = before) -> bool:
                return await until_when(office) > before

            await office.until(renewed)
            ends = await until_when(office)
            assert not await other.once()
        assert ends > clock.now() + timedelta(seconds=60), "longer than its claim was"
        network.released.set()
        await office.until_states(channel, sent=2)


async def test_what_goes_wrong_with_one_spoils_no_other_and_is_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network()
    channel = await office.a_channel("odd", network)
    odd, *rest = await office.post.queue(channel, 4)
    begin, failures = office.sender._begin, [odd]

    async def fails_once(claim: Any, work_id: UUID, reply_id: UUID) -> Any:
        if reply_id in failures:
            failures.remove(reply_id)
            raise RuntimeError("a mistake of ours")
        return await begin(claim, work_id, reply_id)

    monkeypatch.setattr(office.sender, "_begin", fails_once)
    async with office.working():
        await office.until_states(channel, sent=3, queued=1)
        async with office.post.database.write(office.post.workspace_id) as session:
            await session.execute(text("UPDATE work SET lease_until = now() - interval '1 second'"))
        await office.until_states(channel, sent=4)
    assert failures == []
    assert network.asked == Counter({str(reply_id): 1 for reply_id in (odd, *rest)})


async def test_who_is_told_to_stop_brings_the_last_ones_in(office: Office) -> None:
    network = Network(holds=everything)
    channel = await office.a_channel("stuck", network)
    await office.post.queue(channel, OF_A_TYPE + 2)
    async with office.working() as (stop, running):
        await office.until_states(channel, sending=OF_A_TYPE, queued=2)
        stop.set()
        await asyncio.sleep(0.3)
        assert not running.done()
        network.released.set()
        await asyncio.wait_for(running, 60)
        assert await office.states(channel) == Counter(sent=OF_A_TYPE, queued=2)


async def unknown(office: Office, reply_ids: list[UUID]) -> None:
    """As if their sender had died while the network was asked."""
    async with office.post.database.write(office.post.workspace_id) as session:
        given = {"ids": reply_ids}
        await session.execute(
            text("UPDATE reply SET state = 'unknown', attempts = 1, sending_at = now() WHERE id = ANY(:ids)"), given
        )
        await session.execute(
            text("UPDATE work SET kind = :kind WHERE subject_id = ANY(:ids)"), {**given, "kind": UNKNOWN}
        )


async def until_when(office: Office) -> datetime:
    """Until when the lease lasts that ends first."""
    async with office.post.database.read(office.post.workspace_id) as connection:
        found: datetime = await connection.fetchval("SELECT min(lease_until) FROM work WHERE lease_until IS NOT NULL")
    return found


async def answered(answer: bool) -> bool:
    return answer


async def nothing_left(office: Office) -> bool:
    return not await office.post.number("SELECT count(*) FROM work WHERE kind LIKE 'reply.%'")
