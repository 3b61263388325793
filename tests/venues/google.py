"""How one signs in at Google: an assertion signed with a service account's key (RS256), or a refresh token."""

import base64
from typing import Any

import httpx
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.kit import clock
from tests.venues import Venue, form_of

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
MAIL = "webcare@northwind.iam.gserviceaccount.example"
SERVICE_ACCOUNT = orjson.dumps(
    {
        "type": "service_account",
        "client_email": MAIL,
        "private_key_id": "kid-1",
        "private_key": KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "token_uri": "https://evil.example/token",
    }
).decode()
BY_PERSON = {"client_id": "client-1", "client_secret": "its-secret", "refresh_token": "1//refresh"}
TOKEN_HOST = "oauth2.googleapis.com"


def error(status: int, reason: str, name: str = "", message: str = "No.") -> httpx.Response:
    told = {"code": status, "message": message, "status": name, "errors": [{"reason": reason, "domain": "global"}]}
    return httpx.Response(status, json={"error": told})


class GoogleVenue(Venue):
    """Signs in, and answers `api` only to whom it gave a token."""

    scope: str | None = None
    """The scope that a service account must ask for; None: a person's consent is needed."""

    def __init__(self) -> None:
        super().__init__()
        self.consent = True
        self._tokens = 0

    def api(self, request: httpx.Request, *, signed: bool) -> httpx.Response:
        raise NotImplementedError

    def asked_api(self) -> list[httpx.Request]:
        return [request for request in self.asked if request.url.host != TOKEN_HOST]

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == TOKEN_HOST:
            return self._sign_in(form_of(request))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token != f"token-{self._tokens}":
            return error(401, "authError", "UNAUTHENTICATED")
        return self.api(request, signed=bool(token))

    def _sign_in(self, form: dict[str, str]) -> httpx.Response:
        if self.scope is None:
            good = self.consent and form == {"grant_type": "refresh_token", **BY_PERSON}
        else:
            grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
            good = self.consent and form.get("grant_type") == grant and self._genuine(form.get("assertion", ""))
        if not good:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Bad Request"})
        self._tokens += 1
        return httpx.Response(
            200, json={"access_token": f"token-{self._tokens}", "expires_in": 3_599, "token_type": "Bearer"}
        )

    def _genuine(self, assertion: str) -> bool:
        try:
            head, claims, signature = assertion.split(".")
            KEY.public_key().verify(
                _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except (ValueError, InvalidSignature):
            return False
        header, told = orjson.loads(_decoded(head)), orjson.loads(_decoded(claims))
        right = header == {"alg": "RS256", "kid": "kid-1", "typ": "JWT"} and told["iss"] == MAIL
        right = right and told["scope"] == self.scope and told["aud"] == f"https://{TOKEN_HOST}/token"
        return bool(right and told["iat"] <= clock.now().timestamp() < told["exp"] <= told["iat"] + 3_600)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def as_json(told: Any) -> httpx.Response:
    return httpx.Response(200, json=told)
