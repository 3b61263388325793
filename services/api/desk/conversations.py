"""Conversations: what an agent does with one. Each verb locks it, and refuses what was seen at an older version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared import outbox
from shared.acts import conversations as acts
from shared.acts import offer_ends
from shared.kit import clock, ids
from shared.kit.errors import Conflict, Invalid, StaleVersion
from shared.models import facts
from shared.models.brand import Brand
from shared.models.conversation import Conversation, Kind, Message, Priority, Status
from shared.models.people import Agent, Queue, Team
from shared.store import conversation as store
from shared.store import issue_types, rows

CHANGEABLE = ("subject", "priority", "status", "queue_id", "team_id", "brand_id", "tags", "issue_keys")


async def take(desk: Desk, conversation_id: UUID, expected: int | None = None) -> Conversation:
    """The conversation, locked. Raises NotFound, and StaleVersion where it is no longer at the version the caller saw."""
    conversation = await store.lock(desk.session, desk.workspace_id, conversation_id)
    if expected is not None and conversation.version != expected:
        raise StaleVersion(
            f"Conversation {conversation.number} is at version {conversation.version}; you have seen {expected}. "
            "Read it again and decide anew."
        )
    return conversation


async def change_conversation(
    desk: Desk, conversation_id: UUID, given: Mapping[str, Any], expected: int | None = None
) -> UUID:
    """Changes what is given: subject, priority, status (open or pending), queue, team, brand, tags, issue types.

    Raises NotFound, StaleVersion, ConversationClosed, Invalid."""
    fields.refuse_others(given, CHANGEABLE)
    conversation = await take(desk, conversation_id, expected)
    conversation.must_not_be_closed()
    changed = await _read_changes(desk, given)
    told: list[facts.Fact] = []
    about: dict[str, Any] = {"subject_id": conversation.id, "conversation_id": conversation.id}
    before = {name: getattr(conversation, name) for name in changed}
    plain = {
        name: value for name, value in changed.items() if name not in ("status", "priority") and before[name] != value
    }
    for name, value in plain.items():
        setattr(conversation, name, value)
    if plain:
        conversation.changed()
        await desk.session.flush()
    if "queue_id" in plain:
        detail = {"queue_id": plain["queue_id"], "former_queue_id": before["queue_id"], "by": desk.actor.said()}
        told.append(facts.ConversationRouted(**about, detail=detail))
        await offer_ends.moved(desk.session, conversation)
    await outbox.add(desk.session, desk.workspace_id, told)
    if "priority" in changed and changed["priority"] != before["priority"]:
        await acts.prioritise(desk.session, conversation, Priority(changed["priority"]), actor=desk.actor.said())
    elif plain.keys() & acts.FILTERED:
        await acts.refilter(desk.session, conversation)
    await _change_status(desk, conversation, changed.get("status"))
    return conversation.id


async def assign_conversation(
    desk: Desk, conversation_id: UUID, given: Mapping[str, Any], expected: int | None = None
) -> UUID:
    """Gives it to an agent, whatever that agent's capacity; {"agent_id": null} gives it back to its queue."""
    fields.refuse_others(given, ("agent_id", "team_id"))
    if "agent_id" not in given:
        raise Invalid("Say to whom.", errors=[("/agent_id", "is missing; null gives it back to its queue")])
    agent_id = fields.take_id(given, "agent_id", required=False)
    team_id = fields.take_id(given, "team_id", required=False)
    conversation = await take(desk, conversation_id, expected)
    await fields.must_exist(desk, Agent, [agent_id], "/agent_id")
    await fields.must_exist(desk, Team, [team_id], "/team_id")
    await acts.assign(
        desk.session, conversation, agent_id, team_id=team_id, actor=desk.actor.said(),
        reason="given by hand" if agent_id else "given back by hand",
    )  # fmt: skip
    return conversation.id


async def snooze_conversation(
    desk: Desk, conversation_id: UUID, given: Mapping[str, Any], expected: int | None = None
) -> UUID:
    """Puts it aside until a moment: {"until": "2026-11-23T08:00:00Z"}. A message of the customer takes it up before."""
    fields.refuse_others(given, ("until",))
    until = read_moment(given.get("until"), "/until")
    conversation = await take(desk, conversation_id, expected)
    await acts.snooze(desk.session, conversation, until, actor=desk.actor.said())
    return conversation.id


async def resolve_conversation(desk: Desk, conversation_id: UUID, expected: int | None = None) -> UUID:
    """Says that the matter is settled. Raises Conflict where it already is."""
    conversation = await take(desk, conversation_id, expected)
    await acts.resolve(desk.session, conversation, actor=desk.actor.said())
    return conversation.id


async def reopen_conversation(desk: Desk, conversation_id: UUID, expected: int | None = None) -> UUID:
    """Takes it up again. Raises Conflict where it is open already, ConversationClosed where it is closed for good."""
    conversation = await take(desk, conversation_id, expected)
    await acts.reopen(desk.session, conversation, actor=desk.actor.said(), reason="by hand")
    return conversation.id


async def add_note(desk: Desk, conversation_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Writes an internal note: {"text": "…"}. Returns the id of the message. No customer ever sees it."""
    fields.refuse_others(given, ("text",))
    text = fields.take_text(given, "text", most=20_000)
    conversation = await take(desk, conversation_id)
    note = Message(
        workspace_id=desk.workspace_id, id=ids.new_id(), conversation_id=conversation.id, kind=Kind.NOTE.value,
        agent_id=desk.actor.agent_id, text=text, at=clock.now(),
    )  # fmt: skip
    await rows.add(desk.session, note)
    conversation.messages += 1
    await rows.touch(desk.session, conversation)
    await outbox.add(
        desk.session, desk.workspace_id,
        [facts.NoteCreated(subject_id=note.id, conversation_id=conversation.id, detail={"by": desk.actor.said()})],
    )  # fmt: skip
    return note.id


def read_moment(value: Any, pointer: str) -> datetime:
    """A moment with its zone as a caller writes it. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(
            f"{pointer[1:]} must be a moment with its zone, as 2026-11-22T10:00:00Z.",
            errors=[(pointer, "is no such moment")],
        )
    return moment


async def _read_changes(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, table in (("queue_id", Queue), ("team_id", Team), ("brand_id", Brand)):
        if name in given:
            changed[name] = fields.take_id(given, name, required=False)
            await fields.must_exist(desk, table, [changed[name]], f"/{name}")
    if "subject" in given:
        changed["subject"] = fields.take_text(given, "subject", most=500, required=False)
    if "tags" in given:
        changed["tags"] = _words(given["tags"], "/tags")
    if "issue_keys" in given:
        keys = _words(given["issue_keys"], "/issue_keys")
        if unknown := await issue_types.unknown_keys(desk.session, desk.workspace_id, keys):
            raise Invalid("There are no such issue types.", errors=[("/issue_keys", f"unknown: {', '.join(unknown)}")])
        changed["issue_keys"] = keys
    for name, choices in (("priority", tuple(Priority)), ("status", (Status.OPEN, Status.PENDING))):
        if name in given:
            if given[name] not in choices:
                said = ", ".join(choices)
                raise Invalid(f"{name} can be set to {said}.", errors=[(f"/{name}", f"is none of {said}")])
            changed[name] = given[name]
    return changed


async def _change_status(desk: Desk, conversation: Conversation, status: str | None) -> None:
    if status is None or status == conversation.status:
        return
    if conversation.status == Status.RESOLVED:
        raise Conflict("It is resolved; reopen it first.")
    if status == Status.PENDING:
        await acts.wait_for_customer(desk.session, conversation, actor=desk.actor.said())
    else:
        await acts.reopen(desk.session, conversation, actor=desk.actor.said(), reason="by hand")


def _words(value: Any, pointer: str) -> list[str]:
    if not isinstance(value, list) or len(value) > 100:
        raise Invalid(f"{pointer[1:]} must be a list of at most 100 words.", errors=[(pointer, "is no such list")])
    if not all(isinstance(one, str) and 0 < len(one.strip()) <= 100 for one in value):
        raise Invalid(
            f"{pointer[1:]} must be words of 1 to 100 characters.", errors=[(pointer, "holds something else")]
        )
    return list(dict.fromkeys(one.strip() for one in value))
