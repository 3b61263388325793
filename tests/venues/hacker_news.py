"""Hacker News as two APIs show it: Algolia's search (newest first, at most a thousand hits) and the site's items."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from tests.venues import Venue

MOST_HITS = 1_000


@dataclass
class Said:
    """A post there. It is found from `indexed_at` on."""

    number: int
    at: datetime
    text: str
    indexed_at: datetime
    story: bool = False
    gone: str | None = None


class HackerNewsVenue(Venue):
    """Its rules: `hitsPerPage` at most 1,000, a page beyond the thousandth hit is empty, no key."""

    def __init__(self, now: Any) -> None:
        super().__init__()
        self._now = now
        self.posts: dict[int, Said] = {}

    def says(
        self, number: int, at: datetime, text: str = "northwind again", *, indexed_at: datetime | None = None
    ) -> None:
        self.posts[number] = Said(number, at, text, indexed_at or at, story=number % 5 == 0)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "hn.algolia.com" and request.url.path == "/api/v1/search_by_date":
            return self._search(dict(request.url.params))
        found = re.fullmatch(r"/v0/item/(\d+)\.json", request.url.path)
        if request.url.host == "hacker-news.firebaseio.com" and found:
            said = self.posts.get(int(found[1]))
            if said is None:
                return httpx.Response(200, content=b"null")
            return httpx.Response(
                200, json={"id": said.number, **({said.gone: True} if said.gone else {"text": said.text})}
            )
        return httpx.Response(404)

    def _search(self, params: dict[str, str]) -> httpx.Response:
        size = int(params.get("hitsPerPage", "20"))
        if not params.get("query") or size > MOST_HITS or "typoTolerance" not in params:
            return httpx.Response(400, json={"message": "bad", "status": 400})
        bounds = dict[str, int]()
        for one in params.get("numericFilters", "").split(","):
            name, value = re.fullmatch(r"created_at_i(>=|<=)(\d+)", one).groups()  # type: ignore[union-attr]
            bounds[name] = int(value)
        wanted = {"(story,comment)": (True, False), "story": (True,), "comment": (False,)}[params["tags"]]
        hits = [
            said
            for said in self.posts.values()
            if bounds[">="] <= said.at.timestamp() <= bounds.get("<=", 1 << 40)
            and said.indexed_at <= self._now()
            and said.story in wanted
            and not said.gone
            and params["query"] in said.text
        ]
        hits.sort(key=lambda said: said.at, reverse=True)
        page = int(params.get("page", "0"))
        shown = hits[:MOST_HITS][page * size : (page + 1) * size]
        return httpx.Response(200, json={"hits": [_hit(said) for said in shown], "nbHits": len(hits), "page": page})


def _hit(said: Said) -> dict[str, Any]:
    kind = "story" if said.story else "comment"
    words = {"title": said.text, "url": None} if said.story else {"comment_text": said.text, "parent_id": 1}
    return {
        "objectID": str(said.number),
        "created_at": said.at.isoformat(),
        "created_at_i": int(said.at.timestamp()),
        "author": "jo",
        "story_id": said.number if said.story else 1,
        "points": 1,
        "_tags": [kind, "author_jo"],
        **words,
    }
