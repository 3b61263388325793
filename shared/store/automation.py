"""Automation: which rules there are for what was told, how far they have been asked, and what they did."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Row, text

from shared.kit.database import WriteSession
from shared.models.automation import AutomationRun


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a rule may be for."""

    id: UUID
    position: int
    type: str
    conversation_id: UUID
    traceparent: str | None


async def workspaces_behind(connection: asyncpg.Connection) -> list[UUID]:
    """Workspaces with rules that have not been asked of everything told. `connection` sees all workspaces."""
    rows = await connection.fetch("""
        SELECT p.workspace_id FROM event_position p LEFT JOIN automation_position a ON a.workspace_id = p.workspace_id
        WHERE p.position > coalesce(a.position, 0)
          AND EXISTS (SELECT FROM automation_rule r WHERE r.workspace_id = p.workspace_id AND r.status = 'active')
    """)
    return [row["workspace_id"] for row in rows]


async def begin(session: WriteSession, workspace_id: UUID) -> int | None:
    """How far the rules of a workspace have been asked, locked until the transaction ends; None where somebody else is at it. Where
    they never were, they begin where the oldest active one does."""
    await session.execute(
        text(
            "INSERT INTO automation_position (workspace_id, position) SELECT :w, coalesce(min(since), 0) FROM automation_rule "
            "WHERE workspace_id = :w AND status = 'active' ON CONFLICT DO NOTHING"
        ),
        {"w": workspace_id},
    )
    found = await session.execute(
        text("SELECT position FROM automation_position WHERE workspace_id = :w FOR UPDATE SKIP LOCKED"),
        {"w": workspace_id},
    )
    position: int | None = found.scalar_one_or_none()
    return position


async def end(session: WriteSession, workspace_id: UUID, position: int) -> None:
    """Keeps how far the rules have been asked."""
    await session.execute(
        text("UPDATE automation_position SET position = :p WHERE workspace_id = :w"), {"w": workspace_id, "p": position}
    )


async def rules(session: WriteSession, workspace_id: UUID) -> list[Row[Any]]:
    """The active rules, in their order."""
    rows = await session.execute(
        text("SELECT * FROM automation_rule WHERE workspace_id = :w AND status = 'active' ORDER BY position, id"),
        {"w": workspace_id},
    )
    return list(rows)


async def told_after(
    session: WriteSession, workspace_id: UUID, position: int, types: list[str], limit: int
) -> tuple[list[Told], int]:
    """The next events of some types about conversations, and up to which position that is all there was."""
    rows = await session.execute(
        text("""
            SELECT id, position, type, conversation_id, traceparent FROM event
            WHERE workspace_id = :w AND position > :p AND type = ANY(CAST(:types AS text[])) AND conversation_id IS NOT NULL
            ORDER BY position LIMIT :n
        """),
        {"w": workspace_id, "p": position, "types": types, "n": limit},
    )
    found = [Told(row.id, row.position, row.type, row.conversation_id, row.traceparent) for row in rows]
    if len(found) == limit:
        return found, found[-1].position
    last = await session.scalar(
        text("SELECT position FROM event_position WHERE workspace_id = :w"), {"w": workspace_id}
    )
    return found, max(position, int(last or 0), found[-1].position if found else 0)


async def lock(session: WriteSession, workspace_id: UUID, conversation_ids: Collection[UUID]) -> None:
    """Locks conversations in the order in which everybody locks several, until the transaction ends."""
    await session.execute(
        text(
            "SELECT FROM conversation WHERE workspace_id = :w AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
        ),
        {"w": workspace_id, "ids": list(conversation_ids)},
    )


async def position_now(session: WriteSession, workspace_id: UUID) -> int:
    """The last position given out."""
    return int(
        await session.scalar(text("SELECT position FROM event_position WHERE workspace_id = :w"), {"w": workspace_id})
        or 0
    )


async def led_to(session: WriteSession, workspace_id: UUID, traceparent: str | None) -> Row[Any] | None:
    """The run that brought an event about, by the trace under which it was told."""
    if traceparent is None:
        return None
    found = await session.execute(
        text("SELECT * FROM automation_run WHERE workspace_id = :w AND traceparent = :t LIMIT 1"),
        {"w": workspace_id, "t": traceparent},
    )
    return found.one_or_none()


async def done_lately(
    session: WriteSession, workspace_id: UUID, rule_id: UUID, conversation_id: UUID, within: timedelta
) -> int:
    """How often a rule acted on a conversation within the last while."""
    return int(
        await session.scalar(
            text(
                "SELECT count(*) FROM automation_run WHERE workspace_id = :w AND conversation_id = :c AND rule_id = :r "
                "AND outcome = 'done' AND at > now() - CAST(:within AS interval)"
            ),
            {"w": workspace_id, "c": conversation_id, "r": rule_id, "within": within},
        )
        or 0
    )


async def keep(session: WriteSession, run: AutomationRun) -> bool:
    """Keeps what a rule did about an event. False where it has acted on that event before."""
    kept = await session.execute(_KEEP, _values(run))
    return kept.scalar_one_or_none() is not None


async def settle(session: WriteSession, run: AutomationRun) -> None:
    """Writes what became of a run that was kept."""
    await session.execute(
        text(
            "UPDATE automation_run SET outcome = :outcome, steps = CAST(:steps AS jsonb), error = :error "
            "WHERE workspace_id = :workspace_id AND id = :id"
        ),
        {
            name: value
            for name, value in _values(run).items()
            if name in {"outcome", "steps", "error", "workspace_id", "id"}
        },
    )


def _values(run: AutomationRun) -> Mapping[str, Any]:
    return run.model_dump() | {"chain": orjson.dumps(run.chain).decode(), "steps": orjson.dumps(run.steps).decode()}


_KEEP = text("""
    INSERT INTO automation_run (workspace_id, id, rule_id, rule_name, rule_version, event_id, event_type, conversation_id, outcome, chain,
                                steps, error, traceparent, at)
    VALUES (:workspace_id, :id, :rule_id, :rule_name, :rule_version, :event_id, :event_type, :conversation_id, :outcome,
            CAST(:chain AS jsonb), CAST(:steps AS jsonb), :error, :traceparent, :at)
    ON CONFLICT DO NOTHING RETURNING id
""")


async def runs_since(connection: asyncpg.Connection, rule_id: UUID, since: datetime) -> dict[str, int]:
    """How many runs of a rule there were since a moment, by outcome."""
    rows = await connection.fetch(
        "SELECT outcome, count(*)::int AS n FROM automation_run WHERE rule_id = $1 AND at >= $2 GROUP BY outcome",
        rule_id,
        since,
    )
    return {row["outcome"]: row["n"] for row in rows}
