"""The thread with one author about one matter (conversation), its turns (message), and the rules that hold for them."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Sequence, text
from sqlmodel import Field, SQLModel

from shared.kit import clock
from shared.kit.errors import Conflict, Invalid
from shared.models.row import StampedRow, WorkspaceRow, id_list, moment, texts

conversation_number = Sequence("conversation_number")
REOPENS_WITHIN = timedelta(hours=72)


class Status(StrEnum):
    """Where a conversation stands. Pending waits for the customer; closed is resolved and 72 hours past, for good."""

    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(StrEnum):
    """How soon it must be seen."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


PRIORITY_RANK = {Priority.URGENT: 0, Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 3}


class ConversationClosed(Conflict):
    """A closed conversation never changes again; a new message from the customer opens a new one."""

    code = "conversation_closed"


class ConversationFields(SQLModel):
    """What a conversation is about and where it stands."""

    channel_id: UUID
    channel_type: str
    author_id: UUID | None = None
    brand_id: UUID | None = None
    thread_key: str
    root_external_id: str | None = None
    subject: str | None = None
    lang: str | None = None
    visibility: str = "public"
    status: str = "open"
    priority: str = "normal"
    priority_rank: int = 2
    priority_score: float = 0
    sentiment: str | None = None
    queue_id: UUID | None = None
    team_id: UUID | None = None
    assignee_id: UUID | None = None
    issue_keys: list[str] = texts()
    tags: list[str] = texts()
    brand_ids: list[UUID] = id_list()


class Conversation(ConversationFields, StampedRow, table=True):
    """A conversation of a workspace. `version` goes up with each change and is its ETag. `waiting_since` is since when the customer
    waits, `queued_at` when it last came to its queue, `assigned_at` when its agent got it."""

    __table_args__ = (
        Index("conversation_number_of", "workspace_id", "number", unique=True),
        Index(
            "conversation_open_thread", "workspace_id", "thread_key", unique=True,
            postgresql_where=text("status IN ('open','pending','snoozed')"),
        ),
        Index("conversation_thread", "workspace_id", "thread_key", "id"),
        Index(
            "conversation_waiting", "workspace_id", "queue_id", "priority_rank", "next_deadline_at", "waiting_since", "id",
            postgresql_where=text("status = 'open' AND assignee_id IS NULL"),
        ),
        Index("conversation_assignee", "workspace_id", "assignee_id", postgresql_where=text("status IN ('open','pending')")),
        Index("conversation_status", "workspace_id", "status", "id"),
        Index("conversation_author", "workspace_id", "author_id", "id"),
        Index("conversation_snoozed", "snoozed_until", postgresql_where=text("status = 'snoozed'")),
    )  # fmt: skip
    number: int | None = Field(
        default=None,
        sa_column=Column(
            BigInteger, conversation_number, server_default=conversation_number.next_value(), nullable=False
        ),
    )
    waiting_since: datetime | None = moment(nullable=True)
    queued_at: datetime | None = moment(nullable=True)
    assigned_at: datetime | None = moment(nullable=True)
    country: str | None = None
    last_message_at: datetime | None = moment(nullable=True)
    first_replied_at: datetime | None = moment(nullable=True)
    resolved_at: datetime | None = moment(nullable=True)
    snoozed_until: datetime | None = moment(nullable=True)
    next_deadline_at: datetime | None = moment(nullable=True)
    messages: int = Field(default=0)
    reopened: int = Field(default=0)
    previous_conversation_id: UUID | None = None
    merged_into_id: UUID | None = None
    version: int = Field(default=1)

    def changed(self) -> None:
        """Notes that something about it changed: a new version, a new time."""
        self.version += 1
        self.updated_at = clock.now()

    def must_not_be_closed(self) -> None:
        """Raises ConversationClosed where nothing may change any more."""
        if self.status == Status.CLOSED:
            raise ConversationClosed(
                f"Conversation {self.number} is closed; a new message from the customer opens a new one."
            )

    def assign(self, agent_id: UUID | None, team_id: UUID | None = None) -> None:
        """Gives it to an agent (or takes it back with None). Raises ConversationClosed."""
        self.must_not_be_closed()
        now = clock.now()
        if agent_id is None:
            self.queued_at, self.assigned_at = now, None
        elif agent_id != self.assignee_id:
            self.assigned_at = now
        self.assignee_id = agent_id
        if team_id is not None:
            self.team_id = team_id
        self.changed()

    def snooze(self, until: datetime) -> None:
        """Puts it aside until `until`. Raises Invalid for a past moment, Conflict where it is resolved."""
        self.must_not_be_closed()
        if until <= clock.now():
            raise Invalid("Snooze until a moment in the future.", errors=[("/until", "is in the past")])
        if self.status == Status.RESOLVED:
            raise Conflict("It is resolved; reopen it before you snooze it.")
        self.status, self.snoozed_until = Status.SNOOZED, until
        self.changed()

    def resolve(self) -> None:
        """Says that the matter is settled. Raises Conflict where it already is."""
        self.must_not_be_closed()
        if self.status == Status.RESOLVED:
            raise Conflict(f"Conversation {self.number} is already resolved.")
        self.status, self.resolved_at, self.snoozed_until, self.waiting_since = Status.RESOLVED, clock.now(), None, None
        self.changed()

    def reopen(self) -> None:
        """Takes it up again after it was resolved or put aside. Raises Conflict where it is open already."""
        self.must_not_be_closed()
        if self.status == Status.OPEN:
            raise Conflict(f"Conversation {self.number} is open already.")
        if self.status == Status.RESOLVED:
            self.reopened += 1
        self.status, self.resolved_at, self.snoozed_until = Status.OPEN, None, None
        if self.assignee_id is None:
            self.queued_at = clock.now()
        self.changed()

    def may_reopen_at(self, moment: datetime, within: timedelta = REOPENS_WITHIN) -> bool:
        """Whether a customer's message at `moment` takes up this resolved conversation rather than opening a new one."""
        return self.status == Status.RESOLVED and self.resolved_at is not None and moment - self.resolved_at <= within


class Message(WorkspaceRow, table=True):
    """A turn: inbound (a mention), outbound (a reply) or a note (internal, `text` is its own)."""

    __table_args__ = (
        Index("message_of", "workspace_id", "conversation_id", "id"),
        Index(
            "message_mention",
            "workspace_id",
            "mention_id",
            unique=True,
            postgresql_where=text("mention_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
    )
    conversation_id: UUID
    kind: str
    mention_id: UUID | None = None
    reply_id: UUID | None = None
    agent_id: UUID | None = None
    text: str | None = None
    at: datetime = moment()


class Kind(StrEnum):
    """The kinds of message."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NOTE = "note"
