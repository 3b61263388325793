"""Queues: what waits in them, and the lock under which work is handed out."""

from uuid import UUID

from sqlalchemy import text

from shared.kit.database import WriteSession


async def lock_routing(session: WriteSession, workspace_id: UUID) -> None:
    """Waits until nobody else hands out work in this workspace: locking conversations alone does not keep an agent's share."""
    await session.execute(_LOCK, {"w": f"webcare routing {workspace_id}"})


async def unresolved(session: WriteSession, workspace_id: UUID, queue_id: UUID) -> int:
    """How many conversations of a queue are not settled."""
    return int(
        await session.scalar(
            text(
                "SELECT count(*) FROM conversation WHERE workspace_id = :w AND queue_id = :q "
                "AND status IN ('open', 'pending', 'snoozed')"
            ),
            {"w": workspace_id, "q": queue_id},
        )
        or 0
    )


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:w, 0))")
