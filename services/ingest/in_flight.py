"""Replies and moderations on their way, each by itself: one that hangs delays no other, and a network that hangs takes only its
own places.

Which of them is whose is known by its lease, which is renewed for as long as somebody works on it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal
from uuid import UUID

from shared.kit import logging
from shared.kit.database import AWAY, Database, WriteSession
from shared.kit.jobs import Wakeups, drain, postgres_went
from shared.store import work
from shared.store.work import Claim

log = logging.get(__name__)

OF_A_TYPE = 8
"""How many of one channel type are on their way at once."""
AT_ONCE = 64
"""How many of all types together."""
RENEW_S = 3.0

Act = Callable[[Claim, UUID, UUID, int], Awaitable[None]]
"""Does one piece of work: (its claim, the work's id, the id of what is carried, its attempts)."""


class InFlight:
    """One kind of work on replies, or on moderations, of all workspaces. What is due is claimed as places free up, the oldest of
    each workspace first; what goes by a channel type that has all its places taken stays in the queue, for other processes too."""

    def __init__(self, database: Database, kind: str, act: Act, of: Literal["reply", "moderation"] = "reply") -> None:
        self._database = database
        self._kind = kind
        self._of = of
        self._act = act
        self._going: set[asyncio.Task[None]] = set()
        self._by_type: Counter[str] = Counter()
        self._freed: Callable[[], None] = lambda: None

    async def run(self, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Works until `stop`, and then until what is on its way is through."""
        self._freed = lambda: wakeups.wake(self._kind)
        try:
            await drain(self._kind, wakeups, stop, self.fill)
            await self._finish()
        finally:
            await self._give_up()

    async def once(self) -> bool:
        """Takes what is due and has a place, and waits until it is through. False where nothing was due."""
        try:
            began = await self.fill()
            await self._finish()
        finally:
            await self._give_up()
        return began

    async def fill(self) -> bool:
        """Sets on its way what is due and has a place. False where there was nothing to set on its way."""
        async with self._database.lookup() as connection:
            waiting = await work.workspaces_due(connection, self._kind)
        began = False
        for workspace_id in waiting:
            async with self._database.write(workspace_id) as session:
                taken = await self._claim(session, workspace_id)
            for claim, channel_type in taken:
                self._begin(claim, channel_type)
            began = began or bool(taken)
        return began

    async def _claim(self, session: WriteSession, workspace_id: UUID) -> list[tuple[Claim, str]]:
        """What of a workspace is due and has a place: each with a claim of its own, and its channel's type."""
        taken: list[tuple[Claim, str]] = []
        while True:
            counts = self._by_type + Counter(channel_type for _, channel_type in taken)
            full = [channel_type for channel_type, count in counts.items() if count >= OF_A_TYPE]
            # as many as fit whichever type they are of; where a type has a single place left, one at a time
            room = min(
                AT_ONCE - counts.total(),
                OF_A_TYPE,
                *(OF_A_TYPE - count for count in counts.values() if count < OF_A_TYPE),
            )
            claim = work.claim_replies if self._of == "reply" else work.claim_moderations
            claimed = await claim(session, workspace_id, self._kind, room, full) if room > 0 else []
            if not claimed:
                return taken
            taken += claimed

    def _begin(self, claim: Claim, channel_type: str) -> None:
        self._by_type[channel_type] += 1
        task = asyncio.create_task(self._carry(claim), name=f"{self._kind} {claim.subjects[0]}")
        self._going.add(task)
        task.add_done_callback(lambda done: self._ended(done, channel_type))

    def _ended(self, task: asyncio.Task[None], channel_type: str) -> None:
        was_full = self._by_type[channel_type] >= OF_A_TYPE or len(self._going) >= AT_ONCE
        self._going.discard(task)
        self._by_type[channel_type] -= 1
        self._by_type += Counter()  # forgets types of which none is going
        if was_full:
            self._freed()  # there may be one that waited for this place

    async def _carry(self, claim: Claim) -> None:
        """Does one piece of work. What goes wrong is logged; its lease then ends by itself, and the work is due again."""
        keeper = asyncio.create_task(self._keep(claim))
        (work_id, subject_id, attempts) = claim.works[0]
        try:
            await self._act(claim, work_id, subject_id, attempts)
        except Exception as wrong:
            if postgres_went(wrong):
                log.warning("postgres is away", kind=self._kind, error=type(wrong).__name__)
            else:
                log.exception("work failed", kind=self._kind, subject_id=str(subject_id))
        finally:
            keeper.cancel()

    async def _keep(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(*AWAY, TimeoutError):
                async with self._database.lookup() as connection:
                    await work.renew(connection, claim)

    async def _finish(self) -> None:
        while self._going:
            await asyncio.wait(self._going)

    async def _give_up(self) -> None:
        """Ends what is on its way; what the network was being asked is then unknown, and is settled as such."""
        going = list(self._going)
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
