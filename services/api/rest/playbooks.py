"""Playbooks over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import playbooks
from services.api.rest.door import Call, Door, filters_of, one, page
from services.api.rest.inputs import PLAYBOOK

door = Door("playbooks")
_EXAMPLE = {
    "name": "Outage", "issue_key": "outage", "owner": "Network operations",
    "steps": [{"kind": "say", "title": "Say that we know", "text": "We see it too and are on it."}],
    "templates": [{"language": "en", "text": "Sorry! We know about the outage and are working on it."}],
}  # fmt: skip


@door.get("/playbooks", "listPlaybooks", Action.READ_SETTINGS, page("playbook"), query=filters_of("playbook"))
async def list_playbooks(call: Call) -> Response:
    """The playbooks, by name."""
    return await call.listed("playbook")


@door.post("/playbooks", "createPlaybook", Action.WRITE_SETTINGS, one("playbook"), takes=PLAYBOOK, example=_EXAMPLE)
async def create_playbook(call: Call) -> Response:
    """Adds a playbook."""
    given = await call.body()
    return await call.write("playbook", lambda desk: playbooks.create_playbook(desk, given))


@door.get("/playbooks/{id}", "getPlaybook", Action.READ_SETTINGS, one("playbook"))
async def get_playbook(call: Call) -> Response:
    """One playbook."""
    return await call.one("playbook", call.id())


@door.patch("/playbooks/{id}", "changePlaybook", Action.WRITE_SETTINGS, one("playbook"), takes=PLAYBOOK)
async def change_playbook(call: Call) -> Response:
    """Changes what is sent of a playbook."""
    key, given = call.id(), await call.body()
    return await call.write("playbook", lambda desk: playbooks.change_playbook(desk, key, given))


@door.delete("/playbooks/{id}", "removePlaybook", Action.WRITE_SETTINGS)
async def remove_playbook(call: Call) -> Response:
    """Takes a playbook away from its issue types and from the list; its versions stay."""
    return await call.do(lambda desk: playbooks.remove_playbook(desk, call.id()))


@door.get("/playbooks/{id}/versions", "listPlaybookVersions", Action.READ_SETTINGS, page("playbook_version"))
async def list_playbook_versions(call: Call) -> Response:
    """What a playbook was, the newest version first."""
    await call.one("playbook", call.id())
    return await call.listed("playbook_version", playbook=call.id())
