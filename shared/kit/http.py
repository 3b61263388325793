"""Calling other people's servers: one client, behind which the library may change.

Every connection goes to an address that was judged first (`shared/kit/addresses.py`), every call ends at its deadline,
no answer is read beyond its limit, and an error says the one thing a caller must know: may the request have arrived?
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, cast

import httpx
import orjson

from shared.kit import clock
from shared.kit.addresses import FEEDS, AddressGuard, AddressRefused, Network, Resolver, read_host, read_url
from shared.kit.connections import GuardedTransport
from shared.kit.http_errors import AnswerLost, AnswerTooLarge, HttpError, NotSent
from shared.kit.http_streams import LongAnswer, ServerEvent, open_long_answer
from shared.kit.web_socket import HandshakeRefused, WebSocket, open_web_socket

__all__ = [
    "AddressGuard",
    "AddressRefused",
    "Answer",
    "AnswerLost",
    "AnswerTooLarge",
    "HandshakeRefused",
    "Hop",
    "HttpClient",
    "HttpError",
    "LongAnswer",
    "NotSent",
    "ServerEvent",
    "WebSocket",
    "retry_after",
]

DEADLINE_S = 15.0
CONNECT_S = 5.0
IDLE_S = 90.0
MAX_BYTES = 1_000_000
LONGEST_WAIT = timedelta(hours=24)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect that was followed: its status, and the URL it led to."""

    status: int
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. `url` is where it came from in the end; `headers` know no case."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    hops: tuple[Hop, ...] = ()

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is not."""
        return orjson.loads(self.body)


def retry_after(answer: Answer) -> timedelta | None:
    """How long the other side asks us to wait: its Retry-After (seconds or a date), 0 to 24 hours; None if unsaid."""
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        wait = timedelta(seconds=float(said))
    except (ValueError, OverflowError):
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - clock.now()
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


class HttpClient:
    """An HTTP/1.1 client for addresses that others gave us. Make one per process, `await close()` it at the end.

    `allowed` are networks that may be reached although they are not public. It follows no redirect unless asked, reads
    no proxy settings from the environment, keeps no cookies and retries nothing.
    """

    def __init__(
        self,
        allowed: Iterable[Network | str] = (),
        *,
        user_agent: str = "webcare",
        guard: AddressGuard | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if guard is None:
            guard = AddressGuard(allowed, rules=FEEDS, **({} if resolver is None else {"resolver": resolver}))
        self._guard = guard
        self._user_agent = user_agent
        self._ssl_context = ssl_context
        self._transport = transport or GuardedTransport(guard, ssl_context)
        self._first: Callable[[], Awaitable[None]] | None = None

    def through(self, transport: httpx.AsyncBaseTransport) -> "HttpClient":
        """The same client over another transport, such as one that plays a venue."""
        return self._but(_transport=transport)

    def after(self, first: Callable[[], Awaitable[None]]) -> "HttpClient":
        """The same client, which awaits `first` before each call, such as a place in a line."""
        return self._but(_first=first)

    async def close(self) -> None:
        """Closes the connections that are kept."""
        await self._transport.aclose()

    async def address(self, host: str, port: int, *, usual: Collection[int] = ()) -> str:
        """The judged IP address to connect to for `host`, by a protocol other than HTTP. `usual` are the protocol's ports:
        no other is called outside the allowed networks. Raises AddressRefused; OSError where the name has no address."""
        name = read_host(host)
        address = (await self._guard.addresses(name, 443))[0]  # the web's own port: what is judged here is the address
        if port not in usual and not self._guard.is_allowed(ip_address(address)):
            ports = " or ".join(str(one) for one in sorted(usual)) or "a port of the web"
            raise AddressRefused(f"{name} is to be called on port {port}. Use {ports}.")
        return address

    async def get(self, url: str, **options: Any) -> Answer:
        """`request` with GET."""
        return await self.request("GET", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        auth: tuple[str, str] | None = None,
        redirects: int = 0,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_BYTES,
    ) -> Answer:
        """One call, ended after `deadline_s` seconds in all; the unpacked body has at most `max_bytes`.

        `redirects` is how many may be followed (GET and HEAD only); each is judged like the first address, and
        credentials stay with the origin they were given for. Raises AddressRefused, NotSent, AnswerLost.
        """
        await self._turn()
        sent_headers = dict(headers or {})
        if json is not None:
            content = orjson.dumps(json)
            sent_headers.setdefault("Content-Type", "application/json")
        call = _Call(self._transport, method.upper(), sent_headers, content, auth, max_bytes, self._user_agent)
        try:
            async with asyncio.timeout(deadline_s):
                return await call.run(_with_params(url, params), redirects)
        except TimeoutError as late:
            problem = AnswerLost if call.sent else NotSent
            raise problem(f"{call.host} gave no answer within {deadline_s:g} seconds.") from late

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        deadline_s: float = DEADLINE_S,
        idle_s: float = IDLE_S,
    ) -> AsyncIterator[LongAnswer]:
        """A call whose answer goes on and on: `async with http.stream("GET", url) as answer: async for line in answer.lines()`.

        The answer has to begin within `deadline_s` seconds and may then be silent for `idle_s`; ask its `status` (or
        `expect_read(answer.head, …)`) before reading it. Redirects are not followed. Raises AddressRefused, NotSent,
        AnswerLost; reading it raises AnswerLost where it is cut or silent, AnswerTooLarge.
        """
        host = read_url(url).host
        await self._turn()
        request = httpx.Request(
            method.upper(),
            _with_params(url, params),
            headers={"User-Agent": self._user_agent, "Accept": "*/*", **(headers or {}), "Accept-Encoding": "identity"},
            content=content,
            extensions={"timeout": {"connect": CONNECT_S, "pool": CONNECT_S, "read": None, "write": None}},
        )
        async with open_long_answer(self._transport, request, host, deadline_s, idle_s) as answer:
            yield answer

    @asynccontextmanager
    async def web_socket(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: Iterable[str] = (),
        deadline_s: float = DEADLINE_S,
        idle_s: float = IDLE_S,
        max_bytes: int = MAX_BYTES,
    ) -> AsyncIterator[WebSocket]:
        """A WebSocket (`ws://`, `wss://`), open within `deadline_s` seconds. It is pinged; a message has at most `max_bytes`,
        unpacked, and silence longer than `idle_s` ends it. Raises AddressRefused, HandshakeRefused, NotSent; reading raises
        AnswerLost where it is cut or silent, AnswerTooLarge."""
        await self._turn()
        async with open_web_socket(
            self._guard, url, headers={"User-Agent": self._user_agent, **(headers or {})}, subprotocols=list(subprotocols),
            ssl_context=self._ssl_context, deadline_s=deadline_s, idle_s=idle_s, max_bytes=max_bytes,
        ) as socket:  # fmt: skip
            yield socket

    def _but(self, **changes: Any) -> "HttpClient":
        other = copy(self)
        vars(other).update(changes)
        return other

    async def _turn(self) -> None:
        if self._first is not None:
            await self._first()


class _Call:
    """One call on its way, over its redirects."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        method: str,
        headers: dict[str, str],
        content: bytes | None,
        auth: tuple[str, str] | None,
        max_bytes: int,
        user_agent: str,
    ) -> None:
        self.sent = False
        self.host = "The server"
        self._transport = transport
        self._method = method
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "*/*",
            **headers,
            "Accept-Encoding": "gzip",  # the one coding that is unpacked here, under a limit
        }
        self._content = content
        self._auth = auth
        self._max_bytes = max_bytes

    async def run(self, url: httpx.URL, redirects: int) -> Answer:
        """The answer at the end of at most `redirects` hops."""
        hops: list[Hop] = []
        origin = _origin(url)
        while True:
            answer = await self._once(url, trusted=_origin(url) == origin)
            location = answer.headers.get("location")
            may_follow = redirects > 0 and self._method in ("GET", "HEAD")
            if answer.status not in _REDIRECTS or not location or not may_follow:
                return Answer(answer.status, answer.headers, answer.body, str(url), tuple(hops))
            if len(hops) == redirects:
                raise AnswerLost(f"{self.host} redirects more than {redirects} times.")
            try:
                url = url.join(location).copy_with(fragment=None)
            except (httpx.InvalidURL, ValueError) as wrong:
                raise AnswerLost(f"{self.host} redirects to something that is no address.") from wrong
            hops.append(Hop(answer.status, str(url)))

    async def _once(self, url: httpx.URL, *, trusted: bool) -> Answer:
        self.host = read_url(str(url)).host
        headers = {
            name: value
            for name, value in self._headers.items()
            if trusted or name.lower() not in ("authorization", "cookie")
        }
        try:
            request = httpx.Request(
                self._method, url, headers=headers, content=self._content, extensions=self._extensions()
            )
            if self._auth is not None and trusted:
                request = next(httpx.BasicAuth(*self._auth).auth_flow(request))
            response = await self._transport.handle_async_request(request)
            try:
                body = await self._read(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as failed:
            raise NotSent(f"{self.host} cannot be reached: {_said(failed)}.") from failed
        except (httpx.LocalProtocolError, httpx.InvalidURL) as failed:
            raise NotSent(f"{self.host} cannot be called that way: {failed}.") from failed
        except httpx.TimeoutException as late:
            raise AnswerLost(f"{self.host} gave no answer in time.") from late
        except httpx.HTTPError as failed:
            raise AnswerLost(f"{self.host} broke off: {_said(failed)}.") from failed
        return Answer(response.status_code, response.headers, body, str(url))

    def _extensions(self) -> dict[str, Any]:
        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event.endswith("send_request_headers.started"):
                self.sent = True

        # the call has a deadline of its own; connecting is cut shorter, to tell a dead host from a slow one
        return {"trace": trace, "timeout": {"connect": CONNECT_S, "pool": CONNECT_S, "read": None, "write": None}}

    async def _read(self, response: httpx.Response) -> bytes:
        self.sent = True
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise AnswerLost(f"{self.host} answers in {coding}, which was not asked for.")
        unpack = None if coding in ("", "identity") else zlib.decompressobj(wbits=47)
        body = bytearray()
        try:
            async for chunk in cast(httpx.AsyncByteStream, response.stream):  # as received: not unpacked by httpx
                room = self._max_bytes - len(body) + 1
                body += chunk if unpack is None else unpack.decompress(chunk, room)
                if len(body) > self._max_bytes:
                    raise AnswerTooLarge(f"{self.host} answers with more than {self._max_bytes:,} bytes.")
        except zlib.error as wrong:
            raise AnswerLost(f"{self.host} sent a packed answer that cannot be unpacked.") from wrong
        if unpack is not None and body and not unpack.eof:
            raise AnswerLost(f"{self.host} broke off in the middle of its answer.")
        return bytes(body)


def _with_params(url: str, params: Mapping[str, str] | None) -> httpx.URL:
    read_url(url)
    try:
        whole = httpx.URL(url)
        return whole.copy_merge_params(params) if params else whole
    except (httpx.InvalidURL, ValueError) as wrong:
        raise AddressRefused(f"The URL cannot be read: {wrong}.") from wrong


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _said(failed: Exception) -> str:
    return str(failed) or type(failed).__name__
