"""Talking to Reddit's API: signing in, reading, and its forms, whose errors come with status 200."""

import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from services.ingest.channel_errors import (
    AskForNewCredential,
    ChannelBroken,
    OutcomeUnknown,
    SkipThis,
    TryLater,
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks.json_api import Fields, expect_json, object_in, said_in
from services.ingest.networks.reddit_things import posted_in
from shared.kit.http import Answer, HttpClient

MOST_BYTES = 8_000_000
_WHAT = "Reddit"


class RedditApi:
    """One app at Reddit, alone (`refresh_token` None: it only reads) or in the name of an account."""

    def __init__(
        self,
        http: HttpClient,
        approved: bool,
        base: str,
        token_url: str,
        agent: str,
        app: tuple[str, str],
        refresh_token: str | None,
    ) -> None:
        self._http, self._base, self._token_url, self._agent = http, base, token_url, agent
        self._approved, self._app, self._refresh_token = approved, app, refresh_token
        self._token: str | None = None

    async def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """A read. `raw_json` keeps texts from being escaped as HTML."""
        headers = await self.headers()
        with reading(_WHAT):
            return await self._http.get(
                f"{self._base}{path}",
                params={**params, "raw_json": "1"},
                headers=headers,
                max_bytes=MOST_BYTES,
            )

    async def form(self, path: str, form: Mapping[str, str]) -> Fields:
        """Sends a form; an error comes with status 200. Brings the first thing it made."""
        self._only_if_approved()
        if self._refresh_token is None:
            raise AskForNewCredential("Without a refresh token nothing is written at Reddit. Enter one as a secret.")
        headers = await self.headers()
        with replying(_WHAT):
            answer = await self._http.request(
                "POST",
                f"{self._base}{path}",
                content=urlencode({**form, "api_type": "json", "raw_json": "1"}).encode(),
                headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
            )
        if answer.status == 403:
            raise AskForNewCredential(
                f"{_WHAT} does not let our account do this. Give consent to it, or let it moderate there."
            )
        expect_posted(answer, _WHAT, said_in(answer, "message"))
        try:
            made, errors = posted_in(object_in(answer.body or b"{}", _WHAT))
        except (TryLater, ChannelBroken) as unreadable:
            raise OutcomeUnknown(f"{_WHAT} answers something that cannot be read.") from unreadable
        for code, said in errors:
            if code == "RATELIMIT":
                raise TryLater(f"{_WHAT} asks us to wait: {said[:200]}.", _wait_in(said))
            if code == "USER_REQUIRED":
                raise AskForNewCredential(f"{_WHAT} does not know our account. Give consent again.")
            raise SkipThis(f"{_WHAT} does not take it: {said[:300]}.")
        return made

    async def headers(self) -> dict[str, str]:
        """Of a request: our token and who we are. Signs in first."""
        self._only_if_approved()
        if self._token is None:
            self._token = await self._sign_in()
        return {"Authorization": f"Bearer {self._token}", "User-Agent": self._agent}

    def _only_if_approved(self) -> None:
        if not self._approved:
            raise ChannelBroken(
                "Reddit lets programs in only with its approval. Ask for it there, then set approved; docs say how."
            )

    async def _sign_in(self) -> str:
        form = {"grant_type": "client_credentials"}
        if self._refresh_token is not None:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        with reading(_WHAT):
            answer = await self._http.request(
                "POST",
                self._token_url,
                content=urlencode(form).encode(),
                headers={"User-Agent": self._agent, "Content-Type": "application/x-www-form-urlencoded"},
                auth=self._app,
            )
        if answer.status == 400:
            raise AskForNewCredential(
                f"{_WHAT} refuses our credential ({said_in(answer, 'error')}). Give consent again."
            )
        token = expect_json(answer, _WHAT).get("access_token")
        if not isinstance(token, str):
            raise AskForNewCredential(f"{_WHAT} gives us no token. Give consent again.")
        return token


def header_number(answer: Answer, header: str) -> int | None:
    """A number in a header, without what stands behind its point."""
    found = re.fullmatch(r"(\d{1,9})(\.\d+)?", answer.headers.get(header, ""))
    return int(found[1]) if found else None


def _wait_in(said: str) -> timedelta:
    found = re.search(r"(\d{1,4}) (second|minute|hour)", said)
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else timedelta(minutes=10)
