"""Wake-ups: arq carries hints through Valkey, and a short sleep carries on without it.

Nothing lies in Valkey that Postgres does not know. A hint only ends a worker's sleep early; Valkey may be emptied, killed
or missing, and then work waits for at most one sweep. arq's own worker ends when it loses Valkey, so it is started again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, cast

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import Worker, func
from redis.exceptions import RedisError

from shared.kit import logging
from shared.kit.database import AWAY, Database
from shared.kit.settings import Settings

SWEEP_S = 1.0
log = logging.get(__name__)


def _queue(kind: str) -> str:
    return f"webcare:wake:{kind}"


class Nudger:
    """Sends hints, and forgets about those that do not arrive."""

    def __init__(self, settings: Settings) -> None:
        self._redis_settings = _redis_settings(settings)
        self._pool: ArqRedis | None = None
        self._waiting: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._pause_until = 0.0

    def attach(self, database: Database) -> None:
        """From now on every commit of `database` that left work behind sends a hint."""
        database.after_commit = self.nudge

    def nudge(self, kinds: Iterable[str]) -> None:
        """Hints that there is something of these kinds. Returns at once; never raises."""
        self._waiting.update(kinds)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def close(self) -> None:
        """Stops sending."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._task
        if self._pool is not None:
            await self._pool.aclose()

    async def _send(self) -> None:
        while self._waiting:
            kinds, self._waiting = self._waiting, set()
            if asyncio.get_running_loop().time() < self._pause_until:
                return
            try:
                async with asyncio.timeout(2):
                    if self._pool is None:
                        self._pool = await create_pool(self._redis_settings, default_queue_name="webcare")
                    for kind in kinds:
                        await self._pool.enqueue_job(
                            "wake", kind, _job_id=f"wake:{kind}", _queue_name=_queue(kind), _expires=5
                        )
            except (RedisError, OSError, TimeoutError) as away:
                # Said once per pause: workers find the work by themselves.
                log.warning("valkey is away, workers sweep instead", error=type(away).__name__)
                self._pause_until = asyncio.get_running_loop().time() + 2.0


class Wakeups:
    """What a worker sleeps on: `wait(kind)` returns when there may be something of that kind."""

    def __init__(self, settings: Settings, kinds: Iterable[str], sweep_s: float = SWEEP_S) -> None:
        self._redis_settings = _redis_settings(settings)
        self._events = {kind: asyncio.Event() for kind in kinds}
        self._sweep_s = sweep_s
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Wakeups":
        self._tasks = [asyncio.create_task(self._listen(kind), name=f"wake-ups for {kind}") for kind in self._events]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self, kind: str) -> None:
        """Ends the sleep of whoever waits for `kind` in this process."""
        self._events[kind].set()

    async def wait(self, kind: str) -> None:
        """Sleeps until a hint comes, or one sweep's time."""
        event = self._events[kind]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), self._sweep_s)
        event.clear()

    async def _listen(self, kind: str) -> None:
        async def wake(_: dict[Any, Any], which: str) -> None:
            self._events[which].set()

        while True:
            worker: Worker | None = None
            try:
                pool = await create_pool(self._redis_settings)
                worker = Worker(
                    functions=[func(cast(Any, wake), name="wake", keep_result=0, max_tries=1, timeout=5)],
                    queue_name=_queue(kind), redis_pool=pool, handle_signals=False, poll_delay=0.1, max_jobs=4,
                    keep_result=0, health_check_interval=3600, burst=False,
                )  # fmt: skip
                await worker.async_run()
            except asyncio.CancelledError:
                if worker is not None:
                    with contextlib.suppress(Exception):
                        await worker.close()
                raise
            except (RedisError, OSError, TimeoutError) as away:
                log.debug("no wake-ups, sweeping", kind=kind, error=type(away).__name__)
            await asyncio.sleep(1)


async def drain(
    kind: str, wakeups: Wakeups, stop: asyncio.Event, once: Callable[[], Awaitable[bool]], *, pause_s: float = 0.5
) -> None:
    """Does `once` until it says that nothing is left, sleeps, and again, until `stop`. Postgres being away is waited out;
    any other error is logged and the loop goes on, for the next piece of work is somebody else's."""
    while not stop.is_set():
        try:
            more = await once()
        except Exception as wrong:
            if postgres_went(wrong):
                log.warning("postgres is away", kind=kind, error=type(wrong).__name__)
            else:
                log.exception("work failed", kind=kind)
            await asyncio.sleep(pause_s)
            continue
        if not more:
            await wakeups.wait(kind)


@contextlib.contextmanager
def apart(what: str, **about: Any) -> Iterator[None]:
    """Has whatever goes wrong inside stop nobody else: it is logged (`what`, `about`) and ends here. Postgres being away is raised."""
    try:
        yield
    except Exception as wrong:
        if postgres_went(wrong):
            raise
        log.exception(what, **about)


def postgres_went(wrong: BaseException) -> bool:
    """Whether this is the loss of Postgres, be it wrapped by SQLAlchemy."""
    lost = bool(getattr(wrong, "connection_invalidated", False))
    return lost or isinstance(wrong, AWAY) or isinstance(getattr(wrong, "orig", None), AWAY)


def _redis_settings(settings: Settings) -> RedisSettings:
    chosen = RedisSettings.from_dsn(settings.valkey_url)
    chosen.conn_timeout, chosen.conn_retries, chosen.conn_retry_delay = 2, 1, 0
    return chosen
