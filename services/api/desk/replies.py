"""Replies: an answer is checked against the venue's rules before it is queued, so that what is queued can be carried out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.api.desk import conversations, fields
from services.api.desk.desk import Desk
from shared.acts import replies as acts
from shared.kit import clock, ids
from shared.kit.errors import Conflict, Invalid
from shared.models.channel import Channel, Signature
from shared.models.conversation import Conversation
from shared.models.people import Agent
from shared.models.reply import Reply, ReplyFields, ReplyState
from shared.models.reply_rules import Answerable, ReplyAnswer, ReplyRules, WayAnswer
from shared.rules import reply_length
from shared.store import reply as store
from shared.store import reply_drafts, rows
from shared.store.hidden import HIDDEN

URGENT_FIRST = 2


class ReplyRefused(Conflict):
    """The venue takes no such answer, or no longer."""

    code = "reply_not_allowed"
    title = "The venue does not take this answer"


class ReplyTooLong(Invalid):
    """The text is longer than the venue allows."""

    code = "reply_too_long"
    title = "The answer is too long for the venue"


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before it is anything: what it says, to which mention, and whether that way is open."""

    asked: ReplyFields
    automatic: bool
    mention: Mapping[str, Any]
    way: WayAnswer
    signature: str | None
    repeated: bool

    @property
    def said(self) -> str:
        """The text as it goes out."""
        return f"{self.asked.text} {self.signature}" if self.signature else self.asked.text

    def lengths(self) -> list[dict[str, Any]]:
        """How long it is in each of the venue's units."""
        return [
            {
                "counted_as": length.counted_as,
                "limit": length.limit,
                "length": reply_length.count(self.said, length.counted_as, length.url_weight),
                "over_by": reply_length.over_by(self.said, length),
            }
            for length in self.way.lengths
        ]

    def refusal(self) -> str | None:
        """Why the venue would not take it now, whatever its length; None where it would."""
        if not self.way.allowed:
            return self.way.detail or "This venue does not take this kind of answer."
        if not self.way.open_at(clock.now()):
            return "The time in which this venue takes an answer is over."
        if self.way.once and self.repeated:
            return "This venue takes one answer and has it."
        return None


async def create_reply(
    desk: Desk, conversation_id: UUID, given: Mapping[str, Any], expected: int | None = None
) -> UUID:
    """Queues an answer. Raises NotFound, StaleVersion, ConversationClosed, ReplyRefused, and ReplyTooLong, which says by how
    much."""
    conversation = await conversations.take(desk, conversation_id, expected)
    conversation.must_not_be_closed()
    draft = await _draft(desk, conversation, given)
    if (refused := draft.refusal()) is not None:
        raise ReplyRefused(refused, errors=[("/visibility", refused)])
    errors = [
        ("/text", f"is {one['length']} of {one['limit']} {_said_units(one['counted_as'])}: {one['over_by']} too many")
        for one in draft.lengths()
        if one["over_by"]
    ]
    if errors:
        raise ReplyTooLong(f"The text {errors[0][1]}.", errors=errors)
    reply = Reply(
        workspace_id=desk.workspace_id, id=ids.new_id(), conversation_id=conversation.id,
        channel_id=draft.mention["channel_id"], agent_id=desk.actor.agent_id, automatic=draft.automatic,
        text=draft.asked.text, visibility=draft.asked.visibility, in_reply_to=draft.mention["id"],
        signature=draft.signature,
    )  # fmt: skip
    await acts.queue(desk.session, reply, priority=URGENT_FIRST + conversation.priority_rank)
    return reply.id


async def check_draft(desk: Desk, conversation_id: UUID, given: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the venue would take this answer, by how much it is too long, and how it could be split; nothing is kept."""
    return _checked(await _draft(desk, await conversations.take(desk, conversation_id), given))


async def check_reply(desk: Desk, reply_id: UUID) -> dict[str, Any]:
    """The same for a reply that exists, as things stand now. It does not count itself as an answer that stands already."""
    reply = await store.lock(desk.session, desk.workspace_id, reply_id)
    conversation = await conversations.take(desk, reply.conversation_id)
    given = {"text": reply.text, "visibility": reply.visibility, "in_reply_to": reply.in_reply_to}
    draft = await _draft(desk, conversation, given, sent_as=reply)
    told = _checked(draft)
    return {**told, "said": HIDDEN, "parts": []} if desk.actor.hidden else told


async def withdraw_reply(desk: Desk, reply_id: UUID) -> UUID:
    """Takes a reply back before it goes out. Raises Conflict once it is on its way."""
    reply = await store.lock(desk.session, desk.workspace_id, reply_id)
    await acts.withdraw(desk.session, reply, actor=desk.actor.said())
    return reply.id


async def settle_reply(desk: Desk, reply_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Says what became of a reply whose outcome is unknown: {"outcome": "sent", "sent_at": …, "permalink": …} or
    {"outcome": "failed"}. Raises Conflict for a reply whose outcome is known."""
    fields.refuse_others(given, ("outcome", "sent_at", "external_id", "permalink", "note"))
    outcome = given.get("outcome")
    if outcome not in ("sent", "failed"):
        raise Invalid("Say what became of it: sent or failed.", errors=[("/outcome", "is neither sent nor failed")])
    note = fields.take_text(given, "note", most=1_000, required=False)
    reply = await store.lock(desk.session, desk.workspace_id, reply_id)
    if reply.state != ReplyState.UNKNOWN:
        raise Conflict(f"This reply is {reply.state}; only one whose outcome is unknown can be settled.")
    by = desk.actor.said()
    if outcome == "failed":
        await acts.failed(desk.session, reply, note or "A person looked: the venue does not have it.", settled_by=by)
        return reply.id
    at = conversations.read_moment(given["sent_at"], "/sent_at") if given.get("sent_at") else reply.sending_at
    if at is not None and at > clock.now():
        raise Invalid("It cannot have been sent in the future.", errors=[("/sent_at", "is in the future")])
    await acts.sent(
        desk.session, reply, at=at or clock.now(), settled_by=by,
        external_id=fields.take_text(given, "external_id", most=500, required=False),
        permalink=fields.take_text(given, "permalink", most=2_048, required=False),
    )  # fmt: skip
    return reply.id


async def _draft(
    desk: Desk, conversation: Conversation, given: Mapping[str, Any], sent_as: Reply | None = None
) -> Draft:
    asked = fields.read_fields(ReplyFields, given, also=("automatic",))
    if not asked.text.strip():
        raise Invalid("An answer needs words.", errors=[("/text", "is empty")])
    automatic = given.get("automatic", False)
    if not isinstance(automatic, bool) or (automatic and desk.actor.agent_id is not None):
        raise Invalid(
            "automatic is true only for answers that no agent wrote.", errors=[("/automatic", "is not right")]
        )
    mention = await reply_drafts.answered(desk.session, desk.workspace_id, conversation.id, asked.in_reply_to)
    if mention is None:
        raise Invalid(
            "This conversation has no such mention to answer.", errors=[("/in_reply_to", "is not in this conversation")]
        )
    signature = sent_as.signature if sent_as else await _signature(desk, mention["channel_id"], asked.visibility)
    repeated = sent_as is None and await reply_drafts.stands_already(
        desk.session, desk.workspace_id, mention["id"], asked.visibility
    )
    return Draft(asked, automatic, mention, _way(mention, asked.visibility), signature, repeated)


async def _signature(desk: Desk, channel_id: UUID, visibility: str) -> str | None:
    """Who speaks, where everybody reads it, as the channel wants it said: `^JD`, a name, or nothing."""
    if desk.actor.agent_id is None or visibility != "public":
        return None
    agent = await rows.find(desk.session, Agent, desk.workspace_id, desk.actor.agent_id)
    channel = await rows.find(desk.session, Channel, desk.workspace_id, channel_id)
    if agent is None or channel is None:
        return None
    return Signature(channel.signature).of(agent.name, agent.initials)


def _way(mention: Mapping[str, Any], visibility: str) -> WayAnswer:
    """The way of answering: as computed for this mention when it came in, else by its kind of venue."""
    if mention["reply"]:
        answer = ReplyAnswer.model_validate(mention["reply"])
    else:
        answer = ReplyRules.model_validate(mention["reply_rules"] or {}).answer_for(
            Answerable(
                published_at=mention["published_at"], private=mention["visibility"] == "private",
                author_known=mention["author_id"] is not None, deleted=mention["deleted_at"] is not None,
            ),
            clock.now(),
        )  # fmt: skip
    return answer.private if visibility == "private" else answer.public


def _checked(draft: Draft) -> dict[str, Any]:
    problems = []
    if (refused := draft.refusal()) is not None:
        problems.append({"code": draft.way.reason or ReplyRefused.code, "detail": refused})
    lengths = draft.lengths()
    problems += [
        {"code": ReplyTooLong.code, "detail": f"{one['over_by']} {_said_units(one['counted_as'])} too many."}
        for one in lengths
        if one["over_by"]
    ]
    parts: list[str] = []
    if draft.way.threads and any(one["over_by"] for one in lengths):
        parts = fields.read_with(lambda: reply_length.split(draft.said, draft.way.lengths), "/text")
    return {"allowed": not problems, "problems": problems, "said": draft.said, "lengths": lengths, "parts": parts}


def _said_units(counted_as: str) -> str:
    return {
        "code_points": "characters", "graphemes": "characters", "utf16_units": "UTF-16 units", "utf8_bytes": "bytes",
    }.get(counted_as, "characters as the venue counts")  # fmt: skip
