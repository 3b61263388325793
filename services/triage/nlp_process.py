"""Analysis in a child process with a wall clock: what a text does to it harms nobody else.

The child is killed at the deadline and a new one is started at once. Only the batch on which it died hears of it
(TimedOut, ChildDied); batches that waited behind are given to the next child without a word. Counting attempts and
trying the members of a batch singly is the caller's business.
"""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from services.triage import ONE_THREAD
from services.triage.nlp_child import LENGTH
from services.triage.pipeline import Assessed
from services.triage.stage import Assessment, Briefing
from shared.kit.settings import Settings

_ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHASHSEED",
)
"""The only environment that the child inherits: it reads strangers' texts and needs no address and no secret."""


class NlpUnavailable(Exception):
    """The analysing process does not start, or cannot use this briefing. The mentions are not to blame: try later."""


class ChildDied(Exception):
    """The analysing process died on this batch. Count an attempt; try its members singly."""


class TimedOut(ChildDied):
    """The batch took longer than its deadline, and the analysing process was killed."""


class _SendAgain(Exception):
    """The child died on another batch; this one was not looked at."""


@dataclass(slots=True)
class _Waiting:
    """Something sent to the child whose answer has not come yet."""

    what: str
    deadline_s: float
    answer: "asyncio.Future[dict[str, Any]]"
    alarm: asyncio.TimerHandle | None = None
    overdue: bool = False


@dataclass(slots=True)
class _Child:
    """A running process and what it was told."""

    process: asyncio.subprocess.Process
    waiting: deque[_Waiting] = field(default_factory=deque)
    briefed: "OrderedDict[str, str]" = field(default_factory=OrderedDict)
    mentions: int = 0
    reader: "asyncio.Task[None] | None" = None


class NlpProcess:
    """One analysing child, restarted whenever it dies. One event loop, any number of callers."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        languages: Sequence[str] = ("en", "nl"),
        in_flight: int = 2,
        start_within_s: float = 60.0,
        brief_within_s: float = 60.0,
        recycle_after: int = 200_000,
        briefings_kept: int = 64,
        nice: int = 0,
    ) -> None:
        """`settings` say which spaCy model reads which language; `languages` are loaded at the start. `in_flight`
        batches are sent at most, so that the child never waits for its parent. After `recycle_after` mentions an idle
        child is replaced: spaCy's store of strings only ever grows. Once it is ready the child is `nice` to whoever else
        wants a core."""
        models = settings.spacy_models if settings is not None else {}
        self._asked = json.dumps({"models": dict(models), "languages": list(languages), "nice": nice})
        self._start_within_s, self._brief_within_s = start_within_s, brief_within_s
        self._recycle_after, self._briefings_kept = recycle_after, briefings_kept
        self._room = asyncio.Semaphore(in_flight)
        self._starting = asyncio.Lock()
        self._briefing = asyncio.Lock()
        self._child: _Child | None = None
        self._again: asyncio.Task[object] | None = None
        self._stopped = False
        self.restarts = 0
        self.seconds: Counter[str] = Counter()
        """The time the child spent in each stage, over all batches."""

    async def start(self) -> None:
        """Start the child and wait until its models are loaded. Raises NlpUnavailable."""
        await self._ready()

    async def close(self) -> None:
        """End the child; waiting callers get NlpUnavailable."""
        self._stopped = True
        if self._again is not None:
            self._again.cancel()
        if (child := self._child) is not None:
            self._child = None
            await self._end(child)

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._child.process.pid if self._child else None

    async def prepare(self, briefing: Briefing) -> None:
        """Have the child make ready for a workspace, so that its first mention does not wait for it. Raises
        NlpUnavailable."""
        while True:
            try:
                return await self._brief(await self._ready(), briefing)
            except _SendAgain:
                continue

    async def assess(self, batch: Sequence[Assessment], briefing: Briefing, deadline_s: float) -> list[Assessed]:
        """Analyse a batch in the child, in its order; `deadline_s` runs from when the child is free for it.

        Raises TimedOut or ChildDied when the child died on this very batch, NlpUnavailable when there is no child to
        be had or it cannot work with this briefing.
        """
        if not batch:
            return []
        async with self._room:
            while True:
                child = await self._ready()
                try:
                    await self._brief(child, briefing)
                    content = (briefing.workspace_id, list(batch), deadline_s)
                    answer = await self._send(child, ("batch", content), "a batch", deadline_s)
                except _SendAgain:
                    continue
                child.mentions += len(batch)
                self.seconds.update(answer["seconds"])
                return [
                    Assessed(a.mention_id, disposition, dismissed, tuple(failed), findings)
                    for a, (disposition, dismissed, failed, findings) in zip(batch, answer["assessed"], strict=True)
                ]

    async def _ready(self) -> _Child:
        async with self._starting:
            if self._stopped:
                raise NlpUnavailable("The analysing process was stopped.")
            child = self._child
            if child is not None and child.mentions >= self._recycle_after and not child.waiting:
                self._child = None  # nobody misses it
                await self._end(child)
            if self._child is None:
                self._child = await self._started()
            return self._child

    async def _started(self) -> _Child:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= ONE_THREAD
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), environment.get("PYTHONPATH"))))
        command = (sys.executable, "-m", "services.triage.nlp_child", self._asked)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment)
        child = _Child(process)
        ready = self._expect(child, "its start", self._start_within_s)
        child.reader = asyncio.create_task(self._read(child))
        try:
            await ready.answer
        except ChildDied as error:
            raise NlpUnavailable(f"The analysing process does not start: {error}; its output says why.") from error
        except BaseException:
            process.kill()
            raise
        return child

    async def _brief(self, child: _Child, briefing: Briefing) -> None:
        """Tell the child what it may know of the workspace, where it does not know it already."""
        async with self._briefing:
            if child.briefed.get(briefing.workspace_id) == briefing.version:
                child.briefed.move_to_end(briefing.workspace_id)
                return
            try:
                answer = await self._send(child, ("briefing", briefing), "its briefing", self._brief_within_s)
            except ChildDied as error:
                raise NlpUnavailable(f"The analysing process cannot use the briefing ({error}).") from error
            if answer["failed"]:
                raise NlpUnavailable(f"The workspace cannot be listened for: {'; '.join(answer['failed'])}.")
            child.briefed[briefing.workspace_id] = briefing.version
            if len(child.briefed) > self._briefings_kept:
                forgotten, _ = child.briefed.popitem(last=False)
                self._write(child, ("forget", forgotten))

    async def _send(self, child: _Child, frame: tuple[str, Any], what: str, deadline_s: float) -> dict[str, Any]:
        if child is not self._child:
            raise _SendAgain
        self._write(child, frame)
        return await self._expect(child, what, deadline_s).answer

    def _write(self, child: _Child, frame: tuple[str, Any]) -> None:
        body = pickle.dumps(frame, protocol=5)
        assert child.process.stdin is not None
        child.process.stdin.write(LENGTH.pack(len(body)) + body)  # a dead child's pipe is noticed by the reader

    def _expect(self, child: _Child, what: str, deadline_s: float) -> _Waiting:
        waiting = _Waiting(what, deadline_s, asyncio.get_running_loop().create_future())
        child.waiting.append(waiting)
        if len(child.waiting) == 1:
            self._set_alarm(child)
        return waiting

    def _set_alarm(self, child: _Child) -> None:
        """The clock runs for what the child is at, not for what waits behind it."""
        if child.waiting:
            first = child.waiting[0]
            first.alarm = asyncio.get_running_loop().call_later(first.deadline_s, self._overdue, child, first)

    def _overdue(self, child: _Child, waiting: _Waiting) -> None:
        waiting.overdue = True
        if child.process.returncode is None:
            child.process.kill()

    async def _read(self, child: _Child) -> None:
        assert child.process.stdout is not None
        try:
            while True:
                (length,) = LENGTH.unpack(await child.process.stdout.readexactly(LENGTH.size))
                answer = orjson.loads(await child.process.stdout.readexactly(length))
                waiting = child.waiting.popleft()
                if waiting.alarm is not None:
                    waiting.alarm.cancel()
                self._set_alarm(child)
                if not waiting.answer.done():  # its caller may have gone
                    waiting.answer.set_result(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._gone(child)

    async def _gone(self, child: _Child) -> None:
        code = await child.process.wait()
        served = child is self._child
        if served:
            self._child = None
        for place, waiting in enumerate(child.waiting):
            if waiting.alarm is not None:
                waiting.alarm.cancel()
            if not waiting.answer.done():
                waiting.answer.set_exception(self._blame(waiting, code) if place == 0 else _SendAgain())
                waiting.answer.exception()  # seen: a caller that has gone must not leave a warning behind
        child.waiting.clear()
        if served and not self._stopped:
            self.restarts += 1
            self._again = asyncio.create_task(self._start_again())

    async def _start_again(self) -> None:
        with contextlib.suppress(NlpUnavailable):  # the next caller tries again and hears why
            await self._ready()

    def _blame(self, waiting: _Waiting, code: int) -> Exception:
        if self._stopped:
            return NlpUnavailable("The analysing process was stopped.")
        if waiting.overdue:
            return TimedOut(f"{waiting.what} took longer than {waiting.deadline_s:g} s and was ended")
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return ChildDied(f"the analysing process {how} during {waiting.what}")

    async def _end(self, child: _Child) -> None:
        if child.process.stdin is not None:
            child.process.stdin.close()
        if child.waiting and child.process.returncode is None:
            child.process.kill()
        try:
            await asyncio.wait_for(child.process.wait(), 2)
        except TimeoutError:
            child.process.kill()
            await child.process.wait()
        if child.reader is not None:
            await child.reader
