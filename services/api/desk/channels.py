"""Channels: the sources a workspace has configured. Settings follow the type's schema; secrets are written, never read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from services.api.desk import fields
from services.api.desk.desk import Desk
from services.api.desk.settings_schema import problems
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.channel import Channel, ChannelFields, ChannelType, Health
from shared.models.sealed import channel_secrets
from shared.store import channel_types, rows

LARGEST = 50_000
_READS = frozenset({"pages", "stream"})
"""The abilities by which we go and get what is new."""


async def create_channel(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Connects a channel. `secrets`, beside the fields, is sealed and never shown. A channel that we read is due at once."""
    asked = fields.read_fields(ChannelFields, given, also=("secrets",))
    type_ = await _type(desk, asked.type)
    _check(asked.settings, type_.settings_schema, "/settings")
    channel = Channel(workspace_id=desk.workspace_id, **fields.values_of(asked))
    secrets = given.get("secrets", {})
    _check(secrets, type_.secrets_schema, "/secrets")
    _seal(desk, channel, secrets)
    if _READS & set(type_.abilities):
        channel.next_poll_at = clock.now()
    await rows.add(desk.session, channel)
    return channel.id


async def change_channel(desk: Desk, channel_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a channel. New settings or secrets make a failing one due at once. The type stays.

    Raises NotFound, and Invalid where the settings do not fit the type."""
    channel = await rows.take(desk.session, Channel, desk.workspace_id, channel_id)
    asked = fields.changed_fields(ChannelFields, channel, {n: v for n, v in given.items() if n != "secrets"})
    if asked.type != channel.type:
        raise Invalid(
            "A channel keeps its type; connect a new channel instead.", errors=[("/type", "cannot be changed")]
        )
    type_ = await _type(desk, channel.type)
    _check(asked.settings, type_.settings_schema, "/settings")
    changed = fields.lay_over(channel, asked)
    if "secrets" in given:
        _check(given["secrets"], type_.secrets_schema, "/secrets")
        _seal(desk, channel, given["secrets"])
    if "secrets" in given or "settings" in changed or ("status" in changed and channel.status == "active"):
        channel.failures = 0
        if channel.health == Health.REAUTH_REQUIRED:
            channel.health = Health.FAILING
        if _READS & set(type_.abilities):
            channel.next_poll_at = clock.now()
    await rows.touch(desk.session, channel)
    return channel.id


async def pause_channel(desk: Desk, channel_id: UUID) -> None:
    """Ends the reading of a channel. Its mentions and its place in the ledger stay, so the channel itself stays, paused."""
    channel = await rows.take(desk.session, Channel, desk.workspace_id, channel_id)
    channel.status = "paused"
    await rows.touch(desk.session, channel)


async def _type(desk: Desk, name: str) -> ChannelType:
    known = await channel_types.find(desk.session, name)
    if known is None:
        names = ", ".join(await channel_types.names(desk.session)) or "none yet: start ingest, which publishes them"
        raise Invalid(f"There is no channel type {name}. There are: {names}.", errors=[("/type", "is not known")])
    return known


def _check(value: object, schema: Mapping[str, Any], pointer: str) -> None:
    fields.small_enough(value, pointer, LARGEST)
    whole = {"type": "object", "additionalProperties": False, **schema}
    if wrong := problems(value, whole, pointer):
        raise Invalid(f"The {pointer[1:]} do not fit this type of channel.", errors=wrong)


def _seal(desk: Desk, channel: Channel, secrets: Mapping[str, Any]) -> None:
    channel.secrets = (
        desk.vault.seal(orjson.dumps(dict(secrets)).decode(), desk.workspace_id, channel_secrets(channel.id))
        if secrets
        else None
    )
