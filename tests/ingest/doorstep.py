"""The doorstep as the tests stand at it: the ingest app, a workspace with a push channel, and what was said and counted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson

from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.channel import Channel
from shared.models.workspace import Role
from shared.store import ledger

LARGEST = 200_000


class Doorstep:
    """The ingest app in this process, and a workspace with a push channel named shop."""

    def __init__(self, client: httpx.AsyncClient, database: Database, settings: Settings) -> None:
        self.client = client
        self.database = database
        self.settings = settings
        self.workspace_id = UUID(int=0)
        self.keys: dict[Role, str] = {}
        self.shop = Channel(workspace_id=self.workspace_id, type="push", name="shop")

    async def push(self, content: Any, *, key: str | None = None, **headers: str) -> httpx.Response:
        """Pushes bytes as they are, or anything else as JSON."""
        sent = {
            "authorization": f"Bearer {key or self.keys[Role.INTEGRATION]}",
            "content-type": headers.pop("kind", "application/json"),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await self.client.post("/v1/mentions", content=body, headers=sent)

    async def texts(self) -> dict[str, str]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT external_id, text FROM mention")
        return {row["external_id"]: row["text"] for row in rows}

    async def rejected(self) -> dict[str, int]:
        """By channel, what the ledger says was refused; as much must have been received."""
        async with self.database.read(self.workspace_id) as connection:
            rows = await ledger.read(connection, since=None, until=None, channel=None)
        for row in rows:
            assert row["received"] == sum(row[name] for name in ledger.COUNTS if name != "received")
        return {row["channel"]: row["rejected"] for row in rows if row["rejected"]}

    async def counts(self) -> dict[str, int]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await ledger.read(connection, since=None, until=None, channel=None)
        return {name: sum(row[name] for row in rows) for name in ledger.COUNTS}


def item(external_id: str, text: str = "Kapot!", **fields: Any) -> dict[str, Any]:
    published_at = clock.iso(clock.now() - timedelta(minutes=1))
    return {"channel": "shop", "external_id": external_id, "text": text, "published_at": published_at, **fields}


def said(answer: httpx.Response, status: int = 202) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """The sentence of a problem."""
    body = said(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"]
    return str(body["detail"])
