"""Rows found by what people call them."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlmodel import SQLModel, select

from shared.kit.database import WriteSession

Row = TypeVar("Row", bound=SQLModel)


async def find(session: WriteSession, table: type[Row], workspace_id: UUID, column: str, value: Any) -> Row | None:
    """The row of this workspace whose (unique) column has this value."""
    owner = table.workspace_id  # type: ignore[attr-defined]
    found = await session.execute(select(table).where(owner == workspace_id, getattr(table, column) == value))
    return found.scalars().first()


async def find_channel(session: WriteSession, workspace_id: UUID, type_: str, url: str) -> UUID | None:
    """The channel of this type that reads this URL."""
    found: UUID | None = await session.scalar(
        text("SELECT id FROM channel WHERE workspace_id = :w AND type = :t AND settings ->> 'url' = :u LIMIT 1"),
        {"w": workspace_id, "t": type_, "u": url},
    )
    return found
