"""What a person's word about a mention means for the conversation it is a turn of: lists, queues and figures follow it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.api.desk.desk import Desk
from shared.acts import conversations as acts
from shared.models.conversation import PRIORITY_RANK, Conversation, Priority, Status
from shared.store import corrections as store
from shared.store import rows
from shared.store.corrections import Turn

_OF_A_TURN = frozenset({"disposition", "sentiment", "lang", "priority", "issue_keys"})


async def follow(desk: Desk, conversation: Conversation, mention_id: UUID, flat: Mapping[str, Any]) -> None:
    """Has a locked conversation follow what was set right about a turn of it; `flat` are the columns that the correction changes,
    which are not written yet. A closed conversation keeps its priority: its clocks are over."""
    told = {name: value for name, value in flat.items() if name in _OF_A_TURN}
    if not told:
        return
    before = await store.turns(desk.session, desk.workspace_id, conversation.id)
    after = [replace(turn, **told) if turn.mention_id == mention_id else turn for turn in before]
    changed = changes(conversation, before, after)
    priority = changed.pop("priority", None)
    for name, value in changed.items():
        setattr(conversation, name, value)
    if changed:
        conversation.changed()
        await rows.flush(desk.session, Conversation)
    if conversation.status == Status.CLOSED:
        return
    if priority is not None:
        await acts.prioritise(desk.session, conversation, Priority(priority), actor=desk.actor.said())
    elif changed:
        await acts.refilter(desk.session, conversation)


def changes(conversation: Conversation, before: Sequence[Turn], after: Sequence[Turn]) -> dict[str, Any]:
    """What becomes different about a conversation when its turns, the oldest first, are found to be others.

    Its issue types are those of all turns that are not dismissed, its sentiment is that of the last of them, its language that of
    the first turn, its priority the highest. What somebody gave the conversation itself by hand (an issue type, a priority)
    stands."""
    changed: dict[str, Any] = {}
    had, has = _issues(before), _issues(after)
    keys = [key for key in conversation.issue_keys if key in has or key not in had]
    keys += [key for key in has if key not in had and key not in keys]
    if keys != conversation.issue_keys:
        changed["issue_keys"] = keys
    if (mood := _last(after, "sentiment")) != _last(before, "sentiment") and mood != conversation.sentiment:
        changed["sentiment"] = mood
    if (lang := _first_lang(after)) != _first_lang(before) and lang != conversation.lang:
        changed["lang"] = lang
    highest = _highest(after)
    if highest is not None and highest != conversation.priority == _highest(before):
        changed["priority"] = highest
    return changed


def _counted(turns: Sequence[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn.disposition != "dismissed"]


def _issues(turns: Sequence[Turn]) -> list[str]:
    return list(dict.fromkeys(key for turn in _counted(turns) for key in turn.issue_keys))


def _last(turns: Sequence[Turn], name: str) -> Any:
    return next((value for turn in reversed(_counted(turns)) if (value := getattr(turn, name)) is not None), None)


def _first_lang(turns: Sequence[Turn]) -> str | None:
    return next((turn.lang for turn in turns if turn.lang is not None), None)


def _highest(turns: Sequence[Turn]) -> str | None:
    found = [turn.priority for turn in _counted(turns) if turn.priority is not None]
    return min(found, key=lambda one: PRIORITY_RANK[Priority(one)], default=None)
