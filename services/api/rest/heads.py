"""Heads over REST: what a workspace's corrections taught, and what a person's word would teach most."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import heads
from services.api.rest.door import Call, Door, Parameter, answer, filters_of, one, page, shape
from services.api.rest.inputs import ID, TEXT, TIME, Schema, data_of, maybe, shown
from shared.models.head import Question

door = Door("heads")
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_WANTED = shown(
    mention_id=ID, finding=TEXT, value={"description": "What triage found; null where nothing."},
    confidence={**_SHARE, "description": "How sure that is."}, why=TEXT, text=TEXT, lang=maybe(TEXT), published_at=TIME,
)  # fmt: skip


@door.get("/heads", "listHeads", Action.READ_SETTINGS, page("head"), query=filters_of("head"))
async def list_heads(call: Call) -> Response:
    """The versions that `webcare train refit` made, the newest first, with what they were measured at.

    One of each question may be `active` and answers; where none is, what the project ships does.
    """
    return await call.listed("head")


@door.get("/heads/{id}", "getHead", Action.READ_SETTINGS, one("head"))
async def get_head(call: Call) -> Response:
    """One version and its figures."""
    return await call.one("head", call.id())


@door.post("/heads/{id}/promote", "promoteHead", Action.WRITE_SETTINGS, one("head"), status=200)
async def promote_head(call: Call) -> Response:
    """Has this version answer from now on, a former one as well; mentions that were triaged stay as they are."""
    key = call.id()
    return await call.write("head", lambda desk: heads.promote_head(desk, key))


@door.post("/heads/{id}/retire", "retireHead", Action.WRITE_SETTINGS, one("head"), status=200)
async def retire_head(call: Call) -> Response:
    """Has what the project ships answer again."""
    key = call.id()
    return await call.write("head", lambda desk: heads.retire_head(desk, key))


@door.get(
    "/corrections/wanted", "listWantedCorrections", Action.READ_MENTIONS, shape(data_of(_WANTED)),
    query={
        "finding": Parameter("text", "What is to be learned.", tuple(Question), required=True),
        "size": Parameter("integer", f"At most so many, 1 to {heads.MOST_WANTED}; {heads.USUAL_WANTED} unless said otherwise."),
    },
)  # fmt: skip
async def list_wanted_corrections(call: Call) -> Response:
    """Mentions of which a person's word would teach most: those of which triage is the least sure, the least sure first.

    Set them right, or confirm them by the same value, with `POST /v1/mentions/{id}/corrections`.
    """
    call.only("finding", "size")
    found = await heads.read_wanted(call.desk, call.query.get("finding", ""), call.whole_number("size"))
    return answer({"data": found})
