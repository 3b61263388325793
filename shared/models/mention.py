"""Posts about us or to us (mention), who wrote them (author), and what triage found in them (assessment)."""

import re
from datetime import datetime
from enum import StrEnum
from itertools import islice
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, WorkspaceRow, document, id_list, maybe_document, moment, octets, texts

LONG = 300
"""Words and signs beyond which a text is slow to read, and is understood apart from the others."""
_LONG_LETTERS = 2_000
_PIECE = re.compile(r"\w+|[^\w\s]")


def is_long(text: str) -> bool:
    """Whether reading this takes long: by its words and signs, each of which costs about the same (300 dollar signs are as slow
    to read as a letter of a page and a half), and by its letters, should it be but one word."""
    if len(text) <= LONG:
        return False
    return len(text) > _LONG_LETTERS or next(islice(_PIECE.finditer(text), LONG, None), None) is not None


class MentionKind(StrEnum):
    """What sort of writing it is."""

    POST = "post"
    COMMENT = "comment"
    REPLY = "reply"
    REVIEW = "review"
    MESSAGE = "message"
    MAIL = "mail"
    ARTICLE = "article"
    VIDEO = "video"
    PHOTO = "photo"
    NOTE = "note"


class Visibility(StrEnum):
    """Who can read it at its venue."""

    PUBLIC = "public"
    PRIVATE = "private"


class Disposition(StrEnum):
    """What becomes of a mention: no conversation, counted, or a conversation."""

    DISMISSED = "dismissed"
    WATCH = "watch"
    ENGAGE = "engage"


class Author(StampedRow, table=True):
    """One account on one channel type, as last seen."""

    __table_args__ = (
        Index("author_identity", "workspace_id", "channel_type", "external_id", unique=True),
        Index("author_handle", "workspace_id", "handle_folded"),
    )
    channel_type: str
    external_id: str
    handle: str | None = None
    handle_folded: str | None = None
    name: str | None = None
    url: str | None = None
    followers: int | None = None
    following: int | None = None
    verified: bool | None = None
    account_created_at: datetime | None = moment(nullable=True)
    labels: list[str] = texts()
    contact_id: UUID | None = None


class MentionKey(SQLModel, table=True):
    """What makes a mention unique; written before the mention, which lives in a partition and cannot say so itself."""

    __tablename__ = "mention_key"
    workspace_id: UUID = Field(primary_key=True)
    channel_type: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    mention_id: UUID
    digest: bytes = octets()


class MentionFields(SQLModel):
    """What a venue told of a mention. Times are UTC; `rating` is on the scale 1..5; `country` ISO 3166-1 alpha-2."""

    channel_id: UUID
    channel_type: str
    external_id: str
    kind: str = "post"
    visibility: str = "public"
    permalink: str | None = None
    author_id: UUID | None = None
    title: str | None = None
    text: str
    lang: str | None = None
    published_at: datetime = moment()
    received_at: datetime = moment()
    edited_at: datetime | None = moment(nullable=True)
    deleted_at: datetime | None = moment(nullable=True)
    root_external_id: str | None = None
    parent_external_id: str | None = None
    rating: float | None = None
    engagement: dict[str, object] | None = maybe_document()
    reach: int | None = None
    media: list[dict[str, object]] | None = maybe_document()
    country: str | None = None
    reply: dict[str, object] | None = maybe_document()


class Mention(MentionFields, WorkspaceRow, table=True):
    """A mention. Its id is made from `received_at`; the table is cut into months by it. `hidden_at` is when we hid it,
    `expired_at` when its words were taken away because its venue lets us keep them no longer."""

    __table_args__ = (
        Index("mention_channel", "workspace_id", "channel_id", "id"),
        Index("mention_author", "workspace_id", "author_id", "id"),
        Index(
            "mention_thread",
            "workspace_id",
            "root_external_id",
            "id",
            postgresql_where=text("root_external_id IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )
    raw: bytes | None = octets(nullable=True)
    hidden_at: datetime | None = moment(nullable=True)
    expired_at: datetime | None = moment(nullable=True)


class MentionRevision(WorkspaceRow, table=True):
    """What a mention said before an edit."""

    __tablename__ = "mention_revision"
    __table_args__ = (Index("mention_revision_of", "workspace_id", "mention_id", "id"),)
    mention_id: UUID
    title: str | None = None
    text: str
    seen_at: datetime = moment()


class Assessment(SQLModel, table=True):
    """What triage found in a mention: the findings whole, and beside them what lists are filtered by."""

    __table_args__ = (
        Index("assessment_disposition", "workspace_id", "disposition", "mention_id"),
        Index("assessment_conversation", "workspace_id", "conversation_id", "mention_id"),
        Index("assessment_exact", "workspace_id", "text_hash", "mention_id"),
        Index(
            "assessment_copies",
            "workspace_id",
            "duplicate_of",
            "mention_id",
            postgresql_where=text("duplicate_of IS NOT NULL"),
        ),
        Index("assessment_search", "search", postgresql_using="gin"),
        {"postgresql_partition_by": "RANGE (mention_id)"},
    )
    workspace_id: UUID = Field(primary_key=True)
    mention_id: UUID = Field(primary_key=True)
    conversation_id: UUID | None = None
    disposition: str
    dismissed_because: str | None = None
    duplicate_of: UUID | None = None
    lang: str | None = None
    sentiment: str | None = None
    sentiment_score: float | None = None
    intent: str | None = None
    urgency: str | None = None
    priority: str | None = None
    priority_score: float | None = None
    issue_keys: list[str] = texts()
    brand_ids: list[UUID] = id_list()
    query_ids: list[UUID] = id_list()
    findings: dict[str, object] = document()
    failed_stages: list[str] = texts()
    text_hash: bytes | None = octets(nullable=True)
    pipeline_version: str
    triaged_at: datetime = moment()
    search: str | None = Field(default=None, sa_column=Column(TSVECTOR, nullable=True))


class Correction(WorkspaceRow, table=True):
    """A person's word against a finding: kept, and standing above what the pipeline says."""

    __table_args__ = (Index("correction_of", "workspace_id", "mention_id", "id"),)
    mention_id: UUID
    finding: str
    old: object = Field(default=None, sa_column=Column(JSONB, nullable=True))
    new: object = Field(default=None, sa_column=Column(JSONB, nullable=True))
    note: str | None = None
    actor: str
    corrected_at: datetime = moment()


class Quarantine(WorkspaceRow, table=True):
    """A mention that triage could not read without dying; a person looks and sends it again or lets it go."""

    __table_args__ = (Index("quarantine_mention", "workspace_id", "mention_id", unique=True),)
    mention_id: UUID
    reason: str
    attempts: int
    quarantined_at: datetime = moment()
    released_at: datetime | None = moment(nullable=True)
