"""Conversations of the past with what happened to them and what became of their clocks: what a replay needs, read in pieces."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from shared.kit.ids import first_id_at
from shared.rules.sla_history import Change
from shared.rules.sla_what_if import Verdict


async def opened_between(
    connection: asyncpg.Connection, since: datetime, until: datetime, after: UUID | None, limit: int
) -> list[UUID]:
    """The next conversations that were opened in a period, in the order of their ids."""
    rows = await connection.fetch(
        "SELECT id FROM conversation WHERE created_at >= $1 AND created_at < $2 AND id > $3 ORDER BY id LIMIT $4",
        since, until, after or first_id_at(since), limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def changes(connection: asyncpg.Connection, conversation_ids: list[UUID]) -> dict[UUID, list[Change]]:
    """What happened to conversations."""
    rows = await connection.fetch(
        "SELECT conversation_id, kind, at, cause, detail::text AS detail FROM conversation_change WHERE conversation_id = ANY($1)",
        conversation_ids,
    )
    found: dict[UUID, list[Change]] = {one: [] for one in conversation_ids}
    for row in rows:
        found[row["conversation_id"]].append(Change(row["kind"], row["at"], row["cause"], orjson.loads(row["detail"])))
    return found


async def verdicts(
    connection: asyncpg.Connection, conversation_ids: list[UUID], at: datetime
) -> dict[UUID, dict[str, list[Verdict]]]:
    """What stands of the clocks of conversations, at a moment, whether or not anybody has looked since they came due."""
    rows = await connection.fetch(_VERDICTS, conversation_ids, at)
    found: dict[UUID, dict[str, list[Verdict]]] = {one: {} for one in conversation_ids}
    for row in rows:
        verdict = Verdict(
            row["started_at"],
            row["settled"],
            row["breached_at"],
            row["deadline_at"],
            row["stopped_at"],
            row["elapsed_s"],
        )
        found[row["conversation_id"]].setdefault(row["metric"], []).append(verdict)
    return found


async def policy_versions(
    connection: asyncpg.Connection, wanted: list[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Any]:
    """The fields of policies and calendars as they were: (policy or calendar, version) → fields."""
    rows = await connection.fetch(
        "SELECT v.subject_id, v.version, v.body::text AS body FROM sla_version v "
        "JOIN unnest($1::uuid[], $2::int[]) AS u(id, version) ON v.subject_id = u.id AND v.version = u.version",
        [one for one, _ in wanted], [version for _, version in wanted],
    )  # fmt: skip
    return {(row["subject_id"], row["version"]): orjson.loads(row["body"]) for row in rows}


_VERDICTS = """
    SELECT k.conversation_id, k.metric, k.started_at, k.stopped_at, late.at AS breached_at, coalesce(late.at, k.deadline_at) AS deadline_at,
           CASE WHEN late.at IS NOT NULL THEN 'breached' WHEN k.stopped_at IS NOT NULL THEN 'met' ELSE 'open' END AS settled,
           CASE WHEN k.stopped_at IS NOT NULL THEN k.elapsed_s END AS elapsed_s
    FROM sla_clock k
    CROSS JOIN LATERAL (
        SELECT coalesce(k.breached_at, CASE WHEN k.state = 'running' AND k.deadline_at < $2 THEN k.deadline_at END) AS at
    ) late
    WHERE k.conversation_id = ANY($1) AND k.state <> 'cancelled' ORDER BY k.started_at, k.instance
"""
