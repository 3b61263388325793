"""Work that must not be lost (work), what came in and what became of it (ledger), and what was answered (idempotency)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, text
from sqlmodel import Field, SQLModel

from shared.kit import clock
from shared.models.row import StampedRow, WorkspaceRow, big, counter, maybe_document, moment, octets


class Work(WorkspaceRow, table=True):
    """Something that has to be done about `subject_id`; the row is deleted in the transaction that did it.

    `attempts` counts only tries that the subject itself ended (a text that killed the reader), not lost leases. What is
    `heavy` takes long to do (a long text), and is claimed apart, so that nothing light waits for it.
    """

    __table_args__ = (Index("work_due", "kind", "heavy", "priority", "due_at", "id"),)
    kind: str
    subject_id: UUID
    priority: int = Field(default=5)
    heavy: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    due_at: datetime = moment(default_factory=clock.now)
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    lease_until: datetime | None = moment(nullable=True)
    lease_token: UUID | None = None
    error: str | None = None


def lane(kind: str, *, heavy: bool) -> str:
    """The name by which light and heavy work of a kind are waited for, and told apart in what is counted."""
    return f"{kind}.heavy" if heavy else kind


class LedgerDelta(WorkspaceRow, table=True):
    """What one transaction adds to a channel's hour. `received` is counted at the doorstep, the others are outcomes."""

    __tablename__ = "ledger_delta"
    channel_id: UUID
    hour: datetime = moment()
    received: int = counter()
    stored: int = counter()
    updated: int = counter()
    duplicate: int = counter()
    filtered: int = counter()
    quarantined: int = counter()
    rejected: int = counter()


class LedgerHour(SQLModel, table=True):
    """The deltas of a channel's hour, added up."""

    __tablename__ = "ledger_hour"
    workspace_id: UUID = Field(primary_key=True)
    channel_id: UUID = Field(primary_key=True)
    hour: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    received: int = big()
    stored: int = big()
    updated: int = big()
    duplicate: int = big()
    filtered: int = big()
    quarantined: int = big()
    rejected: int = big()


class IdempotencyRecord(SQLModel, table=True):
    """An answer kept for its Idempotency-Key. While `status` is null the first request runs, until `lease_until`."""

    __tablename__ = "idempotency_record"
    __table_args__ = (Index("idempotency_expiry", "expires_at"),)
    workspace_id: UUID = Field(primary_key=True)
    client_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    request_hash: bytes = octets()
    lease_until: datetime = moment()
    status: int | None = None
    body: bytes | None = octets(nullable=True)
    headers: dict[str, str] | None = maybe_document()
    created_at: datetime = moment(default_factory=clock.now)
    expires_at: datetime = moment()


class Report(StampedRow, table=True):
    """A weekly listening report as it was rendered: `figures` what it says, `page` the HTML bytes."""

    __table_args__ = (Index("report_week", "workspace_id", "week", unique=True),)
    week: str
    figures: dict[str, object] | None = maybe_document()
    page: bytes = octets()
    data_hash: str
    rendered_at: datetime = moment()
