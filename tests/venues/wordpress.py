"""A WordPress site played for tests: its comments over REST, with what it lets whom see, and its rules."""

import base64
import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import Venue, json_of

SITE = "https://blog.example"
API = f"{SITE}/wp-json/"
USER, PASSWORD = "care", "abcd efgh ijkl mnop"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass
class Stored:
    """A comment as the site has it."""

    id: int
    post: int
    parent: int
    author: int
    name: str
    email: str
    content: str
    at: datetime
    status: str = "approved"
    type: str = "comment"


class WordpressSite(Venue):
    """One site. Its own time zone is two hours ahead, which must not matter."""

    def __init__(self, *, plain_permalinks: bool = False) -> None:
        super().__init__()
        self.comments: dict[int, Stored] = {}
        self.next_id = 1
        self.plain = plain_permalinks
        self.closed = False
        self.holds = False
        self.names_api = True

    def says(
        self, text: str, *, at: datetime | None = None, parent: int = 0, post: int = 1, author: int = 0, **more: Any
    ) -> int:
        number, self.next_id = self.next_id, self.next_id + 1
        self.comments[number] = Stored(
            number, post, parent, author, more.pop("name", "Klant"), more.pop("email", "klant@example.nl"), text,
            at or clock.now(), **more,
        )  # fmt: skip
        return number

    # ---------------------------------------------------------------- the site

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, dict(request.url.params)
        pretty = path.removeprefix("/wp-json") if path.startswith("/wp-json") else ""
        route = params.get("rest_route", "") if self.plain else pretty
        if not route:
            link = {
                "Link": f'<{SITE}/?rest_route=/>; rel="https://api.w.org/"'
                if self.plain
                else f'<{API}>; rel="https://api.w.org/"'
            }
            return httpx.Response(200, html="<!doctype html><html></html>", headers=link if self.names_api else {})
        authorization = request.headers.get("authorization")
        if authorization not in (None, _BASIC):
            return self.refuses(401, "incorrect_password", "The provided password is an invalid application password.")
        signed = authorization == _BASIC
        if self.closed and not signed:
            return self.refuses(401, "rest_forbidden", "Only users of this site may do that.")
        if route == "/wp/v2/users/me":
            if not signed:
                return self.refuses(401, "rest_not_logged_in", "You are not currently logged in.")
            return httpx.Response(
                200, json={"id": 2, "name": "Acme Care", "slug": "care", "link": f"{SITE}/author/care/"}
            )
        if params.get("context") == "edit" and not signed:
            return self.refuses(401, "rest_forbidden_context", "Sorry, you are not allowed to edit comments.")
        if route == "/wp/v2/comments":
            return (
                self.create(json_of(request), signed=signed)
                if request.method == "POST"
                else self.list(params, signed=signed)
            )
        if route.startswith("/wp/v2/comments/"):
            return self.one(int(route.rpartition("/")[2]), request, params, signed=signed)
        return (
            httpx.Response(200, json={"name": "Acme blog"})
            if route == "/"
            else self.refuses(404, "rest_no_route", "No route.")
        )

    def refuses(self, status: int, code: str, message: str) -> httpx.Response:
        return httpx.Response(status, json={"code": code, "message": message, "data": {"status": status}})

    def list(self, params: dict[str, str], *, signed: bool) -> httpx.Response:
        per_page, page = int(params.get("per_page", "10")), int(params.get("page", "1"))
        if per_page > 100:
            return self.refuses(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        status = params.get("status", "approve")
        if status != "approve" and not signed:
            return self.refuses(401, "rest_forbidden_param", "Query parameter not permitted: status")
        wanted = {"approve": {"approved"}, "all": {"approved", "hold"}, "hold": {"hold"}}[status]
        found = [one for one in self.comments.values() if one.status in wanted]
        if "parent" in params:
            found = [one for one in found if one.parent == int(params["parent"])]
        found.sort(key=lambda one: (one.at, one.id), reverse=params.get("order", "desc") == "desc")
        shown = found[(page - 1) * per_page : page * per_page]
        pages = -(-len(found) // per_page)
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
        return httpx.Response(200, json=[self.shown(one, params) for one in shown], headers=headers)

    def shown(self, one: Stored, params: dict[str, str]) -> dict[str, Any]:
        at = one.at.strftime("%Y-%m-%dT%H:%M:%S")
        local = (one.at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S")
        curly = one.content.replace("...", "…").replace("'", "’")
        told: dict[str, Any] = {
            "id": one.id, "post": one.post, "parent": one.parent, "author": one.author, "author_name": one.name, "author_url": "",
            "date": local, "date_gmt": at, "content": {"rendered": f"<p>{curly}</p>\n"},
            "link": f"{SITE}/?p={one.post}#comment-{one.id}", "status": one.status, "type": one.type,
        }  # fmt: skip
        if params.get("context") == "edit":
            told |= {"author_email": one.email, "author_ip": "203.0.113.7"}
            told["content"]["raw"] = one.content
        return told

    def one(self, number: int, request: httpx.Request, params: dict[str, str], *, signed: bool) -> httpx.Response:
        stored = self.comments.get(number)
        if stored is None:
            return self.refuses(404, "rest_comment_invalid_id", "Invalid comment ID.")
        if request.method == "GET":
            if stored.status != "approved" and not signed:
                return self.refuses(401, "rest_cannot_read", "Sorry, you are not allowed to read this comment.")
            return httpx.Response(200, json=self.shown(stored, params))
        if not signed:
            return self.refuses(401, "rest_cannot_edit", "Sorry, you are not allowed to edit this comment.")
        if request.method == "DELETE":
            assert params.get("force") == "true", "without force it goes to the trash"
            del self.comments[number]
            return httpx.Response(200, json={"deleted": True})
        status = json_of(request)["status"]
        if status == stored.status:
            return self.refuses(500, "rest_comment_failed_edit", "Updating comment status failed.")
        stored.status = status
        return httpx.Response(200, json=self.shown(stored, params))

    def create(self, told: dict[str, Any], *, signed: bool) -> httpx.Response:
        if not signed:
            return self.refuses(401, "rest_comment_login_required", "Sorry, you must be logged in to comment.")
        content = told["content"]
        if len(content.encode()) > 65_525:
            return self.refuses(400, "comment_content_column_length", "Your comment is too long.")
        if any(
            (one.post, one.parent, one.content) == (told["post"], told["parent"], content)
            for one in self.comments.values()
        ):
            return self.refuses(
                409, "comment_duplicate", "Duplicate comment detected; it looks as though you have already said that!"
            )
        if told["parent"] and told["parent"] not in self.comments:
            return self.refuses(400, "rest_comment_invalid_parent", "Invalid parent.")
        number = self.says(
            content, parent=told["parent"], post=told["post"], author=2, name="Acme Care", email="care@example.nl",
            status="hold" if self.holds else "approved",
        )  # fmt: skip
        assert "<" not in html.unescape(content) or "&lt;" in content, "what an agent types is no HTML"
        return httpx.Response(201, json=self.shown(self.comments[number], {"context": "edit"}))
