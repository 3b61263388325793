"""Carries our answers to their networks, at most once.

`sending` is committed before the network hears anything. What then dies or times out is `unknown`, and is settled by the
network's client token, by reading back, or by a person; it is never just sent again.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.ingest.channel import (
    AskForNewCredential,
    BudgetSpent,
    ChannelBroken,
    ChannelError,
    OutcomeUnknown,
    OutgoingReply,
    ReadsBack,
    RepliesPrivately,
    RepliesPublicly,
    Sent,
    SkipThis,
    TryLater,
)
from services.ingest.in_flight import InFlight
from services.ingest.opening import Opener
from services.ingest.reply_window import still_taken
from services.ingest.spending import within_budget
from shared.acts import replies as acts
from shared.kit import clock, logging
from shared.kit.database import Database
from shared.kit.errors import NotFound
from shared.kit.jobs import Wakeups
from shared.models import facts
from shared.models.reply import Reply, ReplyState
from shared.store import channel as channels
from shared.store import channel_spend, work
from shared.store import reply as store
from shared.store.work import Claim

log = logging.get(__name__)

QUEUED, UNKNOWN = facts.ReplyQueued.type, facts.ReplyOutcomeUnknown.type
CALL_DEADLINE_S = 30.0
LOOKS = (2.0, 10.0, 60.0, 300.0)
"""When to look for an unknown reply again: seconds after each look. A network that shows what it has shows it by then; one that
cannot be asked is asked on at the pace of the last."""
PATIENCE = timedelta(hours=24)
"""For how long a network that cannot be asked is asked again; then a person decides."""
EARLIER = timedelta(seconds=60)
"""How much the network's clock may be behind ours."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a sender takes along: the words, to whom, and by which network. `attempt` fences off earlier tries."""

    reply_id: UUID
    attempt: int
    private: bool
    outgoing: OutgoingReply
    network: Any


class Sender:
    """Carries replies of all workspaces."""

    def __init__(self, database: Database, opener: Opener) -> None:
        self._database = database
        self._opener = opener
        self._queued = InFlight(database, QUEUED, self._send)
        self._unknown = InFlight(database, UNKNOWN, self._settle)

    async def run(self, wakeups: Wakeups, stop: asyncio.Event) -> None:
        """Carries queued replies and settles unknown ones, each kind on its own, until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queued.run(wakeups, stop))
            group.create_task(self._unknown.run(wakeups, stop))

    async def once(self) -> bool:
        """Carries the queued replies that have a place. False where none waits."""
        return await self._queued.once()

    async def settle_once(self) -> bool:
        """Looks at the replies whose outcome is unknown and that are due. False where none is."""
        return await self._unknown.once()

    async def _send(self, claim: Claim, work_id: UUID, reply_id: UUID, _: int) -> None:
        errand = await self._begin(claim, work_id, reply_id)
        if errand is None:
            return
        outcome = await self._carry(errand)
        await self._conclude(claim, work_id, errand, outcome)

    async def _begin(self, claim: Claim, work_id: UUID, reply_id: UUID) -> Errand | None:
        """Commits `sending`. None where there is nothing to carry: it was withdrawn, or an earlier sender died on the way."""
        async with self._database.write(claim.workspace_id) as session:
            try:
                reply = await store.lock(session, claim.workspace_id, reply_id)
            except NotFound:
                await work.done(session, claim, [work_id])
                return None
            state: str = reply.state
            if state != ReplyState.QUEUED.value:
                ours = await work.done(session, claim, [work_id])
                if state == ReplyState.SENDING.value and ours:
                    # The lease of whoever sent it has ended: it died between asking the network and telling us.
                    await acts.unknown(session, reply, "The sender was interrupted while the network was being asked.")
                return None
            try:
                errand = await self._errand(session, reply, attempt=reply.attempts + 1)
            except ChannelError as impossible:
                await acts.failed(session, reply, str(impossible))
                await work.done(session, claim, [work_id])
                return None
            acts.begin(reply)
            await session.flush()
            return errand

    async def _errand(self, session: Any, reply: Reply, *, attempt: int, asking: bool = False) -> Errand:
        """Raises SkipThis where the venue does not take it any more, ChannelBroken where its channel cannot carry it. `asking`:
        it went out before and only its outcome is asked, which a venue tells also when the time to answer is over."""
        channel = await channels.get(session, reply.workspace_id, reply.channel_id)
        if channel is None or channel.status != "active":
            raise ChannelBroken("The channel is paused or gone; the answer cannot be carried.")
        private = reply.visibility == "private"
        network = self._opener.network(channel)
        able = isinstance(network, RepliesPrivately) if private else isinstance(network, RepliesPublicly)
        if not able:
            raise SkipThis(f"A {channel.type} channel carries no {reply.visibility} answers.")
        rules = network.reply_rules
        ways = (rules.private, rules.in_private) if private else (rules.public,)
        if any(way is not None and way.once for way in ways) and not asking:
            await store.alone(session, reply)
        context = await store.sending_context(session, reply.workspace_id, reply.id)
        if context["mention_external_id"] is None:
            raise SkipThis("There is no mention left to answer.")
        if not asking:
            still_taken(context, network.reply_rules, private=private)
            try:
                await within_budget(session, channel)
            except BudgetSpent as spent:
                raise SkipThis(str(spent)) from spent
        outgoing = OutgoingReply(
            text=reply.said(), token=str(reply.id), in_reply_to=context["mention_external_id"],
            thread_id=context["root_external_id"], author_external_id=context["author_external_id"],
            author_handle=context["author_handle"], kind=context["kind"], title=context["title"],
            permalink=context["permalink"], raw=None if context["raw"] is None else bytes(context["raw"]),
            last_inbound_at=context["last_inbound_at"],
        )  # fmt: skip
        return Errand(reply.id, attempt, private, outgoing, network)

    async def _carry(self, errand: Errand) -> Sent | ChannelError:
        """Asks the network, once."""
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                if errand.private:
                    return await errand.network.reply_privately(errand.outgoing)  # type: ignore[no-any-return]
                return await errand.network.reply_publicly(errand.outgoing)  # type: ignore[no-any-return]
        except TimeoutError:
            return OutcomeUnknown("The network did not answer in time and may have taken it.")
        except ChannelError as said:
            return said
        except Exception as wrong:  # a mistake of ours, after which only the network knows
            log.exception("carrying a reply went wrong", reply_id=str(errand.reply_id))
            return OutcomeUnknown(
                f"Something went wrong on our side ({type(wrong).__name__}) while the network was asked."
            )

    async def _conclude(self, claim: Claim, work_id: UUID, errand: Errand, outcome: Sent | ChannelError) -> None:
        again_after: float | None = None
        async with self._database.write(claim.workspace_id) as session:
            reply = await store.lock(session, claim.workspace_id, errand.reply_id)
            if reply.state != ReplyState.SENDING or reply.attempts != errand.attempt:
                # Our lease was lost and somebody declared it unknown. What we learnt settles it.
                if isinstance(outcome, Sent) and reply.state == ReplyState.UNKNOWN:
                    await _sent(session, reply, outcome, settled_by="sender")
                return
            match outcome:
                case Sent():
                    await _sent(session, reply, outcome)
                case TryLater():
                    acts.put_back(reply, str(outcome)[:1000])
                    again_after = max(outcome.after.total_seconds(), 0.1)
                case OutcomeUnknown():
                    await acts.unknown(session, reply, str(outcome))
                case _:
                    await acts.failed(session, reply, _advice(outcome))
            if again_after is None:
                await work.done(session, claim, [work_id])
        if again_after is not None:
            async with self._database.lookup() as connection:
                await work.release(connection, claim, [work_id], after_s=again_after, error=str(outcome))

    async def _settle(self, claim: Claim, work_id: UUID, reply_id: UUID, looks: int) -> None:
        """One look at what became of a reply: by its client token, by reading back; else it stays for a person."""
        async with self._database.write(claim.workspace_id) as session:
            reply = await store.lock(session, claim.workspace_id, reply_id)
            if reply.state != ReplyState.UNKNOWN:
                await work.done(session, claim, [work_id])
                return
            try:
                errand = await self._errand(session, reply, attempt=reply.attempts, asking=True)
            except ChannelError:
                await work.done(session, claim, [work_id])  # it cannot be asked any more: a person decides
                return
            since = (reply.sending_at or reply.created_at) - EARLIER
        how = errand.network.idempotency()
        if how == "client_token":
            outcome = await self._carry(errand)  # the same token posts it once, however often it is sent
        elif how == "read_back" and isinstance(errand.network, ReadsBack):
            outcome = await self._find(errand, since)
        else:
            async with self._database.write(claim.workspace_id) as session:
                await work.done(session, claim, [work_id])
            return
        await self._settled(claim, work_id, errand, outcome, how, looks, since)

    async def _find(self, errand: Errand, since: datetime) -> Sent | ChannelError:
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                found = await errand.network.find_reply(errand.outgoing, private=errand.private, since=since)
        except TimeoutError:
            return TryLater("The network did not answer in time.")
        except ChannelError as said:
            return TryLater(str(said))
        return found if found is not None else SkipThis("The network does not show it: it was not taken.")

    async def _settled(
        self, claim: Claim, work_id: UUID, errand: Errand, outcome: Sent | ChannelError, how: str, looks: int,
        since: datetime,
    ) -> None:  # fmt: skip
        """Writes what a look brought. "Not there" is believed only at the last look, for a network may be slow to show it; a
        network that could not be asked is asked again."""
        conclusive = isinstance(outcome, Sent) or (
            isinstance(outcome, SkipThis) and (how == "client_token" or looks + 1 >= len(LOOKS))
        )
        if not conclusive and clock.now() - since < PATIENCE:
            async with self._database.lookup() as connection:
                await work.look_again(connection, claim, [work_id], after_s=LOOKS[min(looks, len(LOOKS) - 1)])
            return
        async with self._database.write(claim.workspace_id) as session:
            reply = await store.lock(session, claim.workspace_id, errand.reply_id)
            if conclusive and reply.state == ReplyState.UNKNOWN:
                if isinstance(outcome, Sent):
                    await _sent(session, reply, outcome, settled_by=how)
                else:
                    await acts.failed(session, reply, str(outcome), settled_by=how)
            await work.done(session, claim, [work_id])


async def _sent(session: Any, reply: Reply, sent: Sent, *, settled_by: str | None = None) -> None:
    await channel_spend.add(session, reply.workspace_id, reply.channel_id, sent.cost, clock.now())
    await acts.sent(
        session, reply, at=sent.sent_at, external_id=sent.external_id, permalink=sent.permalink, settled_by=settled_by
    )


def _advice(failed: ChannelError) -> str:
    """Why it failed, and where the agent can do something about it."""
    if isinstance(failed, AskForNewCredential):
        return f"{failed} Then answer again."
    return str(failed)
