"""Channels whose network tells by itself: a connection each, every page committed with its cursor as a poll's is.

A channel belongs to one process by its lease, which is renewed for as long as the stream runs. What ends (cut, silent, refused)
gives the channel back with a pause that grows and is drawn by lot, so that a network that comes back is not met by all at once.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.ingest import pages
from services.ingest.channel import (
    AskForNewCredential,
    BudgetSpent,
    ChannelBroken,
    ChannelError,
    ListensFor,
    Page,
    PagesByCursor,
    TryLater,
)
from services.ingest.channel_errors import A_WHILE
from services.ingest.listening import Told, what_is_wanted
from services.ingest.spending import within_budget
from shared.kit import clock, logging
from shared.kit.database import Database
from shared.kit.jobs import postgres_went
from shared.models.channel import Channel
from shared.store import channel as store
from shared.store.channel import Lease

log = logging.get(__name__)

AT_ONCE = 64
"""How many streams one process keeps open."""
LEASE_S = 120.0
RENEW_S = 30.0
SETTLE_S = 5.0
"""How long a stream that says nothing is waited for before what was published meanwhile is paged."""
PAGE_EVERY_S = 600.0
"""How often a channel that streams is paged too, unless its page says otherwise: for what its stream does not tell, or dropped."""
PATIENCE = 6
"""How often in a row a stream may end early before it is said that the channel fails."""
USUAL_PAUSE = timedelta(seconds=60)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
CLOSE_S = 5.0


@dataclass(slots=True)
class _Stream:
    """A stream that runs here. `ended` is set where it is to end; `behind` as long as paging has to catch up with it; `began` is
    the cursor with which it was opened."""

    lease: Lease
    channel: Channel
    network: Any
    behind: bool
    cursor: Mapping[str, Any] | None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    listening: bool = False
    said: bool = False
    began: Mapping[str, Any] = field(default_factory=dict)
    poll_after: timedelta | None = None
    told: Told | None = None


class _NothingToHear(TryLater):
    """The stream ended before it said anything: a channel that can be paged is paged until it is tried again."""


class Streaming:
    """The streams of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._going: dict[UUID, tuple[_Stream, asyncio.Task[None]]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._going)

    def take(self, lease: Lease, channel: Channel, network: Any) -> bool:
        """Streams a leased channel from now on; its lease is ours. False where there is no room."""
        if self._closed or len(self._going) >= AT_ONCE or channel.id in self._going:
            return False
        stream = _Stream(lease, channel, network, isinstance(network, PagesByCursor), channel.cursor)
        task = asyncio.create_task(self._run(stream), name=f"stream {channel.id}")
        self._going[channel.id] = stream, task
        task.add_done_callback(lambda _: self._going.pop(channel.id, None))
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Waits for `stop` and ends all streams."""
        await stop.wait()
        await self.close()

    async def close(self) -> None:
        """Ends all streams: what they are committing is committed, and their channels are free at once."""
        self._closed = True
        going = list(self._going.values())
        for stream, _ in going:
            stream.ended.set()
        if going:
            _, late = await asyncio.wait([task for _, task in going], timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, stream: _Stream) -> None:
        keeper = asyncio.create_task(self._keep(stream))
        failed: ChannelError | None = None
        try:
            await self._listen(stream)
        except ChannelError as said:
            failed = said
        except Exception as wrong:  # of ours: Postgres went, or a mistake
            if not postgres_went(wrong):
                log.exception("a stream went wrong", channel_id=str(stream.channel.id), type=stream.channel.type)
            failed = TryLater(f"Something went wrong on our side ({type(wrong).__name__}).")
        except asyncio.CancelledError:  # it did not end in time by itself; its channel is free all the same
            await self._give_back(stream, None)
            raise
        finally:
            keeper.cancel()
        await self._give_back(stream, failed)

    # ---------------------------------------------------------------- listening

    async def _listen(self, stream: _Stream) -> None:
        """Until the stream is to end. Raises ChannelError where it ends by itself."""
        channel, network = stream.channel, stream.network
        if gaps := pages.missed(channel, network):
            async with self._database.write(stream.lease.workspace_id) as session:
                await pages.note_gaps(session, channel, network, gaps)
        if stream.behind:
            await self._catch_up(stream)
        await self._tell_what_is_wanted(stream)
        stream.began, stream.listening = dict(stream.cursor or {}), True
        heard = network.stream(stream.cursor)
        waiting: asyncio.Task[Page | None] | None = None
        now = asyncio.get_running_loop().time
        page_at = now() + SETTLE_S if stream.behind else None
        try:
            while True:
                waiting = waiting or asyncio.create_task(_next(heard, channel))
                await self._wait(waiting, stream, None if page_at is None else max(page_at - now(), 0))
                if stream.ended.is_set():
                    return
                if waiting.done():
                    page, waiting = waiting.result(), None
                    await self._heard(stream, page)
                    page_at = now() if stream.behind else page_at
                if page_at is not None and now() >= page_at:
                    page_at = now() + await self._page_beside(stream)
        finally:
            if waiting is not None and not waiting.done():
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_S):
                    await heard.aclose()

    async def _heard(self, stream: _Stream, page: Page | None) -> None:
        """Stores what a stream told. What was published between the last page and the stream's beginning is paged once the stream
        runs; until then (`behind`) the cursor stays, so that a death in between loses nothing. Raises TryLater at its end."""
        if page is None and stream.behind and not stream.said:
            raise _NothingToHear("It is not told by a stream.")
        if page is None:
            raise TryLater("The network ended the stream.", timedelta(0))
        stream.said = True
        told = replace(page, cursor=_laid_over(stream.cursor, stream.began, page.cursor))
        await self._commit(stream, told, moves=not stream.behind)

    async def _page_beside(self, stream: _Stream) -> float:
        """Pages what the stream does not tell. Returns after how many seconds to do so again. A stream that runs goes on where
        paging fails for a while."""
        try:
            await self._catch_up(stream)
        except TryLater as later:
            if stream.behind:
                raise
            log.warning("a stream's channel could not be paged", channel_id=str(stream.channel.id), reason=str(later))
            return max(_page_every(stream), later.after).total_seconds()
        stream.behind = False
        return _page_every(stream).total_seconds()

    @staticmethod
    async def _wait(waiting: "asyncio.Task[Page | None]", stream: _Stream, timeout_s: float | None) -> None:
        """Until the page is there, the stream is to end, or the time is over."""
        ended = asyncio.create_task(stream.ended.wait())
        try:
            await asyncio.wait({waiting, ended}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()

    async def _catch_up(self, stream: _Stream) -> None:
        """Pages until nothing more is there, or the stream is to end."""
        while not stream.ended.is_set():
            page = await pages.ask(stream.channel, stream.network.page(stream.cursor))
            await self._commit(stream, page, moves=True)
            stream.poll_after = page.poll_after
            if not page.has_more:
                return

    async def _commit(self, stream: _Stream, page: Page, *, moves: bool) -> None:
        """Stores a page, with its cursor where it `moves`. Ends the stream where the channel is no longer ours. Raises
        BudgetSpent."""
        async with self._database.write(stream.lease.workspace_id) as session:
            channel = await store.held(session, stream.lease)
            if channel is None:
                stream.ended.set()
                return
            await pages.enter(session, channel, stream.network, page, gaps=page.gaps)
            await pages.went_well(session, channel, page, moves=moves)
        if moves:
            stream.cursor = page.cursor
        if page.cost:
            async with self._database.write(stream.lease.workspace_id) as session:
                await within_budget(session, channel)

    # ---------------------------------------------------------------- keeping it, giving it back

    async def _keep(self, stream: _Stream) -> None:
        """Renews the lease; ends the stream where the channel was paused, set otherwise, or passed to somebody else."""
        listened = False
        while not stream.ended.is_set():
            await asyncio.sleep(RENEW_S)
            try:
                async with self._database.write(stream.lease.workspace_id) as session:
                    channel = await store.held(session, stream.lease)
                    if channel is None or _set_otherwise(channel, stream.channel):
                        stream.ended.set()
                        return
                    await store.renew(session, stream.lease, LEASE_S)
                    if listened:  # open for a whole round, be it in silence: it works
                        await pages.went_well(session, channel)
                await self._tell_what_is_wanted(stream)
            except Exception as wrong:
                if not postgres_went(wrong):
                    log.exception("a stream could not be kept", channel_id=str(stream.channel.id))
                    stream.ended.set()
                    return
                log.warning("postgres is away", channel_id=str(stream.channel.id), error=type(wrong).__name__)
            listened = stream.listening

    async def _tell_what_is_wanted(self, stream: _Stream) -> None:
        """Tells a firehose what the workspace listens for, where it was not told already."""
        if isinstance(stream.network, ListensFor):
            async with self._database.read(stream.lease.workspace_id) as connection:
                told = await what_is_wanted(connection, stream.channel.type, stream.told)
            if told is not stream.told:
                stream.told = told
                stream.network.listen_for(told.wanted)

    async def _give_back(self, stream: _Stream, failed: ChannelError | None) -> None:
        """Frees the channel: at once where it was to end, else after a pause. Waits out a Postgres that is away, for as long as
        the lease lasts."""
        end = asyncio.get_running_loop().time() + (CLOSE_S if stream.ended.is_set() else LEASE_S)
        while True:
            try:
                async with self._database.write(stream.lease.workspace_id) as session:
                    channel = await store.held(session, stream.lease)
                    if channel is not None:
                        pause = timedelta(0)
                        if isinstance(failed, _NothingToHear):
                            pause = stream.poll_after or USUAL_PAUSE
                        elif failed is not None:
                            usual = await pages.went_wrong(session, channel, failed, PATIENCE)
                            pause = _pause(failed, channel.failures, usual)
                        await pages.release(session, channel, clock.now() + pause)
            except Exception as wrong:
                if not postgres_went(wrong) or asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(1)
            else:
                return


async def _next(heard: AsyncIterator[Page], channel: Channel) -> Page | None:
    """The next page of a stream; None at its end. Raises ChannelError."""

    async def one() -> Page | None:
        return await anext(heard, None)

    return await pages.ask(channel, one(), deadline_s=None)


def _page_every(stream: _Stream) -> timedelta:
    return stream.poll_after or timedelta(seconds=PAGE_EVERY_S)


def _laid_over(now: Mapping[str, Any] | None, began: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The cursor after a stream's page: what the stream moved since it `began`, laid over what paging moved meanwhile."""
    return {**(now or {}), **{name: value for name, value in told.items() if name not in began or began[name] != value}}


def _set_otherwise(now: Channel, then: Channel) -> bool:
    """Whether a person changed something because of which the stream has to begin anew, or not at all."""
    return (now.status, now.settings, now.secrets) != ("active", then.settings, then.secrets)


def _pause(failed: ChannelError, failures: int, usual: timedelta) -> timedelta:
    """How long to leave a stream alone: exponentially longer, with full jitter, and never shorter than the network asked."""
    match failed:
        case AskForNewCredential() | BudgetSpent() | ChannelBroken():
            return usual
        case TryLater() if failed.after is not A_WHILE:  # said by the network, and not our own guess for polls
            asked = failed.after
        case _:
            asked = timedelta(0)
    most = min(FIRST_PAUSE_S * 2 ** min(failures, 20), LONGEST_PAUSE_S)
    return max(asked, timedelta(seconds=random.uniform(0, most)))
