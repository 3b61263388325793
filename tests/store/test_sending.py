"""Rows sent as one JSON array arrive as they were: every type that the stores send this way."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from shared.kit import ids
from shared.kit.database import Database
from shared.store.sending import as_json, recordset
from tests.builders import a_workspace

COLUMNS = {
    "id": "uuid", "said": "text", "score": "float8", "n": "int", "at": "timestamptz", "body": "jsonb", "keys": "text[]",
    "ids": "uuid[]", "hash": "bytea",
}  # fmt: skip


async def test_rows_arrive_as_they_were_sent(database: Database) -> None:
    workspace_id = await a_workspace(database)
    odd = "\"quoted\", {braces}, back\\slash, 'ticks', :colon, NULL, é 東京 😀\n\t\u2028"
    rows: list[dict[str, Any]] = [
        {"id": ids.new_id(), "said": odd, "score": 0.1 + 0.2, "n": -3, "at": datetime(2026, 11, 22, 3, 4, 5, 678901, UTC),
         "body": {"a": [None, odd, {"b": 1.5}]}, "keys": ("x", odd, ""), "ids": (ids.new_id(), ids.new_id()),
         "hash": bytes(range(256)), "not a column": 1},
        {"id": ids.new_id(), "said": "", "score": None, "n": None, "at": None, "body": None, "keys": (), "ids": [], "hash": b""},
        {"id": ids.new_id()},
    ]  # fmt: skip
    async with database.write(workspace_id) as session:
        found = [
            row._asdict()
            for row in await session.execute(text(f"SELECT u.* FROM {recordset(COLUMNS)}"), {"rows": as_json(rows)})
        ]
    for sent, row in zip(rows, found, strict=True):
        for name in COLUMNS:
            wanted = sent.get(name)
            assert row[name] == (list(wanted) if isinstance(wanted, tuple) else wanted), name


def test_ids_as_rows_give_them_are_sent_too() -> None:
    class Id(UUID):
        """What asyncpg reads."""

    assert as_json([{"id": Id(int=1)}]) == f'[{{"id":"{UUID(int=1)}"}}]'


def test_what_nobody_can_read_is_refused() -> None:
    with pytest.raises(TypeError):
        as_json([{"id": object()}])
