"""Moderation over REST: what is asked of a venue about a mention or a reply, and what became of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import Response

from services.api.auth import Action
from services.api.desk import moderation
from services.api.desk.desk import Desk
from services.api.rest.door import Call, Door, filters_of, one, page
from services.api.rest.inputs import TEXT, Schema, maybe, record
from shared.models.moderation import LONGEST_REASON

door = Door("moderation")
_REASON: Schema = {**TEXT, "minLength": 1, "maxLength": LONGEST_REASON}
_WHY = record(reason=maybe({**_REASON, "description": "For ourselves; the venue does not hear it."}))
_TOLD = record(("reason",), reason={**_REASON, "description": "What is wrong with it; the venue hears it."})
_SETTLE = record(("outcome",), outcome={"type": "string", "enum": ["done", "failed"]}, note=maybe(TEXT))
_OURS = {"reason": "It shows somebody's address."}
_THEIRS = {"reason": "It threatens one of our people."}


async def _asked(call: Call, verb: Callable[[Desk, UUID, Mapping[str, Any]], Awaitable[UUID]]) -> Response:
    key, given = call.id(), await call.body()
    return await call.write("moderation", lambda desk: verb(desk, key, given))


@door.post(
    "/mentions/{id}/hide", "hideMention", Action.MODERATE, one("moderation"), takes=_WHY, example=_OURS,
)  # fmt: skip
async def hide_mention(call: Call) -> Response:
    """Asks the venue to hide what a customer wrote at our own place.

    It is carried out in the background; `hidden_at` of the mention says since when it is hidden. Refused with 409 where the
    channel type has not the ability `hide`.
    """
    return await _asked(call, moderation.hide_mention)


@door.post(
    "/mentions/{id}/unhide", "unhideMention", Action.MODERATE, one("moderation"), takes=_WHY, example=_OURS,
)  # fmt: skip
async def unhide_mention(call: Call) -> Response:
    """Asks the venue to show it again."""
    return await _asked(call, moderation.unhide_mention)


@door.post(
    "/mentions/{id}/report", "reportMention", Action.MODERATE, one("moderation"), takes=_TOLD, example=_THEIRS,
)  # fmt: skip
async def report_mention(call: Call) -> Response:
    """Reports to the venue what breaks its rules. It is never sent twice: what nobody knows the outcome of, a person settles."""
    return await _asked(call, moderation.report_mention)


@door.post(
    "/mentions/{id}/dispute", "disputeMention", Action.MODERATE, one("moderation"), takes=_TOLD,
    example={"reason": "We have no such customer."},
)  # fmt: skip
async def dispute_mention(call: Call) -> Response:
    """Asks the venue to look whether a review is genuine. It is never sent twice, as a report."""
    return await _asked(call, moderation.dispute_mention)


@door.post(
    "/replies/{id}/delete", "deleteReply", Action.MODERATE, one("moderation"), takes=_WHY,
    example={"reason": "It went to the wrong person."},
)  # fmt: skip
async def delete_reply(call: Call) -> Response:
    """Asks the venue to take away a reply of ours that stands there; then its state is `deleted`."""
    return await _asked(call, moderation.delete_reply)


@door.get(
    "/moderations", "listModerations", Action.READ_MODERATIONS, page("moderation"), query=filters_of("moderation")
)
async def list_moderations(call: Call) -> Response:
    """What was asked of venues, the newest first; `state=unknown` are those that a person has to settle."""
    return await call.listed("moderation")


@door.get("/moderations/{id}", "getModeration", Action.READ_MODERATIONS, one("moderation"))
async def get_moderation(call: Call) -> Response:
    """One request and its state."""
    return await call.one("moderation", call.id())


@door.post(
    "/moderations/{id}/settle", "settleModeration", Action.MODERATE, one("moderation"), takes=_SETTLE, status=200,
    example={"outcome": "done"},
)  # fmt: skip
async def settle_moderation(call: Call) -> Response:
    """Says what became of a request whose outcome is unknown. It is never sent again by itself."""
    return await _asked(call, moderation.settle_moderation)
