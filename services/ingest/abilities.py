"""What a channel may be able to do, each a small protocol: it has the methods of those it can, and no flags.

They are imported from `services.ingest.channel`, as all of the contract is.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, runtime_checkable

from services.ingest.exchanged import (
    Account,
    Cursor,
    HookAnswer,
    Idempotency,
    OutgoingReply,
    Pace,
    Page,
    Post,
    Push,
    Sent,
)
from services.ingest.incoming_mention import IncomingMention
from shared.models.display_rules import DisplayRules
from shared.rules.wanted import Wanted


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
class ListensFor(Protocol):
    """Its network tells everything, and the choice is ours. The runner says before it streams what the workspace listens for, and
    again whenever a person changed it; what is not wanted is counted (`Page.filtered`) and not stored."""

    def listen_for(self, wanted: Wanted) -> None:
        """From now on keeps what is wanted, beside what its own settings ask for."""
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
class Completes(Protocol):
    """Some of what its network delivers are ids only (`Page.incomplete`); the words are asked for."""

    async def complete(self, mention: IncomingMention) -> IncomingMention | None:
        """What came as ids, whole, with the same external_id; None where the network shows no more of it. Raises ChannelError."""
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
class SharesHook(Protocol):
    """Its network knows one address for several of our accounts, so that a delivery to it may be for other channels too."""

    hook_of: ClassVar[str]
    """What such deliveries are about. Channels that name the same, of whatever type, may share an address."""

    def watches(self) -> str:
        """The account of which this channel takes in."""
        ...

    def told_of(self, push: Push) -> frozenset[str]:
        """The accounts that a delivery tells of. Pure."""
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
