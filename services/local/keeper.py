"""Keeps one embedded server running for as long as anybody on this machine uses it, and then stops it.

Each command that needs the server holds a shared lock on `<kind>.users`; the keeper, a small process of its own, starts
the server, starts it again when it dies, and ends when nobody holds the lock any more. So commands come and go in any
order, a killed one leaves nothing behind, and the server has one parent that reaps it.

    python -m services.local.keeper postgres /path/to/.webcare
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from services.local.accounts import Account, data_folder, make_own, server_account
from services.local.locks import FileLock
from services.local.postgres import Postgres
from services.local.trouble import LocalTrouble, disk_is_full, full_disk
from services.local.valkey import Valkey

KINDS: dict[str, type[Postgres] | type[Valkey]] = {"postgres": Postgres, "valkey": Valkey}
LOOK_EVERY_S = 0.2
FLAPPING_S = 2.0
"""A server that died within this time of its start is started again only after a pause, which doubles each time."""
LONGEST_SOCKET_PATH = 100
"""Bytes; Linux allows 107, macOS 103, and the file's own name is added by the server."""


@dataclass(frozen=True)
class ServerState:
    """What a keeper tells about its server, in `<kind>.json`."""

    keeper: int
    state: Literal["starting", "ready", "trouble", "stopping", "stopped"]
    url: str = ""
    pid: int | None = None
    sockets: str = ""
    restarts: int = 0
    trouble: str = ""
    notes: list[str] = field(default_factory=list)


def state_file(home: Path, kind: str) -> Path:
    """Where the keeper of `kind` writes its state."""
    return home / f"{kind}.json"


def read_state(home: Path, kind: str) -> ServerState | None:
    """The last thing a keeper of `kind` said; None when there never was one."""
    try:
        return ServerState(**json.loads(state_file(home, kind).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keeper_lock(home: Path, kind: str) -> FileLock:
    """Held by the one keeper of `kind`."""
    return FileLock(home / f"{kind}.keeper")


def users_lock(home: Path, kind: str) -> FileLock:
    """Shared by all who use the server; held alone by a keeper that is stopping it."""
    return FileLock(home / f"{kind}.users")


class Keeper:
    """One server, from the first user's start to the last one's end."""

    def __init__(self, kind: str, home: Path) -> None:
        self._kind = kind
        self._home = home
        self._notes: list[str] = []
        self._users = users_lock(home, kind)
        self._told_to_end = False
        self.state = ServerState(keeper=os.getpid(), state="starting")

    def run(self) -> int:
        """Keeps the server until nobody uses it; 1 when it could not be started at all."""
        lock = keeper_lock(self._home, self._kind)
        if not lock.take(patience=1):
            return 0  # another keeper was quicker
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        before = read_state(self._home, self._kind)
        self._tell()
        try:
            sockets = self._socket_folder(before.sockets if before else "")
            server = KINDS[self._kind](self._home, sockets, self._notes.append)
            server.start()
        except (LocalTrouble, OSError) as error:
            self._tell(state="trouble", trouble=_sentence(error, self._home))
            return 1
        self._tell(state="ready", url=server.url, pid=server.pid, sockets=str(sockets))
        self._watch(server)
        self._tell(state="stopping")
        server.stop()
        self._tell(state="stopped", pid=None)
        shutil.rmtree(sockets, ignore_errors=True)
        return 0

    def _watch(self, server: Postgres | Valkey) -> None:
        """Until nobody uses the server. A server that dies is started again, with growing patience when it fails."""
        wait = 0.0
        next_try = 0.0
        while not self._told_to_end and not self._users.take(patience=0):
            now = time.monotonic()
            if not server.alive() and now >= next_try:
                # one that dies again and again is not started in a tight circle
                wait = min(max(0.25, wait * 2), 10.0) if now - next_try < FLAPPING_S else 0.0
                try:
                    server.start()
                except (LocalTrouble, OSError) as error:
                    wait = max(wait, 1.0)
                    self._tell(state="trouble", trouble=_sentence(error, self._home), pid=None)
                else:
                    self._tell(state="ready", trouble="", pid=server.pid, restarts=self.state.restarts + 1)
                next_try = time.monotonic() + wait
            time.sleep(LOOK_EVERY_S)

    def _socket_folder(self, before: str) -> Path:
        """A short private folder for the socket; an earlier keeper's where it stands, so that addresses stay."""
        account = server_account(data_folder(self._home, self._kind, self._notes.append))
        folder = Path(before) if before else None
        if folder is None or not _is_private(folder, account):
            base = Path(tempfile.gettempdir())
            if len(str(base)) > LONGEST_SOCKET_PATH - 30:
                base = Path("/tmp")  # noqa: S108  # the folder below is made new and private
            folder = Path(tempfile.mkdtemp(prefix="webcare-", dir=base))
            make_own(folder, account)
        return folder

    def _tell(self, **news: object) -> None:
        self.state = replace(self.state, notes=list(self._notes), **news)  # type: ignore[arg-type]  # by field name
        file = state_file(self._home, self._kind)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(asdict(self.state)), encoding="utf-8")
        draft.replace(file)

    def _end(self, *_: object) -> None:
        self._told_to_end = True


def _is_private(folder: Path, account: Account | None) -> bool:
    """Whether the folder is still ours alone: nobody else can have put another in its place."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    owner = account.uid if account else os.geteuid()
    return not folder.is_symlink() and folder.is_dir() and found.st_uid == owner and found.st_mode & 0o777 == 0o700


def _sentence(error: Exception, home: Path) -> str:
    if isinstance(error, LocalTrouble):
        return str(error)
    if disk_is_full(str(error)):
        return str(full_disk(home))
    return f"{error}. Its folder must belong wholly to the account that starts webcare."


if __name__ == "__main__":
    sys.exit(Keeper(sys.argv[1], Path(sys.argv[2])).run())
