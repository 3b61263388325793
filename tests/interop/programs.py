"""Starting other people's programs for a test: installed where they are missing, on loopback, ended with all their children.

What keeps a program from being installed is said and skips its tests. What is installed and does not start, or does not do as it
should, fails them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.interop import processes

ASKED_FOR = bool(os.environ.get("WEBCARE_INTEROP"))
FOLDER = Path(os.environ.get("WEBCARE_INTEROP_DIR", Path.home() / ".cache" / "webcare-interop"))
INSTALL_S, ALL_INSTALLS_S = 480.0, 1500.0  # the longest that installing one program, and all of a run, may take
PATIENCE_S = 15.0  # for a program that was asked to end
_until: list[float] = []
MARKS = [
    pytest.mark.interop,
    pytest.mark.timeout(400, func_only=True),  # an installation has its own limits
    pytest.mark.skipif(not ASKED_FOR, reason="WEBCARE_INTEROP is not set: nothing is installed"),
]
POLICY = Path("/usr/sbin/policy-rc.d")


class CannotInstall(Exception):
    """A program cannot be had here; the message says why."""


class Failed(Exception):
    """A command failed or did not end in time, or a server did not start; the message has what it said."""


def installing(install: Callable[[], object]) -> Any:
    """A fixture for a file of tests: installs what they need, or skips them all and prints why."""

    @pytest.fixture(scope="module", autouse=True)
    def installed() -> None:
        try:
            install()
        except (CannotInstall, Failed) as why:
            pytest.skip(str(why))

    return installed


def free_ports(many: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    found = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return found


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    return free_ports(1)[0]


def said_by(
    *command: str | Path, what: str, timeout_s: float = 60.0, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> str:  # fmt: skip
    """What a command prints. It and its children are ended where it takes longer. Raises Failed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:  # a daemon that it leaves may hold them open
        try:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                env={**os.environ, **(env or {})}, start_new_session=True,
            )  # fmt: skip
        except OSError as failed:
            raise Failed(f"{what}: {failed}") from failed
        try:
            code = process.wait(timeout_s)
        except BaseException as stopped:
            end(process)
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise Failed(f"{what} took longer than {timeout_s:.0f} seconds and was ended.") from stopped
            raise
        for stream in (out, err):
            stream.seek(0)
        said, complaints = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    if code:
        raise Failed(f"{what}: exit code {code}: {(complaints or said).strip()[-600:]}")
    return said


def time_to_install() -> float:
    """How many seconds an installation that begins now may take. Raises CannotInstall where others have used them up."""
    if not _until:
        _until.append(time.monotonic() + ALL_INSTALLS_S)
    left = _until[0] - time.monotonic()
    if left <= 0:
        raise CannotInstall(f"The {ALL_INSTALLS_S / 60:.0f} minutes for installing programs are over.")
    return min(left, INSTALL_S)


def from_apt(program: str, *packages: str, has: Callable[[], bool] | None = None) -> None:
    """Sees that a program is there, by Debian's packages where it is not. Raises CannotInstall or Failed."""
    there = has or (lambda: bool(shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")))
    if there():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotInstall(f"{program} is not here, and only root on Debian installs it: {' '.join(packages)}.")
    _lists_read()
    with _services_kept_still():
        said_by(
            "apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *packages,
            what=f"installing {program}", timeout_s=time_to_install(), env={"DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    if not there():
        raise CannotInstall(f"{program} is not here although its packages are installed.")


@cache
def _lists_read() -> None:
    """Once a run: a new machine may have no lists of packages, or old ones."""
    with suppress(Failed):  # what is wrong, installing will say
        said_by("apt-get", "update", what="reading the lists of packages", timeout_s=min(180.0, time_to_install()))


@contextmanager
def _services_kept_still() -> Iterator[None]:
    """Keeps packages from starting services of their own, on all addresses, as Debian's policy-rc.d lets an administrator do."""
    if POLICY.exists():  # the machine's own word
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def python_with(name: str) -> Path:
    """The interpreter of an environment that holds what `locks/NAME.txt` lists, kept between runs. Raises Failed."""
    folder, lock = FOLDER / name, Path(__file__).with_name("locks") / f"{name}.txt"
    interpreter, done = folder / "venv" / "bin" / "python", folder / "installed.txt"
    if interpreter.exists() and done.exists() and done.read_bytes() == lock.read_bytes():
        return interpreter
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    said_by(sys.executable, "-m", "venv", "--clear", folder / "venv", what=f"making an environment for {name}")
    said_by(
        interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps",
        "-r", lock, what=f"installing {name}", timeout_s=time_to_install(),
    )  # fmt: skip
    done.write_bytes(lock.read_bytes())
    return interpreter


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, ready: Callable[[], bool], cwd: Path | None = None,
    env: Mapping[str, str] | None = None, wait_s: float = 120.0, by: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A server that is ready and heard on loopback only, until the end of the block; then it is ended `by` a signal.

    Raises Failed where it does not become ready.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd,
            env={**os.environ, **(env or {})}, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + wait_s
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"{command[0]} did not start: {log.read_text(errors='replace')[-600:]}")
            time.sleep(0.1)
        processes.watch(process.pid)
        yield process
    finally:
        end(process, by)


def end(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM) -> None:
    """Ends a program that we started, and whatever it started in its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, by)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_S)
    with suppress(ProcessLookupError):  # those that did not listen
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(15)


def listens(port: int) -> bool:
    """Whether somebody listens on that port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until_true(question: Callable[[], bool], what: str, wait_s: float = 20.0) -> None:
    """Waits for something. Raises AssertionError where it does not come."""
    end_at = time.monotonic() + wait_s
    while not question():
        assert time.monotonic() < end_at, f"{what} did not come within {wait_s:g} seconds"
        time.sleep(0.1)
