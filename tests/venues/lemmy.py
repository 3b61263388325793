"""A Lemmy instance as its API v3 shows it: search and lists in numbered pages, comments, deletion, reports, one token."""

from datetime import datetime
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import Venue, json_of

HOST = "https://lemmy.world"
TOKEN = "the-jwt"
LONGEST = 10_000


def refused(error: str, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"error": error})


class LemmyVenue(Venue):
    """Its rules: at most 50 on a page, a search of three letters, writing only with the token, comments up to 10,000."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.people = {
            "jo": {
                "id": 2,
                "name": "jo",
                "actor_id": f"{HOST}/u/jo",
                "deleted": False,
                "published": "2023-01-01T00:00:00Z",
            },
            "brand": {"id": 1, "name": "brand", "actor_id": f"{HOST}/u/brand", "deleted": False},
        }
        self.reported: list[tuple[str, int, str]] = []
        self.written = 0

    def posts_there(self, number: int, at: datetime, text: str = "northwind", writer: str = "jo") -> str:
        self.posts[number] = {
            "id": number,
            "name": text,
            "published": at.isoformat(),
            "ap_id": f"{HOST}/post/{number}",
            "by": writer,
        }
        return str(self.posts[number]["ap_id"])

    def comments_there(
        self,
        number: int,
        post: int,
        at: datetime,
        text: str = "northwind",
        writer: str = "jo",
        parent: int | None = None,
    ) -> str:
        path = f"{self.comments[parent]['path']}.{number}" if parent else f"0.{number}"
        self.comments[number] = {
            "id": number, "post_id": post, "content": text, "published": at.isoformat(), "path": path,
            "ap_id": f"{HOST}/comment/{number}", "by": writer, "deleted": False,
        }  # fmt: skip
        return str(self.comments[number]["ap_id"])

    def answer(self, request: httpx.Request) -> httpx.Response:
        params, verb = dict(request.url.params), request.url.path.removeprefix("/api/v3/")
        signed = request.headers.get("authorization")
        if signed is not None and signed != f"Bearer {TOKEN}":
            return refused("incorrect_login", 401)
        if request.method == "POST":
            return self._write(verb, json_of(request)) if signed else refused("not_logged_in")
        match verb:
            case "site":
                me = {"my_user": {"local_user_view": {"person": self.people["brand"]}}} if signed else {}
                return httpx.Response(200, json={"site_view": {"site": {"name": "Lemmy there"}}, **me})
            case "resolve_object":
                return self._resolve(params.get("q", "")) if signed else refused("not_logged_in")
            case "search" if len(params.get("q", "")) >= 3 and params.get("type_") in ("Posts", "Comments"):
                return self._list(params["type_"].lower(), params, params["q"])
            case "post/list" | "comment/list":
                return self._list(f"{verb.partition('/')[0]}s", params, "")
        return refused("couldnt_find_object", 404)

    def _list(self, name: str, params: dict[str, str], words: str) -> httpx.Response:
        size, number = int(params.get("limit", "10")), int(params.get("page", "1"))
        if size > 50 or params.get("sort") != "New":
            return refused("couldnt_get_posts")
        kind = self.posts if name == "posts" else self.comments
        found = [one for one in kind.values() if words in one.get("name", one.get("content", "")) or one.get("deleted")]
        if "post_id" in params:
            found = [one for one in found if one["post_id"] == int(params["post_id"])]
        if "parent_id" in params:
            found = [one for one in found if f".{params['parent_id']}." in f"{one['path']}."]
        found.sort(key=lambda one: one["published"], reverse=True)
        views = [self._view(name[:-1], one) for one in found[(number - 1) * size : number * size]]
        return httpx.Response(200, json={"posts": [], "comments": [], name: views})

    def _view(self, name: str, item: dict[str, Any]) -> dict[str, Any]:
        shown = {key: value for key, value in item.items() if key != "by"}
        post = self.posts.get(item.get("post_id", item["id"]), {"id": item.get("post_id"), "ap_id": f"{HOST}/post/0"})
        view = {
            "post": {key: value for key, value in post.items() if key != "by"},
            "community": {"id": 1},
            "counts": {"score": 1},
        }
        return {**view, name: shown, "creator": self.people[item["by"]]}

    def _resolve(self, address: str) -> httpx.Response:
        for name, kind in (("comment", self.comments), ("post", self.posts)):
            for one in kind.values():
                if one["ap_id"] == address:
                    return httpx.Response(200, json={name: self._view(name, one)})
        return refused("couldnt_find_object", 404)

    def _write(self, verb: str, body: dict[str, Any]) -> httpx.Response:
        if verb == "comment":
            if len(body["content"]) > LONGEST or body["post_id"] not in self.posts:
                return refused("invalid_body_field")
            if self.posts[body["post_id"]].get("locked"):
                return refused("locked")
            self.written += 1
            number = 90_000 + self.written
            self.comments_there(number, body["post_id"], clock.now(), body["content"], "brand", body.get("parent_id"))
            return httpx.Response(200, json={"comment_view": self._view("comment", self.comments[number])})
        if verb == "comment/delete":
            self.comments[body["comment_id"]].update(deleted=body["deleted"], content="")
            return httpx.Response(200, json={"comment_view": self._view("comment", self.comments[body["comment_id"]])})
        kind = verb.partition("/")[0]
        self.reported.append((kind, body[f"{kind}_id"], body["reason"]))
        return httpx.Response(200, json={f"{kind}_report_view": {}})
