"""What checking a draft needs: the mention that it answers, the venue's rules, and what was answered before."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.kit.database import WriteSession


async def answered(
    session: WriteSession, workspace_id: UUID, conversation_id: UUID, mention_id: UUID | None
) -> dict[str, Any] | None:
    """The mention of the conversation that an answer goes to: `mention_id`, or the customer's latest. None where the
    conversation has no such mention."""
    row = (
        await session.execute(
            text("""
                SELECT m.id, m.channel_id, m.visibility, m.published_at, m.author_id, m.deleted_at, m.reply, t.reply_rules
                FROM message g
                JOIN mention m ON m.workspace_id = g.workspace_id AND m.id = g.mention_id
                LEFT JOIN channel_type t ON t.type = m.channel_type
                WHERE g.workspace_id = :w AND g.conversation_id = :c AND g.kind = 'inbound'
                  AND (CAST(:m AS uuid) IS NULL OR g.mention_id = :m)
                ORDER BY g.at DESC, g.id DESC LIMIT 1
            """),
            {"w": workspace_id, "c": conversation_id, "m": mention_id},
        )
    ).one_or_none()
    return None if row is None else dict(row._mapping)


async def stands_already(session: WriteSession, workspace_id: UUID, mention_id: UUID, visibility: str) -> bool:
    """Whether an answer of ours to this mention, in public or in private, stands or is on its way."""
    found = await session.scalar(
        text("""
            SELECT EXISTS (SELECT 1 FROM reply WHERE workspace_id = :w AND in_reply_to = :m AND visibility = :v
                           AND state IN ('queued', 'sending', 'sent', 'unknown'))
        """),
        {"w": workspace_id, "m": mention_id, "v": visibility},
    )
    return bool(found)
