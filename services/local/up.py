"""Starts everything on this machine and keeps it running until it is told to stop: what `make up` does."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from services.local import children, first_start, health, processes, running
from services.local.children import Child
from services.local.console import Console
from services.local.environment import Environment, home_of, make_home
from services.local.processes import PROCESSES
from services.local.supervisor import Supervisor
from services.local.trouble import LocalTrouble
from shared.kit import clock
from shared.kit.settings import Settings

READY_PATIENCE_S = 90.0
ALREADY = (
    "webcare is already running here (process {pid}): {api} and {ingest}. "
    "`webcare status` says more, `webcare down` stops it."
)


def up(settings: Settings, console: Console, *, demo: bool) -> int:
    """Runs until SIGINT or SIGTERM. Returns the exit code; troubles are told in sentences."""
    began = time.monotonic()
    home = home_of(settings)
    make_home(home)
    lock = running.up_lock(home)
    if not lock.take(patience=0.5):
        console.say(already_running(settings))
        return 0
    try:
        check_ports(settings)
        return _Up(settings, console, began).run(demo=demo)
    finally:
        lock.let_go()


def already_running(settings: Settings) -> str:
    """The sentence for a second start."""
    found = running.read(home_of(settings))
    if found is None:
        return "webcare is just being started or stopped here; try again in a few seconds."
    return ALREADY.format(pid=found.pid, api=found.api_url, ingest=found.ingest_url)


def check_ports(settings: Settings) -> None:
    """Raises LocalTrouble naming the port and its setting where one is taken."""
    if settings.api_port == settings.ingest_port:
        raise LocalTrouble(
            f"WEBCARE_API_PORT and WEBCARE_INGEST_PORT are both {settings.api_port}. Give each a port of its own."
        )
    for process in PROCESSES.values():
        if process.port:
            processes.listening_socket(process, settings).close()


class _Up:
    """One run, from the servers' start to the last child's end."""

    def __init__(self, settings: Settings, console: Console, began: float) -> None:
        self._given = settings
        self._console = console
        self._began = began
        self._home = home_of(settings)
        self._since = clock.now()
        self._state = "starting"
        self._environment = Environment(settings)
        self._supervisor = Supervisor(console, self._tell)
        self._gate = _Gate()

    def run(self, *, demo: bool) -> int:
        """The whole story; whatever happens, everything that was started is ended."""
        with self._supervisor.listening():
            self._tell()
            try:
                self._run(demo=demo)
            except _Ends as ends:
                return ends.code
            finally:
                self._tell("ending")
                self._console.say("Stopping …")
                self._supervisor.end()
                self._environment.end()
                self._console.say("Everything is stopped.")
        return 0

    def _run(self, *, demo: bool) -> None:
        self._console.say("Starting Postgres and Valkey …" if not self._given.database_url else "Starting …")
        self._environment.begin()
        if children.CAN_FORK:
            processes.preload(processes.FOR_ALL)
        settings = self._environment.wait(self._console.say)
        start = self._starter(settings, demo=demo)
        self._supervisor.keep("prepare", start("prepare"), again=False)
        if first_start.has_todays_tables(self._home):
            self._gate.open()
        if children.CAN_FORK:
            # triage has the longest way: it sets out now, and waits at the gate where tables are still to be made
            self._supervisor.keep("triage", start("triage"))
            processes.preload(processes.FOR_MOST)
        if not self._gate.is_open:
            self._must("prepare", self._supervisor.finish("prepare"))
            self._gate.open()
        for name in PROCESSES:
            if not self._supervisor.is_kept(name):
                self._supervisor.keep(name, start(name))
        if self._supervisor.is_kept("prepare"):
            self._must("prepare", self._supervisor.finish("prepare"))
        self._must("ready", self._supervisor.once("ready", start("ready")))
        self._tell("ready")
        self._console.say(banner(settings, first_start.admin_key(settings), time.monotonic() - self._began))
        if demo:
            self._supervisor.keep("demo", start("demo"), again=False)
        self._supervisor.run_until(self._look_after)

    def _must(self, step: str, code: int) -> None:
        """Ends the run where a step failed, or was cut short because we are told to end."""
        if self._supervisor.told_to_end:
            raise _Ends(0)
        if code != 0:
            self._console.trouble(f"{_WENT_WRONG[step]} What went wrong stands above.")
            raise _Ends(max(code, 1))

    def _look_after(self) -> bool:
        self._environment.watch()
        return False

    def _starter(self, settings: Settings, *, demo: bool) -> Callable[[str], Callable[[], Child]]:
        """How each step and each process is started: forked with its work, or as a command in a fresh Python."""
        since = self._since
        work: dict[str, Callable[[], int]] = {
            "prepare": lambda: first_start.migrate(settings) or first_start.prepare(settings, demo=demo),
            "demo": lambda: first_start.play_demo(settings),
            "ready": lambda: wait_until_ready(settings, since),
        }
        commands = {
            "prepare": ["internal", "prepare", "--demo" if demo else "--no-demo"],
            "demo": ["internal", "demo"],
            "ready": ["internal", "ready", "--since", since.isoformat()],
        }

        def start(name: str) -> Callable[[], Child]:
            if not children.CAN_FORK:
                return lambda: children.spawn(commands.get(name, [name]), settings)
            run = work.get(name) or (lambda: self._gate.pass_through(name) or processes.run_process(name, settings))
            return lambda: self._supervisor.fork(run, forget=self._gate.ours)

        return start

    def _tell(self, state: str | None = None) -> None:
        self._state = state or self._state
        kept = {each.name: each for each in self._supervisor.processes}
        running.write(
            self._home,
            running.Running(
                pid=os.getpid(),
                started_at=clock.iso(self._since),
                state=self._state,  # type: ignore[arg-type]  # one of its words
                api_url=self._given.api_url,
                ingest_url=self._given.ingest_url,
                processes=[
                    running.RunningProcess(name, kept[name].pid, kept[name].restarts)
                    for name in PROCESSES
                    if name in kept
                ],
            ),
        )


class _Ends(Exception):
    """The run is over before it was ready; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Gate:
    """Holds back forked processes until the tables are there: the reading end of a pipe that ends when it opens."""

    def __init__(self) -> None:
        self._theirs, ours = os.pipe()
        self.ours = [ours]

    @property
    def is_open(self) -> bool:
        """Whether nobody is held back."""
        return not self.ours

    def open(self) -> None:
        """Lets through who waits, and whoever comes later."""
        while self.ours:
            os.close(self.ours.pop())

    def pass_through(self, name: str) -> int:
        """In a child: imports what it needs meanwhile, and waits. Returns 0."""
        processes.preload([PROCESSES[name].module])
        os.read(self._theirs, 1)
        return 0


_WENT_WRONG = {
    "prepare": "The database could not be brought to this version's tables, or the first workspace not be made.",
    "ready": f"Not every process was ready within {READY_PATIENCE_S:.0f} seconds.",
}


def wait_until_ready(settings: Settings, since: datetime) -> int:
    """Waits until every process is well; 1 and a sentence for each that is not, when patience ends."""
    end = time.monotonic() + READY_PATIENCE_S
    waiting: dict[str, str] = dict.fromkeys(PROCESSES, "")
    while waiting:
        for name in list(waiting):
            trouble = asyncio.run(health.trouble_of(name, settings, since=since))
            if trouble is None:
                del waiting[name]
            else:
                waiting[name] = trouble
        if waiting and time.monotonic() > end:
            for trouble in waiting.values():
                sys.stderr.write(f"{trouble}\n")
            return 1
        time.sleep(0.1 if waiting else 0)
    return 0


def banner(settings: Settings, admin_key: str, seconds: float | None = None) -> str:
    """What a newcomer needs once everything runs: addresses, the key, three commands."""
    api, ingest = settings.api_url, settings.ingest_url
    webcare = ".venv/bin/webcare" if Path(".venv/bin/webcare").exists() else "webcare"
    asked = f'curl -s -H "Authorization: Bearer {admin_key}"'
    return f"""
webcare is ready{f", after {seconds:.1f} seconds" if seconds else ""}.

  REST        {api}/docs
  GraphQL     {api}/graphql
  ingest      {ingest}/v1/mentions
  data        {home_of(settings)}
  admin key   {admin_key}

Three things to try, in another terminal:

  {asked} "{api}/v1/conversations?limit=3"
  {asked} "{api}/v1/issues/daily"
  {webcare} watch "KLM"

Ctrl-C stops everything.
"""
