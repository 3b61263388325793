"""The five processes: their ports, their sentences when a port is taken, and a stop that ends with exit code 0."""

import os
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from services.local import children, processes, up
from services.local.processes import PROCESSES
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings
from tests.local.conftest import python, wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_named_with_the_setting_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalTrouble, match=rf"Port {port} .* taken by another program.*WEBCARE_INGEST_PORT"):
            up.check_ports(Settings(api_port=free_port(), ingest_port=port))


def test_one_port_for_both_is_refused() -> None:
    with pytest.raises(LocalTrouble, match="WEBCARE_API_PORT and WEBCARE_INGEST_PORT are both"):
        up.check_ports(Settings(api_port=8123, ingest_port=8123))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(LocalTrouble, match="Set WEBCARE_HOST to an address of this machine"):
        processes.listening_socket(PROCESSES["api"], Settings(host="192.0.2.1", api_port=free_port()))


APP = """
import asyncio, sys, types
from services.local import processes
from shared.kit.settings import Settings

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                print("lifespan ended", flush=True)
                await send({"type": "lifespan.shutdown.complete"})
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

async def work(settings, stop):
    print("working", flush=True)
    await stop.wait()
    print("worked", flush=True)

async def ends(settings, stop):
    pass

sys.modules["an_app"] = types.SimpleNamespace(create_app=lambda settings: app)
sys.modules["a_worker"] = types.SimpleNamespace(run=work)
sys.modules["ends"] = types.SimpleNamespace(run=ends)
processes.PROCESSES = {
    "api": processes.Process("api", "", "an_app", "api_port"),
    "triage": processes.Process("triage", "", "a_worker"),
    "ends": processes.Process("ends", "", "ends"),
}
sys.exit(processes.run_process(sys.argv[1], Settings()))
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_an_app_answers_and_stops_with_exit_code_0(sign: signal.Signals) -> None:
    port = free_port()
    process = python("-c", APP, "api", WEBCARE_API_PORT=str(port))

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
                return bool(answer.read() == b"hello")
        except OSError:
            return False

    wait_for(answers)
    process.send_signal(sign)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "lifespan ended" in said


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_is_told_to_stop_and_ends_with_exit_code_0(sign: signal.Signals) -> None:
    process = python("-c", APP, "triage")
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(sign)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "worked\n")


def test_a_worker_that_ends_by_itself_is_a_failure() -> None:
    process = python("-c", APP, "ends")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ended without being told to" in said


@pytest.mark.skipif(not children.CAN_FORK, reason="this is about forked children")
def test_a_forked_child_writes_into_its_pipe_and_gives_its_exit_code() -> None:
    def speak() -> int:
        print("out")
        print("err", file=sys.stderr)
        os.system("echo from a program of its own")
        return 7

    child = children.fork(speak)
    heard: list[str] = []
    end = time.monotonic() + 60
    while (lines := child.lines()) is not None and time.monotonic() < end:
        heard += lines
        time.sleep(0.01)
    wait_for(child.ended)
    child.close()
    assert heard == ["out", "err", "from a program of its own"]
    assert child.exit_code == 7


def test_a_fresh_child_gets_the_settings_that_were_found(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://x@/y", valkey_url="unix:///z", data_dir=tmp_path)
    environment = children.as_environment(settings)
    assert environment["WEBCARE_DATABASE_URL"] == "postgresql://x@/y"
    assert environment["WEBCARE_VALKEY_URL"] == "unix:///z"
    assert environment["WEBCARE_DATA_DIR"] == str(tmp_path)
