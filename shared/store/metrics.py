"""Figures: how much is said, how it is meant, how fast we answer, what we keep of our promises, who has how much to do.

Counted from the rows themselves. A mention's id is made from the moment we received it, which is never before it was
published, so an id gives the lower bound of a period and whole months are skipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg
from sqlalchemy import text

from shared.kit import clock
from shared.kit.database import WriteSession
from shared.kit.ids import first_id_at
from shared.store.durations import iso
from shared.store.ledger import COUNTS

Step = Literal["hour", "day", "week"]
_SLACK = timedelta(days=1)
"""A venue's clock may run ahead of ours, so a mention may have been received a little before it was published."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to before `until`, cut into steps by the wall clock of `zone`; `step` None is one figure for all of it.

    `narrowed` are conditions: the name of a dimension and the value it must have. `by` is a dimension to split by. `at` is the moment
    as of which promises are told.
    """

    since: datetime
    until: datetime
    zone: str
    step: Step | None = "day"
    by: str | None = None
    narrowed: Mapping[str, str] = field(default_factory=dict)
    at: datetime = field(default_factory=clock.now)


# What mentions may be narrowed and split by: an expression with one value, or a list that counts for each of its values.
MENTION_DIMENSIONS: Mapping[str, str] = {
    "channel": "(SELECT c.name FROM channel c WHERE c.id = m.channel_id)",
    "channel_type": "m.channel_type",
    "lang": "coalesce(a.lang, m.lang)",
    "sentiment": "a.sentiment",
    "disposition": "a.disposition",
    "intent": "a.intent",
    "country": "m.country",
    "kind": "m.kind",
}
_MENTION_LISTS: Mapping[str, str] = {
    "brand": "(SELECT coalesce(array_agg(b.name), '{}') FROM brand b WHERE b.id = ANY(a.brand_ids))",
    "issue": "coalesce(a.issue_keys, '{}')",
    "query": "(SELECT coalesce(array_agg(q.name), '{}') FROM query q WHERE q.id = ANY(a.query_ids))",
}
OF_MENTIONS = (*MENTION_DIMENSIONS, *_MENTION_LISTS)

CONVERSATION_DIMENSIONS: Mapping[str, str] = {
    "channel": "(SELECT h.name FROM channel h WHERE h.id = c.channel_id)",
    "channel_type": "c.channel_type",
    "lang": "c.lang",
    "priority": "c.priority",
    "queue": "(SELECT q.name FROM queue q WHERE q.id = c.queue_id)",
    "agent": "(SELECT g.name FROM agent g WHERE g.id = c.assignee_id)",
    "brand": "(SELECT b.name FROM brand b WHERE b.id = c.brand_id)",
}
_CONVERSATION_LISTS: Mapping[str, str] = {"issue": "c.issue_keys"}
OF_CONVERSATIONS = (*CONVERSATION_DIMENSIONS, *_CONVERSATION_LISTS)


class _Figures:
    """A statement in the making."""

    def __init__(self, period: Period, at: str, plain: Mapping[str, str], lists: Mapping[str, str]) -> None:
        self.values: list[Any] = [period.since, period.until, period.zone]
        self.step = period.step
        self.plain, self.lists = plain, lists
        self.at = at
        self.bucket = "$1::timestamptz" if self.step is None else f"date_trunc('{self.step}', {at}, $3)"
        self.where = [f"{at} >= $1 AND {at} < $2", "$3::text IS NOT NULL"]
        for name, value in period.narrowed.items():
            self.values.append(value)
            marker = f"${len(self.values)}::text"
            if name in lists:
                condition = f"lower({marker}) IN (SELECT lower(x) FROM unnest({lists[name]}) x)"
            else:
                condition = f"lower({plain[name]}) = lower({marker})"
            self.where.append(condition)
        self.key, self.split = "NULL::text", ""
        if period.by is not None and period.by in lists:
            self.key, self.split = "split.key", f"CROSS JOIN LATERAL unnest({lists[period.by]}) AS split(key)"
        elif period.by is not None:
            self.key = f"{plain[period.by]}::text"

    def conditions(self) -> str:
        return " AND ".join(self.where)

    def filled(self, inner: str, counts: Sequence[str], others: Sequence[str], split: bool) -> str:
        """The figures, with the steps in which there was nothing where the list is one series: counts are nought there, the
        others null."""
        if self.step is None or split:
            return f"SELECT * FROM ({inner}) f ORDER BY at, key NULLS FIRST"
        columns = [f"coalesce(f.{name}, 0) AS {name}" for name in counts] + [f"f.{name}" for name in others]
        return f"""
            SELECT s.at, NULL::text AS key, {", ".join(columns)}
            FROM generate_series(date_trunc('{self.step}', $1::timestamptz, $3), $2::timestamptz - interval '1 microsecond',
                                 interval '1 {self.step}', $3) AS s(at)
            LEFT JOIN ({inner}) f ON f.at = s.at ORDER BY s.at
        """  # our own expressions


def _of_mentions(period: Period) -> _Figures:
    figures = _Figures(period, "m.published_at", MENTION_DIMENSIONS, _MENTION_LISTS)
    figures.values.append(first_id_at(period.since - _SLACK))
    figures.where.append(f"m.id >= ${len(figures.values)}::uuid")
    return figures


_MENTIONS = "mention m LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id"


async def volume(connection: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """How many mentions: `count`, `authors` (different ones), `originals` (reposts and copies left out), `reach`."""
    figures = _of_mentions(period)
    inner = f"""
        SELECT {figures.bucket} AS at, {figures.key} AS key, count(*)::int AS count,
               count(DISTINCT coalesce(m.author_id, m.id))::int AS authors,
               count(*) FILTER (WHERE a.duplicate_of IS NULL)::int AS originals, coalesce(sum(m.reach), 0)::bigint AS reach
        FROM {_MENTIONS} {figures.split} WHERE {figures.conditions()} GROUP BY 1, 2
    """
    return await _rows(connection, figures, inner, period, ("count", "authors", "originals", "reach"))


async def sentiment(connection: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """How they are meant: `positive`, `neutral`, `negative`, `unknown` and the mean `score` (-1..1) of those that have one."""
    figures = _of_mentions(period)
    counts = ", ".join(
        f"count(*) FILTER (WHERE a.sentiment = '{name}')::int AS {name}" for name in ("positive", "neutral", "negative")
    )
    inner = f"""
        SELECT {figures.bucket} AS at, {figures.key} AS key, {counts},
               count(*) FILTER (WHERE a.sentiment IS NULL)::int AS unknown, round(avg(a.sentiment_score)::numeric, 4)::float8 AS score
        FROM {_MENTIONS} {figures.split} WHERE {figures.conditions()} AND coalesce(a.disposition, '') <> 'dismissed'
        GROUP BY 1, 2
    """
    return await _rows(connection, figures, inner, period, ("positive", "neutral", "negative", "unknown"), ("score",))


async def share_of_voice(connection: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """Each brand's part of what is said about any brand: `key` the brand, `count`, `share` 0..1 of its step."""
    figures = _of_mentions(period)
    inner = f"""
        SELECT v.at, v.key, v.count, round(v.count::numeric / sum(v.count) OVER (PARTITION BY v.at), 6)::float8 AS share FROM (
            SELECT {figures.bucket} AS at, b.name AS key, count(*)::int AS count
            FROM {_MENTIONS} JOIN brand b ON b.workspace_id = m.workspace_id AND b.id = ANY(a.brand_ids)
            WHERE {figures.conditions()} AND a.disposition <> 'dismissed' GROUP BY 1, 2
        ) v
    """
    found = await connection.fetch(f"SELECT * FROM ({inner}) f ORDER BY at, key", *figures.values)
    return [dict(row) for row in found]


_TIMES = ("median", "p90", "mean", "counted_median", "counted_p90", "counted_mean")


async def response_times(connection: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """How fast the first answer came, for conversations opened in the period: `conversations`, `answered`, and `median`, `p90`,
    `mean` as durations from the customer's first message to the answer that the venue took; `counted_` the same as the clocks of
    first responses counted them, by the hours of what was promised."""
    figures = _Figures(period, "c.created_at", CONVERSATION_DIMENSIONS, _CONVERSATION_LISTS)
    waited = "extract(epoch FROM c.first_replied_at - o.at)"
    inner = f"""
        SELECT w.at, w.key, count(*)::int AS conversations, count(w.waited)::int AS answered,
               {iso("percentile_cont(0.5) WITHIN GROUP (ORDER BY w.waited)")} AS median,
               {iso("percentile_cont(0.9) WITHIN GROUP (ORDER BY w.waited)")} AS p90, {iso("avg(w.waited)")} AS mean,
               {iso("percentile_cont(0.5) WITHIN GROUP (ORDER BY w.counted)")} AS counted_median,
               {iso("percentile_cont(0.9) WITHIN GROUP (ORDER BY w.counted)")} AS counted_p90, {iso("avg(w.counted)")} AS counted_mean
        FROM (
            SELECT {figures.bucket} AS at, {figures.key} AS key,
                   CASE WHEN c.first_replied_at IS NOT NULL THEN greatest({waited}, 0) END::float8 AS waited, (
                       SELECT k.elapsed_s FROM sla_clock k
                       WHERE k.workspace_id = c.workspace_id AND k.conversation_id = c.id AND k.metric = 'first_response'
                         AND k.stopped_at IS NOT NULL AND k.state <> 'cancelled' ORDER BY k.instance LIMIT 1
                   ) AS counted
            FROM conversation c {figures.split}
            CROSS JOIN LATERAL (
                SELECT coalesce(min(g.at), c.created_at) AS at FROM message g
                WHERE g.workspace_id = c.workspace_id AND g.conversation_id = c.id AND g.kind = 'inbound'
            ) o
            WHERE {figures.conditions()}
        ) w GROUP BY 1, 2
    """
    return await _rows(connection, figures, inner, period, ("conversations", "answered"), _TIMES)


async def promises(connection: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """What was kept of the promises whose clocks began in the period: for each `metric`, how many are `met`, `breached`,
    `running`, `paused`, `cancelled`, and `kept`, the part of the settled ones that was met. What has missed its deadline by
    `period.at` is breached, whether or not anybody has looked at it since."""
    figures = _Figures(period, "k.started_at", CONVERSATION_DIMENSIONS, _CONVERSATION_LISTS)
    figures.values.append(period.at)
    stands = (
        f"CASE WHEN k.state = 'running' AND k.deadline_at < ${len(figures.values)} THEN 'breached' ELSE k.state END"
    )
    states = ", ".join(
        f"count(*) FILTER (WHERE s.stands = '{state}')::int AS {state}"
        for state in ("met", "breached", "running", "paused", "cancelled")
    )
    inner = f"""
        SELECT {figures.bucket} AS at, {figures.key} AS key, k.metric, {states},
               round(count(*) FILTER (WHERE s.stands = 'met')
                     / nullif(count(*) FILTER (WHERE s.stands IN ('met', 'breached')), 0)::numeric, 6)::float8 AS kept
        FROM sla_clock k JOIN conversation c ON c.workspace_id = k.workspace_id AND c.id = k.conversation_id {figures.split}
        CROSS JOIN LATERAL (SELECT {stands} AS stands) s
        WHERE {figures.conditions()} GROUP BY 1, 2, 3
    """
    found = await connection.fetch(f"SELECT * FROM ({inner}) f ORDER BY at, key NULLS FIRST, metric", *figures.values)
    return [dict(row) for row in found]


async def workload(connection: asyncpg.Connection, since: datetime, until: datetime) -> dict[str, list[dict[str, Any]]]:
    """Who has how much to do now, and did in the period: `queues` and `agents`."""
    queues = await connection.fetch(_QUEUES)
    agents = await connection.fetch(_AGENTS, since, until)
    return {"queues": [dict(row) for row in queues], "agents": [dict(row) for row in agents]}


async def ledger_by_type(session: WriteSession, since: datetime) -> dict[tuple[str, str], int]:
    """What the hours from `since` on hold: (channel type, outcome) → count. Whoever calls it before and after adding deltas up, in
    one transaction, learns what was added: until its end nobody else of this workspace gets past here."""
    await session.execute(_ONE_AT_A_TIME)
    sums = ", ".join(f"sum(l.{name})::bigint AS {name}" for name in COUNTS)
    found = await session.execute(
        text(
            f"SELECT c.type AS channel_type, {sums} FROM channel c JOIN ledger_hour l "
            "ON l.workspace_id = c.workspace_id AND l.channel_id = c.id AND l.hour >= :since GROUP BY c.type"
        ),  # names of our own columns
        {"since": since},
    )
    return {(row.channel_type, name): int(getattr(row, name)) for row in found for name in COUNTS}


async def _rows(
    connection: asyncpg.Connection, figures: _Figures, inner: str, period: Period, counts: Sequence[str],
    others: Sequence[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    statement = figures.filled(inner, counts, others, period.by is not None)
    found = await connection.fetch(statement, *figures.values)
    return [dict(row) for row in found]


_ONE_AT_A_TIME = text(
    "SELECT pg_advisory_xact_lock(hashtext('ledger figures'), hashtext(current_setting('app.workspace_id', true)))"
)
_QUEUES = """
    SELECT q.id, q.name, count(c.id) FILTER (WHERE c.status = 'open' AND c.assignee_id IS NULL)::int AS waiting,
           count(c.id) FILTER (WHERE c.status = 'open' AND c.assignee_id IS NOT NULL)::int AS assigned,
           count(c.id) FILTER (WHERE c.status = 'pending')::int AS pending,
           count(c.id) FILTER (WHERE c.status = 'snoozed')::int AS snoozed,
           min(c.waiting_since) FILTER (WHERE c.status = 'open' AND c.assignee_id IS NULL) AS waiting_since,
           min(c.next_deadline_at) FILTER (WHERE c.status = 'open') AS next_deadline_at
    FROM queue q LEFT JOIN conversation c
        ON c.workspace_id = q.workspace_id AND c.queue_id = q.id AND c.status IN ('open', 'pending', 'snoozed')
    GROUP BY q.id, q.name, q.position ORDER BY q.position, q.id
"""
_AGENTS = """
    SELECT g.id, g.name, g.presence, g.capacity,
           (SELECT count(*) FROM conversation c WHERE c.assignee_id = g.id AND c.status = 'open')::int AS open,
           (SELECT count(*) FROM conversation c WHERE c.assignee_id = g.id AND c.status = 'pending')::int AS pending,
           (SELECT count(*) FROM conversation c
            WHERE c.assignee_id = g.id AND c.resolved_at >= $1 AND c.resolved_at < $2)::int AS resolved,
           (SELECT count(*) FROM reply r WHERE r.agent_id = g.id AND r.sent_at >= $1 AND r.sent_at < $2)::int AS replies
    FROM agent g ORDER BY g.name, g.id
"""
