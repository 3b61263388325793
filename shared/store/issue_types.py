"""Issue types: which keys there are."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.models.brand import IssueType


async def unknown_keys(session: WriteSession, workspace_id: UUID, keys: Sequence[str]) -> list[str]:
    """Which of these keys no issue type of the workspace has."""
    if not keys:
        return []
    rows = await session.execute(
        select(col(IssueType.key)).where(
            col(IssueType.workspace_id) == workspace_id, col(IssueType.key).in_(list(keys))
        )
    )
    known = set(rows.scalars())
    return [key for key in keys if key not in known]


async def children(session: WriteSession, workspace_id: UUID, key: str) -> list[str]:
    """The keys of the issue types whose parent has this key."""
    rows = await session.execute(
        select(col(IssueType.key)).where(col(IssueType.workspace_id) == workspace_id, col(IssueType.parent_key) == key)
    )
    return list(rows.scalars())
