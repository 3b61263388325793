"""What a reading brought, written down: rows, gaps, cost and cursor in one transaction, and how the channel is doing.

Poller, streams, hooks and the reading of gaps all end here, so that there is one way in which a page becomes rows and one
way in which "failed" and "recovered" are said, each once.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from services.ingest import receipts
from services.ingest.channel import (
    AskForNewCredential,
    Backfills,
    BudgetSpent,
    ChannelBroken,
    ChannelError,
    Completes,
    Gap,
    Page,
    ReachesBack,
    SkipThis,
    TryLater,
    cleaned,
)
from services.ingest.channel import Channel as Network
from services.ingest.intake import USUAL, Taken, take_in
from services.ingest.opening import source_of
from shared import outbox
from shared.kit import clock, logging
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.channel import Channel, Health
from shared.models.facts import Fact
from shared.store import channel as store
from shared.store import channel_gaps, channel_spend, tombstones

log = logging.get(__name__)
T = TypeVar("T")

GONE = "author.gone"
"""The work of taking away what an account wrote that its network has no more."""
PAGE_DEADLINE_S = 90.0
LONGEST_PAUSE = timedelta(hours=1)
PATIENCE = 3
"""How often in a row a network may be away before it is said that the channel fails."""
MOST_CALLS = 2**31 - 1
LAST = 9
"""The priority of work that may wait for all other."""
_WELL = (Health.NEW, Health.OK)


async def ask(channel: Channel, answer: Awaitable[T], deadline_s: float | None = PAGE_DEADLINE_S) -> T:
    """What a network answers. Raises ChannelError and nothing else: a mistake of ours is told to the channel's people too."""
    try:
        async with asyncio.timeout(deadline_s):
            return await answer
    except TimeoutError as late:
        raise TryLater("The network took longer than a page may take.") from late
    except ChannelError:
        raise
    except Exception as wrong:
        log.exception("reading a channel went wrong", channel_id=str(channel.id), type=channel.type)
        raise ChannelBroken(f"Something went wrong on our side ({type(wrong).__name__}); the log says what.") from wrong


async def enter(
    session: WriteSession, channel: Channel, network: Network, page: Page, *, priority: int = USUAL,
    gaps: Sequence[Gap] = (),
) -> Taken:  # fmt: skip
    """Stores what a page brought, but for the cursor. `gaps` are those that it leaves."""
    taken = await take_in(
        session, channel.workspace_id, await source_of(session, channel, network), page.mentions,
        rejected=len(page.skipped), filtered=page.filtered, priority=priority,
        incomplete=page.incomplete if isinstance(network, Completes) else (),
    )  # fmt: skip
    for skipped in page.skipped:
        log.info(
            "an item was refused",
            channel_id=str(channel.id),
            external_id=skipped.external_id,
            reason=skipped.reason,
        )
    await receipts.settle(session, channel.workspace_id, channel.id, page.receipts)
    await note_gaps(session, channel, network, gaps)
    if page.gone_accounts:
        gone = await tombstones.authors_of(
            session, channel.workspace_id, channel.type, [cleaned(one) for one in page.gone_accounts]
        )
        await outbox.add_work(session, channel.workspace_id, [(GONE, author_id, LAST) for author_id in gone])
    if page.drift:
        fields = sorted({cleaned(name) for name in page.drift})
        log.info("a payload departs from what is documented", type=channel.type, fields=fields[:20])
        await store.note_drift(session, channel.workspace_id, channel.id, fields)
    await channel_spend.add(session, channel.workspace_id, channel.id, page.cost, clock.now())
    return taken


async def note_gaps(session: WriteSession, channel: Channel, network: Network, gaps: Sequence[Gap]) -> None:
    """Notes stretches of which something may be missing, and tells each new one."""
    now, told = clock.now(), list[Fact]()
    for gap in gaps:
        if gap.since >= gap.until:
            continue
        reason = _sentence(gap.reason)
        gap_id = await channel_gaps.note(
            session, channel.workspace_id, channel.id, since=gap.since, until=gap.until, reason=reason,
            next_try_at=now if isinstance(network, Backfills) else None,
        )  # fmt: skip
        if gap_id is not None:
            log.warning("something may be missing", channel_id=str(channel.id), since=clock.iso(gap.since))
            told.append(
                facts.ChannelGapFound(subject_id=channel.id, detail=told_of(gap_id, gap.since, gap.until, reason))
            )
    await outbox.add(session, channel.workspace_id, told)


def told_of(gap_id: object, since: datetime, until: datetime, reason: str) -> dict[str, object]:
    """What a fact tells of a gap."""
    return {"gap_id": str(gap_id), "since": clock.iso(since), "until": clock.iso(until), "reason": reason}


def missed(channel: Channel, network: Network) -> list[Gap]:
    """What lies too far back to be told any more, because we were away for longer than the network reaches back."""
    reach = network.reach() if isinstance(network, ReachesBack) else None
    if reach is None or channel.cursor is None or channel.last_success_at is None:
        return []
    since, until = channel.last_success_at, clock.now() - reach
    if since >= until:
        return []
    return [
        Gap(
            since,
            until,
            f"Nothing was read since {since:%Y-%m-%d %H:%M} UTC, and the network reaches back only {_long(reach)}.",
        )
    ]


def _long(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours" if hours >= 1 else f"{hours * 60:g} minutes"


async def went_well(session: WriteSession, channel: Channel, page: Page | None = None, *, moves: bool = True) -> None:
    """Notes that a locked channel was read: its cursor (where it `moves`), quota and lag; tells that it works, once."""
    now, told = clock.now(), list[Fact]()
    if channel.last_success_at is None:
        told.append(facts.ChannelConnected(subject_id=channel.id))
    if channel.health not in _WELL:
        since = channel.failing_since
        told.append(facts.ChannelRecovered(subject_id=channel.id, detail={"failing_since": since and clock.iso(since)}))
    channel.health, channel.health_detail, channel.failing_since, channel.failures = Health.OK.value, None, None, 0
    channel.last_success_at = channel.updated_at = now
    if page is not None:
        channel.quota_left = None if page.quota_left is None else max(0, min(page.quota_left, MOST_CALLS))
        newest = max((one.published_at for one in page.mentions), default=None)
        channel.lag_s = (now - newest).total_seconds() if newest else channel.lag_s
        if moves:
            channel.cursor = dict(page.cursor)
    await session.flush()
    await outbox.add(session, channel.workspace_id, told)


async def went_wrong(
    session: WriteSession, channel: Channel, failed: ChannelError, patience: int = PATIENCE
) -> timedelta:
    """Notes that a locked channel could not be read, and tells it once. Returns how long to leave it alone."""
    now, told = clock.now(), list[Fact]()
    channel.failures += 1
    channel.failing_since = channel.failing_since or now
    reason = channel.health_detail = _sentence(str(failed))
    channel.updated_at = now
    health, pause = _meaning(failed, channel.failures, patience)
    once_more = health == Health.FAILING and channel.health not in _WELL  # it was said, be it more exactly
    if health is not None and health != channel.health and not once_more:
        fact = facts.ChannelReauthRequired if health == Health.REAUTH_REQUIRED else facts.ChannelDegraded
        told.append(fact(subject_id=channel.id, detail={"reason": reason}))
        channel.health = health.value
    log.warning("a channel could not be read", channel_id=str(channel.id), type=channel.type, reason=reason)
    await session.flush()
    await outbox.add(session, channel.workspace_id, told)
    return pause


async def release(session: WriteSession, channel: Channel, next_poll_at: datetime) -> None:
    """Gives a locked channel back, to be read again at `next_poll_at`."""
    channel.next_poll_at, channel.lease_until, channel.lease_token = next_poll_at, None, None
    channel.updated_at = clock.now()
    await session.flush()


def _sentence(said: str) -> str:
    """What a network or a channel said, as it can be stored."""
    return cleaned(said)[:1000]


def _meaning(failed: ChannelError, failures: int, patience: int) -> tuple[Health | None, timedelta]:
    """What a failure makes of the channel's health (None: nothing yet), and how long to leave it alone."""
    backed_off = min(timedelta(seconds=15 * 2 ** min(failures, 10)), LONGEST_PAUSE)
    match failed:
        case AskForNewCredential():
            return Health.REAUTH_REQUIRED, LONGEST_PAUSE
        case BudgetSpent():
            return Health.FAILING, max(failed.until - clock.now(), timedelta(minutes=1))
        case TryLater():
            return (Health.FAILING if failures >= patience else None), max(
                failed.after, backed_off if failures > 1 else timedelta(0)
            )
        case SkipThis():
            return Health.FAILING, backed_off
        case _:
            return Health.FAILING, max(backed_off, timedelta(minutes=5))
