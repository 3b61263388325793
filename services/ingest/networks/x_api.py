"""Calling X: signed as an app or as our account, what each call costs, what is left, and what its refusals mean.

Our account signs with OAuth 1.0a, whose tokens do not end; nothing has to be renewed and kept. Prices are millionths of a US
dollar, as documented for pay-per-use; what is read twice in a day (UTC) is paid once.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from services.ingest.channel import (
    Answer,
    AskForNewCredential,
    ChannelBroken,
    HttpClient,
    SkipThis,
    TryLater,
    expect_posted,
    reading,
)
from services.ingest.networks.json_api import expect_json, parsed, until_reset
from shared.kit import clock
from shared.kit.http import LongAnswer

POST_READ, OWNED_READ, USER_READ, MESSAGE_READ = 5_000, 1_000, 10_000, 10_000
POST_SENT, REPLY_SENT, LINK_SENT = 15_000, 10_000, 200_000
MESSAGE_SENT = 15_000  # from general knowledge
A_WHILE = timedelta(minutes=15)  # the length of X's own windows
FIELDS: Mapping[str, str] = {
    "tweet.fields": "author_id,created_at,lang,conversation_id,in_reply_to_user_id,referenced_tweets,entities,attachments,"
    "public_metrics,edit_history_tweet_ids,edit_controls,reply_settings,note_tweet,geo,possibly_sensitive",
    "expansions": "author_id,attachments.media_keys,geo.place_id",
    "user.fields": "username,name,verified,verified_type,public_metrics,protected,created_at",
    "media.fields": "url,preview_image_url,type,alt_text,variants",
    "place.fields": "country_code",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The credentials: an app's bearer token, and the four keys by which our account signs."""

    bearer: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    token: str = ""
    token_secret: str = ""

    @property
    def can_sign(self) -> bool:
        """Whether calls can be made as our account."""
        return all((self.consumer_key, self.consumer_secret, self.token, self.token_secret))


def signed(
    keys: Keys, method: str, url: str, params: Sequence[tuple[str, str]], *, nonce: str = "", at: int = 0
) -> str:
    """The Authorization header of OAuth 1.0a (RFC 5849) with HMAC-SHA1. A JSON body is not part of what is signed."""
    own = {
        "oauth_consumer_key": keys.consumer_key,
        "oauth_nonce": nonce or secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(at or int(clock.now().timestamp())),
        "oauth_token": keys.token,
        "oauth_version": "1.0",
    }
    pairs = sorted((_quoted(name), _quoted(value)) for name, value in [*params, *own.items()])
    base = "&".join([method.upper(), _quoted(url), _quoted("&".join(f"{name}={value}" for name, value in pairs))])
    key = f"{_quoted(keys.consumer_secret)}&{_quoted(keys.token_secret)}"
    own["oauth_signature"] = base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha1)).decode()
    return "OAuth " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in sorted(own.items()))


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")


class Api:
    """The API, with our credentials."""

    def __init__(self, base: str, keys: Keys, http: HttpClient) -> None:
        self.keys = keys
        self.what = "X"
        self._base = base.rstrip("/")
        self._http = http

    async def call(
        self, method: str, path: str, params: Sequence[tuple[str, str]] = (), *, json: Any = None, as_user: bool = False
    ) -> Answer:
        """One call. Raises what the HTTP client does."""
        url = f"{self._base}{path}"
        ours = as_user and self.keys.can_sign
        headers = {"Authorization": signed(self.keys, method, url, params)} if ours else self.bearer()
        asked = f"{url}?{urlencode(params, quote_via=quote, safe=',:')}" if params else url
        return await self._http.request(method, asked, json=json, headers=headers, max_bytes=5_000_000)

    async def read(
        self, path: str, params: Sequence[tuple[str, str]] = (), *, as_user: bool = False
    ) -> tuple[Answer, dict[str, Any]]:
        """What a call that changes nothing brings. Raises ChannelError."""
        with reading(self.what):
            answer = await self.call("GET", path, params, as_user=as_user)
        refuse_unpaid(answer)
        return answer, expect_json(answer, self.what)

    def stream(
        self, path: str, params: Sequence[tuple[str, str]], idle_s: float
    ) -> AbstractAsyncContextManager[LongAnswer]:
        """A stream of posts."""
        asked = f"{self._base}{path}?{urlencode(params, quote_via=quote, safe=',:')}"
        return self._http.stream("GET", asked, headers=self.bearer(), idle_s=idle_s)

    async def elsewhere(self, method: str, url: str, *, content: bytes | None = None) -> Answer:
        """A call to an address that X handed out for its own files."""
        headers = {"Content-Type": "text/plain"} if content is not None else {}
        return await self._http.request(method, url, content=content, headers=headers, max_bytes=5_000_000)

    def bearer(self) -> dict[str, str]:
        """The headers of a call as an app."""
        return {"Authorization": f"Bearer {self.keys.bearer}"} if self.keys.bearer else {}


def refuse_unpaid(answer: Answer) -> None:
    """402: nothing is left of what was paid; that is neither a limit of calls nor a wrong credential."""
    if answer.status == 402:
        raise ChannelBroken(
            f"X says that the credits are spent (402). Buy more in its developer console.{_reason(answer)}"
        )
    if answer.status == 403:
        raise AskForNewCredential(
            f"X does not let these credentials do that (403).{_reason(answer)} Enter others, or ask X."
        )


def expect_done(answer: Answer) -> None:
    """After a write."""
    if answer.status == 402:
        refuse_unpaid(answer)
    if answer.status == 429:
        raise TryLater("X asks us to wait (429).", until_reset(answer) or A_WHILE)
    if answer.status == 403:
        raise SkipThis(f"X refuses it (403).{_reason(answer)}")
    expect_posted(answer, "X", _reason(answer).strip())


def said(answer: Answer) -> str:
    """Why X refuses something."""
    try:
        told = parsed(answer.body)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    errors = told.get("errors")
    inner = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    found = told.get("detail") or inner.get("message") or inner.get("detail") or told.get("title")
    return found[:300] if isinstance(found, str) else ""


def _reason(answer: Answer) -> str:
    reason = said(answer)
    return f" {reason.rstrip('.')}." if reason else ""
