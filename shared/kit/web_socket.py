"""WebSockets to other people's servers: opened to an address that was judged first, pinged, bounded, ended by silence."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, InvalidStatus, InvalidURI

from shared.kit.addresses import AddressGuard, AddressRefused, Target, read_url
from shared.kit.connections import public_certificates
from shared.kit.http_errors import AnswerLost, AnswerTooLarge, NotSent

if TYPE_CHECKING:
    from shared.kit.http import Answer

PING_S = 20.0
CLOSE_S = 2.0
CONNECT_S = 5.0
_TOO_BIG = 1009  # the close code of RFC 6455 for a message larger than its receiver takes


class HandshakeRefused(NotSent):
    """The server answered something else than the beginning of a WebSocket; `answer` says what."""

    def __init__(self, message: str, answer: "Answer") -> None:
        super().__init__(message)
        self.answer = answer


class WebSocket:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection, host: str, idle_s: float) -> None:
        self.host = host
        self._connection = connection
        self._idle_s = idle_s

    async def send(self, message: str | bytes) -> None:
        """Sends a text, or bytes. Raises AnswerLost where the other side is gone."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise AnswerLost(f"{self.host} broke off: {closed}.") from closed

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Messages as they come, until the server says goodbye. Raises AnswerLost where it is cut off or falls silent,
        AnswerTooLarge."""
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._connection.recv()
            except TimeoutError as silent:
                raise AnswerLost(f"{self.host} said nothing for {self._idle_s:g} seconds.") from silent
            except ConnectionClosedOK:
                return
            except ConnectionClosed as closed:
                if closed.sent is not None and closed.sent.code == _TOO_BIG:
                    raise AnswerTooLarge(f"{self.host} sends a message that is too large.") from closed
                raise AnswerLost(f"{self.host} broke off: {closed}.") from closed
            yield message


@asynccontextmanager
async def open_web_socket(
    guard: AddressGuard,
    url: str,
    *,
    headers: Mapping[str, str],
    subprotocols: Sequence[str],
    ssl_context: ssl.SSLContext | None,
    deadline_s: float,
    idle_s: float,
    max_bytes: int,
) -> AsyncIterator[WebSocket]:
    """A WebSocket, closed at the end. No redirect is followed, no proxy read from the environment."""
    target = _target(url)
    told = dict(headers)
    agent = told.pop("User-Agent", None)
    secure: dict[str, Any] = {}
    if target.scheme == "https":
        context = ssl_context or public_certificates()
        secure = {"ssl": context, "server_hostname": target.host}
    connection: ClientConnection | None = None
    try:
        async with asyncio.timeout(deadline_s):
            sock = await _connected(guard, target)
            connection = await connect(
                url, sock=sock, proxy=None, compression=None, additional_headers=told, user_agent_header=agent,
                subprotocols=subprotocols or None, open_timeout=None, ping_interval=PING_S, ping_timeout=PING_S,  # type: ignore[arg-type]
                close_timeout=CLOSE_S, max_size=max_bytes, **secure,
            )  # fmt: skip
    except AddressRefused:
        raise
    except InvalidStatus as refused:
        raise HandshakeRefused(
            f"{target.host} answers {refused.response.status_code} and opens no WebSocket.", _answer(refused, url)
        ) from refused
    except TimeoutError as late:
        raise NotSent(f"{target.host} opened no WebSocket within {deadline_s:g} seconds.") from late
    except (OSError, InvalidHandshake, InvalidURI, EOFError, ValueError) as failed:
        raise NotSent(f"{target.host} opens no WebSocket: {str(failed) or type(failed).__name__}.") from failed
    try:
        yield WebSocket(connection, target.host, idle_s)
    finally:
        with contextlib.suppress(TimeoutError, OSError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_S * 2):
                await connection.close()


def _target(url: str) -> Target:
    scheme, colon, rest = url.partition(":")
    as_web = {"ws": "http", "wss": "https"}.get(scheme.lower())
    if as_web is None or not colon:
        raise AddressRefused("The URL of a WebSocket begins with ws:// or wss://.")
    return read_url(f"{as_web}:{rest}")


async def _connected(guard: AddressGuard, target: Target) -> socket.socket:
    """A socket to one of the very addresses that were judged."""
    try:
        addresses = await guard.addresses(target.host, target.port, scheme=target.scheme)
    except AddressRefused:
        raise
    except OSError as unknown:
        raise NotSent(f"The name {target.host} cannot be resolved.") from unknown
    last: OSError | None = None
    for address in addresses:
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_S / len(addresses)):
                await asyncio.get_running_loop().sock_connect(opened, (address, target.port))
        except (OSError, TimeoutError) as failed:
            opened.close()
            last = failed
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise NotSent(f"{target.host} cannot be reached: {last or 'no answer in time'}.") from last


def _answer(refused: InvalidStatus, url: str) -> "Answer":
    from shared.kit.http import Answer  # that module offers what stands here to callers

    response = refused.response
    return Answer(
        response.status_code, httpx.Headers(list(response.headers.raw_items())), bytes(response.body or b""), url
    )
