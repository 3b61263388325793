"""What people said in a period, counted and taken out: by day, by issue, with the words and the places where they stand.

Mentions are those that were understood, by `published_at` from `since` to before `until`, neither deleted nor dismissed unless
it is said otherwise. A mention's id is made from the moment we received it, which is hardly ever before it was published, so
an id gives the lower bound and whole months are skipped.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from shared.kit.ids import first_id_at
from shared.models.facts import MentionEdited, MentionReceived

READ = 5_000
"""So many code points of a text are taken out."""
_SLACK = timedelta(days=1)
"""A venue's clock may run ahead of ours, so a mention may have been received a little before it was published."""

# $1 the smallest id, $2 since, $3 until. The bound stands twice because it is each table's own partitions that it skips.
_HEARD = """
    mention m JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id {more}
    WHERE m.id >= $1 AND a.mention_id >= $1 AND m.published_at >= $2 AND m.published_at < $3 AND m.deleted_at IS NULL
"""
_COUNTED = _HEARD + " AND a.disposition <> 'dismissed'"
# A copy of a copy counts with the first of them; triage links to the likest, which rarely is a third.
_FIRST = "LEFT JOIN assessment o ON o.workspace_id = a.workspace_id AND o.mention_id = a.duplicate_of"
_ROOT = "coalesce(o.duplicate_of, a.duplicate_of, a.mention_id)"
# What is not known to be free of personal data is not shown.
_SHOWABLE = "AND NOT 'pii' = ANY(a.failed_stages)"
# The last digits of an id are chance: an order by them is the same every time and favours no hour.
_DRAWN = "right({id}::text, 12), {id}"

_WHAT: Mapping[str, tuple[str, str, str]] = {
    "channel_type": ("m.channel_type", "", "count(*)"),
    "sentiment": ("a.sentiment", "", "count(*)"),
    "brand": ("b.name", "JOIN brand b ON b.workspace_id = a.workspace_id AND b.id = ANY(a.brand_ids)", "count(*)"),
    "issue": ("k.key", f"{_FIRST} CROSS JOIN LATERAL unnest(a.issue_keys) AS k(key)", f"count(DISTINCT {_ROOT})"),
}


async def workspace(connection: asyncpg.Connection) -> asyncpg.Record:
    """The workspace's `name` and `timezone`, and `first_received_at`: when its first mention came in, if one did."""
    found = await connection.fetchrow(
        "SELECT name, timezone, (SELECT received_at FROM mention ORDER BY id LIMIT 1) AS first_received_at FROM workspace"
    )
    assert found is not None, "a desk stands in a workspace that exists"
    return found


async def by_day(
    connection: asyncpg.Connection,
    what: Literal["channel_type", "brand", "sentiment", "issue"],
    since: datetime,
    until: datetime,
    zone: str,
) -> list[asyncpg.Record]:
    """`day` of `zone`, `name` (a brand's name, an issue's key; null where the mention has none) and `count`. A mention of two
    brands or issues counts for both; of an issue, copies and reposts count once a day."""
    name, join, count = _WHAT[what]
    return await connection.fetch(
        f"""
        SELECT (m.published_at AT TIME ZONE $4)::date AS day, {name} AS name, ({count})::int AS count
        FROM {_COUNTED.format(more=join)} GROUP BY 1, 2 ORDER BY 1, 2
        """,
        _first(since), since, until, zone,
    )  # fmt: skip


async def counts(
    connection: asyncpg.Connection, what: Literal["disposition", "language"], since: datetime, until: datetime
) -> list[asyncpg.Record]:
    """`name` and `count`, the most frequent first; of dispositions the dismissed are counted too. A language that nobody could
    tell is `unknown`."""
    name, where = (
        ("a.disposition", _HEARD) if what == "disposition" else ("coalesce(a.lang, m.lang, 'unknown')", _COUNTED)
    )
    return await connection.fetch(
        f"SELECT {name} AS name, count(*)::int AS count FROM {where.format(more='')} GROUP BY 1 ORDER BY 2 DESC, 1",
        _first(since), since, until,
    )  # fmt: skip


async def brand_names(connection: asyncpg.Connection) -> list[str]:
    """Names and aliases of all brands."""
    rows = await connection.fetch("SELECT array_prepend(name, aliases) AS names FROM brand ORDER BY name")
    return [name for row in rows for name in row["names"]]


async def issue_types(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """`key`, `name`, `severity` and `playbook_id` of all issue types; of several playbooks for a key the first by name where the
    issue type names none."""
    return await connection.fetch(
        """
        SELECT t.key, t.name, t.severity, coalesce(
                   t.playbook_id, (SELECT p.id FROM playbook p WHERE p.issue_key = t.key ORDER BY p.name LIMIT 1)) AS playbook_id
        FROM issue_type t ORDER BY t.key
        """
    )


async def issue_totals(connection: asyncpg.Connection, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """`key`, `count` (copies and reposts once) and `reach` (each author's widest mention once) of the issues that have mentions.

    A repost that was dismissed says nothing new, but it was heard: it counts for the reach of the issues of its original.
    """
    return await connection.fetch(
        f"""
        WITH said AS (
            SELECT k.key, {_ROOT} AS root, coalesce(m.author_id, m.id) AS who, coalesce(m.reach, 0) AS reach,
                   a.disposition = 'dismissed' AS passed_on
            FROM mention m JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id {_FIRST}
            CROSS JOIN LATERAL unnest(CASE WHEN a.disposition = 'dismissed' THEN o.issue_keys ELSE a.issue_keys END) AS k(key)
            WHERE m.id >= $1 AND a.mention_id >= $1 AND m.published_at >= $2 AND m.published_at < $3 AND m.deleted_at IS NULL
              AND (a.disposition <> 'dismissed' OR o.disposition <> 'dismissed')
        ), widest AS (SELECT key, sum(reach)::bigint AS reach FROM (
            SELECT key, who, max(reach) AS reach FROM said GROUP BY 1, 2) each GROUP BY 1)
        SELECT s.key, (count(DISTINCT s.root) FILTER (WHERE NOT s.passed_on))::int AS count, w.reach
        FROM said s JOIN widest w ON w.key = s.key GROUP BY s.key, w.reach
        HAVING bool_or(NOT s.passed_on) ORDER BY s.key
        """,
        _first(since), since, until,
    )  # fmt: skip


_TAKEN_OUT = f"""
    m.id, left(m.text, {READ}) AS text, m.published_at, coalesce(a.lang, m.lang) AS lang, m.author_id, m.channel_type,
    coalesce(m.reach, 0)::bigint AS reach, a.findings -> 'issues' AS issues, a.findings -> 'pii' AS pii, a.duplicate_of
"""


async def issue_mentions(
    connection: asyncpg.Connection, keys: Collection[str], since: datetime, until: datetime, limit: int
) -> list[asyncpg.Record]:
    """Up to `limit` mentions of each key, originals before copies: `key`, what `_TAKEN_OUT` names, with the findings of issues and
    of personal data as JSON text. Where there are more, which ones is drawn, the same every time."""
    return await connection.fetch(
        f"""
        WITH said AS (
            SELECT k.key, a.mention_id, row_number() OVER (
                       PARTITION BY k.key ORDER BY a.duplicate_of IS NOT NULL, {_DRAWN.format(id="a.mention_id")}) AS place
            FROM {_COUNTED.format(more="CROSS JOIN LATERAL unnest(a.issue_keys) AS k(key)")}
              AND a.issue_keys && $4::text[] AND k.key = ANY($4) {_SHOWABLE}
        )
        SELECT s.key, {_TAKEN_OUT} FROM said s JOIN mention m ON m.id = s.mention_id
        JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
        WHERE s.place <= $5 ORDER BY s.key, m.published_at, m.id
        """,
        _first(since), since, until, list(keys), limit,
    )  # fmt: skip


async def other_mentions(
    connection: asyncpg.Connection, since: datetime, until: datetime, limit: int
) -> list[asyncpg.Record]:
    """Up to `limit` mentions without any issue, as `issue_mentions` tells them; where there are more, they are drawn."""
    return await connection.fetch(
        f"""
        WITH said AS (
            SELECT a.mention_id FROM {_COUNTED.format(more="")} AND a.issue_keys = '{{}}' {_SHOWABLE}
            ORDER BY {_DRAWN.format(id="a.mention_id")} LIMIT $4)
        SELECT {_TAKEN_OUT} FROM said s JOIN mention m ON m.id = s.mention_id
        JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id ORDER BY m.published_at, m.id
        """,
        _first(since), since, until, limit,
    )  # fmt: skip


async def permalinks(connection: asyncpg.Connection, mention_ids: Collection[UUID]) -> dict[UUID, str]:
    """The addresses of those that everybody may read and that have one."""
    rows = await connection.fetch(
        "SELECT id, permalink FROM mention WHERE id = ANY($1) AND visibility = 'public' AND permalink IS NOT NULL",
        list(mention_ids),
    )
    return {row["id"]: row["permalink"] for row in rows}


async def waiting(connection: asyncpg.Connection, since: datetime, until: datetime) -> int:
    """How many mentions of that time are not understood yet, or have to be read anew."""
    kinds: Sequence[str] = (MentionReceived.type, MentionEdited.type)
    found: int = await connection.fetchval(
        """
        SELECT count(DISTINCT m.id)::int FROM work w JOIN mention m ON m.workspace_id = w.workspace_id AND m.id = w.subject_id
        WHERE w.kind = ANY($1) AND m.published_at >= $2 AND m.published_at < $3 AND m.deleted_at IS NULL
        """,
        list(kinds), since, until,
    )  # fmt: skip
    return found


async def ledger(connection: asyncpg.Connection, since: datetime, until: datetime) -> list[asyncpg.Record]:
    """`channel` and the sums of the hours that begin from `since` to before `until`, by name."""
    names = ("received", "stored", "updated", "duplicate", "filtered", "quarantined", "rejected")
    sums = ", ".join(f"sum(l.{name})::bigint AS {name}" for name in names)
    return await connection.fetch(
        f"""
        SELECT c.name AS channel, {sums}
        FROM (SELECT channel_id, hour, {", ".join(names)} FROM ledger_hour WHERE hour >= $1 AND hour < $2
              UNION ALL SELECT channel_id, hour, {", ".join(names)} FROM ledger_delta WHERE hour >= $1 AND hour < $2) l
        JOIN channel c ON c.id = l.channel_id GROUP BY c.id, c.name ORDER BY c.name, c.id
        """,
        since, until,
    )  # fmt: skip


def _first(since: datetime) -> UUID:
    return first_id_at(since - _SLACK)
