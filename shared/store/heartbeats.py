"""Signs of life: every worker writes one each few seconds, and `webcare health` asks who is alive."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from shared.kit import clock, logging
from shared.kit.database import Database

BEAT_S = 5.0
DEAD_AFTER_S = 20.0
_FORGOTTEN_AFTER_S = 86_400.0

log = logging.get(__name__)


@dataclass(frozen=True, slots=True)
class Life:
    """A worker that gave a sign of life `age_s` seconds ago, by Postgres' clock."""

    process: str
    instance: str
    started_at: datetime
    age_s: float
    detail: Mapping[str, Any]


def instance() -> str:
    """How this process is told from others of its kind: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def beat(
    database: Database, process: str, *, started_at: datetime | None = None, detail: Mapping[str, Any] | None = None
) -> None:
    """One sign of life of this process, which runs the work called `process`."""
    async with database.lookup() as connection:
        await connection.execute(
            _BEAT, process, instance(), started_at or clock.now(), orjson.dumps(dict(detail or {})).decode()
        )


async def alive(database: Database, process: str | None = None, within_s: float = DEAD_AFTER_S) -> list[Life]:
    """Who gave a sign of life within `within_s` seconds: of one kind of process, or all."""
    async with database.lookup() as connection:
        found = await connection.fetch(_ALIVE, process, within_s)
    return [
        Life(row["process"], row["instance"], row["started_at"], row["age_s"], orjson.loads(row["detail"]))
        for row in found
    ]


async def farewell(database: Database, process: str) -> None:
    """Takes back this process' sign of life: it ends in good order."""
    async with database.lookup() as connection:
        await connection.execute("DELETE FROM heartbeat WHERE process = $1 AND instance = $2", process, instance())


async def pulse(
    database: Database, process: str, stop: asyncio.Event, tell: Callable[[], Mapping[str, Any]] = dict
) -> None:
    """Beats until `stop`, then says farewell; each beat carries what `tell` tells. Postgres being away is waited out: that nobody
    beats is the message."""
    started_at = clock.now()
    while not stop.is_set():
        try:
            async with asyncio.timeout(BEAT_S):
                await beat(database, process, started_at=started_at, detail=tell())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as away:
            log.debug("no heartbeat", error=type(away).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), BEAT_S)
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with asyncio.timeout(1):
            await farewell(database, process)


async def forget_dead(connection: asyncpg.Connection) -> None:
    """Takes away the rows of processes that have been silent for a day."""
    await connection.execute(
        "DELETE FROM heartbeat WHERE beat_at < now() - make_interval(secs => $1)", _FORGOTTEN_AFTER_S
    )


_BEAT = """
    INSERT INTO heartbeat (process, instance, started_at, beat_at, detail) VALUES ($1, $2, $3, now(), $4::jsonb)
    ON CONFLICT (process, instance) DO UPDATE
    SET beat_at = now(), started_at = excluded.started_at, detail = excluded.detail
"""

_ALIVE = """
    SELECT process, instance, started_at, extract(epoch FROM now() - beat_at)::float8 AS age_s, detail::text AS detail
    FROM heartbeat WHERE ($1::text IS NULL OR process = $1) AND beat_at > now() - make_interval(secs => $2)
    ORDER BY process, instance
"""
