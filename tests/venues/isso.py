"""An Isso server played for tests: its lists, its guard, and what it shows to whom."""

import html
from dataclasses import dataclass
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import Venue, json_of

SERVER, SITE = "https://comments.example", "https://site.example"


@dataclass
class Said:
    """A comment. `mode` 1 is shown, 2 waits for moderation, 4 is deleted and has answers."""

    id: int
    uri: str
    parent: int | None
    author: str | None
    text: str
    created: float
    modified: float | None = None
    mode: int = 1


class IssoServer(Venue):
    """One server. It renders Markdown as one paragraph, and takes no answer to an answer: that goes below the first."""

    def __init__(self) -> None:
        super().__init__()
        self.comments: dict[int, Said] = {}
        self.next_id = 1
        self.latest_enabled = True
        self.ratelimit: int | None = None
        self.moderated = False

    def says(
        self,
        text: str,
        *,
        uri: str = "/nieuws",
        parent: int | None = None,
        author: str | None = "Klant",
        at: Any = None,
    ) -> int:
        number, self.next_id = self.next_id, self.next_id + 1
        self.comments[number] = Said(number, uri, parent, author, text, (at or clock.now()).timestamp())
        return number

    def edits(self, number: int, text: str) -> None:
        self.comments[number].text, self.comments[number].modified = text, clock.now().timestamp()

    def deletes(self, number: int) -> None:
        if any(one.parent == number for one in self.comments.values()):
            self.comments[number].mode, self.comments[number].text = 4, ""
        else:
            del self.comments[number]

    def shown(self, one: Said, *, plain: bool = False, with_uri: bool = False) -> dict[str, Any]:
        text = one.text if plain else f"<p>{html.escape(one.text, quote=False)}</p>"
        told: dict[str, Any] = {
            "id": one.id, "parent": one.parent, "created": one.created, "modified": one.modified, "mode": one.mode, "text": text,
            "author": one.author, "website": None, "likes": 0, "dislikes": 0,
        }  # fmt: skip
        return told | ({"uri": one.uri} if with_uri else {"hash": "32011a7fc01a"})

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, dict(request.url.params)
        if path == "/latest":
            if not self.latest_enabled:
                return httpx.Response(404, html="<p>Unavailable because 'latest-enabled' not set by site admin</p>")
            found = sorted((one for one in self.comments.values() if one.mode == 1), key=lambda one: one.created)
            return httpx.Response(200, json=[self.shown(one, with_uri=True) for one in found[-int(params["limit"]) :]])
        if path.startswith("/id/"):
            return httpx.Response(403 if int(path[4:]) in self.comments else 404)
        if path == "/new":
            return self.create(params["uri"], json_of(request), request)
        if path == "/":
            return self.thread(params["uri"], plain=params.get("plain") == "1")
        return httpx.Response(404)

    def thread(self, uri: str, *, plain: bool) -> httpx.Response:
        here = [one for one in self.comments.values() if one.uri == uri and one.mode in (1, 4)]
        replies = [
            self.shown(one, plain=plain) | {"replies": [self.shown(below, plain=plain) for below in here if below.parent == one.id]}
            for one in here if one.parent is None
        ]  # fmt: skip
        return httpx.Response(
            200, json={"id": None, "total_replies": len(here), "hidden_replies": 0, "replies": replies}
        )

    def create(self, uri: str, told: dict[str, Any], request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/json", "Isso takes nothing else, against forged requests"
        assert not set(told) - {"text", "author", "website", "email", "parent", "title", "notification"}
        if len(told["text"].rstrip()) < 3 or len(told["text"]) > 65_535:
            return httpx.Response(400, html="<p>text is too long (maximum length: 65535)</p>")
        if self.ratelimit is not None and self.ratelimit <= 0:
            return httpx.Response(403, html="<title>403 Forbidden</title><p>127.0.0.0: ratelimit exceeded (1, 2)</p>")
        if told.get("parent") not in self.comments:
            return httpx.Response(403, html="<p>email address required but not provided</p>")
        above = self.comments[told["parent"]]
        number = self.says(told["text"], uri=uri, parent=above.parent or above.id, author=told.get("author"))
        self.comments[number].mode = 2 if self.moderated else 1
        return httpx.Response(202 if self.moderated else 201, json=self.shown(self.comments[number]))
