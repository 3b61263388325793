"""Work that is pushed: offered to the best agent, taken or declined, passed on, and taken back from who went silent."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared import outbox
from shared.acts import conversations, routing
from shared.acts.offer_ends import answered, told_of
from shared.acts.policies import calendar_of
from shared.acts.routing import Situation
from shared.kit import clock, ids
from shared.kit.database import WriteSession, wake_after_commit
from shared.kit.errors import Conflict, Forbidden
from shared.models import facts
from shared.models.conversation import Conversation, Status
from shared.models.facts import Fact
from shared.models.offer import Offer, OfferState
from shared.models.people import Queue
from shared.models.sla import Calendar
from shared.rules import business_calendar, business_hours
from shared.rules import routing as rules
from shared.rules.routing import Candidate, Item
from shared.store import conversation as threads
from shared.store import offers as store
from shared.store import queues, rows
from shared.store import routing as decisions

DISPATCH = "dispatch"
"""What wakes whoever hands out work."""
AT_ONCE = 50
"""How much of a queue is offered, or handed over, in one transaction; of how much the alarm is told."""
LOOKED_AT = 2_000
"""How far down a queue is looked for work that there is an agent for, past work for which there is none."""


class OfferExpired(Conflict):
    """The agent answered too late; the work is offered to somebody else."""

    code = "offer_expired"


async def serve(session: WriteSession, workspace_id: UUID, queue_id: UUID) -> int:
    """Offers what waits in a queue that pushes, as far as there are agents for it, hands over what overflows, and tells the alarm where
    nobody can be found. Returns how much found somebody. Waits for whoever else hands out work in this workspace."""
    await queues.lock_routing(session, workspace_id)
    queue = await rows.find(session, Queue, workspace_id, queue_id)
    if queue is None or queue.mode != "push":
        return 0
    found = await routing.situation(session, queue, clock.now(), limit=LOOKED_AT)
    known = await store.refusals(session, workspace_id, [one.conversation_id for one in found.items])
    plan = _plan(found, known)
    wait = await decisions.still_waiting(session, (workspace_id, queue_id), plan.conversations(), patient=False)
    offered = [row for row in plan.offers if row["conversation_id"] in wait]
    alarmed = [row for row in plan.alarms if row["conversation_id"] in wait]
    overflowing = [one for one in plan.overflows if one in wait]
    await decisions.add_decisions(session, workspace_id, [*offered, *alarmed])
    await store.add(session, workspace_id, [_offer(row, queue, found.at) for row in offered])
    told = [
        told_of(facts.OfferMade, row["id"], row["conversation_id"], row["agent_id"], queue.id) for row in offered
    ] + [_alarm(queue, row["conversation_id"]) for row in alarmed]
    await outbox.add(session, workspace_id, told)
    for conversation_id in overflowing:
        await _overflow(session, queue, conversation_id, found.at)
    return len(offered) + len(overflowing)


@dataclass(slots=True)
class _Plan:
    """What is to be done with what waits: decisions to offer, conversations that overflow, and decisions by which nobody can be found."""

    offers: list[dict[str, Any]] = field(default_factory=list)
    overflows: list[UUID] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)

    def conversations(self) -> list[UUID]:
        return [row["conversation_id"] for row in (*self.offers, *self.alarms)] + self.overflows


def _plan(found: Situation, known: Mapping[UUID, tuple[int, bool]]) -> _Plan:
    """Decides for one after the other, in the queue's order; each decision knows of those before it. Work that asks the same as work
    for which there is nobody is not weighed again."""
    queue, at, plan = found.queue, found.at, _Plan()
    in_vain: set[Hashable] = set()
    for item in found.items:
        if len(plan.offers) + len(plan.overflows) >= AT_ONCE:
            break
        refused, alarmed = known.get(item.conversation_id, (0, False))
        stage = _stage(queue, item, refused, at)
        if stage == "overflow" and queue.overflow_agent_id is not None:
            plan.overflows.append(item.conversation_id)
            continue
        asked = replace(item, team_ids=_teams(queue, stage))
        asks = (asked.team_ids, asked.refused_by, asked.weight, asked.required, _preferred(asked, found.rules, at))
        decision = None
        if asks not in in_vain:
            decision = rules.decide(asked, found.candidates, found.rules, at=at, seed=ids.new_id().hex)
        if decision is not None and decision.agent_id is not None:
            plan.offers.append(
                routing.written(found, asked, decision, kind="offer", reason=f"offered to the best of {_SAID[stage]}")
            )
            found = _with_load(found, decision.agent_id, item.weight)
            continue
        in_vain.add(asks)
        if stage == "overflow" and not alarmed and len(plan.alarms) < AT_ONCE:
            because = decision or rules.decide(asked, found.candidates, found.rules, at=at, seed=ids.new_id().hex)
            plan.alarms.append(routing.written(found, asked, because, kind="alarm", reason=_NOBODY))
    return plan


def _preferred(item: Item, given: rules.Rules, at: datetime) -> tuple[rules.Need, ...]:
    """The preferred skills that still count."""
    return item.preferred[: len(item.preferred) - rules.relaxed(item, given, at)]


async def accept(session: WriteSession, offer: Offer, agent_id: UUID, *, actor: str) -> Conversation:
    """The agent takes what is offered: a locked offer. Raises Forbidden for another agent, OfferAnswered, OfferExpired."""
    _must_be(offer, agent_id)
    now = clock.now()
    conversation = await threads.lock(session, offer.workspace_id, offer.conversation_id)
    if offer.state == OfferState.OPEN and offer.expires_at <= now:
        raise OfferExpired("This offer has run out; the work is offered to somebody else.")
    offer.become(OfferState.ACCEPTED, now)
    await session.flush()
    await outbox.add(session, offer.workspace_id, [answered(facts.OfferAccepted, offer)])
    await conversations.assign(
        session, conversation, agent_id, team_id=None, actor=actor, reason="accepted an offer", decisions=()
    )
    return conversation


async def decline(session: WriteSession, offer: Offer, agent_id: UUID, *, reason: str | None) -> None:
    """The agent does not want what is offered: the next one is asked. Raises as `accept` does."""
    _must_be(offer, agent_id)
    offer.become(OfferState.DECLINED, clock.now(), reason)
    await session.flush()
    await outbox.add(session, offer.workspace_id, [answered(facts.OfferDeclined, offer)])
    wake_after_commit(session, DISPATCH)


async def take_back(session: WriteSession, workspace_id: UUID) -> int:
    """Gives back to its queue what lies with agents who have been offline, or silent towards a waiting customer, for longer than the
    queue allows. It keeps the wait it had. Returns how much."""
    now = clock.now()
    await queues.lock_routing(session, workspace_id)
    taken = 0
    for row in await store.perhaps_left(session, workspace_id, now):
        because = await _left(session, workspace_id, row, now)
        if because is None:
            continue
        conversation = await threads.lock(session, workspace_id, row.id)
        if conversation.assignee_id != row.assignee_id or conversation.status != Status.OPEN:
            continue
        kept = {
            "conversation_id": conversation.id, "kind": "taken_back", "queue_id": conversation.queue_id,
            "agent_id": row.assignee_id, "reason": because,
        }  # fmt: skip
        await conversations.assign(
            session, conversation, None, team_id=None, actor="webcare", reason=because, decisions=[kept]
        )
        taken += 1
    if taken:
        wake_after_commit(session, DISPATCH)
    return taken


async def _left(session: WriteSession, workspace_id: UUID, row: Any, now: datetime) -> str | None:
    """Why a conversation in hand is to be taken back, if it is."""
    if row.presence == "offline" and row.take_back_offline_s is not None and row.presence_since is not None:
        away = now - row.presence_since
        if away >= timedelta(seconds=row.take_back_offline_s):
            return f"its agent has been offline for {_said(away)}"
    if row.take_back_silent_s is None or row.silent_since is None:
        return None
    calendar = None
    if row.calendar_id is not None:
        stored = await rows.find(session, Calendar, workspace_id, row.calendar_id)
        if stored is not None:
            calendar = calendar_of(business_calendar.effective(stored.model_dump()), stored.version)
    silent = business_hours.elapsed(calendar, row.silent_since, now)
    if silent < timedelta(seconds=row.take_back_silent_s):
        return None
    hours = " of opening hours" if calendar else ""
    return f"its agent has been silent for {_said(silent)}{hours}"


def _said(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    return f"{minutes} minutes" if minutes != 1 else "a minute"


_NOBODY = "nobody took it, and the queue overflows to nobody"
_SAID: Mapping[rules.Stage, str] = {
    "own": "its teams",
    "widened": "its teams and the secondary ones",
    "overflow": "everybody who may have it",
}


def _stage(queue: Queue, item: Item, refused: int, at: datetime) -> rules.Stage:
    return rules.stage(
        refused, at - (item.queued_at or item.waiting_since), after=queue.refusals_to_widen,
        expires=timedelta(seconds=queue.offer_expires_s), widens=bool(queue.secondary_team_ids),
    )  # fmt: skip


def _teams(queue: Queue, stage: rules.Stage) -> frozenset[UUID]:
    return frozenset(queue.team_ids if stage == "own" else [*queue.team_ids, *queue.secondary_team_ids])


async def _overflow(session: WriteSession, queue: Queue, conversation_id: UUID, at: datetime) -> None:
    conversation = await threads.lock(session, queue.workspace_id, conversation_id)
    kept = {
        "conversation_id": conversation_id, "kind": "overflow", "queue_id": queue.id, "agent_id": queue.overflow_agent_id,
        "reason": f"nobody took it; {queue.name} overflows to this agent", "decided_at": at,
    }  # fmt: skip
    await conversations.assign(
        session,
        conversation,
        queue.overflow_agent_id,
        team_id=None,
        actor="webcare",
        reason="overflow",
        decisions=[kept],
    )


def _alarm(queue: Queue, conversation_id: UUID) -> Fact:
    detail = {"queue_id": queue.id, "queue": queue.name, "because": _NOBODY}
    return facts.QueueAlarm(subject_id=queue.id, conversation_id=conversation_id, detail=detail)


def _offer(row: dict[str, Any], queue: Queue, at: datetime) -> dict[str, Any]:
    return {
        "id": row["id"], "conversation_id": row["conversation_id"], "queue_id": queue.id, "agent_id": row["agent_id"],
        "offered_at": at, "expires_at": at + timedelta(seconds=queue.offer_expires_s),
    }  # fmt: skip


def _with_load(found: Situation, agent_id: UUID, weight: int) -> Situation:
    """The situation after an agent was asked: the next decision of the same transaction knows of it."""
    candidates: Sequence[Candidate] = [
        replace(one, load=one.load + weight, recent=one.recent + 1) if one.agent_id == agent_id else one
        for one in found.candidates
    ]
    return replace(found, candidates=tuple(candidates))


def _must_be(offer: Offer, agent_id: UUID) -> None:
    if offer.agent_id != agent_id:
        raise Forbidden("This is offered to another agent.", code="offered_to_another")
