"""Policies, calendars and their versions; clocks with the events that they are the fold of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Row, text

from shared.kit import clock
from shared.kit.database import WriteSession
from shared.store.sending import as_json, recordset

_CLOCK: Mapping[str, str] = {
    "id": "uuid", "conversation_id": "uuid", "policy_id": "uuid", "policy_version": "int", "calendar_id": "uuid",
    "calendar_version": "int", "priority": "text", "metric": "text", "instance": "int", "state": "text", "target_s": "float8",
    "started_at": "timestamptz", "deadline_at": "timestamptz", "notice_at": "timestamptz", "stopped_at": "timestamptz",
    "breached_at": "timestamptz", "elapsed_s": "float8",
}  # fmt: skip
_EVENT: Mapping[str, str] = {
    "clock_id": "uuid", "kind": "text", "at": "timestamptz", "cause": "text", "reason": "text", "terms": "jsonb",
}  # fmt: skip
_CHANGE: Mapping[str, str] = {
    "conversation_id": "uuid", "kind": "text", "at": "timestamptz", "cause": "text", "detail": "jsonb",
}  # fmt: skip
_VERSION: Mapping[str, str] = {"of": "text", "subject_id": "uuid", "version": "int", "body": "jsonb"}
_NOTICE: Mapping[str, str] = {"clock_id": "uuid", "key": "text", "kind": "text", "at": "timestamptz"}
STATE = (
    "policy_id", "policy_version", "calendar_id", "calendar_version", "priority", "state", "target_s", "started_at", "deadline_at",
    "notice_at", "stopped_at", "breached_at", "elapsed_s",
)  # fmt: skip


_ADD_CLOCKS = text(f"""
    INSERT INTO sla_clock (workspace_id, created_at, updated_at, {", ".join(_CLOCK)})
    SELECT :workspace_id, :now, :now, {", ".join(_CLOCK)} FROM {recordset(_CLOCK)} ON CONFLICT DO NOTHING RETURNING id
""")  # names of our own columns
_SET_CLOCKS = text(f"""
    UPDATE sla_clock k SET updated_at = :now, {", ".join(f"{n} = u.{n}" for n in STATE)}
    FROM {recordset({n: _CLOCK[n] for n in ("id", *STATE)})} WHERE k.workspace_id = :workspace_id AND k.id = u.id
""")  # names of our own columns
_ADD_EVENTS = text(f"""
    INSERT INTO sla_clock_event (workspace_id, recorded_at, id, {", ".join(_EVENT)})
    SELECT :workspace_id, :now, uuidv7(), {", ".join(_EVENT)} FROM {recordset(_EVENT)}
    ON CONFLICT DO NOTHING
""")  # names of our own columns
_DROP_EVENTS = text("""
    DELETE FROM sla_clock_event e USING json_to_recordset(CAST(:rows AS json)) AS u(clock_id uuid, kind text, cause text)
    WHERE e.workspace_id = :workspace_id AND e.clock_id = u.clock_id AND e.kind = u.kind AND e.cause = u.cause
""")
_ADD_CHANGES = text(f"""
    INSERT INTO conversation_change (workspace_id, recorded_at, id, {", ".join(_CHANGE)})
    SELECT :workspace_id, :now, uuidv7(), {", ".join(_CHANGE)} FROM {recordset(_CHANGE)} ON CONFLICT DO NOTHING
""")  # names of our own columns
_KEEP_VERSIONS = text(f"""
    INSERT INTO sla_version (workspace_id, created_at, updated_at, id, {", ".join(_VERSION)})
    SELECT :workspace_id, :now, :now, uuidv7(), {", ".join(_VERSION)} FROM {recordset(_VERSION)} ON CONFLICT DO NOTHING
""")  # names of our own columns
_ADD_NOTICES = text(f"""
    INSERT INTO sla_notice (workspace_id, recorded_at, id, {", ".join(_NOTICE)})
    SELECT :workspace_id, :now, uuidv7(), {", ".join(_NOTICE)} FROM {recordset(_NOTICE)} ON CONFLICT DO NOTHING RETURNING clock_id, key
""")  # names of our own columns


async def policies(session: WriteSession, workspace_id: UUID) -> list[dict[str, Any]]:
    """The active policies by position, each with its calendar's version, zone and hours."""
    rows = await session.execute(
        text(
            "SELECT p.*, c.version AS calendar_version, c.timezone, c.weekly, c.holidays, c.ical_holidays "
            "FROM sla_policy p LEFT JOIN calendar c ON c.workspace_id = p.workspace_id AND c.id = p.calendar_id "
            "WHERE p.workspace_id = :w AND p.status = 'active' ORDER BY p.position, p.id"
        ),
        {"w": workspace_id},
    )
    return [dict(row._mapping) for row in rows]


async def versions_at(
    session: WriteSession, workspace_id: UUID, wanted: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Any]:
    """The bodies of calendars and policies as they were at versions: (calendar or policy, version) → its fields."""
    if not wanted:
        return {}
    rows = await session.execute(
        text(
            "SELECT v.subject_id, v.version, v.body FROM sla_version v "
            "JOIN unnest(CAST(:ids AS uuid[]), CAST(:versions AS int[])) AS u(id, version) "
            "ON v.subject_id = u.id AND v.version = u.version WHERE v.workspace_id = :w"
        ),
        {"w": workspace_id, "ids": [one for one, _ in wanted], "versions": [version for _, version in wanted]},
    )
    return {(row.subject_id, row.version): row.body for row in rows}


async def versions_of(
    session: WriteSession, workspace_id: UUID, subject_id: UUID
) -> list[tuple[int, datetime, Mapping[str, Any]]]:
    """The versions of a calendar or policy that are kept: (version, since when, its fields), the oldest first."""
    rows = await session.execute(
        text(
            "SELECT version, created_at, body FROM sla_version WHERE workspace_id = :w AND subject_id = :id ORDER BY version"
        ),
        {"w": workspace_id, "id": subject_id},
    )
    return [(row.version, row.created_at, row.body) for row in rows]


async def keep_versions(
    session: WriteSession, workspace_id: UUID, versions: Sequence[tuple[str, UUID, int, Mapping[str, Any]]]
) -> None:
    """Keeps calendars and policies as they are: (`calendar` or `sla_policy`, its id, version, fields). What is kept stays."""
    if versions:
        rows = [dict(zip(_VERSION, one, strict=True)) for one in versions]
        sent = orjson.dumps(rows, default=str).decode()
        await session.execute(_KEEP_VERSIONS, {"workspace_id": workspace_id, "now": clock.now(), "rows": sent})


async def keep_version(
    session: WriteSession, workspace_id: UUID, of: str, subject_id: UUID, version: int, body: Mapping[str, Any]
) -> None:
    """Keeps a calendar or a policy (`of`) as it is at this version, for the clocks that run by it."""
    await keep_versions(session, workspace_id, [(of, subject_id, version, body)])


async def add_changes(session: WriteSession, workspace_id: UUID, changes: Sequence[Mapping[str, Any]]) -> None:
    """Keeps what happened to conversations (conversation_id, kind, at, cause, detail); each cause of a kind once."""
    if changes:
        await session.execute(
            _ADD_CHANGES, {"workspace_id": workspace_id, "now": clock.now(), "rows": as_json(changes)}
        )


async def changes_of(
    session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]
) -> dict[UUID, list[Row[Any]]]:
    """What happened to conversations, by conversation."""
    if not conversation_ids:
        return {}
    rows = await session.execute(
        text(
            "SELECT conversation_id, kind, at, cause, detail FROM conversation_change "
            "WHERE workspace_id = :w AND conversation_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, id"
        ),
        {"w": workspace_id, "ids": list(conversation_ids)},
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.conversation_id, []).append(row)
    return found


async def add_clocks(session: WriteSession, workspace_id: UUID, clocks: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Starts clocks; returns those that were not running already for that conversation, metric and instance."""
    if not clocks:
        return set()
    rows = await session.execute(
        _ADD_CLOCKS, {"workspace_id": workspace_id, "now": clock.now(), "rows": as_json(clocks)}
    )
    return {row.id for row in rows}


async def set_clocks(session: WriteSession, workspace_id: UUID, clocks: Sequence[Mapping[str, Any]]) -> None:
    """Stores what the fold of their events now says of clocks."""
    if clocks:
        await session.execute(_SET_CLOCKS, {"workspace_id": workspace_id, "now": clock.now(), "rows": as_json(clocks)})


async def add_events(session: WriteSession, workspace_id: UUID, events: Sequence[Mapping[str, Any]]) -> None:
    """Keeps what happened to clocks (clock_id, kind, at, cause, reason, terms where there are any); each cause once."""
    if events:
        await session.execute(_ADD_EVENTS, {"workspace_id": workspace_id, "now": clock.now(), "rows": as_json(events)})


async def drop_events(session: WriteSession, workspace_id: UUID, events: Sequence[Mapping[str, Any]]) -> None:
    """Takes out of clocks what did not happen to them after all (clock_id, kind, cause); the conversation's history keeps it."""
    if events:
        await session.execute(_DROP_EVENTS, {"workspace_id": workspace_id, "rows": as_json(events)})


async def add_notices(
    session: WriteSession, workspace_id: UUID, notices: Sequence[tuple[UUID, str, str, datetime]]
) -> set[tuple[UUID, str]]:
    """Claims facts about clocks, (clock, key, kind, at), to be told. Returns those that nobody told before."""
    if not notices:
        return set()
    rows = await session.execute(
        _ADD_NOTICES,
        {"workspace_id": workspace_id, "now": clock.now(),
         "rows": as_json([dict(zip(_NOTICE, notice, strict=True)) for notice in notices])},
    )  # fmt: skip
    return {(row.clock_id, row.key) for row in rows}


async def told(session: WriteSession, workspace_id: UUID, clock_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """The keys of what was told about clocks."""
    rows = await session.execute(
        text("SELECT clock_id, key FROM sla_notice WHERE workspace_id = :w AND clock_id = ANY(CAST(:ids AS uuid[]))"),
        {"w": workspace_id, "ids": list(clock_ids)},
    )
    found: dict[UUID, set[str]] = {}
    for row in rows:
        found.setdefault(row.clock_id, set()).add(row.key)
    return found


async def lock_clocks(
    session: WriteSession, workspace_id: UUID, *, conversation_ids: Sequence[UUID] = (), clock_ids: Sequence[UUID] = ()
) -> list[Row[Any]]:
    """Clocks of conversations, or by id, locked in one order."""
    rows = await session.execute(
        text(
            "SELECT * FROM sla_clock WHERE workspace_id = :w AND (conversation_id = ANY(CAST(:of AS uuid[])) "
            "OR id = ANY(CAST(:ids AS uuid[]))) ORDER BY id FOR UPDATE"
        ),
        {"w": workspace_id, "of": list(conversation_ids), "ids": list(clock_ids)},
    )
    return list(rows)


async def events_of(session: WriteSession, workspace_id: UUID, clock_ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """What happened to clocks, by clock."""
    rows = await session.execute(
        text(
            "SELECT * FROM sla_clock_event WHERE workspace_id = :w AND clock_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, id"
        ),
        {"w": workspace_id, "ids": list(clock_ids)},
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.clock_id, []).append(row)
    return found


async def due(
    connection: asyncpg.Connection, at: datetime, limit: int = 500
) -> tuple[datetime, dict[UUID, list[UUID]]]:
    """Clocks that something is due about, by workspace, and by when: by our clock (`at`) and by Postgres' own, so that where one of
    the two was set forward the other holds. `connection` sees all workspaces."""
    by = min(at, await connection.fetchval("SELECT now()"))
    rows = await connection.fetch(
        "SELECT workspace_id, id FROM sla_clock WHERE notice_at < $2 ORDER BY notice_at LIMIT $1", limit, by
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["workspace_id"], []).append(row["id"])
    return by, found


async def under(
    session: WriteSession, workspace_id: UUID, *, policy_id: UUID | None, calendar_id: UUID | None, since: datetime,
    after: UUID | None, limit: int,
) -> list[UUID]:  # fmt: skip
    """Conversations with clocks under a policy, or a calendar, that ran at a moment, in the order of their ids, after one."""
    rows = await session.execute(
        text(
            "SELECT DISTINCT conversation_id FROM sla_clock WHERE workspace_id = :w AND state <> 'cancelled' "
            "AND (stopped_at IS NULL OR stopped_at > :since) AND (policy_id = :policy OR calendar_id = :calendar) "
            "AND (CAST(:after AS uuid) IS NULL OR conversation_id > :after) ORDER BY conversation_id LIMIT :limit"
        ),
        {"w": workspace_id, "policy": policy_id, "calendar": calendar_id, "since": since, "after": after, "limit": limit},
    )  # fmt: skip
    return [row.conversation_id for row in rows]


async def lock_conversations(
    session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]
) -> dict[UUID, Row[Any]]:
    """Conversations as they stand, locked in one order."""
    rows = await session.execute(
        text(
            "SELECT * FROM conversation WHERE workspace_id = :w AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
        ),
        {"w": workspace_id, "ids": list(conversation_ids)},
    )
    return {row.id: row for row in rows}


async def set_deadlines(session: WriteSession, workspace_id: UUID, deadlines: Mapping[UUID, datetime | None]) -> None:
    """Stores the nearest deadline of locked conversations."""
    if deadlines:
        sent = [{"id": key, "next_deadline_at": at} for key, at in deadlines.items()]
        await session.execute(_SET_DEADLINES, {"workspace_id": workspace_id, "rows": as_json(sent)})


_SET_DEADLINES = text("""
    UPDATE conversation c SET next_deadline_at = u.next_deadline_at
    FROM json_to_recordset(CAST(:rows AS json)) AS u(id uuid, next_deadline_at timestamptz)
    WHERE c.workspace_id = :workspace_id AND c.id = u.id AND c.next_deadline_at IS DISTINCT FROM u.next_deadline_at
""")
