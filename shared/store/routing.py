"""Queues in their order, and the decisions by which conversations went to queues and agents."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from shared.kit import clock
from shared.kit.database import WriteSession
from shared.store.sending import as_json, recordset


async def queues(session: WriteSession, workspace_id: UUID) -> list[Row[Any]]:
    """The queues by position: id, name, position, filter, team_ids."""
    rows = await session.execute(
        text("SELECT id, name, position, filter, team_ids FROM queue WHERE workspace_id = :w ORDER BY position, id"),
        {"w": workspace_id},
    )
    return list(rows)


_DECISION = {
    "conversation_id": "uuid", "kind": "text", "queue_id": "uuid", "agent_id": "uuid", "candidates": "jsonb", "seed": "text",
    "reason": "text",
}  # fmt: skip
_DECISIONS = text(f"""
    INSERT INTO routing_decision (workspace_id, id, created_at, updated_at, conversation_id, kind, queue_id, agent_id, candidates,
                                  relaxed, seed, reason, decided_at)
    SELECT :w, uuidv7(), :now, :now, u.conversation_id, u.kind, u.queue_id, u.agent_id, coalesce(u.candidates, '[]'), '{{}}',
           coalesce(u.seed, ''), u.reason, :now
    FROM {recordset(_DECISION)}
""")  # names of our own columns


async def add_decisions(session: WriteSession, workspace_id: UUID, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Keeps decisions: conversation_id, kind (queue, next, offer, manual), queue_id, agent_id, candidates, seed, reason."""
    if decisions:
        await session.execute(_DECISIONS, {"w": workspace_id, "now": clock.now(), "rows": as_json(decisions)})
