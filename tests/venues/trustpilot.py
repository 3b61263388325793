"""Trustpilot, played: reviews by page, newest first, private ones behind a sign-in, one answer under each review."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.ingest.site import NOON
from tests.venues import Venue, form_of

UNIT, KEY, SECRET, USER = "46d6a890000064000500e0c3", "an-api-key", "an-api-secret", "507f191e810c19729de860ea"
SECRETS = {"api_key": KEY, "api_secret": SECRET}


class TrustpilotVenue(Venue):
    """One company and its reviews."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.reviews: dict[str, dict[str, Any]] = {}
        self.tokens = 0

    def review(self, text: str, stars: int = 2, ago: float = 0, **more: Any) -> str:
        known = f"{0x6740A1B2C3D4E5F607180000 + len(self.reviews):x}"
        self.reviews[known] = {
            "id": known, "stars": stars, "title": None, "text": text, "language": "nl", "createdAt": iso(self.now - ago), "updatedAt": None,
            "consumer": {"id": "5f9a0c1be1b8a50019d3e001", "displayName": "Sanne"}, "companyReply": None, "status": "active", **more,
        }  # fmt: skip
        return known

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert KEY not in str(request.url), "a key does not belong into an address"
        path = request.url.path.strip("/").split("/")
        if path[1:3] == ["oauth", "oauth-business-users-for-applications"]:
            right = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {right}" or form_of(request) != {
                "grant_type": "client_credentials"
            }:
                return httpx.Response(401, json={"message": "Invalid ApiKey"})
            self.tokens += 1
            return httpx.Response(
                200, json={"access_token": f"t{self.tokens}", "expires_in": "359999", "token_type": "BearerToken"}
            )
        if path[1] == "private":
            if request.headers.get("authorization") != f"Bearer t{self.tokens}":
                return httpx.Response(401, json={"message": "Unauthorized"})
        elif request.headers.get("apikey") != KEY:
            return httpx.Response(401, json={"message": "Unknown apikey"})
        match request.method, [one for one in path[1:] if one != "private"]:
            case "GET", ["business-units", unit]:
                return httpx.Response(
                    200, json={"id": unit, "displayName": "Acme", "name": {"identifying": "acme.example"}}
                )
            case "GET", ["business-units", unit, "reviews"]:
                return self._list(unit, request.url.params)
            case _, ["reviews", known, *_] if known not in self.reviews:
                return httpx.Response(404, json={"message": "Review not found"})
            case "GET", ["reviews", known]:
                return httpx.Response(200, json=self.reviews[known])
            case "POST", ["reviews", known, "reply"]:
                return self._reply(known, json.loads(request.content))
            case "DELETE", ["reviews", known, "reply"]:
                had, self.reviews[known]["companyReply"] = self.reviews[known]["companyReply"], None
                return httpx.Response(204 if had else 404)
        raise AssertionError(f"{request.method} {path} is not Trustpilot's")

    def _list(self, unit: str, asked: httpx.QueryParams) -> httpx.Response:
        assert unit == UNIT
        assert asked["orderBy"] == "createdat.desc"
        if int(asked["perPage"]) > 100:
            return httpx.Response(400, json={"message": "perPage must be at most 100"})
        newest = sorted(self.reviews.values(), key=lambda one: one["createdAt"], reverse=True)
        size = int(asked["perPage"])
        start = (int(asked["page"]) - 1) * size
        return httpx.Response(200, json={"links": [], "reviews": newest[start : start + size]})

    def _reply(self, known: str, asked: dict[str, Any]) -> httpx.Response:
        if asked.get("authorBusinessUserId") != USER:
            return httpx.Response(400, json={"message": "authorBusinessUserId is not valid"})
        self.reviews[known]["companyReply"] = {
            "text": asked["message"],
            "authorBusinessUserId": USER,
            "createdAt": iso(self.now),
        }
        return httpx.Response(201)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
