"""Channels as ingest works with them: which are due, where their reading stands, how they are doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text
from sqlmodel import col, select

from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models.channel import Channel

CHECK = "channel.check"
"""The work of asking a network whom it takes us for."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A channel that is ours to read until the lease ends; `token` fences off whoever held it before."""

    workspace_id: UUID
    channel_id: UUID
    token: UUID
    type: str = ""


async def claim_due(
    connection: asyncpg.Connection, limit: int, lease_s: float, without: Sequence[str] = ()
) -> list[Lease]:
    """Channels whose next reading is due, but for those of types in `without`. `connection` sees all workspaces. A reader that dies
    loses its lease by time."""
    token = ids.new_id()
    rows = await connection.fetch(
        """
        UPDATE channel c SET lease_until = now() + make_interval(secs => $2), lease_token = $3
        FROM (SELECT workspace_id, id FROM channel
              WHERE status = 'active' AND next_poll_at <= now() AND (lease_until IS NULL OR lease_until < now())
                AND type <> ALL($4)
              ORDER BY next_poll_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
        WHERE c.workspace_id = due.workspace_id AND c.id = due.id
        RETURNING c.workspace_id, c.id, c.type
        """,
        limit, lease_s, token, list(without),
    )  # fmt: skip
    return [Lease(row["workspace_id"], row["id"], token, row["type"]) for row in rows]


async def held(session: WriteSession, lease: Lease) -> Channel | None:
    """The leased channel, locked; None where the lease has passed to somebody else."""
    found = await session.execute(
        select(Channel)
        .where(
            col(Channel.workspace_id) == lease.workspace_id,
            col(Channel.id) == lease.channel_id,
            col(Channel.lease_token) == lease.token,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalar_one_or_none()


async def renew(session: WriteSession, lease: Lease, lease_s: float) -> None:
    """Keeps a channel ours for `lease_s` seconds from now; without effect where the lease has passed to somebody else."""
    await session.execute(
        text(
            "UPDATE channel SET lease_until = now() + make_interval(secs => :s) "
            "WHERE workspace_id = :w AND id = :c AND lease_token = :t"
        ),
        {"w": lease.workspace_id, "c": lease.channel_id, "t": lease.token, "s": lease_s},
    )


async def note_drift(session: WriteSession, workspace_id: UUID, channel_id: UUID, fields: Sequence[str]) -> None:
    """Counts fields in which a payload departed from what is documented; the 100 that were seen most often are kept."""
    await session.execute(_DRIFT, {"w": workspace_id, "c": channel_id, "fields": list(fields)})


_DRIFT = text("""
    UPDATE channel SET drift = (
        SELECT jsonb_object_agg(field, n) FROM (
            SELECT field, sum(n) AS n FROM (
                SELECT key AS field, value::bigint AS n FROM jsonb_each_text(drift)
                UNION ALL SELECT left(field, 200), 1 FROM unnest(CAST(:fields AS text[])) AS u(field)
            ) seen GROUP BY field ORDER BY sum(n) DESC, field LIMIT 100
        ) most
    )
    WHERE workspace_id = :w AND id = :c
""")


async def note_check(
    session: WriteSession, workspace_id: UUID, channel_id: UUID, account: Mapping[str, Any] | None, error: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Writes down whom the network takes us for, or what was wrong."""
    await session.execute(
        text(
            "UPDATE channel SET account = CAST(:account AS jsonb), check_error = :error, checked_at = :at "
            "WHERE workspace_id = :w AND id = :c"
        ),
        {
            "w": workspace_id, "c": channel_id, "error": error, "at": at,
            "account": None if account is None else orjson.dumps(account).decode(),
        },
    )  # fmt: skip


async def last_check(connection: asyncpg.Connection, channel_id: UUID) -> dict[str, Any] | None:
    """What the last check of a channel brought: account, error, checked_at; None where there was none."""
    row = await connection.fetchrow(
        "SELECT account, check_error AS error, checked_at FROM channel WHERE id = $1 AND checked_at IS NOT NULL",
        channel_id,
    )
    if row is None:
        return None
    return {**dict(row), "account": None if row["account"] is None else orjson.loads(row["account"])}


async def get(session: WriteSession, workspace_id: UUID, channel_id: UUID) -> Channel | None:
    """A channel by its id."""
    return await session.get(Channel, (workspace_id, channel_id))


async def by_names(session: WriteSession, workspace_id: UUID, names: Sequence[str]) -> dict[str, Channel]:
    """Channels by what callers call them: their name (in any case) or their id; as it was asked for → channel."""
    asked: dict[str, list[str]] = {}
    for name in names:
        asked.setdefault(name.lower(), []).append(name)
    rows = (
        await session.execute(
            select(Channel).where(
                col(Channel.workspace_id) == workspace_id,
                text(
                    "lower(channel.name) = ANY(CAST(:folded AS text[])) OR channel.id::text = ANY(CAST(:folded AS text[]))"
                ),
            ),
            {"folded": list(asked)},
        )
    ).scalars()
    found: dict[str, Channel] = {}
    for row in rows:
        for key in (row.name.lower(), str(row.id)):
            found.update(dict.fromkeys(asked.get(key, ()), row))
    return found


async def active_of_types(session: WriteSession, workspace_id: UUID, types: Sequence[str]) -> list[Channel]:
    """The active channels of these types, the oldest first."""
    rows = await session.execute(
        select(Channel)
        .where(col(Channel.workspace_id) == workspace_id, col(Channel.type).in_(types), col(Channel.status) == "active")
        .order_by(col(Channel.id))
    )
    return list(rows.scalars())


async def names_of_types(session: WriteSession, workspace_id: UUID, types: Sequence[str], limit: int) -> list[str]:
    """The names of active channels of these types, in alphabetical order, at most `limit`."""
    rows = await session.execute(
        select(col(Channel.name))
        .where(col(Channel.workspace_id) == workspace_id, col(Channel.type).in_(types), col(Channel.status) == "active")
        .order_by(col(Channel.name))
        .limit(limit)
    )
    return list(rows.scalars())


async def own_handles(session: WriteSession, workspace_id: UUID) -> frozenset[str]:
    """The brands' own accounts, folded: what they post is no mention."""
    rows = await session.execute(
        text("SELECT DISTINCT unnest(handles) AS handle FROM brand WHERE workspace_id = :w"), {"w": workspace_id}
    )
    return frozenset(row.handle for row in rows)


async def publish_types(
    connection: asyncpg.Connection, types: Sequence[Mapping[str, Any]], at: datetime | None = None
) -> None:
    """Makes the channel types known to the api: type, title, abilities, settings_schema, secrets_schema, reply_rules,
    display_rules."""
    for one in types:
        await connection.execute(
            """
            INSERT INTO channel_type (type, title, abilities, settings_schema, secrets_schema, reply_rules, display_rules,
                                      published_at)
            VALUES ($1, $2, $3, $4::jsonb, $5::jsonb, $6::jsonb, $7::jsonb, $8)
            ON CONFLICT (type) DO UPDATE SET title = excluded.title, abilities = excluded.abilities,
                settings_schema = excluded.settings_schema, secrets_schema = excluded.secrets_schema,
                reply_rules = excluded.reply_rules, display_rules = excluded.display_rules, published_at = excluded.published_at
            """,
            one["type"], one["title"], list(one["abilities"]),
            *(
                orjson.dumps(one[name]).decode()
                for name in ("settings_schema", "secrets_schema", "reply_rules", "display_rules")
            ),
            at or clock.now(),
        )  # fmt: skip


async def types_of_all(connection: asyncpg.Connection) -> dict[str, str]:
    """The type of every channel, by its id as text. `connection` sees the channels of all workspaces."""
    return {str(row["id"]): row["type"] for row in await connection.fetch("SELECT id, type FROM channel")}
