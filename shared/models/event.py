"""Facts on their way out (outbox), told to the world in one order (event), and those who asked to be told (webhooks)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from shared.kit import clock
from shared.models.row import StampedRow, WorkspaceRow, big, document, moment, octets, texts


class Outbox(WorkspaceRow, table=True):
    """A committed fact that has no position yet. `at` was taken under the conversation's lock and orders its facts."""

    __table_args__ = (Index("outbox_order", "workspace_id", "at", "id"),)
    type: str
    subject_id: UUID
    conversation_id: UUID | None = None
    at: datetime = moment()
    payload: dict[str, object] = document()
    traceparent: str | None = None


class Event(WorkspaceRow, table=True):
    """A fact with its place: `position` in the workspace's feed, `sequence` in its conversation (gap-free from 1)."""

    __table_args__ = (
        Index("event_position_of", "workspace_id", "position"),
        Index("event_conversation", "workspace_id", "conversation_id", "sequence"),
        Index("event_subject", "workspace_id", "subject"),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str
    subject: str
    conversation_id: UUID | None = None
    sequence: int | None = None
    occurred_at: datetime = moment()
    data: dict[str, object] = document()
    traceparent: str | None = None


class EventPosition(SQLModel, table=True):
    """The last position given out in a workspace; only the sequencer touches it."""

    __tablename__ = "event_position"
    workspace_id: UUID = Field(primary_key=True)
    position: int = big()


class EventSequence(SQLModel, table=True):
    """The last sequence given out in a conversation; only the sequencer touches it."""

    __tablename__ = "event_sequence"
    workspace_id: UUID = Field(primary_key=True)
    conversation_id: UUID = Field(primary_key=True)
    sequence: int = Field(default=0)


class WebhookEndpointFields(SQLModel):
    """Where to tell what. `event_types` are names, `noun.*` or `*`."""

    url: str = Field(min_length=1, max_length=2048)
    event_types: list[str] = texts()
    description: str | None = Field(default=None, max_length=1000)
    status: str = Field(default="enabled", schema_extra={"pattern": "^(enabled|disabled)$"})


class WebhookEndpoint(WebhookEndpointFields, StampedRow, table=True):
    """A receiver. During a rotation both secrets sign, until `former_secret_until`."""

    __tablename__ = "webhook_endpoint"
    secret: bytes = octets()
    former_secret: bytes | None = octets(nullable=True)
    former_secret_until: datetime | None = moment(nullable=True)
    disabled_because: str | None = None
    failing_since: datetime | None = moment(nullable=True)


class Delivery(WorkspaceRow, table=True):
    """One event for one endpoint: pending, delivered, failed (tries used up) or discarded (the receiver said stop)."""

    __table_args__ = (
        Index(
            "delivery_due",
            "workspace_id",
            "endpoint_id",
            "next_at",
            "position",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("delivery_endpoint", "workspace_id", "endpoint_id", "id"),
        Index("delivery_once", "workspace_id", "endpoint_id", "event_id", unique=True),
    )
    endpoint_id: UUID
    event_id: UUID
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str
    state: str = "pending"
    attempts: int = 0
    next_at: datetime | None = moment(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    lease_token: UUID | None = None
    last_status: int | None = None
    last_error: str | None = None
    delivered_at: datetime | None = moment(nullable=True)


class DeliveryAttempt(WorkspaceRow, table=True):
    """One try: what the receiver answered (at most 1,024 characters of it) and how long it took."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (Index("delivery_attempt_of", "workspace_id", "delivery_id", "n"),)
    delivery_id: UUID
    n: int
    at: datetime = moment()
    status: int | None = None
    error: str | None = None
    latency_ms: float
    excerpt: str | None = None


class Heartbeat(SQLModel, table=True):
    """A worker's sign of life."""

    process: str = Field(primary_key=True)
    instance: str = Field(primary_key=True)
    started_at: datetime = moment()
    beat_at: datetime = moment(default_factory=clock.now)
    detail: dict[str, object] = document()
