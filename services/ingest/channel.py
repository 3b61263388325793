"""The contract of a channel: one network, talked to in both directions, told to the house in the house's words.

A channel is an object made with its settings, its secrets and the HTTP client. What it can do are small protocols
beside `Channel`; it has the methods of those it can, and no flags. It keeps nothing between calls: where its reading
stands is the cursor that the runner stores in the transaction that stores the page.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

from services.ingest.abilities import (
    AnswersHooks,
    Backfills,
    ChecksCredential,
    ChoosesToStream,
    Completes,
    DeletesReplies,
    Disputes,
    HasDisplayRules,
    Hides,
    KnowsItself,
    ListensFor,
    Paced,
    PagesByCursor,
    ReachesBack,
    ReadsBack,
    ReceivesPushes,
    RepliesPrivately,
    RepliesPublicly,
    Reports,
    SharesHook,
    Streams,
)
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
from services.ingest.exchanged import (
    Account,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    Gap,
    HookAnswer,
    Idempotency,
    OutgoingReply,
    Pace,
    Page,
    Post,
    Push,
    Receipt,
    Sent,
    Skipped,
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
    "Completes",
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
    "ListensFor",
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
    "Receipt",
    "ReceivesPushes",
    "Rejected",
    "RepliesPrivately",
    "RepliesPublicly",
    "ReplyRules",
    "ReplyWay",
    "Reports",
    "Sent",
    "SharesHook",
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
