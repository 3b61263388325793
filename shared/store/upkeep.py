"""What the database itself needs from time to time: partitions for the months to come, deltas added up."""

from uuid import UUID

import asyncpg


async def ensure_partitions(connection: asyncpg.Connection, months: int = 2) -> int:
    """Makes the partitions of this month and the `months` after it where they are missing. Returns how many it made."""
    return int(await connection.fetchval("SELECT ensure_partitions($1)", months))


async def workspaces_with_deltas(connection: asyncpg.Connection) -> list[UUID]:
    """The workspaces whose ledger has deltas that are not added up. `connection` sees all workspaces."""
    return [row["workspace_id"] for row in await connection.fetch("SELECT DISTINCT workspace_id FROM ledger_delta")]
