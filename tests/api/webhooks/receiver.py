"""A receiver of webhooks for tests: it keeps what came in and answers as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web
from sqlalchemy import text

from services.api.webhooks.delivery import Deliverer
from services.api.webhooks.post import Postman
from shared import outbox
from shared.kit import ids
from shared.kit.database import Database
from shared.kit.secrets import Vault, new_webhook_secret
from shared.kit.settings import Network
from shared.models import facts
from shared.models.event import WebhookEndpoint
from shared.sequencer import sequence
from shared.store.deliveries import SECRET_FIELD

LOOPBACK = (ip_network("127.0.0.0/8"),)
VAULT = Vault("tests-only-" + "y" * 40)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Post:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Listens on loopback; `answers` say per path what happens, 200 otherwise."""

    posts: list[Post] = field(default_factory=list)
    answers: dict[str, Handler] = field(default_factory=dict)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posts.append(Post(request.path, headers, body))
        answer = self.answers.get(request.path)
        return await answer(request) if answer else web.Response(text="thank you")

    def to(self, path: str) -> list[Post]:
        return [post for post in self.posts if post.path == path]


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def answering(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def an_endpoint(
    database: Database, workspace_id: UUID, url: str, *, types: tuple[str, ...] = ("*",)
) -> tuple[UUID, str]:
    """(endpoint, its secret)"""
    secret = new_webhook_secret()
    endpoint = WebhookEndpoint(
        workspace_id=workspace_id,
        url=url,
        event_types=list(types),
        secret=VAULT.seal(secret, workspace_id, SECRET_FIELD),
    )
    async with database.write(workspace_id) as session:
        session.add(endpoint)
    return endpoint.id, secret


async def events(database: Database, workspace_id: UUID, count: int) -> None:
    """Tells facts and gives them their place, so that they wait to be delivered."""
    async with database.write(workspace_id) as session:
        told = [facts.ReplySent(subject_id=ids.new_id(), detail={"n": n}) for n in range(count)]
        await outbox.add(session, workspace_id, told)
    while await sequence(database, workspace_id):
        pass


async def deliver(
    database: Database,
    until: Callable[[], Awaitable[bool]],
    *,
    allowed: tuple[Network, ...],
    total_s: float = 15.0,
    within_s: float = 60.0,
) -> None:
    """Runs a deliverer until something holds, then a little longer: nothing more may happen."""
    async with a_deliverer(database, allowed, total_s) as run, asyncio.timeout(within_s):
        while not await until():
            await run()
        for _ in range(3):
            await run()


@asynccontextmanager
async def a_deliverer(
    database: Database, allowed: tuple[Network, ...], total_s: float = 15.0
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    wake = asyncio.Event()
    async with Deliverer(database, VAULT, Postman(allowed, total_s=total_s), wake.set) as deliverer:

        async def run() -> None:
            if not await deliverer.once():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), 0.05)
                wake.clear()

        yield run


def data(post: Post) -> dict[str, Any]:
    """The body of a post."""
    found: dict[str, Any] = orjson.loads(post.body)
    return found


async def rows(database: Database, workspace_id: UUID, sql: str) -> list[dict[str, Any]]:
    async with database.read(workspace_id) as connection:
        return [dict(row.items()) for row in await connection.fetch(sql)]


async def change(database: Database, workspace_id: UUID, sql: str) -> None:
    async with database.write(workspace_id) as session:
        await session.execute(text(sql))


def ended(database: Database, workspace_id: UUID, where: str = "true") -> Callable[[], Awaitable[bool]]:
    """Whether every delivery was tried, and what was tried is written."""

    async def check() -> bool:
        left = await rows(
            database, workspace_id,
            f"SELECT 1 FROM delivery WHERE {where} AND state = 'pending' "
            "AND (next_at <= now() OR lease_token IS NOT NULL) LIMIT 1",
        )  # fmt: skip
        return not left

    return check


async def one(database: Database, workspace_id: UUID) -> dict[str, Any]:
    """The only delivery, with the seconds until it is due from when its last try was written."""
    found = await rows(
        database, workspace_id,
        "SELECT *, extract(epoch FROM next_at - (SELECT max(uuid_extract_timestamp(a.id)) FROM delivery_attempt a "
        "WHERE a.delivery_id = delivery.id))::float8 AS in_s FROM delivery "
        "WHERE type <> 'webhook_endpoint.disabled'",
    )  # fmt: skip
    assert len(found) == 1
    return found[0]
