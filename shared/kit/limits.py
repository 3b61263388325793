"""How much a caller may ask: requests a minute (a token bucket a key) and bytes a body, counted unpacked."""

import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from shared.kit.errors import Malformed, TooLarge, WebcareError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WINDOW_S = 60
MOST_BUCKETS = 50_000


class UnsupportedMedia(WebcareError):
    """The body is in a form that is not read here."""

    status = 415
    code = "unsupported_media_type"
    title = "This kind of body is not read here"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit: `remaining` now, all of it again in `reset_s` seconds."""

    quota: int
    remaining: int
    reset_s: int
    granted: bool
    retry_after: float = 0.0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit, as the IETF draft writes them."""
        return [
            (b"ratelimit-policy", b'"default";q=%d;w=%d' % (self.quota, WINDOW_S)),
            (b"ratelimit", b'"default";r=%d;t=%d' % (self.remaining, self.reset_s)),
        ]


class Buckets:
    """A token bucket for each caller, in this process: `quota` at once, refilled over a minute.

    Several processes each count for themselves; the limit protects a process, it is not a bill.
    """

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self._rate = quota / WINDOW_S
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, caller: Hashable) -> Allowance:
        """Takes one token of the caller's bucket, if there is one."""
        at = time.monotonic()
        tokens = self._tokens(caller, at)
        granted = tokens >= 1
        if granted:
            tokens -= 1
        self._buckets[caller] = (tokens, at)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return Allowance(
            self.quota, int(tokens), ceil((self.quota - tokens) / self._rate), granted,
            0.0 if granted else (1 - tokens) / self._rate,
        )  # fmt: skip

    def left(self, caller: Hashable) -> bool:
        """Whether the caller's bucket holds a token; takes none."""
        return self._tokens(caller, time.monotonic()) >= 1

    def _tokens(self, caller: Hashable, at: float) -> float:
        tokens, since = self._buckets.get(caller, (float(self.quota), at))
        return min(float(self.quota), tokens + (at - since) * self._rate)


class BodyLimit:
    """Ends the reading of a body that is larger than `limit` bytes, as sent and as unpacked; unpacks gzip."""

    def __init__(self, app: App, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call. Raises TooLarge or UnsupportedMedia into the app, which answers with a problem."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        encoding = b""
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self.limit):
                raise _too_large(self.limit)
            if name == b"content-encoding":
                encoding = value.strip().lower()
        if encoding not in (b"", b"identity", b"gzip"):
            raise UnsupportedMedia("Send the body as it is, or with Content-Encoding: gzip.")
        if encoding == b"gzip":
            scope["headers"] = [
                (name, value)
                for name, value in scope["headers"]
                if name not in (b"content-encoding", b"content-length")
            ]
        reader = _Reader(receive, self, zlib.decompressobj(wbits=31) if encoding == b"gzip" else None)
        await self.app(scope, reader, send)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A body may have {limit:,} bytes, unpacked. Send less at once.")


class _Reader:
    """`receive` with a count."""

    def __init__(self, receive: Receive, limit: BodyLimit, unpacker: Any) -> None:
        self._receive = receive
        self._limit = limit
        self._unpacker = unpacker
        self._read = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = message.get("body", b"")
        if self._unpacker is not None:
            body = self._unpacked(body, last=not message.get("more_body", False))
            message = {**message, "body": body}
        self._read += len(body)
        if self._read > self._limit.limit:
            raise _too_large(self._limit.limit)
        return message

    def _unpacked(self, body: bytes, *, last: bool) -> bytes:
        try:
            unpacked: bytes = self._unpacker.decompress(body, self._limit.limit - self._read + 1)
        except zlib.error as wrong:
            raise Malformed("The body says it is gzip and is not.") from wrong
        if self._unpacker.unconsumed_tail:
            raise _too_large(self._limit.limit)
        if last and not self._unpacker.eof:
            raise Malformed("The gzip body ends in the middle.")
        return unpacked
