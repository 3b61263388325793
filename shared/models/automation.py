"""Automation: what is done by itself when something happens (rule), and what was done (run)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from shared.models.row import StampedRow, WorkspaceRow, big, document, documents, moment


class AutomationRuleFields(SQLModel):
    """When a fact of type `event` is told and the conversation matches `filter`, `actions` are done, in order: each is a verb of
    the desk with what it takes, as {"do": "assign", "agent_id": "…"}. Rules of one event go by `position`."""

    name: str = Field(min_length=1, max_length=200)
    position: int = Field(default=100, ge=0, le=100_000)
    event: str = Field(min_length=1, max_length=100)
    filter: dict[str, object] = document()
    actions: list[dict[str, object]] = documents()
    status: str = Field(default="active", schema_extra={"pattern": "^(active|paused)$"})


class AutomationRule(AutomationRuleFields, StampedRow, table=True):
    """A rule of a workspace. `version` goes up with each change; runs name the version that they went by. `since` is the
    position in the feed from which on it holds: it never acts on what was told before it was made."""

    __tablename__ = "automation_rule"
    __table_args__ = (Index("automation_rule_name", "workspace_id", "name", unique=True),)
    version: int = 1
    since: int = big()


class AutomationRun(WorkspaceRow, table=True):
    """What a rule did about an event, once: the audit trail. `outcome` is done, failed (and nothing of it was done) or looped (a
    chain of rules came back to one that had acted in it, or grew too long). `chain` are the runs that led to it, the first
    first; `steps` the actions as they were done. What it changed is told under its `traceparent`."""

    __tablename__ = "automation_run"
    __table_args__ = (
        Index("automation_run_once", "workspace_id", "rule_id", "event_id", unique=True),
        Index("automation_run_of_conversation", "workspace_id", "conversation_id", "id"),
        Index("automation_run_of_rule", "workspace_id", "rule_id", "id"),
        Index("automation_run_trace", "workspace_id", "traceparent"),
    )
    rule_id: UUID
    rule_name: str
    rule_version: int
    event_id: UUID
    event_type: str
    conversation_id: UUID
    outcome: str
    chain: list[dict[str, object]] = documents()
    steps: list[dict[str, object]] = documents()
    error: str | None = None
    traceparent: str
    at: datetime = moment()


class AutomationPosition(SQLModel, table=True):
    """How far in a workspace's feed the rules have been asked."""

    __tablename__ = "automation_position"
    workspace_id: UUID = Field(primary_key=True)
    position: int = big()
