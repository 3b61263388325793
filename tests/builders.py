"""Test data, built by what matters; everything else has a default."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.ingest.incoming_mention import IncomingMention
from services.ingest.intake import Source, Taken, take_in
from shared.acts.conversations import Arrival
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.conversation import Priority
from shared.models.people import Queue
from shared.models.sla import Calendar, SlaPolicy
from shared.models.workspace import Workspace

OFFICE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


async def a_workspace(database: Database, *, settings: Mapping[str, Any] | None = None) -> UUID:
    """A workspace with nothing in it."""
    workspace_id = ids.new_id()
    async with database.write(workspace_id) as session:
        session.add(
            Workspace(id=workspace_id, slug=f"w-{workspace_id.hex[-12:]}", name="W", settings=dict(settings or {}))
        )
    return workspace_id


async def a_channel(database: Database, workspace_id: UUID, **fields: Any) -> Channel:
    """A push channel, unless said otherwise."""
    channel = Channel(workspace_id=workspace_id, **{"type": "push", "name": f"c-{ids.new_id().hex[-12:]}", **fields})
    async with database.write(workspace_id) as session:
        session.add(channel)
    return channel


async def a_queue(database: Database, workspace_id: UUID, **fields: Any) -> Queue:
    """A queue that takes everything, unless a filter is given."""
    queue = Queue(workspace_id=workspace_id, **{"name": f"q-{ids.new_id().hex[-12:]}", "filter": {}, **fields})
    async with database.write(workspace_id) as session:
        session.add(queue)
    return queue


async def a_policy(
    database: Database, workspace_id: UUID, *, within: str = "PT1H", hours: str = "clock", **fields: Any
) -> SlaPolicy:
    """A policy with a first response and a resolution, by the clock or by office hours in Amsterdam."""
    calendar = Calendar(
        workspace_id=workspace_id, name=f"c-{ids.new_id().hex[-12:]}", timezone="Europe/Amsterdam", weekly=OFFICE
    )
    targets = [
        {"metric": "first_response", "priority": "*", "within": within, "hours": hours},
        {"metric": "resolution", "priority": "*", "within": "P2D", "hours": hours},
    ]
    policy = SlaPolicy(
        workspace_id=workspace_id,
        **{
            "name": f"p-{ids.new_id().hex[-12:]}",
            "calendar_id": calendar.id,
            "targets": targets,
            "starts_at": "received_at",
            **fields,
        },
    )
    async with database.write(workspace_id) as session:
        session.add(calendar)
        await session.flush()
        session.add(policy)
    return policy


def an_item(external_id: str, text: str = "Jullie app is kapot", **fields: Any) -> dict[str, Any]:
    """A mention as a caller sends it."""
    return {
        "external_id": external_id,
        "text": text,
        "published_at": clock.now() - timedelta(minutes=1),
        "author": {"external_id": f"author-{external_id}", "handle": f"handle_{external_id}"},
        **fields,
    }


async def taken(
    database: Database, workspace_id: UUID, channel: Channel, *items: Mapping[str, Any], **source: Any
) -> Taken:
    """Sends items through intake, in one page."""
    page = [IncomingMention.model_validate(item) for item in items]
    async with database.write(workspace_id) as session:
        return await take_in(session, workspace_id, Source(channel.id, channel.type, **source), page)


def an_arrival(
    channel: Channel, thread: str, *, mention_id: UUID | None = None, at: datetime | None = None, **fields: Any
) -> Arrival:
    """A mention on its way into a conversation."""
    moment = at or clock.now()
    return Arrival(
        **{
            "mention_id": mention_id or ids.new_id(), "channel_id": channel.id, "channel_type": channel.type, "author_id": None,
            "thread_key": thread, "root_external_id": None, "published_at": moment, "received_at": moment, "subject": None,
            "lang": "nl", "visibility": "public", "priority": Priority.NORMAL, "priority_score": 40.0, "sentiment": "negative",
            "issue_keys": (), "brand_ids": (), "seen": {}, **fields,
        }
    )  # fmt: skip
