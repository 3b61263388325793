"""What was promised (calendar, SLA policy) and how each promise runs (SLA clock)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, WorkspaceRow, document, documents, maybe_document, moment


class CalendarFields(SQLModel):
    """Business hours: `weekly` {mon: [["09:00", "17:00"]]}, `holidays` [{date, name, open?}]; rules in business_hours.py. More holidays
    come from `ical_url`, an iCalendar feed that is read daily."""

    name: str = Field(min_length=1, max_length=200)
    timezone: str = Field(max_length=64)
    weekly: dict[str, list[list[str]]] = document()
    holidays: list[dict[str, object]] = documents()
    ical_url: str | None = Field(default=None, max_length=2_000)


class Calendar(CalendarFields, StampedRow, table=True):
    """A calendar as it stands; earlier versions are in sla_version. `ical_holidays` is what its feed last said, in the same form as
    `holidays`, which win over it; `ical_due_at` when it is read next."""

    __table_args__ = (
        Index("calendar_name", "workspace_id", "name", unique=True),
        Index("calendar_ical_due", "ical_due_at", postgresql_where=text("ical_due_at IS NOT NULL")),
    )
    version: int = Field(default=1)
    ical_holidays: list[dict[str, object]] = documents()
    ical_read_at: datetime | None = moment(nullable=True)
    ical_due_at: datetime | None = moment(nullable=True)
    ical_error: str | None = None


class SlaPolicyFields(SQLModel):
    """A promise, as shared/rules/sla_policy.py reads it: `targets` [{metric, priority, within (ISO 8601), hours}], `pause_on`
    {metric: [status]}, `warnings` [part of the target or time before it]. `ignore_older_than` is stored in seconds (null:
    never ignored) and written as ISO 8601 at the doors."""

    name: str = Field(min_length=1, max_length=200)
    position: int = Field(default=100, ge=0, le=100_000)
    filter: dict[str, object] = document()
    calendar_id: UUID | None = None
    starts_at: str = Field(default="received_at", schema_extra={"pattern": "^(received_at|published_at)$"})
    ignore_older_than: float | None = Field(default=7 * 86_400.0)
    targets: list[dict[str, object]] = documents()
    pause_on: dict[str, list[str]] | None = maybe_document()
    warnings: list[str] = documents()
    automatic_replies_count: bool = False
    status: str = Field(default="active", schema_extra={"pattern": "^(active|paused)$"})


class SlaPolicy(SlaPolicyFields, StampedRow, table=True):
    """A policy as it stands; earlier versions are in sla_version."""

    __tablename__ = "sla_policy"
    __table_args__ = (
        Index("sla_policy_name", "workspace_id", "name", unique=True),
        ForeignKeyConstraint(["workspace_id", "calendar_id"], ["calendar.workspace_id", "calendar.id"]),
    )
    version: int = Field(default=1)


class SlaVersion(StampedRow, table=True):
    """A calendar or policy as it was at a version (`of` is calendar or sla_policy): what a running clock goes by."""

    __tablename__ = "sla_version"
    __table_args__ = (Index("sla_version_n", "workspace_id", "subject_id", "version", unique=True),)
    of: str
    subject_id: UUID
    version: int
    body: dict[str, object] = document()


class SlaClock(StampedRow, table=True):
    """A promise to one conversation. `state` and the moments are the fold of its events, stored so that lists can be read;
    `deadline_at` is where it breaches unless something happens; `notice_at` when the watcher has to look next."""

    __tablename__ = "sla_clock"
    __table_args__ = (
        Index("sla_clock_once", "workspace_id", "conversation_id", "metric", "instance", unique=True),
        Index("sla_clock_due", "notice_at", postgresql_where=text("notice_at IS NOT NULL")),
        ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
    )
    conversation_id: UUID
    policy_id: UUID
    policy_version: int
    calendar_id: UUID | None = None
    calendar_version: int | None = None
    priority: str
    metric: str
    instance: int = 1
    state: str = "running"
    target_s: float
    started_at: datetime = moment()
    deadline_at: datetime | None = moment(nullable=True)
    notice_at: datetime | None = moment(nullable=True)
    stopped_at: datetime | None = moment(nullable=True)
    breached_at: datetime | None = moment(nullable=True)
    elapsed_s: float | None = None


class SlaClockEvent(WorkspaceRow, table=True):
    """What happened to a clock: the input of the fold in shared/rules/sla_clock.py. `kind` is one of its event kinds, `at` when
    it happened, `recorded_at` when it was noticed, `cause` what brought it about; `terms` what a clock runs under from then on
    ({within_s, marks: [[name, used_s]], policy_id, policy_version, calendar_id, calendar_version, priority})."""

    __tablename__ = "sla_clock_event"
    __table_args__ = (
        Index("sla_clock_event_once", "workspace_id", "clock_id", "kind", "cause", unique=True),
        ForeignKeyConstraint(["workspace_id", "clock_id"], ["sla_clock.workspace_id", "sla_clock.id"]),
    )
    clock_id: UUID
    kind: str
    at: datetime = moment()
    recorded_at: datetime = moment()
    cause: str
    reason: str = ""
    terms: dict[str, object] | None = maybe_document()


class ConversationChange(WorkspaceRow, table=True):
    """What happened to a conversation, as promises see it: the history from which its clocks under any policy can be told.

    `kind` is one of `ChangeKind` in shared/rules/sla_history.py, which says what each means and what `detail` holds of it. `at` is when it
    happened, `recorded_at` when it was noticed, `cause` what brought it about."""

    __tablename__ = "conversation_change"
    __table_args__ = (
        Index("conversation_change_once", "workspace_id", "conversation_id", "kind", "cause", unique=True),
        ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
    )
    conversation_id: UUID
    kind: str
    at: datetime = moment()
    recorded_at: datetime = moment()
    cause: str
    detail: dict[str, object] = document()


class SlaNotice(WorkspaceRow, table=True):
    """A fact about a clock that was told, by the key that makes it tellable once; `at` when it happened."""

    __tablename__ = "sla_notice"
    __table_args__ = (Index("sla_notice_once", "workspace_id", "clock_id", "key", unique=True),)
    clock_id: UUID
    key: str
    kind: str
    at: datetime = moment()
    recorded_at: datetime = moment()
