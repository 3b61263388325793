"""Words taken away because whoever wrote them is gone from the venue: the mention stays as a tombstone, so that a late copy of it
does not come back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.kit.database import WriteSession
from shared.store.forgetting import kept_elsewhere


async def authors_of(
    session: WriteSession, workspace_id: UUID, channel_type: str, external_ids: Sequence[str]
) -> list[UUID]:
    """The authors that we know by these accounts of a kind of venue."""
    rows = await session.execute(
        text(
            "SELECT id FROM author WHERE workspace_id = :w AND channel_type = :t AND external_id = ANY(CAST(:ids AS text[]))"
        ),
        {"w": workspace_id, "t": channel_type, "ids": list(external_ids)},
    )
    return [row.id for row in rows]


async def blank(
    session: WriteSession, workspace_id: UUID, author_id: UUID, at: datetime, limit: int
) -> tuple[int, list[UUID]]:
    """Blanks up to `limit` mentions of an author (text, title, media, raw, former versions, findings, search words, and all that
    told of them) and notes them as deleted. Returns how many it found, and the ids of those that were not known as deleted before."""
    rows = (await session.execute(_BLANK, {"w": workspace_id, "a": author_id, "at": at, "limit": limit})).all()
    return len(rows), [row.id for row in rows if row.fresh]


# What was blanked has neither words nor payload: so the next batch does not find it again.
_BLANK = text(f"""
    WITH found AS (
        SELECT m.id, m.title, m.published_at, a.conversation_id, m.deleted_at IS NULL AS fresh
        FROM mention m LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
        WHERE m.workspace_id = :w AND m.author_id = :a
          AND (m.deleted_at IS NULL OR m.text <> '' OR m.title IS NOT NULL OR m.media IS NOT NULL OR m.raw IS NOT NULL)
        ORDER BY m.id LIMIT :limit FOR UPDATE OF m
    ),
    blanked AS (
        UPDATE mention m SET deleted_at = coalesce(m.deleted_at, :at), text = '', title = NULL, media = NULL, raw = NULL
        FROM found WHERE m.workspace_id = :w AND m.id = found.id
    ),
    forgotten AS (
        DELETE FROM mention_revision r USING found WHERE r.workspace_id = :w AND r.mention_id = found.id
    ),
    unfindable AS (
        UPDATE assessment s SET findings = '{{}}', search = NULL FROM found
        WHERE s.workspace_id = :w AND s.mention_id = found.id
    ),
    subjects AS (
        UPDATE conversation c SET subject = NULL FROM found
        WHERE c.workspace_id = :w AND c.id = found.conversation_id AND c.subject = found.title
    ), {kept_elsewhere("found")}
    SELECT id, fresh FROM found
""")
