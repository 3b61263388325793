"""API keys: made, shown once, revoked. Only the beginning and a hash of a key are kept."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.kit.errors import Conflict, Invalid
from shared.kit.secrets import hash_api_key, key_prefix, new_api_key
from shared.models.people import Agent
from shared.models.workspace import ApiKey, ApiKeyFields, Role
from shared.store import rows


async def create_api_key(desk: Desk, given: Mapping[str, Any]) -> tuple[UUID, str]:
    """Makes a key: {"name": …, "role": …, "agent_id"?, "expires_at"?}. Returns its id and the key, which is told this once."""
    asked = fields.read_fields(ApiKeyFields, given)
    await fields.must_exist(desk, Agent, [asked.agent_id], "/agent_id")
    if asked.expires_at is not None:
        if asked.expires_at.tzinfo is None:
            raise Invalid(
                "expires_at needs its zone, as 2026-12-31T00:00:00Z.", errors=[("/expires_at", "has no zone")]
            )
        if asked.expires_at <= clock.now():
            raise Invalid("A key cannot expire in the past.", errors=[("/expires_at", "is in the past")])
    key_id, key = ids.new_id(), new_api_key()
    await new_key(
        desk.session, desk.workspace_id, asked.role, asked.name, agent_id=asked.agent_id, key=key, key_id=key_id,
        expires_at=asked.expires_at,
    )  # fmt: skip
    return key_id, key


async def revoke_api_key(desk: Desk, key_id: UUID) -> None:
    """Ends a key, within seconds and for good; the row stays, so that it is known who had one. A key does not end itself, so
    that nobody locks the door behind them by mistake."""
    key = await rows.take(desk.session, ApiKey, desk.workspace_id, key_id)
    if key.id == desk.actor.key_id:
        raise Conflict("This is the key you are using; revoke it with another one.", code="own_key")
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        await rows.touch(desk.session, key)


async def new_key(
    session: WriteSession, workspace_id: UUID, role: Role, name: str, *, agent_id: UUID | None = None,
    key: str | None = None, key_id: UUID | None = None, expires_at: Any = None,
) -> str:  # fmt: skip
    """Writes a key, one of our making or a given one, and returns it."""
    plain = key or new_api_key()
    await rows.add(
        session,
        ApiKey(
            id=key_id or ids.new_id(), workspace_id=workspace_id, name=name, role=role.value, agent_id=agent_id,
            expires_at=expires_at, prefix=key_prefix(plain), hash=hash_api_key(plain),
        ),
    )  # fmt: skip
    return plain
