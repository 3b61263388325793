"""A whole installation whose every process can be killed: its servers, and one process for each service, as compose runs them."""

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
from pydantic import SecretStr

import migrations
from services.local.accounts import make_own, server_account
from services.local.postgres import Postgres
from services.local.valkey import Valkey
from shared.kit.settings import Settings
from tests.chaos import running

SECRET = "chaos-only-" + "x" * 40


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """Servers and processes on one machine, each of which may be killed at any moment and is started again.

    Processes are forked from a server that has loaded their modules, as `webcare up` forks them, so that starting again costs
    little. The servers are started and killed by one thread that lives as long as they do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sockets = Path(tempfile.mkdtemp(prefix="wcc-", dir="/tmp"))
        self.postgres = Postgres(folder / "home", self._own("p"), lambda _: None)
        self.valkey = Valkey(folder / "home", self._own("v"), lambda _: None)
        self.processes: dict[str, BaseProcess] = {}
        self.kills: dict[str, int] = {}
        self.settings = Settings()
        self._servers = ThreadPoolExecutor(1, thread_name_prefix="servers")
        self._fork = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(["tests.chaos.running"])

    def _own(self, name: str) -> Path:
        made = self._sockets / name
        make_own(made, server_account(self.folder / "none"))
        self._sockets.chmod(0o755)
        return made

    def start(self, *names: str, **more: object) -> None:
        """Starts the servers, migrates, and starts these processes; `triage-2` is a second `triage`. `more` are settings."""
        self._servers.submit(self.postgres.start).result()
        self._servers.submit(self.valkey.start).result()
        migrations.upgrade(self.postgres.url)
        self.settings = Settings(
            database_url=self.postgres.url, valkey_url=self.valkey.url, secret_key=SecretStr(SECRET),
            data_dir=self.folder / "data", api_port=free_port(), ingest_port=free_port(), requests_per_minute=1_000_000,
            allowed_networks="127.0.0.0/8", **more,  # type: ignore[arg-type]  # read as the environment is
        )  # fmt: skip
        for name in names:
            self.run(name)

    @property
    def ingest_url(self) -> str:
        """Where mentions are pushed."""
        return f"http://127.0.0.1:{self.settings.ingest_port}"

    @property
    def api_url(self) -> str:
        """Where the api answers."""
        return f"http://127.0.0.1:{self.settings.api_port}"

    def run(self, name: str) -> None:
        """Starts a process, in a session of its own so that its children go with it."""
        log = self.folder / f"{name}.log"
        process = self._fork.Process(
            target=running.run, args=(name.removesuffix("-2"), self.settings, log), daemon=True
        )
        process.start()
        self.processes[name] = process

    def revive(self) -> None:
        """Starts again what ended by itself, as every supervisor does."""
        for name, process in list(self.processes.items()):
            if not process.is_alive():
                self._count(f"{name} ended by itself")
                self.run(name)

    def kill(self, name: str) -> None:
        """SIGKILLs a process with all its children, and starts it again."""
        self._end(name)
        self._count(name)
        self.run(name)

    def kill_postgres(self) -> None:
        """SIGKILLs Postgres with all its backends, as a power cut would, and starts it again."""
        self._count("postgres")
        self._servers.submit(self._kill_postgres).result()

    def _kill_postgres(self) -> None:
        process = self.postgres._process
        assert process is not None
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        os.kill(process.pid, signal.SIGKILL)
        for child in children:
            with _gone_is_fine():
                os.kill(int(child), signal.SIGKILL)
        process.wait(10)
        self.postgres.start()

    def empty_valkey(self) -> None:
        """Takes everything out of Valkey."""
        self._say_to_valkey(b"FLUSHALL\r\n")
        self._count("valkey emptied")

    def kill_valkey(self) -> None:
        """SIGKILLs Valkey and starts it again."""
        self._count("valkey")
        self._servers.submit(self._kill_valkey).result()

    def _kill_valkey(self) -> None:
        process = self.valkey._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        self.valkey.start()

    def _say_to_valkey(self, words: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as connection, _gone_is_fine():
            connection.settimeout(2)
            connection.connect(self.valkey.url.removeprefix("unix://").partition("?")[0])
            connection.sendall(words)
            connection.recv(64)

    def _count(self, name: str) -> None:
        self.kills[name] = self.kills.get(name, 0) + 1

    def _end(self, name: str) -> None:
        process = self.processes[name]
        assert process.pid is not None
        with _gone_is_fine():
            os.killpg(process.pid, signal.SIGKILL)
        with _gone_is_fine():  # it may not have had the time to make its own group
            os.kill(process.pid, signal.SIGKILL)
        process.join(10)

    def wait_ready(self, url: str, seconds: float = 60) -> None:
        """Waits until an app is ready."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with _gone_is_fine():
                if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(f"{url} was not ready in {seconds} s; see {self.folder}")

    def close(self) -> None:
        """Ends everything that was started."""
        for name in list(self.processes):
            self._end(name)
        self._servers.submit(self.valkey.stop).result()
        self._servers.submit(self.postgres.stop).result()
        self._servers.shutdown()
        shutil.rmtree(self._sockets, ignore_errors=True)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    """What is killed may be gone already."""
    with suppress(ProcessLookupError, OSError, httpx.HTTPError):
        yield


@contextmanager
def an_installation(*names: str, **more: object) -> Iterator[Installation]:
    """An installation in a folder of its own, ended and taken away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="webcare-chaos-", dir="/tmp"))
    folder.chmod(0o755)
    installation = Installation(folder)
    try:
        installation.start(*names, **more)
        yield installation
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        installation.close()
