"""Gaps: stretches of a channel of which something may be missing, and where reading them again stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlmodel import col, select

from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models.channel import ChannelGap


@dataclass(frozen=True, slots=True)
class GapLease:
    """A gap that is ours to read again until the lease ends."""

    workspace_id: UUID
    gap_id: UUID
    token: UUID


async def note(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, *, since: datetime, until: datetime, reason: str,
    next_try_at: datetime | None,
) -> UUID | None:  # fmt: skip
    """Notes a gap, to be read again at `next_try_at` (None: it cannot be). One that an open gap covers or touches makes that one
    longer, and is read from its beginning again. Returns the id of a new one."""
    widened = await session.execute(
        _WIDEN,
        {"w": workspace_id, "c": channel_id, "since": since, "until": until, "reason": reason, "next_try_at": next_try_at},
    )  # fmt: skip
    if widened.first() is not None:
        return None
    gap = ChannelGap(
        workspace_id=workspace_id, id=ids.new_id(), channel_id=channel_id, since=since, until=until, reason=reason,
        found_at=clock.now(), next_try_at=next_try_at,
    )  # fmt: skip
    session.add(gap)
    await session.flush()
    return gap.id


_WIDEN = text("""
    WITH met AS (
        SELECT id FROM channel_gap
        WHERE workspace_id = :w AND channel_id = :c AND closed_at IS NULL AND since <= :until AND until >= :since
        ORDER BY since LIMIT 1 FOR UPDATE
    )
    UPDATE channel_gap g SET
        cursor = CASE WHEN g.since <= :since AND g.until >= :until THEN g.cursor END,
        since = least(g.since, :since), until = greatest(g.until, :until),
        next_try_at = coalesce(g.next_try_at, :next_try_at)
    FROM met WHERE g.workspace_id = :w AND g.id = met.id
    RETURNING g.id
""")


async def claim(connection: asyncpg.Connection, lease_s: float) -> GapLease | None:
    """The gap that is due longest and nobody's. `connection` sees all workspaces."""
    token = ids.new_id()
    row = await connection.fetchrow(
        """
        UPDATE channel_gap g SET lease_until = now() + make_interval(secs => $1), lease_token = $2
        FROM (SELECT workspace_id, id FROM channel_gap
              WHERE closed_at IS NULL AND next_try_at <= now() AND (lease_until IS NULL OR lease_until < now())
              ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED) due
        WHERE g.workspace_id = due.workspace_id AND g.id = due.id
        RETURNING g.workspace_id, g.id
        """,
        lease_s, token,
    )  # fmt: skip
    return None if row is None else GapLease(row["workspace_id"], row["id"], token)


async def held(session: WriteSession, lease: GapLease) -> ChannelGap | None:
    """The leased gap, locked; None where the lease has passed to somebody else, or it is closed."""
    found = await session.execute(
        select(ChannelGap)
        .where(
            col(ChannelGap.workspace_id) == lease.workspace_id,
            col(ChannelGap.id) == lease.gap_id,
            col(ChannelGap.lease_token) == lease.token,
            col(ChannelGap.closed_at).is_(None),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalar_one_or_none()


async def prolong(session: WriteSession, gap: ChannelGap, since: datetime) -> bool:
    """Moves the end of what cannot be read again, and ended at `since`, to where this gap of the same channel now begins. False
    where there is none."""
    moved = await session.execute(
        text(
            "UPDATE channel_gap SET until = :until WHERE workspace_id = :w AND channel_id = :c AND closed_at IS NULL "
            "AND next_try_at IS NULL AND until = :since AND id <> :id RETURNING id"
        ),
        {"w": gap.workspace_id, "c": gap.channel_id, "id": gap.id, "since": since, "until": gap.since},
    )
    return moved.first() is not None


async def of_channel(session: WriteSession, workspace_id: UUID, channel_id: UUID) -> list[dict[str, Any]]:
    """The open gaps of a channel: id, since, until, reason."""
    rows = await session.execute(
        text(
            "SELECT id, since, until, reason FROM channel_gap WHERE workspace_id = :w AND channel_id = :c "
            "AND closed_at IS NULL ORDER BY since"
        ),
        {"w": workspace_id, "c": channel_id},
    )
    return [dict(row._mapping) for row in rows]
