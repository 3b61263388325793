"""The ledger: what came in and what became of it, per channel and hour. Appended as deltas, added up by and by."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit import clock, ids
from shared.kit.database import WriteSession

COUNTS = ("received", "stored", "updated", "duplicate", "filtered", "quarantined", "rejected")
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in COUNTS)


async def add(session: WriteSession, workspace_id: UUID, channel_id: UUID, counts: Mapping[str, int]) -> None:
    """Adds to the present hour of a channel, in the caller's transaction."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    await session.execute(
        _ADD,
        {"workspace_id": workspace_id, "id": ids.new_id(), "channel_id": channel_id, "hour": hour,
         **{name: counts.get(name, 0) for name in COUNTS}},
    )  # fmt: skip


async def requarantine(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, received_at: datetime, moved: int
) -> None:
    """Moves mentions from stored to quarantined (or back, if negative) in the hour in which they were received."""
    hour = received_at.replace(minute=0, second=0, microsecond=0)
    zero = dict.fromkeys(COUNTS, 0)
    await session.execute(
        _ADD,
        {"workspace_id": workspace_id, "id": ids.new_id(), "channel_id": channel_id, "hour": hour, **zero,
         "stored": -moved, "quarantined": moved},
    )  # fmt: skip


async def roll_up(session: WriteSession, limit: int = 5_000) -> int:
    """Adds waiting deltas to their hours, in one statement. Returns how many deltas it took."""
    rolled = await session.execute(_ROLL_UP, {"limit": limit})
    return int(rolled.scalar_one())


async def read(
    connection: asyncpg.Connection, *, since: datetime | None, until: datetime | None, channel: str | None
) -> list[asyncpg.Record]:
    """The hours from `since` to before `until`, of one channel (id or name) or all: channel, hour and the counts."""
    return await connection.fetch(
        f"""
        SELECT c.name AS channel, l.channel_id, l.hour, {_SUMS}
        FROM (SELECT channel_id, hour, {", ".join(COUNTS)} FROM ledger_hour
              UNION ALL SELECT channel_id, hour, {", ".join(COUNTS)} FROM ledger_delta) l
        JOIN channel c ON c.id = l.channel_id
        WHERE ($1::timestamptz IS NULL OR l.hour >= $1) AND ($2::timestamptz IS NULL OR l.hour < $2)
          AND ($3::text IS NULL OR c.id::text = $3 OR lower(c.name) = lower($3))
        GROUP BY c.name, l.channel_id, l.hour ORDER BY l.hour DESC, c.name
        """,  # names of our own columns
        since, until, channel,
    )  # fmt: skip


_ADD = text(f"""
    INSERT INTO ledger_delta (workspace_id, id, channel_id, hour, {", ".join(COUNTS)})
    VALUES (:workspace_id, :id, :channel_id, :hour, {", ".join(f":{name}" for name in COUNTS)})
""")  # names of our own columns

_ROLL_UP = text(f"""
    WITH taken AS (
        DELETE FROM ledger_delta WHERE (workspace_id, id) IN (
            SELECT workspace_id, id FROM ledger_delta ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING *
    ),
    sums AS (SELECT workspace_id, channel_id, hour, {_SUMS} FROM taken GROUP BY workspace_id, channel_id, hour),
    added AS (
        INSERT INTO ledger_hour AS h (workspace_id, channel_id, hour, {", ".join(COUNTS)})
        SELECT workspace_id, channel_id, hour, {", ".join(COUNTS)} FROM sums
        ON CONFLICT (workspace_id, channel_id, hour) DO UPDATE
        SET {", ".join(f"{name} = h.{name} + excluded.{name}" for name in COUNTS)}
    )
    SELECT count(*) FROM taken
""")  # names of our own columns
