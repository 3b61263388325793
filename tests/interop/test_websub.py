"""The rss channel and a hub that nobody here wrote (flask-websub), on loopback: asked, confirmed, delivered, signed.

Set WEBCARE_INTEROP=1 to run it; the hub is installed with pip into WEBCARE_INTEROP_DIR.
"""

import asyncio
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from services.ingest.channel import NotGenuine, Page, Push
from services.ingest.channels.rss import Rss
from shared.kit import clock
from shared.kit.http import HttpClient
from tests.ingest.site import item, rss
from tests.interop.hub_server import hub_server, install_hub
from tests.interop.programs import MARKS, installing, until_true

pytestmark = MARKS
installed = installing(install_hub)


class Place(BaseHTTPRequestHandler):
    """Our hook, and the site with the feed: one server, as small as can be."""

    feed = links = ""
    channel: Rss
    pages: list[Page]
    answers: list[int]
    pushes: list[Push]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/feed":
            # this hub wants the links in the headers
            self._answer(200, self.feed.encode(), "application/rss+xml", self.links)
            return
        found = self.channel.answer_hook(Push("GET", {}, b"", dict(parse_qsl(parts.query))), clock.now())
        assert found is not None
        self.answers.append(found.status)
        self._answer(found.status, found.body, found.content_type)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        push = Push("POST", headers, body, dict(parse_qsl(urlsplit(self.path).query)))
        dropped = self.channel.answer_hook(push, clock.now())
        if dropped is None:
            self.channel.verify(push, clock.now())
            self.pushes.append(push)
            self.pages.append(self.channel.read_push(push, clock.now()))
        self._answer(202 if dropped is None else dropped.status, b"", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str, links: str = "") -> None:
        self.send_response(status)
        if links:
            self.send_header("Link", links)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


async def test_a_hub_confirms_and_delivers(folder: Path, http: HttpClient) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Place)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with hub_server(folder) as hub:
            await _confirms_and_delivers(hub, f"http://127.0.0.1:{server.server_address[1]}", http)
    finally:
        server.shutdown()
        server.server_close()


async def _confirms_and_delivers(hub: str, here: str, http: HttpClient) -> None:
    Place.feed, Place.links = rss(item(1)), f'<{hub}/hub>; rel="hub", <{here}/feed>; rel="self"'
    settings = {"url": f"{here}/feed", "hook_url": f"{here}/v1/hooks/c1"}
    Place.channel = Rss(settings, {"hub_secret": "hub-secret-of-twenty-or-more"}, http)
    Place.pages, Place.answers, Place.pushes = [], [], []
    first = await Place.channel.page(None)
    assert first.cursor["hub_took"] is True
    await asyncio.to_thread(until_true, lambda: bool(Place.answers), "the hub's question")
    assert Place.answers == [200]
    Place.feed = rss(item(2, "brand new"), item(1))
    async with httpx.AsyncClient() as client:
        await client.post(f"{hub}/publish", params={"topic": f"{here}/feed"}, timeout=20)
    await asyncio.to_thread(until_true, lambda: bool(Place.pages), "the delivery")
    told = [one.external_id for page in Place.pages for one in page.mentions]
    assert set(told) == {"id-1", "id-2"}
    polled = await Place.channel.page(first.cursor)
    assert [one.external_id for one in polled.mentions] == ["id-2"]

    # what the hub signed counts for its very bytes, and for our secret
    (push,) = Place.pushes
    stranger = Rss(settings, {"hub_secret": "another-secret-of-twenty"}, http)
    for channel, body in ((Place.channel, push.body.replace(b"brand new", b"brand old")), (stranger, push.body)):
        changed = replace(push, body=body)
        dropped = channel.answer_hook(changed, clock.now())
        assert dropped is not None
        assert dropped.status < 300  # as the protocol asks
        with pytest.raises(NotGenuine):
            channel.verify(changed, clock.now())
