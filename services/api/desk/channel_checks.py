"""Asking whom a network takes us for. Ingest asks the network; here the question is left for it and the answer waited for."""

import asyncio
from typing import Any
from uuid import UUID

from services.api.desk.desk import Desk
from shared import outbox
from shared.kit import clock
from shared.kit.errors import Conflict, Unavailable
from shared.models.channel import Channel
from shared.store import channel as store
from shared.store import channel_types, rows

WAIT_S = 15.0
LOOK_S = 0.1
FIRST = 1


async def check_channel(desk: Desk, channel_id: UUID) -> dict[str, Any]:
    """Whether a channel's credential works: {"ok", "account", "error", "checked_at"}. Raises NotFound, Conflict for a kind of
    channel that cannot tell, and Unavailable where ingest did not come to it in time.

    It commits the question by itself, because nobody would find it before."""
    async with desk.writing() as asking:
        channel = await rows.take(asking.session, Channel, desk.workspace_id, channel_id)
        type_ = await channel_types.find(asking.session, channel.type)
        if type_ is None or "check" not in type_.abilities:
            raise Conflict(f"A {channel.type} channel has no account that could be checked.", code="cannot_be_checked")
        channel.checked_at = None  # what is there afterwards is the answer to this question, whatever the clocks say
        await asking.session.flush()
        await outbox.add_work(asking.session, desk.workspace_id, [(store.CHECK, channel_id, FIRST)])
    end = asyncio.get_running_loop().time() + WAIT_S
    while asyncio.get_running_loop().time() < end:
        async with desk.database.read(desk.workspace_id) as connection:
            found = await store.last_check(connection, channel_id)
        if found is not None:
            return {**found, "ok": found["error"] is None, "checked_at": clock.iso(found["checked_at"])}
        await asyncio.sleep(LOOK_S)
    raise Unavailable("Ingest has not come to it yet. See that it runs, and ask again.", retry_after=30)
