"""What people talk about (brand), what we listen for (query) and the kinds of problems they have (issue type)."""

from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, document, documents, texts


class BrandFields(SQLModel):
    """A brand. `handles` are the brand's own accounts; `excluded` are words beside which the name means something else."""

    name: str = Field(min_length=1, max_length=200)
    aliases: list[str] = texts()
    product_lines: list[str] = texts()
    handles: list[str] = texts()
    excluded: list[str] = texts()


class Brand(BrandFields, StampedRow, table=True):
    """A brand of a workspace; its handles are stored folded (lower case, without `@`)."""

    __table_args__ = (Index("brand_name", "workspace_id", "name", unique=True),)


class QueryFields(SQLModel):
    """A saved boolean search: what we listen for. `status` is active or paused."""

    name: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=10_000)
    brand_id: UUID | None = None
    languages: list[str] = texts()
    channel_types: list[str] = texts()
    status: str = Field(default="active", schema_extra={"pattern": "^(active|paused)$"})


class Query(QueryFields, StampedRow, table=True):
    """A query of a workspace; `version` goes up when its text changes."""

    __table_args__ = (Index("query_name", "workspace_id", "name", unique=True),)
    version: int = Field(default=1)


class IssueTypeFields(SQLModel):
    """A kind of problem. `phrases` and `unless` are {language: [phrase, …]} in the grammar of shared/models/phrase.py; severity 1..5."""

    key: str = Field(min_length=1, max_length=100, schema_extra={"pattern": r"^[a-z0-9_.]+$"})
    name: str = Field(min_length=1, max_length=200)
    names: dict[str, str] = document()
    parent_key: str | None = Field(default=None, max_length=100)
    severity: int = Field(default=3, ge=1, le=5)
    owner_team_id: UUID | None = None
    playbook_id: UUID | None = None
    phrases: dict[str, list[object]] = document()
    unless: dict[str, list[object]] = document()
    status: str = Field(default="active", schema_extra={"pattern": "^(active|paused)$"})


class IssueType(IssueTypeFields, StampedRow, table=True):
    """An issue type of a workspace; `version` goes up when what triage needs of it changes."""

    __tablename__ = "issue_type"
    __table_args__ = (Index("issue_type_key", "workspace_id", "key", unique=True),)
    version: int = Field(default=1)


class PlaybookFields(SQLModel):
    """The plan for an issue type. `steps` are [{kind, title, text}] (say, ask, check, hand_over, ask_department, escalate);
    `templates` are [{language, channel_type, text}]; `owner` names who owns the internal process."""

    name: str = Field(min_length=1, max_length=200)
    issue_key: str | None = Field(default=None, max_length=100)
    owner: str | None = Field(default=None, max_length=200)
    steps: list[dict[str, object]] = documents()
    templates: list[dict[str, object]] = documents()


class Playbook(PlaybookFields, StampedRow, table=True):
    """A playbook as it stands; what it was before stands in playbook_version."""

    __table_args__ = (Index("playbook_name", "workspace_id", "name", unique=True),)
    version: int = Field(default=1)


class PlaybookVersion(StampedRow, table=True):
    """A playbook as it was at version `version`: `body` holds its fields."""

    __tablename__ = "playbook_version"
    __table_args__ = (Index("playbook_version_n", "workspace_id", "playbook_id", "version", unique=True),)
    playbook_id: UUID
    version: int
    body: dict[str, object] = document()
