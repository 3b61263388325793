"""Conversations by a filter, in SQL: those of the past that a queue or a rule would have been for, and one as filters see it.

A conversation stands here as it is now; what filters may ask of the customer's words is asked of the last message.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.filter import Filter
from shared.rules.filter_sql import SqlField, compile_sql

_COLUMNS: Mapping[str, str] = {
    "priority_score": "(c.priority_score::numeric)", "channel": "h.name", "kind": "m.kind", "country": "coalesce(c.country, m.country)",
    "intent": "a.intent", "urgency": "a.urgency", "rating": "(m.rating::numeric)", "author.handle": "w.handle",
    "author.followers": "(w.followers::numeric)", "author.verified": "w.verified",
}  # fmt: skip
FIELDS: Mapping[str, SqlField] = {
    name: SqlField(_COLUMNS.get(name, f"c.{name}"), kind) for name, kind in CONVERSATION_FIELDS.items()
}
"""Where each field's value comes from, in `FROM_CONVERSATIONS`."""
FROM_CONVERSATIONS = """
    conversation c
    JOIN channel h ON h.workspace_id = c.workspace_id AND h.id = c.channel_id
    LEFT JOIN LATERAL (
        SELECT t.mention_id FROM message t
        WHERE t.workspace_id = c.workspace_id AND t.conversation_id = c.id AND t.kind = 'inbound' ORDER BY t.id DESC LIMIT 1
    ) t ON true
    LEFT JOIN mention m ON m.workspace_id = c.workspace_id AND m.id = t.mention_id
    LEFT JOIN assessment a ON a.workspace_id = c.workspace_id AND a.mention_id = t.mention_id
    LEFT JOIN author w ON w.workspace_id = c.workspace_id AND w.id = c.author_id
"""


async def those(connection: asyncpg.Connection, conversation_ids: Collection[UUID], where: Filter) -> frozenset[UUID]:
    """Which of some conversations of the workspace that `connection` shows are such."""
    condition, values = compile_sql(where, FIELDS, first=2)
    found = await connection.fetch(
        f"SELECT c.id FROM {FROM_CONVERSATIONS} WHERE c.id = ANY($1) AND {condition}", list(conversation_ids), *values
    )  # the condition is compiled from a parsed filter: our own names, and placeholders
    return frozenset(row["id"] for row in found)


async def opened_between(
    connection: asyncpg.Connection, where: Filter, since: datetime, until: datetime, *, samples: int
) -> list[asyncpg.Record]:
    """For each queue (None: in none) how many of the conversations opened in a period are such: queue_id, queue, position, hits, ids
    (of the newest, at most `samples`)."""
    condition, values = compile_sql(where, FIELDS, first=4)
    return await connection.fetch(
        f"""
        SELECT q.id AS queue_id, q.name AS queue, q.position, count(*)::int AS hits,
               (array_agg(c.id ORDER BY c.id DESC))[1:$3] AS ids
        FROM {FROM_CONVERSATIONS} LEFT JOIN queue q ON q.workspace_id = c.workspace_id AND q.id = c.queue_id
        WHERE c.created_at >= $1 AND c.created_at < $2 AND {condition}
        GROUP BY q.id, q.name, q.position ORDER BY q.position NULLS LAST, q.id
        """,
        since, until, samples, *values,
    )  # fmt: skip


async def told_between(
    connection: asyncpg.Connection, event: str, where: Filter, since: datetime, until: datetime, *, samples: int
) -> asyncpg.Record:
    """How many events of a type in a period were about such conversations: looked_at, hits, conversations, and the newest (`samples`
    of them) as [{event_id, at, conversation_id}]."""
    condition, values = compile_sql(where, FIELDS, first=5)
    found = await connection.fetchrow(
        f"""
        WITH told AS MATERIALIZED (
            SELECT e.id, e.conversation_id, e.occurred_at, e.position FROM event e
            WHERE e.type = $1 AND e.occurred_at >= $2 AND e.occurred_at < $3 AND e.conversation_id IS NOT NULL
        ), such AS MATERIALIZED (
            SELECT c.id FROM {FROM_CONVERSATIONS} WHERE c.id IN (SELECT conversation_id FROM told) AND {condition}
        ), hit AS MATERIALIZED (
            SELECT told.* FROM told JOIN such ON such.id = told.conversation_id
        )
        SELECT (SELECT count(*)::int FROM told) AS looked_at, (SELECT count(*)::int FROM hit) AS hits,
               (SELECT count(DISTINCT conversation_id)::int FROM hit) AS conversations,
               (SELECT coalesce(json_agg(json_build_object('event_id', s.id, 'at', s.occurred_at, 'conversation_id', s.conversation_id)
                   ORDER BY s.position DESC), '[]') FROM (SELECT * FROM hit ORDER BY position DESC LIMIT $4) s)::text AS newest
        """,
        event, since, until, samples, *values,
    )  # fmt: skip
    assert found is not None  # counts are always one row
    return found


def seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the fields' names as filters see it (`author.handle` is a field of `author`)."""
    plain = {name: row[name] for name in CONVERSATION_FIELDS if "." not in name}
    return plain | {"author": {name.partition(".")[2]: row[name] for name in CONVERSATION_FIELDS if "." in name}}
