"""What is asked of a venue about a post that stands there: to hide or show it, to look at it, to take our reply away."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from shared.kit import clock
from shared.kit.errors import Conflict
from shared.models.row import StampedRow, moment


class ModerationAction(StrEnum):
    """What is asked: of a mention at our own place, of what breaks the venue's rules, of a review, of a reply of ours."""

    HIDE = "hide"
    UNHIDE = "unhide"
    REPORT = "report"
    DISPUTE = "dispute"
    DELETE_REPLY = "delete_reply"


class ModerationState(StrEnum):
    """Where a request stands. `unknown`: the venue may or may not have taken it, and a person looks."""

    QUEUED = "queued"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


A = ModerationAction
S = ModerationState
NEXT: dict[ModerationState, frozenset[ModerationState]] = {
    S.QUEUED: frozenset({S.SENDING, S.FAILED}),
    S.SENDING: frozenset({S.DONE, S.FAILED, S.UNKNOWN, S.QUEUED}),
    S.UNKNOWN: frozenset({S.DONE, S.FAILED}),
    S.DONE: frozenset(),
    S.FAILED: frozenset(),
}
ABILITY: Mapping[ModerationAction, str] = {
    A.HIDE: "hide", A.UNHIDE: "hide", A.REPORT: "report", A.DISPUTE: "dispute", A.DELETE_REPLY: "delete_reply",
}  # fmt: skip
"""The ability that a channel type must have for an action."""
REPEATABLE = frozenset({A.HIDE, A.UNHIDE, A.DELETE_REPLY})
"""What leaves the same behind when it is done twice. A report or a dispute counts each time, so it is never repeated."""
OPPOSITE: Mapping[ModerationAction, ModerationAction] = {A.HIDE: A.UNHIDE, A.UNHIDE: A.HIDE}
NEEDS_REASON = frozenset({A.REPORT, A.DISPUTE})
LONGEST_REASON = 2_000


class ModerationFields(SQLModel):
    """What a person says with a request: the venue hears the reason of a report and of a dispute."""

    reason: str | None = Field(default=None, min_length=1, max_length=LONGEST_REASON)


class Moderation(ModerationFields, StampedRow, table=True):
    """A request of a workspace, about one mention or one reply. `attempts` tells an earlier try from the present one."""

    __table_args__ = (
        CheckConstraint("(mention_id IS NULL) <> (reply_id IS NULL)", name="moderation_of_one"),
        Index(
            "moderation_of_mention", "workspace_id", "mention_id", "id", postgresql_where=text("mention_id IS NOT NULL")
        ),
        Index("moderation_of_reply", "workspace_id", "reply_id", "id", postgresql_where=text("reply_id IS NOT NULL")),
        Index("moderation_state", "workspace_id", "state", "id"),
    )
    action: str
    mention_id: UUID | None = None
    reply_id: UUID | None = None
    conversation_id: UUID | None = None
    channel_id: UUID
    actor: str
    agent_id: UUID | None = None
    state: str = "queued"
    attempts: int = 0
    error: str | None = None
    sending_at: datetime | None = moment(nullable=True)
    done_at: datetime | None = moment(nullable=True)
    settled_at: datetime | None = moment(nullable=True)
    settled_by: str | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be asked again where nobody knows if the venue heard it."""
        return self.action in REPEATABLE

    def become(self, state: ModerationState) -> None:
        """Moves it to `state`. Raises Conflict where that way is not open."""
        if state not in NEXT[ModerationState(self.state)]:
            raise Conflict(f"A moderation that is {self.state} cannot become {state}.")
        self.state = state
        self.updated_at = clock.now()
