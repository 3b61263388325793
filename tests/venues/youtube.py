"""Comments as the YouTube Data API shows them: threads with a few replies, the rest by a call of its own, units of quota."""

from datetime import datetime
from typing import Any

import httpx

from shared.kit import clock
from tests.venues import json_of
from tests.venues.google import GoogleVenue, as_json, error

OURS = "UCnorthwindnorthwindnort"
KEY = "api-key-1"
LONGEST = 10_000
EMBEDDED = 2


class YoutubeVenue(GoogleVenue):
    """Its rules: 100 a page, 50 ids at once, 1 unit a read and 50 a write, one level of replies, a key for reading only."""

    def __init__(self) -> None:
        super().__init__()
        self.comments: dict[str, dict[str, Any]] = {}
        self.units = 10_000
        self.taken = 0

    def says(
        self, number: str, at: datetime, text: str = "hm", *, parent: str | None = None, writer: str = "UCjo"
    ) -> str:
        name = f"{parent}.{number}" if parent else number
        self.comments[name] = {
            "id": name, "at": at, "updated": at, "text": text, "parent": parent, "writer": writer, "status": "published",
        }  # fmt: skip
        return name

    def api(self, request: httpx.Request, *, signed: bool) -> httpx.Response:
        path = request.url.path.removeprefix("/youtube/v3/")
        params = dict(request.url.params)
        reads = request.method == "GET"
        if not signed and not (reads and request.headers.get("x-goog-api-key") == KEY):
            return error(400, "keyInvalid") if reads else error(401, "required", "UNAUTHENTICATED")
        if self.units < (1 if reads else 50):
            return error(403, "quotaExceeded")
        self.units -= 1 if reads else 50
        match request.method, path:
            case "GET", "channels":
                return as_json({"items": [{"id": OURS, "snippet": {"title": "Northwind", "customUrl": "@northwind"}}]})
            case "GET", "commentThreads":
                return self._threads(params)
            case "GET", "comments":
                rows = [one for one in self._shown() if one["parent"] == params["parentId"]]
                if params["parentId"] not in self.comments:
                    return error(404, "commentNotFound")
                return self._page(sorted(rows, key=lambda one: one["at"], reverse=True), params, _comment)
            case "POST", "comments":
                return self._insert(json_of(request)["snippet"])
            case "POST", "comments/setModerationStatus":
                if params["id"] not in self.comments:
                    return error(404, "commentNotFound")
                self.comments[params["id"]]["status"] = params["moderationStatus"]
                return httpx.Response(204)
            case "DELETE", "comments":
                return httpx.Response(204) if self.comments.pop(params["id"], None) else error(404, "commentNotFound")
        return error(404, "notFound")

    def _shown(self) -> list[dict[str, Any]]:
        return [one for one in self.comments.values() if one["status"] == "published"]

    def _threads(self, params: dict[str, str]) -> httpx.Response:
        rows = [one for one in self._shown() if one["parent"] is None]
        if "id" in params:
            ids = params["id"].split(",")
            if len(ids) > 50:
                return error(400, "invalidValue")
            rows = [one for one in rows if one["id"] in ids]
        elif params.get("allThreadsRelatedToChannelId") != OURS and params.get("videoId") != "vid1":
            return error(403, "commentsDisabled") if "videoId" in params else error(404, "channelNotFound")
        return self._page(sorted(rows, key=lambda one: one["at"], reverse=True), params, self._thread)

    def _page(self, rows: list[dict[str, Any]], params: dict[str, str], shown: Any) -> httpx.Response:
        size, offset = int(params.get("maxResults", "20")), int(params.get("pageToken", "0"))
        if size > 100 or params.get("textFormat") != "plainText":
            return error(400, "invalidValue")
        told: dict[str, Any] = {"items": [shown(one) for one in rows[offset : offset + size]]}
        if offset + size < len(rows):
            told["nextPageToken"] = str(offset + size)
        return as_json(told)

    def _thread(self, one: dict[str, Any]) -> dict[str, Any]:
        replies = [reply for reply in self._shown() if reply["parent"] == one["id"]]
        snippet = {"videoId": "vid1", "totalReplyCount": len(replies), "topLevelComment": _comment(one)}
        return {
            "id": one["id"],
            "snippet": snippet,
            "replies": {"comments": [_comment(reply) for reply in replies[:EMBEDDED]]},
        }

    def _insert(self, snippet: dict[str, Any]) -> httpx.Response:
        parent, text = snippet["parentId"], snippet["textOriginal"]
        if parent not in self.comments or self.comments[parent]["parent"]:
            return error(404, "parentCommentNotFound", message="The parent comment could not be found.")
        if len(text) > LONGEST:
            return error(400, "commentTextTooLong", message="The comment is too long.")
        self.taken += 1
        return as_json(
            _comment(self.comments[self.says(f"ours{self.taken}", clock.now(), text, parent=parent, writer=OURS)])
        )


def _comment(one: dict[str, Any]) -> dict[str, Any]:
    snippet = {
        "textDisplay": one["text"], "authorDisplayName": "@jo", "authorChannelId": {"value": one["writer"]},
        "authorChannelUrl": "http://www.youtube.com/@jo", "likeCount": 0, "publishedAt": one["at"].isoformat(),
        "updatedAt": one["updated"].isoformat(),
    }  # fmt: skip
    return {
        "id": one["id"],
        "snippet": snippet | ({"parentId": one["parent"]} if one["parent"] else {"videoId": "vid1"}),
    }
