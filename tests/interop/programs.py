"""Starting other people's programs for a test: installed where they are missing, on loopback, ended by their id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ASKED_FOR = bool(os.environ.get("WEBCARE_INTEROP"))
FOLDER = Path(os.environ.get("WEBCARE_INTEROP_DIR", Path.home() / ".cache" / "webcare-interop"))
MARKS = [
    pytest.mark.interop,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ASKED_FOR, reason="WEBCARE_INTEROP is not set: nothing is installed"),
]


class CannotStart(Exception):
    """A server cannot be installed or started here; the message says why."""


@contextmanager
def or_skipped() -> Iterator[None]:
    """Skips the tests where a server cannot start, and prints why."""
    try:
        yield
    except CannotStart as why:
        pytest.skip(str(why))


@contextmanager
def once_running() -> Iterator[None]:
    """Around what is done with a server that runs: where that fails the test fails, and is not skipped."""
    try:
        yield
    except CannotStart as failed:
        raise AssertionError(str(failed)) from failed


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def said_by(
    *command: str | Path, what: str, timeout_s: float = 300.0, env: Mapping[str, str] | None = None, stdin: str = ""
) -> str:
    """What a command prints. Raises CannotStart where it fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise CannotStart(f"{what}: {failed}") from failed
    if done.returncode:
        raise CannotStart(f"{what}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def from_apt(program: str, *packages: str, has: Callable[[], bool] | None = None) -> None:
    """Sees that a program is there, by Debian's packages where it is not. Raises CannotStart."""
    there = has or (
        lambda: shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/news/bin") is not None
    )
    if there():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotStart(
            f"{program} is not installed, and only root on Debian installs it here: {' '.join(packages)}."
        )
    # its own service must not start by itself
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1", "POLICYRCD": "101"}
    said_by(
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
        *packages,
        what=f"installing {program}",
        timeout_s=500,
        env=quiet,
    )
    if not there():
        raise CannotStart(f"{program} is not there although its packages are installed.")


def python_with(name: str, *requirements: str, python: str = "python3") -> Path:
    """The interpreter of an environment that holds these packages, kept between runs. Raises CannotStart."""
    folder = FOLDER / name
    interpreter = folder / "venv" / "bin" / "python"
    done = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if interpreter.exists() and done.exists() and done.read_text() == wanted:
        return interpreter
    folder.mkdir(parents=True, exist_ok=True)
    said_by(python, "-m", "venv", "--clear", folder / "venv", what=f"making an environment for {name}")
    said_by(
        interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements, what=f"installing {name}",
        timeout_s=500,
    )  # fmt: skip
    done.write_text(wanted)
    return interpreter


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, port: int | None = None, ready: Callable[[], bool] | None = None,
    cwd: Path | None = None, env: Mapping[str, str] | None = None, wait_s: float = 60.0,
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A program, until the end of the block: waited for, then ended by its process group. Raises CannotStart."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd,
            env={**os.environ, **(env or {})}, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + wait_s
        while not (listens(port) if port else ready() if ready else True):
            if process.poll() is not None or time.monotonic() > until:
                raise CannotStart(f"{command[0]} did not start: {log.read_text(errors='replace')[-600:]}")
            time.sleep(0.1)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that we started, and its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


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
