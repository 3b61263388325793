"""Mentions and what makes them unique: written in bulk, changed one by one when their author edits or deletes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit import ids
from shared.kit.database import WriteSession, page


class NewMention(NamedTuple):
    """A mention of a page, with its key's `digest`. `answer` is the place of what may be answered in `Page.answers`;
    `engagement` and `media` are JSON."""

    id: UUID
    external_id: str
    kind: str
    visibility: str
    permalink: str | None
    author_id: UUID | None
    title: str | None
    text: str
    lang: str | None
    published_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    root_external_id: str | None
    parent_external_id: str | None
    rating: float | None
    engagement: str | None
    reach: int | None
    media: str | None
    country: str | None
    raw: bytes | None
    digest: bytes
    answer: int


@dataclass(frozen=True, slots=True)
class Page:
    """What the mentions of a page have in common. `answers` are JSON (reply rules worked out), each once."""

    channel_id: UUID
    channel_type: str
    scope: str
    received_at: datetime
    answers: Sequence[str]


# The columns as they are sent, with their types.
_SENT: Mapping[str, str] = {
    "id": "uuid", "external_id": "text", "kind": "text", "visibility": "text", "permalink": "text", "author_id": "uuid",
    "title": "text", "text": "text", "lang": "text", "published_at": "timestamptz", "edited_at": "timestamptz",
    "deleted_at": "timestamptz", "root_external_id": "text", "parent_external_id": "text", "rating": "float8",
    "engagement": "jsonb", "reach": "bigint", "media": "jsonb", "country": "text", "raw": "bytea", "digest": "bytea",
    "answer": "int",
}  # fmt: skip
_OF_MENTION = ", ".join(name for name in _SENT if name not in ("digest", "answer"))

# A page is copied in whole, which no table under row-level security takes; so it passes through a table of the connection's
# own, which is empty again at the end of each transaction. Measured twice as quick as a page sent as JSON or as arrays.
_PAGE = f"""
    CREATE TEMP TABLE IF NOT EXISTS intake_page ({", ".join(f"{name} {type_}" for name, type_ in _SENT.items())})
    ON COMMIT DELETE ROWS
"""

# The key first: only what it let in becomes a mention, so that a mention is stored once whoever sends it again.
_ADD = f"""
    WITH new AS (
        INSERT INTO mention_key (workspace_id, channel_type, scope, external_id, mention_id, digest)
        SELECT $1, $3, $4, external_id, id, digest FROM intake_page
        ON CONFLICT DO NOTHING RETURNING mention_id
    ),
    stored AS (
        INSERT INTO mention (workspace_id, channel_id, channel_type, received_at, reply, {_OF_MENTION})
        SELECT $1, $2, $3, $5, ($6::jsonb[])[answer + 1], {_OF_MENTION}
        FROM intake_page WHERE id IN (SELECT mention_id FROM new)
    )
    SELECT mention_id FROM new
"""  # names of our own columns

_KNOWN = text("""
    SELECT k.external_id, k.mention_id, k.digest
    FROM unnest(CAST(:external_ids AS text[])) AS u(external_id)
    JOIN mention_key k ON k.workspace_id = :workspace_id AND k.channel_type = :channel_type AND k.scope = :scope
        AND k.external_id = u.external_id
""")


async def add_many(session: WriteSession, workspace_id: UUID, of: Page, mentions: Sequence[NewMention]) -> set[UUID]:
    """Stores mentions of a page that are not known yet. Returns the ids that were new."""
    if not mentions:
        return set()
    connection = await page(session, "intake_page", _PAGE)
    # one order for all, so that two who store the same mentions wait for each other and do not lock
    rows = sorted(mentions, key=attrgetter("external_id"))
    await connection.copy_records_to_table("intake_page", records=rows, columns=list(_SENT))
    stored = await connection.fetch(
        _ADD, workspace_id, of.channel_id, of.channel_type, of.scope, of.received_at, of.answers
    )
    return {row[0] for row in stored}


async def known(
    session: WriteSession, workspace_id: UUID, channel_type: str, scope: str, external_ids: Sequence[str]
) -> dict[str, tuple[UUID, bytes]]:
    """Which of these are stored: external id → (mention, digest of what it said)."""
    found = await session.execute(
        _KNOWN,
        {
            "workspace_id": workspace_id,
            "channel_type": channel_type,
            "scope": scope,
            "external_ids": list(external_ids),
        },
    )
    return {row.external_id: (row.mention_id, bytes(row.digest)) for row in found}


_EDIT = text("""
    WITH former AS (
        INSERT INTO mention_revision (workspace_id, id, mention_id, title, text, seen_at)
        SELECT workspace_id, CAST(:revision AS uuid), id, title, text, CAST(:seen_at AS timestamptz) FROM mention
        WHERE workspace_id = :w AND id = :m AND deleted_at IS NULL AND expired_at IS NULL FOR UPDATE
        RETURNING mention_id
    ),
    changed AS (
        UPDATE mention m
        SET title = :title, text = :text, edited_at = :edited_at, rating = coalesce(CAST(:rating AS float8), m.rating), raw = :raw
        FROM former WHERE m.workspace_id = :w AND m.id = former.mention_id
        RETURNING m.id, m.channel_type, m.external_id
    )
    UPDATE mention_key k SET digest = :digest FROM changed
    WHERE k.workspace_id = :w AND k.channel_type = changed.channel_type AND k.external_id = changed.external_id
        AND k.mention_id = changed.id
    RETURNING k.mention_id
""")


async def edit(
    session: WriteSession,
    workspace_id: UUID,
    mention_id: UUID,
    changed: Mapping[str, Any],
    digest: bytes,
    seen_at: datetime,
) -> bool:
    """Puts what its author made of it in its place (title, text, edited_at, rating, raw); what it said before stays as a
    revision. False where it was deleted, or may be kept no longer: neither a late repeat nor an edit brings it back."""
    found = await session.execute(
        _EDIT,
        {"w": workspace_id, "m": mention_id, "revision": ids.new_id(), "seen_at": seen_at, "digest": digest, **changed},
    )
    return found.first() is not None


async def delete_at_venue(session: WriteSession, workspace_id: UUID, mention_id: UUID, deleted_at: datetime) -> bool:
    """Notes that it is gone at its venue. False where that was known."""
    found = await session.execute(
        text(
            "UPDATE mention SET deleted_at = :at WHERE workspace_id = :w AND id = :m AND deleted_at IS NULL RETURNING id"
        ),
        {"w": workspace_id, "m": mention_id, "at": deleted_at},
    )
    return found.first() is not None


_PUT = text("""
    WITH changed AS (
        UPDATE mention m SET deleted_at = NULL, edited_at = :edited_at, author_id = coalesce(CAST(:author_id AS uuid), m.author_id),
            kind = :kind, published_at = :published_at, engagement = coalesce(CAST(:engagement AS jsonb), m.engagement),
            visibility = CASE WHEN m.visibility = 'private' THEN m.visibility ELSE :visibility END,
            permalink = coalesce(:permalink, m.permalink), title = :title, text = :text, lang = :lang,
            root_external_id = :root_external_id, parent_external_id = :parent_external_id, rating = CAST(:rating AS float8),
            media = CAST(:media AS jsonb), raw = :raw, reply = CAST(:answer AS jsonb)
        WHERE m.workspace_id = :w AND m.id = :id AND (m.deleted_at IS NOT NULL) = :deleted AND m.expired_at IS NULL
        RETURNING m.id, m.channel_type, m.external_id
    )
    UPDATE mention_key k SET digest = :digest FROM changed
    WHERE k.workspace_id = :w AND k.channel_type = changed.channel_type AND k.external_id = changed.external_id
        AND k.mention_id = changed.id
    RETURNING k.mention_id
""")


async def restore(
    session: WriteSession, workspace_id: UUID, mention_id: UUID, mention: NewMention, answer: str, edited_at: datetime
) -> bool:
    """Puts a mention that was deleted at its venue back, as it stands there now. `mention` says what it is, `mention_id` the id
    that it has with us, `answer` (JSON) what may be answered. False where it was not deleted, or may be kept no longer."""
    return await _put(session, workspace_id, mention_id, mention, answer=answer, edited_at=edited_at, deleted=True)


async def complete(
    session: WriteSession, workspace_id: UUID, mention_id: UUID, mention: NewMention, answer: str
) -> bool:
    """The same for a mention that came as ids only, and is whole now. False where it was deleted meanwhile."""
    return await _put(
        session, workspace_id, mention_id, mention, answer=answer, edited_at=mention.edited_at, deleted=False
    )


async def _put(session: WriteSession, workspace_id: UUID, mention_id: UUID, mention: NewMention, **more: Any) -> bool:
    told = dict(zip(_SENT, mention, strict=True))
    found = await session.execute(_PUT, {**told, **more, "id": mention_id, "w": workspace_id})
    return found.first() is not None


async def as_it_came(session: WriteSession, workspace_id: UUID, mention_id: UUID) -> Mapping[str, Any] | None:
    """What a channel needs to ask for a mention again (`channel_id`, and fields as they come in); None where it is deleted or
    gone."""
    found = await session.execute(
        text(
            "SELECT channel_id, external_id, kind, visibility, permalink, title, text, published_at, "
            "root_external_id AS thread_id, parent_external_id AS in_reply_to, raw FROM mention "
            "WHERE workspace_id = :w AND id = :m AND deleted_at IS NULL AND expired_at IS NULL"
        ),
        {"w": workspace_id, "m": mention_id},
    )
    row = found.one_or_none()
    return None if row is None else dict(row._mapping)


async def for_triage(connection: asyncpg.Connection, mention_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """What triage reads of mentions: the text, where it came from, who wrote it."""
    return await connection.fetch(
        """
        SELECT m.id, m.channel_id, m.channel_type, m.external_id, m.kind, m.visibility, m.permalink, m.author_id, m.title, m.text,
               m.lang, m.published_at, m.received_at, m.edited_at, m.deleted_at, m.root_external_id, m.parent_external_id,
               m.rating, m.reach, m.media, m.country, c.owned, c.thread_mode, c.name AS channel_name,
               w.external_id AS author_external_id, w.handle, w.name AS author_name, w.followers, w.following, w.verified,
               w.account_created_at, w.labels, w.contact_id, a.conversation_id AS already_in, a.mention_id IS NOT NULL AS assessed,
               a.disposition = 'dismissed' AND EXISTS (
                   SELECT FROM correction k WHERE k.workspace_id = m.workspace_id AND k.mention_id = m.id
                   AND k.finding IN ('relevance', 'spam')) AS set_aside
        FROM mention m
        JOIN channel c ON c.workspace_id = m.workspace_id AND c.id = m.channel_id
        LEFT JOIN author w ON w.workspace_id = m.workspace_id AND w.id = m.author_id
        LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
        WHERE m.id = ANY($1)
        """,
        list(mention_ids),
    )
