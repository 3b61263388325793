"""Agents: whether there is one, and how busy they are."""

from uuid import UUID

import asyncpg


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
