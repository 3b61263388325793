"""What triage found: written in bulk beside the mention, with the words to search by; and what it asks of the past."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Row, text

from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.rules.post_links import handle_in
from shared.store import heads
from shared.store.sending import as_json, recordset

_COLUMNS: Mapping[str, str] = {
    "mention_id": "uuid", "conversation_id": "uuid", "disposition": "text", "dismissed_because": "text", "duplicate_of": "uuid",
    "lang": "text", "sentiment": "text", "sentiment_score": "float8", "intent": "text", "urgency": "text", "priority": "text",
    "priority_score": "float8", "issue_keys": "text[]", "brand_ids": "uuid[]", "query_ids": "uuid[]", "findings": "jsonb",
    "failed_stages": "text[]", "text_hash": "bytea", "pipeline_version": "text", "triaged_at": "timestamptz", "words": "text",
}  # fmt: skip
_NAMES = [("search" if name == "words" else name) for name in _COLUMNS]

# The columns that a person's word against a finding (its name in `findings`) holds in place.
_CORRECTED: Mapping[str, tuple[str, ...]] = {
    "language": ("lang",), "sentiment": ("sentiment", "sentiment_score"), "intent": ("intent",), "urgency": ("urgency",),
    "priority": ("priority",), "issues": ("issue_keys",), "relevance": ("disposition", "dismissed_because"),
    "spam": ("disposition", "dismissed_because"),
}  # fmt: skip
_SAID_OF = {
    column: [finding for finding, columns in _CORRECTED.items() if column in columns]
    for column in dict.fromkeys(column for columns in _CORRECTED.values() for column in columns)
}


def _kept(name: str) -> str:
    """What a column becomes where a mention is read anew: what is found now, except where a person has said otherwise."""
    if name == "conversation_id":
        return "coalesce(a.conversation_id, excluded.conversation_id)"
    if name == "findings":
        return (
            "excluded.findings || coalesce((SELECT jsonb_object_agg(f.name, a.findings -> f.name) FROM (SELECT DISTINCT c.finding "
            "AS name FROM correction c WHERE c.workspace_id = a.workspace_id AND c.mention_id = a.mention_id) f), '{}')"
        )
    if said := _SAID_OF.get(name):
        return (
            "CASE WHEN EXISTS (SELECT FROM correction c WHERE c.workspace_id = a.workspace_id AND c.mention_id = a.mention_id "
            f"AND c.finding IN ({', '.join(repr(one) for one in said)})) THEN a.{name} ELSE excluded.{name} END"
        )
    return f"excluded.{name}"


_KEEP = text(f"""
    INSERT INTO assessment AS a (workspace_id, {", ".join(_NAMES)})
    SELECT :workspace_id, {", ".join("to_tsvector('simple', u.words)" if name == "words" else f"u.{name}" for name in _COLUMNS)}
    FROM {recordset(_COLUMNS)}
    ON CONFLICT (workspace_id, mention_id) DO UPDATE
    SET {", ".join(f"{name} = {_kept(name)}" for name in _NAMES if name != "mention_id")}
""")  # names of our own columns and findings


async def keep_many(session: WriteSession, workspace_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Stores what was found of mentions, or what is found anew after an edit; a person's corrections stand. `words` is the folded
    text that search looks in."""
    if rows:
        await session.execute(_KEEP, {"workspace_id": workspace_id, "rows": as_json(rows)})


async def briefing_version(connection: asyncpg.Connection) -> str:
    """Changes whenever anything changes that the stages are told about a workspace."""
    return str(
        await connection.fetchval(
            """
            SELECT md5(string_agg(part, ',')) FROM (
                SELECT 'b' || count(*) || coalesce(max(updated_at)::text, '') AS part FROM brand
                UNION ALL SELECT 'q' || count(*) || coalesce(max(updated_at)::text, '') FROM query
                UNION ALL SELECT 'i' || count(*) || coalesce(max(updated_at)::text, '') FROM issue_type
                UNION ALL SELECT 'h' || coalesce(string_agg(id::text, '' ORDER BY question), '') FROM head WHERE state = 'active'
                UNION ALL SELECT 'a' || coalesce(string_agg(name, ',' ORDER BY id), '') FROM agent
                UNION ALL SELECT 'w' || coalesce(max(updated_at)::text, '') FROM workspace) p
            """
        )
    )


async def briefing_facts(connection: asyncpg.Connection) -> dict[str, list[asyncpg.Record]]:
    """What the stages are told about a workspace: its settings, brands, active queries, issue types, heads and agents' names."""
    return {
        "workspace": await connection.fetch("SELECT settings FROM workspace"),
        "brands": await connection.fetch(
            "SELECT id, name, aliases, product_lines, handles, excluded FROM brand ORDER BY id"
        ),
        "queries": await connection.fetch(
            "SELECT id, name, text, brand_id, languages, channel_types FROM query WHERE status = 'active' ORDER BY id"
        ),
        "issue_types": await connection.fetch(
            "SELECT key, name, severity, phrases, unless, parent_key FROM issue_type WHERE status = 'active' ORDER BY key"
        ),
        "heads": await heads.weights_in_force(connection),
        "agents": await connection.fetch("SELECT name FROM agent ORDER BY id"),
    }


async def texts_between(connection: asyncpg.Connection, after: UUID, up_to: UUID, limit: int) -> list[asyncpg.Record]:
    """The newest mentions after an id up to another, oldest first: what look-alikes are sought among."""
    return await connection.fetch(
        """
        SELECT * FROM (
            SELECT m.id, left(m.text, 20000) AS text, m.channel_type, m.published_at, m.permalink, m.kind, w.external_id AS author,
                   w.handle
            FROM mention m LEFT JOIN author w ON w.workspace_id = m.workspace_id AND w.id = m.author_id
            WHERE m.id > $1 AND m.id <= $2 AND m.deleted_at IS NULL ORDER BY m.id DESC LIMIT $3) newest
        ORDER BY id
        """,
        after, up_to, limit,
    )  # fmt: skip


async def same_texts(connection: asyncpg.Connection, hashes: Sequence[bytes]) -> list[asyncpg.Record]:
    """For each hash, the first few mentions that say exactly the same."""
    return await connection.fetch(
        """
        SELECT h.hash AS text_hash, m.id, left(m.text, 20000) AS text, m.channel_type, m.published_at, m.permalink, m.kind,
               w.external_id AS author, w.handle
        FROM unnest($1::bytea[]) AS h(hash)
        CROSS JOIN LATERAL (
            SELECT mention_id FROM assessment WHERE text_hash = h.hash ORDER BY mention_id LIMIT 5) a
        JOIN mention m ON m.id = a.mention_id
        LEFT JOIN author w ON w.workspace_id = m.workspace_id AND w.id = m.author_id
        """,
        list(hashes),
    )


async def entities(
    connection: asyncpg.Connection, mention_ids: Sequence[UUID], pipeline_version: str
) -> dict[UUID, list[dict[str, Any]]]:
    """What each of these mentions names, where this pipeline found it."""
    rows = await connection.fetch(
        """
        SELECT mention_id, findings -> 'entities' AS entities FROM assessment
        WHERE mention_id = ANY($1) AND pipeline_version = $2 AND jsonb_typeof(findings -> 'entities') = 'array'
        """,
        list(mention_ids), pipeline_version,
    )  # fmt: skip
    return {row["mention_id"]: orjson.loads(row["entities"]) for row in rows}


async def posts_at_venues(connection: asyncpg.Connection, posts: Sequence[tuple[str, str]]) -> list[asyncpg.Record]:
    """Those of these posts (channel type, external id) that are stored, as their venues' own channels brought them; by the id that
    was asked for. A handle in the place of an account is that of an author we know."""
    return await connection.fetch(
        """
        SELECT u.external_id, m.id, left(m.text, 20000) AS text, m.channel_type, m.published_at, m.permalink, m.kind,
               w.external_id AS author, w.handle
        FROM unnest($1::text[], $2::text[], $3::text[]) AS u(channel_type, external_id, handle)
        LEFT JOIN author n ON n.channel_type = u.channel_type AND n.handle_folded = u.handle
        JOIN mention_key k ON k.channel_type = u.channel_type AND k.scope = ''
            AND k.external_id = coalesce(replace(u.external_id, u.handle, n.external_id), u.external_id)
        JOIN mention m ON m.id = k.mention_id
        LEFT JOIN author w ON w.workspace_id = m.workspace_id AND w.id = m.author_id
        """,
        [channel_type for channel_type, _ in posts], [external_id for _, external_id in posts],
        [handle_in(external_id) for _, external_id in posts],
    )  # fmt: skip


async def author_history(connection: asyncpg.Connection, author_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Of authors: when they last posted (at most 20, newest first) and how often they asked without an answer so far."""
    return await connection.fetch(
        """
        SELECT u.author_id, p.posts, coalesce(c.unanswered, 0)::int AS unanswered
        FROM (SELECT DISTINCT unnest($1::uuid[]) AS author_id) u
        CROSS JOIN LATERAL (
            SELECT array_agg(t.published_at) AS posts FROM (
                SELECT published_at FROM mention WHERE author_id = u.author_id ORDER BY id DESC LIMIT 20) t) p
        LEFT JOIN LATERAL (
            SELECT sum(messages) AS unanswered FROM conversation
            WHERE author_id = u.author_id AND status IN ('open', 'pending', 'snoozed') AND first_replied_at IS NULL) c ON true
        """,
        list(author_ids),
    )


async def going_on(connection: asyncpg.Connection, mention_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these mentions go on with a conversation of ours: they answer a reply that we posted, or are by its customer,
    in its thread or in answer to a turn of it."""
    rows = await connection.fetch(
        """
        SELECT m.id FROM mention m
        WHERE m.id = ANY($1) AND (
            EXISTS (SELECT 1 FROM reply r WHERE r.workspace_id = m.workspace_id AND r.channel_id = m.channel_id
                    AND r.external_id = m.parent_external_id)
            OR EXISTS (SELECT 1 FROM conversation c WHERE c.workspace_id = m.workspace_id AND c.thread_key =
                       'thread:' || m.channel_id || ':' || m.author_id || ':' || coalesce(m.root_external_id, m.external_id))
            OR EXISTS (SELECT 1 FROM mention_key k
                       JOIN assessment a ON a.workspace_id = k.workspace_id AND a.mention_id = k.mention_id
                       JOIN conversation c ON c.workspace_id = a.workspace_id AND c.id = a.conversation_id
                       WHERE k.workspace_id = m.workspace_id AND k.channel_type = m.channel_type
                       AND k.external_id = m.parent_external_id AND c.channel_id = m.channel_id AND c.author_id = m.author_id))
        """,
        list(mention_ids),
    )  # fmt: skip
    return {row["id"] for row in rows}


async def thread_pace(
    connection: asyncpg.Connection, channel_ids: Sequence[UUID], roots: Sequence[str]
) -> dict[str, int]:
    """How many mentions came into each thread within the last hour: root's external id → count."""
    rows = await connection.fetch(
        """
        SELECT root_external_id, count(*)::int AS n FROM mention
        WHERE channel_id = ANY($1) AND root_external_id = ANY($2) AND id > $3 GROUP BY root_external_id
        """,
        list(channel_ids), list(roots), _an_hour_ago(),
    )  # fmt: skip
    return {row["root_external_id"]: row["n"] for row in rows}


async def review_pace(
    connection: asyncpg.Connection, channel_ids: Sequence[UUID]
) -> dict[UUID, tuple[int, float | None]]:
    """Reviews of each channel: how many within the last day, and how many on a usual day of the fortnight before."""
    rows = await connection.fetch(
        """
        SELECT channel_id, count(*) FILTER (WHERE published_at > now() - interval '1 day')::int AS last_day,
               count(*) FILTER (WHERE published_at <= now() - interval '1 day') / 14.0 AS usual
        FROM mention WHERE channel_id = ANY($1) AND kind = 'review' AND published_at > now() - interval '15 days'
        GROUP BY channel_id
        """,
        list(channel_ids),
    )
    return {row["channel_id"]: (row["last_day"], float(row["usual"]) or None) for row in rows}


async def quarantine(
    session: WriteSession, workspace_id: UUID, mention_id: UUID, reason: str, attempts: int
) -> Row[Any] | None:
    """Sets a mention aside that triage cannot read. Returns its channel and when it was received; None if it already was."""
    found = await session.execute(
        text("""
            WITH put AS (
                INSERT INTO quarantine (workspace_id, id, mention_id, reason, attempts, quarantined_at)
                VALUES (:w, :id, :m, :reason, :attempts, now())
                ON CONFLICT (workspace_id, mention_id) DO NOTHING RETURNING mention_id)
            SELECT m.channel_id, m.received_at FROM mention m JOIN put ON put.mention_id = m.id WHERE m.workspace_id = :w
        """),
        {"w": workspace_id, "m": mention_id, "reason": reason, "attempts": attempts, "id": ids.new_id()},
    )
    return found.one_or_none()


def _an_hour_ago() -> UUID:
    return ids.first_id_at(clock.now() - timedelta(hours=1))
