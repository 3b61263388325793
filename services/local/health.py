"""Whether a process does its work: an app says so at /readyz, a worker by its heartbeat in Postgres.

Asked often (by compose, every few seconds), so it imports next to nothing.
"""

from __future__ import annotations

import http.client
import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import asyncpg

from shared.kit import clock
from shared.kit.settings import Settings

OLDEST_BEAT = timedelta(seconds=30)
"""A worker that has been silent for longer is taken for dead or stuck."""
_BEAT = "SELECT max(beat_at) FROM heartbeat WHERE process = $1 AND started_at >= $2"


async def trouble_of(process: str, settings: Settings, *, since: datetime | None = None) -> str | None:
    """What is wrong with a process, as a sentence; None when it is well. `since`: older signs of life don't count."""
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
        beat: datetime | None = await connection.fetchval(_BEAT, process, since or clock.now() - timedelta(days=3650))
    except asyncpg.PostgresError as error:
        return f"Postgres does not know of {process}: {error}"
    finally:
        connection.terminate()
    if beat is None:
        return f"{process} has not shown itself yet."
    silent = clock.now() - beat
    if silent > OLDEST_BEAT:
        return f"{process} was last heard of {silent.total_seconds():.0f} seconds ago."
    return None


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
