"""Reading gaps again: a few pages at a time, behind all other work, until nothing is left of them.

What was known already is known again to intake, so that a gap costs no doubles. A gap that cannot be read back stays open.
"""

from datetime import datetime, timedelta

from services.ingest import pages
from services.ingest.channel import Backfills, BudgetSpent, ChannelBroken, ChannelError, Gap, Page, TryLater
from services.ingest.channel import Channel as Network
from services.ingest.intake import BULK
from services.ingest.opening import Opener
from services.ingest.spending import within_budget
from shared import outbox
from shared.kit import clock, ids, logging
from shared.kit.database import Database, WriteSession
from shared.models import facts
from shared.models.channel import Channel, ChannelGap
from shared.store import channel as channels
from shared.store import channel_gaps as store
from shared.store.channel_gaps import GapLease

log = logging.get(__name__)

LEASE_S = 120.0
PAGES_A_TURN = 5
REST = timedelta(seconds=5)
"""Between two turns of one gap: what is fresh goes first."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
TRIES = 20
"""After so many failures in a row a gap is left as it is."""


class _Paused(TryLater):
    """Nobody wants the channel read at present."""


class Filler:
    """Reads gaps of all workspaces again."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener

    async def once(self) -> bool:
        """One turn at the gap that is due longest. False where none is."""
        async with self._database.lookup() as connection:
            lease = await store.claim(connection, LEASE_S)
        if lease is None:
            return False
        for _ in range(PAGES_A_TURN):
            if not await self._page(lease):
                return True
        await self._release(lease, REST)
        return True

    async def _page(self, lease: GapLease) -> bool:
        """Reads one page. False where the turn is over, be it that the gap is closed or that it failed."""
        try:
            async with self._database.write(lease.workspace_id) as session:
                gap = await store.held(session, lease)
                if gap is None:
                    return False
                channel = await channels.get(session, lease.workspace_id, gap.channel_id)
                if channel is None or channel.status != "active":
                    raise _Paused("The channel is paused.", LONGEST_PAUSE)
                await within_budget(session, channel)
                asked = gap.since, gap.until
            network = self._opener.network(channel)
            if not isinstance(network, Backfills):
                raise ChannelBroken(f"A {channel.type} channel cannot be read back.")
            page = await pages.ask(channel, network.backfill(gap.since, gap.cursor))
            if page.has_more and page.cursor == gap.cursor:
                raise ChannelBroken("Reading it again does not come forward: the network gives the same page again.")
        except ChannelError as failed:
            await self._failed(lease, failed)
            return False
        return await self._store(lease, asked, channel, network, page)

    async def _store(
        self, lease: GapLease, asked: tuple[datetime, datetime], channel: Channel, network: Network, page: Page
    ) -> bool:
        async with self._database.write(lease.workspace_id) as session:
            gap = await store.held(session, lease)
            if gap is None:
                return False
            taken = await pages.enter(session, channel, network, page, priority=BULK)
            gap.recovered += taken.stored
            gap.failures, gap.error = 0, None
            if asked != (gap.since, gap.until):  # it grew while we asked, and is read from its beginning
                return True
            if page.gaps and not await self._leave(session, gap, max(page.gaps, key=lambda lost: lost.until)):
                return False
            gap.cursor = dict(page.cursor)
            if not page.has_more:
                _close(gap)
                detail = pages.told_of(gap.id, gap.since, gap.until, gap.reason) | {"recovered": gap.recovered}
                await session.flush()
                await outbox.add(
                    session, lease.workspace_id, [facts.ChannelGapClosed(subject_id=gap.channel_id, detail=detail)]
                )
                log.info("a gap was read again", channel_id=str(gap.channel_id), recovered=gap.recovered)
        return page.has_more

    @staticmethod
    async def _leave(session: WriteSession, gap: ChannelGap, lost: Gap) -> bool:
        """What its network does not show again either stays a gap, and is told as one of its own where the rest of it can be
        read. False where there is no rest."""
        if lost.until <= gap.since:
            return True
        if lost.until >= gap.until:
            gap.error = lost.reason[:1000]
            gap.next_try_at = gap.lease_until = gap.lease_token = None
            return False
        since, gap.since = gap.since, lost.until
        if await store.prolong(session, gap, since):  # each list of a channel tells it, a moment later each
            return True
        left = ChannelGap(
            workspace_id=gap.workspace_id, id=ids.new_id(), channel_id=gap.channel_id, since=since, until=lost.until,
            reason=gap.reason, error=lost.reason[:1000], found_at=clock.now(),
        )  # fmt: skip
        session.add(left)
        await session.flush()
        detail = pages.told_of(left.id, left.since, left.until, left.reason)
        await outbox.add(session, gap.workspace_id, [facts.ChannelGapFound(subject_id=gap.channel_id, detail=detail)])
        return True

    async def _failed(self, lease: GapLease, failed: ChannelError) -> None:
        async with self._database.write(lease.workspace_id) as session:
            gap = await store.held(session, lease)
            if gap is None:
                return
            gap.error = str(failed)[:1000]
            now = clock.now()
            if isinstance(failed, BudgetSpent):
                gap.next_try_at = failed.until
            elif isinstance(failed, _Paused):
                gap.next_try_at = now + failed.after
            else:
                gap.failures += 1
                pause = min(FIRST_PAUSE * 2 ** min(gap.failures - 1, 10), LONGEST_PAUSE)
                if isinstance(failed, TryLater):
                    pause = max(pause, failed.after)
                gap.next_try_at = now + pause if gap.failures < TRIES else None
            gap.lease_until = gap.lease_token = None
        log.warning("a gap could not be read again", gap_id=str(lease.gap_id), reason=str(failed))

    async def _release(self, lease: GapLease, pause: timedelta) -> None:
        async with self._database.write(lease.workspace_id) as session:
            gap = await store.held(session, lease)
            if gap is not None:
                gap.next_try_at, gap.lease_until, gap.lease_token = clock.now() + pause, None, None


def _close(gap: ChannelGap) -> None:
    gap.closed_at = clock.now()
    gap.next_try_at = gap.lease_until = gap.lease_token = None
