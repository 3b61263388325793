"""Heads: their versions, the one that answers each question, and the people's words that they learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.models.head import Head, HeadState, Question

MOST_READ = 20_000
"""Characters of a text that are learned from: as many as are analysed."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a person said of a mention, or let stand. `said` is the finding's value (of issues: the keys, sorted); `corrected`
    tells a person's own word from one that somebody saw, answered and did not object to."""

    mention_id: UUID
    text: str
    title: str | None
    lang: str | None
    said: Any
    corrected: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mention of which a person's word would teach most: what was found, and how sure that is (0 to 1)."""

    mention_id: UUID
    text: str
    lang: str | None
    value: Any
    confidence: float
    why: str
    published_at: datetime


async def lock(session: WriteSession, workspace_id: UUID) -> None:
    """One change at a time to a workspace's heads: waits for the other's transaction to end."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:w, 0))"), {"w": f"webcare heads {workspace_id}"}
    )


async def next_version(session: WriteSession, workspace_id: UUID, question: Question) -> int:
    """The number of the version to be made. Call with the lock."""
    found: int = await session.scalar(
        text("SELECT coalesce(max(version), 0) + 1 FROM head WHERE workspace_id = :w AND question = :q"),
        {"w": workspace_id, "q": question},
    )
    return found


async def active(session: WriteSession, workspace_id: UUID, question: Question) -> Head | None:
    """The version that answers a question now; None where what the project ships does."""
    found = await session.execute(
        select(Head).where(
            col(Head.workspace_id) == workspace_id,
            col(Head.question) == question,
            col(Head.state) == HeadState.ACTIVE,
        )
    )
    return found.scalar_one_or_none()


async def weights_in_force(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """(question, version, weights) of the heads that answer now."""
    return await connection.fetch(
        "SELECT question, version, weights FROM head WHERE state = 'active' ORDER BY question"
    )


async def lessons(connection: asyncpg.Connection, question: Question, most: int) -> list[Lesson]:
    """What people said last of each mention, the newest `most` of them, the oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT * FROM (
            SELECT DISTINCT ON (c.mention_id) c.mention_id, left(m.text, {MOST_READ}) AS text, m.title, a.lang, c.new AS said
            FROM correction c
            JOIN mention m ON m.workspace_id = c.workspace_id AND m.id = c.mention_id
            JOIN assessment a ON a.workspace_id = c.workspace_id AND a.mention_id = c.mention_id
            WHERE c.finding = $1 AND m.deleted_at IS NULL AND m.expired_at IS NULL
            ORDER BY c.mention_id DESC, c.id DESC LIMIT $2) newest
        ORDER BY mention_id
        """,  # a number of ours
        question, most,
    )  # fmt: skip
    return [_lesson(row, corrected=True) for row in rows]


async def let_stand(connection: asyncpg.Connection, question: Question, most: int) -> list[Lesson]:
    """What triage found of mentions whose conversation people answered or settled without setting it right, the newest `most`,
    the oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT * FROM (
            SELECT a.mention_id, left(m.text, {MOST_READ}) AS text, m.title, a.lang, a.findings -> $1 AS said
            FROM assessment a
            JOIN conversation c ON c.workspace_id = a.workspace_id AND c.id = a.conversation_id
            JOIN mention m ON m.workspace_id = a.workspace_id AND m.id = a.mention_id
            WHERE (c.first_replied_at IS NOT NULL OR c.status IN ('resolved', 'closed')) AND a.findings ? $1
              AND m.deleted_at IS NULL AND m.expired_at IS NULL AND a.duplicate_of IS NULL
              AND NOT EXISTS (SELECT FROM correction o WHERE o.workspace_id = a.workspace_id AND o.mention_id = a.mention_id
                              AND o.finding = $1)
            ORDER BY a.mention_id DESC LIMIT $2) newest
        ORDER BY mention_id
        """,  # a number of ours
        question, most,
    )  # fmt: skip
    return [_lesson(row, corrected=False) for row in rows]


async def wanted(
    connection: asyncpg.Connection, question: Question, since: UUID, looked_at: int, most: int
) -> list[Wanted]:
    """Of the newest `looked_at` mentions after an id, those of which triage is the least sure, each text once; those that somebody
    set right already are left out."""
    rows = await connection.fetch(
        f"""
        SELECT * FROM (
            SELECT DISTINCT ON (coalesce(n.text_hash, n.mention_id::text::bytea)) n.*, left(m.text, {MOST_READ}) AS text,
                   m.published_at
            FROM (
                SELECT a.workspace_id, a.mention_id, a.lang, a.text_hash, coalesce(f.one -> 'value', 'null') AS value,
                       coalesce((f.one ->> 'confidence')::float8, 0.5) AS confidence, coalesce(f.one ->> 'why', '') AS why
                FROM assessment a
                CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(a.findings -> $1)
                    WHEN 'array' THEN (SELECT e FROM jsonb_array_elements(a.findings -> $1) e
                                       ORDER BY (e ->> 'confidence')::float8 LIMIT 1)
                    WHEN 'object' THEN a.findings -> $1 END AS one) f
                WHERE a.mention_id > $2 AND a.duplicate_of IS NULL AND a.findings ? $1
                  AND (a.disposition <> 'dismissed' OR $1 IN ('relevance', 'spam'))
                  AND NOT EXISTS (SELECT FROM correction c WHERE c.workspace_id = a.workspace_id
                                  AND c.mention_id = a.mention_id AND c.finding = $1)
                ORDER BY a.mention_id DESC LIMIT $3) n
            JOIN mention m ON m.workspace_id = n.workspace_id AND m.id = n.mention_id
            WHERE m.deleted_at IS NULL AND m.expired_at IS NULL
            ORDER BY coalesce(n.text_hash, n.mention_id::text::bytea), n.mention_id DESC) each_once
        ORDER BY confidence, mention_id DESC LIMIT $4
        """,  # a number of ours
        question, since, looked_at, most,
    )  # fmt: skip
    return [
        Wanted(
            row["mention_id"], row["text"], row["lang"], orjson.loads(row["value"]), row["confidence"], row["why"],
            row["published_at"],
        )
        for row in rows
    ]  # fmt: skip


def _lesson(row: asyncpg.Record, *, corrected: bool) -> Lesson:
    found = None if row["said"] is None else orjson.loads(row["said"])
    said: Any = sorted({one["value"] for one in found}) if isinstance(found, list) else (found or {}).get("value")
    return Lesson(row["mention_id"], row["text"], row["title"], row["lang"], said, corrected)


def texts_of(lessons: Sequence[Lesson]) -> list[str]:
    """Title and text together, as the stages read them."""
    return [f"{one.title}\n{one.text}" if one.title else one.text for one in lessons]
