"""Moderations: what they are about, those that are open on the same thing, and what carrying one needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, or_, text
from sqlmodel import col, select

from shared.kit.database import WriteSession
from shared.kit.errors import NotFound
from shared.models.moderation import Moderation, ModerationState

OPEN = (ModerationState.QUEUED, ModerationState.SENDING, ModerationState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Subject:
    """A mention or a reply that something is asked about, and what its kind of venue can do (nothing where the type was never
    published). `state` and `external_id` are the reply's; `deleted_at` says that it is gone at the venue."""

    id: UUID
    channel_id: UUID
    conversation_id: UUID | None
    channel_type: str
    title: str
    abilities: Sequence[str]
    deleted_at: datetime | None
    state: str | None = None
    external_id: str | None = None


async def mention(session: WriteSession, workspace_id: UUID, mention_id: UUID) -> Subject:
    """A mention, kept from others who would ask something about it until the transaction ends. Raises NotFound."""
    await _one_at_a_time(session, mention_id)
    row = (await session.execute(_MENTION, {"w": workspace_id, "m": mention_id})).one_or_none()
    if row is None:
        raise NotFound(f"There is no mention {mention_id}.")
    return Subject(**_shown(row))


async def reply(session: WriteSession, workspace_id: UUID, reply_id: UUID) -> Subject:
    """A reply, as `mention`. Raises NotFound."""
    await _one_at_a_time(session, reply_id)
    row = (await session.execute(_REPLY, {"w": workspace_id, "r": reply_id})).one_or_none()
    if row is None:
        raise NotFound(f"There is no reply {reply_id}.")
    return Subject(**_shown(row))


async def open_of(session: WriteSession, workspace_id: UUID, subject_id: UUID) -> list[Moderation]:
    """What is asked about a mention or a reply and not through yet, locked, the oldest first."""
    found = await session.execute(
        select(Moderation)
        .where(
            col(Moderation.workspace_id) == workspace_id,
            or_(col(Moderation.mention_id) == subject_id, col(Moderation.reply_id) == subject_id),
            col(Moderation.state).in_([state.value for state in OPEN]),
        )
        .order_by(col(Moderation.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found.scalars())


async def lock(session: WriteSession, workspace_id: UUID, moderation_id: UUID) -> Moderation:
    """The moderation, locked until the end of the transaction. Raises NotFound."""
    found = await session.execute(
        select(Moderation)
        .where(col(Moderation.workspace_id) == workspace_id, col(Moderation.id) == moderation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    moderation = found.scalar_one_or_none()
    if moderation is None:
        raise NotFound(f"There is no moderation {moderation_id}.")
    return moderation


async def post(session: WriteSession, moderation: Moderation) -> dict[str, Any] | None:
    """What stands at the venue, in the venue's ids: external_id, thread_id, author_external_id, permalink, raw. None where it is
    no longer here. Of a reply, the thread is that of the mention that it answers."""
    key = moderation.mention_id or moderation.reply_id
    statement = _POST_OF_MENTION if moderation.mention_id else _POST_OF_REPLY
    row = (await session.execute(statement, {"w": moderation.workspace_id, "id": key})).one_or_none()
    return None if row is None or row.external_id is None else dict(row._mapping)


async def set_hidden(session: WriteSession, workspace_id: UUID, mention_id: UUID, at: datetime | None) -> None:
    """Notes that a mention is hidden at its venue since `at`; None: it is shown."""
    await session.execute(
        text("UPDATE mention SET hidden_at = :at WHERE workspace_id = :w AND id = :m"),
        {"w": workspace_id, "m": mention_id, "at": at},
    )


async def _one_at_a_time(session: WriteSession, subject_id: UUID) -> None:
    # A lock of its own, not the row's: whoever carries a moderation locks that first and its mention or reply then.
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('moderation ' || CAST(:id AS text), 0))"),
        {"id": str(subject_id)},
    )


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "abilities": tuple(row.abilities or ()), "title": row.title or row.channel_type}


_MENTION = text("""
    SELECT m.id, m.channel_id, a.conversation_id, m.channel_type, t.title, t.abilities, m.deleted_at
    FROM mention m
    LEFT JOIN channel_type t ON t.type = m.channel_type
    LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
    WHERE m.workspace_id = :w AND m.id = :m
""")

_REPLY = text("""
    SELECT r.id, r.channel_id, r.conversation_id, h.type AS channel_type, t.title, t.abilities, r.deleted_at, r.state,
           r.external_id
    FROM reply r
    JOIN channel h ON h.workspace_id = r.workspace_id AND h.id = r.channel_id
    LEFT JOIN channel_type t ON t.type = h.type
    WHERE r.workspace_id = :w AND r.id = :r
""")

_POST_OF_MENTION = text("""
    SELECT m.external_id, m.root_external_id AS thread_id, a.external_id AS author_external_id, m.permalink, m.raw
    FROM mention m LEFT JOIN author a ON a.workspace_id = m.workspace_id AND a.id = m.author_id
    WHERE m.workspace_id = :w AND m.id = :id
""")

_POST_OF_REPLY = text("""
    SELECT r.external_id, coalesce(m.root_external_id, m.external_id) AS thread_id, r.permalink
    FROM reply r LEFT JOIN mention m ON m.workspace_id = r.workspace_id AND m.id = r.in_reply_to
    WHERE r.workspace_id = :w AND r.id = :id
""")
