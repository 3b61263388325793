"""Child processes of the supervisor: forked from it with everything already imported, heard, and ended as a group.

Importing FastAPI, SQLModel and Strawberry takes seconds; a fork has them for nothing. macOS does not fork safely once
frameworks are loaded, so there a child is a fresh Python (not tested).
"""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from services.local.daemon import die_with_parent
from services.local.trouble import LocalTrouble, no_postgres
from shared.kit.errors import WebcareError
from shared.kit.settings import Settings

CAN_FORK = platform.system() == "Linux"
_PROJECT = Path(__file__).resolve().parents[2]


class Child:
    """One running child. `output` is the end of a pipe that gives what it writes, not blocking."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.output = output
        os.set_blocking(output, False)
        self.exit_code: int | None = None
        self._rest = b""

    def lines(self) -> list[str] | None:
        """The whole lines written since the last call; None when it has closed its output."""
        if self.output < 0:
            return None
        try:
            piece = os.read(self.output, 65_536)
        except BlockingIOError:
            return []
        if not piece:
            return None
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > 1_000_000:  # no line end in sight: don't gather for ever
            whole, self._rest = [*whole, self._rest], b""
        return [line.decode("utf-8", "replace") for line in whole]

    def ended(self) -> bool:
        """Whether it has ended; it is then reaped, and `exit_code` says how (negative: by that signal)."""
        if self.exit_code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None

    def tell(self, sign: signal.Signals) -> None:
        """Sends a signal to the child alone."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sign)

    def end_group(self) -> None:
        """Kills what is left of the child and of the processes it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Lets go of its output."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1  # the number may soon be another file's


def fork(run: Callable[[], int], forget: Sequence[int] = ()) -> Child:
    """Runs `run` in a forked child; its result is the exit code. `forget`: descriptors it must not keep open."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # the collector leaves what is shared alone, so the pages stay shared
    heard, said = os.pipe()
    ask = die_with_parent(signal.SIGTERM)
    pid = os.fork()
    if pid:
        os.close(said)
        return Child(pid, heard)
    # From here on we are the child. Whatever happens, the parent's frames below us must not run on.
    code = 70
    try:
        os.setsid()  # Ctrl-C at the terminal goes to the parent, which tells us
        ask()
        signal.set_wakeup_fd(-1)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(sign, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for given, wanted in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(given, wanted)
        for descriptor in (nothing, said, heard, *forget):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        # streams of its own: a line goes out when it ends, not when a buffer is full
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        code = run()
    except (LocalTrouble, WebcareError) as trouble:
        sys.stderr.write(f"{trouble}\n")
        code = 1
    except BaseException as error:  # noqa: BLE001  # told and turned into an exit code: nothing may escape
        if away := no_postgres(error):
            sys.stderr.write(f"{away}\n")
        else:
            sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def spawn(arguments: Sequence[str], settings: Settings) -> Child:
    """Runs `webcare` with these arguments in a fresh Python, on settings already resolved."""
    heard, said = os.pipe()
    with os.fdopen(said, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.local", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | as_environment(settings),
            start_new_session=True,
        )
    process.returncode = 0  # we wait for it ourselves
    return Child(process.pid, heard)


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a child the settings that were found, beside those that were given."""
    return {
        "WEBCARE_DATABASE_URL": settings.database_url,
        "WEBCARE_VALKEY_URL": settings.valkey_url,
        "WEBCARE_SECRET_KEY": settings.secret_key.get_secret_value(),
        "WEBCARE_DATA_DIR": str(settings.data_dir.absolute()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }
