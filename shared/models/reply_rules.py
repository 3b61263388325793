"""What a venue allows us to answer, as data, and the answer computed for one mention.

A channel type has rules (its network's defaults), a channel may have its own (its instance's), and each mention carries
the answer that `answer_for` computed, so that the api and any console can check a draft without knowing the network.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CountedAs = Literal["code_points", "graphemes", "utf16_units", "utf8_bytes", "x_weighted", "mastodon"]
"""How a venue counts a text; each is a function of the same meaning in `shared/rules/reply_length.py`."""

Condition = Literal["addressed_to_us", "author_known", "customer_wrote_privately", "written_privately"]
"""What must be true of a mention before a way of answering is open.

`addressed_to_us`: its author named, quoted or wrote to our account. `author_known`: the venue tells who wrote it.
`customer_wrote_privately`: that person has written to us privately before. `written_privately`: the mention is private.
"""

WindowFrom = Literal["published_at", "last_inbound_at"]

Reason = Literal[
    "no_api",
    "deleted",
    "mention_is_private",
    "not_addressed_to_us",
    "author_unknown",
    "customer_has_not_written_privately",
    "mention_is_public",
    "window_closed",
    "already_answered",
]

_SENTENCES: dict[Reason, str] = {
    "no_api": "This venue takes no answers from programs. Answer at the venue itself and note it here.",
    "deleted": "The mention has been deleted at its venue.",
    "mention_is_private": "It was said privately, so the answer is private too.",
    "not_addressed_to_us": "This venue lets us answer only those who named or quoted our account.",
    "author_unknown": "The venue does not tell who wrote it.",
    "customer_has_not_written_privately": "This venue lets us write privately only to people who wrote to us first.",
    "mention_is_public": "There is no private conversation to go on with.",
    "window_closed": "The time in which this venue takes an answer is over.",
    "already_answered": "This venue takes one answer and has it.",
}
_UNMET: dict[Condition, Reason] = {
    "addressed_to_us": "not_addressed_to_us",
    "author_known": "author_unknown",
    "customer_wrote_privately": "customer_has_not_written_privately",
    "written_privately": "mention_is_public",
}


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Length(_Data):
    """How long a text may be: `limit` units of `counted_as`; a URL counts `url_weight` units where that is not None."""

    limit: int = Field(gt=0)
    counted_as: CountedAs = "code_points"
    url_weight: int | None = Field(default=None, gt=0)


class ReplyWay(_Data):
    """One way of answering, in public or in private. Windows are in seconds."""

    lengths: tuple[Length, ...] = Field(default=(), description="Every one must hold. Empty: no limit is known.")
    threads: bool = Field(default=False, description="A longer answer may be split into a numbered thread.")
    requires: tuple[Condition, ...] = ()
    window_s: int | None = Field(default=None, gt=0, description="How long the way stays open.")
    window_from: WindowFrom = "last_inbound_at"
    once: bool = Field(default=False, description="The venue takes one answer to a mention.")
    overwrites: bool = Field(default=False, description="A second answer takes the place of the first.")
    moderated: bool = Field(default=False, description="The venue may hold the answer back before it is seen.")

    @model_validator(mode="after")
    def _one_or_another(self) -> Self:
        if self.once and self.overwrites:
            raise ValueError("a venue takes one answer only, or lets a second take its place; not both")
        return self


class ReplyRules(_Data):
    """What a venue allows. None for a way: it has no such way (or none for programs)."""

    public: ReplyWay | None = None
    private: ReplyWay | None = None
    in_private: ReplyWay | None = Field(
        default=None, description="The private way for what was said in private, where that is another."
    )

    def way(self, *, private: bool, said_privately: bool) -> ReplyWay | None:
        """The rules of one way of answering, by where that is said which is answered."""
        if not private:
            return self.public
        return self.in_private if said_privately and self.in_private is not None else self.private

    def answer_for(self, mention: "Answerable", at: datetime) -> "ReplyAnswer":
        """What may be answered to `mention` as things stand at `at`. Pure: the same input gives the same answer."""
        return ReplyAnswer(
            public=_answer(self.public, mention, at, private=False),
            private=_answer(self.way(private=True, said_privately=mention.private), mention, at, private=True),
        )


@dataclass(frozen=True, slots=True)
class Answerable:
    """What of a mention decides how it may be answered. `last_inbound_at` (default: `published_at`) is the customer's
    latest message in the conversation; `answered_*` say that a reply of ours stands already."""

    published_at: datetime
    private: bool = False
    last_inbound_at: datetime | None = None
    addressed_to_us: bool = False
    author_known: bool = True
    customer_wrote_privately: bool = False
    answered_publicly: bool = False
    answered_privately: bool = False
    deleted: bool = False


class WayAnswer(_Data):
    """Whether and how one way is open. `limit`, `counted_as`, `url_weight` are the first of `lengths`, for convenience;
    a console checks every one. Past `open_until` the way is closed whatever `allowed` said when it was computed."""

    allowed: bool
    reason: Reason | None = None
    detail: str | None = None
    limit: int | None = None
    counted_as: CountedAs | None = None
    url_weight: int | None = None
    lengths: tuple[Length, ...] = ()
    threads: bool = False
    once: bool = False
    overwrites: bool = False
    moderated: bool = False
    open_until: datetime | None = None

    def open_at(self, at: datetime) -> bool:
        """Whether it is allowed and its window is still open at `at`."""
        return self.allowed and (self.open_until is None or at < self.open_until)


class ReplyAnswer(_Data):
    """What a mention carries as `reply`: the public way and the private one."""

    public: WayAnswer
    private: WayAnswer


def _answer(way: ReplyWay | None, mention: Answerable, at: datetime, *, private: bool) -> WayAnswer:
    if way is None:
        return _refused("no_api")
    open_until = None
    if way.window_s is not None:
        since = mention.published_at
        if way.window_from == "last_inbound_at":
            since = max(since, mention.last_inbound_at or since)
        open_until = since + timedelta(seconds=way.window_s)
    reason = _why_not(way, mention, private=private)
    if reason is None and open_until is not None and at >= open_until:
        reason = "window_closed"
    if reason is not None:
        return _refused(reason, open_until)
    first = way.lengths[0] if way.lengths else None
    return WayAnswer(
        allowed=True,
        limit=first and first.limit,
        counted_as=first and first.counted_as,
        url_weight=first and first.url_weight,
        lengths=way.lengths,
        threads=way.threads,
        once=way.once,
        overwrites=way.overwrites,
        moderated=way.moderated,
        open_until=open_until,
    )


def _why_not(way: ReplyWay, mention: Answerable, *, private: bool) -> Reason | None:
    if mention.deleted:
        return "deleted"
    if mention.private and not private:
        return "mention_is_private"
    facts: dict[Condition, bool] = {
        "addressed_to_us": mention.addressed_to_us or mention.private,
        "author_known": mention.author_known,
        "customer_wrote_privately": mention.customer_wrote_privately or mention.private,
        "written_privately": mention.private,
    }
    for condition in way.requires:
        if not facts[condition]:
            return _UNMET[condition]
    if way.once and (mention.answered_privately if private else mention.answered_publicly):
        return "already_answered"
    return None


def _refused(reason: Reason, open_until: datetime | None = None) -> WayAnswer:
    return WayAnswer(allowed=False, reason=reason, detail=_SENTENCES[reason], open_until=open_until)
