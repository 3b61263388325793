"""`webcare up --detach`, `webcare down` and `webcare status`: the same run, seen from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from services.local import daemon, health, running
from services.local.console import Console
from services.local.environment import home_of, make_home
from services.local.keeper import KINDS, ServerState, keeper_lock, read_state
from services.local.trouble import LocalTrouble
from shared.kit.settings import Settings

START_PATIENCE_S = 300.0
STOP_PATIENCE_S = 25.0
NOT_RUNNING = 3
"""The exit code of `status` when nothing runs, as service managers know it."""


def start(settings: Settings, arguments: list[str]) -> None:
    """Starts `webcare up` in the background and waits until it is ready. Raises LocalTrouble with what it said."""
    home = home_of(settings)
    make_home(home)
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.local", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + START_PATIENCE_S
    while process.poll() is None and time.monotonic() < end:
        found = running.read(home)
        if found and found.pid == process.pid and found.state == "ready":
            return
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if process.poll() is None:
        raise LocalTrouble(f"webcare is still not ready after {START_PATIENCE_S:.0f} seconds; see {log}.")
    raise LocalTrouble(f"webcare did not start. It said:\n{_last_lines(log)}")


def stop(settings: Settings, console: Console) -> int:
    """Ends a running `webcare up` and waits until everything is gone."""
    home = home_of(settings)
    if not home.is_dir() or not running.up_lock(home).held_by_anyone:
        console.say(f"webcare does not run on {home}; nothing to stop.")
        return 0
    found = running.read(home)
    # a number may be somebody else's by now: the supervisor was killed, and its children are just ending
    if found and any(daemon.is_running(found.pid, sign) for sign in ("webcare", "services.local")):
        with contextlib.suppress(ProcessLookupError):
            try:
                os.kill(found.pid, signal.SIGTERM)
            except PermissionError as error:
                raise LocalTrouble(
                    f"webcare (process {found.pid}) was started from another account; stop it from there."
                ) from error
    end = time.monotonic() + STOP_PATIENCE_S
    while running.up_lock(home).held_by_anyone:
        if time.monotonic() > end:
            raise LocalTrouble(
                f"webcare (process {found.pid if found else 'unknown'}) has not ended after {STOP_PATIENCE_S:.0f} "
                f"seconds; see {home / 'up.log'}."
            )
        time.sleep(0.05)
    console.say("Everything is stopped.")
    return 0


def status(settings: Settings, console: Console) -> int:
    """Says what runs and how it is. 0 when all is well, 1 when something is not, NOT_RUNNING when nothing runs."""
    home = home_of(settings)
    found = running.read(home)
    servers = {
        kind: state
        for kind in KINDS
        if home.is_dir() and keeper_lock(home, kind).held_by_anyone and (state := read_state(home, kind))
    }
    if found is None and not servers:
        console.say(f"webcare does not run on {home}. `make up` or `webcare up` starts it.")
        return NOT_RUNNING
    if found:
        console.say(f"webcare runs on {home} (process {found.pid}, {found.state}, since {found.started_at}).")
    else:
        console.say(f"A command uses the servers of {home}; webcare itself does not run.")
    well = [_say_server(console, kind, state) for kind, state in servers.items()]
    if found:
        known = settings.model_copy(update={"database_url": settings.database_url or _url_of(servers, "postgres")})
        well += [_say_process(console, process, known) for process in found.processes]
        console.say(f"  api {found.api_url}, ingest {found.ingest_url}")
    return 0 if all(well) else 1


def _say_server(console: Console, kind: str, state: ServerState) -> bool:
    again = f", started again {state.restarts} times" if state.restarts else ""
    console.say(f"  {kind:14} {state.state:9} process {state.pid or '-'}{again}")
    if state.trouble:
        console.trouble(f"  {'':14} {state.trouble}")
    return state.state == "ready"


def _say_process(console: Console, process: running.RunningProcess, settings: Settings) -> bool:
    trouble = asyncio.run(health.trouble_of_kept(process, settings))
    again = f", started again {process.restarts} times" if process.restarts else ""
    console.say(f"  {process.name:14} {'not ready' if trouble else 'ready':9} process {process.pid or '-'}{again}")
    if trouble:
        console.trouble(f"  {'':14} {trouble}")
    return trouble is None


def _url_of(servers: dict[str, ServerState], kind: str) -> str:
    return servers[kind].url if kind in servers else ""


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-20:])
