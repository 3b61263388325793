"""The API of Stack Exchange: one wrapper around every answer, always packed, a daily quota, and `backoff` on request."""

import gzip
import re
from datetime import datetime
from typing import Any

import httpx
import orjson

from tests.venues import Venue

SITE = "stackoverflow"


class StackExchangeVenue(Venue):
    """Its rules: a site is named, at most 100 on a page and 100 ids at once, a quota by day, errors with status 400."""

    def __init__(self, quota: int = 300) -> None:
        super().__init__()
        self.questions: dict[int, dict[str, Any]] = {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.quota = quota
        self.backoff: int | None = None

    def asks(self, number: int, at: datetime, title: str = "northwind", active_at: datetime | None = None) -> None:
        self.questions[number] = {
            "question_id": number, "title": title, "body": "<p>why?</p>", "creation_date": int(at.timestamp()),
            "last_activity_date": int((active_at or at).timestamp()), "owner": {"user_id": 1, "display_name": "jo"},
        }  # fmt: skip

    def answers_it(self, number: int, question: int, at: datetime) -> None:
        self.answers[number] = {
            "answer_id": number, "question_id": question, "body": "<p>so</p>", "creation_date": int(at.timestamp()),
            "last_activity_date": int(at.timestamp()), "owner": {"user_id": 2, "display_name": "dalia"},
        }  # fmt: skip

    def remarks(self, number: int, post: int, at: datetime) -> None:
        self.comments[number] = {
            "comment_id": number, "post_id": post, "body": "hm", "creation_date": int(at.timestamp()),
            "owner": {"user_id": 3, "display_name": "kim"},
        }  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        path = request.url.path.removeprefix("/2.3/")
        if params.get("site") != SITE or int(params.get("pagesize", "30")) > 100:
            return _refused(400, "bad_parameter", "site")
        if self.quota <= 0:
            return _refused(
                502, "throttle_violation", "too many requests from this IP, more requests available in 5000 seconds"
            )
        self.quota -= 1
        found = re.fullmatch(r"(questions|posts)/([\d;]+)(?:/(answers|comments))?", path)
        ids = {int(one) for one in found[2].split(";")} if found else set()
        if len(ids) > 100:
            return _refused(400, "bad_parameter", "ids")
        if path == "search/advanced" and (params.get("q") or params.get("tagged")):
            return self._page([one for one in self.questions.values() if params.get("q", "") in one["title"]], params)
        if found is None:
            return _refused(404, "no_method", "this method cannot be found")
        if found[3] == "answers":
            return self._page([one for one in self.answers.values() if one["question_id"] in ids], params)
        if found[3] == "comments":
            return self._page([one for one in self.comments.values() if one["post_id"] in ids], params)
        there = [{"post_id": one, "post_type": "question"} for one in sorted({*self.questions, *self.answers} & ids)]
        return self._wrapped(there, has_more=False)

    def _page(self, items: list[dict[str, Any]], params: dict[str, str]) -> httpx.Response:
        name = {"activity": "last_activity_date", "creation": "creation_date"}[params["sort"]]
        items = [one for one in items if one[name] >= int(params["min"])]
        items.sort(key=lambda one: one[name], reverse=params["order"] == "desc")
        size, page = int(params["pagesize"]), int(params.get("page", "1"))
        with_body = params.get("filter") == "withbody"
        shown = [one if with_body else {**one, "body": None} for one in items[(page - 1) * size : page * size]]
        return self._wrapped(shown, has_more=len(items) > page * size)

    def _wrapped(self, items: list[dict[str, Any]], *, has_more: bool) -> httpx.Response:
        told = {"items": items, "has_more": has_more, "quota_max": 300, "quota_remaining": self.quota}
        if self.backoff is not None:
            told["backoff"], self.backoff = self.backoff, None
        return httpx.Response(200, content=gzip.compress(orjson.dumps(told)), headers={"Content-Encoding": "gzip"})


def _refused(number: int, name: str, message: str) -> httpx.Response:
    return httpx.Response(400, json={"error_id": number, "error_name": name, "error_message": message})
