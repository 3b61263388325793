"""From somebody else's server through the whole house and back: a comment at Isso is answered by an agent, a hub's push is heard.

Set WEBCARE_INTEROP=1 to run it; Isso and the hub are installed with pip into WEBCARE_INTEROP_DIR.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from shared.kit.settings import Settings
from tests.ingest.site import item, rss
from tests.interop.hub_server import hub_server, install_hub
from tests.interop.isso_server import install_isso, isso_server
from tests.interop.programs import MARKS, free_port, installing
from tests.journeys.house import House, a_house, wait_until

pytestmark = [*MARKS, pytest.mark.journey]
installed = installing(lambda: (install_isso(), install_hub()))
WAIT_S = 60.0


class Site(BaseHTTPRequestHandler):
    """A site with a feed whose changes a hub tells."""

    feed = links = ""

    def do_GET(self) -> None:
        self.send_response(200)
        for name, value in (
            ("Link", self.links), ("Content-Type", "application/rss+xml"), ("Content-Length", str(len(self.feed.encode()))),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.feed.encode())

    def log_message(self, *_: Any) -> None:
        pass


@asynccontextmanager
async def a_house_with_a_door(settings: Settings) -> AsyncIterator[House]:
    """The house, whose doorstep is reached over the network."""
    port = free_port()
    known = settings.model_copy(update={"ingest_public_url": f"http://127.0.0.1:{port}"})
    async with a_house(known, sectors=["telecom"]) as house:
        assert house.ingest_app is not None
        config = uvicorn.Config(house.ingest_app, host="127.0.0.1", port=port, lifespan="off", log_config=None)
        door = uvicorn.Server(config)
        door.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # Ctrl-C is for the run
        serving = asyncio.create_task(door.serve())
        try:
            yield house
        finally:
            door.should_exit = True
            await serving


async def test_from_their_servers_and_back(settings: Settings, folder: Path) -> None:
    with isso_server(folder / "isso") as isso, hub_server(folder) as hub:
        first = isso.comment("@northwind mijn internet is al een uur kapot, schandalig!", author="Jan")
        async with a_house_with_a_door(settings) as house:
            await house.post("/v1/brands", {"name": "Northwind", "handles": ["@northwind"]})
            await _an_answer_at_isso(house, isso.url, str(first.json()["id"]))
            await _an_article_by_the_hub(house, hub)


async def _an_answer_at_isso(house: House, url: str, comment: str) -> None:
    agent = await house.post("/v1/agents", {"name": "Jo Doe", "initials": "JD", "languages": ["nl"]})
    key = (await house.post("/v1/api-keys", {"name": "Jo", "role": "agent", "agent_id": agent["id"]}))["key"]
    there = {"url": url, "author": "Northwind Care"}
    await house.post("/v1/channels", {"type": "isso", "name": "comments", "settings": there, "owned": True})

    async def waiting() -> Any:
        return (await house.get("/v1/conversations?status=open"))["data"]

    (conversation,) = await wait_until(waiting, WAIT_S)
    (mention,) = await house.all_of("/v1/mentions")
    assert (mention["external_id"], mention["conversation_id"]) == (comment, conversation["id"])
    taken = await house.post(f"/v1/queues/{conversation['queue_id']}/next", status=200, key=key)
    assert taken["id"] == conversation["id"]
    asked = {"text": "Sorry Jan! We zoeken het uit.", "visibility": "public"}
    answered = await house.post(f"/v1/conversations/{conversation['id']}/replies", asked, key=key)

    async def sent() -> Any:
        reply = await house.get(f"/v1/replies/{answered['id']}")
        return reply if reply["state"] == "sent" else None

    reply = await wait_until(sent, WAIT_S)
    async with httpx.AsyncClient() as client:
        shown = (await client.get(url, params={"uri": "/nieuws/storing"})).json()
    (thread,) = shown["replies"]
    (ours,) = thread["replies"]
    assert (str(thread["id"]), str(ours["id"]), ours["author"]) == (comment, reply["external_id"], "Northwind Care")
    assert "Sorry Jan! We zoeken het uit." in ours["text"]


async def _an_article_by_the_hub(house: House, hub: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    feed = f"http://127.0.0.1:{server.server_address[1]}/feed"
    Site.feed, Site.links = rss(item(1)), f'<{hub}/hub>; rel="hub", <{feed}>; rel="self"'
    try:
        body = {"settings": {"url": feed}, "secrets": {"hub_secret": "hub-secret-of-twenty-or-more"}}
        channel = await house.post("/v1/channels", {"type": "rss", "name": "news", **body})

        async def heard(count: int) -> Any:
            found = await house.all_of("/v1/mentions?channel=news")
            return found if len(found) == count else None

        await wait_until(lambda: heard(1), WAIT_S)
        read = await house.get(f"/v1/channels/{channel['id']}")
        Site.feed = rss(item(2, "brand new"), item(1))

        async def told() -> Any:
            """The hub delivers to those who confirmed; ours is asked to in a moment."""
            async with httpx.AsyncClient() as client:
                await client.post(f"{hub}/publish", params={"topic": feed}, timeout=20)
            return await heard(2)

        assert {one["external_id"] for one in await wait_until(told, WAIT_S, every_s=1)} == {"id-1", "id-2"}
        now = await house.get(f"/v1/channels/{channel['id']}")
        assert now["last_success_at"] == read["last_success_at"], "it came by the push, not by another look"
    finally:
        server.shutdown()
        server.server_close()
