"""Queues in their order, what waits in one, who may get it, and the decisions by which conversations went to queues and agents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
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


async def waiting(session: WriteSession, workspace_id: UUID, queue_id: UUID, limit: int) -> list[Row[Any]]:
    """The first of what waits in a queue for an agent, in its order. It is not locked: see `still_waiting`.

    Each has what it takes of a capacity (`weight`), who refused it since it came here (`refused_by`), and who of us answered this
    customer last (`last_agent_id`, `last_agent_at`). What is offered to somebody does not wait. Of one customer's matters that press
    alike the oldest goes first; the others wait for it.
    """
    return list(await session.execute(_WAITING, {"w": workspace_id, "q": queue_id, "n": limit}))


async def still_waiting(
    session: WriteSession, queue: tuple[UUID, UUID], conversation_ids: Sequence[UUID], *, patient: bool
) -> frozenset[UUID]:
    """Locks those of some conversations that still wait for an agent in a queue, (workspace, queue), and says which: who decides holds
    the lock of routing, but a person who assigns, moves or resolves by hand does not. Who is not `patient` leaves out what somebody has
    in hand at this moment: so whoever locks several never stands in the way of another who does."""
    workspace_id, queue_id = queue
    rows = await session.execute(
        _STILL_WAITING if patient else _FREE_AND_WAITING,
        {"w": workspace_id, "q": queue_id, "ids": list(conversation_ids)},
    )
    return frozenset(row.id for row in rows)


async def candidates(
    session: WriteSession, workspace_id: UUID, team_ids: Sequence[UUID], *, since: datetime, only: UUID | None = None
) -> list[Row[Any]]:
    """The agents of some teams (none: all agents), or one agent alone: each with its `load`, in weights of what is open or offered,
    and how many it got since a moment (`recent`)."""
    rows = await session.execute(
        _CANDIDATES, {"w": workspace_id, "teams": list(team_ids), "since": since, "only": only}
    )
    return list(rows)


async def shifts(session: WriteSession, workspace_id: UUID, agent_ids: Sequence[UUID]) -> list[Row[Any]]:
    """The shifts and leaves of agents, and of all teams, that are not over; and of each the last hours of work, also where they are:
    who has hours is not at work outside them."""
    return list(await session.execute(_SHIFTS, {"w": workspace_id, "ids": list(agent_ids)}))


_NOT_OVER = "(coalesce(ends_at, 'infinity') > now() AND coalesce(last_day, 'infinity') >= current_date - 2)"
_SHIFTS = text(f"""
    SELECT * FROM shift WHERE workspace_id = :w AND (team_id IS NOT NULL OR agent_id = ANY(CAST(:ids AS uuid[]))) AND {_NOT_OVER}
    UNION ALL
    SELECT s.* FROM unnest(CAST(:ids AS uuid[])) AS asked(id) CROSS JOIN LATERAL (
        SELECT * FROM shift
        WHERE workspace_id = :w AND agent_id = asked.id AND kind = 'work' AND NOT {_NOT_OVER} ORDER BY id DESC LIMIT 1) s
    UNION ALL
    (SELECT DISTINCT ON (team_id) * FROM shift
     WHERE workspace_id = :w AND team_id IS NOT NULL AND kind = 'work' AND NOT {_NOT_OVER} ORDER BY team_id, id DESC)
""")  # a condition of our own


_DECISION = {
    "id": "uuid", "conversation_id": "uuid", "kind": "text", "queue_id": "uuid", "agent_id": "uuid", "item": "jsonb", "rules": "jsonb",
    "candidates": "jsonb", "relaxed": "text[]", "seed": "text", "reason": "text", "decided_at": "timestamptz",
}  # fmt: skip
_DECISIONS = text(f"""
    INSERT INTO routing_decision (workspace_id, created_at, updated_at, id, conversation_id, kind, queue_id, agent_id, item, rules,
                                  candidates, relaxed, seed, reason, decided_at)
    SELECT :w, :now, :now, coalesce(u.id, uuidv7()), u.conversation_id, u.kind, u.queue_id, u.agent_id, u.item, u.rules,
           coalesce(u.candidates, '[]'), coalesce(u.relaxed, '{{}}'), coalesce(u.seed, ''), u.reason, coalesce(u.decided_at, :now)
    FROM {recordset(_DECISION)}
""")  # names of our own columns


async def add_decisions(session: WriteSession, workspace_id: UUID, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Keeps decisions: conversation_id, kind (queue, next, offer, overflow, alarm, taken_back, manual), queue_id, agent_id, reason; of
    those that weighed agents also item, rules, candidates, relaxed, seed and decided_at, as shared/rules/routing_record.py writes them."""
    if decisions:
        await session.execute(_DECISIONS, {"w": workspace_id, "now": clock.now(), "rows": as_json(decisions)})


_LOCKED = """
    SELECT id FROM conversation WHERE workspace_id = :w AND queue_id = :q AND id = ANY(CAST(:ids AS uuid[])) AND status = 'open'
      AND assignee_id IS NULL ORDER BY id FOR UPDATE
"""
_STILL_WAITING = text(_LOCKED)
_FREE_AND_WAITING = text(f"{_LOCKED} SKIP LOCKED")

_WAITING = text("""
    SELECT c.id, c.author_id, c.priority, c.next_deadline_at, coalesce(c.waiting_since, c.created_at) AS waiting_since, c.queued_at,
           c.lang, c.country, c.channel_type, h.weight, last.agent_id AS last_agent_id, last.sent_at AS last_agent_at,
           ARRAY(SELECT DISTINCT o.agent_id FROM offer o
                 WHERE o.workspace_id = c.workspace_id AND o.conversation_id = c.id AND o.state IN ('declined', 'expired')
                   AND o.offered_at >= coalesce(c.queued_at, c.created_at)
                 UNION SELECT d.agent_id FROM routing_decision d
                 WHERE d.workspace_id = c.workspace_id AND d.conversation_id = c.id AND d.kind = 'taken_back'
                   AND d.decided_at >= c.queued_at) AS refused_by
    FROM conversation c
    JOIN channel h ON h.workspace_id = c.workspace_id AND h.id = c.channel_id
    LEFT JOIN LATERAL (
        SELECT r.agent_id, r.sent_at FROM conversation p
        JOIN reply r ON r.workspace_id = p.workspace_id AND r.conversation_id = p.id
        WHERE p.workspace_id = c.workspace_id AND p.author_id = c.author_id AND r.state = 'sent' AND r.agent_id IS NOT NULL
        ORDER BY r.sent_at DESC LIMIT 1
    ) last ON c.author_id IS NOT NULL
    WHERE c.workspace_id = :w AND c.queue_id = :q AND c.status = 'open' AND c.assignee_id IS NULL
      AND NOT EXISTS (SELECT FROM offer o WHERE o.workspace_id = c.workspace_id AND o.conversation_id = c.id AND o.state = 'open')
      AND NOT EXISTS (
          SELECT FROM conversation e
          WHERE e.workspace_id = c.workspace_id AND e.author_id = c.author_id AND e.queue_id = c.queue_id AND e.id <> c.id
            AND e.status = 'open' AND e.assignee_id IS NULL AND e.priority_rank <= c.priority_rank
            AND (coalesce(e.waiting_since, e.created_at), e.id) < (coalesce(c.waiting_since, c.created_at), c.id))
    ORDER BY c.priority_rank, c.next_deadline_at NULLS LAST, coalesce(c.waiting_since, c.created_at), c.id
    LIMIT :n
""")

_CANDIDATES = text("""
    WITH busy AS (
        SELECT c.assignee_id AS agent_id, sum(h.weight) AS load FROM conversation c
        JOIN channel h ON h.workspace_id = c.workspace_id AND h.id = c.channel_id
        WHERE c.workspace_id = :w AND c.assignee_id IS NOT NULL AND c.status = 'open' GROUP BY 1
    ), asked AS (
        SELECT o.agent_id, sum(h.weight) AS load FROM offer o
        JOIN conversation c ON c.workspace_id = o.workspace_id AND c.id = o.conversation_id
        JOIN channel h ON h.workspace_id = c.workspace_id AND h.id = c.channel_id
        WHERE o.workspace_id = :w AND o.state = 'open' GROUP BY 1
    ), got AS (
        SELECT d.agent_id, count(*) AS n FROM routing_decision d
        LEFT JOIN offer o ON o.workspace_id = d.workspace_id AND o.id = d.id
        WHERE d.workspace_id = :w AND d.kind IN ('next', 'offer', 'overflow') AND d.agent_id IS NOT NULL AND d.decided_at > :since
          AND coalesce(o.state, 'accepted') IN ('open', 'accepted') GROUP BY 1
    )
    SELECT g.id, g.name, g.team_ids, g.presence, g.presence_since, g.capacity, g.skills, g.languages,
           (coalesce(busy.load, 0) + coalesce(asked.load, 0))::int AS load, coalesce(got.n, 0)::int AS recent
    FROM agent g
    LEFT JOIN busy ON busy.agent_id = g.id
    LEFT JOIN asked ON asked.agent_id = g.id
    LEFT JOIN got ON got.agent_id = g.id
    WHERE g.workspace_id = :w
      AND CASE WHEN CAST(:only AS uuid) IS NULL THEN cardinality(CAST(:teams AS uuid[])) = 0 OR g.team_ids && CAST(:teams AS uuid[])
               ELSE g.id = CAST(:only AS uuid) END
    ORDER BY g.id
""")
