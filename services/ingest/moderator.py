"""Carries to the networks what people ask about posts there: hide, show, report, dispute, delete a reply of ours.

`sending` is committed before the network hears anything. What then dies or times out is asked again where that does no
harm; a report or a dispute is not: its outcome is unknown, and a person looks.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.ingest.catalog import ABILITIES
from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    ChannelError,
    OutcomeUnknown,
    Post,
    SkipThis,
    TryLater,
)
from services.ingest.in_flight import InFlight
from services.ingest.opening import Opener
from shared.acts import moderation as acts
from shared.kit import clock, logging
from shared.kit.database import Database, WriteSession
from shared.kit.errors import NotFound
from shared.kit.jobs import Wakeups
from shared.models import facts
from shared.models.moderation import ABILITY, Moderation, ModerationAction, ModerationState
from shared.store import channel as channels
from shared.store import moderation as store
from shared.store import work
from shared.store.work import Claim

log = logging.get(__name__)

REQUESTED = facts.ModerationRequested.type
CALL_DEADLINE_S = 30.0
AGAIN_AFTER = (2.0, 10.0, 60.0, 300.0)
"""When what may be repeated is asked again after an answer that was lost: seconds after each try, then at the pace of the last."""
PATIENCE = timedelta(hours=24)
"""For how long a network is asked again; then a person looks."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What is asked, of which post, and by which network. `attempt` fences off earlier tries."""

    moderation_id: UUID
    attempt: int
    action: ModerationAction
    post: Post
    reason: str
    network: Any


class Moderator:
    """Carries moderations of all workspaces."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener
        self._requested = InFlight(database, REQUESTED, self._send, of="moderation")

    async def run(self, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Carries what is requested, until `stop`."""
        await self._requested.run(wakeups, stop)

    async def once(self) -> bool:
        """Carries what is due and has a place. False where nothing waits."""
        return await self._requested.once()

    async def _send(self, claim: Claim, work_id: UUID, moderation_id: UUID, _: int) -> None:
        errand = await self._begin(claim, work_id, moderation_id)
        if errand is not None:
            await self._conclude(claim, work_id, errand, await self._carry(errand))

    async def _begin(self, claim: Claim, work_id: UUID, moderation_id: UUID) -> Errand | None:
        """Commits `sending`. None where there is nothing to carry: it is settled, or nobody knows if it was carried."""
        async with self._database.write(claim.workspace_id) as session:
            try:
                moderation = await store.lock(session, claim.workspace_id, moderation_id)
            except NotFound:
                await work.done(session, claim, [work_id])
                return None
            if moderation.state == ModerationState.SENDING:
                # The lease of whoever sent it has ended: it died between asking the network and telling us.
                interrupted = "The worker was interrupted while the network was being asked."
                if not moderation.repeatable:
                    if await work.done(session, claim, [work_id]):
                        await acts.unknown(session, moderation, interrupted)
                    return None
                acts.put_back(moderation, interrupted)
            if moderation.state != ModerationState.QUEUED:
                await work.done(session, claim, [work_id])
                return None
            try:
                errand = await self._errand(session, moderation)
            except ChannelError as impossible:
                await acts.failed(session, moderation, str(impossible))
                await work.done(session, claim, [work_id])
                return None
            acts.begin(moderation)
            await session.flush()
            return errand

    async def _errand(self, session: WriteSession, moderation: Moderation) -> Errand:
        """Raises SkipThis where there is nothing to ask about, ChannelBroken where its channel cannot ask it."""
        channel = await channels.get(session, moderation.workspace_id, moderation.channel_id)
        if channel is None or channel.status != "active":
            raise ChannelBroken("The channel is paused or gone; the venue cannot be asked.")
        action = ModerationAction(moderation.action)
        network = self._opener.network(channel)
        if not isinstance(network, ABILITIES[ABILITY[action]]):
            raise SkipThis(f"A {channel.type} channel cannot do that ({action}).")
        found = await store.post(session, moderation)
        if found is None:
            raise SkipThis("What it is about is no longer here.")
        return Errand(moderation.id, moderation.attempts + 1, action, Post(**found), moderation.reason or "", network)

    async def _carry(self, errand: Errand) -> ChannelError | None:
        """Asks the network, once. None: it did it."""
        network, post = errand.network, errand.post
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                match errand.action:
                    case ModerationAction.HIDE:
                        await network.hide(post)
                    case ModerationAction.UNHIDE:
                        await network.unhide(post)
                    case ModerationAction.REPORT:
                        await network.report(post, errand.reason)
                    case ModerationAction.DISPUTE:
                        await network.dispute(post, errand.reason)
                    case ModerationAction.DELETE_REPLY:
                        await network.delete_reply(post)
        except TimeoutError:
            return OutcomeUnknown("The network did not answer in time and may have taken it.")
        except ChannelError as said:
            return said
        except Exception as wrong:  # a mistake of ours, after which only the network knows
            log.exception("carrying a moderation went wrong", moderation_id=str(errand.moderation_id))
            return OutcomeUnknown(
                f"Something went wrong on our side ({type(wrong).__name__}) while the network was asked."
            )
        return None

    async def _conclude(self, claim: Claim, work_id: UUID, errand: Errand, outcome: ChannelError | None) -> None:
        again_after: float | None = None
        async with self._database.write(claim.workspace_id) as session:
            moderation = await store.lock(session, claim.workspace_id, errand.moderation_id)
            if moderation.state != ModerationState.SENDING or moderation.attempts != errand.attempt:
                # Our lease was lost and somebody declared it unknown. What we learnt settles it.
                if outcome is None and moderation.state == ModerationState.UNKNOWN:
                    await acts.done(session, moderation, settled_by="moderator")
                return
            if outcome is None:
                await acts.done(session, moderation)
            else:
                again_after = _again_after(moderation, outcome)
                if again_after is not None:
                    acts.put_back(moderation, str(outcome))
                elif isinstance(outcome, OutcomeUnknown) or (isinstance(outcome, TryLater) and moderation.repeatable):
                    await acts.unknown(session, moderation, str(outcome))
                else:
                    await acts.failed(session, moderation, _advice(outcome))
            if again_after is None:
                await work.done(session, claim, [work_id])
        if again_after is not None:
            async with self._database.lookup() as connection:
                await work.release(connection, claim, [work_id], after_s=again_after, error=str(outcome))


def _again_after(moderation: Moderation, outcome: ChannelError) -> float | None:
    """After how many seconds it is asked again; None where it is not."""
    if clock.now() - moderation.created_at > PATIENCE:
        return None
    if isinstance(outcome, TryLater):
        return max(outcome.after.total_seconds(), 0.1)
    if isinstance(outcome, OutcomeUnknown) and moderation.repeatable:
        return AGAIN_AFTER[min(moderation.attempts, len(AGAIN_AFTER)) - 1]
    return None


def _advice(failed: ChannelError) -> str:
    """Why it failed, and where a person can do something about it."""
    if isinstance(failed, AskForNewCredential):
        return f"{failed} Then ask again."
    return str(failed)
