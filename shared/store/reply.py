"""Replies: read with the lock that makes their next step theirs, and found by what the venue calls them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import or_, text
from sqlmodel import col, select

from shared.kit import ids
from shared.kit.database import WriteSession
from shared.kit.errors import NotFound
from shared.models.conversation import Kind, Message
from shared.models.mention import Mention
from shared.models.reply import Reply, ReplyState


async def lock(session: WriteSession, workspace_id: UUID, reply_id: UUID) -> Reply:
    """The reply, locked until the end of the transaction. Raises NotFound."""
    found = await session.execute(
        select(Reply)
        .where(col(Reply.workspace_id) == workspace_id, col(Reply.id) == reply_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    reply = found.scalar_one_or_none()
    if reply is None:
        raise NotFound(f"There is no reply {reply_id}.")
    return reply


async def lock_told(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, reply_ids: Sequence[UUID], external_ids: Sequence[str]
) -> list[Reply]:
    """The replies of a channel with these ids, ours or the venue's, locked in one order for all until the end of the
    transaction."""
    found = await session.execute(
        select(Reply)
        .where(
            col(Reply.workspace_id) == workspace_id,
            col(Reply.channel_id) == channel_id,
            or_(col(Reply.id).in_(reply_ids), col(Reply.external_id).in_(external_ids)),
        )
        .order_by(col(Reply.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found.scalars())


async def add(session: WriteSession, reply: Reply, at: datetime) -> None:
    """Stores a new reply and its turn in the conversation."""
    session.add(reply)
    await session.flush()
    session.add(
        Message(workspace_id=reply.workspace_id, id=ids.new_id(), conversation_id=reply.conversation_id, kind=Kind.OUTBOUND.value,
                reply_id=reply.id, agent_id=reply.agent_id, at=at)
    )  # fmt: skip
    await session.execute(
        text(
            "UPDATE conversation SET messages = messages + 1, last_message_at = :at WHERE workspace_id = :w AND id = :c"
        ),
        {"w": reply.workspace_id, "c": reply.conversation_id, "at": at},
    )


async def stuck(connection: asyncpg.Connection, older_than_s: float, limit: int = 100) -> list[asyncpg.Record]:
    """Replies whose sender died while sending: (workspace_id, id). `connection` sees all workspaces."""
    return await connection.fetch(
        "SELECT workspace_id, id FROM reply WHERE state = 'sending' AND sending_at < now() - make_interval(secs => $1) "
        "ORDER BY sending_at LIMIT $2",
        older_than_s, limit,
    )  # fmt: skip


async def posted_as(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, external_ids: Sequence[str]
) -> set[str]:
    """Which of these posts of a channel are our own replies come back: the venue's ids that we know as sent."""
    rows = await session.execute(
        text(
            "SELECT external_id FROM reply WHERE workspace_id = :w AND channel_id = :c AND external_id = ANY(CAST(:ids AS text[]))"
        ),
        {"w": workspace_id, "c": channel_id, "ids": list(external_ids)},
    )
    return {row.external_id for row in rows}


async def of_unknown_outcome(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, limit: int = 200
) -> list[tuple[Reply, str | None]]:
    """The replies of a channel of which nobody knows what became, the oldest first, each with the external id of the mention
    that it answers."""
    rows = await session.execute(
        select(Reply, col(Mention.external_id))
        .outerjoin(
            Mention,
            (col(Mention.workspace_id) == col(Reply.workspace_id)) & (col(Mention.id) == col(Reply.in_reply_to)),
        )
        .where(
            col(Reply.workspace_id) == workspace_id,
            col(Reply.channel_id) == channel_id,
            col(Reply.state) == ReplyState.UNKNOWN.value,
        )
        .order_by(col(Reply.id))
        .limit(limit)
    )
    return [(reply, answered) for reply, answered in rows]


async def alone(session: WriteSession, reply: Reply) -> None:
    """Waits until no other answer to the same mention is on its way into `sending`, and keeps others waiting until the end of the
    transaction."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:m, 0))"), {"m": f"answers to {reply.in_reply_to}"}
    )


async def sending_context(session: WriteSession, workspace_id: UUID, reply_id: UUID) -> dict[str, Any]:
    """What carrying a reply out needs beside it: the mention that it answers, whole, with its author and the reply rules worked
    out for it; when the customer last wrote in the conversation (`last_inbound_at`) and whether in private ever; `answered`:
    another answer to that mention stands, in the same visibility; the channel's type."""
    found = await session.execute(
        text("""
            SELECT r.id, r.channel_id, h.type AS channel_type, m.id AS mention_id, m.external_id AS mention_external_id,
                   m.root_external_id, m.visibility AS mention_visibility, m.published_at, m.received_at, m.reply AS rules,
                   m.kind, m.title, m.permalink, m.raw, m.deleted_at, w.external_id AS author_external_id,
                   w.handle AS author_handle, inbound.last_at AS last_inbound_at, inbound.privately AS wrote_privately,
                   EXISTS (SELECT 1 FROM reply o WHERE o.workspace_id = r.workspace_id AND o.in_reply_to = r.in_reply_to
                           AND o.id <> r.id AND o.visibility = r.visibility AND o.state IN ('sending', 'sent', 'unknown')) AS answered
            FROM reply r
            CROSS JOIN LATERAL (
                SELECT max(n.published_at) AS last_at, coalesce(bool_or(n.visibility = 'private'), false) AS privately
                FROM message g JOIN mention n ON n.workspace_id = g.workspace_id AND n.id = g.mention_id
                WHERE g.workspace_id = r.workspace_id AND g.conversation_id = r.conversation_id AND g.kind = 'inbound'
            ) inbound
            JOIN channel h ON h.workspace_id = r.workspace_id AND h.id = r.channel_id
            LEFT JOIN mention m ON m.workspace_id = r.workspace_id AND m.id = r.in_reply_to
            LEFT JOIN author w ON w.workspace_id = m.workspace_id AND w.id = m.author_id
            WHERE r.workspace_id = :w AND r.id = :r
        """),
        {"w": workspace_id, "r": reply_id},
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound(f"There is no reply {reply_id}.")
    return dict(row._mapping)
