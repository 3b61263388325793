"""A site whose feed is read, and the clock by which that happens."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from services.ingest.channel import Page
from services.ingest.channels.rss import Rss
from shared.kit.http import HttpClient

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "https://site.example/feed"


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


class Site:
    """A site that answers as told and remembers what it was asked."""

    def __init__(self, body: bytes | str = b"", **headers: str) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.shows(body, 200, **headers)

    def shows(self, body: bytes | str, status: int = 200, /, **headers: str) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.answer is not None:
            return self.answer(request)
        etag = self.headers.get("etag")
        if etag and request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        return httpx.Response(self.status, content=self.body, headers=self.headers)

    def channel(self, secrets: dict[str, str] | None = None, **settings: Any) -> Rss:
        http = HttpClient().through(httpx.MockTransport(self))
        return Rss({"url": URL, **settings}, secrets or {}, http)


def item(number: int | str, text: str = "words", more: str = "") -> str:
    return (
        f"<item><guid isPermaLink='false'>id-{number}</guid><link>https://site.example/{number}</link>"
        f"<title>Title {number}</title><description>{text}</description>"
        f"<pubDate>Thu, 19 Nov 2026 10:00:00 GMT</pubDate>{more}</item>"
    )


def rss(*items: str, channel: str = "") -> str:
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Site</title>{channel}{''.join(items)}</channel></rss>"
    )


def ids_of(page: Page) -> list[str]:
    return [mention.external_id for mention in page.mentions]
