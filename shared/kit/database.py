"""Postgres: sessions for writing, a pool for reading, and look-ups across workspaces that see ids only.

Every statement runs as one of two roles that own nothing: `webcare_app` sees the rows of the workspace that was set,
`webcare_worker` sees ids and due times of all workspaces. The policies stand in migrations/.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NewType, cast
from uuid import UUID

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from shared.kit.errors import Unavailable
from shared.kit.settings import Settings

APP_ROLE = "webcare_app"
WORKER_ROLE = "webcare_worker"

WriteSession = NewType("WriteSession", AsyncSession)

# asyncpg raises these while Postgres is away or starting; whoever catches them tries again later.
AWAY: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
AWAY_OR_SLOW: tuple[type[BaseException], ...] = (*AWAY, TimeoutError)


class ReadConnection(asyncpg.Connection):
    """A connection that remembers whose rows it shows, so that the setting costs a round trip only when it changes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.workspace_id: UUID | None = None

    async def show(self, workspace_id: UUID) -> None:
        """Makes the rows of this workspace, and only these, visible."""
        if self.workspace_id != workspace_id:
            self.workspace_id = None
            await self.execute("SELECT set_config('app.workspace_id', $1, false)", str(workspace_id))
            self.workspace_id = workspace_id


async def _keep(_: Any) -> None:
    """In place of asyncpg's reset, which would forget the workspace: reads leave nothing else behind."""


def _server_settings(role: str, service: str, statement_timeout_ms: int, hooks_url: str = "") -> dict[str, str]:
    """What holds for a connection. `app.hooks_url` is for what is shown of a channel: where its network may call us."""
    return {
        "app.hooks_url": hooks_url,
        "role": role,
        "application_name": f"webcare {service}",
        "timezone": "UTC",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "30000",
        "jit": "off",
    }


class Database:
    """What a process holds of Postgres. Open it inside the event loop that uses it; close it at the end."""

    def __init__(self, engine: AsyncEngine, reads: asyncpg.Pool, lookups: asyncpg.Pool) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._reads = reads
        self._lookups = lookups
        self.after_commit: Callable[[frozenset[str]], None] | None = None

    @classmethod
    async def open(
        cls, settings: Settings, service: str, *, statement_timeout_s: float = 60, patience_s: float = 30
    ) -> "Database":
        """Connects; waits `patience_s` seconds for a Postgres that is just coming back, then raises what it says."""
        url = make_url(settings.database_url)
        timeout = int(statement_timeout_s * 1000)
        engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_pre_ping=False,
            pool_timeout=10,
            connect_args={
                "server_settings": _server_settings(APP_ROLE, service, timeout, settings.hooks_url),
                "timeout": 5,
            },
        )
        plain = plain_url(url)
        reads = await _patiently(
            lambda: asyncpg.create_pool(
                plain, min_size=1, max_size=settings.database_read_pool_size, reset=_keep, connection_class=ReadConnection,
                server_settings=_server_settings(APP_ROLE, service, timeout, settings.hooks_url), timeout=5,
                max_inactive_connection_lifetime=300,
            ),
            patience_s,
        )  # fmt: skip
        lookups = await asyncpg.create_pool(
            plain, min_size=0, max_size=6, reset=_keep,
            server_settings=_server_settings(WORKER_ROLE, service, timeout), timeout=5,
        )  # fmt: skip
        return cls(engine, reads, lookups)

    async def close(self) -> None:
        """Gives all connections back to Postgres."""
        await self.engine.dispose()
        for pool in (self._reads, self._lookups):
            pool.terminate()

    @asynccontextmanager
    async def write(self, workspace_id: UUID) -> AsyncIterator[WriteSession]:
        """One transaction in one workspace: committed at the end, undone by an exception."""
        async with self._sessions() as session:
            async with session.begin():
                await session.execute(_SET_WORKSPACE, {"workspace_id": str(workspace_id)})
                yield WriteSession(session)
            if self.after_commit is not None and (kinds := session.info.get(_WAKE)):
                self.after_commit(frozenset(kinds))

    @asynccontextmanager
    async def read(self, workspace_id: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A connection that shows one workspace, for single statements outside a transaction."""
        async with self._reads.acquire(timeout=10) as pooled:
            connection = cast(ReadConnection, pooled)  # the pool's proxy passes everything on
            await connection.show(workspace_id)
            yield connection

    @asynccontextmanager
    async def lookup(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection that sees ids and due times of all workspaces; each statement commits by itself."""
        async with self._lookups.acquire(timeout=10) as pooled:
            yield cast("asyncpg.Connection", pooled)

    async def ping(self) -> None:
        """Raises Unavailable where Postgres does not answer within a second."""
        try:
            async with self._lookups.acquire(timeout=1) as connection:
                await connection.fetchval("SELECT 1", timeout=1)
        except AWAY_OR_SLOW as away:
            raise Unavailable("Postgres does not answer.", retry_after=5) from away


async def _patiently(connect: Callable[[], Awaitable[asyncpg.Pool]], patience_s: float) -> asyncpg.Pool:
    """Connects again and again while Postgres is away, up to `patience_s` seconds."""
    end = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await connect()
        except AWAY_OR_SLOW:
            if asyncio.get_running_loop().time() >= end:
                raise
            await asyncio.sleep(0.3)


def wake_after_commit(session: WriteSession, kind: str) -> None:
    """Remembers that after this session's commit somebody who waits for `kind` is to be woken."""
    session.info.setdefault(_WAKE, set()).add(kind)


async def driver(session: WriteSession) -> asyncpg.Connection:
    """The driver's own connection, inside the session's transaction, for many rows at once. Its errors are asyncpg's."""
    connection = await session.connection()
    return cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)


async def page(session: WriteSession, name: str, ddl: str) -> asyncpg.Connection:
    """The driver's connection with the temporary table `name`, empty; `ddl` makes it where this connection has none yet, and
    empties it at each commit."""
    connection = await driver(session)
    kept = (await session.connection()).info  # lives as long as the connection
    if name in session.info:
        await connection.execute(f"DELETE FROM {name}")  # noqa: S608  # our own name
    elif name not in kept:
        await connection.execute(ddl)
        event.listen(session.sync_session, "after_commit", lambda _: kept.setdefault(name, True), once=True)
    session.info[name] = True
    return connection


_WAKE = "wake"
_SET_WORKSPACE = text("SELECT set_config('app.workspace_id', :workspace_id, true)")


def plain_url(url: URL | str) -> str:
    """The URL as asyncpg takes it: without a driver's name."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
