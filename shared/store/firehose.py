"""What a workspace listens for, as a firehose is told of it: its brands' names and handles, its searches, and what is no name."""

from typing import Any

import asyncpg
import orjson


async def version(connection: asyncpg.Connection) -> str:
    """Changes whenever anything changes that a firehose is listened for."""
    return str(
        await connection.fetchval(
            """
            SELECT md5(string_agg(part, ',')) FROM (
                SELECT 'b' || count(*) || coalesce(max(updated_at)::text, '') AS part FROM brand
                UNION ALL SELECT 'q' || count(*) || coalesce(max(updated_at)::text, '') FROM query
                UNION ALL SELECT 'w' || coalesce(max(updated_at)::text, '') FROM workspace) p
            """
        )
    )


async def brands(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Name, aliases, product lines, handles and the words beside which a name means something else."""
    return await connection.fetch("SELECT name, aliases, product_lines, handles, excluded FROM brand ORDER BY id")


async def searches(connection: asyncpg.Connection, channel_type: str) -> list[str]:
    """The saved searches in force at channels of this type."""
    rows = await connection.fetch(
        """
        SELECT text FROM query
        WHERE status = 'active' AND (cardinality(channel_types) = 0 OR $1 = ANY(channel_types)) ORDER BY id
        """,
        channel_type,
    )
    return [row["text"] for row in rows]


async def exclusions(connection: asyncpg.Connection) -> list[str]:
    """Words beside which neither a name nor a search counts, as the workspace is set."""
    settings: dict[str, Any] = orjson.loads(await connection.fetchval("SELECT settings FROM workspace") or b"{}")
    return list(settings.get("exclusions") or ())
