"""Workspaces: found by their slug, or all of them; and the zone they live in."""

from uuid import UUID

import asyncpg
import orjson
from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.models.masking import SETTING, Masking
from shared.models.workspace import Workspace


async def find(connection: asyncpg.Connection, slug: str) -> UUID | None:
    """The workspace of that slug. `connection` sees the slugs of all workspaces."""
    found: UUID | None = await connection.fetchval("SELECT id FROM workspace WHERE slug = $1", slug)
    return found


async def timezone(connection: asyncpg.Connection) -> str:
    """The zone by which the days and weeks of the workspace that `connection` shows begin."""
    return str(await connection.fetchval("SELECT timezone FROM workspace"))


async def masking(connection: asyncpg.Connection) -> Masking:
    """From whom personal data is hidden in the workspace that `connection` shows."""
    kept = await connection.fetchval("SELECT settings -> $1 FROM workspace", SETTING)
    return Masking.kept(None if kept is None else orjson.loads(kept))


async def every(connection: asyncpg.Connection) -> list[UUID]:
    """All workspaces, the oldest first. `connection` sees the ids of all."""
    return [row["id"] for row in await connection.fetch("SELECT id FROM workspace ORDER BY id")]


async def lock(session: WriteSession, workspace_id: UUID) -> Workspace:
    """The workspace, locked until the end of the transaction: who decides something for it once, decides alone."""
    found = await session.execute(
        select(Workspace)
        .where(col(Workspace.id) == workspace_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalar_one()
