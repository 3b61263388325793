"""A page of 50 mentions through REST and GraphQL, against a bare ASGI handler that runs the same kind of SQL JSON."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from services.api.app import create_app
from services.api.desk import workspaces
from shared.kit.database import Database
from shared.kit.pages import Page
from shared.kit.settings import Settings
from shared.store import reading
from shared.store.views import NOUNS
from tests.bench.measured import Measured, median
from tests.bench.texts import texts
from tests.builders import a_channel, a_workspace, an_item, taken

MENTIONS = 5_000
REQUESTS, AT_ONCE, ROUNDS = 400, 8, 5
Ask = Callable[[], Awaitable[None]]
NESTED = (
    "{ mentions(first: 50) { edges { node { id externalId text publishedAt disposition author { handle followers } "
    "channel { name } } } pageInfo { endCursor } } }"
)


async def measure(settings: Settings) -> list[Measured]:
    """The same page in turn by each way; bodies are read and their size checked."""
    database = await Database.open(settings, "bench")
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id)
    for start in range(0, MENTIONS, 1000):
        said = texts(MENTIONS)[start : start + 1000]
        await taken(database, workspace_id, channel, *[an_item(f"{start + n}", text) for n, text in enumerate(said)])
    owner = await asyncpg.connect(make_url(settings.database_url).set(drivername="postgresql").render_as_string(False))
    await owner.execute("ANALYZE")  # what autovacuum does within a minute
    await owner.close()
    key = await workspaces.create_key(database, workspace_id, role="admin", name="bench")
    app = create_app(settings)
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        async with database.read(workspace_id) as connection:
            found = await reading.read_page(connection, NOUNS, "mention", Page(50))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"data":' + found.data + b"}"})

    selection = {"id": None, "external_id": None, "text": None, "published_at": None, "disposition": None,
                 "author": {"handle": None, "followers": None}, "channel": {"name": None}}  # fmt: skip

    async def bare_nested(scope: Any, receive: Any, send: Any) -> None:
        async with database.read(workspace_id) as connection:
            found = await reading.read_page(connection, NOUNS, "mention", Page(50), selection=selection)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": found.data})

    graphql = orjson.dumps({"query": NESTED})
    async with app.router.lifespan_context(app):
        ways: dict[str, Ask] = {
            "floor": lambda: _ask(bare, "GET", "/", b"", [], b""),
            "rest": lambda: _ask(app, "GET", "/v1/mentions", b"limit=50", headers, b""),
            "floor nested": lambda: _ask(bare_nested, "GET", "/", b"", [], b""),
            "graphql": lambda: _ask(app, "POST", "/graphql", b"", headers, graphql),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for ask in ways.values():
            await _rate(ask, 50)
        for _ in range(ROUNDS):
            for name, ask in ways.items():
                rates[name].append(await _rate(ask, REQUESTS))
    await database.close()
    found = {name: median(many) for name, many in rates.items()}
    return [
        Measured("REST list of 50 mentions", f"{found['rest']:,.0f}/s", f"{found['floor']:,.0f}/s",
                 found["rest"] / found["floor"], "0.6 or more", "a bare ASGI handler with the same SQL JSON"),
        Measured("GraphQL list of 50 mentions with author and channel", f"{found['graphql']:,.0f}/s",
                 f"{found['floor nested']:,.0f}/s", found["graphql"] / found["floor nested"], "told as it is",
                 "a bare ASGI handler with the same one SQL, no query parsed"),
    ]  # fmt: skip


async def _rate(ask: Ask, requests: int) -> float:
    left = iter(range(requests))

    async def one() -> None:
        for _ in left:
            await ask()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return requests / (time.perf_counter() - began)


async def _ask(app: Any, method: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query, "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    size = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        else:
            size += len(message.get("body", b""))

    await app(scope, receive, send)
    assert size > 5_000, size
