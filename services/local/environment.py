"""From the settings as given to settings that work: where no server is named, our own are started and waited for.

Where WEBCARE_DATABASE_URL and WEBCARE_VALKEY_URL are set, nothing is ever started.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from services.local.keeper import ServerState, keeper_lock, read_state, users_lock
from services.local.locks import FileLock
from services.local.trouble import LocalTrouble, disk_is_full, full_disk
from shared.kit.settings import Settings

PATIENCE_S = 200.0
"""How long a server may take to start; longer than the servers' own patience, so that their sentence is heard."""
OTHERS_SHOW_AFTER_S = 0.5
"""A server that is still held in use after this time is used by somebody else."""
_PROJECT = Path(__file__).resolve().parents[2]


class EmbeddedServer:
    """Our use of one embedded server: `begin` sees to it that it runs, `wait` gives its address, `end` stops using it.

    Whoever is last to end stops the server.
    """

    def __init__(self, home: Path, kind: str) -> None:
        self._home = home
        self._kind = kind
        self._users = users_lock(home, kind)
        self._keeper: subprocess.Popen[bytes] | None = None
        self._begun = False

    def begin(self) -> None:
        """Counts us among the users and starts a keeper if there is none."""
        self._begun = True
        self._users.take(shared=True)  # waits where a keeper is just stopping
        self._start_keeper()

    def wait(self, say: Callable[[str], None]) -> str:
        """The address of the running server. Raises LocalTrouble with the keeper's sentence."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            state = read_state(self._home, self._kind)
            ended = self._keeper is not None and self._keeper.poll() is not None
            # a state that a keeper of an earlier day left says nothing
            if state and (self._is_ours(state) or (ended and self.is_kept())):
                if state.state == "ready":
                    for note in state.notes if self._is_ours(state) else []:
                        say(note)
                    return state.url
                if state.state == "trouble":
                    raise LocalTrouble(state.trouble)
            elif ended and not self.is_kept():
                raise LocalTrouble(
                    f"The keeper of {self._kind} ended without a word; see {self._home / f'{self._kind}.keeper.log'}."
                )
            time.sleep(0.02)
        raise LocalTrouble(
            f"{self._kind} did not start in {PATIENCE_S:.0f} seconds; see {self._home}/{self._kind}.log."
        )

    def end(self, patience: float = 9.0) -> None:
        """Stops using the server, and where we were the last, waits until it is gone."""
        if not self._begun:
            return
        self._users.let_go()
        begin = time.monotonic()
        in_use_since = begin
        while self.is_kept() and time.monotonic() - begin < patience:
            state = read_state(self._home, self._kind)
            if state is None or state.state != "ready" or not self._users.held_by_anyone:
                in_use_since = time.monotonic()  # it is about to stop, or is stopping
            elif time.monotonic() - in_use_since > OTHERS_SHOW_AFTER_S:
                return  # others use it
            time.sleep(0.05)
        if self._keeper is not None:
            self._keeper.poll()  # reaps it

    def keep_kept(self) -> None:
        """Starts a new keeper where the old one was killed."""
        if self._keeper is not None:
            self._keeper.poll()
        if not self.is_kept():
            self._start_keeper()

    def is_kept(self) -> bool:
        """Whether a keeper looks after the server at this moment."""
        return keeper_lock(self._home, self._kind).held_by_anyone

    def _is_ours(self, state: ServerState) -> bool:
        return state.keeper == self._keeper.pid if self._keeper is not None else self.is_kept()

    def _start_keeper(self) -> None:
        with FileLock(self._home / f"{self._kind}.starting"):  # so that of two commands only one starts a keeper
            if self.is_kept():
                return
            with (self._home / f"{self._kind}.keeper.log").open("ab") as log:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-m", "services.local.keeper", self._kind, str(self._home)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={
                        **os.environ,
                        "PYTHONPATH": os.pathsep.join(filter(None, [str(_PROJECT), os.environ.get("PYTHONPATH")])),
                    },
                    start_new_session=True,
                )
            # until it has spoken, the next command would take an earlier keeper's last words for its own
            while self._keeper.poll() is None:
                state = read_state(self._home, self._kind)
                if state and state.keeper == self._keeper.pid:
                    return
                time.sleep(0.01)


class Environment:
    """The servers of one installation, as far as they are ours, and the settings that name them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._home = home_of(settings)
        self._servers: dict[str, EmbeddedServer] = {}
        if not settings.database_url:
            self._servers["database_url"] = EmbeddedServer(self._home, "postgres")
        if not settings.valkey_url:
            self._servers["valkey_url"] = EmbeddedServer(self._home, "valkey")

    def begin(self) -> None:
        """Starts what is ours, without waiting for it. Raises LocalTrouble."""
        if self._settings.database_url and not self._settings.secret_key.get_secret_value():
            raise LocalTrouble(
                "WEBCARE_DATABASE_URL is set, so WEBCARE_SECRET_KEY must be set too: it encrypts the credentials in "
                "that database. Make one with `python3 -c 'import secrets; print(secrets.token_urlsafe(48))'`; keep it."
            )
        if self._servers:
            make_home(self._home)
        for server in self._servers.values():
            server.begin()

    def wait(self, say: Callable[[str], None]) -> Settings:
        """The settings with every address and the secret filled in, once our servers answer. Raises LocalTrouble."""
        found: dict[str, object] = {field: server.wait(say) for field, server in self._servers.items()}
        if not self._settings.secret_key.get_secret_value():
            found["secret_key"] = SecretStr(kept_secret(self._home / "secret_key"))
        return self._settings.model_copy(update=found)

    def watch(self) -> None:
        """To be called now and then by who runs long: a keeper that was killed is started again."""
        for server in self._servers.values():
            server.keep_kept()

    def end(self) -> None:
        """Stops using what is ours; the last one to do so stops the servers."""
        for server in self._servers.values():
            server.end()


@contextmanager
def resolved(settings: Settings, say: Callable[[str], None] = lambda _: None) -> Iterator[Settings]:
    """Settings that work, for as long as the block lasts: embedded servers that run are used, others are started.

    `say` is told what a person should know, such as where the data went. Raises LocalTrouble.
    """
    environment = Environment(settings)
    try:
        environment.begin()
        yield environment.wait(say)
    finally:
        environment.end()


def home_of(settings: Settings) -> Path:
    """The data folder as an absolute path."""
    return settings.data_dir.expanduser().absolute()


def secret_of(settings: Settings) -> str:
    """The installation's secret as far as it is there already; nothing before the first start."""
    file = home_of(settings) / "secret_key"
    kept = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    return settings.secret_key.get_secret_value() or kept


def make_home(home: Path) -> None:
    """Makes the data folder. Raises LocalTrouble where that cannot be."""
    try:
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        probe = home / f".probe-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        if disk_is_full(str(error)):
            raise full_disk(home) from error
        raise LocalTrouble(
            f"The data folder {home} cannot be written: {error.strerror}. Start webcare from the account that made it, "
            "or name another folder with WEBCARE_DATA_DIR."
        ) from error


def kept_secret(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    """The secret in `file`, readable by us alone; made on the first call."""
    with FileLock(file.with_suffix(".lock")):
        if not file.exists():
            draft = file.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
            ) as output:
                output.write(f"{make()}\n")
                output.flush()
                os.fsync(output.fileno())
            draft.replace(file)
        return file.read_text(encoding="utf-8").strip()
