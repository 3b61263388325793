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
from shared.acts import clocks, offer_ends, promises
from shared.acts.policies import PolicyInForce, in_force
from shared.acts.promises import History
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.conversation import PRIORITY_RANK, REOPENS_WITHIN, Conversation, Priority, Status
from shared.models.facts import Fact
from shared.rules import conversation_fields
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.rules.sla_history import ChangeKind
from shared.store import conversation as store
from shared.store import routing

FILTERED = frozenset({"subject", "queue_id", "team_id", "brand_id", "tags", "issue_keys"})
"""What people change of a conversation and policies may ask for, beside its priority and status."""
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
    opened: list[History] = field(default_factory=list)
    extended: list[History] = field(default_factory=list)
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
        known = await promises.known(session, workspace_id, [row.id for row in standing.values()])
        for key, group in waiting.items():
            former = standing.get(key)
            if former is not None and _goes_on(former, group[0].received_at, reopens_within):
                extending.append(_extended(former, known[former.id], group, policies, story))
                placed.update({one.mention_id: former.id for one in group})
            else:
                opening.append(_opened(former, group, policies, queues, story))
        taken = await store.add_many(session, workspace_id, [row for row, _ in opening])
        for row, group in opening:
            if row["id"] in taken:
                placed.update({one.mention_id: row["id"] for one in group})
        lost = {row["id"] for row, _ in opening} - taken  # somebody else opened that thread meanwhile: extend theirs
        await _write(session, workspace_id, story, extending, lost, policies)
        waiting = {row["thread_key"]: group for row, group in opening if row["id"] in lost}
    return placed


async def _write(
    session: WriteSession, workspace_id: UUID, story: _Story, extending: Sequence[dict[str, Any]], lost: set[UUID],
    policies: Sequence[PolicyInForce],
) -> None:  # fmt: skip
    told, deadlines = await promises.settle(session, workspace_id, story.extended, policies)
    for row in extending:
        if row["id"] in deadlines:
            row["next_deadline_at"] = deadlines[row["id"]]
    begun = [one for one in story.opened if one.conversation_id not in lost]
    started = await promises.opened(session, workspace_id, begun, policies)
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
        "visibility": first.visibility, "country": first.seen.get("country"), "status": Status.OPEN.value, "priority": worst.priority.value,
        "priority_rank": PRIORITY_RANK[worst.priority], "priority_score": worst.priority_score, "sentiment": first.sentiment,
        "queue_id": None, "team_id": None, "issue_keys": keys, "waiting_since": first.received_at, "queued_at": now,
        "last_message_at": group[-1].received_at, "messages": len(group), "version": 1, "reopened": 0,
        "previous_conversation_id": former.id if former is not None else None,
    }  # fmt: skip
    seen = conversation_fields.row(row, first.seen)
    history = History(conversation_id)
    _hear(history, {**row, "priority": Priority.LOW.value, "priority_score": 0.0, "issue_keys": []}, group, policies)
    row["next_deadline_at"] = clocks.first_deadline(promises.foretold(history, policies))
    story.opened.append(history)
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


def _extended(
    row: Row[Any], history: History, group: list[Arrival], policies: Sequence[PolicyInForce], story: _Story
) -> dict[str, Any]:
    now, worst = clock.now(), _highest(group)
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
    _hear(history, dict(row._mapping), group, policies)
    story.extended.append(history)
    if row.status == Status.RESOLVED:
        story.facts.append(facts.ConversationReopened(**about, detail={"because": "the customer wrote again"}))
    elif row.status != Status.OPEN:
        story.facts.append(
            facts.StatusChanged(**about, detail={"from": row.status, "to": "open", "because": "the customer wrote"})
        )
    if (
        row.status != Status.OPEN
    ):  # what was written before we put it aside, and found after, takes it up when it is found
        history.add("status", history.moment(), f"status:{changed['version']}", {"from": row.status, "to": "open"})
    if priority != row.priority:
        story.facts.append(facts.PriorityChanged(**about, detail={"from": row.priority, "to": priority.value}))
    return changed


def _hear(
    history: History, row: Mapping[str, Any], group: Sequence[Arrival], policies: Sequence[PolicyInForce]
) -> None:
    """Adds messages to a history one after the other, each with the conversation as it stands by it, whatever came in together."""
    stands = dict(row)
    for one in group:
        stands["priority"] = min(Priority(stands["priority"]), one.priority, key=lambda p: PRIORITY_RANK[p]).value
        stands["priority_score"] = max(stands["priority_score"], one.priority_score)
        stands["issue_keys"] = list(dict.fromkeys([*stands["issue_keys"], *one.issue_keys]))
        stands["sentiment"] = one.sentiment or stands["sentiment"]
        stands["status"] = Status.OPEN.value
        history.heard(
            "message" if history.changes else "opened", str(one.mention_id), stands, one.seen,
            received_at=one.received_at, published_at=one.published_at, in_force=policies,
        )  # fmt: skip


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
    decisions: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Gives a locked conversation to an agent, or back to its queue (None), and keeps the decisions, as shared/acts/routing.py writes
    them; None: that it was done by hand."""
    former = conversation.assignee_id
    conversation.assign(agent_id, team_id)
    await offer_ends.withdraw(session, conversation, reason)
    about: dict[str, Any] = {"subject_id": conversation.id, "conversation_id": conversation.id}
    detail = {"agent_id": agent_id, "former_agent_id": former, "by": actor}
    fact = facts.ConversationAssigned if agent_id else facts.ConversationReleased
    by_hand = {
        "conversation_id": conversation.id, "kind": "manual", "queue_id": conversation.queue_id, "agent_id": agent_id, "reason": reason,
    }  # fmt: skip
    await routing.add_decisions(session, conversation.workspace_id, [by_hand] if decisions is None else decisions)
    await outbox.add(session, conversation.workspace_id, [fact(**about, detail=detail)])


async def prioritise(session: WriteSession, conversation: Conversation, priority: Priority, *, actor: str) -> None:
    """Gives a locked conversation another priority; its clocks run on under the terms of that priority."""
    former = conversation.priority
    conversation.must_not_be_closed()
    conversation.priority, conversation.priority_rank = priority.value, PRIORITY_RANK[priority]
    conversation.changed()
    await session.flush()
    told = await _refilter(session, conversation, "priority", {"from": former, "to": priority.value})
    detail = {"from": former, "to": priority.value, "by": actor}
    changed = facts.PriorityChanged(subject_id=conversation.id, conversation_id=conversation.id, detail=detail)
    await outbox.add(session, conversation.workspace_id, [changed, *told])


async def refilter(session: WriteSession, conversation: Conversation) -> None:
    """Tells the promises that something of a locked conversation is another, which policies may ask for: the first that matches now
    holds from now on, and the time used is kept."""
    told = await _refilter(session, conversation, "fields", {})
    await outbox.add(session, conversation.workspace_id, told)


async def _refilter(
    session: WriteSession, conversation: Conversation, kind: ChangeKind, detail: Mapping[str, Any]
) -> Sequence[Fact]:
    history = await promises.of(session, conversation)
    policies = await in_force(session, conversation.workspace_id)
    said = {**detail, "seen": history.seen(conversation.model_dump())}
    history.add(kind, history.moment(), f"{kind}:{conversation.version}", said, policies)
    return await promises.changed(session, conversation, history, policies)


async def snooze(session: WriteSession, conversation: Conversation, until: datetime, *, actor: str) -> None:
    """Puts a locked conversation aside until `until`."""
    former = conversation.status
    conversation.snooze(until)
    await _status(session, conversation, former, [facts.ConversationSnoozed], actor, {"until": clock.iso(until)})


async def wake(session: WriteSession, conversation: Conversation) -> None:
    """Takes up a locked conversation whose time of rest is over."""
    former = conversation.status
    conversation.reopen()
    await _status(session, conversation, former, [facts.StatusChanged], "webcare", {"from": "snoozed", "to": "open"})


async def wait_for_customer(session: WriteSession, conversation: Conversation, *, actor: str) -> None:
    """Says of a locked conversation that the customer has the word: pending."""
    former = conversation.status
    conversation.must_not_be_closed()
    if former == Status.PENDING:
        return
    conversation.status = Status.PENDING
    conversation.changed()
    await _status(session, conversation, former, [facts.StatusChanged], actor, {"from": former, "to": "pending"})


async def resolve(session: WriteSession, conversation: Conversation, *, actor: str) -> None:
    """Says of a locked conversation that the matter is settled; the resolution clock stops."""
    former = conversation.status
    conversation.resolve()
    about = {"from": former, "to": "resolved"}
    await _status(session, conversation, former, [facts.ConversationResolved], actor, about)


async def reopen(session: WriteSession, conversation: Conversation, *, actor: str, reason: str) -> None:
    """Takes a locked conversation up again."""
    former = conversation.status
    conversation.reopen()
    conversation.waiting_since = conversation.waiting_since or clock.now()
    fact = facts.ConversationReopened if former == Status.RESOLVED else facts.StatusChanged
    await _status(session, conversation, former, [fact], actor, {"from": former, "to": "open", "because": reason})


async def _status(
    session: WriteSession,
    conversation: Conversation,
    former: str,
    told: Sequence[type[Fact]],
    actor: str,
    detail: Mapping[str, Any],
) -> None:
    """The clocks hear of it, the nearest deadline is stored, the facts are told."""
    workspace_id = conversation.workspace_id
    about: dict[str, Any] = {"subject_id": conversation.id, "conversation_id": conversation.id}
    await session.flush()
    if conversation.status != Status.OPEN:
        await offer_ends.withdraw(session, conversation, f"it is {conversation.status}")
    history = await promises.of(session, conversation)
    said: dict[str, Any] = {"from": former, "to": conversation.status}
    policies: Sequence[PolicyInForce] = ()
    cause = f"status:{conversation.version}"
    if former == Status.RESOLVED:  # what was promised may be another by now
        policies = await in_force(session, workspace_id)
        said["seen"] = history.seen(conversation.model_dump())
        history.add("status", history.moment(), cause, said, policies)
    else:
        history.add("status", history.moment(), cause, said)
    sla_facts = await promises.changed(session, conversation, history, policies)
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
