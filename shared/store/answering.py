"""How people were answered in a period: conversations that came and went, promises kept and broken, and how long it took."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from shared.kit.ids import first_id_at
from shared.models.facts import ConversationReopened, ConversationResolved

_SLACK = timedelta(days=1)
# A clock is stored as it was folded last; one whose deadline has passed since then is breached, whoever looks.
_BREACHED_AT = "coalesce(k.breached_at, CASE WHEN k.state = 'running' AND k.deadline_at < {now} THEN k.deadline_at END)"


async def flow(connection: asyncpg.Connection, since: datetime, until: datetime) -> asyncpg.Record:
    """`opened`, `answered` (their first answer), `resolved` and `reopened` conversations of that time, and those `open_at_end`.

    What was resolved or reopened is told by the facts, because a conversation only knows its last state; `open_at_end` goes
    by the last state.
    """
    found = await connection.fetchrow(
        """
        WITH told AS (
            SELECT type, conversation_id FROM event
            WHERE id >= $3 AND id < $4 AND type = ANY($5) AND occurred_at >= $1 AND occurred_at < $2
            UNION ALL SELECT type, conversation_id FROM outbox WHERE type = ANY($5) AND at >= $1 AND at < $2
        )
        SELECT (count(*) FILTER (WHERE c.created_at >= $1))::int AS opened,
               (count(*) FILTER (WHERE c.first_replied_at >= $1 AND c.first_replied_at < $2))::int AS answered,
               (count(*) FILTER (WHERE (c.resolved_at IS NULL OR c.resolved_at >= $2) AND c.merged_into_id IS NULL))::int
                   AS open_at_end,
               (SELECT count(DISTINCT conversation_id) FROM told WHERE type = $5[1])::int AS resolved,
               (SELECT count(DISTINCT conversation_id) FROM told WHERE type = $5[2])::int AS reopened
        FROM conversation c WHERE c.created_at < $2
        """,
        since, until, first_id_at(since - _SLACK), first_id_at(until + _SLACK),
        [ConversationResolved.type, ConversationReopened.type],
    )  # fmt: skip
    assert found is not None, "an aggregate has a row"
    return found


async def critical(
    connection: asyncpg.Connection, since: datetime, until: datetime, high_reach: int, limit: int
) -> list[asyncpg.Record]:
    """The most pressing conversations that were opened, had a turn or broke a promise in that time and are `urgent`, `breached` a
    promise or have an author who reaches `high_reach` accounts; `total` is how many there are. `said` is how the customer
    began, with the personal data (`pii`, JSON text) found in it; null where that is not known. `permalink` is where the opening
    mention stands, if everybody may read it there."""
    breached_at = _BREACHED_AT.format(now="$2")
    return await connection.fetch(
        f"""
        WITH broken AS (
            SELECT k.conversation_id, bool_or({breached_at} >= $1) AS lately FROM sla_clock k
            WHERE {breached_at} < $2 GROUP BY 1
        ), judged AS (
            SELECT c.workspace_id, c.id, c.number, c.subject, c.priority, c.status, c.channel_type, c.created_at, c.queue_id,
                   c.priority = 'urgent' AS urgent, b.conversation_id IS NOT NULL AS breached,
                   coalesce((SELECT max(m.reach) FROM assessment a
                             JOIN mention m ON m.workspace_id = a.workspace_id AND m.id = a.mention_id
                             WHERE a.workspace_id = c.workspace_id AND a.conversation_id = c.id), 0)::bigint AS reach
            FROM conversation c LEFT JOIN broken b ON b.conversation_id = c.id
            WHERE c.created_at < $2 AND c.merged_into_id IS NULL AND (
                c.created_at >= $1 OR b.lately OR (c.last_message_at >= $1 AND EXISTS (
                    SELECT 1 FROM message g WHERE g.workspace_id = c.workspace_id AND g.conversation_id = c.id
                    AND g.kind <> 'note' AND g.at >= $1 AND g.at < $2)))
        ), pressing AS (
            SELECT *, count(*) OVER ()::int AS total FROM judged WHERE urgent OR breached OR reach >= $3
            ORDER BY urgent DESC, breached DESC, reach DESC, number LIMIT $4
        )
        SELECT p.*, q.name AS queue, first.said, first.pii, opening.permalink
        FROM pressing p LEFT JOIN queue q ON q.id = p.queue_id
        LEFT JOIN LATERAL (
            SELECT left(m.text, 1000) AS said, a.findings -> 'pii' AS pii FROM message g
            JOIN mention m ON m.workspace_id = g.workspace_id AND m.id = g.mention_id
            JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id AND NOT 'pii' = ANY(a.failed_stages)
            WHERE g.conversation_id = p.id AND g.kind = 'inbound' AND m.deleted_at IS NULL ORDER BY g.id LIMIT 1) first ON true
        LEFT JOIN LATERAL (
            SELECT CASE WHEN m.visibility = 'public' AND m.deleted_at IS NULL THEN m.permalink END AS permalink FROM message g
            JOIN mention m ON m.workspace_id = g.workspace_id AND m.id = g.mention_id
            WHERE g.workspace_id = p.workspace_id AND g.conversation_id = p.id AND g.kind = 'inbound'
            ORDER BY g.id LIMIT 1) opening ON true
        ORDER BY p.urgent DESC, p.breached DESC, p.reach DESC, p.number
        """,
        since, until, high_reach, limit,
    )  # fmt: skip


async def promises(connection: asyncpg.Connection, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """By `metric`, `target_s` and `business` (whether only business hours count): how many clocks were `met` and `breached` in
    that time, and how many were `running` (or paused) at its end."""
    return await connection.fetch(
        f"""
        WITH clocks AS (
            SELECT k.workspace_id, k.id, k.metric, k.target_s, k.started_at, k.stopped_at, k.state,
                   {_BREACHED_AT.format(now="$2")} AS late_at
            FROM sla_clock k WHERE k.started_at < $2 AND k.state <> 'cancelled'
        ), counted AS (
            SELECT *, state = 'met' AND stopped_at >= $1 AND stopped_at < $2 AS met,
                   coalesce(late_at >= $1 AND late_at < $2, false) AS breached,
                   (stopped_at IS NULL OR stopped_at >= $2) AND (late_at IS NULL OR late_at >= $2) AS running FROM clocks
        )
        SELECT c.metric, c.target_s, coalesce(t.business, false) AS business, (count(*) FILTER (WHERE c.met))::int AS met,
               (count(*) FILTER (WHERE c.breached))::int AS breached, (count(*) FILTER (WHERE c.running))::int AS running
        FROM counted c LEFT JOIN LATERAL (
            SELECT e.terms ->> 'calendar_id' IS NOT NULL AS business FROM sla_clock_event e
            WHERE e.workspace_id = c.workspace_id AND e.clock_id = c.id AND e.terms IS NOT NULL
            ORDER BY e.at DESC, e.id DESC LIMIT 1) t ON true
        WHERE c.met OR c.breached OR c.running GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        since, until,
    )  # fmt: skip


async def answer_times(
    connection: asyncpg.Connection, since: datetime, until: datetime, edges_s: Sequence[float]
) -> list[asyncpg.Record]:
    """By `metric` (first_response, next_response): `count` of the answers of that time, `p50` and `p90` in seconds by the wall
    clock, and `buckets`: how many took up to and including each of `edges_s` and more than the one before, then longer.

    A first answer is timed from its clock's start, where nothing was promised from the customer's first message.
    """
    return await connection.fetch(
        """
        WITH answers AS (
            SELECT 'first_response' AS metric, c.first_replied_at AS answered_at, coalesce(k.started_at, (
                       SELECT min(g.at) FROM message g
                       WHERE g.workspace_id = c.workspace_id AND g.conversation_id = c.id AND g.kind = 'inbound'
                   ), c.created_at) AS asked_at
            FROM conversation c LEFT JOIN sla_clock k ON k.workspace_id = c.workspace_id AND k.conversation_id = c.id
                AND k.metric = 'first_response' AND k.instance = 1
            WHERE c.first_replied_at >= $1 AND c.first_replied_at < $2
            UNION ALL
            SELECT k.metric, k.stopped_at, k.started_at FROM sla_clock k
            WHERE k.metric = 'next_response' AND k.state IN ('met', 'breached') AND k.stopped_at >= $1 AND k.stopped_at < $2
        ), timed AS (
            SELECT metric, greatest(extract(epoch FROM answered_at - asked_at), 0)::float8 AS took FROM answers
        ), placed AS (
            SELECT metric, took, (SELECT count(*) FROM unnest($3::float8[]) AS edge WHERE edge < took) AS bucket FROM timed
        )
        SELECT p.metric, count(*)::int AS count, percentile_cont(0.5) WITHIN GROUP (ORDER BY p.took) AS p50,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY p.took) AS p90,
               ARRAY(SELECT count(b.took)::int FROM generate_series(0, cardinality($3::float8[])) AS n
                     LEFT JOIN placed b ON b.metric = p.metric AND b.bucket = n GROUP BY n ORDER BY n) AS buckets
        FROM placed p GROUP BY p.metric ORDER BY p.metric
        """,
        since, until, list(edges_s),
    )  # fmt: skip
