"""A site with a feed, and the WebSub hub that it names: takes subscriptions, asks the hook whether they are meant, delivers signed."""

import hashlib
import hmac
from typing import Any

import httpx

from services.ingest.channel import HookAnswer, Push
from tests.venues import Venue, form_of

FEED, HUB, HOOK = "https://site.example/feed", "https://hub.example/", "https://care.example/v1/hooks/c1"


class Hub(Venue):
    def __init__(self, body: str, **headers: str) -> None:
        super().__init__()
        self.body, self.headers = body, headers
        self.subscriptions: list[dict[str, str]] = []
        self.status = 202

    def answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) != HUB:
            return httpx.Response(200, content=self.body.encode(), headers=self.headers)
        asked = form_of(request)
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert asked["hub.mode"] == "subscribe"
        assert len(asked["hub.secret"].encode()) < 200
        if self.status < 300:
            self.subscriptions.append(asked)
        return httpx.Response(self.status)

    def confirm(self, channel: Any, at: Any, **other: str) -> HookAnswer | None:
        """Asks the hook whether it wants what was last subscribed to."""
        asked = self.subscriptions[-1]
        query = dict(httpx.URL(asked["hub.callback"]).params)
        told = {
            "hub.mode": "subscribe",
            "hub.topic": asked["hub.topic"],
            "hub.challenge": "c-123",
            "hub.lease_seconds": "864000",
        }
        found: HookAnswer | None = channel.answer_hook(Push("GET", {}, b"", {**query, **told, **other}), at)
        return found

    def delivery(self, body: str, method: str = "sha256", **headers: str) -> Push:
        """What it delivers."""
        content = body.encode()
        mark = hmac.new(self.subscriptions[-1]["hub.secret"].encode(), content, getattr(hashlib, method)).hexdigest()
        return Push(
            "POST", {"content-type": "application/rss+xml", "x-hub-signature": f"{method}={mark}", **headers}, content
        )
