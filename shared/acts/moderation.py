"""What happens to what is asked of a venue. Each step is one transaction; `sending` is committed before the venue hears anything."""

from typing import Any

from shared import outbox
from shared.kit import clock
from shared.kit.database import WriteSession
from shared.models import facts
from shared.models.facts import Fact
from shared.models.moderation import Moderation, ModerationAction, ModerationState
from shared.models.reply import ReplyState
from shared.store import moderation as store
from shared.store import reply as replies

LONGEST_ERROR = 1_000
SOON = 3
"""Its priority among the work: after urgent answers, before what can wait."""


async def request(session: WriteSession, moderation: Moderation) -> None:
    """Stores it and tells it, so that it is carried."""
    session.add(moderation)
    await session.flush()
    await outbox.add(session, moderation.workspace_id, [facts.ModerationRequested(**_about(moderation), priority=SOON)])


def begin(moderation: Moderation) -> None:
    """Marks a locked moderation as being sent. Raises Conflict where somebody else sends or sent it."""
    moderation.become(ModerationState.SENDING)
    moderation.attempts += 1
    moderation.sending_at = clock.now()


def put_back(moderation: Moderation, error: str) -> None:
    """It waits again: the venue surely did not hear it, or may hear it twice without harm."""
    moderation.become(ModerationState.QUEUED)
    moderation.error = error[:LONGEST_ERROR]


async def done(session: WriteSession, moderation: Moderation, *, settled_by: str | None = None) -> None:
    """The venue did it: the mention is hidden or shown from now on, the reply is deleted."""
    moderation.become(ModerationState.DONE)
    moderation.done_at, moderation.error = clock.now(), None
    _settle(moderation, settled_by)
    await session.flush()
    told: list[Fact] = [facts.ModerationDone(**_about(moderation), detail={"action": moderation.action})]
    if moderation.action in (ModerationAction.HIDE, ModerationAction.UNHIDE) and moderation.mention_id:
        hidden_at = moderation.done_at if moderation.action == ModerationAction.HIDE else None
        await store.set_hidden(session, moderation.workspace_id, moderation.mention_id, hidden_at)
    if moderation.action == ModerationAction.DELETE_REPLY and moderation.reply_id:
        reply = await replies.lock(session, moderation.workspace_id, moderation.reply_id)
        if reply.state == ReplyState.SENT:
            reply.become(ReplyState.DELETED)
            reply.deleted_at = moderation.done_at
            await session.flush()
            detail = {"by": moderation.actor}
            told.append(facts.ReplyDeleted(subject_id=reply.id, conversation_id=reply.conversation_id, detail=detail))
    await outbox.add(session, moderation.workspace_id, told)


async def failed(session: WriteSession, moderation: Moderation, error: str, *, settled_by: str | None = None) -> None:
    """The venue did not do it and will not."""
    moderation.become(ModerationState.FAILED)
    _settle(moderation, settled_by)
    await _went_wrong(session, moderation, error, facts.ModerationFailed)


async def unknown(session: WriteSession, moderation: Moderation, error: str) -> None:
    """Nobody knows whether the venue took it: a person looks, and says so."""
    moderation.become(ModerationState.UNKNOWN)
    await _went_wrong(session, moderation, error, facts.ModerationOutcomeUnknown)


async def _went_wrong(session: WriteSession, moderation: Moderation, error: str, fact: type[Fact]) -> None:
    moderation.error = error[:LONGEST_ERROR]
    await session.flush()
    detail = {"action": moderation.action, "error": moderation.error}
    await outbox.add(session, moderation.workspace_id, [fact(**_about(moderation), detail=detail)])


def _settle(moderation: Moderation, by: str | None) -> None:
    if by is not None:
        moderation.settled_at, moderation.settled_by = clock.now(), by


def _about(moderation: Moderation) -> dict[str, Any]:
    return {"subject_id": moderation.id, "conversation_id": moderation.conversation_id}
