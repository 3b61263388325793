"""Calendars that follow an iCalendar feed: which are to be read, and what came of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, text

from shared.kit import clock
from shared.kit.database import WriteSession


async def due(connection: asyncpg.Connection, limit: int = 50) -> list[tuple[UUID, UUID]]:
    """Calendars whose feed is to be read: (workspace, calendar), the longest due first. `connection` sees all workspaces."""
    rows = await connection.fetch(
        "SELECT workspace_id, id FROM calendar WHERE ical_due_at <= now() ORDER BY ical_due_at LIMIT $1", limit
    )
    return [(row["workspace_id"], row["id"]) for row in rows]


async def begin(session: WriteSession, workspace_id: UUID, calendar_id: UUID, again_at: datetime) -> Row[Any] | None:
    """Puts the next reading off to `again_at` and gives the feed's address and the calendar's version; None where somebody else
    does, or nothing is due any more."""
    found = await session.execute(
        text(
            "UPDATE calendar SET ical_due_at = :again WHERE workspace_id = :w AND id = :id AND ical_due_at <= :now "
            "AND ical_url IS NOT NULL RETURNING ical_url, ical_error"
        ),
        {"w": workspace_id, "id": calendar_id, "again": again_at, "now": clock.now()},
    )
    return found.one_or_none()


async def failed(session: WriteSession, workspace_id: UUID, calendar_id: UUID, url: str, error: str) -> None:
    """Keeps why a feed could not be read; its holidays stay as they were."""
    await session.execute(
        text("UPDATE calendar SET ical_error = :e WHERE workspace_id = :w AND id = :id AND ical_url = :url"),
        {"w": workspace_id, "id": calendar_id, "url": url, "e": error[:500]},
    )
