"""Teams and agents over REST."""

from fastapi import Response

from services.api.auth import Action
from services.api.desk import people, presence, shifts, skills
from services.api.rest.door import Call, Door, answer, filters_of, one, page, shape
from services.api.rest.inputs import ID, TEXT, TIME, data_of, maybe, record, shown
from shared.models.people import AgentFields, ShiftFields, SkillFields, TeamFields

door = Door("people")
_TEAM = {"name": "Evening shift"}
_SKILL = {"kind": "product", "name": "fibre", "title": "Fibre to the home"}
_TITLE = record(title=maybe({**TEXT, "maxLength": 200}))
_SHIFT = {
    "agent_id": "0193a0f0-0000-7000-8000-000000000000", "weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "Europe/Amsterdam",
}  # fmt: skip
_STANDS = {"type": "string", "enum": ["online", "away", "offline"]}
_N = {"type": "integer"}
_PRESENCE = shown(
    agent_id=ID, name=TEXT, presence=_STANDS, presence_since=maybe(TIME), on_shift={"type": "boolean"}, load=_N, capacity=_N, offers=_N,
)  # fmt: skip
_SET_PRESENCE = record(("presence",), presence=_STANDS, agent_id=maybe(ID))
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


@door.get("/presence", "listPresence", Action.READ_SETTINGS, shape(data_of(_PRESENCE)))
async def list_presence(call: Call) -> Response:
    """Who is there: presence and since when, at work or not by their shifts, load of capacity, offers before them."""
    return answer({"data": await presence.list_presence(call.desk)})


@door.post(
    "/presence",
    "setPresence",
    Action.TAKE_WORK,
    one("agent"),
    takes=_SET_PRESENCE,
    status=200,
    example={"presence": "online"},
)
async def set_presence(call: Call) -> Response:
    """Says that the asking agent is online, away or offline; who keeps the settings may say it of another one."""
    given = await call.body()
    return await call.write("agent", lambda desk: presence.set_presence(desk, given))


@door.get("/skills", "listSkills", Action.READ_SETTINGS, page("skill"), query=filters_of("skill"))
async def list_skills(call: Call) -> Response:
    """The skills, by kind and name."""
    return await call.listed("skill")


@door.post("/skills", "createSkill", Action.WRITE_SETTINGS, one("skill"), takes=SkillFields, example=_SKILL)
async def create_skill(call: Call) -> Response:
    """Adds a skill. Naming a new one on an agent or a queue adds it as well."""
    given = await call.body()
    return await call.write("skill", lambda desk: skills.create_skill(desk, given))


@door.get("/skills/{id}", "getSkill", Action.READ_SETTINGS, one("skill"))
async def get_skill(call: Call) -> Response:
    """One skill."""
    return await call.one("skill", call.id())


@door.patch("/skills/{id}", "changeSkill", Action.WRITE_SETTINGS, one("skill"), takes=_TITLE)
async def change_skill(call: Call) -> Response:
    """Changes the title of a skill."""
    key, given = call.id(), await call.body()
    return await call.write("skill", lambda desk: skills.change_skill(desk, key, given))


@door.delete("/skills/{id}", "removeSkill", Action.WRITE_SETTINGS)
async def remove_skill(call: Call) -> Response:
    """Takes a skill away; 409 while an agent or a queue names it."""
    return await call.do(lambda desk: skills.remove_skill(desk, call.id()))


@door.get("/shifts", "listShifts", Action.READ_SETTINGS, page("shift"), query=filters_of("shift"))
async def list_shifts(call: Call) -> Response:
    """The shifts and leaves."""
    return await call.listed("shift")


@door.post("/shifts", "createShift", Action.WRITE_SETTINGS, one("shift"), takes=ShiftFields, example=_SHIFT)
async def create_shift(call: Call) -> Response:
    """Adds a shift or a leave of an agent or a team: one span, or the same hours every week."""
    given = await call.body()
    return await call.write("shift", lambda desk: shifts.create_shift(desk, given))


@door.get("/shifts/{id}", "getShift", Action.READ_SETTINGS, one("shift"))
async def get_shift(call: Call) -> Response:
    """One shift."""
    return await call.one("shift", call.id())


@door.patch("/shifts/{id}", "changeShift", Action.WRITE_SETTINGS, one("shift"), takes=ShiftFields)
async def change_shift(call: Call) -> Response:
    """Changes what is sent of a shift."""
    key, given = call.id(), await call.body()
    return await call.write("shift", lambda desk: shifts.change_shift(desk, key, given))


@door.delete("/shifts/{id}", "removeShift", Action.WRITE_SETTINGS)
async def remove_shift(call: Call) -> Response:
    """Takes a shift away."""
    return await call.do(lambda desk: shifts.remove_shift(desk, call.id()))
