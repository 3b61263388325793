"""Three questions that every app answers: is the process there, is it ready, and what are its figures.

`/healthz` touches nothing. `/readyz` asks Postgres, and whether the schema is the one this code needs; a missing Valkey is
told as degraded and does not make an app unready, because nothing is kept there. `/metrics` is for Prometheus.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.kit.database import AWAY, Database
from shared.kit.errors import Unavailable
from shared.kit.settings import Settings

VALKEY_KEPT_S = 2.0
Collector = Callable[[Database], Awaitable[None]]

_AWAY: tuple[type[BaseException], ...] = (Unavailable, TimeoutError, *AWAY)

READY = Gauge("webcare_ready", "1 where Postgres answers and the schema is right.", ("service",))


class Health:
    """How an app is. `database` yields the open database, or None before the start has finished; `head` is the schema's
    revision that this code needs; `collectors` set gauges just before the figures are read."""

    def __init__(
        self,
        service: str,
        settings: Settings,
        database: Callable[[], Database | None],
        head: str,
        collectors: Sequence[Collector] = (),
    ) -> None:
        self.service = service
        self._settings = settings
        self._database = database
        self._head = head
        self._collectors = tuple(collectors)
        self._valkey: tuple[bool, float] = (False, 0.0)

    def routes(self) -> list[Route]:
        """The three routes, for an app to add."""
        return [
            Route("/healthz", self._healthz, include_in_schema=False),
            Route("/readyz", self._readyz, include_in_schema=False),
            Route("/metrics", self._metrics, include_in_schema=False),
        ]

    async def check(self) -> tuple[bool, dict[str, Any]]:
        """(ready, what is to be told of it)."""
        checks: dict[str, str] = {"postgres": "away", "schema": "unknown", "valkey": "away"}
        database = self._database()
        if database is not None:
            try:
                await database.ping()
                checks["postgres"] = "ok"
                found = await self._revision(database)
                checks["schema"] = "ok" if found == self._head else f"at {found}, needs {self._head}"
            except _AWAY:
                checks["postgres"] = "away"
        if await self._valkey_answers():
            checks["valkey"] = "ok"
        ready = checks["postgres"] == checks["schema"] == "ok"
        status = "unready" if not ready else "ok" if checks["valkey"] == "ok" else "degraded"
        READY.labels(self.service).set(1 if ready else 0)
        return ready, {"status": status, "service": self.service, "checks": checks}

    async def figures(self) -> bytes:
        """The figures in Prometheus' text format. A collector that cannot reach Postgres leaves its gauges as they were."""
        database = self._database()
        for collect in self._collectors if database is not None else ():
            try:
                async with asyncio.timeout(2):
                    await collect(database)  # type: ignore[arg-type]  # looked at above
            except _AWAY:
                continue
        return bytes(generate_latest())

    async def _healthz(self, _: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def _readyz(self, _: Request) -> Response:
        ready, told = await self.check()
        headers = {} if ready else {"retry-after": "5"}
        return Response(orjson.dumps(told), 200 if ready else 503, headers, media_type="application/json")

    async def _metrics(self, _: Request) -> Response:
        return Response(await self.figures(), headers={"content-type": CONTENT_TYPE_LATEST})

    @staticmethod
    async def _revision(database: Database) -> str | None:
        async with database.lookup() as connection:
            found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version", timeout=1)
        return found

    async def _valkey_answers(self) -> bool:
        known, until = self._valkey
        if until > time.monotonic():
            return known
        client = Redis.from_url(self._settings.valkey_url, socket_connect_timeout=0.5, socket_timeout=0.5)
        try:
            async with asyncio.timeout(1):
                known = bool(await client.ping())
        except (RedisError, OSError, TimeoutError):
            known = False
        finally:
            await client.aclose()
        self._valkey = (known, time.monotonic() + VALKEY_KEPT_S)
        return known
