"""The triage process: claims what came in, has it understood in a child process, and records it.

Three batches are under way at a time, so that the child always has one to read while others are fetched and recorded. A text that
kills the child is tried alone and set aside on its third try; its neighbours go on. Long texts have a queue and a child of their
own, which yields to all else: however many there are, what is soon read does not wait for them.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from services.triage import dispatch, new_terms, record, sla_watch
from services.triage.briefing import Briefings, Told
from services.triage.nlp_process import ChildDied, NlpProcess, NlpUnavailable, TimedOut
from services.triage.pipeline import VERSION, Assessed
from services.triage.stage import Assessment
from shared.acts import edits
from shared.acts.offers import DISPATCH
from shared.kit import logging
from shared.kit.database import AWAY, AWAY_OR_SLOW, Database
from shared.kit.jobs import Nudger, Wakeups, drain
from shared.kit.settings import Settings
from shared.models import facts
from shared.models.mention import is_long
from shared.models.work import lane
from shared.store import heartbeats, work, workspaces
from shared.store.work import Claim

log = logging.get(__name__)

BATCH = 64
IN_FLIGHT = 3
LONG_BATCH = 4
LONG_IN_FLIGHT = 2
LONG_NICE = 10  # where all cores are busy, the child that reads long texts has a tenth of one all the same
MOST_TRIES = 3
BATCH_DEADLINE_S = 20.0
SINGLE_DEADLINE_S = 5.0
LONG_DEADLINE_S = 30.0  # by the clock of a child that yields: a text that is read in half a second may need five of it
RENEW_S = 3.0
WATCH = "sla.watch"
NOT_NOW: tuple[type[BaseException], ...] = (*AWAY_OR_SLOW, NlpUnavailable)
WARMED = 8  # workspaces that the child is told of before their first mention comes; it takes a second or two for each


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue of texts and how it is read: so many at a time, each batch, and each text alone, in so many seconds."""

    heavy: bool
    batch: int
    in_flight: int
    deadline_s: float
    alone_s: float


LIGHT = Lane(heavy=False, batch=BATCH, in_flight=IN_FLIGHT, deadline_s=BATCH_DEADLINE_S, alone_s=SINGLE_DEADLINE_S)
HEAVY = Lane(True, LONG_BATCH, LONG_IN_FLIGHT, LONG_DEADLINE_S, LONG_DEADLINE_S)


class Triage:
    """What a triage process holds: the database, its child processes, and what workspaces told it. `readers` are warmed; one for
    long texts is not among them, and starts with the first of these."""

    def __init__(self, database: Database, readers: Sequence[NlpProcess]) -> None:
        self.database = database
        self.readers = readers
        self.briefings = Briefings()

    async def warm(self) -> None:
        """Tells the children of the first workspaces, so that the first mention after a start is read at once."""
        try:
            async with self.database.lookup() as connection:
                known = (await workspaces.every(connection))[:WARMED]
            for workspace_id in known:
                async with self.database.read(workspace_id) as connection:
                    briefing = await self.briefings.standing(connection, workspace_id)
                for reader in self.readers:
                    await reader.prepare(briefing)
        except NOT_NOW as wrong:  # the first mention meets the same, and is tried again
            log.info("the reader is not told yet what to listen for", error=type(wrong).__name__)

    async def once(self, kind: str, reader: NlpProcess, by: Lane = LIGHT) -> bool:
        """Claims one batch of a lane and sees it through. False where nothing waits there."""
        async with self.database.lookup() as connection:
            claim = await work.claim(connection, kind, by.batch, heavy=by.heavy)
        if claim is None:
            return False
        keeper = asyncio.create_task(self._keep(claim))
        try:
            await self._understand(claim, reader, by)
        except (Exception, asyncio.CancelledError) as wrong:
            await self._give_back(claim, wrong)
            raise
        finally:
            keeper.cancel()
        return True

    async def _understand(self, claim: Claim, reader: NlpProcess, by: Lane) -> None:
        async with self.database.read(claim.workspace_id) as connection:
            told = await self.briefings.brief(connection, claim.workspace_id, claim.subjects)
        gone = {row_id for row_id, row in told.rows.items() if row["deleted_at"] is not None}
        readable = [one for one in told.assessments if one.mention_id not in gone]
        if not by.heavy and (long := {one.mention_id for one in readable if is_long(one.text)}):
            readable = [one for one in readable if one.mention_id not in long]
            async with self.database.lookup() as connection:
                await work.weighed(connection, claim, [id_ for id_, subject, _ in claim.works if subject in long])
        try:
            assessed = await self._read(readable, told, reader, by)
        except (ChildDied, TimedOut) as died:
            await self._died(claim, f"{type(died).__name__}: {died}")
            return
        if assessed:
            async with self.database.write(claim.workspace_id) as session:
                await record.record(session, claim, told, assessed)
        if gone:
            async with self.database.write(claim.workspace_id) as session:
                await record.record(
                    session, claim, told, [_gone(one) for one in told.assessments if one.mention_id in gone]
                )
        missing = [work_id for work_id, subject, _ in claim.works if subject not in told.rows]
        if missing:  # its mention was erased meanwhile: there is nothing to understand any more
            async with self.database.write(claim.workspace_id) as session:
                await work.done(session, claim, missing)

    async def _read(self, batch: Sequence[Assessment], told: Told, reader: NlpProcess, by: Lane) -> list[Assessed]:
        if not batch:
            return []
        deadline = by.alone_s if len(batch) == 1 else by.deadline_s
        return list(await reader.assess(batch, told.briefing, deadline))

    async def _died(self, claim: Claim, error: str) -> None:
        """The child died over this batch: each member counts the try and comes alone from now on; the third is the last."""
        log.warning(
            "a text killed its reader", workspace_id=str(claim.workspace_id), mentions=len(claim.works), error=error
        )
        last = [(work_id, subject, tries) for work_id, subject, tries in claim.works if tries + 1 >= MOST_TRIES]
        for _, subject, tries in last if len(claim.works) == 1 else []:
            async with self.database.write(claim.workspace_id) as session:
                await record.quarantine(session, claim, subject, error, tries + 1)
            return
        async with self.database.lookup() as connection:
            await work.died(connection, claim, claim.work_ids, error)

    async def _keep(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(*AWAY, TimeoutError):
                async with self.database.lookup() as connection:
                    await work.renew(connection, claim)

    async def _give_back(self, claim: Claim, wrong: BaseException) -> None:
        """What failed for another reason than its text is tried again soon; if Postgres is away the lease ends by itself."""
        after_s = 0.0 if isinstance(wrong, asyncio.CancelledError) else 2.0
        with contextlib.suppress(*AWAY, TimeoutError, asyncio.CancelledError):
            async with self.database.lookup() as connection:
                await work.release(connection, claim, claim.work_ids, after_s=after_s, error=type(wrong).__name__)


def _gone(one: Assessment) -> Assessed:
    return Assessed(one.mention_id, "dismissed", "deleted at its venue", (), {})


REACTIONS: Mapping[str, Callable[[Triage, str, NlpProcess, Lane], Awaitable[bool]]] = {
    facts.MentionReceived.type: Triage.once,
    facts.MentionEdited.type: Triage.once,
}
"""Which fact wakes what."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Works until `stop`. Children are started before Postgres is needed and end with this process."""
    readers = [NlpProcess(settings) for _ in range(_children(settings))]
    slow = NlpProcess(settings, nice=LONG_NICE)
    for reader in readers:
        await reader.start()
    database = await Database.open(settings, "triage")
    nudger = Nudger(settings)
    nudger.attach(database)
    triage = Triage(database, readers)
    try:
        names = [lane(kind, heavy=heavy) for kind in REACTIONS for heavy in (False, True)]
        async with (
            Wakeups(settings, [*names, *edits.KINDS, WATCH, DISPATCH]) as wakeups,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(triage.warm())
            for reader, by in [*((one, LIGHT) for one in readers), (slow, HEAVY)]:
                for kind, react in REACTIONS.items():
                    name = lane(kind, heavy=by.heavy)
                    for _ in range(by.in_flight if kind == facts.MentionReceived.type else 1):
                        group.create_task(drain(name, wakeups, stop, _bound(react, triage, kind, reader, by)))
            group.create_task(drain(DISPATCH, wakeups, stop, lambda: dispatch.dispatch(database)))
            group.create_task(drain(WATCH, wakeups, stop, lambda: dispatch.take_back(database)))
            group.create_task(drain(WATCH, wakeups, stop, lambda: sla_watch.watch(database)))
            group.create_task(drain(WATCH, wakeups, stop, lambda: sla_watch.wake_rested(database)))
            group.create_task(drain(WATCH, wakeups, stop, lambda: sla_watch.close_settled(database)))
            for kind in edits.KINDS:
                group.create_task(drain(kind, wakeups, stop, partial(new_terms.reapply, database, kind)))
            group.create_task(heartbeats.pulse(database, "triage", stop))
            log.info("triage is ready", pipeline=VERSION, children=len(readers))
    finally:
        for reader in (*readers, slow):
            await reader.close()
        await nudger.close()
        await database.close()


def _bound(
    react: Callable[[Triage, str, NlpProcess, Lane], Awaitable[bool]],
    triage: Triage,
    kind: str,
    reader: NlpProcess,
    by: Lane,
) -> Callable[[], Awaitable[bool]]:
    return lambda: react(triage, kind, reader, by)


def _children(settings: Settings) -> int:
    """How many child processes read texts: as set, else one for each core but one."""
    return settings.triage_processes or max(1, (os.cpu_count() or 2) - 1)
