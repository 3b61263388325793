"""Answers that go on and on: their bytes, their lines (NDJSON) and their events (server-sent events), as they come.

Silence ends them, because a connection that died says nothing either; no line is read beyond its limit.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httpx

from shared.kit.addresses import AddressRefused
from shared.kit.http_errors import AnswerLost, AnswerTooLarge, NotSent

if TYPE_CHECKING:
    from shared.kit.http import Answer

LONGEST_LINE = 1_000_000
CLOSE_S = 2.0
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event. `id` is the last that the server gave, to be sent back as Last-Event-ID; `retry_ms` its wish."""

    data: str
    event: str = "message"
    id: str = ""
    retry_ms: int | None = None


class LongAnswer:
    """An answer that is still coming. `status` and `headers` are there; the rest is read once, by one of its iterators."""

    def __init__(self, response: httpx.Response, host: str, url: str, idle_s: float) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.url = url
        self.host = host
        self._idle_s = idle_s
        self._response = response

    @property
    def head(self) -> "Answer":
        """The answer without its body, for who judges a status."""
        from shared.kit.http import Answer  # that module offers this one to callers

        return Answer(self.status, self.headers, b"", self.url)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes as they come, until the server ends it. Raises AnswerLost where it is cut off or falls silent."""
        stream = aiter(cast(httpx.AsyncByteStream, self._response.stream))
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as silent:
                raise AnswerLost(f"{self.host} said nothing for {self._idle_s:g} seconds.") from silent
            except httpx.HTTPError as failed:
                raise AnswerLost(f"{self.host} broke off: {str(failed) or type(failed).__name__}.") from failed
            yield chunk

    async def lines(self, longest: int = LONGEST_LINE) -> AsyncIterator[bytes]:
        """Its lines without their ends, such as NDJSON; empty ones, by which servers show that they live, are left out. What
        stands after the last line end was cut off and is dropped. Raises AnswerTooLarge past `longest` bytes."""
        kept = bytearray()
        async for chunk in self.chunks():
            kept += chunk
            *whole, rest = kept.split(b"\n")
            if len(rest) > longest or any(len(line) > longest for line in whole):
                raise AnswerTooLarge(f"{self.host} sends a line of more than {longest:,} bytes.")
            kept = rest
            for line in whole:
                if line := line.strip(b"\r"):
                    yield bytes(line)

    async def events(self, longest: int = LONGEST_LINE) -> AsyncIterator[ServerEvent]:
        """Its server-sent events, as the HTML standard reads them; comments keep the connection alive and are left out. An event
        that was not finished is dropped. Raises AnswerTooLarge past `longest` bytes in an event."""
        parser = _EventParser(longest, self.host)
        async for chunk in self.chunks():
            for event in parser.feed(chunk):
                yield event


class _EventParser:
    """Puts server-sent events together from the pieces in which they come."""

    def __init__(self, longest: int, host: str) -> None:
        self._longest, self._host = longest, host
        self._buffer = b""
        self._begun = False
        self._data: list[str] = []
        self._size = 0
        self._event = self._id = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that `chunk` completes."""
        self._buffer += chunk
        if not self._begun:
            if len(self._buffer) < 3 and b"\xef\xbb\xbf".startswith(self._buffer):
                return []
            self._buffer, self._begun = self._buffer.removeprefix(b"\xef\xbb\xbf"), True
        # a CR at the very end may be half of a CRLF: it waits for what comes
        held = b"\r" if self._buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(self._buffer.removesuffix(held) if held else self._buffer)
        self._buffer = rest + held
        if len(self._buffer) > self._longest:
            raise AnswerTooLarge(f"{self._host} sends an event of more than {self._longest:,} bytes.")
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._size += len(line)
                if self._size > self._longest:
                    raise AnswerTooLarge(f"{self._host} sends an event of more than {self._longest:,} bytes.")
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self._retry = int(value)
        return None

    def _dispatch(self) -> ServerEvent | None:
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        return ServerEvent("\n".join(data), event or "message", self._id, self._retry) if data else None


@asynccontextmanager
async def open_long_answer(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, host: str, deadline_s: float, idle_s: float
) -> AsyncIterator[LongAnswer]:
    """Sends `request` and gives the answer once its head is there; closes the connection at the end, whatever was read."""
    try:
        async with asyncio.timeout(deadline_s):
            response = await transport.handle_async_request(request)
    except AddressRefused:
        raise
    except TimeoutError as late:
        raise AnswerLost(f"{host} gave no answer within {deadline_s:g} seconds.") from late
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as failed:
        raise NotSent(f"{host} cannot be reached: {str(failed) or type(failed).__name__}.") from failed
    except (httpx.LocalProtocolError, httpx.InvalidURL) as failed:
        raise NotSent(f"{host} cannot be called that way: {failed}.") from failed
    except httpx.HTTPError as failed:
        raise AnswerLost(f"{host} broke off: {str(failed) or type(failed).__name__}.") from failed
    try:
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise AnswerLost(f"{host} answers packed, which was not asked for.")
        yield LongAnswer(response, host, str(request.url), idle_s)
    finally:
        # closing may wait for the other side; we do not
        async with _at_most(CLOSE_S):
            await response.aclose()


@asynccontextmanager
async def _at_most(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        pass
