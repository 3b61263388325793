"""Queues: where work waits, and who gets it next."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for, past, skills
from services.api.desk.desk import Desk
from shared.acts import conversations as acts
from shared.acts import routing
from shared.kit import clock, ids
from shared.kit.errors import Conflict, Forbidden, Invalid
from shared.models.people import Agent, Queue, QueueFields, Team
from shared.models.sla import Calendar
from shared.rules import filter as filters
from shared.rules import routing as rules
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.store import conversation as conversations
from shared.store import conversation_filter, rows
from shared.store import queues as store
from shared.store import routing as decisions

LOOKED_AT = (20, 500, 10_000)
"""How far down a queue an agent's next piece of work is looked for: nearly always it is among the first."""
SAMPLES = 10
NEXT = "the next in the queue for whoever asked"


async def create_queue(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a queue. A conversation goes to the first by position whose filter matches."""
    asked = await _read(desk, fields.read_fields(QueueFields, given))
    looked_for.may_filter(desk, asked.filter)
    queue = Queue(workspace_id=desk.workspace_id, **fields.values_of(asked))
    await rows.add(desk.session, queue)
    return queue.id


async def change_queue(desk: Desk, queue_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a queue. What waits in it already stays."""
    queue = await rows.take(desk.session, Queue, desk.workspace_id, queue_id)
    asked = await _read(desk, fields.changed_fields(QueueFields, queue, given))
    looked_for.may_filter(desk, asked.filter, queue.filter)
    fields.lay_over(queue, asked)
    await rows.touch(desk.session, queue)
    return queue.id


async def remove_queue(desk: Desk, queue_id: UUID) -> None:
    """Takes an empty queue away. Raises Conflict while conversations wait in it."""
    queue = await rows.take(desk.session, Queue, desk.workspace_id, queue_id)
    if waiting := await store.unresolved(desk.session, desk.workspace_id, queue_id):
        raise Conflict(f"{waiting} conversations are in this queue; move them to another one first.")
    await rows.remove(desk.session, queue)


async def next_in_queue(desk: Desk, queue_id: UUID) -> UUID | None:
    """Gives the asking agent the conversation that is best taken next: by priority, nearest deadline, time waited, of those that the
    agent has the skills and the capacity for. None where nothing waits for this agent. However many ask at once, each gets
    another one.

    Raises NotFound, Forbidden where no agent asks or the queue is of other teams."""
    agent_id = desk.acting_agent()
    queue = await rows.find(desk.session, Queue, desk.workspace_id, queue_id)
    if queue is None:
        queue = await rows.take(desk.session, Queue, desk.workspace_id, queue_id)
    agent = await rows.find(desk.session, Agent, desk.workspace_id, agent_id)
    if agent is None:
        raise Forbidden("The agent of this key is no longer there.", code="unknown_agent")
    teams = {*queue.team_ids, *queue.secondary_team_ids}
    if teams and not teams & set(agent.team_ids):
        raise Forbidden(f"{agent.name} is in no team of the queue {queue.name}.", code="not_in_team")
    await store.lock_routing(desk.session, desk.workspace_id)
    for limit in LOOKED_AT:
        found = await routing.situation(desk.session, queue, clock.now(), limit=limit, only=agent_id)
        (asking,) = found.candidates
        item, _ = rules.next_for(asking, found.items, found.rules, at=found.at)
        if item is not None:
            break
        if len(found.items) < limit:
            return None
    else:
        return None
    place = (desk.workspace_id, queue_id)
    if not await decisions.still_waiting(desk.session, place, [item.conversation_id], patient=True):
        raise Conflict("Somebody took it by hand at this moment; ask again.", code="taken_meanwhile")
    decision = rules.decide(item, [asking], found.rules, at=found.at, seed=ids.new_id().hex)
    decided = routing.written(found, item, decision, kind="next", reason=NEXT)
    conversation = await conversations.lock(desk.session, desk.workspace_id, item.conversation_id)
    await acts.assign(
        desk.session, conversation, agent_id, team_id=None, actor=desk.actor.said(), reason=NEXT, decisions=[decided]
    )
    return conversation.id


async def _read(desk: Desk, asked: QueueFields) -> QueueFields:
    try:
        filters.parse(asked.filter, CONVERSATION_FIELDS)
    except Invalid as wrong:
        errors = [(f"/filter{pointer}", detail) for pointer, detail in wrong.errors]
        raise Invalid(wrong.detail, errors=errors) from wrong
    await fields.must_exist(desk, Team, asked.team_ids, "/team_ids")
    await fields.must_exist(desk, Team, asked.secondary_team_ids, "/secondary_team_ids")
    await fields.must_exist(desk, Agent, [asked.overflow_agent_id], "/overflow_agent_id")
    await fields.must_exist(desk, Calendar, [asked.calendar_id], "/calendar_id")
    if errors := _wrong_needs(asked):
        raise Invalid("Some needs are not right.", errors=errors)
    await skills.know(desk, asked.needs)
    return asked


def _wrong_needs(asked: QueueFields) -> list[tuple[str, str]]:
    errors = skills.wrong(asked.needs, "/needs", needs_name=False, also=("required",))
    for place, one in enumerate(asked.needs):
        if one.get("name") is None and one.get("kind") not in rules.OF_CONVERSATIONS:
            said = f"Name the skill; only {', '.join(rules.OF_CONVERSATIONS)} are known from the conversation."
            errors.append((f"/needs/{place}/name", said))
        if not isinstance(one.get("required", True), bool):
            errors.append((f"/needs/{place}/required", "is true or false"))
    return errors


async def dry_run_queue(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a queue would have got of the conversations opened in a period: {"filter", "position"?, "from"?, "to"?}. Conversations are
    judged as they stand now. Returns hits, taken (of those that a later queue, or none, has), by queue, and samples. Nothing is changed."""
    fields.refuse_others(given, ("filter", "position", "from", "to"))
    asked = fields.read_fields(
        QueueFields, {"name": "tried", **{n: given[n] for n in ("filter", "position") if n in given}}
    )
    asked = await _read(desk, asked)
    since, until = past.period(given)
    where = filters.parse(asked.filter, CONVERSATION_FIELDS)
    looked_for.may_ask(desk, where)
    async with desk.reading() as connection:
        found = await conversation_filter.opened_between(connection, where, since, until, samples=SAMPLES)
    by_queue = [
        {
            "queue_id": str(row["queue_id"]) if row["queue_id"] else None, "queue": row["queue"], "hits": row["hits"],
            "taken": row["position"] is None or asked.position < row["position"],
            "samples": [str(one) for one in row["ids"]],
        }
        for row in found
    ]  # fmt: skip
    return {
        "from": clock.iso(since), "to": clock.iso(until), "hits": sum(row["hits"] for row in by_queue),
        "taken": sum(row["hits"] for row in by_queue if row["taken"]), "queues": by_queue,
    }  # fmt: skip
