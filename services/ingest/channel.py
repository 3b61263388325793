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
    BudgetSpent,
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
from shared.models.display_rules import DisplayRules
from shared.models.reply_rules import Length, ReplyRules, ReplyWay

__all__ = [
    "Account",
    "Answer",
    "AnswersHooks",
    "AskForNewCredential",
    "Backfills",
    "BudgetSpent",
    "Channel",
    "ChannelBroken",
    "ChannelError",
    "ChannelSecrets",
    "ChannelSettings",
    "ChecksCredential",
    "ChoosesToStream",
    "Cursor",
    "DeletesReplies",
    "DisplayRules",
    "Disputes",
    "Engagement",
    "Gap",
    "HasDisplayRules",
    "Hides",
    "HookAnswer",
    "HttpClient",
    "Idempotency",
    "IncomingAuthor",
    "IncomingMedia",
    "IncomingMention",
    "KnowsItself",
    "Length",
    "NotGenuine",
    "OutcomeUnknown",
    "OutgoingReply",
    "Pace",
    "Paced",
    "Page",
    "PagesByCursor",
    "Post",
    "Push",
    "ReachesBack",
    "ReadsBack",
    "ReceivesPushes",
    "Rejected",
    "RepliesPrivately",
    "RepliesPublicly",
    "ReplyRules",
    "ReplyWay",
    "Reports",
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
    """Something on a page that is no mention we can take: counted as rejected, told with its reason. `index` is its place in
    what a sender sent (from 0), and `code` what it is told beside; a network that we read from hears of neither."""

    reason: str
    external_id: str | None = None
    index: int | None = None
    code: str = "invalid_mention"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of which something was, or may have been, missed, and why. The runner reads it again where the channel can be
    read back in time, and says that it is open until then."""

    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one reading brought: mentions in the order they were published, and where to go on.

    Edits carry `edited_at`, deletions `deleted_at` (also of what we never saw: then it is not taken in when it comes late).
    `has_more`: the next page may be read at once. `poll_after`: the network's wish for the next poll. `quota_left`: calls
    that the network still grants us. `cost`: what reading it cost, in millionths of a US dollar. `gaps`: stretches of which
    something may be missing. `gone_accounts`: external ids of authors whom the network has no more, so that what they wrote
    is taken away. `drift`: fields in which the payload departs from what is documented, each once, as `dotted.name`.
    """

    mentions: Sequence[IncomingMention] = ()
    cursor: Cursor = field(default_factory=dict)
    has_more: bool = False
    skipped: Sequence[Skipped] = ()
    poll_after: timedelta | None = None
    quota_left: int | None = None
    cost: int = 0
    gaps: Sequence[Gap] = ()
    gone_accounts: Sequence[str] = ()
    drift: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """A request that a network made to us: header names in lower case, the body as the very bytes that came."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a network hears that asked something of our hook: the answer to a challenge, to a ping."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class OutgoingReply:
    """An answer on its way out. `token` is the same at each try of one reply and different for each reply.

    `in_reply_to` and `thread_id` are the network's ids of the mention; `author_*` of who wrote it. `kind`, `title`,
    `permalink` and `raw` (the payload as it came, where it was kept) are the mention's.
    """

    text: str
    token: str
    in_reply_to: str
    thread_id: str | None = None
    author_external_id: str | None = None
    author_handle: str | None = None
    kind: str = "post"
    title: str | None = None
    permalink: str | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The network took it: its id there, where it can be seen, when it was taken, and what it cost in millionths of a
    US dollar."""

    external_id: str
    sent_at: datetime
    permalink: str | None = None
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Post:
    """Something that stands at the network, on which we act: a mention, or a reply of ours. The ids are the network's."""

    external_id: str
    thread_id: str | None = None
    author_external_id: str | None = None
    permalink: str | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the network takes us for: shown to who sets the channel up, so that a wrong credential is seen at once."""

    external_id: str
    name: str
    handle: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one credential may call its network: `calls` in `per_s` seconds, be they at once."""

    calls: int
    per_s: float


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
    """It tells by itself, over a connection that stays open. Where it pages too, the runner pages to catch up, before a stream
    begins and once more when it runs, so that both share one cursor."""

    def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages as they come, from `cursor` on; an empty page moves the cursor, and says at the beginning that it is connected.
        Raises ChannelError; the runner connects again from the last cursor."""
        ...


@runtime_checkable
class ChoosesToStream(Protocol):
    """Whether it streams is among its settings (or is not worth a connection that stays open)."""

    def streaming(self) -> bool:
        """Whether it is streamed as it is set; where not, it is paged."""
        ...


@runtime_checkable
class ReachesBack(Protocol):
    """What its network still tells after we were away reaches back only so far."""

    def reach(self) -> timedelta | None:
        """How far. Away for longer, the runner notes a gap; None: for as long as one likes (or it tells gaps by itself)."""
        ...


@runtime_checkable
class Paced(Protocol):
    """Its network allows a credential so many calls in a time: the runner sees to it, before the network has to."""

    pace: ClassVar[Pace]


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


@runtime_checkable
class AnswersHooks(Protocol):
    """Its network asks things of our hook beside delivering: challenges, pings."""

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """The answer to a question; None where the push is a delivery. Raises NotGenuine where it is not for us."""
        ...


@runtime_checkable
class ChecksCredential(Protocol):
    """It can say whether its credential works."""

    async def account(self) -> Account:
        """Whom the network takes us for. Raises ChannelError, as reading does."""
        ...


@runtime_checkable
class KnowsItself(Protocol):
    """It knows the accounts that it posts with, so that their posts are never taken for mentions."""

    def own_accounts(self) -> frozenset[str]:
        """The external ids (and handles, folded) of our own accounts there."""
        ...


@runtime_checkable
class HasDisplayRules(Protocol):
    """Its venue sets terms for what is kept and shown of what its people write."""

    display_rules: ClassVar[DisplayRules]
    """The same for every channel of the type, as it is published with it. Without it the venue asks for nothing."""


@runtime_checkable
class Hides(Protocol):
    """What customers wrote at our own place can be hidden there, and shown again."""

    async def hide(self, post: Post) -> None:
        """Hides it; hiding what is hidden changes nothing. Raises ChannelError."""
        ...

    async def unhide(self, post: Post) -> None:
        """Shows it again."""
        ...


@runtime_checkable
class Reports(Protocol):
    """What breaks the network's rules can be reported to it."""

    async def report(self, post: Post, reason: str) -> None:
        """Reports it. Raises ChannelError."""
        ...


@runtime_checkable
class Disputes(Protocol):
    """A review can be disputed: the network is asked to look whether it is genuine."""

    async def dispute(self, post: Post, reason: str) -> None:
        """Disputes it. Raises ChannelError."""
        ...


@runtime_checkable
class DeletesReplies(Protocol):
    """What we posted can be taken away again."""

    async def delete_reply(self, post: Post) -> None:
        """Deletes our reply; deleting what is gone changes nothing. Raises ChannelError."""
        ...
