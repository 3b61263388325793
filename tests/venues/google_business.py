"""Reviews of places as the Business Profile API shows them: the last changed first, one answer to each."""

import re
from datetime import datetime
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import json_of
from tests.venues.google import GoogleVenue, as_json, error

PLACES = ("accounts/1/locations/2", "accounts/1/locations/3")
LONGEST = 4_096
STARS = ["ONE", "TWO", "THREE", "FOUR", "FIVE"]


class GoogleBusinessVenue(GoogleVenue):
    """Its rules: 50 a page, only with an owner's consent, answers of 4,096 bytes, only for places that are verified."""

    def __init__(self) -> None:
        super().__init__()
        self.reviews: dict[str, dict[str, Any]] = {}
        self.verified = True
        self.taken = 0

    def review(
        self, number: int, at: datetime, text: str = "cold coffee", place: str = PLACES[0], stars: int = 1
    ) -> str:
        name = f"{place}/reviews/r{number}"
        self.reviews[name] = {
            "name": name, "reviewId": f"r{number}", "reviewer": {"displayName": "Jo"}, "starRating": STARS[stars - 1],
            "comment": text, "createTime": at.isoformat(), "updateTime": at.isoformat(),
        }  # fmt: skip
        return name

    def api(self, request: httpx.Request, *, signed: bool) -> httpx.Response:
        if not signed:
            return error(401, "required", "UNAUTHENTICATED")
        if request.url.host == "mybusinessaccountmanagement.googleapis.com":
            return as_json({"accounts": [{"name": "accounts/1", "accountName": "Northwind cafés"}]})
        path = request.url.path.removeprefix("/v4/")
        if (found := re.fullmatch(r"(.+)/reviews", path)) and found[1] in PLACES:
            return self._list(found[1], dict(request.url.params))
        review = self.reviews.get(path.removesuffix("/reply"))
        if review is None:
            return error(404, "notFound", "NOT_FOUND")
        match request.method, path.endswith("/reply"):
            case "GET", False:
                return as_json(review)
            case "PUT", True:
                return self._reply(review, json_of(request)["comment"])
            case "DELETE", True:
                return as_json({}) if review.pop("reviewReply", None) else error(404, "notFound", "NOT_FOUND")
        return error(404, "notFound")

    def _list(self, place: str, params: dict[str, str]) -> httpx.Response:
        size, offset = int(params.get("pageSize", "20")), int(params.get("pageToken", "0"))
        if size > 50 or params.get("orderBy") != "updateTime desc":
            return error(400, "badRequest", "INVALID_ARGUMENT")
        rows = [one for name, one in self.reviews.items() if name.startswith(f"{place}/")]
        rows.sort(key=lambda one: one["updateTime"], reverse=True)
        told: dict[str, Any] = {"reviews": rows[offset : offset + size], "totalReviewCount": len(rows)} if rows else {}
        if offset + size < len(rows):
            told["nextPageToken"] = str(offset + size)
        return as_json(told)

    def _reply(self, review: dict[str, Any], text: str) -> httpx.Response:
        if not self.verified:
            return error(400, "failedPrecondition", "FAILED_PRECONDITION", "The location is not verified.")
        if len(text.encode()) > LONGEST:
            return error(400, "badRequest", "INVALID_ARGUMENT", "The reply is too long.")
        self.taken += 1
        review["reviewReply"] = {"comment": text, "updateTime": clock.now().isoformat()}
        return as_json(review["reviewReply"])
