"""Reddit as its OAuth API shows it: listings, /api/info, forms whose errors come with status 200, a limit told in headers."""

import base64
from datetime import datetime
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import Venue, form_of

ME = "northwind"
SECRETS = {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-1"}
LONGEST = 10_000
DEPTH = 1_000


class RedditVenue(Venue):
    """Its rules: a User-Agent that says who we are, 100 a page, 1,000 things deep, comments of 10,000, locked threads."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.reported: list[tuple[str, str]] = []
        self.left = 600
        self.errors: list[list[str]] = []
        self.taken = 0
        self.consent = True

    def post(self, number: int, at: datetime, text: str = "northwind is late", writer: str = "jo") -> str:
        return self._add(f"t3_p{number}", at, writer, title=text, selftext="words", is_self=True, num_comments=0)

    def comment(
        self, number: int, at: datetime, text: str = "so late", writer: str = "jo", parent: str = "t3_p1"
    ) -> str:
        return self._add(f"t1_c{number}", at, writer, body=text, parent_id=parent, link_id="t3_p1")

    def _add(self, name: str, at: datetime, writer: str, **more: Any) -> str:
        self.things[name] = {
            "name": name, "author": writer, "author_fullname": f"t2_{writer}", "created_utc": at.timestamp(), "edited": False,
            "score": 1, "permalink": f"/r/trains/comments/p1/x/{name}/", **more,
        }  # fmt: skip
        return name

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("user-agent") != f"server:webcare:1 (by /u/{ME})":
            return httpx.Response(429, json={"message": "Too Many Requests", "error": 429})
        if request.url.host == "www.reddit.com":
            return self._sign_in(request)
        token = request.headers.get("authorization", "")
        if token not in ("Bearer of-refresh_token", "Bearer of-client_credentials"):
            return httpx.Response(401, json={"message": "Unauthorized", "error": 401})
        self.left -= 1
        by_person = token.endswith("refresh_token")
        answer = self._post(request) if request.method == "POST" and by_person else self._get(request)
        answer.headers.update(
            {"x-ratelimit-remaining": f"{self.left}.0", "x-ratelimit-used": "1", "x-ratelimit-reset": "300"}
        )
        return answer

    def _sign_in(self, request: httpx.Request) -> httpx.Response:
        app = base64.b64encode(f"{SECRETS['client_id']}:{SECRETS['client_secret']}".encode()).decode()
        form = form_of(request)
        if request.headers.get("authorization") != f"Basic {app}":
            return httpx.Response(401, json={"message": "Unauthorized", "error": 401})
        if not self.consent or form.get("refresh_token", SECRETS["refresh_token"]) != SECRETS["refresh_token"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(
            200, json={"access_token": f"of-{form['grant_type']}", "expires_in": 86_400, "scope": "*"}
        )

    def _get(self, request: httpx.Request) -> httpx.Response:
        params, path = dict(request.url.params), request.url.path
        things = list(self.things.values())
        if path == "/api/v1/me":
            return httpx.Response(200, json={"name": ME, "id": "me1"})
        if path == "/api/info":
            names = params["id"].split(",")
            return self._listing([one for one in things if one["name"] in names], {"limit": "100"})
        if path == "/message/sent":
            return self._listing(self.sent, params, "t4")
        if path.endswith("/search"):
            things = [one for one in things if params["q"] in one.get("title", "") and one["author"] != "[deleted]"]
        elif path.startswith("/user/"):
            things = [one for one in things if one["author"] == path.split("/")[2]]
        elif path.endswith(("/new", "/comments")):
            things = [one for one in things if one["name"].startswith("t3_" if path.endswith("/new") else "t1_")]
        else:
            return httpx.Response(404, json={"message": "Not Found", "error": 404})
        return self._listing(things, params)

    def _listing(self, things: list[dict[str, Any]], params: dict[str, str], kind: str = "") -> httpx.Response:
        size = int(params.get("limit", "25"))
        rows = sorted(things, key=lambda one: one["created_utc"], reverse=True)[:DEPTH]
        names = [one["name"] for one in rows]
        start = names.index(params["after"]) + 1 if params.get("after") in names else 0
        shown = rows[start : start + size]
        after = shown[-1]["name"] if shown and start + size < len(rows) else None
        children = [{"kind": kind or one["name"][:2], "data": one} for one in shown]
        return httpx.Response(200, json={"kind": "Listing", "data": {"after": after, "children": children}})

    def _post(self, request: httpx.Request) -> httpx.Response:
        form, path = form_of(request), request.url.path
        name = form.get("thing_id") or form.get("id") or ""
        if form.get("api_type") != "json":
            return httpx.Response(200, text="<jquery>")
        if self.errors:
            return httpx.Response(200, json={"json": {"errors": [self.errors.pop(0)]}})
        made: dict[str, Any] = {}
        if path == "/api/comment":
            if name not in self.things or len(form["text"]) > LONGEST:
                code = "TOO_LONG" if name in self.things else "DELETED_LINK"
                return httpx.Response(200, json={"json": {"errors": [[code, f"that is {code.lower()}", "text"]]}})
            self.taken += 1
            ours = self.comment(900 + self.taken, clock.now(), form["text"], ME, name)
            made = {"data": {"things": [{"kind": "t1", "data": self.things[ours]}]}}
        elif path == "/api/compose":
            self.taken += 1
            self.sent.append(
                {
                    "name": f"t4_m{self.taken}",
                    "dest": form["to"],
                    "body": form["text"],
                    "created_utc": clock.now().timestamp(),
                }
            )
        elif path == "/api/del":
            self.things.pop(name, None)
        elif path == "/api/report":
            self.reported.append((name, form["reason"]))
        elif path == "/api/remove":
            self.things[name]["removed_by_category"] = "moderator"
        elif path == "/api/approve":
            self.things[name]["removed_by_category"] = None
        return httpx.Response(200, json={"json": {"errors": [], **made}})
