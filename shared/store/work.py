"""Claiming work: batches of one workspace, by lease, so that a killed worker's batch comes back by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from sqlalchemy import TextClause, text

from shared.kit import ids
from shared.kit.database import WriteSession
from shared.models.work import lane

LEASE_S = 10.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch of one kind of one workspace, ours until the lease ends. `works` are (work id, subject, attempts)."""

    workspace_id: UUID
    kind: str
    token: UUID
    works: tuple[tuple[UUID, UUID, int], ...]

    @property
    def work_ids(self) -> list[UUID]:
        """The ids of the rows of work."""
        return [work_id for work_id, _, _ in self.works]

    @property
    def subjects(self) -> list[UUID]:
        """What the work is about, in the order in which it is due."""
        return [subject for _, subject, _ in self.works]


async def claim(
    connection: asyncpg.Connection, kind: str, limit: int, lease_s: float = LEASE_S, *, heavy: bool = False
) -> Claim | None:
    """The next batch of `kind` that is due, as one workspace's; None where nothing is. `connection` sees all workspaces.

    Light and heavy work are two queues: neither ever waits for the other. A row whose earlier tries died (attempts > 0) comes
    alone, so that it cannot take its neighbours with it.
    """
    token = ids.new_id()
    rows = await connection.fetch(_CLAIM, kind, limit, lease_s, token, heavy)
    if not rows:
        return None
    return Claim(
        rows[0]["workspace_id"], kind, token, tuple((row["id"], row["subject_id"], row["attempts"]) for row in rows)
    )


async def workspaces_due(connection: asyncpg.Connection, kind: str) -> list[UUID]:
    """The workspaces that have work of `kind` which is due and nobody's, the longest waiting first. `connection` sees all."""
    rows = await connection.fetch(
        "SELECT workspace_id FROM work WHERE kind = $1 AND due_at <= now() AND (lease_until IS NULL OR lease_until < now()) "
        "GROUP BY workspace_id ORDER BY min(priority), min(due_at)",
        kind,
    )
    return [row["workspace_id"] for row in rows]


async def claim_replies(
    session: WriteSession, workspace_id: UUID, kind: str, limit: int, without: Sequence[str], lease_s: float = LEASE_S
) -> list[tuple[Claim, str]]:
    """The next `limit` pieces of a workspace's work on replies that are due, each as a claim of its own, with the type of the
    channel that the reply goes by (empty where the reply is gone). Channel types in `without` are passed over."""
    return await _claim_each(session, _CLAIM_REPLIES, workspace_id, kind, limit, without, lease_s)


async def claim_moderations(
    session: WriteSession, workspace_id: UUID, kind: str, limit: int, without: Sequence[str], lease_s: float = LEASE_S
) -> list[tuple[Claim, str]]:
    """The same for work on moderations."""
    return await _claim_each(session, _CLAIM_MODERATIONS, workspace_id, kind, limit, without, lease_s)


async def _claim_each(
    session: WriteSession, statement: TextClause, workspace_id: UUID, kind: str, limit: int, without: Sequence[str],
    lease_s: float,
) -> list[tuple[Claim, str]]:  # fmt: skip
    token = ids.new_id()
    rows = await session.execute(
        statement,
        {"workspace_id": workspace_id, "kind": kind, "limit": limit, "without": list(without), "lease_s": lease_s,
         "token": token},
    )  # fmt: skip
    return [(Claim(workspace_id, kind, token, ((row.id, row.subject_id, row.attempts),)), row.type) for row in rows]


async def renew(connection: asyncpg.Connection, claim: Claim, lease_s: float = LEASE_S) -> None:
    """Keeps a batch that is still being worked on."""
    await connection.execute(
        "UPDATE work SET lease_until = now() + make_interval(secs => $1) WHERE lease_token = $2 AND id = ANY($3)",
        lease_s, claim.token, claim.work_ids,
    )  # fmt: skip


async def release(
    connection: asyncpg.Connection, claim: Claim, work_ids: Sequence[UUID], *, after_s: float, error: str
) -> None:
    """Gives work back to be tried again after a while; what went wrong stands beside it."""
    await connection.execute(
        "UPDATE work SET lease_until = NULL, lease_token = NULL, due_at = now() + make_interval(secs => $1), error = $2 "
        "WHERE lease_token = $3 AND id = ANY($4)",
        after_s, error[:500], claim.token, list(work_ids),
    )  # fmt: skip


async def look_again(connection: asyncpg.Connection, claim: Claim, work_ids: Sequence[UUID], *, after_s: float) -> None:
    """Counts a look that was not conclusive, and gives the work back to be looked at after a while."""
    await connection.execute(
        "UPDATE work SET attempts = attempts + 1, lease_until = NULL, lease_token = NULL, "
        "due_at = now() + make_interval(secs => $1) WHERE lease_token = $2 AND id = ANY($3)",
        after_s, claim.token, list(work_ids),
    )  # fmt: skip


async def weighed(connection: asyncpg.Connection, claim: Claim, work_ids: Sequence[UUID]) -> None:
    """Gives back, as heavy work, what was claimed as light and is not. It keeps its place and its tries."""
    await connection.execute(
        "UPDATE work SET heavy = true, lease_until = NULL, lease_token = NULL WHERE lease_token = $1 AND id = ANY($2)",
        claim.token, list(work_ids),
    )  # fmt: skip


async def died(connection: asyncpg.Connection, claim: Claim, work_ids: Sequence[UUID], error: str) -> None:
    """Counts a try that the subject itself ended, and gives the work back at once."""
    await connection.execute(
        "UPDATE work SET attempts = attempts + 1, lease_until = NULL, lease_token = NULL, error = $1 "
        "WHERE lease_token = $2 AND id = ANY($3)",
        error[:500], claim.token, list(work_ids),
    )  # fmt: skip


async def done(session: WriteSession, claim: Claim, work_ids: Sequence[UUID] | None = None) -> frozenset[UUID]:
    """Takes the work away in the transaction that did it. Returns the subjects that were still ours: work whose lease was
    lost meanwhile is somebody else's now, and its result must not be written."""
    rows = await session.execute(
        _DONE,
        {
            "workspace_id": claim.workspace_id,
            "token": claim.token,
            "ids": claim.work_ids if work_ids is None else list(work_ids),
        },
    )
    return frozenset(row.subject_id for row in rows)


async def due(connection: asyncpg.Connection) -> dict[str, tuple[int, float]]:
    """For each kind of work that waits, heavy work apart: how many rows, and for how many seconds the oldest is due."""
    rows = await connection.fetch(
        "SELECT kind, heavy, count(*) AS n, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS age "
        "FROM work WHERE due_at <= now() GROUP BY kind, heavy"
    )
    return {lane(row["kind"], heavy=row["heavy"]): (row["n"], row["age"]) for row in rows}


# The head of the queue names the workspace; its rows follow in order. SKIP LOCKED lets workers share a backlog.
_CLAIM = """
    WITH head AS MATERIALIZED (
        SELECT workspace_id, attempts FROM work
        WHERE kind = $1 AND heavy = $5 AND due_at <= now() AND (lease_until IS NULL OR lease_until < now())
        ORDER BY priority, due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), batch AS MATERIALIZED (
        SELECT w.workspace_id, w.id FROM work w, head
        WHERE w.kind = $1 AND w.heavy = $5 AND w.workspace_id = head.workspace_id AND due_at <= now()
          AND (w.lease_until IS NULL OR w.lease_until < now())
          AND CASE WHEN head.attempts > 0 THEN w.attempts > 0 ELSE w.attempts = 0 END
        ORDER BY w.priority, w.due_at, w.id
        LIMIT (SELECT CASE WHEN attempts > 0 THEN 1 ELSE $2 END FROM head)
        FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE work w SET lease_until = now() + make_interval(secs => $3), lease_token = $4
    FROM batch WHERE w.workspace_id = batch.workspace_id AND w.id = batch.id
    RETURNING w.workspace_id, w.id, w.subject_id, w.attempts
"""

_CLAIM_THOSE_OF = """
    WITH next AS MATERIALIZED (
        SELECT w.workspace_id, w.id, coalesce(h.type, '') AS type FROM work w
        LEFT JOIN {noun} r ON r.workspace_id = w.workspace_id AND r.id = w.subject_id
        LEFT JOIN channel h ON h.workspace_id = r.workspace_id AND h.id = r.channel_id
        WHERE w.workspace_id = :workspace_id AND w.kind = :kind AND w.due_at <= now()
          AND (w.lease_until IS NULL OR w.lease_until < now())
          AND coalesce(h.type, '') <> ALL(CAST(:without AS text[]))
        ORDER BY w.priority, w.due_at, w.id LIMIT :limit FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE work w SET lease_until = now() + make_interval(secs => CAST(:lease_s AS float8)), lease_token = :token
    FROM next WHERE w.workspace_id = next.workspace_id AND w.id = next.id
    RETURNING w.id, w.subject_id, w.attempts, next.type
"""
_CLAIM_REPLIES = text(_CLAIM_THOSE_OF.format(noun="reply"))
_CLAIM_MODERATIONS = text(_CLAIM_THOSE_OF.format(noun="moderation"))

_DONE = text("""
    DELETE FROM work WHERE workspace_id = :workspace_id AND lease_token = :token AND id = ANY(CAST(:ids AS uuid[]))
    RETURNING subject_id
""")
