"""Queues over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import queues
from services.api.rest.door import Call, Door, answer, one, page, shape
from services.api.rest.inputs import ID, TEXT, TIME, many, maybe, record, shown
from shared.models.people import QueueFields

door = Door("queues")
_N = {"type": "integer"}
_TRY = record(filter={"type": "object"}, position=_N, from_=TIME, to=TIME)
_TRIED = shown(
    from_=TIME, to=TIME, hits=_N, taken=_N,
    queues=many(shown(queue_id=maybe(ID), queue=maybe(TEXT), hits=_N, taken={"type": "boolean"}, samples=many(ID))),
)  # fmt: skip
_EXAMPLE = {"name": "Urgent", "position": 1, "filter": {"field": "priority", "op": "eq", "value": "urgent"}}


@door.get("/queues", "listQueues", Action.READ_SETTINGS, page("queue"))
async def list_queues(call: Call) -> Response:
    """The queues, in the order in which they are tried."""
    return await call.listed("queue")


@door.post("/queues", "createQueue", Action.WRITE_SETTINGS, one("queue"), takes=QueueFields, example=_EXAMPLE)
async def create_queue(call: Call) -> Response:
    """Adds a queue."""
    given = await call.body()
    return await call.write("queue", lambda desk: queues.create_queue(desk, given))


@door.get("/queues/{id}", "getQueue", Action.READ_SETTINGS, one("queue"))
async def get_queue(call: Call) -> Response:
    """One queue."""
    return await call.one("queue", call.id())


@door.patch("/queues/{id}", "changeQueue", Action.WRITE_SETTINGS, one("queue"), takes=QueueFields)
async def change_queue(call: Call) -> Response:
    """Changes what is sent of a queue."""
    key, given = call.id(), await call.body()
    return await call.write("queue", lambda desk: queues.change_queue(desk, key, given))


@door.delete("/queues/{id}", "removeQueue", Action.WRITE_SETTINGS)
async def remove_queue(call: Call) -> Response:
    """Takes an empty queue away; 409 while conversations wait in it."""
    return await call.do(lambda desk: queues.remove_queue(desk, call.id()))


@door.post(
    "/queues/dry-run", "dryRunQueue", Action.READ_SETTINGS, shape(_TRIED), takes=_TRY, status=200,
    example={"filter": {"field": "issue_keys", "op": "contains", "value": "outage"}, "position": 1},
)  # fmt: skip
async def dry_run_queue(call: Call) -> Response:
    """What a queue would have got of the conversations opened in a period; nothing is changed.

    `taken` are those that now stand in a later queue, or in none. Conversations are judged as they stand now. Four weeks are looked at
    unless `from` and `to` say otherwise.
    """
    given = await call.body()
    async with call.desk.writing() as desk:
        return answer(await queues.dry_run_queue(desk, given))


@door.post(
    "/queues/{id}/next", "nextInQueue", Action.TAKE_WORK, one("conversation"), status=200, versioned="optional",
    also={204: "Nothing waits."},
)  # fmt: skip
async def next_in_queue(call: Call) -> Response:
    """Gives the asking agent the conversation that is best taken next; 204 where nothing waits.

    By priority, then the nearest deadline, then time waited. However many agents ask at once, each gets another one.
    """
    return await call.write_if_any("conversation", lambda desk: queues.next_in_queue(desk, call.id()))
