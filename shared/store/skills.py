"""Skills, shifts and presence: what agents can do, when they are at work, and how they stand now."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from shared.kit import clock
from shared.kit.database import WriteSession
from shared.store.sending import as_json


async def know(session: WriteSession, workspace_id: UUID, named: Collection[tuple[str, str]]) -> None:
    """Adds skills, (kind, name), that agents or queues name and that the workspace did not know yet."""
    if named:
        rows = [{"kind": kind, "name": name} for kind, name in sorted(set(named))]
        await session.execute(
            text(
                "INSERT INTO skill (workspace_id, id, created_at, updated_at, kind, name) "
                "SELECT :w, uuidv7(), :now, :now, u.kind, u.name FROM json_to_recordset(CAST(:rows AS json)) AS u(kind text, name text) "
                "ON CONFLICT DO NOTHING"
            ),
            {"w": workspace_id, "now": clock.now(), "rows": as_json(rows)},
        )


async def used_by(session: WriteSession, workspace_id: UUID, kind: str, name: str) -> list[str]:
    """The names of agents and queues that name a skill."""
    rows = await session.execute(
        text("""
            SELECT g.name FROM agent g, jsonb_array_elements(g.skills) s
            WHERE g.workspace_id = :w AND s->>'kind' = :kind AND lower(s->>'name') = lower(:name)
            UNION SELECT q.name FROM queue q, jsonb_array_elements(q.needs) s
            WHERE q.workspace_id = :w AND s->>'kind' = :kind AND lower(s->>'name') = lower(:name) ORDER BY 1
        """),
        {"w": workspace_id, "kind": kind, "name": name},
    )
    return [row.name for row in rows]


async def standing(session: WriteSession, workspace_id: UUID) -> list[Row[Any]]:
    """The agents with what is before them: id, name, team_ids, presence, presence_since, capacity, open offers."""
    rows = await session.execute(
        text("""
            SELECT g.id, g.name, g.team_ids, g.presence, g.presence_since, g.capacity,
                   (SELECT count(*)::int FROM offer o
                    WHERE o.workspace_id = g.workspace_id AND o.agent_id = g.id AND o.state = 'open') AS offers
            FROM agent g WHERE g.workspace_id = :w ORDER BY g.name, g.id
        """),
        {"w": workspace_id},
    )
    return list(rows)


async def set_presence(
    session: WriteSession, workspace_id: UUID, agent_id: UUID, presence: str, at: datetime
) -> str | None:
    """Sets how an agent stands, and says how it stood; None where there is no such agent. What was so already keeps its moment."""
    found = await session.execute(
        text(
            "UPDATE agent g SET presence_since = CASE WHEN f.presence = :p THEN f.presence_since ELSE :at END, presence = :p, "
            "updated_at = :at FROM (SELECT workspace_id, id, presence, presence_since FROM agent WHERE workspace_id = :w AND id = :id "
            "FOR UPDATE) f WHERE g.workspace_id = f.workspace_id AND g.id = f.id RETURNING f.presence"
        ),
        {"w": workspace_id, "id": agent_id, "p": presence, "at": at},
    )
    former: str | None = found.scalar_one_or_none()
    return former
