"""Mentions whose venue lets us keep their words for a time only: found by channel, blanked in bounded batches."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from shared.kit.database import WriteSession
from shared.kit.ids import first_id_at
from shared.store.forgetting import kept_elsewhere


@dataclass(frozen=True, slots=True)
class Expiring:
    """A channel whose kind of venue sets a term, in days after a mention came in."""

    channel_id: UUID
    store_days: int


async def expiring(session: WriteSession, workspace_id: UUID) -> list[Expiring]:
    """The channels of a workspace, paused ones too, whose mentions may be kept for a time only."""
    rows = await session.execute(_CHANNELS, {"w": workspace_id})
    return [Expiring(row.id, row.store_days) for row in rows]


async def blank(session: WriteSession, workspace_id: UUID, of: Expiring, now: datetime, limit: int) -> int:
    """Takes the words, media and payload from the next `limit` mentions of a channel that are over their term: from the mention,
    its former versions, its findings, the subject that it gave its conversation, and all that told of it. The mention itself and
    what is counted of it stay. Returns how many there were."""
    given = {
        "w": workspace_id, "c": of.channel_id, "limit": limit, "now": now,
        "until": first_id_at(now - timedelta(days=of.store_days)),
    }  # fmt: skip
    return int((await session.execute(_BLANK, given)).scalar_one())


_CHANNELS = text("""
    SELECT c.id, CAST(t.display_rules ->> 'store_days' AS int) AS store_days
    FROM channel c JOIN channel_type t ON t.type = c.type
    WHERE c.workspace_id = :w AND jsonb_typeof(t.display_rules -> 'store_days') = 'number'
    ORDER BY c.id
""")

# The channel remembers how far it came, so that no index of what is left is needed. Its row is locked: two that keep house do not
# do the same batch. An id is made from the moment at which the mention came in, so what comes late is never before the mark.
_BLANK = text(f"""
    WITH mark AS MATERIALIZED (
        SELECT coalesce(expired_to, CAST('00000000-0000-0000-0000-000000000000' AS uuid)) AS id
        FROM channel WHERE workspace_id = :w AND id = :c FOR UPDATE
    ), batch AS MATERIALIZED (
        SELECT m.id, m.title, m.published_at, a.conversation_id
        FROM mention m LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
        WHERE m.workspace_id = :w AND m.channel_id = :c AND m.id > (SELECT id FROM mark) AND m.id < CAST(:until AS uuid)
        ORDER BY m.id LIMIT :limit
    ), revisions AS (
        UPDATE mention_revision r SET title = NULL, text = '' FROM batch
        WHERE r.workspace_id = :w AND r.mention_id = batch.id
    ), findings AS (
        UPDATE assessment a SET findings = '{{}}', search = NULL FROM batch
        WHERE a.workspace_id = :w AND a.mention_id = batch.id
    ), subjects AS (
        UPDATE conversation c SET subject = NULL FROM batch
        WHERE c.workspace_id = :w AND c.id = batch.conversation_id AND c.subject = batch.title
    ), {kept_elsewhere("batch")}, blanked AS (
        UPDATE mention m SET title = NULL, text = '', media = NULL, raw = NULL, expired_at = :now FROM batch
        WHERE m.workspace_id = :w AND m.id = batch.id
    ), marked AS (
        UPDATE channel SET expired_to = (SELECT id FROM batch ORDER BY id DESC LIMIT 1)
        WHERE workspace_id = :w AND id = :c AND EXISTS (SELECT 1 FROM batch)
    )
    SELECT count(*) FROM batch
""")
