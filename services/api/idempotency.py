"""An Idempotency-Key makes a POST happen once: the first answer is kept for a day and given again.

The key is claimed, and committed as running with a lease, before the work. The answer is written in the transaction of the
work itself, so there is no moment at which the work is done and its answer is not known. Both doors use this.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.kit.errors import Conflict, Invalid
from shared.store import idempotency

LEASE = timedelta(seconds=30)
"""For how long a request may work before another one with the same key and body may take its place."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class StillRunning(Conflict):
    """The first request with this key has not answered yet."""

    code = "idempotency_key_running"
    title = "The first request with this key still runs"


class KeyReused(Invalid):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    title = "This key belongs to another request"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is kept and given again."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    replayed: bool = False


@dataclass(slots=True)
class Claim:
    """The right to do the work of a key. `keep` in the work's transaction, or `release` where nothing was done."""

    desk: Desk
    key: str
    token: datetime
    kept: bool = False

    async def keep(self, session: WriteSession, answer: Answer) -> None:
        """Writes the answer (without secrets) beside the work. Raises Conflict where the claim was lost meanwhile."""
        self.kept = await idempotency.keep(
            session, self.desk.workspace_id, self.desk.actor.key_id, self.key, self.token, answer.status, answer.body,
            answer.headers,
        )  # fmt: skip
        if not self.kept:
            raise StillRunning("Another request with this Idempotency-Key took over; ask again for its answer.")

    async def keep_alone(self, answer: Answer) -> None:
        """Writes the answer of work that wrote nothing else."""
        async with self.desk.database.write(self.desk.workspace_id) as session:
            await self.keep(session, answer)

    async def release(self) -> None:
        """Gives the key back: the request was refused and changed nothing."""
        async with self.desk.database.read(self.desk.workspace_id) as connection:
            await idempotency.release(connection, self.desk.workspace_id, self.desk.actor.key_id, self.key, self.token)


def fingerprint(*parts: str | bytes | None) -> bytes:
    """What makes two requests the same: SHA-256 over the method, the path with its query, the agent and the body."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part or b""
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.digest()


async def begin(desk: Desk, key: str, request_hash: bytes) -> Claim | Answer:
    """The claim to do the work, or the answer that was given before.

    Raises Invalid for a key that cannot be one, KeyReused where it came with another request, StillRunning (409).
    """
    if not _KEY.fullmatch(key):
        raise Invalid(
            "An Idempotency-Key has 1 to 255 visible ASCII characters, as a UUID has.",
            errors=[("/Idempotency-Key", "cannot be used")],
        )
    workspace_id, client_id = desk.workspace_id, desk.actor.key_id
    async with desk.database.read(workspace_id) as connection:
        token = await idempotency.claim(connection, workspace_id, client_id, key, request_hash, LEASE)
        if token is not None:
            return Claim(desk, key, token)
        known = await idempotency.find(connection, workspace_id, client_id, key)
    if known is not None and known.request_hash != request_hash:
        raise KeyReused("This Idempotency-Key came with another request before; use a new key for a new request.")
    if known is None or known.status is None or known.body is None:
        wait = 1.0 if known is None else max(1.0, (known.lease_until - clock.now()).total_seconds())
        raise StillRunning(
            "The first request with this Idempotency-Key still runs; ask again.", retry_after=min(wait, 5)
        )
    return replace(Answer(known.status, bytes(known.body), known.headers or {}), replayed=True)
