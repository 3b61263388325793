"""What passes between a channel and the house: pages that come in, answers that go out, and what a network says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.ingest.incoming_mention import IncomingMention

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
class Receipt:
    """What a network tells afterwards of an answer of ours, which is known by our `token` or by its `external_id` there. `failed`
    (with the `reason`, a sentence): nobody gets it; the others say that the network took it, or how far it came."""

    outcome: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    token: str | None = None
    external_id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What one reading brought: mentions in the order they were published, and where to go on.

    Edits carry `edited_at`, deletions `deleted_at` (also of what we never saw: then it is not taken in when it comes late).
    `has_more`: the next page may be read at once. `poll_after`: the network's wish for the next poll. `quota_left`: calls
    that the network still grants us. `cost`: what reading it cost, in millionths of a US dollar. `gaps`: stretches of which
    something may be missing. `gone_accounts`: external ids of authors whom the network has no more, so that what they wrote
    is taken away. `drift`: fields in which the payload departs from what is documented, each once, as `dotted.name`.
    `receipts`: what became of answers of ours. `incomplete`: external ids of the mentions here of which only ids came, whose
    words have to be asked for (`Completes`). `filtered`: how many more were told, and turned away because nobody listens for what
    they say.
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
    receipts: Sequence[Receipt] = ()
    incomplete: Sequence[str] = ()
    filtered: int = 0


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
    `permalink` and `raw` (the payload as it came, where it was kept) are the mention's. `last_inbound_at`: when the customer last
    wrote in the conversation, from which windows run.
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
    last_inbound_at: datetime | None = None


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
