"""`webcare up` from outside: everything comes up from nothing, heals, is found again, and goes without a trace.

One story in one test: each start takes seconds, and each step stands on the one before.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from services.local import running
from services.local.keeper import read_state
from tests.local.conftest import processes_of, wait_for
from tests.local.warm import webcare

ROOT = Path(__file__).resolve().parents[2]
KEY = "an-admin-key-of-our-own-for-this-test-0123456789"
STOP_S = 10
BUSY = 4
"""How many times slower than a machine of its own this one may be."""


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Installation:
    """A data folder with ports of its own, and the `webcare` command on it."""

    def __init__(self, home: Path, api: int, ingest: int) -> None:
        self.home = home
        self.api = f"http://127.0.0.1:{api}"
        self.ingest = f"http://127.0.0.1:{ingest}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")}
        self.environment = {
            **clean, "WEBCARE_DATA_DIR": str(home), "WEBCARE_ADMIN_KEY": KEY, "WEBCARE_TRIAGE_PROCESSES": "1",
            "WEBCARE_API_PORT": str(api), "WEBCARE_INGEST_PORT": str(ingest),
        }  # fmt: skip

    def webcare(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] != "up":
            return webcare(arguments, {**self.environment, **more})
        return subprocess.run(
            [sys.executable, "-m", "services.local", *arguments],
            capture_output=True, text=True, cwd=ROOT, env={**self.environment, **more}, check=False, timeout=150,
        )  # fmt: skip

    def get(self, url: str) -> int:
        """The status of an answer; 0 where there is none."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {KEY}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def pid(self, name: str) -> int:
        found = running.read(self.home)
        assert found is not None
        (pid,) = [process.pid for process in found.processes if process.name == name]
        return pid or 0


@pytest.mark.journey
@pytest.mark.timeout(400)
def test_everything_comes_up_heals_is_found_again_and_goes_without_a_trace(home: Path) -> None:
    here = Installation(home, *free_ports(2))

    # from nothing, in the background
    started = here.webcare("up", "--no-demo", "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    for promised in (here.api, here.ingest, KEY, "webcare down"):
        assert promised in started.stdout
    assert here.get(f"{here.api}/v1/conversations") == 200
    assert here.get(f"{here.ingest}/readyz") == 200
    status = here.webcare("status")
    assert status.returncode == 0, status.stdout
    for name in ("postgres", "valkey", "api", "ingest", "ingest-worker", "triage", "api-worker"):
        assert re.search(rf"^  {name} +ready", status.stdout, re.MULTILINE), status.stdout
    assert here.webcare("health", "triage").returncode == 0

    # a second start says that it runs, and where; another folder's start names the port
    again = here.webcare("up")
    assert (again.returncode, "already running here" in again.stdout) == (0, True)
    other = here.webcare("up", WEBCARE_DATA_DIR=str(home / "other"))
    assert other.returncode == 1
    assert re.search(r"Port \d+ .* taken by another program\. .*WEBCARE_API_PORT", other.stderr), other.stderr
    assert not processes_of(home / "other")

    # what is killed comes back
    killed = {name: here.pid(name) for name in ("api", "triage")}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(here.pid(name) not in (0, pid) for name, pid in killed.items()))
    wait_for(lambda: here.get(f"{here.api}/readyz") == 200)
    state = read_state(home, "postgres")
    assert state is not None
    assert state.pid
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: getattr(read_state(home, "postgres"), "pid", None) not in (None, state.pid))
    wait_for(lambda: here.get(f"{here.api}/v1/conversations") == 200)
    wait_for(lambda: here.webcare("status").returncode == 0)

    # a command on the running servers does not disturb them
    brand = here.webcare("key", "create", "--role", "analyst")
    assert brand.stdout.startswith("wc_live_"), brand.stderr

    began = time.monotonic()
    down = here.webcare("down")
    assert down.returncode == 0, down.stderr
    assert time.monotonic() - began < BUSY * STOP_S
    assert processes_of(home) == []

    # in the foreground: everything is found again, and Ctrl-C ends all of it
    process = subprocess.Popen(
        [sys.executable, "-m", "services.local", "up", "--no-demo"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=here.environment,
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Ctrl-C stops everything"):
            break
    assert any(line.startswith("webcare is ready, after") for line in said), "".join(said)
    assert here.get(f"{here.api}/v1/conversations") == 200  # by the key of the first start
    assert not any(json.loads(line).get("level") == "error" for line in said if line.startswith("{")), "".join(said)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < BUSY * STOP_S
    assert process.returncode == 0, rest
    assert "Everything is stopped." in rest
    assert processes_of(home) == []
    assert here.webcare("status").returncode == 3


@pytest.mark.journey
@pytest.mark.usefixtures("made")
def test_a_killed_supervisor_leaves_nothing_running(home: Path) -> None:
    here = Installation(home, *free_ports(2))
    process = subprocess.Popen(
        [sys.executable, "-m", "services.local", "up", "--no-demo"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=here.environment,
    )  # fmt: skip
    wait_for(lambda: "triage" in {each.name for each in getattr(running.read(home), "processes", ())})
    process.kill()
    process.wait()
    wait_for(lambda: not processes_of(home))


@pytest.mark.journey
def test_a_start_that_cannot_succeed_ends_with_a_sentence_and_leaves_nothing(home: Path) -> None:
    here = Installation(home, *free_ports(2))
    (home / "postgres").mkdir()
    (home / "postgres" / "letters.txt").touch()
    for arguments in (["up", "--no-demo"], ["up", "--no-demo", "--detach"]):
        answer = here.webcare(*arguments)
        assert answer.returncode == 1
        assert "is no Postgres folder" in answer.stderr, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stdout + answer.stderr
        assert processes_of(home) == []
