"""How alembic connects: by asyncpg, as the owner, one lock at a time."""

import asyncio
import re
from typing import Literal

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.models.tables import metadata

_PARTITION = re.compile(r"_(\d{6}|default)$")


def _ours(name: str | None, kind: str, *_: object) -> bool:
    """Leaves partitions out of comparisons: they come and go by the calendar."""
    return not (kind == "table" and name is not None and _PARTITION.search(name))


def _plain_strings(kind: str, item: object, _: object) -> str | Literal[False]:
    """Writes SQLModel's string type as SQLAlchemy's own, so that a migration does not depend on SQLModel."""
    return "sa.String()" if kind == "type" and type(item).__name__ == "AutoString" else False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=lambda name, kind, _: _ours(name, kind),
        transaction_per_migration=True,
        compare_server_default=False,
        render_item=_plain_strings,
    )
    # Two starting processes: the second waits, and then finds nothing to do.
    connection.execute(text("SELECT pg_advisory_lock(hashtext('webcare migrations'))"))
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("SELECT pg_advisory_unlock(hashtext('webcare migrations'))"))
    connection.commit()


async def _connect() -> None:
    url = make_url(context.config.attributes["database_url"]).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, connect_args={"server_settings": {"lock_timeout": "5000"}})
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_connect())
