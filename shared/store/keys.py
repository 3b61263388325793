"""API keys: found by their beginning, recognised by their hash, remembered for a few seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.kit import clock
from shared.kit.database import Database
from shared.kit.secrets import hash_api_key, key_prefix, same_hash
from shared.models.workspace import Role

KEPT_S = 3.0
"""For how long a key that was recognised is not looked up again: a revoked key works at most this much longer."""
MOST_KEPT = 10_000
USE_NOTED_EVERY_S = 60.0
SHORTEST_KEY, LONGEST_KEY = 32, 512


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key of a workspace, as the door needs it."""

    workspace_id: UUID
    id: UUID
    role: Role
    agent_id: UUID | None
    expires_at: datetime | None


class Keys:
    """Recognises API keys. One per process; `database` is where they lie."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[bytes, tuple[KnownKey, float]] = OrderedDict()
        self._used: dict[UUID, float] = {}

    async def recognise(self, key: str) -> KnownKey | None:
        """Whose key it is; None for one that is unknown, expired or revoked. Compares in constant time."""
        if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
            return None
        digest, at = hash_api_key(key), time.monotonic()
        kept = self._kept.get(digest)
        if kept is not None and kept[1] > at:
            known = kept[0]
        else:
            found = await self._look_up(key_prefix(key), digest)
            if found is None:
                self._kept.pop(digest, None)
                return None
            known = found
            self._keep(digest, known, at)
        if known.expires_at is not None and known.expires_at <= clock.now():
            return None
        return known

    def _keep(self, digest: bytes, known: KnownKey, at: float) -> None:
        self._kept[digest] = (known, at + KEPT_S)
        self._kept.move_to_end(digest)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def _look_up(self, prefix: str, digest: bytes) -> KnownKey | None:
        async with self._database.lookup() as connection:
            row = await connection.fetchrow(_FIND, prefix)
            if row is None or not same_hash(row["hash"], digest):
                return None
            at = time.monotonic()
            if at - self._used.get(row["id"], -USE_NOTED_EVERY_S) >= USE_NOTED_EVERY_S:
                self._used[row["id"]] = at
                await connection.execute(_NOTE_USE, row["workspace_id"], row["id"])
        return KnownKey(row["workspace_id"], row["id"], Role(row["role"]), row["agent_id"], row["expires_at"])


_FIND = """
    SELECT workspace_id, id, hash, role, agent_id, expires_at FROM api_key
    WHERE prefix = $1 AND revoked_at IS NULL
"""
_NOTE_USE = "UPDATE api_key SET last_used_at = now() WHERE workspace_id = $1 AND id = $2"
