"""The sequencer: gives committed facts their position in the feed and their number in the conversation.

Facts are written in many transactions at once and become visible in no particular order. One process at a time,
elected by an advisory lock, takes them out of the outbox, so that readers can go by position and never miss what was
committed late. The lock only spares work: what makes the order safe is the row of the last position, locked in each
transaction.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.kit import logging
from shared.kit.database import Database, wake_after_commit
from shared.models.facts import FACTS
from shared.store import events, reading, rows
from shared.store.deliveries import DELIVERIES
from shared.store.events import Rendered, WaitingFact
from shared.store.views import NOUNS

BATCH = 500
POLL_S = 0.1
BUSY_S = 10.0
AT_ONCE = 4
ELECTION = 0x77656263_6F757462

log = logging.get(__name__)

_NOTICE_SOON = "SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 1"


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that has its place now: its type, and what is told of its subject (a JSON object; None where that is gone)."""

    type: str
    data: str | None


Tell = Callable[[Sequence[Told]], Awaitable[None]]
"""Hears, once each, of the facts that were given their place, after that was committed."""


async def sequence(database: Database, workspace_id: UUID, limit: int = BATCH, tell: Tell | None = None) -> int:
    """Gives the next facts of a workspace their place, in ONE transaction. Returns how many there were.

    Their data is rendered here, once, by one reading for each noun. Safe to be called by several at once.
    """
    async with database.write(workspace_id) as session:
        last = await events.lock_feed(session, workspace_id)
        facts = await events.next_waiting(session, workspace_id, limit)
        if not facts:
            return 0
        rendered = await _render(await rows.connection_of(session), facts)
        placed, told = await events.place(
            session, workspace_id, last, [(fact.id, _noun(fact.type)) for fact in facts], rendered
        )
        if told:
            wake_after_commit(session, DELIVERIES)
    if tell is not None:
        await _tell(tell, facts, rendered)
    return placed


async def _tell(tell: Tell, facts: Sequence[WaitingFact], rendered: Sequence[Rendered]) -> None:
    """Whoever listens may fail; the facts have their place all the same."""
    shown = {(one.noun, one.subject_id): one.data for one in rendered}
    try:
        await tell([Told(fact.type, shown.get((_noun(fact.type), fact.subject_id))) for fact in facts])
    except Exception as wrong:  # noqa: BLE001  # it is committed, and must not be taken for undone
        log.warning("nobody counted facts", facts=len(facts), error=repr(wrong)[:200])


async def _render(connection: asyncpg.Connection, facts: list[WaitingFact]) -> list[Rendered]:
    subjects: defaultdict[str, set[UUID]] = defaultdict(set)
    for fact in facts:
        subjects[_noun(fact.type)].add(fact.subject_id)
    readable = set(NOUNS.nouns())
    return [
        Rendered(noun, subject_id, data)
        for noun, wanted in subjects.items()
        if noun in readable
        for subject_id, data in await reading.read_many(connection, NOUNS, noun, list(wanted))
    ]


def _noun(type_: str) -> str:
    """What a fact is about. A fact of a newer version, unknown here, is told all the same, by what it calls itself."""
    known = FACTS.get(type_)
    return known.noun if known else type_.partition(".")[0]


class Sequencer:
    """One candidate for the election. `await drain(SEQUENCER, wakeups, stop, sequencer.once)`, then `close()`."""

    def __init__(self, database: Database, *, batch: int = BATCH, tell: Tell | None = None) -> None:
        self._database = database
        self._batch = batch
        self._tell = tell
        self._held = AsyncExitStack()
        self._connection: asyncpg.Connection | None = None
        self._busy_until = 0.0
        self.placed = 0

    @property
    def elected(self) -> bool:
        """Whether this one sequences."""
        return self._connection is not None

    async def once(self) -> bool:
        """One batch of every workspace in which facts wait. False: nothing to do for a while, or another one was
        elected.

        While there was work of late it looks every 100 ms, for a hint may wake the wrong process. Raises what Postgres
        raises; the office is laid down then, and taken up again by whoever is first.
        """
        connection = await self._elect()
        if connection is None:
            return False
        try:
            waiting = await events.workspaces_waiting(connection)
        except BaseException:
            await self._lay_down(broken=True)
            raise
        now = asyncio.get_running_loop().time()
        if not waiting:
            if now >= self._busy_until:
                return False
            await asyncio.sleep(POLL_S)
            return True
        self._busy_until = now + BUSY_S
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(workspace_id: UUID) -> int:
            async with slots:
                return await sequence(self._database, workspace_id, self._batch, self._tell)

        done = await asyncio.gather(*map(one, waiting), return_exceptions=True)
        self.placed += sum(count for count in done if isinstance(count, int))
        for workspace_id, wrong in zip(waiting, done, strict=True):
            # The other workspaces got their turn; the caller says what went wrong and comes back.
            if isinstance(wrong, BaseException):
                log.warning("facts wait for their place", workspace_id=str(workspace_id), error=type(wrong).__name__)
                raise wrong
        return True

    async def close(self) -> None:
        """Lays the office down, so that another candidate is elected at once."""
        await self._lay_down(broken=False)

    async def _elect(self) -> asyncpg.Connection | None:
        if self._connection is not None:
            return self._connection
        async with AsyncExitStack() as held:
            connection = await held.enter_async_context(self._database.lookup())
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ELECTION):
                return None
            # A machine that vanishes says no goodbye: let Postgres notice within seconds.
            await connection.execute(
                "SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 1"
            )
            self._connection, self._held = connection, held.pop_all()
            log.info("this process sequences")
            return connection

    async def _lay_down(self, *, broken: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not broken:
            broken = True
            with contextlib.suppress(Exception):
                broken = not await connection.fetchval("SELECT pg_advisory_unlock($1)", ELECTION, timeout=1)
        if broken:
            connection.terminate()
        with contextlib.suppress(Exception):
            await self._held.aclose()
