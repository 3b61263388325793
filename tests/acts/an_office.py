"""A workspace with a queue that pushes, agents, and work that waits: what tests of offers begin with."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from services.triage import dispatch
from shared.acts import offers as acts
from shared.acts import routing
from shared.acts.conversations import open_or_extend
from shared.acts.policies import in_force
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.conversation import Conversation
from shared.models.people import Agent, Queue, Team
from shared.store import conversation as threads
from shared.store import offers as store
from tests.builders import a_channel, a_queue, a_workspace, an_arrival


@dataclass
class Office:
    """Everything by name."""

    database: Database
    workspace_id: UUID
    channel: Channel
    queue: Queue
    teams: dict[str, UUID] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)

    async def hire(self, name: str, team: str = "first", **fields: Any) -> Agent:
        """An agent who is online and speaks Dutch."""
        given = {"presence": "online", "presence_since": clock.now(), "languages": ["nl"], "capacity": 5, **fields}
        agent = Agent(workspace_id=self.workspace_id, name=name, team_ids=[self.teams[team]], **given)
        async with self.database.write(self.workspace_id) as session:
            session.add(agent)
        self.agents[name] = agent
        return agent

    async def arrive(self, *threads_: str, **fields: Any) -> list[UUID]:
        """Matters that come in, one conversation each."""
        arrivals = [an_arrival(self.channel, one, **fields) for one in threads_]
        async with self.database.write(self.workspace_id) as session:
            placed = await open_or_extend(
                session, self.workspace_id, arrivals, await in_force(session, self.workspace_id)
            )
        return [placed[one.mention_id] for one in arrivals]

    async def dispatch(self) -> None:
        """One look of whoever hands out work."""
        await dispatch.dispatch(self.database)

    async def offers(self) -> list[tuple[str, str]]:
        """(agent, state) of every offer, in their order."""
        named = {agent.id: name for name, agent in self.agents.items()}
        return [(named[row["agent_id"]], row["state"]) for row in await self.rows("offer")]

    async def rows(self, table: str, order: str = "id") -> list[Any]:
        """All rows of a table of this workspace."""
        async with self.database.read(self.workspace_id) as connection:
            return list(await connection.fetch(f"SELECT * FROM {table} ORDER BY {order}"))  # a test's own names

    async def told(self, prefix: str) -> list[str]:
        """What was told, of facts whose type begins so."""
        return [row["type"] for row in await self.rows("outbox", "at, id") if row["type"].startswith(prefix)]

    async def accept(self, name: str) -> Conversation:
        """The agent takes what stands before them."""
        async with self.database.write(self.workspace_id) as session:
            offer = await store.lock(session, self.workspace_id, await self._standing(name))
            return await acts.accept(session, offer, self.agents[name].id, actor=f"agent:{name}")

    async def decline(self, name: str, reason: str | None = None) -> None:
        """The agent lets it go."""
        async with self.database.write(self.workspace_id) as session:
            offer = await store.lock(session, self.workspace_id, await self._standing(name))
            await acts.decline(session, offer, self.agents[name].id, reason=reason)

    async def _standing(self, name: str) -> UUID:
        rows = await self.rows("offer")
        found: UUID = next(
            row["id"] for row in rows if row["agent_id"] == self.agents[name].id and row["state"] == "open"
        )
        return found

    async def later(self, length: timedelta) -> None:
        """So much time goes by for what stands in the office: everything that is kept becomes so much older."""
        async with self.database.write(self.workspace_id) as session:
            for statement in _OLDER:
                await session.execute(text(statement), {"by": length})

    async def conversation(self, conversation_id: UUID) -> Conversation:
        """A conversation as it stands."""
        async with self.database.write(self.workspace_id) as session:
            return await threads.lock(session, self.workspace_id, conversation_id)

    async def replayed(self) -> list[tuple[UUID | None, UUID | None]]:
        """(who got it, who gets it by the replay) of every decision that weighed agents."""
        rows = await self.rows("routing_decision")
        return [(row["agent_id"], routing.replay(_Row(row)).agent_id) for row in rows if row["item"] is not None]


class _Row:
    """A record by attributes, as SQLAlchemy gives it."""

    def __init__(self, record: Any) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        value = self._record[name]
        return orjson.loads(value) if name in {"item", "rules", "candidates"} else value


_OLDER = tuple(
    f"UPDATE {table} SET {', '.join(f'{name} = {name} - CAST(:by AS interval)' for name in columns)}"
    for table, columns in {
        "offer": ("offered_at", "expires_at", "answered_at"),
        "conversation": ("queued_at", "waiting_since", "assigned_at", "created_at"),
        "routing_decision": ("decided_at",),
        "agent": ("presence_since",),
        "message": ("at",),
    }.items()
)


async def an_office(database: Database, **queue: Any) -> Office:
    """An office with two teams, `first` and `second`, of which the queue asks the first."""
    workspace_id = await a_workspace(database)
    teams = {name: Team(workspace_id=workspace_id, name=name) for name in ("first", "second")}
    async with database.write(workspace_id) as session:
        session.add_all(teams.values())
    known = {name: team.id for name, team in teams.items()}
    fields = {"mode": "push", "team_ids": [known["first"]], "name": f"q-{ids.new_id().hex[-12:]}", **queue}
    return Office(
        database,
        workspace_id,
        await a_channel(database, workspace_id),
        await a_queue(database, workspace_id, **fields),
        known,
    )
