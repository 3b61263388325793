"""The contract of a channel: one network, talked to in both directions, told to the house in the house's words.

A channel is an object made with its settings, its secrets and the HTTP client. What it can do are small protocols
beside `Channel`; it has the methods of those it can, and no flags. It keeps nothing between calls: where its reading
stands is the cursor that the runner stores in the transaction that stores the page.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from services.ingest.channel_errors import (
    AskForNewCredential,
    ChannelBroken,
    ChannelError,
    NotGenuine,
    OutcomeUnknown,
    SkipThis,
    TryLater,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.incoming_mention import (
    Engagement,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Rejected,
    cleaned,
    explain,
    read_mentions,
)
from shared.kit.http import Answer, HttpClient
from shared.models.reply_rules import Length, ReplyRules, ReplyWay

__all__ = [
    "Answer",
    "AskForNewCredential",
    "Backfills",
    "Channel",
    "ChannelBroken",
    "ChannelError",
    "ChannelSecrets",
    "ChannelSettings",
    "Cursor",
    "Engagement",
    "HttpClient",
    "Idempotency",
    "IncomingAuthor",
    "IncomingMedia",
    "IncomingMention",
    "Length",
    "NotGenuine",
    "OutcomeUnknown",
    "OutgoingReply",
    "Page",
    "PagesByCursor",
    "Push",
    "ReadsBack",
    "ReceivesPushes",
    "Rejected",
    "RepliesPrivately",
    "RepliesPublicly",
    "ReplyRules",
    "ReplyWay",
    "Sent",
    "SkipThis",
    "Skipped",
    "Streams",
    "TryLater",
    "cleaned",
    "expect_posted",
    "expect_read",
    "explain",
    "read_mentions",
    "reading",
    "replying",
]

Cursor = Mapping[str, Any]
"""Where a channel's reading stands: JSON that only the channel understands. None at the very start."""

Idempotency = Literal["client_token", "read_back", "neither"]
"""How a reply whose outcome is unknown is settled: `client_token`: sending it again with the same token posts it once;
`read_back`: the network shows what we posted, so we look; `neither`: a person decides."""


class ChannelSettings(BaseModel):
    """What a person sets to configure a channel; its JSON Schema is published. Fields need a title or a description."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelSecrets(BaseModel):
    """What a channel needs kept secret: texts only, write-only at the doors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something on a page that is no mention we can take: counted as rejected, told with its reason."""

    reason: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one reading brought: mentions in the order they were published, and where to go on.

    Edits carry `edited_at`, deletions `deleted_at`. `has_more`: the next page may be read at once. `poll_after`: the
    network's wish for the next poll. `quota_left`: calls that the network still grants us.
    """

    mentions: Sequence[IncomingMention] = ()
    cursor: Cursor = field(default_factory=dict)
    has_more: bool = False
    skipped: Sequence[Skipped] = ()
    poll_after: timedelta | None = None
    quota_left: int | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """A request that a network made to us: header names in lower case, the body as the very bytes that came."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutgoingReply:
    """An answer on its way out. `token` is the same at each try of one reply and different for each reply.

    `in_reply_to` and `thread_id` are the network's ids of the mention; `author_*` of who wrote it.
    """

    text: str
    token: str
    in_reply_to: str
    thread_id: str | None = None
    author_external_id: str | None = None
    author_handle: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The network took it: its id there, where it can be seen, and when it was taken."""

    external_id: str
    sent_at: datetime
    permalink: str | None = None


class Channel(Protocol):
    """What every channel has. The file's name is its type; `CHANNEL` at the end of the file names the class."""

    title: ClassVar[str]
    """The network's name as people write it."""
    Settings: ClassVar[type[ChannelSettings]]
    Secrets: ClassVar[type[ChannelSecrets]]
    ids_unique_within: ClassVar[Literal["network", "channel"]]
    """Whether an external_id means the same thing in every channel of this type, or only in its own."""
    reply_rules: ReplyRules
    """The network's defaults on the class; on an object, what holds for that channel."""

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None: ...

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """What the network sent, as mentions. Pure: `at` is the moment it was received. Raises ChannelError."""
        ...


@runtime_checkable
class PagesByCursor(Protocol):
    """It can be polled."""

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page after `cursor`. Raises ChannelError; then the cursor stays where it was."""
        ...


@runtime_checkable
class Streams(Protocol):
    """It tells by itself, over a connection that stays open."""

    def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages as they come, from `cursor` on. Raises ChannelError; the runner connects again from the last cursor."""
        ...


@runtime_checkable
class ReceivesPushes(Protocol):
    """The network calls us."""

    def verify(self, push: Push, at: datetime) -> str:
        """The delivery's id, by which a repeat is known. Raises NotGenuine where it is not signed as agreed."""
        ...

    def read_push(self, push: Push, at: datetime) -> Page:
        """The mentions in a verified push. Pure. Raises SkipThis where it cannot be read at all."""
        ...


@runtime_checkable
class RepliesPublicly(Protocol):
    """It can answer where everybody reads."""

    def idempotency(self) -> Idempotency:
        """How an unknown outcome is settled."""
        ...

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts it once. Raises OutcomeUnknown where it may stand there, any other ChannelError where it does not."""
        ...


@runtime_checkable
class RepliesPrivately(Protocol):
    """It can answer so that only the customer reads it."""

    def idempotency(self) -> Idempotency:
        """How an unknown outcome is settled."""
        ...

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """As `reply_publicly`, in private."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """It can look up what we posted."""

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our reply, posted at `since` or later, as the network has it; None where it is not there."""
        ...


@runtime_checkable
class Backfills(Protocol):
    """It can be read back in time, apart from the polling and its cursor."""

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """The next page of what was published at `since` or later. Raises ChannelError."""
        ...
