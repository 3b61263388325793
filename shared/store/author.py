"""Authors: kept as last seen, found by their account on a channel type."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from shared.kit import clock
from shared.kit.database import WriteSession

_SEEN = ("handle", "handle_folded", "name", "url", "followers", "following", "verified", "account_created_at")

# A row is touched only when something about the account changed; a busy author does not become a hot row.
_UPSERT = text(f"""
    WITH sent AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS u(external_id text, handle text, handle_folded text, name text,
            url text, followers int, following int, verified bool, account_created_at timestamptz)
    ),
    written AS (
        INSERT INTO author AS a (workspace_id, channel_type, id, external_id, created_at, updated_at, {", ".join(_SEEN)})
        SELECT :workspace_id, :channel_type, uuidv7(), external_id, :now, :now, {", ".join(_SEEN)} FROM sent
        ON CONFLICT (workspace_id, channel_type, external_id) DO UPDATE
        SET updated_at = :now, {", ".join(f"{name} = coalesce(excluded.{name}, a.{name})" for name in _SEEN)}
        WHERE ({", ".join(f"coalesce(excluded.{name}, a.{name})" for name in _SEEN)})
              IS DISTINCT FROM ({", ".join(f"a.{name}" for name in _SEEN)})
        RETURNING a.external_id, a.id
    )
    SELECT external_id, id FROM written
    UNION
    SELECT a.external_id, a.id FROM author a JOIN sent USING (external_id)
    WHERE a.workspace_id = :workspace_id AND a.channel_type = :channel_type
""")  # names of our own columns

_FIND = text("""
    SELECT external_id, id FROM author
    WHERE workspace_id = :workspace_id AND channel_type = :channel_type AND external_id = ANY(CAST(:external_id AS text[]))
""")


async def upsert_many(
    session: WriteSession, workspace_id: UUID, channel_type: str, seen: Mapping[str, Mapping[str, Any]]
) -> dict[str, UUID]:
    """Keeps what was seen of authors, by their external id: handle, name, url, followers, following, verified,
    account_created_at (None: not told, the former value stays). Returns their ids."""
    if not seen:
        return {}
    # One order for all, so that two writers who meet the same authors wait for each other and do not lock.
    order: Sequence[str] = sorted(seen)
    rows = [{**seen[key], "external_id": key, "handle_folded": fold(seen[key].get("handle"))} for key in order]
    parameters = {
        "workspace_id": workspace_id,
        "channel_type": channel_type,
        "now": clock.now(),
        "rows": orjson.dumps(rows).decode(),
    }
    found = {row.external_id: row.id for row in await session.execute(_UPSERT, parameters)}
    missing = [key for key in order if key not in found]
    if missing:  # written by somebody else since our statement began, and just as we saw them
        found |= {
            row.external_id: row.id for row in await session.execute(_FIND, {**parameters, "external_id": missing})
        }
    return found


def fold(handle: str | None) -> str | None:
    """A handle as it is compared: lower case, without `@`."""
    return handle.lstrip("@").casefold() if handle else None
