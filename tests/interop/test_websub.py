"""The rss channel and a hub that nobody here wrote (flask-websub), on loopback: asked, confirmed, delivered, signed.

Set WEBCARE_INTEROP=1 to run it; the hub is installed with pip into WEBCARE_INTEROP_DIR.
"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from services.ingest.channel import Page, Push
from services.ingest.channels.rss import Rss
from shared.kit import clock
from shared.kit.http import HttpClient
from tests.ingest.site import item, rss

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get("WEBCARE_INTEROP"), reason="WEBCARE_INTEROP is not set: nothing is installed"
    ),
]
FOLDER = Path(os.environ.get("WEBCARE_INTEROP_DIR", Path.home() / ".cache" / "webcare-interop")) / "websub"
PACKAGES = ("flask-websub==0.4.1", "celery==5.5.3", "setuptools<81")


class Place(BaseHTTPRequestHandler):
    """Our hook, and the site with the feed: one server, as small as can be."""

    feed = links = ""
    channel: Rss
    pages: list[Page]
    answers: list[int]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/feed":
            self._answer(
                200, self.feed.encode(), "application/rss+xml", self.links
            )  # this hub wants them in the headers
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


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """The address of a running hub; skipped with its reason where it cannot be installed."""
    python = FOLDER / "venv" / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", FOLDER / "venv"], check=True, capture_output=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        pytest.skip(f"the hub cannot be installed here: {failed}")
    (FOLDER / "hub.sqlite3").unlink(missing_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (FOLDER / "hub.log").open("w+")
    process = subprocess.Popen(
        [python, Path(__file__).with_name("websub_hub.py"), str(port)], cwd=FOLDER, stdout=log, stderr=log
    )
    try:
        for _ in range(100):
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except httpx.HTTPError:
                asyncio.run(asyncio.sleep(0.2))
        else:
            pytest.skip(f"the hub did not start: {(FOLDER / 'hub.log').read_text()[-500:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


async def test_a_hub_confirms_and_delivers(hub: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Place)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_address[1]}"
    http = HttpClient(["127.0.0.0/8"])
    Place.feed, Place.links = rss(item(1)), f'<{hub}/hub>; rel="hub", <{here}/feed>; rel="self"'
    Place.channel = Rss(
        {"url": f"{here}/feed", "hook_url": f"{here}/v1/hooks/c1"}, {"hub_secret": "hub-secret-of-twenty-or-more"}, http
    )
    Place.pages, Place.answers = [], []
    try:
        first = await Place.channel.page(None)
        assert first.cursor["hub_took"] is True
        for _ in range(50):
            if Place.answers:
                break
            await asyncio.sleep(0.1)
        assert Place.answers == [200]
        Place.feed = rss(item(2, "brand new"), item(1))
        async with httpx.AsyncClient() as client:
            await client.post(f"{hub}/publish", params={"topic": f"{here}/feed"}, timeout=20)
        for _ in range(100):
            if Place.pages:
                break
            await asyncio.sleep(0.1)
        told = [one.external_id for page in Place.pages for one in page.mentions]
        assert set(told) == {"id-1", "id-2"}
        polled = await Place.channel.page(first.cursor)
        assert [one.external_id for one in polled.mentions] == ["id-2"]
    finally:
        server.shutdown()
        await http.close()
