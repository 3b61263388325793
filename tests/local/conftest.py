"""Folders and processes for the tests of what runs on one machine. Each test has servers of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def wait_for(question: Callable[[], object], seconds: float = 60) -> None:
    """Waits until the question is answered with something true; fails the test when it is not in time."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def processes_of(home: Path) -> list[str]:
    """The command lines of living processes that name this folder."""
    lines = subprocess.run(["ps", "-ww", "-eo", "stat=,pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if str(home) in line and not line.startswith("Z")]


@pytest.fixture
def home() -> Iterator[Path]:
    """A data folder that an account without rights can enter, unlike pytest's own; whatever runs on it is ended."""
    folder = Path(tempfile.mkdtemp(prefix="webcare-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for line in processes_of(folder):
        os.kill(int(line.split()[1]), signal.SIGKILL)
    shutil.rmtree(folder)


@pytest.fixture
def sockets(home: Path) -> Iterator[Path]:
    """A private folder for a server's socket."""
    from services.local.accounts import make_own, server_account

    folder = Path(tempfile.mkdtemp(prefix="wct-", dir="/tmp"))
    make_own(folder, server_account(home / "none"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A Postgres folder as a first start makes it and a stop leaves it, to be copied: that takes a tenth of the time."""
    from services.local.accounts import make_own, server_account
    from services.local.postgres import Postgres

    folder = Path(tempfile.mkdtemp(prefix="webcare-test-", dir="/tmp"))
    folder.chmod(0o755)
    make_own(folder / "s", server_account(folder / "none"))
    server = Postgres(folder, folder / "s", print)
    server.start()
    server.stop()
    yield server.data
    shutil.rmtree(folder)


@pytest.fixture
def made(home: Path, cluster: Path) -> None:
    """The Postgres of this data folder was started before. What a first start does is asked without this."""
    subprocess.run(["cp", "-a", str(cluster), str(home / "postgres")], check=True)


def python(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A Python of this project in a process of its own, heard through a pipe."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            **environment,
        },
    )
