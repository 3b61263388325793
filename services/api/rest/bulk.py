"""One action on many conversations, over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import bulk
from services.api.rest.door import Call, Door, shape
from services.api.rest.inputs import ID, TEXT, Schema, many, record, shown

door = Door("conversations")
_TAKES = record(
    ("action", "conversation_ids"),
    action={"type": "string", "enum": list(bulk.ACTIONS)},
    conversation_ids={**many(ID), "minItems": 1, "maxItems": bulk.MOST},
    fields={"type": "object", "description": "What the action takes for one conversation, as `agent_id` for assign."},
)
_RESULT: Schema = {
    "type": "object",
    "required": ["conversation_id", "ok"],
    "properties": {"conversation_id": ID, "ok": {"type": "boolean"}, "code": TEXT, "detail": TEXT},
}
_SHOWS = shown(done={"type": "integer"}, refused={"type": "integer"}, results=many(_RESULT))
_EXAMPLE = {"action": "resolve", "conversation_ids": ["019ac0de-7a10-7c3a-9d1e-3f2b6a5c4d10"]}


@door.post("/bulk", "actOnMany", Action.WORK_CONVERSATIONS, shape(_SHOWS), takes=_TAKES, status=200, example=_EXAMPLE)
async def act_on_many(call: Call) -> Response:
    """Does one thing to up to 500 conversations; each is done or refused by itself."""
    given = await call.body()
    return await call.do(lambda desk: bulk.act_on_many(desk, given))
