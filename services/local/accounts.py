"""Under whose name the embedded servers run. Postgres refuses root, so for root it runs as an account without rights.

No account is created: every Unix has `nobody`. Data and programs that this account cannot reach go where it can.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.local.trouble import LocalTrouble, disk_is_full, full_disk

SYSTEM_FOLDER = Path("/var/lib/webcare")
"""Where root's servers keep what their account cannot reach elsewhere."""


@dataclass(frozen=True)
class Account:
    """A user of this machine without rights, as which a server runs."""

    uid: int
    gid: int
    name: str

    def popen_arguments(self) -> dict[str, Any]:
        """What `subprocess` needs to run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}


def server_account(data: Path) -> Account | None:
    """As whom to run a server whose data is (or will be) in `data`; None: as ourselves.

    Data that an ordinary account made earlier stays its own when root starts the servers.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, _name_of(owner.st_uid))
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, name)
    raise LocalTrouble(
        "Postgres refuses to run as root, and this machine has no account `nobody` to run it as. "
        "Start webcare from an ordinary account, or set WEBCARE_DATABASE_URL to a Postgres of your own."
    )


def may(account: Account | None, how: str, path: Path) -> bool:
    """Whether the account may read ("r"), write ("w") or enter and execute ("x") this path: the system is asked."""
    if account is None:
        return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[how])
    question = subprocess.run(
        ["/bin/sh", "-c", f'test -{how} "$1"', "sh", str(path)],
        cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        **account.popen_arguments(),
    )  # fmt: skip
    return question.returncode == 0


def data_folder(home: Path, kind: str, say: Callable[[str], None]) -> Path:
    """Where the data of the server `kind` lives: under `home`, or where its account can reach it.

    The choice is kept in `<kind>.place`, so that rights that change later never lead to a second, empty place.
    """
    place = home / f"{kind}.place"
    if place.exists():
        return Path(place.read_text(encoding="utf-8").strip())
    usual = home / kind
    account = server_account(usual)
    if usual.exists() or account is None or may(account, "x", home):
        return usual
    chosen = SYSTEM_FOLDER / hashlib.sha256(str(home).encode()).hexdigest()[:8] / kind
    _public_folder(chosen.parent)
    place.write_text(f"{chosen}\n", encoding="utf-8")
    say(f"{home} cannot be entered by the account {account.name}, so the data of {kind} is kept in {chosen}.")
    return chosen


def make_own(folder: Path, account: Account | None) -> None:
    """Makes `folder`, private to the account that uses it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def reachable_copy(
    name: str, sources: Mapping[str, Path], say: Callable[[str], None], *, without: tuple[str, ...] = ()
) -> Path:
    """Copies programs to where every account may run them and returns the folder; made once, so `name` has the version.

    `sources` says what comes where inside the folder: programs look for their libraries relative to themselves.
    """
    folder = SYSTEM_FOLDER / "programs" / name
    if folder.exists():
        return folder
    _public_folder(folder.parent)
    making = folder.with_name(f"{name}.making-{os.getpid()}")
    try:
        for inside, source in sources.items():
            shutil.copytree(source, making / inside, symlinks=True, ignore=shutil.ignore_patterns(*without))
        for path in [making, *making.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        making.rename(folder)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(making, ignore_errors=True)
        if folder.exists():  # somebody else was first
            return folder
        if disk_is_full(str(error)):
            raise full_disk(folder) from error
        raise LocalTrouble(f"The server programs could not be copied to {folder}: {error}.") from error
    say(f"The server programs were copied to {folder}, where an account without rights can run them.")
    return folder


def _public_folder(folder: Path) -> None:
    """Makes a folder of root's that everybody may enter, whatever the umask is."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir()
            each.chmod(0o755)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"
