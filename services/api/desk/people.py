"""Teams and agents: who answers."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.api.desk import fields, presence, skills
from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.errors import Conflict, Invalid
from shared.models.people import Agent, AgentFields, Team, TeamFields
from shared.store import agents, rows


async def create_team(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds a team."""
    team = Team(workspace_id=desk.workspace_id, **fields.values_of(fields.read_fields(TeamFields, given)))
    await rows.add(desk.session, team)
    return team.id


async def change_team(desk: Desk, team_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of a team."""
    team = await rows.take(desk.session, Team, desk.workspace_id, team_id)
    fields.lay_over(team, fields.changed_fields(TeamFields, team, given))
    await rows.touch(desk.session, team)
    return team.id


async def remove_team(desk: Desk, team_id: UUID) -> None:
    """Takes a team away, from its agents and queues too. Its conversations stay with their agents."""
    team = await rows.take(desk.session, Team, desk.workspace_id, team_id)
    await agents.forget_team(desk.session, desk.workspace_id, team_id)
    await rows.remove(desk.session, team)


async def create_agent(desk: Desk, given: Mapping[str, Any]) -> UUID:
    """Adds an agent."""
    asked = await _read(desk, fields.read_fields(AgentFields, given))
    agent = Agent(workspace_id=desk.workspace_id, presence_since=clock.now(), **fields.values_of(asked))
    await rows.add(desk.session, agent)
    return agent.id


async def change_agent(desk: Desk, agent_id: UUID, given: Mapping[str, Any]) -> UUID:
    """Changes what is given of an agent: teams, languages, skills, capacity, presence."""
    agent = await rows.take(desk.session, Agent, desk.workspace_id, agent_id)
    former = agent.presence
    fields.lay_over(agent, await _read(desk, fields.changed_fields(AgentFields, agent, given)))
    if agent.presence != former:
        agent.presence_since = clock.now()
    await rows.touch(desk.session, agent)
    await presence.tell(desk, agent.id, former, agent.presence)
    return agent.id


async def remove_agent(desk: Desk, agent_id: UUID) -> None:
    """Takes an agent away. Raises Conflict while conversations wait for the agent: assign those first. Keys that belong to the
    agent end."""
    agent = await rows.take(desk.session, Agent, desk.workspace_id, agent_id)
    async with desk.reading() as connection:
        busy = await agents.busy(connection, agent_id)
    if busy:
        raise Conflict(f"{agent.name} still has {busy} open conversations; assign them to somebody else first.")
    await agents.forget(desk.session, desk.workspace_id, agent_id)
    await rows.remove(desk.session, agent)


async def _read(desk: Desk, asked: AgentFields) -> AgentFields:
    await fields.must_exist(desk, Team, asked.team_ids, "/team_ids")
    if errors := skills.wrong(asked.skills, "/skills"):
        raise Invalid("Some skills are not right.", errors=errors)
    await skills.know(desk, asked.skills)
    return asked
