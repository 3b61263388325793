"""Looks after the promises: clocks about to be broken or broken become facts, snoozed conversations wake, settled ones close.

What is told does not depend on when somebody looks: the facts are the fold of each clock's events, each told once by its key.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

import asyncpg

from shared import outbox
from shared.acts import clocks, conversations
from shared.kit import clock
from shared.kit.database import Database
from shared.models.conversation import REOPENS_WITHIN, Status
from shared.store import conversation as store
from shared.store import sla


async def watch(database: Database) -> bool:
    """Tells what is due by now. Returns whether there may be more at once."""
    async with database.lookup() as connection:
        at, due = await sla.due(connection, clock.now())
    for workspace_id, clock_ids in due.items():
        async with database.write(workspace_id) as session:
            await outbox.add(session, workspace_id, await clocks.look(session, workspace_id, clock_ids, at))
    return bool(due)


async def wake_rested(database: Database) -> bool:
    """Takes up conversations whose snooze is over."""
    async with database.lookup() as connection:
        rested = _by_workspace(await store.rested(connection))
    for workspace_id, ids in rested.items():
        for one in ids:
            async with database.write(workspace_id) as session:
                conversation = await store.lock(session, workspace_id, one)
                if conversation.status == Status.SNOOZED:
                    await conversations.wake(session, conversation)
    return bool(rested)


async def close_settled(database: Database) -> bool:
    """Closes conversations that were resolved and not taken up again in time."""
    async with database.lookup() as connection:
        settled = _by_workspace(await store.settled(connection, REOPENS_WITHIN.total_seconds()))
    for workspace_id, ids in settled.items():
        async with database.write(workspace_id) as session:
            await conversations.close(session, workspace_id, ids)
    return bool(settled)


def _by_workspace(rows: Iterable[asyncpg.Record]) -> Mapping[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["workspace_id"], []).append(row["id"])
    return found
