"""Apple's two doors to reviews: the public feeds by country, and App Store Connect behind a token signed with ES256."""

import base64
from datetime import datetime
from typing import Any

import httpx
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from shared.kit import clock
from tests.venues import Venue, json_of

APP = "1234567890"
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SECRETS = {"issuer_id": "57246542-96fe-1a63-e053-0824d011072a", "key_id": "2X9R4HXF34", "private_key": PEM}
LONGEST = 5_970


class AppStoreVenue(Venue):
    """Its rules: 50 a page and ten pages of a feed; a token for at most 20 minutes; one answer, which a second replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.reviews: dict[str, dict[str, Any]] = {}
        self.responses: dict[str, dict[str, Any]] = {}
        self.left = 3_500
        self.may_answer = True

    def review(self, number: int, at: datetime, text: str = "bad", country: str = "us", stars: int = 1) -> str:
        self.reviews[str(number)] = {"id": str(number), "at": at, "text": text, "country": country, "stars": stars}
        return str(number)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "itunes.apple.com":
            return self._feed(request)
        if (error := self._unsigned(request)) is not None:
            return _refused(401, error)
        self.left -= 1
        parts = request.url.path.strip("/").split("/")
        match request.method, parts:
            case "GET", ["v1", "apps", app]:
                return self._data({"id": app, "attributes": {"name": "Northwind", "bundleId": "com.northwind.app"}})
            case "GET", ["v1", "apps", app, "customerReviews"] if app == APP:
                return self._list(request)
            case "GET", ["v1", "customerReviews", review, "response"]:
                found = self.responses.get(review)
                return self._data(found) if found else _refused(404, "There is no resource of that type.")
            case "POST", ["v1", "customerReviewResponses"]:
                return self._respond(json_of(request)["data"])
            case "DELETE", ["v1", "customerReviewResponses", number]:
                held = [review for review, one in self.responses.items() if one["id"] == number]
                for review in held:
                    del self.responses[review]
                return httpx.Response(204 if held else 404)
        return _refused(404, "no such path")

    def _feed(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/lookup":
            return httpx.Response(
                200,
                json={"resultCount": 1, "results": [{"trackName": "Northwind", "trackViewUrl": "https://a.example"}]},
            )
        country, _, _, page, app, *_ = request.url.path.strip("/").split("/")
        number = int(page.removeprefix("page="))
        if app != f"id={APP}" or not 1 <= number <= 10:
            return httpx.Response(400)
        shown = [_entry(one) for one in self._newest() if one["country"] == country][(number - 1) * 50 : number * 50]
        feed: dict[str, Any] = {"id": {"label": str(request.url)}}
        if shown:
            feed["entry"] = shown[0] if len(shown) == 1 else [{"im:name": {"label": "Northwind"}}, *shown]
        return httpx.Response(200, json={"feed": feed})

    def _newest(self) -> list[dict[str, Any]]:
        return sorted(self.reviews.values(), key=lambda one: one["at"], reverse=True)

    def _list(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        size, offset = int(params.get("limit", "20")), int(params.get("cursor", "0"))
        if params.get("sort") != "-createdDate" or size > 200:
            return _refused(400, "A parameter has an invalid value")
        rows = self._newest()
        told: dict[str, Any] = {"data": [_resource(one) for one in rows[offset : offset + size]], "links": {}}
        if offset + size < len(rows):
            told["links"]["next"] = str(request.url.copy_set_param("cursor", str(offset + size)))
        return httpx.Response(
            200, json=told, headers={"X-Rate-Limit": f"user-hour-lim:3500;user-hour-rem:{self.left};"}
        )

    def _respond(self, data: dict[str, Any]) -> httpx.Response:
        if not self.may_answer:
            return _refused(403, "The API key in use does not allow this request")
        review = data["relationships"]["review"]["data"]["id"]
        text = data["attributes"]["responseBody"]
        if review not in self.reviews or len(text) > LONGEST:
            return _refused(409, "The provided entity includes an attribute with an invalid value")
        about = {"responseBody": text, "lastModifiedDate": clock.now().isoformat(), "state": "PENDING_PUBLISH"}
        held = self.responses.get(review, {"id": f"resp-{review}", "type": "customerReviewResponses"})
        self.responses[review] = {**held, "attributes": about}
        return self._data(self.responses[review], 201)

    def _data(self, data: Any, status: int = 200) -> httpx.Response:
        return httpx.Response(status, json={"data": data})

    def _unsigned(self, request: httpx.Request) -> str | None:
        """What is wrong with the token; None where nothing is."""
        try:
            head, claims, signature = request.headers.get("authorization", "").removeprefix("Bearer ").split(".")
            raw = _decoded(signature)
            der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            KEY.public_key().verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
            told, header = orjson.loads(_decoded(claims)), orjson.loads(_decoded(head))
        except (ValueError, InvalidSignature):
            return "Provide a properly configured and signed bearer token"
        now = clock.now().timestamp()
        right = header == {"alg": "ES256", "kid": SECRETS["key_id"], "typ": "JWT"} and len(raw) == 64
        right = right and told["aud"] == "appstoreconnect-v1" and told["iss"] == SECRETS["issuer_id"]
        return None if right and told["iat"] <= now < told["exp"] <= told["iat"] + 1_200 else "The token is not valid"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _entry(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "author": {"uri": {"label": f"https://itunes.apple.com/reviews/id{one['id']}"}, "name": {"label": "jo"}},
        "updated": {"label": one["at"].isoformat()},
        "im:rating": {"label": str(one["stars"])},
        "id": {"label": one["id"]},
        "title": {"label": "title"},
        "content": {"label": one["text"]},
        "link": {"attributes": {"href": "https://itunes.apple.com/review"}},
    }


def _resource(one: dict[str, Any]) -> dict[str, Any]:
    about = {
        "rating": one["stars"], "title": "title", "body": one["text"], "reviewerNickname": "jo",
        "createdDate": one["at"].isoformat(), "territory": "USA",
    }  # fmt: skip
    return {"type": "customerReviews", "id": one["id"], "attributes": about}


def _refused(status: int, detail: str) -> httpx.Response:
    return httpx.Response(
        status, json={"errors": [{"status": str(status), "code": "X", "title": "X", "detail": detail}]}
    )
