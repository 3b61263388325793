"""Agents: whether there is one, and how busy they are."""

from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit.database import WriteSession


async def exists(connection: asyncpg.Connection, agent_id: UUID) -> bool:
    """Whether the workspace that `connection` shows has this agent."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM agent WHERE id = $1)", agent_id))


async def busy(connection: asyncpg.Connection, agent_id: UUID) -> int:
    """How many conversations the agent has that wait for an answer or for the customer."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM conversation WHERE assignee_id = $1 AND status IN ('open', 'pending')", agent_id
        )
    )


async def forget(session: WriteSession, workspace_id: UUID, agent_id: UUID) -> None:
    """Ends the keys, offers and shifts of an agent, and takes the agent out of the queues that overflow to them."""
    for statement in _FORGET_AGENT:
        await session.execute(statement, {"w": workspace_id, "id": agent_id})


async def forget_team(session: WriteSession, workspace_id: UUID, team_id: UUID) -> None:
    """Takes a team out of agents, queues and issue types, and its shifts away."""
    for statement in _FORGET_TEAM:
        await session.execute(statement, {"w": workspace_id, "id": team_id})


_FORGET_AGENT = (
    text("UPDATE api_key SET revoked_at = now() WHERE workspace_id = :w AND agent_id = :id AND revoked_at IS NULL"),
    text("UPDATE queue SET overflow_agent_id = NULL WHERE workspace_id = :w AND overflow_agent_id = :id"),
    text("UPDATE offer SET expires_at = now() WHERE workspace_id = :w AND agent_id = :id AND state = 'open'"),
    text("DELETE FROM shift WHERE workspace_id = :w AND agent_id = :id"),
)
_FORGET_TEAM = (
    text("UPDATE agent SET team_ids = array_remove(team_ids, :id) WHERE workspace_id = :w AND :id = ANY(team_ids)"),
    text(
        "UPDATE queue SET team_ids = array_remove(team_ids, :id), "
        "secondary_team_ids = array_remove(secondary_team_ids, :id) "
        "WHERE workspace_id = :w AND (:id = ANY(team_ids) OR :id = ANY(secondary_team_ids))"
    ),
    text("DELETE FROM shift WHERE workspace_id = :w AND team_id = :id"),
    text("UPDATE issue_type SET owner_team_id = NULL WHERE workspace_id = :w AND owner_team_id = :id"),
)
