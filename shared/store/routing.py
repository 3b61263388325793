"""Queues in their order, and the decisions by which conversations went to queues and agents."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from shared.kit import clock, ids
from shared.kit.database import WriteSession


async def queues(session: WriteSession, workspace_id: UUID) -> list[Row[Any]]:
    """The queues by position: id, name, position, filter, team_ids."""
    rows = await session.execute(
        text("SELECT id, name, position, filter, team_ids FROM queue WHERE workspace_id = :w ORDER BY position, id"),
        {"w": workspace_id},
    )
    return list(rows)


_DECISIONS = text("""
    INSERT INTO routing_decision (workspace_id, id, created_at, updated_at, conversation_id, kind, queue_id, agent_id, candidates,
                                  relaxed, seed, reason, decided_at)
    SELECT :w, u.id, :now, :now, u.conversation_id, u.kind, u.queue_id, u.agent_id, u.candidates::jsonb, '{}', u.seed, u.reason, :now
    FROM unnest(CAST(:id AS uuid[]), CAST(:conversation_id AS uuid[]), CAST(:kind AS text[]), CAST(:queue_id AS uuid[]),
                CAST(:agent_id AS uuid[]), CAST(:candidates AS text[]), CAST(:seed AS text[]), CAST(:reason AS text[]))
        AS u(id, conversation_id, kind, queue_id, agent_id, candidates, seed, reason)
""")


async def add_decisions(session: WriteSession, workspace_id: UUID, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Keeps decisions: conversation_id, kind (queue, next, offer, manual), queue_id, agent_id, candidates, seed, reason."""
    if not decisions:
        return
    await session.execute(
        _DECISIONS,
        {
            "w": workspace_id,
            "now": clock.now(),
            "id": [ids.new_id() for _ in decisions],
            "candidates": [orjson.dumps(one.get("candidates", []), default=str).decode() for one in decisions],
            **{
                name: [one.get(name) for one in decisions]
                for name in ("conversation_id", "kind", "queue_id", "agent_id", "reason")
            },
            "seed": [str(one.get("seed", "")) for one in decisions],
        },
    )
