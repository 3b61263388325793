"""The reviews of an app as the Google Play Developer API shows them: one week, the last changed first."""

import re
from datetime import datetime, timedelta
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import json_of
from tests.venues.google import GoogleVenue, as_json, error

PACKAGE = "com.northwind.app"
LONGEST = 350


class GooglePlayVenue(GoogleVenue):
    """Its rules: reviews of seven days, 100 a page, 200 reads an hour, answers of 350 characters, HTML taken out of them."""

    scope = "https://www.googleapis.com/auth/androidpublisher"

    def __init__(self) -> None:
        super().__init__()
        self.reviews: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.reads_left = 200
        self.taken = 0

    def review(self, number: int, at: datetime, text: str = "Bad\tIt stops", stars: int = 1) -> str:
        self.reviews[f"r-{number}"] = {"id": f"r-{number}", "at": at, "text": text, "stars": stars}
        return f"r-{number}"

    def api(self, request: httpx.Request, *, signed: bool) -> httpx.Response:
        found = re.fullmatch(
            rf"/androidpublisher/v3/applications/{PACKAGE}/reviews(?:/([\w-]+))?(:reply)?", request.url.path
        )
        if not signed or request.url.host != "androidpublisher.googleapis.com":
            return error(401, "required", "UNAUTHENTICATED")
        if found is None:
            return error(404, "notFound")
        if found[2]:
            return self._reply(found[1], json_of(request)["replyText"])
        if self.reads_left <= 0:
            return error(403, "rateLimitExceeded")
        self.reads_left -= 1
        if found[1]:
            held = self.reviews.get(found[1])
            return as_json(self._shown(held)) if held else error(404, "notFound")
        rows = sorted(self.reviews.values(), key=lambda one: one["at"], reverse=True)
        rows = [one for one in rows if one["at"] > clock.now() - timedelta(days=7)]
        params = dict(request.url.params)
        size, offset = int(params.get("maxResults", "10")), int(params.get("token", "0"))
        told: dict[str, Any] = {"reviews": [self._shown(one) for one in rows[offset : offset + size]]} if rows else {}
        if offset + size < len(rows):
            told["tokenPagination"] = {"nextPageToken": str(offset + size)}
        return as_json(told)

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        said = {
            "text": one["text"],
            "lastModified": _stamp(one["at"]),
            "starRating": one["stars"],
            "reviewerLanguage": "en",
        }
        comments: list[dict[str, Any]] = [{"userComment": said}]
        if one["id"] in self.answers:
            comments.append({"developerComment": self.answers[one["id"]]})
        return {"reviewId": one["id"], "authorName": "Jo", "comments": comments}

    def _reply(self, review: str, text: str) -> httpx.Response:
        if review not in self.reviews:
            return error(404, "notFound", message="The review was not found.")
        if len(text) > LONGEST:
            return error(400, "replyTextTooLong", message="The reply text is too long.")
        self.taken += 1
        self.answers[review] = {"text": re.sub("<[^>]*>", "", text), "lastModified": _stamp(clock.now())}
        return as_json({"result": {"replyText": text, "lastEdited": _stamp(clock.now())}})


def _stamp(at: datetime) -> dict[str, Any]:
    return {"seconds": str(int(at.timestamp())), "nanos": 0}
