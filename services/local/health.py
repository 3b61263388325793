"""Whether a process of this machine does its work: an app says so at /readyz, a worker by its heartbeat in Postgres.

Other machines may share the database, and their workers' heartbeats say nothing of ours. Asked often (by compose, every
few seconds), so it imports next to nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import asyncpg

from services.local.running import RunningProcess
from shared.kit import clock
from shared.kit.settings import Settings

OLDEST_BEAT = timedelta(seconds=30)
"""A worker that has been silent for longer is taken for dead or stuck."""
# An instance is `host:process id` (shared.store.heartbeats). Its silence is measured by the clock that stamped the beat.
_SILENCE = """
    SELECT extract(epoch FROM now() - max(beat_at))::float8 FROM heartbeat
    WHERE process = $1 AND started_at >= $2
      AND CASE WHEN $4::int IS NULL THEN starts_with(instance, $3 || ':') ELSE instance = $3 || ':' || $4::int END
"""


async def trouble_of(
    process: str, settings: Settings, *, since: datetime | None = None, pid: int | None = None
) -> str | None:
    """What is wrong with a process of this machine, as a sentence; None when it is well. `since`: what started earlier
    doesn't count. `pid`: of a worker, that very one, where it is known which is meant."""
    addresses = {"api": settings.api_url, "ingest": settings.ingest_url}
    if process in addresses:
        return trouble_of_app(process, addresses[process])
    try:
        connection = await asyncpg.connect(
            settings.database_url.replace("postgresql+asyncpg://", "postgresql://", 1),
            timeout=3,
            server_settings={"application_name": "webcare health", "statement_timeout": "3000"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return f"Postgres does not answer: {error}"
    try:
        silent: float | None = await connection.fetchval(
            _SILENCE, process, since or clock.now() - timedelta(days=3650), socket.gethostname(), pid
        )
    except asyncpg.PostgresError as error:
        return f"Postgres does not know of {process}: {error}"
    finally:
        connection.terminate()
    if silent is None:
        return f"{process} has not shown itself yet."
    if silent > OLDEST_BEAT.total_seconds():
        return f"{process} was last heard of {silent:.0f} seconds ago."
    return None


async def trouble_of_kept(process: RunningProcess, settings: Settings) -> str | None:
    """The same for a process that the supervisor of this data folder keeps: that very one, not its like."""
    if process.pid is None:
        return f"{process.name} ended and is about to be started again."
    return await trouble_of(process.name, settings, pid=process.pid)


def trouble_of_app(process: str, address: str) -> str | None:
    """The same for an app, by its own word at /readyz."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(10_000)
    except (OSError, http.client.HTTPException) as error:
        return f"{process} does not answer at {address}: {error}"
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return None
    try:
        words = json.loads(body)
    except ValueError:
        words = body.decode("utf-8", "replace")
    return f"{process} is not ready: {json.dumps(words, ensure_ascii=False)}"
