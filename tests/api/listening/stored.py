"""Rows put straight into the database, so that figures read from them are known beforehand."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.api.listening.report import Week
from shared.kit import ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.conversation import Conversation
from shared.models.mention import Assessment, Mention
from shared.models.sla import SlaClock, SlaClockEvent

WEEK = Week(2026, 45)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
SUNDAY_AFTER = MONDAY + timedelta(days=7)
ZONE = "Europe/Amsterdam"
OUTAGE = "network.outage"


def found(start: int, end: int, value: str = OUTAGE) -> dict[str, Any]:
    return {
        "value": value,
        "confidence": 0.9,
        "why": "",
        "decided_by": "issues",
        "version": "1",
        "start": start,
        "end": end,
    }


async def heard(
    database: Database, channel: Channel, at: datetime, said: str = "geen internet", *, reach: int | None = None,
    author_id: UUID | None = None, deleted: bool = False, visibility: str = "public", permalink: str | None = None,
    received_at: datetime | None = None, **assessed: Any,
) -> UUID:  # fmt: skip
    """A mention that was understood; `assessed` are columns of its assessment."""
    received = received_at or at + timedelta(minutes=1)
    mention_id = ids.new_id(received)
    async with database.write(channel.workspace_id) as session:
        session.add(
            Mention(
                workspace_id=channel.workspace_id, id=mention_id, channel_id=channel.id, channel_type=channel.type,
                external_id=mention_id.hex, text=said, published_at=at, received_at=received, reach=reach, author_id=author_id,
                deleted_at=received if deleted else None, visibility=visibility, permalink=permalink,
            )
        )  # fmt: skip
        row: Mapping[str, Any] = {
            "disposition": "engage", "lang": "nl", "sentiment": "negative", "findings": {}, "pipeline_version": "t",
            "triaged_at": received, "text_hash": hashlib.sha256(said.encode()).digest(), **assessed,
        }  # fmt: skip
        session.add(Assessment(workspace_id=channel.workspace_id, mention_id=mention_id, **row))
    return mention_id


async def a_conversation(database: Database, channel: Channel, at: datetime, **fields: Any) -> Conversation:
    one = Conversation(
        workspace_id=channel.workspace_id, channel_id=channel.id, channel_type=channel.type, thread_key=ids.new_id().hex,
        created_at=at, last_message_at=at, **fields,
    )  # fmt: skip
    async with database.write(channel.workspace_id) as session:
        session.add(one)
    return one


async def a_clock(database: Database, one: Conversation, metric: str, started_at: datetime, **fields: Any) -> None:
    calendar_id = fields.pop("counts_by", None)
    promise = SlaClock(
        workspace_id=one.workspace_id, conversation_id=one.id, policy_id=ids.new_id(), policy_version=1, priority="normal",
        metric=metric, started_at=started_at, **{"target_s": 3600.0, **fields},
    )  # fmt: skip
    async with database.write(one.workspace_id) as session:
        session.add(promise)
        await session.flush()
        session.add(
            SlaClockEvent(
                workspace_id=one.workspace_id, clock_id=promise.id, kind="started", at=started_at, recorded_at=started_at,
                cause="m", terms={"within_s": 3600, "calendar_id": calendar_id, "marks": []},
            )
        )  # fmt: skip
