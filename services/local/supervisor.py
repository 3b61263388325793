"""Runs the processes of webcare as children: heard, brought back when they die, and all ended when it is told to stop.

One thread, one loop: it waits for output, for signals and for the next moment at which something is due.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.local import children
from services.local.children import Child
from services.local.console import Console

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
STEADY_S = 5.0
"""A child that lived this long is brought back at once; one that dies sooner waits, twice as long each time."""
GRACE_S = 5.0
"""How long children may take to end before they are killed."""


@dataclass
class Kept:
    """A process that the supervisor keeps running."""

    name: str
    start: Callable[[], Child]
    again: bool = True
    child: Child | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    restarts: int = 0
    done: bool = False

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.child.pid if self.child else None


class Supervisor:
    """Keeps children. `keep` adds one, `run_until` turns the loop, `end` ends them all."""

    def __init__(self, console: Console, changed: Callable[[], None] = lambda: None) -> None:
        self._console = console
        self._changed = changed
        self._selector = selectors.DefaultSelector()
        self._kept: dict[str, Kept] = {}
        self._heard_signal, self._said_signal = os.pipe()
        for end in (self._heard_signal, self._said_signal):
            os.set_blocking(end, False)
        self._selector.register(self._heard_signal, selectors.EVENT_READ)
        self.told_to_end = False

    @property
    def processes(self) -> list[Kept]:
        """What is kept, in the order in which it was added."""
        return list(self._kept.values())

    def is_kept(self, name: str) -> bool:
        """Whether a process of that name was started and is not finished with."""
        return name in self._kept

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block, SIGINT, SIGTERM and SIGHUP ask for the end instead of ending us at once."""
        signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {sign: signal.signal(sign, self._told) for sign in signs}
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the loop
        wakeup = signal.set_wakeup_fd(self._said_signal, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for sign, handler in before.items():
                signal.signal(sign, handler)

    def keep(self, name: str, run: Callable[[], Child], *, again: bool = True) -> None:
        """Starts a process and keeps it running; with `again` false it may end by itself."""
        self._kept[name] = Kept(name, run, again=again)
        self._start(self._kept[name])

    def fork(self, run: Callable[[], int], forget: Sequence[int] = ()) -> Child:
        """Forks a child that does not hold on to what is the supervisor's own, nor to `forget`."""
        return children.fork(run, forget=[*self._open_descriptors(), *forget])

    def once(self, name: str, start: Callable[[], Child]) -> int:
        """Runs a process to its end, heard like the others, and returns its exit code; negative when told to end."""
        self.keep(name, start, again=False)
        return self.finish(name)

    def finish(self, name: str) -> int:
        """Waits for the end of a process that was kept with `again` false, and returns its exit code likewise."""
        kept = self._kept[name]
        self.run_until(lambda: kept.done)
        if not kept.done:
            return -int(signal.SIGTERM)
        del self._kept[name]
        assert kept.child is not None
        return kept.child.exit_code if kept.child.exit_code is not None else 1

    def run_until(self, reached: Callable[[], bool], every: float = 1.0) -> bool:
        """Turns the loop until `reached()`, asked at least every so many seconds. False when told to end first."""
        while not self.told_to_end:
            self._turn(every)
            if reached():
                return True
        return False

    def end(self) -> None:
        """Ends all children: asked first, killed after GRACE_S, with everything they started."""
        running = [kept for kept in self.processes if kept.child and not kept.child.ended()]
        for kept in running:
            if kept.child:
                kept.child.tell(signal.SIGTERM)
        end = time.monotonic() + GRACE_S
        while time.monotonic() < end and any(kept.child and not kept.child.ended() for kept in running):
            self._turn(0.05, bring_back=False)
        for kept in self.processes:
            if kept.child is None:
                continue
            if not kept.child.ended():
                self._console.trouble(f"{kept.name} did not end in {GRACE_S:.0f} seconds and is killed.")
                kept.child.tell(signal.SIGKILL)
                while not kept.child.ended():
                    time.sleep(0.01)
            kept.child.end_group()
            self._drop(kept.child)
        self._selector.close()

    def _turn(self, longest: float, *, bring_back: bool = True) -> None:
        now = time.monotonic()
        dues = [kept.due - now for kept in self._kept.values() if kept.child is None and not kept.done]
        for key, _ in self._selector.select(max(0.0, min([longest, *dues]))):
            if key.fd == self._heard_signal:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._heard_signal, 4096)
            elif isinstance(key.data, Kept):
                self._hear(key.data)
        for kept in list(self._kept.values()):
            if kept.child is not None and not kept.done and kept.child.ended() and bring_back:
                self._ended(kept)
            elif kept.child is None and not kept.done and bring_back and time.monotonic() >= kept.due:
                kept.restarts += 1
                self._start(kept)

    def _start(self, kept: Kept) -> None:
        kept.child = kept.start()
        kept.started = time.monotonic()
        self._selector.register(kept.child.output, selectors.EVENT_READ, kept)
        self._changed()

    def _hear(self, kept: Kept) -> bool:
        """Passes on what a child wrote; False when there is nothing more for now."""
        assert kept.child is not None
        lines = kept.child.lines()
        if lines is None:
            self._forget_output(kept.child)
        for line in lines or ():
            self._console.heard(kept.name, line)
        return bool(lines)

    def _ended(self, kept: Kept) -> None:
        child = kept.child
        assert child is not None
        child.end_group()  # nothing it started outlives it
        while self._hear(kept):
            pass
        self._drop(child)
        if not kept.again:
            kept.done = True
            return
        lived = time.monotonic() - kept.started
        kept.pause = FIRST_PAUSE_S if lived >= STEADY_S else min(max(FIRST_PAUSE_S, kept.pause * 2), LONGEST_PAUSE_S)
        kept.due = time.monotonic() + kept.pause
        kept.child = None
        self._console.trouble(
            f"{kept.name} ended ({_how(child.exit_code)}) and is started again in {kept.pause:.2g} s."
        )
        self._changed()

    def _drop(self, child: Child) -> None:
        self._forget_output(child)
        child.close()

    def _forget_output(self, child: Child) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.output)

    def _open_descriptors(self) -> Iterator[int]:
        yield self._heard_signal
        yield self._said_signal
        if (number := getattr(self._selector, "fileno", None)) is not None:  # epoll and kqueue are descriptors too
            yield number()
        for kept in self._kept.values():
            if kept.child is not None:
                yield kept.child.output

    def _told(self, *_: object) -> None:
        self.told_to_end = True


def _how(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
