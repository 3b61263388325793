"""The embedded Valkey: wake-ups and hints between processes. What it holds may be lost at any moment without harm.

It listens on a Unix socket in a private folder and on no port, and keeps an append-only file all the same, so that a
restart finds the schedule as it was.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from services.local import daemon
from services.local.accounts import data_folder, make_own, may, server_account
from services.local.programs import find_valkey
from services.local.trouble import LocalTrouble, disk_is_full, full_disk

PATIENCE_S = 30.0


class Valkey:
    """One Valkey under `home`, with its socket in `sockets`, a private folder.

    The caller has one thread and calls `start`, then `alive` now and then, then `stop`.
    """

    kind = "valkey"

    def __init__(self, home: Path, sockets: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._socket = sockets / "valkey.sock"
        self._log = home / "valkey.log"
        home.mkdir(parents=True, exist_ok=True)
        self.data = data_folder(home, self.kind, say)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """How to connect, in the form that redis-py and arq take."""
        return f"unix://{self._socket}?db=0"

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it and waits until it answers. A damaged append-only file is set aside. Raises LocalTrouble."""
        account = server_account(self.data)
        program = find_valkey(account, self._say)
        make_own(self._socket.parent, account)
        if not self.data.exists():
            make_own(self.data, account)
        if not may(account, "w", self.data):
            raise LocalTrouble(
                f"The Valkey data in {self.data} cannot be written by {account.name if account else 'you'}. Start "
                f"webcare from the account that made it ({self.data.owner()}), or name another folder "
                "with WEBCARE_DATA_DIR."
            )
        self._end_stray()
        arguments: list[str | Path] = [program, *self._settings()]
        words = ""
        for _ in range(2):
            before = daemon.size_of(self._log)
            self._process = daemon.launch(arguments, self._log, account, on_parent_death=signal.SIGTERM)
            if self._becomes_ready():
                self._note_pid()
                return
            words = daemon.last_words(self._log, before)
            if disk_is_full(words):
                raise full_disk(self.data)
            if not self._set_damage_aside(words):
                break
        last = next((line for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
        raise LocalTrouble(
            f'Valkey did not start on {self.data}. Its last words: "{last.strip()}". More stands in {self._log}.'
        )

    def alive(self) -> bool:
        """Whether it runs; a dead one is reaped."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends it; what it holds is written, and would not be missed."""
        if self._process is not None:
            daemon.stop_child(self._process, (signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0))

    def _settings(self) -> list[str | Path]:
        # the data folder stands first: by it a stray server of an earlier start is recognised
        return [
            "--dir", self.data, "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700",
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction",
            "--daemonize", "no", "--loglevel", "notice", "--set-proc-title", "no",
        ]  # fmt: skip

    def _becomes_ready(self) -> bool:
        assert self._process is not None
        end = time.monotonic() + PATIENCE_S
        while self._process.poll() is None:
            if self._answers():
                return True
            if time.monotonic() > end:
                self.stop()
                return False
            time.sleep(0.02)
        return False

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")  # while it loads: -LOADING
            except OSError:
                return False

    def _set_damage_aside(self, words: str) -> bool:
        """After a damaged file: start empty rather than not at all, for nothing in there is needed."""
        files = self.data / "appendonlydir"
        if "aof" not in words.lower() and "append only" not in words.lower():
            return False
        if not files.exists():
            return False
        aside = self.data / f"appendonlydir.damaged-{int(time.time())}"
        files.rename(aside)
        self._say(f"Valkey's append-only file was damaged and is set aside as {aside}; nothing is lost by that.")
        return True

    def _note_pid(self) -> None:
        (self._log.parent / "valkey.pid").write_text(f"{self.pid}\n", encoding="utf-8")

    def _end_stray(self) -> None:
        file = self._log.parent / "valkey.pid"
        words = file.read_text(encoding="utf-8").strip() if file.exists() else ""
        if words.isdigit() and not daemon.stop_stray(int(words), f"--dir {self.data}", signal.SIGTERM, 8):
            raise LocalTrouble(
                f"A Valkey from an earlier start (process {words}) still uses {self.data} and does not end. "
                f"End it with `kill {words}`, then start again."
            )
