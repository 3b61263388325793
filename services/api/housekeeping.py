"""What has to be done from time to time and waits for nobody: each chore says how often, and takes little at once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from services.api import calendar_feeds
from services.api.figures import WorkerFigures
from services.api.listening import weekly_report
from shared.kit import clock, logging
from shared.kit.database import AWAY_OR_SLOW, Database
from shared.kit.http import HttpClient
from shared.store import expiry, heartbeats, idempotency, ledger, metrics, upkeep, workspaces

HOUR_S = 3_600.0
_ROLL_UP = 5_000
_EXPIRE = 500
_LEDGER_LOOKS_BACK = timedelta(days=2)
"""Deltas are of the present hour, but for the few by which triage sets a mention aside."""
_SOON_S = 5.0

log = logging.get(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every `every_s` seconds, first at the start. Doing it twice at once, or twice in a row, harms
    nothing."""

    name: str
    every_s: float
    do: Callable[[Database], Awaitable[None]]


async def make_partitions(database: Database) -> None:
    """Partitions for the months to come: without one, rows would go to the default and could not be dropped by
    month."""
    async with database.lookup() as connection:
        made = await upkeep.ensure_partitions(connection)
    if made:
        log.info("partitions were made", made=made)


async def roll_up_ledger(database: Database, figures: WorkerFigures) -> None:
    """Adds the ledger's deltas to their hours, and counts what they say."""
    since = clock.now() - _LEDGER_LOOKS_BACK
    async with database.lookup() as connection:
        workspaces = await upkeep.workspaces_with_deltas(connection)
    for workspace_id in workspaces:
        taken = _ROLL_UP
        while taken == _ROLL_UP:
            async with database.write(workspace_id) as session:
                before = await metrics.ledger_by_type(session, since)
                taken = await ledger.roll_up(session, _ROLL_UP)
                after = await metrics.ledger_by_type(session, since)
            figures.came_in({key: count - before.get(key, 0) for key, count in after.items()})


async def forget_answers(database: Database) -> None:
    """Forgets answers that were kept for an Idempotency-Key for as long as was promised."""
    async with database.lookup() as connection:
        workspaces = await idempotency.workspaces_with_expired(connection)
    for workspace_id in workspaces:
        async with database.write(workspace_id) as session:
            await idempotency.forget_expired(session, workspace_id)


async def forget_the_dead(database: Database) -> None:
    """Forgets processes that have been silent for a day."""
    async with database.lookup() as connection:
        await heartbeats.forget_dead(connection)


async def blank_expired(database: Database) -> None:
    """Takes the words from mentions that their venue lets us keep no longer, a few at a time; what is counted of them stays."""
    async with database.lookup() as connection:
        every = await workspaces.every(connection)
    for workspace_id in every:
        async with database.write(workspace_id) as session:
            channels = await expiry.expiring(session, workspace_id)
        for channel in channels:
            blanked, taken = 0, _EXPIRE
            while taken == _EXPIRE:
                async with database.write(workspace_id) as session:
                    taken = await expiry.blank(session, workspace_id, channel, clock.now(), _EXPIRE)
                blanked += taken
            if blanked:
                log.info("mentions were blanked", channel_id=str(channel.channel_id), mentions=blanked)


async def keep_reports(database: Database) -> None:
    """Renders last week's report of each workspace once its week is over, so that it is there before anybody asks."""
    async with database.lookup() as connection:
        every = await workspaces.every(connection)
    for workspace_id in every:
        try:
            week = await weekly_report.keep_last_week(database, workspace_id)
        except AWAY_OR_SLOW:
            raise
        except Exception as wrong:  # noqa: BLE001  # one workspace's trouble is not the others'; it is tried again next time
            log.warning("no weekly report", workspace_id=str(workspace_id), error=repr(wrong)[:200])
            continue
        if week is not None:
            log.info("a weekly report was rendered", workspace_id=str(workspace_id), week=str(week))


def chores(figures: WorkerFigures, http: HttpClient) -> Sequence[Chore]:
    """All there is to do; what is counted by the way goes into `figures`, `http` reaches others' addresses."""
    return (
        Chore("make partitions", 6 * HOUR_S, make_partitions),
        Chore("roll up the ledger", 30.0, partial(roll_up_ledger, figures=figures)),
        Chore("forget answers", 600.0, forget_answers),
        Chore("forget the dead", HOUR_S, forget_the_dead),
        Chore("blank what may be kept no longer", HOUR_S, blank_expired),
        Chore("keep weekly reports", 600.0, keep_reports),
        Chore("read calendar feeds", 15.0, partial(calendar_feeds.read_due, http=http)),
    )


async def keep_doing(chore: Chore, database: Database, stop: asyncio.Event) -> None:
    """Does a chore again and again until `stop`. One that fails is said, and done again soon: the others do not
    wait."""
    while not stop.is_set():
        pause = chore.every_s
        try:
            await chore.do(database)
        except Exception as wrong:  # noqa: BLE001  # whatever it was, the next time may go well
            log.warning("a chore failed", chore=chore.name, error=repr(wrong)[:200])
            pause = min(pause, _SOON_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
