"""Deliveries: which event goes to which webhook endpoint, claimed fairly by endpoint, and what became of each try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit import ids
from shared.kit.database import WriteSession
from shared.store.events import ENVELOPE, MATCHES_ENDPOINT

DELIVERIES = "delivery"
LEASE_S = 20.0
SECRET_FIELD = "webhook_endpoint.secret"  # noqa: S105  # what the vault binds an endpoint's secrets to


@dataclass(slots=True)
class Claimed:
    """A delivery that is ours until its lease ends. `attempts` were made before."""

    workspace_id: UUID
    id: UUID
    endpoint_id: UUID
    event_id: UUID
    attempts: int
    token: UUID


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint as it stands. Secrets are sealed; the former one counts until `former_secret_until`."""

    id: UUID
    url: str
    status: str
    secret: bytes
    former_secret: bytes | None
    former_secret_until: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """What is delivered of an event: `body` is its envelope."""

    event_id: UUID
    body: bytes
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What one try came to. `state` is what the delivery is now: delivered, discarded, failed, or pending and due
    again in `delay_s`. `reached` is null where the try says nothing about the endpoint's health."""

    claimed: Claimed
    state: str
    at: datetime
    latency_ms: float
    status: int | None = None
    error: str | None = None
    excerpt: str | None = None
    delay_s: float = 0.0
    reached: bool | None = True
    gone: bool = False


async def claim(
    connection: asyncpg.Connection, rooms: Mapping[UUID, int], *, first_room: int, limit: int, lease_s: float = LEASE_S
) -> list[Claimed]:
    """Deliveries that are due: of each endpoint at most `rooms` (endpoints not named there: `first_room`), so that a
    receiver with a long queue takes nobody's turn. `connection` sees all workspaces."""
    token = ids.new_id()
    found = await connection.fetch(_CLAIM, list(rooms), list(rooms.values()), first_room, limit, lease_s, token)
    return [
        Claimed(row["workspace_id"], row["id"], row["endpoint_id"], row["event_id"], row["attempts"], token)
        for row in found
    ]


async def release(connection: asyncpg.Connection, claimed: Sequence[Claimed]) -> None:
    """Gives back what was not tried, due as before. `connection` sees all workspaces."""
    await connection.execute(_RELEASE, [one.id for one in claimed], [one.token for one in claimed])


async def receivers(connection: asyncpg.Connection, endpoint_ids: Sequence[UUID]) -> dict[UUID, Receiver]:
    """The endpoints, as one workspace sees them; those that were removed are left out."""
    return {row["id"]: Receiver(**dict(row.items())) for row in await connection.fetch(_RECEIVERS, list(endpoint_ids))}


async def letters(connection: asyncpg.Connection, event_ids: Sequence[UUID]) -> dict[UUID, Letter]:
    """What is to be delivered of these events of one workspace; those that have expired are left out."""
    return {
        row["id"]: Letter(row["id"], row["body"].encode(), row["traceparent"])
        for row in await connection.fetch(_LETTERS, list(event_ids))
    }


async def record(session: WriteSession, workspace_id: UUID, results: Sequence[Result]) -> None:
    """Writes what the tries of one workspace came to, in one statement. A try whose lease was lost meanwhile is
    somebody else's, unless it delivered: then nobody need try again."""
    await session.execute(
        _RECORD,
        {
            "workspace_id": workspace_id,
            "ids": [one.claimed.id for one in results],
            "tokens": [one.claimed.token for one in results],
            "states": [one.state for one in results],
            "statuses": [one.status for one in results],
            "errors": [one.error for one in results],
            "delays": [one.delay_s for one in results],
            "ats": [one.at for one in results],
            "latencies": [one.latency_ms for one in results],
            "excerpts": [one.excerpt for one in results],
        },
    )


async def note_health(session: WriteSession, workspace_id: UUID, well: Sequence[UUID], ailing: Sequence[UUID]) -> None:
    """Remembers since when endpoints fail, and forgets it for those that answered."""
    if well:
        await session.execute(_WELL, {"workspace_id": workspace_id, "ids": list(well)})
    if ailing:
        await session.execute(_AILING, {"workspace_id": workspace_id, "ids": list(ailing)})


async def disable(
    session: WriteSession, workspace_id: UUID, endpoint_ids: Sequence[UUID], because: str, *, failing_for_s: float = 0.0
) -> list[UUID]:
    """Disables endpoints that are enabled (with `failing_for_s`: only those that fail for so long). Returns which."""
    if not endpoint_ids:
        return []
    found = await session.execute(
        _DISABLE,
        {"workspace_id": workspace_id, "ids": list(endpoint_ids), "because": because, "failing_for_s": failing_for_s},
    )
    return [row.id for row in found]


async def give_up(session: WriteSession, workspace_id: UUID, endpoint_ids: Sequence[UUID], because: str) -> int:
    """Ends what waits for these endpoints as failed, so that it can be recovered later; what is on its way stays."""
    if not endpoint_ids:
        return 0
    ended = await session.execute(
        _GIVE_UP, {"workspace_id": workspace_id, "ids": list(endpoint_ids), "because": because}
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


async def recover(session: WriteSession, workspace_id: UUID, endpoint_id: UUID, since: datetime) -> int:
    """Makes due again, with all tries, what failed of the events told to this endpoint since then. Returns how many."""
    found = await session.execute(
        _RECOVER, {"workspace_id": workspace_id, "endpoint_id": endpoint_id, "since": ids.first_id_at(since)}
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


async def replay_missing(session: WriteSession, workspace_id: UUID, endpoint_id: UUID, since: datetime) -> int:
    """Delivers the events since then that this endpoint asks for and was never sent: those of the time before it was
    made, or while it was disabled. Returns how many."""
    found = await session.execute(
        _REPLAY, {"workspace_id": workspace_id, "endpoint_id": endpoint_id, "since": ids.first_id_at(since)}
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


async def resend(session: WriteSession, workspace_id: UUID, delivery_id: UUID) -> bool:
    """Makes one delivery due again, whatever became of it. False where it is on its way this very moment."""
    found = await session.execute(_RESEND, {"workspace_id": workspace_id, "id": delivery_id})
    return bool(found.rowcount)  # type: ignore[attr-defined]


async def waiting(connection: asyncpg.Connection) -> tuple[int, float]:
    """How many deliveries are due, and for how many seconds the oldest is. `connection` sees all workspaces."""
    row = await connection.fetchrow(
        "SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(next_at)), 0)::float8 AS age "
        "FROM delivery WHERE state = 'pending' AND next_at <= now()"
    )
    return (int(row["n"]), float(row["age"])) if row else (0, 0.0)


# The endpoints with something pending are hopped along by the key; each gives its oldest due rows, up to its room. They
# take turns at random, so that where there is too much for one claim nobody is always first.
_CLAIM = """
    WITH RECURSIVE endpoint AS (
        (SELECT workspace_id, endpoint_id FROM delivery WHERE state = 'pending'
         ORDER BY workspace_id, endpoint_id LIMIT 1)
        UNION ALL
        SELECT n.workspace_id, n.endpoint_id FROM endpoint e CROSS JOIN LATERAL (
            SELECT d.workspace_id, d.endpoint_id FROM delivery d
            WHERE d.state = 'pending' AND (d.workspace_id, d.endpoint_id) > (e.workspace_id, e.endpoint_id)
            ORDER BY d.workspace_id, d.endpoint_id LIMIT 1) n
    ), turn AS MATERIALIZED (
        SELECT e.workspace_id, e.endpoint_id, coalesce(r.room, $3) AS room FROM endpoint e
        LEFT JOIN unnest($1::uuid[], $2::int[]) AS r(endpoint_id, room) ON r.endpoint_id = e.endpoint_id
        WHERE coalesce(r.room, $3) > 0 ORDER BY random()
    ), due AS MATERIALIZED (
        SELECT d.workspace_id, d.id FROM turn t CROSS JOIN LATERAL (
            SELECT d.workspace_id, d.id FROM delivery d
            WHERE d.state = 'pending' AND d.workspace_id = t.workspace_id AND d.endpoint_id = t.endpoint_id
              AND d.next_at <= now() AND (d.lease_until IS NULL OR d.lease_until < now())
            ORDER BY d.next_at, d.position LIMIT t.room FOR UPDATE SKIP LOCKED) d
        LIMIT $4
    )
    UPDATE delivery d SET lease_until = now() + make_interval(secs => $5), lease_token = $6
    FROM due WHERE d.workspace_id = due.workspace_id AND d.id = due.id
    RETURNING d.workspace_id, d.id, d.endpoint_id, d.event_id, d.attempts
"""

_RELEASE = """
    UPDATE delivery d SET lease_until = NULL, lease_token = NULL
    FROM unnest($1::uuid[], $2::uuid[]) AS r(id, token) WHERE d.id = r.id AND d.lease_token = r.token
"""

_RECEIVERS = """
    SELECT id, url, status, secret, former_secret, former_secret_until FROM webhook_endpoint WHERE id = ANY($1)
"""

_LETTERS = f"SELECT e.id, e.traceparent, {ENVELOPE} AS body FROM event e WHERE e.id = ANY($1)"

_RECORD = text("""
    WITH r AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[]), CAST(:states AS text[]),
            CAST(:statuses AS int[]), CAST(:errors AS text[]), CAST(:delays AS float8[]), CAST(:ats AS timestamptz[]),
            CAST(:latencies AS float8[]), CAST(:excerpts AS text[]))
            AS r(id, token, state, status, error, delay, at, latency, excerpt)
    ), changed AS (
        UPDATE delivery d
        SET state = r.state, attempts = d.attempts + 1, last_status = r.status, last_error = r.error,
            next_at = CASE WHEN r.state = 'pending' THEN now() + make_interval(secs => r.delay) END,
            delivered_at = CASE WHEN r.state = 'delivered' THEN r.at END, lease_until = NULL, lease_token = NULL
        FROM r
        WHERE d.workspace_id = :workspace_id AND d.id = r.id AND d.state = 'pending'
          AND (d.lease_token = r.token OR r.state = 'delivered')
        RETURNING d.id, d.attempts
    )
    INSERT INTO delivery_attempt (workspace_id, id, delivery_id, n, at, status, error, latency_ms, excerpt)
    SELECT :workspace_id, uuidv7(), r.id, changed.attempts, r.at, r.status, r.error, r.latency, r.excerpt
    FROM changed JOIN r ON r.id = changed.id
""")

_WELL = text("""
    UPDATE webhook_endpoint SET failing_since = NULL
    WHERE workspace_id = :workspace_id AND id = ANY(CAST(:ids AS uuid[])) AND failing_since IS NOT NULL
""")

_AILING = text("""
    UPDATE webhook_endpoint SET failing_since = now()
    WHERE workspace_id = :workspace_id AND id = ANY(CAST(:ids AS uuid[])) AND failing_since IS NULL
""")

_DISABLE = text("""
    UPDATE webhook_endpoint SET status = 'disabled', disabled_because = :because, updated_at = now()
    WHERE workspace_id = :workspace_id AND id = ANY(CAST(:ids AS uuid[])) AND status = 'enabled'
      AND (:failing_for_s = 0.0 OR failing_since <= now() - make_interval(secs => :failing_for_s))
    RETURNING id
""")

_GIVE_UP = text("""
    UPDATE delivery SET state = 'failed', last_error = :because, next_at = NULL, lease_until = NULL, lease_token = NULL
    WHERE workspace_id = :workspace_id AND endpoint_id = ANY(CAST(:ids AS uuid[])) AND state = 'pending'
      AND (lease_until IS NULL OR lease_until < now())
""")

_AGAIN = (
    """state = 'pending', attempts = 0, next_at = now(), lease_until = NULL, lease_token = NULL, delivered_at = NULL"""
)

_RECOVER = text(f"""
    UPDATE delivery SET {_AGAIN} WHERE workspace_id = :workspace_id AND endpoint_id = :endpoint_id
      AND id >= CAST(:since AS uuid) AND state = 'failed'
""")  # our own words

_REPLAY = text(f"""
    INSERT INTO delivery (workspace_id, id, endpoint_id, event_id, position, type, state, attempts, next_at)
    SELECT :workspace_id, uuidv7(), w.id, e.id, e.position, e.type, 'pending', 0, now()
    FROM webhook_endpoint w JOIN event e ON e.workspace_id = w.workspace_id AND e.id >= CAST(:since AS uuid)
    WHERE w.workspace_id = :workspace_id AND w.id = :endpoint_id AND {MATCHES_ENDPOINT}
    ORDER BY e.position
    ON CONFLICT (workspace_id, endpoint_id, event_id) DO NOTHING
""")  # our own words

_RESEND = text(f"""
    UPDATE delivery SET {_AGAIN} WHERE workspace_id = :workspace_id AND id = :id
      AND (state <> 'pending' OR lease_until IS NULL OR lease_until < now())
""")  # our own words
