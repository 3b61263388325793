"""The embedded Postgres: made once, started, stopped and brought back, with each trouble told in a sentence.

It listens on a Unix socket in a private folder and on no port. Everything durable stays on: what was acknowledged is
on disk.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from services.local import daemon
from services.local.accounts import Account, data_folder, make_own, may, server_account
from services.local.programs import PostgresPrograms, find_postgres
from services.local.trouble import LocalTrouble, disk_is_full, full_disk

OWNER = "webcare"
DATABASE = "webcare"
PATIENCE_S = 180.0
"""How long a start may take: replaying the log after a crash takes its time, and says so in the log."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    # statements that fail are not logged with their text: it may hold a customer's words
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


class Postgres:
    """One cluster under `home`, with its socket in `sockets`, a private folder.

    The caller has one thread and calls `start`, then `alive` now and then, then `stop`.
    """

    kind = "postgres"

    def __init__(self, home: Path, sockets: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._sockets = sockets
        self._log = home / "postgres.log"
        home.mkdir(parents=True, exist_ok=True)
        self.data = data_folder(home, self.kind, say)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """How to connect: as the owner of the database, through the socket."""
        return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(self._sockets), safe='/')}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Makes the cluster if there is none, starts it and waits until it answers. Raises LocalTrouble."""
        account = server_account(self.data)
        programs = find_postgres(account, self._say)
        make_own(self._sockets, account)
        if self.data.exists():
            self._check_data(account, programs)
        else:
            self._make(account, programs)
        self._clear_the_way()
        self._launch(account, programs)

    def alive(self) -> bool:
        """Whether it runs; a dead one is reaped."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends it quickly and cleanly: sessions are cut, everything is written. Never SIGKILL: it leaves strays."""
        if self._process is not None:
            daemon.stop_child(self._process, (signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0))

    def _make(self, account: Account | None, programs: PostgresPrograms) -> None:
        """Makes the cluster beside its place and moves it there when it is whole, so a half-made one is never used."""
        parent = self.data.parent
        for half_made in parent.glob(f"{self.data.name}.making-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        if shutil.disk_usage(parent).free < 300_000_000:
            raise full_disk(self.data)
        making = parent / f"{self.data.name}.making-{os.getpid()}"
        making.mkdir(mode=0o700)
        if account is not None:
            os.chown(making, account.uid, account.gid)
        try:
            self._run(
                account,
                [programs.folder / "initdb", "-D", making, "-U", OWNER, "-E", "UTF8", *_locale(),
                 "--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions", "--no-sync"],
                "make its folder",
            )  # fmt: skip
            # one user of its own; also brings everything written so far to the disk when it ends
            self._run(
                account,
                [programs.folder / "postgres", "--single", "-j", "-D", making, "postgres"],
                "make its database",
                given=f'CREATE DATABASE "{DATABASE}" TEMPLATE template0;\n\n',
            )
            self._run(
                account, [programs.folder / "initdb", "--sync-only", "-D", making], "write its folder to the disk"
            )
            making.rename(self.data)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise

    def _run(self, account: Account | None, arguments: list[str | Path], purpose: str, given: str = "") -> None:
        answer = subprocess.run(
            [str(argument) for argument in arguments],
            input=given, capture_output=True, text=True, errors="replace", check=False, cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            **(account.popen_arguments() if account else {}),
        )  # fmt: skip
        words = f"{answer.stdout}\n{answer.stderr}".strip()
        # a single-user Postgres ends with 0 even when its statement failed
        if answer.returncode != 0 or " ERROR:" in words or "FATAL:" in words:
            raise self._explained(words, f"Postgres could not {purpose} in {self.data}")

    def _check_data(self, account: Account | None, programs: PostgresPrograms) -> None:
        stamp = self.data / "PG_VERSION"
        # asked in this order, so that the sentence names the real reason
        if not may(account, "x", self.data) or (account is None and self.data.stat().st_uid != os.geteuid()):
            who = account.name if account else "you"
            raise LocalTrouble(
                f"The Postgres data in {self.data} cannot be read by {who}. Start webcare from the account that made "
                f"it ({self.data.owner()}), or name another folder with WEBCARE_DATA_DIR."
            )
        if not stamp.exists():
            raise LocalTrouble(
                f"{self.data} is no Postgres folder: PG_VERSION is missing. If nothing in it is needed, remove it and "
                "start again; otherwise name another folder with WEBCARE_DATA_DIR."
            )
        made_by = stamp.read_text(encoding="utf-8").strip()
        if made_by != str(programs.major):
            raise LocalTrouble(
                f"The data in {self.data} was made by Postgres {made_by}, and this is Postgres {programs.version}. "
                "Bring it over with pg_upgrade or a dump, or name another folder with WEBCARE_DATA_DIR."
            )

    def _clear_the_way(self) -> None:
        """Deals with what an earlier start left: a stale postmaster.pid, or a Postgres that outlived its keeper."""
        file = self.data / "postmaster.pid"
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
        if lines and lines[0].strip().isdigit():
            pid = int(lines[0])
            if not daemon.stop_stray(pid, str(self.data), signal.SIGINT, 15):
                raise LocalTrouble(
                    f"A Postgres from an earlier start (process {pid}) still uses {self.data} and does not end. "
                    f"End it with `kill -INT {pid}`, then start again."
                )
        # the process is gone, is somebody else's by now, or is a zombie that Postgres would take for a living one
        file.unlink(missing_ok=True)

    def _launch(self, account: Account | None, programs: PostgresPrograms) -> None:
        arguments: list[str | Path] = [programs.folder / "postgres", "-D", self.data, "-k", self._sockets]
        for name, value in SETTINGS.items():
            arguments += ["-c", f"{name}={value}"]
        end = time.monotonic() + PATIENCE_S
        while True:
            before = daemon.size_of(self._log)
            self._process = daemon.launch(arguments, self._log, account, on_parent_death=signal.SIGINT)
            if self._becomes_ready(end):
                return
            words = daemon.last_words(self._log, before)
            # after a SIGKILL the old server's children take a moment to notice and let go of its memory
            if "still in use" not in words or time.monotonic() > end:
                raise self._explained(words, f"Postgres did not start on {self.data}")
            time.sleep(0.3)

    def _becomes_ready(self, end: float) -> bool:
        """Waits for the state that Postgres itself writes: the eighth line of postmaster.pid."""
        assert self._process is not None
        file = self.data / "postmaster.pid"
        while self._process.poll() is None:
            try:
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                lines = []
            if len(lines) >= 8 and lines[0].strip() == str(self._process.pid) and lines[7].strip() == "ready":
                return True
            if time.monotonic() > end:
                self.stop()
                raise LocalTrouble(
                    f"Postgres was not ready after {PATIENCE_S:.0f} seconds. What it did stands in {self._log}; "
                    "after a crash on a slow disk, starting again may be enough."
                )
            time.sleep(0.02)
        return False

    def _explained(self, words: str, what: str) -> LocalTrouble:
        low = words.lower()
        if disk_is_full(words):
            return full_disk(self.data)
        if "could not create shared memory" in low or "cannot allocate memory" in low or "could not map" in low:
            return LocalTrouble(
                f"{what}: the machine has not enough free memory (Postgres asks for {SETTINGS['shared_buffers']}). "
                "End other programs, or set WEBCARE_DATABASE_URL to a Postgres elsewhere."
            )
        if "too long" in low and "socket" in low:
            return LocalTrouble(
                f"{what}: the path {self._sockets} is too long for a socket. Set TMPDIR to a short one."
            )
        if "could not bind" in low or "could not create any unix-domain socket" in low or "lock file" in low:
            return LocalTrouble(
                f"{what}: its socket in {self._sockets} cannot be made. Another Postgres may use it; see {self._log}."
            )
        if "permission denied" in low:
            return LocalTrouble(
                f"{what}: a file may not be written. Its folder must belong wholly to the account that made it; see "
                f"{self._log}."
            )
        last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
        return LocalTrouble(f'{what}. Its last words: "{last.strip()}". More stands in {self._log}.')


def _locale() -> list[str]:
    """Sorting and upper case by Unicode's own order, the same on every machine, and letters known beyond ASCII."""
    provider = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if platform.system() == "Darwin":  # has no C.UTF-8; not tested
        return [*provider, "--lc-collate=C", "--lc-ctype=en_US.UTF-8", "--lc-messages=C"]
    return [*provider, "--locale=C.UTF-8"]
