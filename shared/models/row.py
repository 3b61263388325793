"""What every row has: an id, the workspace it belongs to, and when it was made and last changed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Integer, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from shared.kit import clock, ids


class WorkspaceRow(SQLModel):
    """The key of every row of a workspace. The workspace comes first, so that storage can be spread by it."""

    workspace_id: UUID = Field(primary_key=True)
    id: UUID = Field(default_factory=ids.new_id, primary_key=True)


class StampedRow(WorkspaceRow):
    """A row that people make and change: it tells when."""

    created_at: datetime = Field(default_factory=clock.now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=clock.now, sa_type=DateTime(timezone=True))


def moment(*, nullable: bool = False, index: bool = False, default_factory: Callable[[], Any] | None = None) -> Any:
    """A moment, stored with its zone (UTC)."""
    extra: dict[str, Any] = {"default": None} if nullable else {}
    if default_factory is not None:
        extra = {"default_factory": default_factory}
    return Field(sa_type=DateTime(timezone=True), nullable=nullable, index=index, **extra)


def texts() -> Any:
    """A list of short texts (text[])."""
    return Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))


def id_list() -> Any:
    """A list of ids (uuid[])."""
    return Field(default_factory=list, sa_column=Column(ARRAY(Uuid), nullable=False, server_default=text("'{}'")))


def document() -> Any:
    """A JSON object (jsonb), empty unless said otherwise."""
    return Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))


def documents() -> Any:
    """A JSON array (jsonb), empty unless said otherwise."""
    return Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")))


def maybe_document() -> Any:
    """A JSON value (jsonb) that may be absent."""
    return Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


def octets(*, nullable: bool = False) -> Any:
    """Bytes, kept exactly."""
    if nullable:
        return Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    return Field(sa_column=Column(LargeBinary, nullable=False))


def big(*, default: int = 0) -> Any:
    """A whole number that may outgrow 32 bits."""
    return Field(default=default, sa_column=Column(BigInteger, nullable=False, server_default=text(str(default))))


def counter() -> Any:
    """A whole number that starts at zero."""
    return Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
