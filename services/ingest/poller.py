"""Reading channels that are due: a page, its rows and its cursor in one transaction; back-off where a network fails.

"Failed" is said once, "recovered" once. A reader that dies mid-page has committed nothing, so the page is simply read again.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    ChannelError,
    Page,
    PagesByCursor,
    SkipThis,
    TryLater,
)
from services.ingest.intake import BULK, USUAL, take_in
from services.ingest.opening import Opener, source_of
from shared import outbox
from shared.kit import clock, logging
from shared.kit.database import Database, WriteSession
from shared.models import facts
from shared.models.channel import Channel, Health
from shared.models.facts import Fact
from shared.store import channel as store
from shared.store.channel import Lease

log = logging.get(__name__)

AT_ONCE = 8
LEASE_S = 120.0
PAGE_DEADLINE_S = 90.0
USUAL_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=1)
PATIENCE = 3
"""How often in a row a network may be away before it is said that the channel fails."""
A_PAGE_OF_HISTORY = 200
"""A first page larger than this is history: it does not push aside what is fresh."""
_WELL = (Health.NEW, Health.OK)


class Poller:
    """Reads what is due, of all workspaces."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener

    async def once(self) -> bool:
        """Reads the channels that are due. False where none is."""
        async with self._database.lookup() as connection:
            leases = await store.claim_due(connection, AT_ONCE, LEASE_S)
        results = await asyncio.gather(*(self.poll(lease) for lease in leases), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return bool(leases)

    async def poll(self, lease: Lease) -> None:
        """Reads one channel and stores what came, or how it failed."""
        async with self._database.write(lease.workspace_id) as session:
            channel = await store.held(session, lease)
        if channel is None:
            return
        try:
            network = self._opener.network(channel)
            if not isinstance(network, PagesByCursor):
                raise ChannelBroken(f"A {channel.type} channel cannot be polled.")
            async with asyncio.timeout(PAGE_DEADLINE_S):
                page = await network.page(channel.cursor)
        except TimeoutError:
            await self._failed(lease, TryLater("The network took longer than a page may take."))
        except ChannelError as failed:
            await self._failed(lease, failed)
        except Exception as wrong:  # a mistake of ours; the channel's people hear of it as of any other failure
            log.exception("reading a channel went wrong", channel_id=str(channel.id), type=channel.type)
            await self._failed(
                lease, ChannelBroken(f"Something went wrong on our side ({type(wrong).__name__}); the log says what.")
            )
        else:
            async with self._database.write(lease.workspace_id) as session:
                held = await store.held(session, lease)
                if held is not None:
                    await self._store(session, held, page, network)

    async def _store(self, session: WriteSession, channel: Channel, page: Page, network: Any) -> None:
        first = channel.cursor is None
        await take_in(
            session, channel.workspace_id, await source_of(session, channel, network), page.mentions,
            rejected=len(page.skipped), priority=BULK if first and len(page.mentions) > A_PAGE_OF_HISTORY else USUAL,
        )  # fmt: skip
        for skipped in page.skipped:
            log.info(
                "an item was refused",
                channel_id=str(channel.id),
                external_id=skipped.external_id,
                reason=skipped.reason,
            )
        now, told = clock.now(), list[Fact]()
        if channel.last_success_at is None:
            told.append(facts.ChannelConnected(subject_id=channel.id))
        if channel.health not in _WELL:
            since = channel.failing_since
            told.append(
                facts.ChannelRecovered(subject_id=channel.id, detail={"failing_since": since and clock.iso(since)})
            )
        channel.health, channel.health_detail, channel.failing_since, channel.failures = Health.OK.value, None, None, 0
        channel.cursor, channel.quota_left, channel.last_success_at = dict(page.cursor), page.quota_left, now
        newest = max((one.published_at for one in page.mentions), default=None)
        channel.lag_s = (now - newest).total_seconds() if newest else channel.lag_s
        pause = timedelta(0) if page.has_more else page.poll_after or USUAL_PAUSE
        await self._release(session, channel, now + pause, told)

    async def _failed(self, lease: Lease, failed: ChannelError) -> None:
        async with self._database.write(lease.workspace_id) as session:
            channel = await store.held(session, lease)
            if channel is None:
                return
            now, told = clock.now(), list[Fact]()
            channel.failures += 1
            channel.failing_since = channel.failing_since or now
            channel.health_detail = str(failed)[:1000]
            health, pause = _meaning(failed, channel.failures)
            once_more = health == Health.FAILING and channel.health not in _WELL  # it was said, be it more exactly
            if health is not None and health != channel.health and not once_more:
                fact = facts.ChannelReauthRequired if health == Health.REAUTH_REQUIRED else facts.ChannelDegraded
                told.append(fact(subject_id=channel.id, detail={"reason": str(failed)[:1000]}))
                channel.health = health.value
            log.warning(
                "a channel could not be read", channel_id=str(channel.id), type=channel.type, reason=str(failed)
            )
            await self._release(session, channel, now + pause, told)

    @staticmethod
    async def _release(session: WriteSession, channel: Channel, next_poll_at: datetime, told: list[Fact]) -> None:
        channel.next_poll_at, channel.lease_until, channel.lease_token = next_poll_at, None, None
        channel.updated_at = clock.now()
        await session.flush()
        await outbox.add(session, channel.workspace_id, told)


def _meaning(failed: ChannelError, failures: int) -> tuple[Health | None, timedelta]:
    """What a failure makes of the channel's health (None: nothing yet), and how long to leave it alone."""
    backed_off = min(timedelta(seconds=15 * 2 ** min(failures, 10)), LONGEST_PAUSE)
    match failed:
        case AskForNewCredential():
            return Health.REAUTH_REQUIRED, LONGEST_PAUSE
        case TryLater():
            return (Health.FAILING if failures >= PATIENCE else None), max(
                failed.after, backed_off if failures > 1 else timedelta(0)
            )
        case SkipThis():
            return Health.FAILING, backed_off
        case _:
            return Health.FAILING, max(backed_off, timedelta(minutes=5))
