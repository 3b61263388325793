"""Plays the story of the demo brand: each mention at its moment, once, and on from where it was after a stop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from services.local.demo import content
from shared.kit import clock, logging

MOST_AT_ONCE = 100
TRIES = 20
LONGEST_REST_S = 30.0

Post = Callable[[list[dict[str, Any]]], Awaitable[object]]
"""Takes a batch of IncomingMentions, each with the name of its `channel`. It must be idempotent by `external_id`."""

_log = logging.get(__name__)


def schedule(started_at: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Each mention of a story that began at `started_at` (aware), as an IncomingMention, with the moment it is due.

    History from before is due at the start and keeps its own, earlier `published_at`; whatever happens in the story is due
    when it is published. Pure: the same start gives the same mentions. The story is played once and then is over.
    """
    for told in content.mentions():
        mention = dict(told)
        published_at = started_at + timedelta(seconds=mention.pop("offset_s"))
        mention["published_at"] = clock.iso(published_at)
        if author := mention.get("author"):
            mention["author"] = _as_of(published_at, author)
        yield max(published_at, started_at), mention


async def play(
    post: Post,
    started_at: datetime,
    *,
    now: Callable[[], datetime] = clock.now,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> int:
    """Posts what is due, in order and in batches, until the story is over; returns how many were posted.

    After a stop, call it again with the same `started_at`: what was due meanwhile is posted at once, and what had been
    posted is posted again, which changes nothing because ids stay the same. A batch that fails is tried again, longer and
    longer apart; after `TRIES` failures in a row the last error is raised.
    """
    waiting = deque(schedule(started_at))
    posted = 0
    while waiting:
        batch: list[dict[str, Any]] = []
        while waiting and waiting[0][0] <= now() and len(batch) < MOST_AT_ONCE:
            batch.append(waiting.popleft()[1])
        if batch:
            await _insist(post, batch, sleep)
            posted += len(batch)
        else:
            await sleep(min(max((waiting[0][0] - now()).total_seconds(), 0.0), LONGEST_REST_S))
    return posted


async def _insist(post: Post, batch: list[dict[str, Any]], sleep: Callable[[float], Awaitable[object]]) -> None:
    for failures in range(1, TRIES + 1):
        try:
            await post(batch)
        except Exception as error:
            if failures == TRIES:
                raise
            rest = min(2.0**failures / 2, LONGEST_REST_S)
            _log.warning("demo.batch_failed", error=str(error), failures=failures, again_in_s=rest)
            await sleep(rest)
        else:
            return


def _as_of(published_at: datetime, author: dict[str, Any]) -> dict[str, Any]:
    known = dict(author)
    age = known.pop("account_age_days", None)
    if age is not None:
        # an account is there before its first post, also on the day it was made
        known["account_created_at"] = clock.iso(published_at - timedelta(days=age, minutes=10))
    return known
