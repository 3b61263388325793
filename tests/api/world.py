"""A workspace with one of everything, and callers of every role: what tests of the doors begin with."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
from sqlalchemy import text

from services.api.desk import workspaces
from shared.acts import conversations
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.conversation import Priority
from shared.models.mention import Assessment
from shared.models.people import Agent
from shared.models.reply_rules import ReplyRules
from shared.models.workspace import Role
from tests.builders import an_arrival, an_item, taken

VENUE = {
    "type": "venue",
    "title": "A venue",
    "abilities": ["push", "reply_public", "hide", "report", "dispute", "delete_reply"],
    "settings_schema": {
        "type": "object",
        "properties": {
            "page": {"type": "string", "minLength": 2, "description": "The page"},
            "depth": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "mode": {"enum": ["fast", "slow"]},
        },
        "additionalProperties": False,
        "required": ["page"],
    },
    "secrets_schema": {
        "type": "object", "properties": {"token": {"type": "string", "minLength": 4}}, "additionalProperties": False,
    },
    "reply_rules": {"public": {"lengths": [{"limit": 60}], "threads": True}},
}  # fmt: skip
FINDINGS: dict[str, object] = {
    "language": {"value": "en", "confidence": 0.9, "why": "words", "decided_by": "language", "version": "1"},
    "sentiment": {
        "value": "negative", "score": -0.6, "confidence": 0.8, "why": "'broken'", "decided_by": "sentiment", "version": "1",
    },
    "issues": [
        {"value": "outage", "confidence": 0.9, "why": "'outage'", "decided_by": "issues", "version": "1", "start": 0, "end": 6}
    ],
}  # fmt: skip


async def publish_channel_types(database_url: str) -> None:
    """What ingest does at its start: tells which kinds of venues there are."""
    connection = await asyncpg.connect(database_url)
    for one in (VENUE, {**VENUE, "type": "push", "settings_schema": {"type": "object", "properties": {}}}):
        await connection.execute(
            "INSERT INTO channel_type (type, title, abilities, settings_schema, secrets_schema, reply_rules, published_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, now()) ON CONFLICT DO NOTHING",
            one["type"], one["title"], one["abilities"], orjson.dumps(one["settings_schema"]).decode(),
            orjson.dumps(one["secrets_schema"]).decode(), orjson.dumps(one["reply_rules"]).decode(),
        )  # fmt: skip
    await connection.close()


@dataclass
class World:
    """A workspace, its callers, and the ids of what is in it."""

    database: Database
    client: httpx.AsyncClient
    workspace_id: UUID
    keys: dict[Role, str] = field(default_factory=dict)
    agent: Agent | None = None

    async def call(
        self, method: str, path: str, body: Any = None, *, role: Role = Role.ADMIN, key: str | None = None,
        headers: Mapping[str, str] | None = None, content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx.Response:  # fmt: skip
        """Calls an operation as somebody of that role."""
        sent = {"authorization": f"Bearer {key or self.keys[role]}", **(headers or {})}
        if body is not None:
            content = orjson.dumps(body)
            sent.setdefault("content-type", "application/json")
        return await self.client.request(method, path, content=content, headers=sent)

    async def get(self, path: str, **more: Any) -> Any:
        """What a reading answers. Fails where it is refused."""
        answer = await self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, *, status: int = 201, **more: Any) -> Any:
        """What a writing answers. Fails where the status is another one."""
        answer = await self.call("POST", path, body, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def a_channel(self, **fields: Any) -> Channel:
        """A channel of the venue."""
        channel = Channel(
            workspace_id=self.workspace_id,
            **{"type": "venue", "name": f"c-{ids.new_id().hex[-12:]}", "settings": {"page": "x1"}, **fields},
        )
        async with self.database.write(self.workspace_id) as session:
            session.add(channel)
        return channel

    async def a_mention(self, channel: Channel | None = None, said: str = "Outage again!", **fields: Any) -> UUID:
        """A mention that came in and waits for triage."""
        where = channel or await self.a_channel()
        external_id = ids.new_id().hex
        rules = ReplyRules.model_validate(VENUE["reply_rules"])
        await taken(self.database, self.workspace_id, where, an_item(external_id, said, **fields), rules=rules)
        async with self.database.read(self.workspace_id) as connection:
            found: UUID = await connection.fetchval("SELECT id FROM mention WHERE external_id = $1", external_id)
        return found

    async def a_conversation(
        self, channel: Channel | None = None, *, priority: Priority = Priority.NORMAL, at: datetime | None = None,
        said: str = "Outage again!", lang: str = "en", **fields: Any,
    ) -> tuple[UUID, UUID]:  # fmt: skip
        """(conversation, mention): a mention that was triaged and is owed an answer."""
        where = channel or await self.a_channel()
        mention_id = await self.a_mention(where, said)
        async with self.database.write(self.workspace_id) as session:
            arrival = an_arrival(
                where, f"thread {mention_id}", mention_id=mention_id, at=at or clock.now() - timedelta(minutes=5),
                priority=priority, lang=lang, issue_keys=("outage",), subject=said, **fields,
            )  # fmt: skip
            policies = await in_force(session, self.workspace_id)
            placed = await conversations.open_or_extend(session, self.workspace_id, [arrival], policies)
            session.add(
                Assessment(
                    workspace_id=self.workspace_id, mention_id=mention_id, conversation_id=placed[mention_id],
                    disposition="engage", lang=lang, sentiment="negative", sentiment_score=-0.6, issue_keys=["outage"],
                    priority=priority.value, findings=FINDINGS, pipeline_version="test", triaged_at=clock.now(),
                    text_hash=hashlib.sha256(said.encode()).digest(),
                )
            )  # fmt: skip
            await session.flush()
            await session.execute(
                text("UPDATE assessment SET search = to_tsvector('simple', :said) WHERE mention_id = :m"),
                {"said": said, "m": mention_id},
            )
        return placed[mention_id], mention_id

    async def events(self, *types: str) -> list[asyncpg.Record]:
        """The facts that wait in the outbox, of these types."""
        async with self.database.read(self.workspace_id) as connection:
            return await connection.fetch("SELECT * FROM outbox WHERE type = ANY($1) ORDER BY at, id", list(types))


async def a_world(database: Database, client: httpx.AsyncClient, slug: str | None = None) -> World:
    """A new workspace as `create_workspace` makes it, with a key of every role and an agent."""
    name = slug or f"w-{ids.new_id().hex[-12:]}"
    workspace_id = await workspaces.create_workspace(
        database, name, name, timezone="Europe/Amsterdam", sectors=["telecom"]
    )
    world = World(database, client, workspace_id)
    agent = Agent(workspace_id=workspace_id, name="Jo Doe", initials="JD", languages=["en", "nl"], presence="online")
    async with database.write(workspace_id) as session:
        session.add(agent)
    world.agent = agent
    for role in Role:
        world.keys[role] = await workspaces.create_key(
            database, workspace_id, role, f"{role} key", agent_id=agent.id if role == Role.AGENT else None
        )
    return world
