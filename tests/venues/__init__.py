"""Venues played for tests. Here is only what all share: faults on request, a log of what was asked, reading until the end."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import orjson

from services.ingest.channel import Cursor, IncomingMention, Page, PagesByCursor, Skipped
from shared.kit.http import HttpClient

SOON = timedelta(seconds=5)
Fault = httpx.Response | type[Exception] | Callable[[httpx.Response], httpx.Response]


class Venue:
    """A venue that answers over HTTP. A subclass says how, in `answer`; it refuses what the real one would refuse.

    `faults` come first, one a request: a response, an exception (the request never arrived), or a function of the true
    answer (the request was carried out). None lets one request pass.
    """

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.faults: deque[Fault | None] = deque()

    def answer(self, request: httpx.Request) -> httpx.Response:
        raise NotImplementedError

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, type):
            raise fault("no")
        answer = self.answer(request)
        return fault(answer) if fault is not None else answer

    def http(self) -> HttpClient:
        return HttpClient().through(httpx.MockTransport(self))

    def asked_for(self, part: str) -> list[httpx.Request]:
        return [request for request in self.asked if part in str(request.url)]


def lost(_answer: httpx.Response) -> httpx.Response:
    """The request was carried out, its answer never arrives."""
    raise httpx.ReadTimeout("no")


def form_of(request: httpx.Request) -> dict[str, str]:
    """What a form holds."""
    return dict(httpx.QueryParams(request.content.decode()))


def json_of(request: httpx.Request) -> Any:
    return orjson.loads(request.content)


@dataclass
class Heard:
    """All that reading brought until the venue had no more."""

    mentions: list[IncomingMention] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    cursor: Cursor | None = None

    @property
    def ids(self) -> list[str]:
        return [one.external_id for one in self.mentions]

    @property
    def gone(self) -> list[str]:
        return [one.external_id for one in self.mentions if one.deleted_at]

    def gaps(self) -> list[Any]:
        return [gap for page in self.pages for gap in page.gaps]


async def read_on(channel: PagesByCursor, cursor: Cursor | None = None, *, most: int = 200) -> Heard:
    """Reads until there is no more at once, as the poller does: a failure leaves the cursor where it was and is raised."""
    heard = Heard(cursor=cursor)
    for _ in range(most):
        page = await channel.page(heard.cursor)
        heard.pages.append(page)
        heard.cursor = orjson.loads(orjson.dumps(page.cursor))
        heard.mentions += page.mentions
        heard.skipped += page.skipped
        if not page.has_more and (page.poll_after is None or page.poll_after > SOON):
            return heard
    raise AssertionError(f"still more after {most} pages")
