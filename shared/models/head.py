"""Heads: what a workspace's own corrections taught it about one question, a version after another."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, text

from shared.kit import clock
from shared.kit.errors import Conflict
from shared.models.head_format import VECTORISER, vectoriser_of
from shared.models.row import StampedRow, document, moment, octets


class Question(StrEnum):
    """What a head answers; each is a finding that people correct."""

    RELEVANCE = "relevance"
    SPAM = "spam"
    SENTIMENT = "sentiment"
    INTENT = "intent"
    URGENCY = "urgency"
    ISSUES = "issues"


class HeadState(StrEnum):
    """`active` answers now, one for each question; `kept` answered once, or could; `refused` was not better than what stood."""

    ACTIVE = "active"
    KEPT = "kept"
    REFUSED = "refused"


class Head(StampedRow, table=True):
    """One version of a workspace's head. `weights` is what services/triage/words/heads.py reads; `figures` is what was measured on
    corrections that it did not learn from, beside what stood before it; `because` says in a sentence why it is where it is."""

    __table_args__ = (
        Index("head_version", "workspace_id", "question", "version", unique=True),
        Index("head_active", "workspace_id", "question", unique=True, postgresql_where=text("state = 'active'")),
        CheckConstraint("version > 0", name="head_numbered"),
    )
    question: str
    version: int
    state: str = "kept"
    learned_from: int
    held_out: int
    figures: dict[str, object] = document()
    because: str
    actor: str
    promoted_at: datetime | None = moment(nullable=True)
    weights: bytes = octets()

    def promote(self) -> None:
        """Has it answer from now on. Raises Conflict where it does already, or cannot."""
        if self.state == HeadState.ACTIVE:
            raise Conflict(f"Version {self.version} answers {self.question} already.")
        if (made_for := vectoriser_of(self.weights)) != VECTORISER:
            raise Conflict(
                f"Version {self.version} of {self.question} cannot be used: it was made for vectoriser {made_for or 'unknown'}, and "
                f"triage reads by {VECTORISER}. Make one that fits: webcare train refit {self.question}"
            )
        self.state = HeadState.ACTIVE
        self.promoted_at = self.updated_at = clock.now()

    def retire(self) -> None:
        """Has it answer no longer: another version does, or what the project ships."""
        self.state = HeadState.KEPT
        self.updated_at = clock.now()
