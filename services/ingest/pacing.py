"""How fast we call a network: a token bucket for each credential of each channel type, in this process.

A channel is handed a client that keeps its pace: a short wait is waited out, a longer one is told as TryLater. Several
processes each count for themselves; what the network itself says (Retry-After) stands above it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b

import orjson

from services.ingest.channel import HttpClient, Pace, TryLater

SHORT_S = 2.0
MOST_CREDENTIALS = 10_000


class Bucket:
    """The calls that a credential has left. Who has to wait takes its call in advance, so that waiters stand in a line."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._rate = pace.calls / pace.per_s
        self._left, self._at = float(pace.calls), time.monotonic()

    async def take(self) -> None:
        """Takes one call; waits up to SHORT_S seconds for it. Raises TryLater where it takes longer."""
        now = time.monotonic()
        self._left = min(float(self.pace.calls), self._left + (now - self._at) * self._rate)
        self._at = now
        wait = max(0.0, (1 - self._left) / self._rate)
        if wait > SHORT_S:
            raise TryLater(
                f"This credential may make {self.pace.calls} calls in {self.pace.per_s:g} seconds and has made them.",
                timedelta(seconds=wait),
            )
        self._left -= 1
        if wait:
            await asyncio.sleep(wait)


class Pacer:
    """The buckets of a process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, bytes], Bucket] = OrderedDict()

    def client(self, http: HttpClient, type_: str, secrets: Mapping[str, str], pace: Pace | None) -> HttpClient:
        """`http` at the pace of this type's credential; as it is where none is known. Channels without secrets share one."""
        if pace is None:
            return http
        key = type_, blake2b(orjson.dumps(dict(secrets), option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
        bucket = self._buckets.get(key)
        if bucket is None or bucket.pace != pace:
            bucket = self._buckets[key] = Bucket(pace)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST_CREDENTIALS:
            self._buckets.popitem(last=False)
        return http.after(bucket.take)
