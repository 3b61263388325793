"""Weekly listening reports as they were rendered: kept once, found by their week."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import text

from shared.kit import clock, ids
from shared.kit.database import WriteSession

_SLACK = timedelta(days=1)
"""A venue's clock may run ahead of ours, so a mention may have been received a little before it was published."""
_KEEP = text("""
    INSERT INTO report (workspace_id, id, created_at, updated_at, week, figures, page, data_hash, rendered_at)
    VALUES (:w, :id, :now, :now, :week, CAST(:figures AS jsonb), :page, :data_hash, :now)
    ON CONFLICT (workspace_id, week) DO NOTHING RETURNING id
""")
_REPLACE = text("""
    INSERT INTO report AS r (workspace_id, id, created_at, updated_at, week, figures, page, data_hash, rendered_at)
    VALUES (:w, :id, :now, :now, :week, CAST(:figures AS jsonb), :page, :data_hash, :now)
    ON CONFLICT (workspace_id, week) DO UPDATE
    SET figures = excluded.figures, page = excluded.page, data_hash = excluded.data_hash, rendered_at = excluded.rendered_at,
        updated_at = excluded.updated_at
    WHERE r.data_hash <> excluded.data_hash RETURNING id
""")


async def find(connection: asyncpg.Connection, week: str) -> asyncpg.Record | None:
    """A week's report: `id`, `figures` (JSON text), `page` (HTML bytes), `data_hash` and `rendered_at`."""
    return await connection.fetchrow(
        "SELECT id, figures::text AS figures, page, data_hash, rendered_at FROM report WHERE week = $1", week
    )


async def find_figures(connection: asyncpg.Connection, week: str) -> asyncpg.Record | None:
    """The same without the page."""
    return await connection.fetchrow(
        "SELECT id, figures::text AS figures, data_hash, rendered_at FROM report WHERE week = $1", week
    )


async def is_lacking(connection: asyncpg.Connection, week: str, since: datetime, until: datetime) -> bool:
    """Whether a week, which went from `since` to before `until`, has no report though something was heard or came in."""
    found: bool = await connection.fetchval(
        """
        SELECT NOT EXISTS (SELECT FROM report WHERE week = $1) AND (
            EXISTS (SELECT FROM mention WHERE id >= $4 AND published_at >= $2 AND published_at < $3)
            OR EXISTS (SELECT FROM ledger_hour WHERE hour >= $2 AND hour < $3)
            OR EXISTS (SELECT FROM ledger_delta WHERE hour >= $2 AND hour < $3)
            OR EXISTS (SELECT FROM conversation WHERE created_at >= $2 AND created_at < $3))
        """,
        week, since, until, ids.first_id_at(since - _SLACK),
    )  # fmt: skip
    return found


async def keep(
    session: WriteSession,
    workspace_id: UUID,
    week: str,
    figures: str,
    page: bytes,
    data_hash: str,
    *,
    anew: bool = False,
) -> UUID | None:
    """Keeps a week's report: `figures` as JSON text, `page` as HTML. Returns its id; None where one is there already, which then
    stays as it is. With `anew` it is replaced, unless it says the same (its `data_hash`)."""
    row = await session.execute(
        _REPLACE if anew else _KEEP,
        {"w": workspace_id, "id": ids.new_id(), "now": clock.now(), "week": week, "figures": figures, "page": page,
         "data_hash": data_hash},
    )  # fmt: skip
    found: UUID | None = row.scalar_one_or_none()
    return found
