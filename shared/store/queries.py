"""Queries tried on the archive: the mentions that hold one of a query's words, for the rules to look at closely."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg


async def holding_one_of(
    connection: asyncpg.Connection, words: Sequence[str], since: datetime, limit: int
) -> list[asyncpg.Record]:
    """The newest mentions since then whose text or title holds one of these folded words anywhere: id, title, text,
    published_at, query_ids. It takes too many rather than too few: accents are not looked at."""
    patterns = [f"%{_escaped(word)}%" for word in words if word.isascii()]
    all_ascii = len(patterns) == len(words)
    return await connection.fetch(
        """
        SELECT m.id, m.title, m.text, m.published_at, coalesce(a.query_ids, '{}') AS query_ids
        FROM mention m LEFT JOIN assessment a ON a.workspace_id = m.workspace_id AND a.mention_id = m.id
        WHERE m.published_at >= $1 AND m.deleted_at IS NULL
          AND (NOT $2 OR m.text ILIKE ANY($3) OR m.title ILIKE ANY($3) OR NOT (m.text IS NORMALIZED) OR m.text ~ '[^\\x01-\\x7f]')
        ORDER BY m.id DESC LIMIT $4
        """,
        since, all_ascii and bool(patterns), patterns, limit,
    )  # fmt: skip


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
