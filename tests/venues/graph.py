"""What the played venues of Meta share: a Graph API that checks token, proof and version, pages by cursor, and signs webhooks."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from services.ingest.channel import Push
from tests.venues import Venue

TOKEN, APP_SECRET, VERIFY = "a-page-token", "an-app-secret", "a-verify-token"
SECRETS = {"access_token": TOKEN, "app_secret": APP_SECRET, "verify_token": VERIFY}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class GraphVenue(Venue):
    """A Graph API. A subclass answers `called`, with what the call asks as one mapping."""

    version = "v25.0"
    host = "graph.facebook.com"

    def __init__(self) -> None:
        super().__init__()
        self.token = TOKEN
        self.usage = 5  # hundredths
        self.page_size: int | None = None  # smaller than what is asked for, as the real one may do
        self.numbers = 1000

    def next_id(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == self.host
        assert TOKEN not in str(request.url), "a token does not belong into an address"
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return error(190, "Error validating access token", type_="OAuthException")
        proof = hmac.new(APP_SECRET.encode(), self.token.encode(), hashlib.sha256).hexdigest()
        if request.url.params.get("appsecret_proof") != proof:
            return error(100, "Invalid appsecret_proof provided in the API argument")
        version, *path = request.url.path.strip("/").split("/")
        assert version == self.version
        asked: dict[str, Any] = dict(request.url.params)
        if request.content:
            asked |= json.loads(request.content)
        answer = self.called(request.method, path, asked)
        answer.headers["x-app-usage"] = json.dumps({"call_count": self.usage, "total_time": 1, "total_cputime": 0})
        return answer

    def called(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        raise NotImplementedError

    def listed(self, items: Sequence[Any], asked: dict[str, Any]) -> dict[str, Any]:
        """A part of a list, by its cursor; what follows is told by a `next` that must not be called."""
        limit = min(int(asked.get("limit", 25)), self.page_size or 100)
        start = int(asked["after"].removeprefix("c")) if "after" in asked else 0
        part = list(items[start : start + limit])
        found: dict[str, Any] = {"data": part}
        if part:
            found["paging"] = {"cursors": {"before": f"c{start}", "after": f"c{start + len(part)}"}}
            if start + len(part) < len(items):
                found["paging"]["next"] = "https://evil.example/steals-the-token"
        return found


def error(
    code: int, message: str, subcode: int | None = None, status: int = 400, type_: str = "GraphMethodException"
) -> httpx.Response:
    told: dict[str, Any] = {"message": message, "type": type_, "code": code, "fbtrace_id": "A1b"}
    if subcode is not None:
        told["error_subcode"] = subcode
    return httpx.Response(status, json={"error": told})


def gone(of: str) -> httpx.Response:
    return error(100, f"Unsupported get request. Object with ID '{of}' does not exist", 33)


def delivery(object_: str, *entries: dict[str, Any], secret: str = APP_SECRET) -> Push:
    """As Meta sends it: what is not ASCII is escaped, and the escaped bytes are signed."""
    body = json.dumps({"object": object_, "entry": list(entries)}, ensure_ascii=True).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Push("POST", {"x-hub-signature-256": f"sha256={signature}", "content-type": "application/json"}, body)


def question(token: str = VERIFY, challenge: str = "1158201444") -> Push:
    return Push("GET", {}, b"", {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge})


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
