"""Telling facts and reading what became of them, for tests of the sequencer and the feed."""

from typing import Any
from uuid import UUID

import orjson

from shared import outbox
from shared.kit.database import Database
from shared.models import facts
from shared.models.event import WebhookEndpoint
from shared.models.facts import Fact
from shared.sequencer import sequence
from shared.store import events


async def tell(database: Database, workspace_id: UUID, *told: Fact) -> None:
    async with database.write(workspace_id) as session:
        await outbox.add(session, workspace_id, told)


async def sequence_all(database: Database, workspace_id: UUID, limit: int = 500) -> int:
    count = 0
    while placed := await sequence(database, workspace_id, limit):
        count += placed
    return count


async def feed(database: Database, workspace_id: UUID) -> list[dict[str, Any]]:
    """The whole feed as a reader takes it, page by page."""
    after, found = 0, []
    while True:
        async with database.read(workspace_id) as connection:
            page = await events.page(connection, after=after, limit=100)
        found += orjson.loads(page.data)
        after = page.after
        if not page.has_more:
            return found


async def rows(database: Database, workspace_id: UUID, sql: str) -> list[dict[str, Any]]:
    async with database.read(workspace_id) as connection:
        return [dict(row.items()) for row in await connection.fetch(sql)]


def about(conversation_id: UUID, **detail: object) -> Fact:
    return facts.StatusChanged(subject_id=conversation_id, conversation_id=conversation_id, detail=detail)


async def an_endpoint(database: Database, workspace_id: UUID, event_types: list[str], **fields: Any) -> UUID:
    endpoint = WebhookEndpoint(
        workspace_id=workspace_id, url="https://example.com/", event_types=event_types, secret=b"x", **fields
    )
    async with database.write(workspace_id) as session:
        session.add(endpoint)
    return endpoint.id
