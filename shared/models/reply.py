"""An answer of ours on its way to the venue, and the states it may pass through."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlmodel import Field, SQLModel

from shared.kit import clock
from shared.kit.errors import Conflict
from shared.models.row import StampedRow, moment


class ReplyState(StrEnum):
    """Where a reply stands. `unknown`: the venue may or may not have taken it; it is never sent again blindly. `deleted`: it stood
    there, and we took it away again."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    DELETED = "deleted"


S = ReplyState
NEXT: dict[ReplyState, frozenset[ReplyState]] = {
    S.DRAFT: frozenset({S.AWAITING_APPROVAL, S.SCHEDULED, S.QUEUED, S.SUPERSEDED, S.WITHDRAWN}),
    S.AWAITING_APPROVAL: frozenset({S.APPROVED, S.REJECTED, S.SUPERSEDED, S.WITHDRAWN}),
    S.APPROVED: frozenset({S.SCHEDULED, S.QUEUED, S.SUPERSEDED, S.WITHDRAWN}),
    S.REJECTED: frozenset(),
    S.SUPERSEDED: frozenset(),
    S.SCHEDULED: frozenset({S.QUEUED, S.SUPERSEDED, S.WITHDRAWN}),
    S.QUEUED: frozenset({S.SENDING, S.WITHDRAWN, S.FAILED}),
    S.SENDING: frozenset({S.SENT, S.FAILED, S.UNKNOWN, S.QUEUED}),
    S.UNKNOWN: frozenset({S.SENT, S.FAILED}),
    S.SENT: frozenset({S.DELETED, S.FAILED}),  # some venues tell only afterwards that it could not be delivered
    S.FAILED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.DELETED: frozenset(),
}


class ReplyFields(SQLModel):
    """What an agent says. `visibility` public or private; `in_reply_to` is the mention it answers (default: the latest)."""

    text: str = Field(min_length=1, max_length=100_000)
    visibility: str = Field(default="public", schema_extra={"pattern": "^(public|private)$"})
    in_reply_to: UUID | None = None


class Reply(ReplyFields, StampedRow, table=True):
    """A reply of a workspace. `attempt_id` is the client token of the present try; `sending_at` when it went out."""

    __table_args__ = (
        Index("reply_of", "workspace_id", "conversation_id", "id"),
        Index("reply_external", "workspace_id", "channel_id", "external_id"),
        Index("reply_state", "workspace_id", "state", "id"),
        ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
        Index("reply_sending", "sending_at", postgresql_where=text("state = 'sending'")),
    )
    conversation_id: UUID
    channel_id: UUID
    state: str = "draft"
    agent_id: UUID | None = None
    automatic: bool = False
    signature: str | None = None
    external_id: str | None = None
    permalink: str | None = None
    attempt_id: UUID | None = None
    attempts: int = 0
    error: str | None = None
    queued_at: datetime | None = moment(nullable=True)
    sending_at: datetime | None = moment(nullable=True)
    sent_at: datetime | None = moment(nullable=True)
    settled_at: datetime | None = moment(nullable=True)
    settled_by: str | None = None
    deleted_at: datetime | None = moment(nullable=True)
    version: int = Field(default=1)

    def become(self, state: ReplyState) -> None:
        """Moves it to `state`. Raises Conflict where that way is not open, so that nothing is ever sent twice."""
        if state not in NEXT[ReplyState(self.state)]:
            raise Conflict(f"A reply that is {self.state} cannot become {state}.")
        self.state = state
        self.version += 1
        self.updated_at = clock.now()

    def said(self) -> str:
        """The text as it goes to the venue: with the agent's signature, where there is one."""
        return f"{self.text} {self.signature}" if self.signature else self.text
