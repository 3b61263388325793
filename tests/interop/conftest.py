"""Tests against real servers, started here on loopback."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.kit.http import HttpClient
from tests.interop import processes


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "interop: against the venue's own server software, started on loopback; see `make interop`"
    )


def pytest_sessionstart() -> None:
    """A run that is asked to end ends as by Ctrl-C: its servers first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A server that outlives the run is an error of ours."""
    if found := processes.end_those_left():
        print(f"\nThese processes of servers were left and have been ended: {found}")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    """A client that may call this machine."""
    client = HttpClient(["127.0.0.0/8", "::1/128"])
    yield client
    await client.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, as pytest's own may not be."""
    made = Path(tempfile.mkdtemp(prefix="webcare-interop-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)
