"""Authors: kept as last seen, found by their account on a channel type."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.kit import clock
from shared.kit.database import WriteSession, driver


class SeenAuthor(NamedTuple):
    """What was seen of an account; None: not told, so that the former value stays."""

    handle: str | None = None
    handle_folded: str | None = None
    name: str | None = None
    url: str | None = None
    followers: int | None = None
    following: int | None = None
    verified: bool | None = None
    account_created_at: datetime | None = None


_SEEN = tuple(SeenAuthor.__annotations__)

# A join, not `= ANY`: in a workspace that statistics do not know yet, a list would be compared with every row.
_KNOWN = f"""
    SELECT a.external_id, a.id, {", ".join(f"a.{name}" for name in _SEEN)}
    FROM json_array_elements_text($3) AS u(external_id)
    JOIN author a ON a.workspace_id = $1 AND a.channel_type = $2 AND a.external_id = u.external_id
"""  # names of our own columns

_UPSERT = text(f"""
    INSERT INTO author AS a (workspace_id, channel_type, id, external_id, created_at, updated_at, {", ".join(_SEEN)})
    SELECT :workspace_id, :channel_type, uuidv7(), external_id, :now, :now, {", ".join(_SEEN)}
    FROM json_to_recordset(CAST(:rows AS json)) AS u(external_id text, handle text, handle_folded text, name text,
        url text, followers int, following int, verified bool, account_created_at timestamptz)
    ON CONFLICT (workspace_id, channel_type, external_id) DO UPDATE
    SET updated_at = :now, {", ".join(f"{name} = coalesce(excluded.{name}, a.{name})" for name in _SEEN)}
    RETURNING a.external_id, a.id
""")  # names of our own columns


async def upsert_many(
    session: WriteSession, workspace_id: UUID, channel_type: str, seen: Mapping[str, SeenAuthor]
) -> dict[str, UUID]:
    """Keeps what was seen of authors, by their external id. Returns their ids."""
    if not seen:
        return {}
    connection = await driver(session)
    found: dict[str, UUID] = {}
    unchanged: set[str] = set()
    known = await connection.fetch(_KNOWN, workspace_id, channel_type, orjson.dumps(list(seen)).decode())
    for external_id, author_id, *kept in known:
        found[external_id] = author_id
        if not _differs(seen[external_id], tuple(kept)):
            unchanged.add(external_id)
    # A row is touched only when something about the account changed; a busy author does not become a hot row. One order for
    # all, so that two writers who meet the same authors wait for each other and do not lock.
    changed = [
        {"external_id": key, **dict(zip(_SEEN, seen[key], strict=True))} for key in sorted(seen.keys() - unchanged)
    ]
    if changed:
        parameters = {
            "workspace_id": workspace_id,
            "channel_type": channel_type,
            "now": clock.now(),
            "rows": orjson.dumps(changed).decode(),
        }
        found |= {row.external_id: row.id for row in await session.execute(_UPSERT, parameters)}
    return found


def _differs(told: SeenAuthor, kept: tuple[Any, ...]) -> bool:
    """Whether something that was told is not what is kept; what was not told is no difference."""
    return told != kept and any(new != old and new is not None for new, old in zip(told, kept, strict=True))


def fold(handle: str | None) -> str | None:
    """A handle as it is compared: lower case, without `@`."""
    return handle.lstrip("@").casefold() if handle else None
