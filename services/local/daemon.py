"""Running one server program as our own child: started, watched, stopped, and never mistaken for somebody else's."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.local.accounts import Account

_PR_SET_PDEATHSIG = 1
_LARGEST_LOG = 10_000_000
"""Bytes; a log that has grown past this is set aside at the next start."""


def die_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """For the child, between fork and exec: on Linux, ask for `sign` when the parent dies, however it dies."""
    library = ctypes.CDLL(None, use_errno=True) if platform.system() == "Linux" else None
    parent = os.getpid()

    def ask() -> None:
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, int(sign))
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

    return ask


def launch(
    arguments: Sequence[str | Path],
    log: Path,
    account: Account | None,
    *,
    on_parent_death: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a server in a session of its own, so that a Ctrl-C at the terminal does not reach it, logging to `log`."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".old.log"))
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **(environment or {})},
            start_new_session=True,
            # the caller has one thread, so running Python between fork and exec is safe here
            preexec_fn=die_with_parent(on_parent_death),  # noqa: PLW1509
            **(account.popen_arguments() if account else {}),
        )


def is_running(pid: int, sign: str) -> bool:
    """Whether process `pid` lives and has `sign` in its command line.

    A zombie does not count: where nobody reaps it (a container without an init), a killed server stays one for ever.
    """
    if platform.system() == "Linux":
        try:
            state = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            )
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return False
    else:
        answer = subprocess.run(
            ["/bin/ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        state, _, command = answer.partition(" ")
    return bool(state) and not state.startswith(("Z", "X")) and sign in command


def stop_stray(pid: int, sign: str, stop: signal.Signals, patience: float) -> bool:
    """Asks a server that outlived its keeper to end, and waits. True when it is gone."""
    end = time.monotonic() + patience
    asked = False
    while is_running(pid, sign):
        if not asked:
            os.kill(pid, stop)
            asked = True
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def stop_child(child: subprocess.Popen[bytes], *stops: tuple[signal.Signals, float]) -> None:
    """Ends our own child: each signal in turn with its patience in seconds, until it is gone."""
    for stop, patience in stops:
        if child.poll() is not None:
            return
        child.send_signal(stop)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def last_words(log: Path, since: int) -> str:
    """What the server wrote to its log after byte `since`: at most the last 20 lines."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-20:])
    except OSError:
        return ""


def size_of(log: Path) -> int:
    """Bytes in the log so far."""
    return log.stat().st_size if log.exists() else 0
