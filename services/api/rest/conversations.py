"""Conversations over REST."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import Response

from services.api.auth import Action
from services.api.desk import conversations, events, replies, sla_clocks
from services.api.desk.desk import Desk
from services.api.rest.door import Call, Door, Parameter, answer, filters_of, one, page, shape
from services.api.rest.inputs import (
    CHECK,
    CLOCK,
    CONVERSATION_CHANGE,
    EVENT_PAGE,
    EXPLANATION,
    ID,
    REPLY,
    TEXT,
    TIME,
    data_of,
    maybe,
    record,
)
from services.api.rest.params import PARAMETERS_OF_A_FEED

door = Door("conversations")
_ASSIGN = record(("agent_id",), agent_id=maybe(ID), team_id=maybe(ID))
_SNOOZE = record(("until",), until=TIME)
_NOTE = record(("text",), text={**TEXT, "minLength": 1, "maxLength": 20000})
_REPLY_EXAMPLE = {"text": "Sorry about that! We are on it.", "visibility": "public"}


async def _told(
    call: Call, noun: str, verb: Callable[[Desk, UUID, Mapping[str, Any], int | None], Awaitable[UUID]]
) -> Response:
    """What a verb made of the conversation, told what is in the body and which version the caller saw."""
    key, given, seen = call.id(), await call.body(), call.expected_version()
    return await call.write(noun, lambda desk: verb(desk, key, given, seen))


async def _done(call: Call, verb: Callable[[Desk, UUID, int | None], Awaitable[UUID]]) -> Response:
    """The same for a verb that needs no more than the conversation."""
    key, seen = call.id(), call.expected_version()
    return await call.write("conversation", lambda desk: verb(desk, key, seen))


@door.get(
    "/conversations",
    "listConversations",
    Action.READ_CONVERSATIONS,
    page("conversation"),
    query=filters_of("conversation"),
)
async def list_conversations(call: Call) -> Response:
    """Conversations, the newest first; `order=queue` gives the order in which they are to be worked on."""
    return await call.listed("conversation")


@door.get(
    "/conversations/{id}", "getConversation", Action.READ_CONVERSATIONS, one("conversation"), versioned="optional"
)
async def get_conversation(call: Call) -> Response:
    """One conversation. Its ETag is its version."""
    return await call.one("conversation", call.id())


@door.patch(
    "/conversations/{id}", "changeConversation", Action.WORK_CONVERSATIONS, one("conversation"), takes=CONVERSATION_CHANGE,
    example={"priority": "high"}, versioned="required",
)  # fmt: skip
async def change_conversation(call: Call) -> Response:
    """Changes what is sent of a conversation. If-Match is required."""
    return await _told(call, "conversation", conversations.change_conversation)


@door.post(
    "/conversations/{id}/assign", "assignConversation", Action.WORK_CONVERSATIONS, one("conversation"), takes=_ASSIGN,
    status=200, versioned="optional",
)  # fmt: skip
async def assign_conversation(call: Call) -> Response:
    """Gives it to an agent; `null` gives it back to its queue."""
    return await _told(call, "conversation", conversations.assign_conversation)


@door.post(
    "/conversations/{id}/snooze", "snoozeConversation", Action.WORK_CONVERSATIONS, one("conversation"), takes=_SNOOZE,
    status=200, versioned="optional", example={"until": "2026-11-23T08:00:00Z"},
)  # fmt: skip
async def snooze_conversation(call: Call) -> Response:
    """Puts it aside until a moment; a message of the customer takes it up before."""
    return await _told(call, "conversation", conversations.snooze_conversation)


@door.post(
    "/conversations/{id}/resolve", "resolveConversation", Action.WORK_CONVERSATIONS, one("conversation"), status=200,
    versioned="optional",
)  # fmt: skip
async def resolve_conversation(call: Call) -> Response:
    """Says that the matter is settled; the resolution clock stops."""
    return await _done(call, conversations.resolve_conversation)


@door.post(
    "/conversations/{id}/reopen", "reopenConversation", Action.WORK_CONVERSATIONS, one("conversation"), status=200,
    versioned="optional",
)  # fmt: skip
async def reopen_conversation(call: Call) -> Response:
    """Takes a resolved, snoozed or pending conversation up again."""
    return await _done(call, conversations.reopen_conversation)


@door.get("/conversations/{id}/messages", "listMessages", Action.READ_CONVERSATIONS, page("message"))
async def list_messages(call: Call) -> Response:
    """The turns of a conversation, the oldest first: what the customer wrote, what we answered, notes."""
    await call.one("conversation", call.id())
    return await call.listed("message", conversation=call.id())


@door.post(
    "/conversations/{id}/notes",
    "addNote",
    Action.WORK_CONVERSATIONS,
    one("message"),
    takes=_NOTE,
    example={"text": "Called back; waits for the engineer."},
)
async def add_note(call: Call) -> Response:
    """Writes an internal note; no customer ever sees it."""
    given = await call.body()
    return await call.write("message", lambda desk: conversations.add_note(desk, call.id(), given))


@door.get("/conversations/{id}/replies", "listRepliesOfConversation", Action.READ_REPLIES, page("reply"))
async def list_replies_of_conversation(call: Call) -> Response:
    """Our answers in a conversation, the newest first."""
    await call.one("conversation", call.id())
    return await call.listed("reply", conversation=call.id())


@door.post(
    "/conversations/{id}/replies", "createReply", Action.WRITE_REPLIES, one("reply"), takes=REPLY, example=_REPLY_EXAMPLE,
    versioned="stale", also={409: "The conversation is closed, or the venue takes no answer now."},
)  # fmt: skip
async def create_reply(call: Call) -> Response:
    """Answers the customer by the channel on which they wrote.

    The venue's rules are checked first; a text that is too long says by how much. The answer is queued and carried out
    at most once; its state tells what became of it. Send an Idempotency-Key, so that a lost connection does not answer twice.
    """
    return await _told(call, "reply", replies.create_reply)


@door.post(
    "/conversations/{id}/replies/check", "checkDraft", Action.WRITE_REPLIES, shape(CHECK), takes=REPLY, status=200,
    example=_REPLY_EXAMPLE,
)  # fmt: skip
async def check_draft(call: Call) -> Response:
    """Says whether the venue would take this answer, and what it would have to be split into; nothing is kept."""
    key, given = call.id(), await call.body()
    return await call.do(lambda desk: replies.check_draft(desk, key, given))


@door.get("/conversations/{id}/sla", "listClocks", Action.READ_CONVERSATIONS, shape(data_of(CLOCK)))
async def list_clocks(call: Call) -> Response:
    """How the promises to this conversation stand at this moment."""
    return answer({"data": await sla_clocks.list_clocks(call.desk, call.id())})


@door.get(
    "/conversations/{id}/sla/{metric}/explain", "explainClock", Action.READ_CONVERSATIONS, shape(EXPLANATION),
    query={"instance": Parameter("integer", "Which of several clocks of that metric; the latest unless said otherwise.")},
)  # fmt: skip
async def explain_clock(call: Call) -> Response:
    """Which time counted and which did not, from the start to now, and why."""
    call.only("instance")
    instance = call.whole_number("instance")
    return answer(await sla_clocks.explain_clock(call.desk, call.id(), call.part("metric"), instance))


@door.get("/conversations/{id}/routing", "listRoutingDecisions", Action.READ_CONVERSATIONS, page("routing_decision"))
async def list_routing_decisions(call: Call) -> Response:
    """Why it went to which queue and agent, the newest first."""
    await call.one("conversation", call.id())
    return await call.listed("routing_decision", conversation=call.id())


@door.get(
    "/conversations/{id}/timeline",
    "getTimeline",
    Action.READ_CONVERSATIONS,
    shape(EVENT_PAGE),
    query=PARAMETERS_OF_A_FEED,
)
async def get_timeline(call: Call) -> Response:
    """Everything that happened to a conversation, in order; go on with `after`."""
    await call.one("conversation", call.id())
    return await call.feed(lambda after, limit, types: events.read_feed(call.desk, after, limit, types, call.id()))
