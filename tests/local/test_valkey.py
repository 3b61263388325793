"""The embedded Valkey comes up, speaks with arq through its socket, keeps the schedule, and never stands in the way."""

import os
import signal
from pathlib import Path

import pytest
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings

from services.local.trouble import LocalTrouble
from services.local.valkey import Valkey
from tests.local.conftest import processes_of, wait_for


async def connected(server: Valkey) -> ArqRedis:
    return await create_pool(RedisSettings.from_dsn(server.url))


async def test_arq_enqueues_through_the_address_it_gives_and_a_restart_forgets_nothing(
    home: Path, sockets: Path
) -> None:
    server = Valkey(home, sockets, print)
    server.start()
    pool = await connected(server)
    assert await pool.enqueue_job("wake", "triage", _job_id="wake:triage") is not None
    assert (await pool.config_get("appendonly"))["appendonly"] == "yes"
    assert (await pool.config_get("port"))["port"] == "0"
    await pool.aclose()
    server.stop()
    assert not server.alive()

    again = Valkey(home, sockets, print)
    again.start()
    try:
        pool = await connected(again)
        assert [job.function for job in await pool.queued_jobs()] == ["wake"]
        await pool.aclose()
    finally:
        again.stop()


async def test_after_a_kill_it_starts_again(home: Path, sockets: Path) -> None:
    server = Valkey(home, sockets, print)
    server.start()
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not server.alive())
    server.start()
    try:
        pool = await connected(server)
        assert await pool.ping()
        await pool.aclose()
    finally:
        server.stop()


async def test_a_damaged_file_is_set_aside_and_it_starts_empty(home: Path, sockets: Path) -> None:
    server = Valkey(home, sockets, print)
    server.start()
    pool = await connected(server)
    for n in range(200):
        await pool.set(f"key{n}", "x" * 50)
    await pool.aclose()
    server.stop()
    (log,) = (server.data / "appendonlydir").glob("*.incr.aof")
    content = log.read_bytes()
    log.write_bytes(content[:400] + b"\x00garbage\r\n" + content[500:])

    said: list[str] = []
    again = Valkey(home, sockets, said.append)
    again.start()
    try:
        pool = await connected(again)
        assert await pool.dbsize() == 0
        await pool.aclose()
    finally:
        again.stop()
    assert any("damaged" in line for line in said)
    assert list(again.data.glob("appendonlydir.damaged-*"))


def test_one_that_outlived_its_keeper_is_ended_first(home: Path, sockets: Path) -> None:
    first = Valkey(home, sockets, print)
    first.start()
    second = Valkey(home, sockets, print)
    second.start()
    try:
        assert not first.alive()
        assert len(processes_of(home)) == 1
    finally:
        second.stop()


def test_a_start_that_fails_gives_its_last_words(home: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Valkey(home, sockets, print)
    monkeypatch.setattr(server, "_settings", lambda: ["--no-such-setting", "yes"])
    with pytest.raises(LocalTrouble, match=r"Valkey did not start on .* Its last words: \"Bad directive"):
        server.start()
