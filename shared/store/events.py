"""Events: facts that were given their place, what is told of them (the envelope), and the feed, read by position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit.database import WriteSession
from shared.kit.errors import Gone

API_VERSION = "2026-12-01"
LARGEST_FEED_PAGE = 500


def names_match(type_sql: str, names_sql: str) -> str:
    """SQL: whether the event type matches a list of names, `noun.*` or `*`."""
    return (
        f"('*' = ANY({names_sql}) OR {type_sql} = ANY({names_sql}) "
        f"OR split_part({type_sql}, '.', 1) || '.*' = ANY({names_sql}))"
    )


# What the world is told of an event `e`: always this expression over the stored row, so that the feed, each webhook and
# each of its retries say the same bytes (jsonb gives keys one order).
ENVELOPE = f"""(SELECT to_json(o)::text FROM (SELECT e.id, e.type,
    to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "timestamp",
    '{API_VERSION}' AS api_version, e.workspace_id, e.subject, e.sequence, e.traceparent, e.data) o)"""

# Only the endpoint itself hears of its test.
MATCHES_ENDPOINT = f"""CASE WHEN e.type = 'webhook_endpoint.tested' THEN e.subject = 'webhook_endpoint/' || w.id
    ELSE {names_match("e.type", "w.event_types")} END"""


# ---------------------------------------------------------------- giving facts their place


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A committed fact without a place: what it is about decides what is rendered as its data."""

    id: UUID
    type: str
    subject_id: UUID


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a subject looks like now: `data` is a JSON object."""

    noun: str
    subject_id: UUID
    data: str


async def workspaces_waiting(connection: asyncpg.Connection) -> list[UUID]:
    """The workspaces in which facts wait for their place. `connection` sees all workspaces; the key is hopped along, so
    that a long backlog costs no more than a short one."""
    return [row["workspace_id"] for row in await connection.fetch(_WORKSPACES)]


async def lock_feed(session: WriteSession, workspace_id: UUID) -> int:
    """The last position given out, locked until the transaction ends: whoever holds it gives the next ones, so that no
    event ever appears before one that can already be read."""
    locked = await session.execute(_LOCK, {"workspace_id": workspace_id})
    return int(locked.scalar_one())


async def next_waiting(session: WriteSession, workspace_id: UUID, limit: int) -> list[WaitingFact]:
    """The facts that come next, in the order of the clock taken under their conversation's lock."""
    rows = await session.execute(_NEXT, {"workspace_id": workspace_id, "limit": limit})
    return [WaitingFact(row.id, row.type, row.subject_id) for row in rows]


async def place(
    session: WriteSession,
    workspace_id: UUID,
    after: int,
    facts: Sequence[tuple[UUID, str]],
    rendered: Sequence[Rendered],
) -> tuple[int, int]:
    """Makes events of facts, (fact id, noun) in their order, with positions from `after` + 1 on and each conversation's
    next numbers; tells the endpoints that asked; takes the facts out of the outbox. One statement.

    Returns (events, deliveries).
    """
    placed = await session.execute(
        _PLACE,
        {
            "workspace_id": workspace_id,
            "after": after,
            "ids": [fact_id for fact_id, _ in facts],
            "nouns": [noun for _, noun in facts],
            "rendered_nouns": [one.noun for one in rendered],
            "rendered_ids": [one.subject_id for one in rendered],
            "rendered": [one.data for one in rendered],
        },
    )
    row = placed.one()
    return int(row.events), int(row.deliveries)


_WORKSPACES = """
    WITH RECURSIVE found AS (
        (SELECT workspace_id FROM outbox ORDER BY workspace_id LIMIT 1)
        UNION ALL
        SELECT (SELECT o.workspace_id FROM outbox o WHERE o.workspace_id > found.workspace_id
                ORDER BY o.workspace_id LIMIT 1)
        FROM found WHERE found.workspace_id IS NOT NULL
    )
    SELECT workspace_id FROM found WHERE workspace_id IS NOT NULL
"""

_LOCK = text("""
    INSERT INTO event_position AS p (workspace_id, position) VALUES (:workspace_id, 0)
    ON CONFLICT (workspace_id) DO UPDATE SET position = p.position RETURNING position
""")

_NEXT = text("""
    SELECT id, type, subject_id FROM outbox WHERE workspace_id = :workspace_id ORDER BY at, id LIMIT :limit
""")

# `data` is the subject as it is read, with `detail`: what the subject's row does not tell. Where the subject is gone,
# its id and the detail are what is known. The conversation's id is always there, for `sequence` counts in it.
_PLACE = text(f"""
    WITH fact AS MATERIALIZED (
        SELECT o.*, u.noun, u.n, row_number() OVER (PARTITION BY o.conversation_id ORDER BY u.n) AS nth
        FROM unnest(CAST(:ids AS uuid[]), CAST(:nouns AS text[])) WITH ORDINALITY AS u(id, noun, n)
        JOIN outbox o ON o.workspace_id = :workspace_id AND o.id = u.id
    ), tally AS MATERIALIZED (
        SELECT conversation_id, count(*) AS facts FROM fact WHERE conversation_id IS NOT NULL GROUP BY conversation_id
    ), counted AS (
        INSERT INTO event_sequence AS s (workspace_id, conversation_id, sequence)
        SELECT :workspace_id, conversation_id, facts FROM tally
        ON CONFLICT (workspace_id, conversation_id) DO UPDATE SET sequence = s.sequence + excluded.sequence
        RETURNING conversation_id, sequence
    ), seen AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:rendered_nouns AS text[]), CAST(:rendered_ids AS uuid[]), CAST(:rendered AS text[]))
            AS s(noun, subject_id, data)
    ), placed AS (
        INSERT INTO event (workspace_id, id, position, type, subject, conversation_id, sequence, occurred_at, data,
                           traceparent)
        SELECT :workspace_id, f.id, :after + f.n, f.type, f.noun || '/' || f.subject_id, f.conversation_id,
               c.sequence - t.facts + f.nth, f.at,
               coalesce(CAST(s.data AS jsonb), jsonb_build_object('id', f.subject_id))
               || CASE WHEN f.conversation_id IS NULL OR f.noun = 'conversation' THEN '{{}}'
                       ELSE jsonb_build_object('conversation_id', f.conversation_id) END
               || jsonb_build_object('detail', f.payload),
               f.traceparent
        FROM fact f
        LEFT JOIN tally t ON t.conversation_id = f.conversation_id
        LEFT JOIN counted c ON c.conversation_id = f.conversation_id
        LEFT JOIN seen s ON s.noun = f.noun AND s.subject_id = f.subject_id
        ORDER BY f.n
        RETURNING id, position, type, subject
    ), told AS (
        INSERT INTO delivery (workspace_id, id, endpoint_id, event_id, position, type, state, attempts, next_at)
        SELECT :workspace_id, uuidv7(), w.id, e.id, e.position, e.type, 'pending', 0, now()
        FROM placed e JOIN webhook_endpoint w ON w.workspace_id = :workspace_id AND w.status = 'enabled'
        WHERE {MATCHES_ENDPOINT}
        ON CONFLICT (workspace_id, endpoint_id, event_id) DO NOTHING
        RETURNING 1
    ), gone AS (
        DELETE FROM outbox o USING fact f WHERE o.workspace_id = :workspace_id AND o.id = f.id
    ), advanced AS (
        UPDATE event_position SET position = :after + (SELECT count(*) FROM fact) WHERE workspace_id = :workspace_id
    )
    SELECT (SELECT count(*) FROM placed) AS events, (SELECT count(*) FROM told) AS deliveries
""")  # our own expressions


# ---------------------------------------------------------------- reading the feed


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An event of the feed: `body` is the envelope, finished JSON, the same text that webhooks carry."""

    position: int
    type: str
    conversation_id: UUID | None
    body: str


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of the feed. Whoever goes on from `after` misses nothing and sees nothing twice, also where filters left
    events out; `has_more` says that the next page can be read at once."""

    items: tuple[FeedItem, ...]
    after: int
    has_more: bool

    @property
    def data(self) -> bytes:
        """The envelopes as a JSON array, ready to be sent."""
        return ("[" + ",".join(item.body for item in self.items) + "]").encode()


async def page(
    connection: asyncpg.Connection, *, after: int | None = None, limit: int = 100, types: Sequence[str] | None = None,
    conversation_id: UUID | None = None,
) -> FeedPage:  # fmt: skip
    """Events after the position `after`, oldest first; None begins with the oldest that is kept.

    For `GET /v1/events?after=&limit=&type=&conversation=`: `types` are names, `noun.*` or `*`; send `data`, and
    `after` as what to ask with next. For live clients: the items one by one, `position` as their id.
    Raises Gone where events after `after` have expired, so that nobody believes to have seen them.
    """
    asked: list[Any] = [after or 0, limit + 1, list(types) if types else None]
    if conversation_id is not None:
        asked.append(conversation_id)
    rows = await connection.fetch(_PAGE_OF_CONVERSATION if conversation_id is not None else _PAGE, *asked)
    head: int = rows[0]["head"]
    oldest: int = rows[0]["oldest"] or head + 1
    if after is not None and after + 1 < oldest:
        raise Gone(
            f"Events up to position {oldest - 1} have expired; read what you need from the lists, and go on with "
            f"after={oldest - 1}.",
            code="position_expired",
        )
    items = [
        FeedItem(row["position"], row["type"], row["conversation_id"], row["body"])
        for row in rows
        if row["position"] is not None
    ]
    has_more = len(items) > limit
    items = items[:limit]
    return FeedPage(tuple(items), items[-1].position if has_more else max(head, after or 0), has_more)


async def head(connection: asyncpg.Connection) -> int:
    """The position of the newest event: where a live client begins that wants only what comes."""
    return int(await connection.fetchval("SELECT coalesce((SELECT position FROM event_position), 0)"))


def _page_sql(narrower: str) -> str:
    # Head, oldest and rows are of one snapshot; the sequencer moves the head in the transaction that adds the events.
    return f"""
        SELECT b.head, b.oldest, p.* FROM (
            SELECT coalesce((SELECT position FROM event_position), 0) AS head,
                   (SELECT e.position FROM event e ORDER BY e.workspace_id, e.position LIMIT 1) AS oldest
        ) b LEFT JOIN LATERAL (
            SELECT e.position, e.type, e.conversation_id, {ENVELOPE} AS body FROM event e
            WHERE e.position > $1 AND ($3::text[] IS NULL OR {names_match("e.type", "$3::text[]")}) {narrower}
            ORDER BY e.position LIMIT $2
        ) p ON true
        ORDER BY p.position
    """  # our own expressions


_PAGE = _page_sql("")
_PAGE_OF_CONVERSATION = _page_sql("AND e.conversation_id = $4")
