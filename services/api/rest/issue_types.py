"""Issue types over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import issue_types
from services.api.rest.door import Call, Door, filters_of, one, page
from shared.models.brand import IssueTypeFields

door = Door("issues")
_EXAMPLE = {
    "key": "outage.app", "name": "App is down", "names": {"nl": "App doet het niet"}, "severity": 4,
    "phrases": {"en": ["app .. (down|broken)"], "nl": ["app .. (kapot|plat)"]},
}  # fmt: skip


@door.get("/issue-types", "listIssueTypes", Action.READ_SETTINGS, page("issue_type"), query=filters_of("issue_type"))
async def list_issue_types(call: Call) -> Response:
    """The issue types, by key."""
    return await call.listed("issue_type")


@door.post(
    "/issue-types", "createIssueType", Action.WRITE_SETTINGS, one("issue_type"), takes=IssueTypeFields, example=_EXAMPLE
)
async def create_issue_type(call: Call) -> Response:
    """Adds an issue type."""
    given = await call.body()
    return await call.write("issue_type", lambda desk: issue_types.create_issue_type(desk, given))


@door.get("/issue-types/{id}", "getIssueType", Action.READ_SETTINGS, one("issue_type"))
async def get_issue_type(call: Call) -> Response:
    """One issue type."""
    return await call.one("issue_type", call.id())


@door.patch("/issue-types/{id}", "changeIssueType", Action.WRITE_SETTINGS, one("issue_type"), takes=IssueTypeFields)
async def change_issue_type(call: Call) -> Response:
    """Changes what is sent of an issue type."""
    key, given = call.id(), await call.body()
    return await call.write("issue_type", lambda desk: issue_types.change_issue_type(desk, key, given))


@door.delete("/issue-types/{id}", "removeIssueType", Action.WRITE_SETTINGS)
async def remove_issue_type(call: Call) -> Response:
    """Takes an issue type away; what was found of it keeps the key."""
    return await call.do(lambda desk: issue_types.remove_issue_type(desk, call.id()))
