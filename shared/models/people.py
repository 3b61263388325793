"""Who answers (team, agent) and where work waits (queue)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, document, documents, id_list, moment, texts


class TeamFields(SQLModel):
    """A team of agents."""

    name: str = Field(min_length=1, max_length=200)


class Team(TeamFields, StampedRow, table=True):
    """A team of a workspace."""

    __table_args__ = (Index("team_name", "workspace_id", "name", unique=True),)


class AgentFields(SQLModel):
    """A person who answers. `initials` sign public replies (`^JD`); `skills` are [{kind, name, level 1..5}];
    `capacity` is in weighted conversations; `presence` online, away or offline."""

    name: str = Field(min_length=1, max_length=200)
    email: str | None = Field(default=None, max_length=320)
    initials: str | None = Field(default=None, max_length=8)
    team_ids: list[UUID] = id_list()
    languages: list[str] = texts()
    skills: list[dict[str, object]] = documents()
    capacity: int = Field(default=20, ge=0, le=10_000)
    presence: str = Field(default="offline", schema_extra={"pattern": "^(online|away|offline)$"})


class Agent(AgentFields, StampedRow, table=True):
    """An agent of a workspace."""

    __table_args__ = (Index("agent_name", "workspace_id", "name", unique=True),)
    presence_since: datetime | None = moment(nullable=True)


class QueueFields(SQLModel):
    """Where work waits. A conversation goes to the first queue by `position` whose `filter` matches it."""

    name: str = Field(min_length=1, max_length=200)
    position: int = Field(default=100, ge=0, le=100_000)
    filter: dict[str, object] = document()
    team_ids: list[UUID] = id_list()
    secondary_team_ids: list[UUID] = id_list()
    overflow_agent_id: UUID | None = None


class Queue(QueueFields, StampedRow, table=True):
    """A queue of a workspace."""

    __table_args__ = (Index("queue_name", "workspace_id", "name", unique=True),)


class RoutingDecision(StampedRow, table=True):
    """Why a conversation went to a queue or an agent: every candidate with the reason it was excluded, or its score.

    `kind` is queue, next (an agent asked), offer or manual. `seed` breaks ties, so that a replay gives the same agent.
    """

    __tablename__ = "routing_decision"
    __table_args__ = (Index("routing_decision_of", "workspace_id", "conversation_id", "id"),)
    conversation_id: UUID
    kind: str
    queue_id: UUID | None = None
    agent_id: UUID | None = None
    candidates: list[dict[str, object]] = documents()
    relaxed: list[str] = texts()
    seed: str
    reason: str
    decided_at: datetime = moment()
