"""One try: a POST to an address that was judged, ended after 15 seconds, of whose answer little is read."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType

import aiohttp
import httpx

from services.api.webhooks.schedule import Outcome
from shared.kit.addresses import WEBHOOKS, AddressGuard, AddressRefused, Network, Resolver, system_resolver
from shared.kit.connections import guarded_connector
from shared.kit.http import Answer, retry_after

TOTAL_S = 15.0
CONNECT_S = 5.0
BODY_S = 2.0
MOST_READ = 65_536
EXCERPT = 1_024
_KEPT_ALIVE_S = 4.0
_JUDGED_FOR_S = 30.0
_ABORT = "abort-message"


class Postman:
    """Carries bodies to receivers, over connections that are kept for the next one. `allowed` are networks that may be
    reached although they are private, and without TLS."""

    def __init__(
        self, allowed: tuple[Network, ...] = (), *, total_s: float = TOTAL_S, resolver: Resolver = system_resolver
    ) -> None:
        self._guard = AddressGuard(allowed, rules=WEBHOOKS, resolver=resolver)
        self._total_s = total_s
        self._session: aiohttp.ClientSession | None = None
        self._judged: dict[str, tuple[float, str | None]] = {}

    async def __aenter__(self) -> "Postman":
        self._session = aiohttp.ClientSession(
            # Receivers close idle connections, commonly after five seconds; ours are given up before that.
            connector=guarded_connector(self._guard, limit=0, keepalive_timeout=_KEPT_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=self._total_s, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Tries once. Never raises for what the network or the receiver does: that is the outcome."""
        started = time.perf_counter()
        outcome = await self._post(url, headers, body)
        return Outcome(
            status=outcome.status, error=outcome.error, excerpt=outcome.excerpt, wait=outcome.wait, abort=outcome.abort,
            latency_ms=(time.perf_counter() - started) * 1_000,
        )  # fmt: skip

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        assert self._session is not None, "use the postman inside `async with`"
        try:
            refused = await self._refusal(url)
            if refused is not None:
                return Outcome(error=refused)
            async with self._session.post(
                url, data=body, headers=_HEADERS | dict(headers), allow_redirects=False
            ) as answer:
                excerpt = await _excerpt(answer)
                return Outcome(
                    status=answer.status,
                    excerpt=excerpt,
                    wait=_wait(answer.status, answer.headers),
                    abort=answer.headers.get("webhook-delivery", "").strip().lower() == _ABORT,
                )
        except aiohttp.ConnectionTimeoutError:
            return Outcome(error=f"No connection came about within {CONNECT_S:g} seconds.")
        except TimeoutError:
            return Outcome(error=f"No answer came within {self._total_s:g} seconds.")
        except aiohttp.ClientConnectorError as away:
            if isinstance(away.os_error, AddressRefused):
                return Outcome(error=str(away.os_error))
            return Outcome(error=f"No connection: {clean(away.os_error.strerror or type(away.os_error).__name__)}.")
        except (aiohttp.ClientError, OSError, ValueError) as wrong:
            return Outcome(error=f"The connection broke before an answer came ({type(wrong).__name__}).")

    async def _refusal(self, url: str) -> str | None:
        """Why this URL is not called, if so. Asked again every 30 seconds; the connector judges each connection
        besides."""
        now = time.monotonic()
        known = self._judged.get(url)
        if known is not None and known[0] > now:
            return known[1]
        why = None
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._guard.check(url)
        except AddressRefused as refused:
            why = clean(str(refused))
        except (OSError, UnicodeError):
            return "The receiver's name cannot be resolved."
        if len(self._judged) > 10_000:
            self._judged.clear()
        self._judged[url] = (now + _JUDGED_FOR_S, why)
        return why


_HEADERS = {"content-type": "application/json", "user-agent": "webcare-webhooks/1", "accept-encoding": "identity"}


def clean(text: str) -> str:
    """Text that Postgres can keep."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "�")


async def _excerpt(answer: aiohttp.ClientResponse) -> str | None:
    """The beginning of the answer. The status has been said already, so a body that does not end changes nothing; it
    only costs its connection."""
    read = bytearray()
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(BODY_S):
            async for chunk in answer.content.iter_any():
                read += chunk
                if len(read) > MOST_READ:
                    break
    if not answer.content.at_eof():
        answer.close()
    if not read or answer.headers.get("content-encoding", "identity") != "identity":
        return None
    return clean(bytes(read[: EXCERPT * 4]).decode("utf-8", "replace"))[:EXCERPT]


def _wait(status: int, headers: Mapping[str, str]) -> timedelta | None:
    said = headers.get("retry-after", "")
    if 200 <= status < 300 or not said or not said.isascii():
        return None
    return retry_after(Answer(status, httpx.Headers({"retry-after": said}), b"", ""))
