"""Who answers (team, agent, with skills and shifts), where work waits (queue), and why it went where (routing decision)."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, document, documents, id_list, maybe_document, moment, texts


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


class SkillFields(SQLModel):
    """Something that agents can do: `kind` language, product, country, channel or a word of the workspace's own."""

    kind: str = Field(min_length=1, max_length=50)
    name: str = Field(min_length=1, max_length=100)
    title: str | None = Field(default=None, max_length=200)


class Skill(SkillFields, StampedRow, table=True):
    """A skill that agents have and queues ask for."""

    __table_args__ = (Index("skill_name", "workspace_id", "kind", "name", unique=True),)


class ShiftFields(SQLModel):
    """When an agent, or everybody in a team, is at work (`kind` work) or is not (`leave`).

    Either one span, `starts_at` to `ends_at`, or the same hours every week: `weekly` {mon: [["09:00", "17:00"]]} in the wall
    clock of `timezone`, from `first_day` to `last_day`, both included, where given. Who has no shift of the kind work is at
    work whenever present."""

    agent_id: UUID | None = None
    team_id: UUID | None = None
    kind: str = Field(default="work", schema_extra={"pattern": "^(work|leave)$"})
    note: str | None = Field(default=None, max_length=200)
    starts_at: datetime | None = moment(nullable=True)
    ends_at: datetime | None = moment(nullable=True)
    weekly: dict[str, list[list[str]]] | None = maybe_document()
    timezone: str | None = Field(default=None, max_length=64)
    first_day: date | None = None
    last_day: date | None = None


class Shift(ShiftFields, StampedRow, table=True):
    """A shift or a leave of a workspace's agent or team."""

    __table_args__ = (
        Index("shift_of_agent", "workspace_id", "agent_id"),
        Index("shift_of_team", "workspace_id", "team_id"),
    )


def _language() -> list[dict[str, object]]:
    return [{"kind": "language", "level": 1, "required": True}]


class QueueFields(SQLModel):
    """Where work waits. A conversation goes to the first queue by `position` whose `filter` matches it.

    `needs` [{kind, name, level 1..5, required}] says which skills its work takes; without a name that of the conversation is
    meant (its language, channel type or country). What is not required is preferred, and dropped one by one, the last first,
    each time a conversation has waited another `relax_after_s` seconds (0: never). `mode` push offers work to agents, pull
    lets them ask. An offer stands for `offer_expires_s`; after `refusals_to_widen` that were declined or expired the secondary
    teams are asked too, then `overflow_agent_id` gets it, then the alarm is told. `share` is the most that an agent gets within
    `fairness_window_s`, null none. Work goes back to the queue when its agent is offline for `take_back_offline_s`, or silent
    for `take_back_silent_s` of the hours of `calendar_id` (null: never)."""

    name: str = Field(min_length=1, max_length=200)
    position: int = Field(default=100, ge=0, le=100_000)
    filter: dict[str, object] = document()
    team_ids: list[UUID] = id_list()
    secondary_team_ids: list[UUID] = id_list()
    overflow_agent_id: UUID | None = None
    mode: str = Field(default="pull", schema_extra={"pattern": "^(pull|push)$"})
    needs: list[dict[str, object]] = Field(
        default_factory=_language,
        sa_column=Column(
            JSONB, nullable=False, server_default=text("""'[{"kind": "language", "level": 1, "required": true}]'""")
        ),
    )
    relax_after_s: int = Field(default=300, ge=0, le=604_800)
    affinity_s: int = Field(default=604_800, ge=0, le=31_536_000)
    share: int | None = Field(default=None, ge=1, le=10_000)
    fairness_window_s: int = Field(default=3_600, ge=60, le=604_800)
    offer_expires_s: int = Field(default=60, ge=5, le=86_400)
    refusals_to_widen: int = Field(default=3, ge=1, le=100)
    take_back_offline_s: int | None = Field(default=None, ge=60, le=604_800)
    take_back_silent_s: int | None = Field(default=None, ge=60, le=2_592_000)
    calendar_id: UUID | None = None


class Queue(QueueFields, StampedRow, table=True):
    """A queue of a workspace."""

    __table_args__ = (
        Index("queue_name", "workspace_id", "name", unique=True),
        ForeignKeyConstraint(["workspace_id", "calendar_id"], ["calendar.workspace_id", "calendar.id"]),
    )


class RoutingDecision(StampedRow, table=True):
    """Why a conversation went to a queue or an agent: every candidate with the reason it was excluded, or its score.

    `kind` is queue, next (an agent asked), offer, overflow, alarm, taken_back or manual. `item`, `rules`, `candidates` and `seed` are
    all that was known (shared/rules/routing_record.py), so that a replay gives the same agent. `id` is also that of the offer made.
    """

    __tablename__ = "routing_decision"
    __table_args__ = (
        Index("routing_decision_of", "workspace_id", "conversation_id", "id"),
        Index(
            "routing_decision_got", "workspace_id", "agent_id", "decided_at",
            postgresql_where=text("kind IN ('next', 'offer', 'overflow')"),
        ),
    )  # fmt: skip
    conversation_id: UUID
    kind: str
    queue_id: UUID | None = None
    agent_id: UUID | None = None
    item: dict[str, object] | None = maybe_document()
    rules: dict[str, object] | None = maybe_document()
    candidates: list[dict[str, object]] = documents()
    relaxed: list[str] = texts()
    seed: str
    reason: str
    decided_at: datetime = moment()
