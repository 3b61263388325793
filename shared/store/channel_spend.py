"""What channels cost, by calendar month (UTC), in millionths of a US dollar."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from shared.kit.database import WriteSession


def month_of(at: datetime) -> date:
    """The first day of the month of a moment (UTC)."""
    return at.date().replace(day=1)


async def add(session: WriteSession, workspace_id: UUID, channel_id: UUID, cost: int, at: datetime) -> None:
    """Adds to what a channel cost in the month of `at`."""
    if cost > 0:
        await session.execute(
            text(
                "INSERT INTO channel_spend AS s (workspace_id, channel_id, month, cost) VALUES (:w, :c, :month, :cost) "
                "ON CONFLICT (workspace_id, channel_id, month) DO UPDATE SET cost = s.cost + excluded.cost"
            ),
            {"w": workspace_id, "c": channel_id, "month": month_of(at), "cost": cost},
        )


async def in_month(session: WriteSession, workspace_id: UUID, channel_id: UUID, at: datetime) -> int:
    """What a channel cost so far in the month of `at`."""
    found = await session.scalar(
        text("SELECT cost FROM channel_spend WHERE workspace_id = :w AND channel_id = :c AND month = :month"),
        {"w": workspace_id, "c": channel_id, "month": month_of(at)},
    )
    return int(found or 0)
