"""Offers: work that stands before an agent for a while; and work whose agent has gone silent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, text
from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.kit.errors import NotFound
from shared.models.offer import Offer, OfferState
from shared.store.sending import as_json, recordset

_OFFER: Mapping[str, str] = {
    "id": "uuid", "conversation_id": "uuid", "queue_id": "uuid", "agent_id": "uuid", "offered_at": "timestamptz",
    "expires_at": "timestamptz",
}  # fmt: skip
_ADD = text(f"""
    INSERT INTO offer (workspace_id, created_at, updated_at, state, {", ".join(_OFFER)})
    SELECT :w, u.offered_at, u.offered_at, 'open', {", ".join(f"u.{name}" for name in _OFFER)} FROM {recordset(_OFFER)}
""")  # names of our own columns

_LOCK_CONVERSATION = text("""
    SELECT FROM conversation c
    WHERE c.workspace_id = :w AND c.id = (SELECT o.conversation_id FROM offer o WHERE o.workspace_id = :w AND o.id = :id) FOR UPDATE
""")


async def add(session: WriteSession, workspace_id: UUID, offers: Sequence[Mapping[str, Any]]) -> None:
    """Makes offers: id (of the decision), conversation_id, queue_id, agent_id, offered_at, expires_at."""
    if offers:
        await session.execute(_ADD, {"w": workspace_id, "rows": as_json(offers)})


async def lock(session: WriteSession, workspace_id: UUID, offer_id: UUID) -> Offer:
    """An offer, locked until the end of the transaction, and its conversation before it: whoever assigns or resolves that by hand locks
    it first and withdraws the offer then. Raises NotFound."""
    await session.execute(_LOCK_CONVERSATION, {"w": workspace_id, "id": offer_id})
    found = await session.execute(
        select(Offer)
        .where(col(Offer.workspace_id) == workspace_id, col(Offer.id) == offer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    offer = found.scalar_one_or_none()
    if offer is None:
        raise NotFound(f"There is no offer {offer_id}.")
    return offer


async def open_of(session: WriteSession, workspace_id: UUID, conversation_id: UUID) -> Offer | None:
    """The offer of a conversation that stands, locked."""
    found = await session.execute(
        select(Offer)
        .where(
            col(Offer.workspace_id) == workspace_id, col(Offer.conversation_id) == conversation_id,
            col(Offer.state) == OfferState.OPEN,
        )
        .with_for_update()
    )  # fmt: skip
    return found.scalar_one_or_none()


async def past(session: WriteSession, workspace_id: UUID, at: datetime, limit: int = 500) -> list[Offer]:
    """Offers that nobody answered in time, locked."""
    found = await session.execute(
        select(Offer)
        .where(col(Offer.workspace_id) == workspace_id, col(Offer.state) == OfferState.OPEN, col(Offer.expires_at) <= at)
        .order_by(col(Offer.expires_at), col(Offer.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    return list(found.scalars())


async def refusals(
    session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]
) -> dict[UUID, tuple[int, bool]]:
    """For conversations, how many of their offers were refused or ran out since they came to their queue, and whether the alarm was
    told meanwhile."""
    rows = await session.execute(
        text("""
            SELECT c.id,
                   (SELECT count(*) FROM offer o WHERE o.workspace_id = c.workspace_id AND o.conversation_id = c.id
                      AND o.state IN ('declined', 'expired') AND o.offered_at >= coalesce(c.queued_at, c.created_at)) AS refused,
                   EXISTS (SELECT FROM routing_decision d WHERE d.workspace_id = c.workspace_id AND d.conversation_id = c.id
                      AND d.kind = 'alarm' AND d.decided_at >= coalesce(c.queued_at, c.created_at)) AS alarmed
            FROM conversation c WHERE c.workspace_id = :w AND c.id = ANY(CAST(:ids AS uuid[]))
        """),
        {"w": workspace_id, "ids": list(conversation_ids)},
    )
    return {row.id: (row.refused, row.alarmed) for row in rows}


async def queues_to_serve(connection: asyncpg.Connection) -> list[tuple[UUID, UUID]]:
    """Queues that push and in which something waits for an agent: (workspace, queue). `connection` sees all workspaces."""
    rows = await connection.fetch("""
        SELECT q.workspace_id, q.id FROM queue q
        WHERE q.mode = 'push' AND EXISTS (
            SELECT FROM conversation c WHERE c.workspace_id = q.workspace_id AND c.queue_id = q.id AND c.status = 'open'
              AND c.assignee_id IS NULL)
    """)
    return [(row["workspace_id"], row["id"]) for row in rows]


async def workspaces_with_past(connection: asyncpg.Connection) -> list[UUID]:
    """Workspaces with offers that ran out. `connection` sees all workspaces."""
    rows = await connection.fetch(
        "SELECT DISTINCT workspace_id FROM offer WHERE state = 'open' AND expires_at <= now()"
    )
    return [row["workspace_id"] for row in rows]


async def workspaces_that_take_back(connection: asyncpg.Connection) -> list[UUID]:
    """Workspaces with a queue that takes work back. `connection` sees all workspaces."""
    rows = await connection.fetch(
        "SELECT DISTINCT workspace_id FROM queue WHERE take_back_offline_s IS NOT NULL OR take_back_silent_s IS NOT NULL"
    )
    return [row["workspace_id"] for row in rows]


async def perhaps_left(session: WriteSession, workspace_id: UUID, at: datetime, limit: int = 500) -> list[Row[Any]]:
    """Conversations in hand whose agent has been away for as long as their queue allows, or may have been silent for that long: by the
    clock on the wall, which is never less than what business hours count. Each with `silent_since` (the customer waits since
    then, and the agent did nothing) and what its queue says."""
    rows = await session.execute(
        text("""
            SELECT c.id, c.assignee_id, q.take_back_silent_s, q.take_back_offline_s, q.calendar_id, g.presence, g.presence_since,
                   s.silent_since
            FROM conversation c
            JOIN queue q ON q.workspace_id = c.workspace_id AND q.id = c.queue_id
            JOIN agent g ON g.workspace_id = c.workspace_id AND g.id = c.assignee_id
            CROSS JOIN LATERAL (
                SELECT greatest(
                    c.assigned_at, c.waiting_since,
                    (SELECT max(m.at) FROM message m LEFT JOIN reply r ON r.workspace_id = m.workspace_id AND r.id = m.reply_id
                     WHERE m.workspace_id = c.workspace_id AND m.conversation_id = c.id AND m.kind IN ('note', 'outbound')
                       AND coalesce(m.agent_id, r.agent_id) = c.assignee_id)
                ) AS silent_since
            ) s
            WHERE c.workspace_id = :w AND c.status = 'open' AND c.assignee_id IS NOT NULL AND (
                (g.presence = 'offline' AND g.presence_since <= CAST(:at AS timestamptz) - make_interval(secs => q.take_back_offline_s))
                OR (c.waiting_since IS NOT NULL
                    AND s.silent_since <= CAST(:at AS timestamptz) - make_interval(secs => q.take_back_silent_s)))
            ORDER BY c.id LIMIT :n
        """),
        {"w": workspace_id, "at": at, "n": limit},
    )
    return list(rows)
