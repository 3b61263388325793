"""Queries over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import queries
from services.api.rest.door import Call, Door, answer, filters_of, one, page, shape
from services.api.rest.inputs import DRY_RUN, TEXT, VALIDATION, record
from shared.models.brand import QueryFields

door = Door("queries")
_EXAMPLE = {"name": "outage", "text": "northwind AND (outage OR storing)"}
_TEXT = record(("text",), text={**TEXT, "maxLength": 8000})
_TRY = record(
    ("text",), text={**TEXT, "maxLength": 8000}, days={"type": "integer", "minimum": 1, "maximum": 366, "default": 28}
)


@door.get("/queries", "listQueries", Action.READ_SETTINGS, page("query"), query=filters_of("query"))
async def list_queries(call: Call) -> Response:
    """The queries, by name."""
    return await call.listed("query")


@door.post("/queries", "createQuery", Action.WRITE_SETTINGS, one("query"), takes=QueryFields, example=_EXAMPLE)
async def create_query(call: Call) -> Response:
    """Adds a query."""
    given = await call.body()
    return await call.write("query", lambda desk: queries.create_query(desk, given))


@door.get("/queries/{id}", "getQuery", Action.READ_SETTINGS, one("query"))
async def get_query(call: Call) -> Response:
    """One query."""
    return await call.one("query", call.id())


@door.patch("/queries/{id}", "changeQuery", Action.WRITE_SETTINGS, one("query"), takes=QueryFields)
async def change_query(call: Call) -> Response:
    """Changes what is sent of a query."""
    key, given = call.id(), await call.body()
    return await call.write("query", lambda desk: queries.change_query(desk, key, given))


@door.delete("/queries/{id}", "removeQuery", Action.WRITE_SETTINGS)
async def remove_query(call: Call) -> Response:
    """Takes a query away; what matched it stays."""
    return await call.do(lambda desk: queries.remove_query(desk, call.id()))


@door.post(
    "/queries/validate",
    "validateQuery",
    Action.READ_SETTINGS,
    shape(VALIDATION),
    takes=_TEXT,
    status=200,
    example={"text": "northwind AND (outage OR"},
)
async def validate_query(call: Call) -> Response:
    """Says whether a text is a query, with the position of what is wrong."""
    return answer(queries.validate_query(await call.body()))


@door.post(
    "/queries/dry-run",
    "dryRunQuery",
    Action.READ_SETTINGS,
    shape(DRY_RUN),
    takes=_TRY,
    status=200,
    example={"text": "northwind AND outage", "days": 28},
)
async def dry_run_query(call: Call) -> Response:
    """Tries a query on the mentions that are there; nothing is kept."""
    return answer(await queries.dry_run_query(call.desk, await call.body()))
