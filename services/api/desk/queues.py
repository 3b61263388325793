"""Queues: where work waits, and who gets it next."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, looked_for
from services.api.desk.desk import Desk
from shared.acts import conversations as acts
from shared.kit.errors import Conflict, Forbidden, Invalid
from shared.models.people import Agent, Queue, QueueFields, Team
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS
from shared.store import conversation as conversations
from shared.store import queues as store
from shared.store import rows


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
    """Gives the asking agent the conversation that is best taken next: by priority, nearest deadline, time waited, in a language
    the agent has. None where nothing waits. However many ask at once, each gets another one.

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
    found = await conversations.best_waiting(desk.session, desk.workspace_id, queue_id, languages=agent.languages)
    if not found:
        return None
    conversation = found[0]
    await acts.assign(
        desk.session, conversation, agent_id, team_id=None, actor=desk.actor.said(), reason="next in the queue"
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
    return asked
