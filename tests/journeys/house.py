"""The whole house in one process: both doors called without a network, the workers running beside them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import httpx
import orjson
from starlette.types import ASGIApp

from services.api import app as api_app
from services.api import worker as api_worker
from services.api.desk import workspaces
from services.ingest import app as ingest_app
from services.ingest import worker as ingest_worker
from services.triage import worker as triage_worker
from shared.kit import ids
from shared.kit.settings import Settings
from shared.models.workspace import Role


@dataclass
class House:
    """A workspace as the operator made it, its admin's key, and callers of the two doors."""

    settings: Settings
    api: httpx.AsyncClient
    ingest: httpx.AsyncClient
    workspace_id: UUID
    key: str
    slug: str = ""
    ingest_app: ASGIApp | None = None

    async def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Calls the api."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        return await self.api.request(method, path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        """What a reading answers."""
        answer = await self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, *, status: int = 201, key: str | None = None) -> Any:
        """What a writing answers."""
        answer = await self.call("POST", path, body, key=key)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def push(self, mentions: Sequence[Any]) -> Any:
        """What the doorstep answers to mentions."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        answer = await self.ingest.post("/v1/mentions", content=orjson.dumps({"mentions": mentions}), headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def all_of(self, path: str) -> list[Any]:
        """A list, paged to its end."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}{'&' if '?' in path else '?'}limit=100{cursor}")
            found += page["data"]
            if not page["page"]["has_more"]:
                return found
            cursor = f"&cursor={page['page']['next_cursor']}"

    async def feed(self, **filters: Any) -> list[Any]:
        """The feed of events, read to its end."""
        found: list[Any] = []
        await self.feed_on(found, 0, **filters)
        return found

    async def feed_on(self, found: list[Any], after: int, **filters: Any) -> int:
        """Adds to `found` what the feed holds after a position; returns after which to go on."""
        query = "".join(f"&{name}={value}" for name, value in filters.items())
        while True:
            page = await self.get(f"/v1/events?limit=500&after={after}{query}")
            if not page["data"]:
                return after
            found += page["data"]
            after = page["page"]["next_cursor"]


async def wait_until(check: Callable[[], Awaitable[Any]], seconds: float, every_s: float = 0.1) -> Any:
    """The first answer of `check` that is true. Fails where none comes in time."""
    end = time.monotonic() + seconds
    while True:
        if found := await check():
            return found
        assert time.monotonic() < end, f"it did not come to pass within {seconds:g} s"
        await asyncio.sleep(every_s)


@asynccontextmanager
async def a_house(settings: Settings, *, sectors: Sequence[str]) -> AsyncIterator[House]:
    """The house, running, until the test is over. Webhooks may go to this machine."""
    chosen = settings.model_copy(
        update={
            "allowed_networks": (ip_network("127.0.0.0/8"),), "requests_per_minute": 1_000_000, "triage_processes": 1,
        }
    )  # fmt: skip
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        doors = {}
        api, ingest = api_app.create_app(chosen), ingest_app.create_app(chosen)
        for name, app in (("ingest", ingest), ("api", api)):
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url=f"http://{name}.test", timeout=60)
            doors[name] = await stack.enter_async_context(client)
        slug = f"w-{ids.new_id().hex[-12:]}"
        database = api.state.database
        workspace_id = await workspaces.create_workspace(database, slug, slug, sectors=sectors)
        key = await workspaces.create_key(database, workspace_id, Role.ADMIN, "admin")
        workers = [
            asyncio.create_task(worker.run(chosen, stop), name=worker.__name__)
            for worker in (ingest_worker, triage_worker, api_worker)
        ]
        try:
            yield House(chosen, doors["api"], doors["ingest"], workspace_id, key, slug, ingest)
        finally:
            stop.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*workers)
