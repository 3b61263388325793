"""How fast we call a network: a token bucket for each credential of each channel type, which all processes share.

The bucket stands in Valkey, as one moment: the virtual time by which all calls taken so far are paid for (GCRA). Each process
keeps one of its own beside it, which alone counts while Valkey is away. A channel is handed a client that keeps the pace: a short
wait is waited out, a longer one is told as TryLater. What the network itself says (Retry-After) stands above it.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.ingest.channel import HttpClient, Pace, TryLater
from shared.kit import logging
from shared.kit.settings import Settings

log = logging.get(__name__)

SHORT_S = 2.0
MOST_CREDENTIALS = 10_000
ANSWERS_IN_S = 0.5
AWAY_S = 2.0
"""How long Valkey is left alone after it did not answer."""


def paid_by(paid: float, now: float, pace: Pace, short: float = SHORT_S) -> tuple[float, float]:
    """Takes a call at `now` from a bucket whose calls are `paid` for by then (seconds; any time past: it is full). Returns by when
    they are paid for with this one, and how long it has to wait; a wait longer than `short` takes nothing."""
    paid = max(paid, now)
    wait = max(0.0, paid + pace.per_s / pace.calls - pace.per_s - now)
    return (paid if wait > short else paid + pace.per_s / pace.calls), wait


# The same in Valkey, by its clock and in whole microseconds, rounded so that it is never faster. The key ends when the bucket is
# full again, which is what a key that is not there means.
_TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local each, all, short = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = math.max(0, paid + each - all - now)
if wait <= short then
    paid = paid + each
    redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.ceil((paid - now) / 1000))
end
return math.ceil(wait)
"""


class Bucket:
    """The calls that a credential has left in this process. Who has to wait takes its call in advance, so that waiters stand in a
    line."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._paid = -math.inf

    def take(self) -> float:
        """Takes one call; how long it has to wait, in seconds. What is longer than SHORT_S took nothing."""
        self._paid, wait = paid_by(self._paid, time.monotonic(), self.pace)
        return wait

    def give_back(self) -> None:
        """Puts a call back that was taken and not made."""
        self._paid -= self.pace.per_s / self.pace.calls


class Pacer:
    """The buckets of a process, and, where it knows a Valkey, those that it shares with the other processes. `key` hides the
    credentials whose buckets they are."""

    def __init__(self, valkey_url: str = "", key: str = "") -> None:
        self._buckets: OrderedDict[tuple[str, bytes], Bucket] = OrderedDict()
        self._key = blake2b(key.encode()).digest() if key else b""
        self._valkey: Redis | None = None
        if valkey_url:
            self._valkey = Redis.from_url(
                valkey_url,
                socket_timeout=ANSWERS_IN_S,
                socket_connect_timeout=ANSWERS_IN_S,
                retry=Retry(NoBackoff(), 0),
            )
        self._away_until = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "Pacer":
        """One that keeps the pace together with all processes of the installation."""
        return cls(settings.valkey_url, settings.secret_key.get_secret_value())

    async def close(self) -> None:
        """Closes the connections to Valkey."""
        if self._valkey is not None:
            await self._valkey.aclose()

    def client(self, http: HttpClient, type_: str, secrets: Mapping[str, str], pace: Pace | None) -> HttpClient:
        """`http` at the pace of this type's credential; as it is where none is known. Channels without secrets share one."""
        if pace is None:
            return http
        said = orjson.dumps(dict(secrets), option=orjson.OPT_SORT_KEYS)
        key = type_, blake2b(said, digest_size=16, key=self._key).digest()
        bucket = self._buckets.get(key)
        if bucket is None or bucket.pace != pace:
            bucket = self._buckets[key] = Bucket(pace)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST_CREDENTIALS:
            self._buckets.popitem(last=False)
        return http.after(partial(self._take, bucket, f"webcare:pace:{type_}:{key[1].hex()}"))

    async def _take(self, bucket: Bucket, key: str) -> None:
        """Takes one call; waits up to SHORT_S seconds for it. Raises TryLater where it takes longer."""
        wait = bucket.take()
        if wait <= SHORT_S:
            together = await self._take_together(key, bucket.pace)
            if together > SHORT_S:
                bucket.give_back()
            wait = max(wait, together)
        if wait > SHORT_S:
            raise TryLater(
                f"This credential may make {bucket.pace.calls} calls in {bucket.pace.per_s:g} seconds and has made them.",
                timedelta(seconds=wait),
            )
        if wait:
            await asyncio.sleep(wait)

    async def _take_together(self, key: str, pace: Pace) -> float:
        """The same from the bucket that all processes share, in one round trip; no wait while Valkey is away."""
        if self._valkey is None or time.monotonic() < self._away_until:
            return 0.0
        each, all_ = math.ceil(pace.per_s * 1e6 / pace.calls), math.ceil(pace.per_s * 1e6)
        try:
            async with asyncio.timeout(ANSWERS_IN_S):
                asked = cast(Any, self._valkey.eval(_TAKE, 1, key, str(each), str(all_), str(int(SHORT_S * 1e6))))
                return float(await asked) / 1e6
        except (RedisError, OSError, TimeoutError) as away:
            log.warning("valkey is away, this process keeps the pace by itself", error=type(away).__name__)
            self._away_until = time.monotonic() + AWAY_S
            return 0.0
