"""The pace of a credential among processes: together they call no faster than it, in one round trip a call; without Valkey each
keeps it by itself. The arithmetic in Python and in Valkey is the same."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.ingest import pacing
from services.ingest.channel import Pace, TryLater
from services.ingest.pacing import SHORT_S, Pacer, paid_by
from services.local.accounts import make_own, server_account
from services.local.valkey import Valkey
from shared.kit.http import HttpClient
from shared.kit.settings import Settings

KEY = "k" * 40


class Site:
    """A site that notes when it was called."""

    def __init__(self) -> None:
        self.called: list[float] = []
        self.http = HttpClient().through(httpx.MockTransport(self._answer))

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.called.append(time.monotonic())
        return httpx.Response(204)

    def waited(self, since: float) -> list[float]:
        """How long after that moment each call came, in their order."""
        return sorted(at - since for at in self.called)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Valkey that is there answers in the end, however busy this machine is."""
    monkeypatch.setattr(pacing, "ANSWERS_IN_S", 30.0)


@pytest.fixture
async def pacers(settings: Settings) -> AsyncIterator[list[Pacer]]:
    """As many as there are processes."""
    made = [Pacer.of(settings) for _ in range(3)]
    assert made[0]._valkey is not None
    await made[0]._valkey.flushdb()
    yield made
    for one in made:
        await one.close()


async def call(pacer: Pacer, site: Site, pace: Pace, token: str = "a", times: int = 1) -> int:
    """Calls so often; how often it was refused."""
    client, refused = pacer.client(site.http, "x", {"token": token}, pace), 0
    for _ in range(times):
        try:
            await client.get("https://site.example/")
        except TryLater:
            refused += 1
    return refused


async def test_processes_together_make_no_more_calls_than_the_pace(pacers: list[Pacer], site: Site) -> None:
    pace = Pace(calls=10, per_s=60)
    refused = await asyncio.gather(*(call(pacer, site, pace, times=8) for pacer in pacers))
    assert (len(site.called), sum(refused)) == (10, 14)
    assert await call(pacers[0], site, pace, token="b", times=3) == 0, "another credential has a line of its own"


async def test_processes_stand_in_one_line(pacers: list[Pacer], site: Site) -> None:
    pace = Pace(calls=4, per_s=0.4)
    began = time.monotonic()
    refused = await asyncio.gather(*(call(pacer, site, pace, times=6) for pacer in pacers))
    assert (len(site.called), sum(refused)) == (18, 0)
    for number, waited in enumerate(site.waited(began), start=1):
        assert waited >= (number - 4) * 0.1 - 0.05, "four at once, and then ten a second: none comes before its time"


async def test_the_wait_that_is_told_is_that_of_all(pacers: list[Pacer], site: Site) -> None:
    pace = Pace(calls=2, per_s=20)
    began = time.monotonic()
    await call(pacers[0], site, pace, times=2)
    with pytest.raises(TryLater, match="2 calls in 20 seconds") as late:
        await pacers[1].client(site.http, "x", {"token": "a"}, pace).get("https://site.example/")
    assert 10 - (time.monotonic() - began) - 0.01 <= late.value.after.total_seconds() <= 10.001
    # what was refused took nothing, neither there nor here
    assert pacers[1]._buckets.popitem()[1].take() == 0.0


async def test_a_call_is_one_round_trip_and_leaves_nothing_behind(pacers: list[Pacer], site: Site) -> None:
    valkey = pacers[0]._valkey
    assert valkey is not None
    pace = Pace(calls=5, per_s=60)
    await call(pacers[0], site, pace)
    before = (await valkey.info("stats"))["total_commands_processed"]
    stats = (await valkey.info("commandstats"))["cmdstat_eval"]["calls"]
    await call(pacers[0], site, pace, times=4)
    after = (await valkey.info("stats"))["total_commands_processed"]
    assert (await valkey.info("commandstats"))["cmdstat_eval"]["calls"] - stats == 4
    assert after - before <= 4 * 4 + 2, "EVAL with its TIME, GET and SET, and our own two questions"
    (key,) = await valkey.keys("webcare:pace:*")
    assert b"token" not in key
    assert 0 < await valkey.pttl(key) <= 60_001
    await valkey.delete(key)
    await call(pacers[0], site, Pace(calls=5, per_s=1), token="b")
    async with asyncio.timeout(30):
        while await valkey.keys("webcare:pace:*"):
            await asyncio.sleep(0.02)


async def test_keys_are_told_apart_by_the_installations_secret(settings: Settings, site: Site) -> None:
    pace, pacers = Pace(calls=1, per_s=60), [Pacer(settings.valkey_url, key) for key in (KEY, "x" * 40)]
    for pacer in pacers:
        assert await call(pacer, site, pace) == 0
        await pacer.close()


@pytest.fixture(scope="module")
def a_valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="wcv") as folder:
        Path(folder).chmod(0o755)  # the server's own account gets to its files
        make_own(Path(folder) / "s", server_account(Path(folder)))
        server = Valkey(Path(folder) / "home", Path(folder) / "s", lambda _: None)
        server.start()
        yield server
        server.stop()


async def test_without_valkey_a_process_goes_on_alone(
    a_valkey: Valkey, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "AWAY_S", 0.2)
    pace, pacers = Pace(calls=4, per_s=60), [Pacer(a_valkey.url, KEY) for _ in range(2)]
    for pacer in pacers:
        await call(pacer, site, pace)
    a_valkey.stop()
    async with asyncio.timeout(20):  # less than a single answer may take
        refused = [await call(pacer, site, pace, times=5) for pacer in pacers]
    assert refused == [2, 2], "each knows what it called before, and nothing of the other"
    await asyncio.sleep(0.25)
    a_valkey.start()
    assert [await call(pacer, site, pace, token="b", times=3) for pacer in pacers] == [0, 2], "together again"
    for pacer in pacers:
        await pacer.close()


async def test_a_valkey_that_hangs_holds_nothing_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "ANSWERS_IN_S", 0.1)
    monkeypatch.setattr(pacing, "AWAY_S", 3_600.0)
    asked = 0

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()  # until the caller goes
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    pacer = Pacer(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", KEY)
    assert await call(pacer, site, Pace(calls=5, per_s=60), times=7) == 2
    assert asked == 1, "who did not answer once is left alone"
    await pacer.close()
    server.close()


# ---------------------------------------------------------------- the arithmetic

paces = st.builds(Pace, calls=st.integers(1, 50), per_s=st.floats(0.5, 1_000))
asked = st.lists(st.floats(0, 100), min_size=1, max_size=120)


@given(pace=paces, pauses=asked)
def test_no_stretch_of_time_has_more_calls_than_the_pace_and_what_was_saved(pace: Pace, pauses: list[float]) -> None:
    paid, now, made = 0.0, 1_000.0, list[float]()
    for pause in pauses:
        now += pause
        before = paid
        paid, wait = paid_by(paid, now, pace)
        if wait > SHORT_S:
            assert paid == max(before, now), "who is refused takes nothing"
        else:
            made.append(now + wait)
    assert made == sorted(made), "who waits stands in a line"
    for index, first in enumerate(made):
        for count, last in enumerate(made[index:], 1):
            assert count <= pace.calls * (1 + (last - first) / pace.per_s) + 1e-6


@given(pace=paces, pauses=asked)
def test_whoever_comes_no_faster_than_the_pace_never_waits(pace: Pace, pauses: list[float]) -> None:
    paid, now = 0.0, 1_000.0
    for pause in pauses:
        now += pace.per_s / pace.calls + pause
        paid, wait = paid_by(paid, now, pace)
        assert wait < 1e-6


async def test_valkey_reckons_as_we_do(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script, with a clock of ours in the place of its own."""
    script = pacing._TAKE.replace("redis.call('TIME')", "{0, tonumber(ARGV[4])}")
    assert script != pacing._TAKE
    valkey = Redis.from_url(settings.valkey_url)
    pace, paid, now = Pace(calls=3, per_s=6), 0.0, 0.0
    for step in (0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 0.0, 0.0, 0.1, 5.9, 0.0, 0.0, 0.0, 100.0):
        now += step
        if paid <= now:
            await valkey.delete("webcare:pace:test")  # its real clock ends the key otherwise
        paid, wait = paid_by(paid, now, pace)
        told = await valkey.eval(script, 1, "webcare:pace:test", "2000000", "6000000", "2000000", str(int(now * 1e6)))
        assert told / 1e6 == pytest.approx(wait, abs=1e-5), now
    await valkey.aclose()
