"""Reading channels that are due: a page, its rows and its cursor in one transaction; back-off where a network fails.

A reader that dies mid-page has committed nothing, so the page is simply read again. Channels whose network tells by itself are
handed to the streams.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from services.ingest import pages
from services.ingest.channel import Channel as Network
from services.ingest.channel import ChannelBroken, ChannelError, ChoosesToStream, Page, PagesByCursor, Streams
from services.ingest.intake import BULK, USUAL
from services.ingest.opening import Opener
from services.ingest.spending import within_budget
from services.ingest.streams import Streaming
from shared.kit import clock, logging
from shared.kit.database import Database
from shared.kit.jobs import Wakeups, drain, postgres_went
from shared.models.channel import Channel
from shared.store import channel as store
from shared.store.channel import Lease

log = logging.get(__name__)

OF_A_TYPE = 8
"""How many channels of one type are read at once."""
AT_ONCE = 32
"""How many of all types together."""
LEASE_S = 120.0
USUAL_PAUSE = timedelta(seconds=60)
GRACE_S = 5.0
"""How long a reading may take to come to its end when the process stops."""
NO_ROOM = timedelta(seconds=10)
"""When a channel that found no room among the streams is tried again, here or by another process."""
A_PAGE_OF_HISTORY = 200
"""A first page larger than this is history: it does not push aside what is fresh."""


class Poller:
    """Reads what is due, of all workspaces, each channel by itself: one that hangs delays no other, and a network that hangs takes
    only the places of its type. Without `streams`, whatever can be paged is paged."""

    def __init__(self, database: Database, opener: Opener, streams: Streaming | None = None) -> None:
        self._database = database
        self._opener = opener
        self._streams = streams
        self._going: dict[asyncio.Task[None], Lease] = {}
        self._freed: Callable[[], None] = lambda: None

    async def run(self, kind: str, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Reads until `stop`. What is not read to its end soon after is free for whoever comes next."""
        self._freed = lambda: wakeups.wake(kind)
        try:
            await drain(kind, wakeups, stop, self.fill)
            if self._going:
                await asyncio.wait(self._going, timeout=GRACE_S)
            for lease in await self._give_up():
                await self._put_back(lease, timedelta(0))
        except Exception as wrong:
            if not postgres_went(wrong):
                raise
            log.warning("postgres is away", error=type(wrong).__name__)  # their leases end by themselves
        finally:
            await self._give_up()

    async def once(self) -> bool:
        """Reads the channels that are due and have a place, and waits until they are read. False where none is due."""
        try:
            began = await self.fill()
            while self._going:
                await asyncio.wait(self._going)
        finally:
            await self._give_up()
        return began

    async def fill(self) -> bool:
        """Begins to read what is due and has a place. False where there was nothing to begin."""
        began = False
        while True:
            counts = Counter(lease.type for lease in self._going.values())
            full = [type_ for type_, count in counts.items() if count >= OF_A_TYPE]
            # as many as fit whichever type they are of; where a type has a single place left, one at a time
            left = (OF_A_TYPE - count for count in counts.values() if count < OF_A_TYPE)
            room = min(AT_ONCE - counts.total(), OF_A_TYPE, *left)
            if room <= 0:
                return began
            async with self._database.lookup() as connection:
                leases = await store.claim_due(connection, room, LEASE_S, full)
            for lease in leases:
                task = asyncio.create_task(self._guarded(lease), name=f"poll {lease.channel_id}")
                self._going[task] = lease
                task.add_done_callback(self._ended)
            if not leases:
                return began
            began = True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._going.pop(task, None)
        self._freed()

    async def _guarded(self, lease: Lease) -> None:
        """Reads one channel. What goes wrong is logged; its lease then ends by itself, and it is due again."""
        try:
            await self.poll(lease)
        except Exception as wrong:
            if postgres_went(wrong):
                log.warning("postgres is away", channel_id=str(lease.channel_id), error=type(wrong).__name__)
            else:
                log.exception("polling failed", channel_id=str(lease.channel_id))

    async def _give_up(self) -> list[Lease]:
        """Ends what is being read, of which nothing was stored, and tells whose leases that were."""
        going = dict(self._going)
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        return list(going.values())

    async def poll(self, lease: Lease) -> None:
        """Reads one channel and stores what came, or how it failed."""
        try:
            async with self._database.write(lease.workspace_id) as session:
                channel = await store.held(session, lease)
                if channel is None:
                    return
                await within_budget(session, channel)
            network = self._opener.network(channel)
            if self._streams is not None and is_streamed(network):
                if not self._streams.take(lease, channel, network):
                    await self._put_back(lease, NO_ROOM)
                return
            if not isinstance(network, PagesByCursor):
                raise ChannelBroken(f"A {channel.type} channel cannot be polled.")
            page = await pages.ask(channel, network.page(channel.cursor))
            await self._store(lease, page, network)
        except ChannelError as failed:
            await self._failed(lease, failed)

    async def _store(self, lease: Lease, page: Page, network: Network) -> None:
        """In one transaction. A page that Postgres does not take, as no other reading of it would be, is told as a failure."""
        try:
            await self._stored(lease, page, network)
        except Exception as wrong:
            if postgres_went(wrong):
                raise
            log.exception("a page could not be stored", channel_id=str(lease.channel_id))
            raise ChannelBroken(
                f"What it brought could not be stored ({type(wrong).__name__}); the log says why."
            ) from wrong

    async def _stored(self, lease: Lease, page: Page, network: Network) -> None:
        async with self._database.write(lease.workspace_id) as session:
            channel = await store.held(session, lease)
            if channel is None:
                return
            history = channel.cursor is None and len(page.mentions) > A_PAGE_OF_HISTORY
            await pages.enter(
                session, channel, network, page, priority=BULK if history else USUAL,
                gaps=[*pages.missed(channel, network), *page.gaps],
            )  # fmt: skip
            await pages.went_well(session, channel, page)
            pause = timedelta(0) if page.has_more else page.poll_after or USUAL_PAUSE
            await pages.release(session, channel, clock.now() + pause)

    async def _failed(self, lease: Lease, failed: ChannelError) -> None:
        async with self._database.write(lease.workspace_id) as session:
            channel = await store.held(session, lease)
            if channel is not None:
                pause = await pages.went_wrong(session, channel, failed)
                await pages.release(session, channel, clock.now() + pause)

    async def _put_back(self, lease: Lease, pause: timedelta) -> None:
        async with self._database.write(lease.workspace_id) as session:
            channel: Channel | None = await store.held(session, lease)
            if channel is not None:
                await pages.release(session, channel, clock.now() + pause)


def is_streamed(network: Network) -> bool:
    """Whether a channel tells by itself, as it is set."""
    return isinstance(network, Streams) and (not isinstance(network, ChoosesToStream) or network.streaming())
