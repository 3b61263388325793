"""Workspaces: found by their slug."""

from uuid import UUID

import asyncpg


async def find(connection: asyncpg.Connection, slug: str) -> UUID | None:
    """The workspace of that slug. `connection` sees the slugs of all workspaces."""
    found: UUID | None = await connection.fetchval("SELECT id FROM workspace WHERE slug = $1", slug)
    return found


async def timezone(connection: asyncpg.Connection) -> str:
    """The zone by which the days and weeks of the workspace that `connection` shows begin."""
    return str(await connection.fetchval("SELECT timezone FROM workspace"))
