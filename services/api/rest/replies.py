"""Replies over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import replies
from services.api.rest.door import Call, Door, filters_of, one, page, shape
from services.api.rest.inputs import CHECK, TEXT, TIME, maybe, record

door = Door("replies")
_SETTLE = record(
    ("outcome",),
    outcome={"type": "string", "enum": ["sent", "failed"]},
    sent_at=maybe({**TIME, "description": "When the venue took it; the moment it went out unless said otherwise."}),
    external_id=maybe(TEXT),
    permalink=maybe(TEXT),
    note=maybe(TEXT),
)


@door.get("/replies", "listReplies", Action.READ_REPLIES, page("reply"), query=filters_of("reply"))
async def list_replies(call: Call) -> Response:
    """All answers of ours, the newest first; `state=unknown` are those that a person has to settle."""
    return await call.listed("reply")


@door.get("/replies/{id}", "getReply", Action.READ_REPLIES, one("reply"))
async def get_reply(call: Call) -> Response:
    """One answer and its state."""
    return await call.one("reply", call.id())


@door.post("/replies/{id}/check", "checkReply", Action.READ_REPLIES, shape(CHECK), status=200)
async def check_reply(call: Call) -> Response:
    """Whether the venue would take it as things stand now."""
    return await call.do(lambda desk: replies.check_reply(desk, call.id()))


@door.post("/replies/{id}/withdraw", "withdrawReply", Action.WRITE_REPLIES, one("reply"), status=200)
async def withdraw_reply(call: Call) -> Response:
    """Takes it back before it goes out; 409 once it is on its way."""
    return await call.write("reply", lambda desk: replies.withdraw_reply(desk, call.id()))


@door.post(
    "/replies/{id}/settle", "settleReply", Action.WRITE_REPLIES, one("reply"), takes=_SETTLE, status=200,
    example={"outcome": "sent", "permalink": "https://social.example/@northwind/1"},
)  # fmt: skip
async def settle_reply(call: Call) -> Response:
    """Says what became of an answer whose outcome is unknown. It is never posted again by itself."""
    given = await call.body()
    return await call.write("reply", lambda desk: replies.settle_reply(desk, call.id(), given))
