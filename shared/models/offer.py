"""Work that is offered to an agent for a while (push): taken, refused, or passed on when nobody answers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text

from shared.kit.errors import Conflict
from shared.models.row import StampedRow, moment


class OfferState(StrEnum):
    """Where an offer stands. Withdrawn: what was offered needs nobody any more, or got somebody by hand."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class OfferAnswered(Conflict):
    """An offer is answered once."""

    code = "offer_answered"


class Offer(StampedRow, table=True):
    """A conversation offered to an agent until `expires_at`, by the routing decision that has the same id."""

    __table_args__ = (
        Index("offer_open", "workspace_id", "conversation_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("offer_of_agent", "workspace_id", "agent_id", "id"),
        Index("offer_of_conversation", "workspace_id", "conversation_id", "id"),
        Index("offer_expires", "expires_at", postgresql_where=text("state = 'open'")),
        ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
    )
    conversation_id: UUID
    queue_id: UUID
    agent_id: UUID
    state: str = "open"
    offered_at: datetime = moment()
    expires_at: datetime = moment()
    answered_at: datetime | None = moment(nullable=True)
    reason: str | None = None

    def become(self, state: OfferState, at: datetime, reason: str | None = None) -> None:
        """Answers it. Raises OfferAnswered where somebody or something already has."""
        if self.state != OfferState.OPEN:
            raise OfferAnswered(f"This offer is {self.state} already.")
        self.state, self.answered_at, self.updated_at, self.reason = state.value, at, at, reason
