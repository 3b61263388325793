"""What may be done to a conversation by a name: in bulk, and by rules of automation. Each is a verb of the desk."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from services.api.desk import conversations, fields, replies
from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.models.conversation import Conversation, Status
from shared.rules import duration

Do = Callable[[Desk, UUID, Mapping[str, Any]], Awaitable[Any]]


async def _resolve(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    fields.refuse_others(given, ())
    return await conversations.resolve_conversation(desk, key)


async def _reopen(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    fields.refuse_others(given, ())
    return await conversations.reopen_conversation(desk, key)


async def _tag(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    fields.refuse_others(given, ("tags",))
    return await _retag(desk, key, lambda tags, named: [*tags, *named], given)


async def _untag(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    fields.refuse_others(given, ("tags",))
    return await _retag(desk, key, lambda tags, named: [tag for tag in tags if tag not in named], given)


async def _retag(
    desk: Desk, key: UUID, change: Callable[[list[str], list[str]], list[str]], given: Mapping[str, Any]
) -> UUID:
    conversation: Conversation = await conversations.take(desk, key)
    named = given.get("tags")
    if not isinstance(named, list) or not named or not all(isinstance(one, str) for one in named):
        raise Invalid("Name the tags.", errors=[("/tags", "is no list of words")])
    return await conversations.change_conversation(desk, key, {"tags": change(conversation.tags, named)})


async def _snooze_for(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    """Puts it aside for a time, as PT4H, or until a moment."""
    if "for" not in given:
        return await conversations.snooze_conversation(desk, key, given)
    fields.refuse_others(given, ("for",))
    length = fields.read_with(lambda: duration.parse(str(given["for"])), "/for")
    return await conversations.snooze_conversation(desk, key, {"until": (clock.now() + length).isoformat()})


async def _wait_for_customer(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    fields.refuse_others(given, ())
    return await conversations.change_conversation(desk, key, {"status": Status.PENDING.value})


async def _answer(desk: Desk, key: UUID, given: Mapping[str, Any]) -> UUID:
    """An answer that no person wrote: it stops no clock that does not say so."""
    fields.refuse_others(given, ("text", "visibility"))
    return await replies.create_reply(desk, key, {**given, "automatic": True})


BY_HAND: Mapping[str, Do] = MappingProxyType(
    {
        "assign": conversations.assign_conversation, "snooze": _snooze_for, "resolve": _resolve, "reopen": _reopen,
        "change": conversations.change_conversation, "note": conversations.add_note, "tag": _tag, "untag": _untag,
    }
)  # fmt: skip
"""What people do to many at once."""
BY_RULE: Mapping[str, Do] = MappingProxyType({**BY_HAND, "wait_for_customer": _wait_for_customer, "reply": _answer})
"""What rules do; a reply of theirs is an automatic one."""
