"""Disqus as its API 3.0 shows it: oldest first by cursor, codes in answers, writing by a moderator's token only."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import Venue, form_of

FORUM = "northwind"
SECRETS = {"api_key": "public", "api_secret": "secret", "access_token": "moderator"}


class DisqusVenue(Venue):
    """Its rules: 100 a page, moderators alone see what is deleted, comments of 2,000 here, 1,000 requests an hour."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.flagged: list[tuple[str, str]] = []
        self.left = 1_000
        self.taken = 0

    def says(
        self, number: int, at: datetime, text: str = "where is it", parent: str | None = None, writer: str = "7"
    ) -> str:
        self.posts[str(number)] = {
            "id": str(number), "forum": FORUM, "parent": int(parent) if parent else None, "thread": "91",
            "author": {"id": writer, "username": f"u{writer}", "name": "Jo", "isAnonymous": False},
            "message": f"<p>{text}</p>", "raw_message": text, "createdAt": at.astimezone(UTC).replace(tzinfo=None).isoformat(),
            "isApproved": True, "isDeleted": False, "isSpam": False, "likes": 0, "points": 0, "media": [],
        }  # fmt: skip
        return str(number)

    def answer(self, request: httpx.Request) -> httpx.Response:
        posting = request.method == "POST"
        params = form_of(request) if posting else dict(request.url.params)
        if params.get("api_key") != SECRETS["api_key"]:
            return _refused(400, 5, "Invalid API key")
        if params.get("access_token") not in (None, SECRETS["access_token"]):
            return _refused(401, 18, "This access token is expired or invalid")
        if posting and (params.get("api_secret") != SECRETS["api_secret"] or "access_token" not in params):
            return _refused(401, 4, "You must be authenticated to perform this action")
        if self.left <= 0:
            return _refused(429, 13, "You have exceeded your hourly limit of requests")
        self.left -= 1
        path = request.url.path.removeprefix("/api/3.0/").removesuffix(".json")
        if posting:
            return self._write(path, params)
        match path:
            case "posts/list":
                return self._list(params, request.url.params.get_list("include"))
            case "posts/details":
                return self._good(self.posts[params["post"]])
            case "users/details":
                return self._good(
                    {"id": "1", "username": "brand", "name": "Northwind", "profileUrl": "https://disqus.com/by/brand/"}
                )
            case "forums/details":
                return self._good({"id": FORUM, "name": "Northwind's blog", "url": "https://blog.example"})
        return _refused(404, 1, "Endpoint not found")

    def _list(self, params: dict[str, str], include: list[str]) -> httpx.Response:
        if "forum" in params and params["forum"] != FORUM:
            return _refused(400, 2, "Invalid argument, 'forum': Unable to find forum")
        if "deleted" in include and "access_token" not in params:
            return _refused(403, 12, "You do not have permission to view these posts")
        size, start = int(params["limit"]), int(params.get("cursor", "0:0:0").split(":")[1])
        since = datetime.fromtimestamp(int(params.get("since", "0")), UTC).replace(tzinfo=None).isoformat()
        states = include or ["approved"]
        rows = [one for one in self.posts.values() if one["createdAt"] >= since and _state(one) in states]
        rows.sort(key=lambda one: one["createdAt"], reverse=params["order"] == "desc")
        more = start + size < len(rows)
        shown = [
            {**one, "thread": {"id": "91", "link": "https://blog.example/a"}} for one in rows[start : start + size]
        ]
        place = {"hasNext": more, "next": f"17:{start + size}:0", "hasPrev": False}
        answer = self._good(shown, cursor=place)
        answer.headers["X-Ratelimit-Remaining"] = str(self.left)
        return answer

    def _write(self, path: str, form: dict[str, str]) -> httpx.Response:
        name = form.get("post") or form.get("parent") or ""
        if name not in self.posts:
            return _refused(400, 8, "The requested object was not found")
        post = self.posts[name]
        match path:
            case "posts/create":
                if len(form["message"]) > 2_000:
                    return _refused(400, 2, "Invalid argument, 'message': too long")
                self.taken += 1
                return self._good(self.posts[self.says(9_000 + self.taken, clock.now(), form["message"], name, "1")])
            case "posts/remove":
                post["isDeleted"] = True
            case "posts/restore":
                post["isDeleted"] = False
            case "posts/spam":
                post |= {"isSpam": True, "isApproved": False}
            case "posts/approve":
                post |= {"isSpam": False, "isApproved": True}
            case "posts/report":
                if form.get("reason") not in list("0123456"):
                    return _refused(400, 2, "Invalid argument, 'reason'")
                self.flagged.append((name, form["reason"]))
        return self._good([{"id": name}])

    def _good(self, response: Any, **more: Any) -> httpx.Response:
        return httpx.Response(200, json={"code": 0, "response": response, **more})


def _state(post: dict[str, Any]) -> str:
    return (
        "deleted"
        if post["isDeleted"]
        else "spam"
        if post["isSpam"]
        else "approved"
        if post["isApproved"]
        else "unapproved"
    )


def _refused(status: int, code: int, said: str) -> httpx.Response:
    assert re.match("[A-Z]", said)
    return httpx.Response(status, json={"code": code, "response": said})
