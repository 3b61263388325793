"""Teams and agents over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import people
from services.api.rest.door import Call, Door, filters_of, one, page
from shared.models.people import AgentFields, TeamFields

door = Door("people")
_TEAM = {"name": "Evening shift"}
_AGENT = {"name": "Jo Doe", "initials": "JD", "languages": ["en", "nl"], "capacity": 20, "presence": "online"}


@door.get("/teams", "listTeams", Action.READ_SETTINGS, page("team"))
async def list_teams(call: Call) -> Response:
    """The teams, by name."""
    return await call.listed("team")


@door.post("/teams", "createTeam", Action.WRITE_SETTINGS, one("team"), takes=TeamFields, example=_TEAM)
async def create_team(call: Call) -> Response:
    """Adds a team."""
    given = await call.body()
    return await call.write("team", lambda desk: people.create_team(desk, given))


@door.get("/teams/{id}", "getTeam", Action.READ_SETTINGS, one("team"))
async def get_team(call: Call) -> Response:
    """One team."""
    return await call.one("team", call.id())


@door.patch("/teams/{id}", "changeTeam", Action.WRITE_SETTINGS, one("team"), takes=TeamFields)
async def change_team(call: Call) -> Response:
    """Changes what is sent of a team."""
    key, given = call.id(), await call.body()
    return await call.write("team", lambda desk: people.change_team(desk, key, given))


@door.delete("/teams/{id}", "removeTeam", Action.WRITE_SETTINGS)
async def remove_team(call: Call) -> Response:
    """Takes a team away, from its agents and queues too."""
    return await call.do(lambda desk: people.remove_team(desk, call.id()))


@door.get("/agents", "listAgents", Action.READ_SETTINGS, page("agent"), query=filters_of("agent"))
async def list_agents(call: Call) -> Response:
    """The agents, by name."""
    return await call.listed("agent")


@door.post("/agents", "createAgent", Action.WRITE_SETTINGS, one("agent"), takes=AgentFields, example=_AGENT)
async def create_agent(call: Call) -> Response:
    """Adds an agent."""
    given = await call.body()
    return await call.write("agent", lambda desk: people.create_agent(desk, given))


@door.get("/agents/{id}", "getAgent", Action.READ_SETTINGS, one("agent"))
async def get_agent(call: Call) -> Response:
    """One agent."""
    return await call.one("agent", call.id())


@door.patch("/agents/{id}", "changeAgent", Action.WRITE_SETTINGS, one("agent"), takes=AgentFields)
async def change_agent(call: Call) -> Response:
    """Changes what is sent of an agent."""
    key, given = call.id(), await call.body()
    return await call.write("agent", lambda desk: people.change_agent(desk, key, given))


@door.delete("/agents/{id}", "removeAgent", Action.WRITE_SETTINGS)
async def remove_agent(call: Call) -> Response:
    """Takes an agent away; 409 while conversations wait for the agent."""
    return await call.do(lambda desk: people.remove_agent(desk, call.id()))
