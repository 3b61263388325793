"""X as documented: OAuth 1.0a checked, search and timelines by page, weighted length, answers only to who named us, money spent.

Keeps its own books, so that what the channel says it cost can be held against them.
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import httpx
import orjson

from shared.kit import clock
from shared.rules.reply_length import x_weighted
from tests.venues import Venue, json_of

US, THEM = "1111", "2222"
SECRETS = {
    "bearer_token": "AAAA", "consumer_key": "ck", "consumer_secret": "cs", "access_token": "1111-at", "access_token_secret": "ats",
}  # fmt: skip
USERS = {
    US: {"id": US, "username": "AcmeTel", "name": "Acme Tel"},
    THEM: {
        "id": THEM,
        "username": "klant",
        "name": "Klant",
        "verified": False,
        "public_metrics": {"followers_count": 12},
    },
}
EPOCH_MS = 1_288_834_974_657


class X(Venue):
    def __init__(self, page_size: int = 100) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.hidden: dict[str, bool] = {}
        self.rules: list[dict[str, str]] = []
        self.lines: list[Any] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.gone: dict[str, str] = {}  # id -> why
        self.page_size = page_size
        self.spent = 0
        self.read_today: set[str] = set()
        self.invalid_rules: set[str] = set()
        self.said: set[str] = set()

    # ------------------------------------------------ what people do

    def post(
        self, text: str, *, by: str = THEM, at: datetime | None = None, to: str | None = None, edits: str | None = None, **more: Any
    ) -> str:  # fmt: skip
        at = at or clock.now()
        number = (int(at.timestamp() * 1000) - EPOCH_MS) << 22
        while str(number) in self.posts:
            number += 1
        key = str(number)
        history = [*self.posts.pop(edits)["edit_history_tweet_ids"], key] if edits else [key]
        names = [{"username": one, "id": US} for one in re.findall(r"@(\w+)", text) if one.lower() == "acmetel"]
        self.posts[key] = {
            "id": key, "text": text, "author_id": by, "created_at": _iso(at), "lang": "nl", "conversation_id": to or key,
            "edit_history_tweet_ids": history, "entities": {"mentions": names},
            **({"referenced_tweets": [{"type": "replied_to", "id": to}]} if to else {}), **more,
        }  # fmt: skip
        return key

    def ours(self) -> list[dict[str, Any]]:
        return [one for one in self.posts.values() if one["author_id"] == US]

    # ------------------------------------------------ what X answers

    def answer(self, request: httpx.Request) -> httpx.Response:  # noqa: C901  # one call after the other
        if request.url.host == "storage.example":
            return self._file(request)
        method, path, asked = request.method, request.url.path, request.url.params
        signed = request.headers.get("authorization", "")
        if signed.startswith("OAuth "):
            if not self._is_right(request, signed):
                return _problem(401, "Unauthorized")
        elif signed != f"Bearer {SECRETS['bearer_token']}":
            return _problem(401, "Unauthorized")
        as_user = signed.startswith("OAuth ")
        if path == "/2/tweets/search/recent":
            return self._search(asked)
        if path == f"/2/users/{US}/mentions":
            return self._listed(
                [one for one in self.posts.values() if one["entities"]["mentions"]], asked, "pagination_token", as_user
            )
        if path == "/2/tweets/search/stream/rules":
            return self._rules(request)
        if path == "/2/tweets/search/stream":
            return httpx.Response(200, content=b"".join(_line(one) for one in self.lines))
        if path.startswith("/2/compliance/jobs"):
            return self._compliance(method, path)
        if not as_user:
            return _problem(403, "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.")
        if path == "/2/users/me":
            return httpx.Response(200, json={"data": USERS[US]})
        if path == f"/2/users/{US}/tweets":
            return self._listed(self.ours(), asked, "pagination_token", as_user)
        if path == "/2/tweets":
            return self._create(json_of(request))
        if path.startswith("/2/dm_conversations/with/"):
            return self._messages(request)
        return self._change(method, path, request)

    def _is_right(self, request: httpx.Request, header: str) -> bool:
        told = {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}
        given = told.pop("oauth_signature")
        url = f"{request.url.scheme}://{request.url.host}{request.url.path}"
        pairs = [*parse_qsl(request.url.query.decode(), keep_blank_values=True), *told.items()]
        normal = "&".join(f"{a}={b}" for a, b in sorted((quote(a, safe="~"), quote(b, safe="~")) for a, b in pairs))
        base = f"{request.method}&{quote(url, safe='~')}&{quote(normal, safe='~')}"
        key = f"{SECRETS['consumer_secret']}&{SECRETS['access_token_secret']}"
        right = base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()
        return hmac.compare_digest(right, given) and told["oauth_token"] == SECRETS["access_token"]

    def _search(self, asked: Any) -> httpx.Response:
        if len(asked["query"]) > 512 or not 10 <= int(asked["max_results"]) <= 100:
            return _problem(400, "One or more parameters to your request was invalid.")
        if datetime.fromisoformat(asked["start_time"]) < clock.now() - timedelta(days=7):
            return _problem(400, "'start_time' must be on or after seven days ago")
        words = asked["query"].lower().split()
        found = [one for one in self.posts.values() if all(word in one["text"].lower() for word in words)]
        return self._listed(found, asked, "next_token", False)

    def _listed(self, found: list[dict[str, Any]], asked: Any, token: str, owned: bool) -> httpx.Response:
        since = datetime.fromisoformat(asked["start_time"])
        found = sorted((one for one in found if _at(one["id"]) >= since), key=lambda one: -int(one["id"]))
        start = next((n for n, one in enumerate(found) if one["id"] == asked.get(token)), -1) + 1
        page = found[start : start + self.page_size]
        for one in page:
            if one["id"] not in self.read_today:
                self.read_today.add(one["id"])
                self.spent += 1_000 if owned else 5_000
        meta: dict[str, Any] = {"result_count": len(page)}
        if start + self.page_size < len(found):
            meta["next_token"] = page[-1]["id"]
        users = [USERS[one] for one in dict.fromkeys(post["author_id"] for post in page)]
        told = {"meta": meta, **({"data": page, "includes": {"users": users}} if page else {})}
        return httpx.Response(200, json=told, headers={"x-rate-limit-remaining": "449"})

    def _rules(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": self.rules, "meta": {}} if self.rules else {"meta": {}})
        asked = json_of(request)
        for one in asked.get("add", []):
            if one["value"] in self.invalid_rules:
                return httpx.Response(201, json={"meta": {"summary": {"created": 0, "invalid": 1}}, "errors": [{}]})
            self.rules.append({"id": str(len(self.rules) + 1), **one})
        gone = asked.get("delete", {}).get("ids", [])
        self.rules = [one for one in self.rules if one["id"] not in gone]
        return httpx.Response(200, json={"meta": {"summary": {"created": len(asked.get("add", []))}}})

    def _create(self, asked: dict[str, Any]) -> httpx.Response:
        text, to = asked["text"], asked["reply"]["in_reply_to_tweet_id"]
        if x_weighted(text) > 280:
            return _problem(403, "Your Tweet text is too long.")
        parent = self.posts.get(to)
        if parent is None:
            return _problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
        if not parent["entities"]["mentions"]:
            return _problem(403, "Reply to this conversation is not allowed because you have not been mentioned.")
        if text in self.said:
            return _problem(403, "You are not allowed to create a Tweet with duplicate content.")
        self.said.add(text)
        linked = bool(re.search(r"https?://", text))
        self.spent += 200_000 if linked else 10_000
        shown, links = text, []
        for number, url in enumerate(re.findall(r"https?://\S+", text)):
            links.append({"url": f"https://t.co/{number}", "expanded_url": url})
            shown = shown.replace(url, f"https://t.co/{number}")
        key = self.post(f"@klant {shown}", by=US, to=to, entities={"mentions": [], "urls": links})
        return httpx.Response(201, json={"data": {"id": key, "text": shown}})

    def _messages(self, request: httpx.Request) -> httpx.Response:
        person = request.url.path.split("/")[4]
        if request.method == "GET":
            return httpx.Response(200, json={"data": [one for one in self.messages if one["to"] == person]})
        known = str(len(self.messages) + 1)
        told = {
            "id": known,
            "to": person,
            "sender_id": US,
            "text": json_of(request)["text"],
            "created_at": _iso(clock.now()),
        }
        self.messages.append(told)
        return httpx.Response(201, json={"data": {"dm_conversation_id": f"{person}-{US}", "dm_event_id": known}})

    def _change(self, method: str, path: str, request: httpx.Request) -> httpx.Response:
        parts = path.split("/")
        post = self.posts.get(parts[3])
        if post is None:
            return _problem(404, "Not Found")
        if method == "DELETE":
            if post["author_id"] != US:
                return _problem(403, "You are not permitted to delete this.")
            del self.posts[parts[3]]
            return httpx.Response(200, json={"data": {"deleted": True}})
        self.hidden[parts[3]] = json_of(request)["hidden"]
        return httpx.Response(200, json={"data": {"hidden": self.hidden[parts[3]]}})

    def _compliance(self, method: str, path: str) -> httpx.Response:
        if method == "POST":
            key = str(len(self.jobs) + 1)
            job = {
                "id": key, "type": "tweets", "status": "created", "upload_url": f"https://storage.example/up/{key}",
                "download_url": f"https://storage.example/down/{key}",
            }  # fmt: skip
            self.jobs[key] = job
            return httpx.Response(200, json={"data": job})
        return httpx.Response(200, json={"data": self.jobs[path.rpartition("/")[2]]})

    def _file(self, request: httpx.Request) -> httpx.Response:
        assert "authorization" not in request.headers
        job = self.jobs[request.url.path.rpartition("/")[2]]
        if request.method == "PUT":
            job |= {"ids": request.content.decode().split(), "status": "in_progress"}
            return httpx.Response(200)
        lines = [{"id": one, "action": "delete", "reason": self.gone[one]} for one in job["ids"] if one in self.gone]
        return httpx.Response(200, content=b"\n".join(orjson.dumps(one) for one in lines))


def push_of(
    event_type: str, payload: Any, users: tuple[str, ...] = (THEM,), secret: str = "cs"
) -> tuple[bytes, dict[str, str]]:
    """A delivery as X makes it: its bytes and its headers."""
    event = {
        "event_uuid": f"{event_type}-1", "filter": {"user_id": US}, "event_type": event_type, "payload": payload,
        "includes": {"users": [{"data": USERS[one]} for one in users]},
    }  # fmt: skip
    body = orjson.dumps({"data": event})
    mark = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return body, {"x-twitter-webhooks-signature": f"sha256={mark}"}


def _line(told: Any) -> bytes:
    return (told if isinstance(told, bytes) else orjson.dumps(told)) + b"\r\n"


def _at(post_id: str) -> datetime:
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH_MS) / 1000, clock.now().tzinfo)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"title": "Problem", "detail": detail, "status": status})
