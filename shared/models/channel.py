"""Kinds of venues (channel type) and the sources a workspace has configured (channel)."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, WorkspaceRow, big, counter, document, maybe_document, moment, octets, texts


class ThreadMode(StrEnum):
    """What makes two mentions of one author one conversation."""

    AUTHOR_THREAD = "author_thread"
    POST = "post"
    CONTACT = "contact"


class Health(StrEnum):
    """How a channel is doing. `failing` and `reauth_required` are said once; `ok` afterwards is said once."""

    NEW = "new"
    OK = "ok"
    FAILING = "failing"
    REAUTH_REQUIRED = "reauth_required"


class Signature(StrEnum):
    """What names the agent under a public answer: nothing, `^JD`, or the name written out."""

    NONE = "none"
    INITIALS = "initials"
    NAME = "name"

    def of(self, name: str, initials: str | None) -> str | None:
        """What is put after the text; None where there is nothing to be put."""
        match self:
            case Signature.INITIALS:
                return f"^{initials}" if initials else None
            case Signature.NAME:
                return f"– {name}"
            case Signature.NONE:
                return None


class ChannelType(SQLModel, table=True):
    """A kind of venue as ingest published it: the same for all workspaces."""

    __tablename__ = "channel_type"
    type: str = Field(primary_key=True, max_length=40)
    title: str
    abilities: list[str] = texts()
    settings_schema: dict[str, object] = document()
    secrets_schema: dict[str, object] = document()
    reply_rules: dict[str, object] = document()
    display_rules: dict[str, object] = document()
    published_at: datetime = moment()


class ChannelFields(SQLModel):
    """One configured source. `owned` says the venue is the brand's own (mailbox, page): what comes there is meant for it;
    `signature` what names the agent under a public answer there; `weight` what a conversation there takes of its agent's capacity."""

    type: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=200)
    settings: dict[str, object] = document()
    thread_mode: ThreadMode = ThreadMode.AUTHOR_THREAD
    owned: bool = False
    signature: Signature = Signature.INITIALS
    weight: int = Field(default=1, ge=0, le=100)
    status: str = Field(default="active", schema_extra={"pattern": "^(active|paused)$"})


class Channel(ChannelFields, StampedRow, table=True):
    """A channel of a workspace, with where its reading stands and how it is doing. Durations are in seconds."""

    __table_args__ = (
        Index("channel_name", "workspace_id", "name", unique=True),
        Index("channel_due", "next_poll_at", postgresql_where=text("status = 'active' AND next_poll_at IS NOT NULL")),
    )
    thread_mode: str = Field(default="author_thread")  # type: ignore[assignment]
    signature: str = Field(default="initials", sa_column_kwargs={"server_default": "initials"})  # type: ignore[assignment]
    secrets: bytes | None = octets(nullable=True)
    cursor: dict[str, object] | None = maybe_document()
    health: str = Field(default="new")
    health_detail: str | None = None
    failing_since: datetime | None = moment(nullable=True)
    failures: int = Field(default=0)
    last_success_at: datetime | None = moment(nullable=True)
    next_poll_at: datetime | None = moment(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    lease_token: UUID | None = None
    lag_s: float | None = None
    quota_left: int | None = None
    drift: dict[str, int] = document()
    account: dict[str, object] | None = maybe_document()
    checked_at: datetime | None = moment(nullable=True)
    check_error: str | None = None
    expired_to: UUID | None = None


class ChannelGap(WorkspaceRow, table=True):
    """A stretch of a channel of which something may be missing. It is closed when it was read again; where it cannot be, it stays
    and `next_try_at` is empty. `cursor` is where reading it again stands."""

    __tablename__ = "channel_gap"
    __table_args__ = (
        Index("channel_gap_of", "workspace_id", "channel_id", "id"),
        Index("channel_gap_due", "next_try_at", postgresql_where=text("closed_at IS NULL AND next_try_at IS NOT NULL")),
    )
    channel_id: UUID
    since: datetime = moment()
    until: datetime = moment()
    reason: str
    found_at: datetime = moment()
    closed_at: datetime | None = moment(nullable=True)
    cursor: dict[str, object] | None = maybe_document()
    recovered: int = counter()
    failures: int = counter()
    error: str | None = None
    next_try_at: datetime | None = moment(nullable=True)
    lease_until: datetime | None = moment(nullable=True)
    lease_token: UUID | None = None


class ChannelSpend(SQLModel, table=True):
    """What a channel cost in a calendar month (UTC; its first day), in millionths of a US dollar."""

    __tablename__ = "channel_spend"
    workspace_id: UUID = Field(primary_key=True)
    channel_id: UUID = Field(primary_key=True)
    month: date = Field(primary_key=True)
    cost: int = big()
