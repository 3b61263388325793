"""Conversations and their turns: found by thread, written in bulk, claimed from a queue by one agent at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, text
from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.kit.errors import NotFound
from shared.models.conversation import Conversation
from shared.store.sending import as_json, recordset

_NEW: Mapping[str, str] = {
    "id": "uuid", "created_at": "timestamptz", "updated_at": "timestamptz", "channel_id": "uuid", "channel_type": "text",
    "author_id": "uuid", "brand_id": "uuid", "brand_ids": "uuid[]", "thread_key": "text", "root_external_id": "text",
    "subject": "text", "lang": "text", "visibility": "text", "country": "text", "status": "text", "priority": "text",
    "priority_rank": "int", "priority_score": "float8", "sentiment": "text", "queue_id": "uuid", "team_id": "uuid",
    "issue_keys": "text[]", "waiting_since": "timestamptz", "queued_at": "timestamptz", "last_message_at": "timestamptz",
    "next_deadline_at": "timestamptz", "messages": "int", "previous_conversation_id": "uuid", "version": "int", "reopened": "int",
}  # fmt: skip
_CHANGING = (
    "updated_at", "status", "priority", "priority_rank", "priority_score", "sentiment", "issue_keys", "waiting_since",
    "last_message_at", "next_deadline_at", "messages", "version", "reopened", "subject", "lang", "queue_id",
)  # fmt: skip


_ADD = text(f"""
    INSERT INTO conversation (workspace_id, tags, {", ".join(_NEW)})
    SELECT :workspace_id, '{{}}', {", ".join(_NEW)} FROM {recordset(_NEW)}
    ON CONFLICT DO NOTHING RETURNING id
""")  # names of our own columns

_CHANGE = text(f"""
    UPDATE conversation c SET {", ".join(f"{name} = u.{name}" for name in _CHANGING)},
        resolved_at = CASE WHEN u.status IN ('open', 'pending') THEN NULL ELSE c.resolved_at END,
        snoozed_until = CASE WHEN u.status = 'open' THEN NULL ELSE c.snoozed_until END,
        queued_at = CASE WHEN u.status = 'open' AND c.status <> 'open' AND c.assignee_id IS NULL THEN u.updated_at ELSE c.queued_at END
    FROM {recordset({name: _NEW[name] for name in ("id", *_CHANGING)})}
    WHERE c.workspace_id = :workspace_id AND c.id = u.id
""")  # names of our own columns

# The open conversation of each thread, else its last one; locked in one order, so that two workers wait and do not lock.
_BY_THREAD = text("""
    SELECT c.* FROM conversation c
    WHERE c.workspace_id = :workspace_id AND c.id IN (
        SELECT DISTINCT ON (thread_key) id FROM conversation
        WHERE workspace_id = :workspace_id AND thread_key = ANY(CAST(:keys AS text[]))
        ORDER BY thread_key, (status IN ('open', 'pending', 'snoozed')) DESC, id DESC)
    ORDER BY c.id FOR UPDATE
""")

_TURN = {"id": "uuid", "conversation_id": "uuid", "mention_id": "uuid", "at": "timestamptz"}
_MESSAGES = text(f"""
    INSERT INTO message (workspace_id, kind, {", ".join(_TURN)})
    SELECT :workspace_id, 'inbound', {", ".join(_TURN)} FROM {recordset(_TURN)} ON CONFLICT DO NOTHING
""")  # names of our own columns


async def by_thread(session: WriteSession, workspace_id: UUID, keys: Sequence[str]) -> dict[str, Row[Any]]:
    """The conversation that stands for each thread, locked: the open one, else the last one there was."""
    rows = await session.execute(_BY_THREAD, {"workspace_id": workspace_id, "keys": list(keys)})
    return {row.thread_key: row for row in rows}


async def add_many(session: WriteSession, workspace_id: UUID, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Opens conversations. Returns the ids that were taken: a thread that somebody else opened meanwhile is not opened twice."""
    if not rows:
        return set()
    return {row.id for row in await session.execute(_ADD, {"workspace_id": workspace_id, "rows": as_json(rows)})}


async def change_many(session: WriteSession, workspace_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes what changed about locked conversations."""
    if rows:
        await session.execute(_CHANGE, {"workspace_id": workspace_id, "rows": as_json(rows)})


async def add_inbound(
    session: WriteSession, workspace_id: UUID, turns: Sequence[tuple[UUID, UUID, UUID, datetime]]
) -> None:
    """Adds customers' turns: (message id, conversation, mention, when)."""
    if turns:
        rows = [dict(zip(_TURN, turn, strict=True)) for turn in turns]
        await session.execute(_MESSAGES, {"workspace_id": workspace_id, "rows": as_json(rows)})


async def lock(session: WriteSession, workspace_id: UUID, conversation_id: UUID) -> Conversation:
    """The conversation, locked until the end of the transaction. Raises NotFound."""
    found = await session.execute(
        select(Conversation)
        .where(col(Conversation.workspace_id) == workspace_id, col(Conversation.id) == conversation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    conversation = found.scalar_one_or_none()
    if conversation is None:
        raise NotFound(f"There is no conversation {conversation_id}.")
    return conversation


async def parents(
    session: WriteSession, workspace_id: UUID, channel_ids: Sequence[UUID], parent_ids: Sequence[str]
) -> dict[tuple[UUID, str], tuple[str, UUID | None]]:
    """For posts that answer another: (channel, parent's external id) → (thread key, author) of the conversation in which the
    parent stands, whether it was ours or the customer's."""
    rows = await session.execute(
        text("""
            WITH asked AS (
                SELECT DISTINCT * FROM unnest(CAST(:channels AS uuid[]), CAST(:parents AS text[])) AS u(channel_id, parent)
            )
            SELECT q.channel_id, q.parent, c.thread_key, c.author_id
            FROM asked q
            JOIN reply r ON r.workspace_id = :workspace_id AND r.channel_id = q.channel_id AND r.external_id = q.parent
            JOIN conversation c ON c.workspace_id = r.workspace_id AND c.id = r.conversation_id
            UNION ALL
            SELECT q.channel_id, q.parent, c.thread_key, c.author_id
            FROM asked q
            JOIN channel h ON h.workspace_id = :workspace_id AND h.id = q.channel_id
            JOIN mention_key k ON k.workspace_id = h.workspace_id AND k.channel_type = h.type AND k.external_id = q.parent
            JOIN assessment a ON a.workspace_id = k.workspace_id AND a.mention_id = k.mention_id
            JOIN conversation c ON c.workspace_id = a.workspace_id AND c.id = a.conversation_id
            WHERE c.channel_id = q.channel_id
        """),
        {"workspace_id": workspace_id, "channels": list(channel_ids), "parents": list(parent_ids)},
    )
    return {(row.channel_id, row.parent): (row.thread_key, row.author_id) for row in rows}


async def rested(connection: asyncpg.Connection, limit: int = 200) -> list[asyncpg.Record]:
    """Snoozed conversations whose time has come: (workspace_id, id). `connection` sees all workspaces."""
    return await connection.fetch(
        "SELECT workspace_id, id FROM conversation WHERE status = 'snoozed' AND snoozed_until <= now() LIMIT $1", limit
    )


async def settled(connection: asyncpg.Connection, for_s: float, limit: int = 500) -> list[asyncpg.Record]:
    """Resolved conversations that nobody took up again for so long: (workspace_id, id)."""
    return await connection.fetch(
        "SELECT workspace_id, id FROM conversation WHERE status = 'resolved' AND resolved_at < now() - make_interval(secs => $1) LIMIT $2",
        for_s, limit,
    )  # fmt: skip


async def close(session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]) -> list[UUID]:
    """Closes those that are still resolved; returns them."""
    rows = await session.execute(
        text(
            "UPDATE conversation SET status = 'closed', version = version + 1, updated_at = now() "
            "WHERE workspace_id = :w AND id = ANY(CAST(:ids AS uuid[])) AND status = 'resolved' RETURNING id"
        ),
        {"w": workspace_id, "ids": list(conversation_ids)},
    )
    return [row.id for row in rows]
