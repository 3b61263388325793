"""Answers kept for their Idempotency-Key: claimed before the work, written in the transaction that did it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import text

from shared.kit import clock
from shared.kit.database import WriteSession

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a key: the request it was for, and its answer (`status` None while that is being worked out)."""

    request_hash: bytes
    lease_until: datetime
    status: int | None
    body: bytes | None
    headers: dict[str, str] | None


async def claim(
    connection: asyncpg.Connection, workspace_id: UUID, client_id: UUID, key: str, request_hash: bytes, lease: timedelta
) -> datetime | None:
    """Claims the key for this request, committed at once. The lease's end is the proof of the claim; None where the key
    is taken: answered, or still running. An expired row, or one whose first request died, is taken over."""
    at = clock.now()
    token: datetime | None = await connection.fetchval(
        _CLAIM, workspace_id, client_id, key, request_hash, at + lease, at + KEPT, at
    )
    return token


async def find(connection: asyncpg.Connection, workspace_id: UUID, client_id: UUID, key: str) -> Record | None:
    """What is known of the key."""
    row = await connection.fetchrow(_FIND, workspace_id, client_id, key)
    if row is None:
        return None
    headers = orjson.loads(row["headers"]) if row["headers"] else None
    return Record(row["request_hash"], row["lease_until"], row["status"], row["body"], headers)


async def keep(
    session: WriteSession, workspace_id: UUID, client_id: UUID, key: str, token: datetime, status: int, body: bytes,
    headers: dict[str, str],
) -> bool:  # fmt: skip
    """Writes the answer in the caller's transaction. False where the claim was lost to another request meanwhile: then
    this one must be undone."""
    kept = await session.execute(
        _KEEP,
        {
            "workspace_id": workspace_id, "client_id": client_id, "key": key, "token": token, "status": status,
            "body": body, "headers": orjson.dumps(headers).decode(),
        },
    )  # fmt: skip
    return bool(kept.rowcount)  # type: ignore[attr-defined]


async def release(
    connection: asyncpg.Connection, workspace_id: UUID, client_id: UUID, key: str, token: datetime
) -> None:
    """Gives a claim back: the request was refused and changed nothing, so it may come again."""
    await connection.execute(_RELEASE, workspace_id, client_id, key, token)


async def workspaces_with_expired(connection: asyncpg.Connection) -> list[UUID]:
    """The workspaces that keep answers longer than promised. `connection` sees all workspaces."""
    rows = await connection.fetch("SELECT DISTINCT workspace_id FROM idempotency_record WHERE expires_at < now()")
    return [row["workspace_id"] for row in rows]


async def forget_expired(session: WriteSession, workspace_id: UUID) -> int:
    """Takes away a workspace's answers whose time is over. Returns how many there were."""
    gone = await session.execute(_FORGET, {"workspace_id": workspace_id})
    return int(gone.rowcount)  # type: ignore[attr-defined]


_CLAIM = """
    INSERT INTO idempotency_record AS r (workspace_id, client_id, key, request_hash, lease_until, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (workspace_id, client_id, key) DO UPDATE
    SET request_hash = excluded.request_hash, lease_until = excluded.lease_until, expires_at = excluded.expires_at,
        created_at = excluded.created_at, status = NULL, body = NULL, headers = NULL
    WHERE r.expires_at < $7 OR (r.status IS NULL AND r.lease_until < $7 AND r.request_hash = excluded.request_hash)
    RETURNING lease_until
"""
_FIND = """
    SELECT request_hash, lease_until, status, body, headers::text AS headers FROM idempotency_record
    WHERE workspace_id = $1 AND client_id = $2 AND key = $3
"""
_KEEP = text("""
    UPDATE idempotency_record SET status = :status, body = :body, headers = CAST(:headers AS jsonb)
    WHERE workspace_id = :workspace_id AND client_id = :client_id AND key = :key
      AND lease_until = :token AND status IS NULL
""")
_RELEASE = """
    DELETE FROM idempotency_record
    WHERE workspace_id = $1 AND client_id = $2 AND key = $3 AND lease_until = $4 AND status IS NULL
"""
_FORGET = text("DELETE FROM idempotency_record WHERE workspace_id = :workspace_id AND expires_at < now()")
