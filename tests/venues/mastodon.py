"""A Mastodon instance as documented: lists by id, search, notifications, posting with keys, reports, streams of events.

It counts as Mastodon counts, wants tokens and scopes, and forgets an Idempotency-Key after an hour.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import regex

from shared.kit import clock
from tests.venues import Venue, json_of

HOST = "mastodon.example"
ADDRESS = f"https://{HOST}"
TOKEN = "ours"
US, THEM = "1", "42"
ACCOUNTS: dict[str, dict[str, Any]] = {
    US: {"id": US, "username": "acmetel", "acct": "acmetel", "display_name": "Acme Tel"},
    THEM: {"id": THEM, "username": "klant", "acct": "klant@elders.example", "display_name": "Klant"},
}
for one in ACCOUNTS.values():
    host = [*one["acct"].split("@"), HOST][1]
    one |= {"url": f"https://{host}/@{one['username']}", "uri": f"https://{host}/users/{one['username']}"}


class Mastodon(Venue):
    def __init__(self, *, characters: int = 500, most: int = 80, version: str = "4.4") -> None:
        super().__init__()
        self.characters, self.most, self.version = characters, most, version
        self.statuses: dict[str, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[str, datetime]] = {}
        self.reports: list[dict[str, Any]] = []
        self.events: list[tuple[str, Any]] = []

    # ------------------------------------------------ what people do

    def post(
        self, text: str, *, by: str = THEM, at: datetime | None = None, to: str | None = None, visibility: str = "public",
        notify: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        at = at or clock.now()
        number = int(at.timestamp() * 1000) << 16
        while str(number) in self.statuses:
            number += 1
        account = ACCOUNTS[by]
        shown = re.sub(r"@([a-z]+)@[a-z.]+", r"@\1", text)
        status = {
            "id": str(number), "uri": f"{account['uri']}/statuses/{number}", "url": f"{account['url']}/{number}",
            "created_at": _iso(at), "edited_at": None, "in_reply_to_id": to, "in_reply_to_account_id": None,
            "visibility": visibility, "language": "nl", "spoiler_text": "", "account": account,
            "content": f"<p>{shown}</p>", "media_attachments": [], "mentions": [],
            "tags": [{"name": tag} for tag in re.findall(r"#(\w+)", text)],
            "replies_count": 0, "reblogs_count": 0, "favourites_count": 0,
        }  # fmt: skip
        self.statuses[str(number)] = status
        if notify:
            number = len(self.notifications) + 1
            self.notifications.append(
                {"id": str(number), "type": "mention", "created_at": _iso(at), "account": account, "status": status}
            )
        return status

    def edit(self, status: dict[str, Any], text: str, at: datetime) -> None:
        status |= {"content": f"<p>{text}</p>", "edited_at": _iso(at)}

    def ours(self) -> list[dict[str, Any]]:
        return [one for one in self.statuses.values() if one["account"]["id"] == US]

    # ------------------------------------------------ what the instance answers

    def answer(self, request: httpx.Request) -> httpx.Response:  # one call after the other
        path, asked = request.url.path.removeprefix("/api/"), request.url.params
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token != TOKEN:
            return _error(401, "The access token is invalid")
        if path == "v2/instance":
            return _json(
                {
                    "domain": HOST, "version": self.version,
                    "configuration": {
                        "urls": {"streaming": "wss://streaming.mastodon.example"},
                        "statuses": {"max_characters": self.characters, "characters_reserved_per_url": 23},
                    },
                }
            )  # fmt: skip
        if path.startswith("v1/timelines/"):
            return self._timeline(path, asked)
        if path == "v1/statuses" and request.method == "GET":
            return self._several(asked)
        if not token:
            return _error(401, "This method requires an authenticated user")
        if path == "v1/accounts/verify_credentials":
            return _json(ACCOUNTS[US])
        if path == "v1/notifications":
            assert set(asked.get_list("types[]")) == {"mention", "quote"}
            return self._forward(self.notifications, asked)
        if path == "v2/search":
            return self._search(asked)
        if path.startswith("v1/streaming/"):
            return httpx.Response(200, content=self._stream(), headers={"content-type": "text/event-stream"})
        if path == "v1/reports":
            report = json_of(request)
            assert self.statuses[report["status_ids"][0]]["account"]["id"] == report["account_id"]
            self.reports.append(report)
            return _json({"id": "1"})
        if path == "v1/statuses":
            return self._create(request)
        return self._one(request.method, path)

    def _timeline(self, path: str, asked: Any) -> httpx.Response:
        tag = path.partition("v1/timelines/tag/")[2]
        found = [
            one for one in self.statuses.values()
            if one["visibility"] == "public" and (not tag or any(tag == known["name"] for known in one["tags"]))
        ]  # fmt: skip
        return self._forward(found, asked)

    def _forward(self, found: list[dict[str, Any]], asked: Any) -> httpx.Response:
        found = sorted(found, key=lambda one: int(one["id"]))
        limit = min(int(asked["limit"]), self.most)
        since, until = int(asked.get("min_id", 0)), int(asked.get("max_id", 1 << 63))
        found = [one for one in found if int(one["id"]) < until]
        page = [one for one in found if int(one["id"]) > since][:limit] if "min_id" in asked else found[-limit:]
        return httpx.Response(200, json=page[::-1], headers={"X-RateLimit-Remaining": "299"})

    def _search(self, asked: Any) -> httpx.Response:
        assert asked["type"] == "statuses"
        if asked["q"].startswith("https://"):
            assert asked["resolve"] == "true"
            return _json({"statuses": [one for one in self.statuses.values() if one["uri"] == asked["q"]]})
        found = [one for one in self.statuses.values() if asked["q"].lower() in one["content"].lower()]
        found = sorted((one for one in found if int(one["id"]) > int(asked["min_id"])), key=lambda one: -int(one["id"]))
        start = int(asked.get("offset", 0))
        return _json({"statuses": found[start : start + min(int(asked["limit"]), self.most)]})

    def _several(self, asked: Any) -> httpx.Response:
        if self.version < "4.3":
            return _error(404, "Not found")
        return _json([self.statuses[one] for one in asked.get_list("id[]") if one in self.statuses])

    def _one(self, method: str, path: str) -> httpx.Response:
        parts = path.split("/")
        status = self.statuses.get(parts[2])
        if status is None:
            return _error(404, "Record not found")
        if method == "DELETE":
            return (
                _json(self.statuses.pop(parts[2])) if status["account"]["id"] == US else _error(404, "Record not found")
            )
        if parts[3:] == ["context"]:
            below = [one for one in self.statuses.values() if one["in_reply_to_id"] == status["id"]]
            return _json({"ancestors": [], "descendants": below})
        return _json(status)

    def _create(self, request: httpx.Request) -> httpx.Response:
        asked, key = json_of(request), request.headers["idempotency-key"]
        known = self.keys.get(key)
        if known and clock.now() - known[1] < timedelta(hours=1):
            return _json(self.statuses[known[0]])
        text = asked["status"]
        counted = re.sub(r"@([\w]+)@[\w.-]+\w", r"@\1", re.sub(r"https?://\S+", "x" * 23, text))
        if len(regex.findall(r"\X", counted)) > self.characters:
            return _error(422, f"Validation failed: Text character limit of {self.characters} exceeded")
        if asked["in_reply_to_id"] not in self.statuses:
            return _error(404, "The post you are trying to reply to does not appear to exist.")
        status = self.post(text, by=US, to=asked["in_reply_to_id"], visibility=asked["visibility"])
        self.keys[key] = (status["id"], clock.now())
        return _json(status)

    async def _stream(self) -> Any:
        yield b":)\n\n"
        for event, data in self.events:
            told = data if isinstance(data, str) else orjson.dumps(data).decode()
            yield f"event: {event}\ndata: {told}\n\n".encode()
            yield b":thump\n"


def ids(statuses: Iterable[dict[str, Any]]) -> list[str]:
    return [one["uri"] for one in statuses]


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(told: Any) -> httpx.Response:
    return httpx.Response(200, json=told)


def _error(status: int, said: str) -> httpx.Response:
    return httpx.Response(status, json={"error": said})
