"""Signing a mailbox in with OAuth 2.0, which large providers ask for: a refresh token gives an access token."""

from collections.abc import Mapping
from urllib.parse import urlencode

from services.ingest.channel_errors import AskForNewCredential, reading
from services.ingest.networks.json_api import expect_json
from shared.kit.http import HttpClient


async def access_token(http: HttpClient, url: str, asked: Mapping[str, str]) -> str:
    """An access token for a refresh token (RFC 6749, section 6)."""
    what = "The OAuth token address"
    if not url:
        raise AskForNewCredential("The token address of OAuth 2.0 is not set. Enter oauth_token_url.")
    with reading(what):
        answer = await http.request(
            "POST",
            url,
            content=urlencode(asked).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    if answer.status in (400, 401, 403):
        raise AskForNewCredential(f"{what} refuses our refresh token ({answer.status}). Sign the mailbox in again.")
    token = expect_json(answer, what).get("access_token")
    if not isinstance(token, str) or not token.isascii():
        raise AskForNewCredential(f"{what} gives no access token. Sign the mailbox in again.")
    return token
