"""What happens to conversations: a customer's message opens or extends one; people assign, snooze, resolve and reopen it.

Row, clock events and facts are written together, in the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared import outbox
from shared.acts import clocks
from shared.acts.clocks import Happening, Promise
from shared.acts.policies import PolicyInForce
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.conversation import PRIORITY_RANK, REOPENS_WITHIN, Conversation, Priority, Status
from shared.models.facts import Fact
from shared.rules import conversation_fields
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_clock import EventKind
from shared.rules.sla_policy import METRICS, Metric
from shared.store import conversation as store
from shared.store import routing

_REASON = {Status.PENDING: "waiting for the customer", Status.SNOOZED: "snoozed"}
_OPEN = frozenset({Status.OPEN, Status.PENDING, Status.SNOOZED})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mention that is owed an answer, on its way into a conversation. `seen` holds what filters may ask of it besides."""

    mention_id: UUID
    channel_id: UUID
    channel_type: str
    author_id: UUID | None
    thread_key: str
    root_external_id: str | None
    published_at: datetime
    received_at: datetime
    subject: str | None
    lang: str | None
    visibility: str
    priority: Priority
    priority_score: float
    sentiment: str | None
    issue_keys: tuple[str, ...]
    brand_ids: tuple[UUID, ...]
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Story:
    """What one batch of arrivals tells: collected while deciding, written in bulk at the end."""

    facts: list[Fact] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    turns: list[tuple[UUID, UUID, UUID, datetime]] = field(default_factory=list)


async def open_or_extend(
    session: WriteSession, workspace_id: UUID, arrivals: Sequence[Arrival], policies: Sequence[PolicyInForce],
    *, reopens_within: timedelta = REOPENS_WITHIN,
) -> dict[UUID, UUID]:  # fmt: skip
    """Puts each mention into the conversation it belongs to, opening or reopening it where needed; starts the promised clocks,
    chooses the queue and tells the facts. Returns mention → conversation. Two workers never open one thread twice."""
    placed: dict[UUID, UUID] = {}
    waiting: dict[str, list[Arrival]] = {}
    for one in arrivals:
        waiting.setdefault(one.thread_key, []).append(one)
    queues = [
        (row, filters.parse(row.filter, CONVERSATION_FIELDS)) for row in await routing.queues(session, workspace_id)
    ]
    while waiting:
        story = _Story()
        opening: list[tuple[dict[str, Any], list[Arrival]]] = []
        extending: list[dict[str, Any]] = []
        standing = await store.by_thread(session, workspace_id, list(waiting))
        for key, group in waiting.items():
            former = standing.get(key)
            if former is not None and _goes_on(former, group[0].received_at, reopens_within):
                extending.append(_extended(former, group, policies, story))
                placed.update({one.mention_id: former.id for one in group})
            else:
                opening.append(_opened(former, group, policies, queues, story))
        taken = await store.add_many(session, workspace_id, [row for row, _ in opening])
        for row, group in opening:
            if row["id"] in taken:
                placed.update({one.mention_id: row["id"] for one in group})
        lost = {row["id"] for row, _ in opening} - taken  # somebody else opened that thread meanwhile: extend theirs
        await _write(session, workspace_id, story, extending, lost)
        waiting = {row["thread_key"]: group for row, group in opening if row["id"] in lost}
    return placed


async def _write(
    session: WriteSession, workspace_id: UUID, story: _Story, extending: Sequence[dict[str, Any]], lost: set[UUID]
) -> None:
    told, deadlines = await clocks.happened(session, workspace_id, story.happenings)
    for row in extending:
        if row["id"] in deadlines:
            row["next_deadline_at"] = deadlines[row["id"]]
    started = await clocks.start(
        session, workspace_id, [one for one in story.promises if one.conversation_id not in lost]
    )
    await store.change_many(session, workspace_id, extending)
    await store.add_inbound(session, workspace_id, [one for one in story.turns if one[1] not in lost])
    await routing.add_decisions(
        session, workspace_id, [one for one in story.decisions if one["conversation_id"] not in lost]
    )
    kept = [fact for fact in story.facts if fact.conversation_id not in lost]
    await outbox.add(session, workspace_id, [*kept, *started, *told])


def _goes_on(row: Row[Any], moment: datetime, within: timedelta) -> bool:
    """Whether a message at `moment` belongs to this conversation rather than to a new one."""
    if row.status in _OPEN:
        return True
    return bool(row.status == Status.RESOLVED and row.resolved_at is not None and moment - row.resolved_at <= within)


def _highest(group: Sequence[Arrival]) -> Arrival:
    return min(group, key=lambda one: (PRIORITY_RANK[one.priority], -one.priority_score))


def _opened(
    former: Row[Any] | None, group: list[Arrival], policies: Sequence[PolicyInForce],
    queues: Sequence[tuple[Row[Any], filters.Filter]], story: _Story,
) -> tuple[dict[str, Any], list[Arrival]]:  # fmt: skip
    first, worst, now, conversation_id = group[0], _highest(group), clock.now(), ids.new_id()
    keys = list(dict.fromkeys(key for one in group for key in one.issue_keys))
    row: dict[str, Any] = {
        "id": conversation_id, "created_at": now, "updated_at": now, "channel_id": first.channel_id,
        "channel_type": first.channel_type, "author_id": first.author_id,
        "brand_id": first.brand_ids[0] if first.brand_ids else None,
        "brand_ids": first.brand_ids, "thread_key": first.thread_key,
        "root_external_id": first.root_external_id, "subject": first.subject, "lang": first.lang,
        "visibility": first.visibility, "status": Status.OPEN.value, "priority": worst.priority.value,
        "priority_rank": PRIORITY_RANK[worst.priority], "priority_score": worst.priority_score, "sentiment": first.sentiment,
        "queue_id": None, "team_id": None, "issue_keys": keys, "waiting_since": first.received_at,
        "last_message_at": group[-1].received_at, "messages": len(group), "version": 1, "reopened": 0,
        "previous_conversation_id": former.id if former is not None else None,
    }  # fmt: skip
    seen = conversation_fields.row(row, first.seen)
    made = clocks.promises(
        policies, conversation_id, seen, priority=worst.priority, received_at=first.received_at,
        published_at=first.published_at, cause=str(first.mention_id),
    )  # fmt: skip
    row["next_deadline_at"] = clocks.first_deadline(made)
    story.promises += made
    story.facts.append(facts.ConversationOpened(subject_id=conversation_id, conversation_id=conversation_id))
    queue = next((found for found, where in queues if filters.evaluate(where, seen)), None)
    if queue is not None:
        row["queue_id"] = queue.id
        row["team_id"] = queue.team_ids[0] if queue.team_ids else None
        story.decisions.append(
            {"conversation_id": conversation_id, "kind": "queue", "queue_id": queue.id,
             "reason": f"{queue.name} is the first queue by position whose filter matches"}
        )  # fmt: skip
        story.facts.append(
            facts.ConversationRouted(
                subject_id=conversation_id,
                conversation_id=conversation_id,
                detail={"queue_id": queue.id, "queue": queue.name},
            )
        )
    _add_turns(conversation_id, group, story, opening=True)
    return row, group


def _extended(row: Row[Any], group: list[Arrival], policies: Sequence[PolicyInForce], story: _Story) -> dict[str, Any]:
    now, worst, cause = clock.now(), _highest(group), str(group[0].mention_id)
    priority = min(Priority(row.priority), worst.priority, key=lambda one: PRIORITY_RANK[one])
    keys = list(dict.fromkeys([*row.issue_keys, *(key for one in group for key in one.issue_keys)]))
    about: dict[str, Any] = {"subject_id": row.id, "conversation_id": row.id}
    changed: dict[str, Any] = {
        "id": row.id, "updated_at": now, "status": Status.OPEN.value, "priority": priority.value,
        "priority_rank": PRIORITY_RANK[priority], "priority_score": max(row.priority_score, worst.priority_score),
        "sentiment": group[-1].sentiment or row.sentiment, "issue_keys": keys,
        "waiting_since": row.waiting_since or group[0].received_at, "last_message_at": group[-1].received_at,
        "next_deadline_at": row.next_deadline_at, "messages": row.messages + len(group), "version": row.version + 1,
        "reopened": row.reopened + (row.status == Status.RESOLVED), "subject": row.subject, "lang": row.lang or group[0].lang,
        "queue_id": row.queue_id,
    }  # fmt: skip
    _add_turns(row.id, group, story, opening=False)
    if row.status == Status.RESOLVED:
        story.facts.append(facts.ConversationReopened(**about, detail={"because": "the customer wrote again"}))
        story.happenings.append(Happening(row.id, "reopened", group[0].received_at, cause, ("resolution",)))
    elif row.status != Status.OPEN:
        story.facts.append(
            facts.StatusChanged(**about, detail={"from": row.status, "to": "open", "because": "the customer wrote"})
        )
        story.happenings.append(Happening(row.id, "resumed", group[0].received_at, cause))
    if priority != row.priority:
        story.facts.append(facts.PriorityChanged(**about, detail={"from": row.priority, "to": priority.value}))
    if row.first_replied_at is not None and row.waiting_since is None:
        story.promises += _next_response(row, group[0], keys, priority, policies, changed)
    return changed


def _next_response(
    row: Row[Any],
    first: Arrival,
    keys: list[str],
    priority: Priority,
    policies: Sequence[PolicyInForce],
    changed: dict[str, Any],
) -> list[Promise]:
    """The clock for the answer to this message: one at a time, from the oldest message that has none."""
    seen = conversation_fields.row({**row._mapping, "issue_keys": keys, "priority": priority.value}, first.seen)
    offered = clocks.promises(
        policies, row.id, seen, priority=priority, received_at=first.received_at, published_at=first.published_at,
        cause=str(first.mention_id),
    )  # fmt: skip
    made = [
        Promise(row.id, one.in_force, "next_response", priority, one.at, one.cause, instance=row.messages)
        for one in offered[:1]
    ]  # fmt: skip
    made = [one for one in made if one.terms is not None]
    deadline = clocks.first_deadline(made)
    if deadline is not None and (row.next_deadline_at is None or deadline < row.next_deadline_at):
        changed["next_deadline_at"] = deadline
    return made


def _add_turns(conversation_id: UUID, group: Sequence[Arrival], story: _Story, *, opening: bool) -> None:
    """The turns, and a fact for each that did not come with the opening."""
    for n, one in enumerate(group):
        message_id = ids.new_id()
        story.turns.append((message_id, conversation_id, one.mention_id, one.received_at))
        if n or not opening:
            story.facts.append(
                facts.MessageAdded(
                    subject_id=conversation_id,
                    conversation_id=conversation_id,
                    detail={"message_id": message_id, "mention_id": one.mention_id},
                )
            )


async def assign(
    session: WriteSession,
    conversation: Conversation,
    agent_id: UUID | None,
    *,
    team_id: UUID | None,
    actor: str,
    reason: str,
) -> None:
    """Gives a locked conversation to an agent, or back to its queue (None), and keeps the decision."""
    former = conversation.assignee_id
    conversation.assign(agent_id, team_id)
    about: dict[str, Any] = {"subject_id": conversation.id, "conversation_id": conversation.id}
    detail = {"agent_id": agent_id, "former_agent_id": former, "by": actor}
    fact = facts.ConversationAssigned if agent_id else facts.ConversationReleased
    kind = "next" if reason.startswith("next") else "manual"
    await routing.add_decisions(
        session, conversation.workspace_id,
        [{"conversation_id": conversation.id, "kind": kind, "queue_id": conversation.queue_id, "agent_id": agent_id, "reason": reason}],
    )  # fmt: skip
    await outbox.add(session, conversation.workspace_id, [fact(**about, detail=detail)])


async def prioritise(session: WriteSession, conversation: Conversation, priority: Priority, *, actor: str) -> None:
    """Gives a locked conversation another priority; its clocks run on under the terms of that priority."""
    former = conversation.priority
    conversation.must_not_be_closed()
    conversation.priority, conversation.priority_rank = priority.value, PRIORITY_RANK[priority]
    conversation.changed()
    await session.flush()
    told, deadlines = await clocks.reprioritised(
        session, conversation.workspace_id, conversation.id, priority.value, f"priority:{conversation.version}"
    )
    if conversation.id in deadlines:
        conversation.next_deadline_at = deadlines[conversation.id]
        await session.flush()
    detail = {"from": former, "to": priority.value, "by": actor}
    changed = facts.PriorityChanged(subject_id=conversation.id, conversation_id=conversation.id, detail=detail)
    await outbox.add(session, conversation.workspace_id, [changed, *told])


async def snooze(session: WriteSession, conversation: Conversation, until: datetime, *, actor: str) -> None:
    """Puts a locked conversation aside until `until`."""
    conversation.snooze(until)
    await _status(session, conversation, [facts.ConversationSnoozed], actor, {"until": clock.iso(until)}, "paused")


async def wake(session: WriteSession, conversation: Conversation) -> None:
    """Takes up a locked conversation whose time of rest is over."""
    conversation.reopen()
    await _status(session, conversation, [facts.StatusChanged], "webcare", {"from": "snoozed", "to": "open"}, "resumed")


async def wait_for_customer(session: WriteSession, conversation: Conversation, *, actor: str) -> None:
    """Says of a locked conversation that the customer has the word: pending."""
    former = conversation.status
    conversation.must_not_be_closed()
    if former == Status.PENDING:
        return
    conversation.status = Status.PENDING
    conversation.changed()
    await _status(session, conversation, [facts.StatusChanged], actor, {"from": former, "to": "pending"}, "paused")


async def resolve(session: WriteSession, conversation: Conversation, *, actor: str) -> None:
    """Says of a locked conversation that the matter is settled; the resolution clock stops."""
    former = conversation.status
    conversation.resolve()
    about = {"from": former, "to": "resolved"}
    await _status(session, conversation, [facts.ConversationResolved], actor, about, "stopped")


async def reopen(session: WriteSession, conversation: Conversation, *, actor: str, reason: str) -> None:
    """Takes a locked conversation up again."""
    former = conversation.status
    conversation.reopen()
    conversation.waiting_since = conversation.waiting_since or clock.now()
    kind: EventKind = "reopened" if former == Status.RESOLVED else "resumed"
    fact = facts.ConversationReopened if former == Status.RESOLVED else facts.StatusChanged
    await _status(session, conversation, [fact], actor, {"from": former, "to": "open", "because": reason}, kind)


async def _status(
    session: WriteSession,
    conversation: Conversation,
    told: Sequence[type[Fact]],
    actor: str,
    detail: Mapping[str, Any],
    kind: EventKind,
) -> None:
    """The clocks hear of it, the nearest deadline is stored, the facts are told."""
    now, cause = clock.now(), f"{kind}:{conversation.version}"
    workspace_id = conversation.workspace_id
    about: dict[str, Any] = {"subject_id": conversation.id, "conversation_id": conversation.id}
    await session.flush()
    metrics: tuple[Metric, ...] = METRICS
    if kind == "paused":
        metrics = await clocks.that_pause(session, workspace_id, conversation.id, conversation.status)
    elif kind in {"stopped", "reopened"}:
        metrics = ("resolution", "update")
    happenings = (
        [Happening(conversation.id, kind, now, cause, metrics, _REASON.get(Status(conversation.status), ""))]
        if metrics
        else []
    )
    sla_facts, deadlines = await clocks.happened(session, workspace_id, happenings)
    if conversation.id in deadlines:
        conversation.next_deadline_at = deadlines[conversation.id]
        await session.flush()
    await outbox.add(
        session, workspace_id, [*(one(**about, detail={**detail, "by": actor}) for one in told), *sla_facts]
    )


async def close(session: WriteSession, workspace_id: UUID, conversation_ids: Sequence[UUID]) -> int:
    """Closes conversations that were resolved long enough ago, for good. Returns how many."""
    closed = await store.close(session, workspace_id, conversation_ids)
    await outbox.add(
        session,
        workspace_id,
        [
            facts.StatusChanged(
                subject_id=one, conversation_id=one, detail={"from": "resolved", "to": "closed", "by": "webcare"}
            )
            for one in closed
        ],
    )
    return len(closed)
