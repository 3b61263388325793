"""Moderation: a venue is asked to hide or show what a customer wrote, to look at it, or to take our own reply away."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.desk import Desk
from shared.acts import moderation as acts
from shared.kit import ids
from shared.kit.errors import Conflict, Invalid
from shared.models.moderation import (
    ABILITY,
    LONGEST_REASON,
    NEEDS_REASON,
    OPPOSITE,
    Moderation,
    ModerationAction,
    ModerationState,
)
from shared.models.reply import ReplyState
from shared.store import moderation as store
from shared.store.moderation import Subject


class ModerationRefused(Conflict):
    """The venue cannot do it, or there is nothing to do it to."""

    code = "moderation_not_possible"
    title = "The venue cannot do this"


class ModerationUnderWay(Conflict):
    """The same is asked already, or its opposite is just being carried out."""

    code = "moderation_under_way"
    title = "It is being done already"


_NOT_ABLE = {
    "hide": "cannot hide or show posts from here.",
    "report": "takes no reports from here.",
    "dispute": "takes no disputes from here.",
    "delete_reply": "lets us delete no replies from here.",
}
_DOING = {
    ModerationAction.HIDE: "It is being hidden already.",
    ModerationAction.UNHIDE: "It is being shown again already.",
    ModerationAction.REPORT: "It is being reported already.",
    ModerationAction.DISPUTE: "It is being disputed already.",
    ModerationAction.DELETE_REPLY: "It is being deleted already.",
}
_NOT_THERE = {
    ReplyState.DELETED: "This reply was deleted already.",
    ReplyState.QUEUED: "This reply has not gone out; withdraw it instead.",
    ReplyState.SENDING: "This reply is just going out; ask again in a moment.",
    ReplyState.UNKNOWN: "Nobody knows whether this reply stands at its venue; settle it first.",
}


async def hide_mention(desk: Desk, mention_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Asks the venue to hide a mention: {"reason": "…"}, the reason for ourselves. Returns the moderation's id.

    Raises NotFound, ModerationRefused where the venue cannot, ModerationUnderWay."""
    return await _of_mention(desk, mention_id, ModerationAction.HIDE, given)


async def unhide_mention(desk: Desk, mention_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Asks the venue to show a mention again. As `hide_mention`."""
    return await _of_mention(desk, mention_id, ModerationAction.UNHIDE, given)


async def report_mention(desk: Desk, mention_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Reports a mention to its venue: {"reason": "…"}, which the venue hears. As `hide_mention`."""
    return await _of_mention(desk, mention_id, ModerationAction.REPORT, given)


async def dispute_mention(desk: Desk, mention_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Disputes a review: {"reason": "…"}, which the venue hears. As `hide_mention`."""
    return await _of_mention(desk, mention_id, ModerationAction.DISPUTE, given)


async def delete_reply(desk: Desk, reply_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Asks the venue to delete a reply of ours that stands there. As `hide_mention`."""
    reason = _reason(ModerationAction.DELETE_REPLY, given)
    reply = await store.reply(desk.session, desk.workspace_id, reply_id)
    _must_be_able(reply, ModerationAction.DELETE_REPLY)
    if reply.state != ReplyState.SENT:
        said = _NOT_THERE.get(ReplyState(reply.state or ""), f"A reply that is {reply.state} does not stand there.")
        raise ModerationRefused(said)
    if reply.external_id is None:
        raise ModerationRefused("The venue's own id of this reply is not known; delete it at the venue itself.")
    return await _request(desk, reply, ModerationAction.DELETE_REPLY, reason)


async def settle_moderation(desk: Desk, moderation_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Says what became of a moderation whose outcome is unknown: {"outcome": "done"} or {"outcome": "failed", "note": "…"}.

    Raises Conflict where its outcome is known."""
    fields.refuse_others(given, ("outcome", "note"))
    outcome = given.get("outcome")
    if outcome not in ("done", "failed"):
        raise Invalid("Say what became of it: done or failed.", errors=[("/outcome", "is neither done nor failed")])
    note = fields.take_text(given, "note", most=1_000, required=False)
    moderation = await store.lock(desk.session, desk.workspace_id, moderation_id)
    if moderation.state != ModerationState.UNKNOWN:
        raise Conflict(f"This moderation is {moderation.state}; only one whose outcome is unknown can be settled.")
    by = desk.actor.said()
    if outcome == "done":
        await acts.done(desk.session, moderation, settled_by=by)
    else:
        await acts.failed(
            desk.session, moderation, note or "A person looked: the venue did not take it.", settled_by=by
        )
    return moderation.id


async def _of_mention(desk: Desk, mention_id: UUID, action: ModerationAction, given: Mapping[str, Any]) -> UUID:
    reason = _reason(action, given)
    mention = await store.mention(desk.session, desk.workspace_id, mention_id)
    _must_be_able(mention, action)
    if mention.deleted_at is not None:
        raise ModerationRefused("The mention has been deleted at its venue.")
    return await _request(desk, mention, action, reason)


def _reason(action: ModerationAction, given: Mapping[str, Any]) -> str | None:
    fields.refuse_others(given, ("reason",))
    return fields.take_text(given, "reason", most=LONGEST_REASON, required=action in NEEDS_REASON)


def _must_be_able(subject: Subject, action: ModerationAction) -> None:
    if ABILITY[action] not in subject.abilities:
        raise ModerationRefused(f"{subject.title} {_NOT_ABLE[ABILITY[action]]}")


async def _request(desk: Desk, subject: Subject, action: ModerationAction, reason: str | None) -> UUID:
    for other in await store.open_of(desk.session, desk.workspace_id, subject.id):
        await _make_way(desk, other, action)
    of_reply = action == ModerationAction.DELETE_REPLY
    moderation = Moderation(
        workspace_id=desk.workspace_id, id=ids.new_id(), action=action.value, reason=reason,
        mention_id=None if of_reply else subject.id, reply_id=subject.id if of_reply else None,
        channel_id=subject.channel_id, conversation_id=subject.conversation_id, actor=desk.actor.said(),
        agent_id=desk.actor.agent_id,
    )  # fmt: skip
    await acts.request(desk.session, moderation)
    return moderation.id


async def _make_way(desk: Desk, other: Moderation, action: ModerationAction) -> None:
    """What is open on the same thing: the same action is refused, the opposite one that did not go out yet is taken back."""
    if other.action == action:
        if other.state != ModerationState.UNKNOWN:
            raise ModerationUnderWay(f"{_DOING[action]} It is moderation {other.id}.")
        if not other.repeatable:
            raise ModerationUnderWay(
                f"Nobody knows whether the venue heard it before; settle moderation {other.id} first."
            )
    elif other.action == OPPOSITE.get(action):
        if other.state == ModerationState.SENDING:
            raise ModerationUnderWay("The opposite is just being carried out; ask again in a moment.")
        if other.state == ModerationState.QUEUED:
            await acts.failed(desk.session, other, f"Taken back: {desk.actor.said()} asked for the opposite.")
