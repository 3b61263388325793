"""One action on many conversations: each is done or refused by itself, so that one that cannot be never spoils the others."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields
from services.api.desk.actions import BY_HAND
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid, WebcareError
from shared.kit.ids import parse_id

MOST = 500

ACTIONS = tuple(BY_HAND)


async def act_on_many(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
    """{"action": "assign", "conversation_ids": […], "fields": {…}}: up to 500 conversations, one transaction; what is refused
    of one is undone for that one. Returns {"done", "refused", "results": [{conversation_id, ok, code?, detail?}]}."""
    fields.refuse_others(given, ("action", "conversation_ids", "fields"))
    action = given.get("action")
    if not isinstance(action, str) or action not in BY_HAND:
        raise Invalid("Say what is to be done.", errors=[("/action", f"is none of {', '.join(ACTIONS)}")])
    with_ = given.get("fields", {})
    if not isinstance(with_, dict):
        raise Invalid("fields must be an object.", errors=[("/fields", "is not an object")])
    results = []
    # In one order for all, so that two such calls wait for each other and do not lock.
    for key in sorted(_ids(given.get("conversation_ids"))):
        try:
            async with desk.session.begin_nested():
                await BY_HAND[action](desk, key, with_)
            results.append({"conversation_id": str(key), "ok": True})
        except WebcareError as refused:
            results.append(
                {"conversation_id": str(key), "ok": False, "code": refused.specific_code, "detail": refused.detail}
            )
    done = sum(1 for one in results if one["ok"])
    return {"done": done, "refused": len(results) - done, "results": results}


def _ids(value: Any) -> set[UUID]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST:
        raise Invalid(
            f"conversation_ids must be a list of 1 to {MOST} ids.", errors=[("/conversation_ids", "is no such list")]
        )
    found = {place: parse_id(one) if isinstance(one, str) else None for place, one in enumerate(value)}
    if wrong := [place for place, key in found.items() if key is None]:
        raise Invalid(
            "Some of these are no ids.", errors=[(f"/conversation_ids/{place}", "is no id") for place in wrong]
        )
    return {key for key in found.values() if key is not None}
