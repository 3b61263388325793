"""The API of a Discourse forum: what its answers and errors mean."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.ingest.channel import (
    Answer,
    HttpClient,
    OutcomeUnknown,
    SkipThis,
    TryLater,
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks.json_api import Fields, expect_json, parsed

WHAT = "The forum"


class DiscourseApi:
    """One forum, asked in the name of one user or of nobody."""

    def __init__(self, base: str, headers: Mapping[str, str], http: HttpClient) -> None:
        self._base, self._headers, self._http = base, headers, http

    async def read(self, path: str, *, maybe_gone: bool = False) -> dict[str, Any]:
        """Reads an object. Raises ChannelError, and with `maybe_gone` SkipThis where it is not there."""
        with reading(WHAT):
            answer = await self._http.get(f"{self._base}/{path}", headers=self._headers, max_bytes=10_000_000)
        if maybe_gone and answer.status in (404, 410):
            raise SkipThis(f"{WHAT} does not have it any more ({answer.status}).")
        return expect_json(_waiting(answer), WHAT)

    async def write(self, method: str, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Writes, and gives what the forum made of it. Raises ChannelError; OutcomeUnknown where it may have been done."""
        answer = await self.ask(method, path, fields)
        expect_posted(answer, WHAT, said_by(answer))
        try:
            found = parsed(answer.body)
        except ValueError as unreadable:
            raise OutcomeUnknown(f"{WHAT} answers something that cannot be read.") from unreadable
        return found if isinstance(found, dict) else {}

    async def ask(self, method: str, path: str, fields: Mapping[str, Any] | None) -> Answer:
        """Writes, and gives the answer whatever its status. Raises TryLater where the forum asks us to wait."""
        with replying(WHAT):
            answer = await self._http.request(
                method, f"{self._base}/{path}", headers=self._headers, json=None if fields is None else dict(fields)
            )
        return _waiting(answer)


def _waiting(answer: Answer) -> Answer:
    """Raises TryLater where the forum asks us to wait, which may stand in the body only."""
    if answer.status == 429 and not answer.headers.get("retry-after"):
        try:
            found = parsed(answer.body)
        except ValueError:
            found = None
        told = Fields(found, "answer", {}).inside("extras").count("wait_seconds")
        if told:
            raise TryLater(f"{WHAT} asks us to wait (429).", timedelta(seconds=min(told, 86_400)))
    return answer


def said_by(answer: Answer) -> str:
    """What the forum has against it."""
    try:
        found = parsed(answer.body)
    except ValueError:
        return ""
    return " ".join(one for one in Fields(found, "answer", {}).all("errors") if isinstance(one, str))[:300]
