"""What happens to our answers. Each step is one transaction; `sending` is committed before the venue hears anything, so that a
reply is never posted twice."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared import outbox
from shared.acts import conversations as threads
from shared.acts import promises
from shared.kit import clock, ids
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.conversation import Conversation, Status
from shared.models.reply import Reply, ReplyState
from shared.rules import sla_history
from shared.store import conversation as conversations
from shared.store import reply as store


def _about(reply: Reply) -> dict[str, Any]:
    return {"subject_id": reply.id, "conversation_id": reply.conversation_id}


async def queue(session: WriteSession, reply: Reply, *, priority: int = 5) -> None:
    """A new draft that may go out at once: stored, queued, and told, so that it is carried."""
    now = clock.now()
    await store.add(session, reply, now)
    reply.become(ReplyState.QUEUED)
    reply.queued_at = now
    await session.flush()
    await outbox.add(session, reply.workspace_id, [facts.ReplyQueued(**_about(reply), priority=priority)])


async def withdraw(session: WriteSession, reply: Reply, *, actor: str) -> None:
    """Takes a locked reply back before it goes out. Raises Conflict once it is on its way."""
    reply.become(ReplyState.WITHDRAWN)
    await outbox.add(session, reply.workspace_id, [facts.ReplyWithdrawn(**_about(reply), detail={"by": actor})])


def begin(reply: Reply) -> UUID:
    """Marks a locked reply as being sent, under a new attempt id, which is the client token where the venue takes one.
    Raises Conflict where somebody else sends or sent it."""
    reply.become(ReplyState.SENDING)
    reply.attempt_id = reply.attempt_id or ids.new_id()
    reply.attempts += 1
    reply.sending_at = clock.now()
    return reply.attempt_id


def put_back(reply: Reply, error: str) -> None:
    """The venue surely did not take it, and asked to try later: it waits again."""
    reply.become(ReplyState.QUEUED)
    reply.error = error


async def sent(
    session: WriteSession,
    reply: Reply,
    *,
    at: datetime,
    external_id: str | None,
    permalink: str | None,
    settled_by: str | None = None,
) -> None:
    """The venue took it at `at`: the reply clocks stop at that moment, also when it is learnt later."""
    reply.become(ReplyState.SENT)
    reply.sent_at, reply.external_id, reply.permalink, reply.error = at, external_id, permalink, None
    if settled_by is not None:
        reply.settled_at, reply.settled_by = clock.now(), settled_by
    conversation = await conversations.lock(session, reply.workspace_id, reply.conversation_id)
    history = await promises.of(session, conversation)
    answers = {"answers": str(reply.in_reply_to)} if reply.in_reply_to else {}
    history.add("automatic" if reply.automatic else "replied", at, f"reply:{reply.id}", answers)
    if not reply.automatic:
        conversation.first_replied_at = sla_history.first_answer(history.changes)
        waits = sla_history.waiting_since(history.changes)
        if conversation.status in {Status.RESOLVED, Status.CLOSED}:
            waits = None
        if waits is not None or not _waits_otherwise(conversation, history, at):
            conversation.waiting_since = waits
    told = await promises.changed(session, conversation, history)
    conversation.changed()
    await session.flush()
    await outbox.add(session, reply.workspace_id, [facts.ReplySent(**_about(reply)), *told])


def _waits_otherwise(conversation: Conversation, history: promises.History, at: datetime) -> bool:
    """Whether a conversation waits for another reason than a message: somebody took it up again after the answer."""
    asked = {change.at for change in history.changes if change.kind in sla_history.ASKED}
    since = conversation.waiting_since
    return since is not None and since > at and since not in asked


async def failed(session: WriteSession, reply: Reply, error: str, *, settled_by: str | None = None) -> None:
    """The venue did not take it and will not, or took it and could not deliver it; the agent has to do something else. Then
    nobody was answered: the conversation waits again, as if it had not been sent."""
    was_sent = reply.state == ReplyState.SENT
    reply.become(ReplyState.FAILED)
    reply.error = error[:1000]
    if settled_by is not None:
        reply.settled_at, reply.settled_by = clock.now(), settled_by
    await session.flush()
    detail = {"error": error[:1000], "was_sent": was_sent}
    await outbox.add(session, reply.workspace_id, [facts.ReplyFailed(**_about(reply), detail=detail)])
    if was_sent:
        await _unanswered(session, reply)


async def _unanswered(session: WriteSession, reply: Reply) -> None:
    """Takes back what `sent` did: the reply clocks run on as if they had never stopped, and where no other answer came since, the
    customer waits from when they first wrote, in a conversation that is open."""
    conversation = await conversations.lock(session, reply.workspace_id, reply.conversation_id)
    history = await promises.of(session, conversation)
    history.add("annulled", history.moment(), f"reply:{reply.id}", {})
    told = await promises.changed(session, conversation, history)
    if reply.automatic:
        await outbox.add(session, reply.workspace_id, told)
        return
    conversation.first_replied_at = sla_history.first_answer(history.changes)
    waiting_since = sla_history.waiting_since(history.changes)
    if waiting_since is not None and conversation.status != Status.CLOSED:
        conversation.waiting_since = waiting_since
        if conversation.status != Status.OPEN:
            await threads.reopen(session, conversation, actor="webcare", reason="the answer could not be delivered")
    conversation.changed()
    await session.flush()
    await outbox.add(session, reply.workspace_id, told)


async def unknown(session: WriteSession, reply: Reply, error: str) -> None:
    """Nobody knows whether the venue took it. It is never sent again blindly: a client token, a read-back or a person decides."""
    reply.become(ReplyState.UNKNOWN)
    reply.error = error[:1000]
    await session.flush()
    await outbox.add(
        session, reply.workspace_id, [facts.ReplyOutcomeUnknown(**_about(reply), detail={"error": error[:1000]})]
    )
