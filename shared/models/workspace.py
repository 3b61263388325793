"""Workspaces (tenants), the keys by which their members are known, and the roles that say who may do what."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from shared.kit import clock, ids
from shared.models.row import StampedRow, document, moment, octets


class Role(StrEnum):
    """What a key may do; the table of roles and actions stands in services/api/auth.py."""

    ADMIN = "admin"
    LEAD = "lead"
    AGENT = "agent"
    ANALYST = "analyst"
    INTEGRATION = "integration"


class WorkspaceFields(SQLModel):
    """What a caller may set of a workspace. `timezone` is an IANA name; it decides where days and weeks begin."""

    slug: str = Field(max_length=63, schema_extra={"pattern": r"^[a-z0-9][a-z0-9-]*$"})
    name: str = Field(max_length=200)
    timezone: str = Field(default="UTC", max_length=64)


class Workspace(WorkspaceFields, table=True):
    """A tenant. `settings` holds what has a default: languages, priority mapping, reopening window, sectors."""

    id: UUID = Field(default_factory=ids.new_id, primary_key=True)
    slug: str = Field(unique=True)
    settings: dict[str, object] = document()
    created_at: datetime = moment(default_factory=clock.now)
    updated_at: datetime = moment(default_factory=clock.now)


class ApiKeyFields(SQLModel):
    """What a caller may set of a key."""

    name: str = Field(max_length=200)
    role: Role
    agent_id: UUID | None = None
    expires_at: datetime | None = moment(nullable=True)


class ApiKey(ApiKeyFields, StampedRow, table=True):
    """A key, of which only the beginning and a hash are kept."""

    __tablename__ = "api_key"
    __table_args__ = (Index("api_key_prefix", "prefix", unique=True),)
    role: str  # type: ignore[assignment]  # stored as its word
    expires_at: datetime | None = moment(nullable=True)
    prefix: str
    hash: bytes = octets()
    last_used_at: datetime | None = moment(nullable=True)
    revoked_at: datetime | None = moment(nullable=True)
