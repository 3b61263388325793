"""A venue that exists in a file only: for newcomers, frontend developers and tests. Played, with faults on request.

It imitates the reply rules of the venue named in `plays` (a limit of 280 on X, a window of 24 hours on WhatsApp), and
can be told to time out after it took a reply, to fail before, to cut connections and to ask us to wait.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from services.ingest.channel import (
    Answer,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    IncomingAuthor,
    IncomingMention,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    Post,
    ReplyRules,
    Sent,
    Skipped,
    TryLater,
    expect_posted,
    expect_read,
    explain,
    reading,
    replying,
)
from services.ingest.networks.played_venues import PLAYS
from services.ingest.networks.simulated_network import ADDRESS, Fault, SimulatedNetwork
from services.ingest.networks.simulated_venue import Venue, open_venue
from shared.kit import clock
from shared.models.mention import MentionKind, Visibility

DEADLINE_S = 10.0
STREAM_REST_S = 0.2
UNREADABLE_REST = timedelta(seconds=30)
_WHAT = "The simulated venue"
_NAMES: list[JsonValue] = [*sorted(PLAYS)]


class Step(BaseModel):
    """Something a customer does, some seconds after the venue was first opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_s: float = Field(ge=0)
    do: Literal["post", "edit", "delete"] = "post"
    id: str = Field(min_length=1, max_length=200)
    text: str = ""
    post: dict[str, Any] = Field(default_factory=dict, description="More of the post: author, rating, lang, thread …")


POLL_AFTER = timedelta(seconds=2)
"""It costs nothing to ask it often, and a newcomer sees what is said there at once."""


class SimulatedSettings(ChannelSettings):
    """What the venue plays and what goes wrong there."""

    venue: str = Field(default="main", title="Name of the venue", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    data_dir: Path = Field(default=Path(".webcare"), title="Where its file is kept")
    plays: str = Field(default="plain", title="Which venue it imitates", json_schema_extra={"enum": _NAMES})
    idempotency: Idempotency = Field(
        default="client_token",
        title="How a reply of unknown outcome can be settled",
        description="client_token: it knows a repeat; read_back: it shows what it took; neither: a person looks.",
    )
    brand_handle: str = Field(default="@brand", title="Our own account there", min_length=1, max_length=100)
    echoes: bool = Field(default=False, title="Our replies come back among the posts")
    page_size: int = Field(default=100, ge=1, le=1_000, title="Posts on a page")
    streams: bool = Field(default=False, title="It is streamed; else it is polled")
    seed: int = Field(default=1, title="Where chance begins: the same seed goes wrong the same way")
    faults: tuple[Fault, ...] = Field(default=(), title="What goes wrong")
    script: tuple[Step, ...] = Field(default=(), title="What customers do by themselves", max_length=10_000)

    @model_validator(mode="after")
    def _makes_sense(self) -> "SimulatedSettings":
        if self.plays not in PLAYS:
            raise ValueError(f"plays is none of {', '.join(sorted(PLAYS))}")
        for operation in ("page", "reply", "read_back", "moderate"):
            if sum(fault.percent for fault in self.faults if fault.on == operation) > 100:
                raise ValueError(f"the faults on {operation} add up to more than 100 percent")
        return self


class SimulatedSecrets(ChannelSecrets):
    """There is nothing to keep secret."""


class Simulated:
    """One simulated venue."""

    title: ClassVar[str] = "Simulated venue"
    Settings: ClassVar[type[ChannelSettings]] = SimulatedSettings
    Secrets: ClassVar[type[ChannelSecrets]] = SimulatedSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = PLAYS["plain"].rules

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = SimulatedSettings.model_validate(settings)
        SimulatedSecrets.model_validate(secrets)
        played = PLAYS[known.plays]
        self.reply_rules = played.rules
        self.venue = venue_of(known.data_dir, known.venue)
        network = SimulatedNetwork(
            self.venue,
            played,
            faults=known.faults,
            seed=known.seed,
            knows_tokens=known.idempotency == "client_token",
            shows_replies=known.idempotency == "read_back",
            echoes=known.echoes,
            brand_handle=known.brand_handle,
        )
        self._http = http.through(network)

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of the venue's API, as played by `plain`."""
        return _page(_json(body), "plain")

    async def page(self, cursor: Cursor | None) -> Page:
        """What was posted, edited or deleted since `cursor`."""
        await asyncio.to_thread(self._play_script)
        return await self._read({"after": str((cursor or {}).get("after", 0))})

    def streaming(self) -> bool:
        """As set."""
        return self._settings.streams

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Pages as posts come."""
        while True:
            page = await self.page(cursor)
            if page.mentions or page.skipped:
                cursor = page.cursor
                yield page
            else:
                await asyncio.sleep(STREAM_REST_S)

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was posted at `since` or later."""
        return await self._read({"after": str((cursor or {}).get("after", 0)), "since": clock.iso(since)})

    def idempotency(self) -> Idempotency:
        """As set."""
        return self._settings.idempotency

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts a public reply."""
        return await self._reply(reply, "public")

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Sends a private reply."""
        return await self._reply(reply, "private")

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our reply among those the venue shows under the post."""
        with reading(_WHAT):
            answer = await self._http.get(
                f"{ADDRESS}/replies", params={"in_reply_to": reply.in_reply_to}, deadline_s=DEADLINE_S
            )
        shown = _json(expect_read(answer, _WHAT).body)["replies"]
        visibility = "private" if private else "public"
        for one in shown:
            if (one["text"], one["visibility"]) == (reply.text, visibility) and _sent(one).sent_at >= _floor(since):
                return _sent(one)
        return None

    async def hide(self, post: Post) -> None:
        """Hides a post."""
        await self._moderate("hide", post)

    async def unhide(self, post: Post) -> None:
        """Shows it again."""
        await self._moderate("unhide", post)

    async def report(self, post: Post, reason: str) -> None:
        """Reports a post. The venue keeps every report, also a repeated one."""
        await self._moderate("report", post, reason)

    async def dispute(self, post: Post, reason: str) -> None:
        """Disputes a review; of what is none, the venue takes no dispute."""
        await self._moderate("dispute", post, reason)

    async def delete_reply(self, post: Post) -> None:
        """Takes away a reply of ours."""
        await self._moderate("delete_reply", post)

    async def _moderate(self, action: str, post: Post, reason: str = "") -> None:
        asked = {"action": action, "id": post.external_id, "reason": reason}
        with replying(_WHAT):
            answer = await self._http.request("POST", f"{ADDRESS}/moderation", json=asked, deadline_s=DEADLINE_S)
        expect_posted(answer, _WHAT, _said(answer))
        try:
            done = _json(answer.body)["done"]
        except (TryLater, KeyError, TypeError) as unreadable:
            raise OutcomeUnknown(f"{_WHAT} answers something that cannot be read.") from unreadable
        if done != action:
            raise OutcomeUnknown(f"{_WHAT} says that it did {done}, and not {action}.")

    async def _read(self, params: Mapping[str, str]) -> Page:
        with reading(_WHAT):
            answer = await self._http.get(
                f"{ADDRESS}/posts",
                params={"limit": str(self._settings.page_size), **params},
                deadline_s=DEADLINE_S,
                max_bytes=10_000_000,
            )
        return _page(_json(expect_read(answer, _WHAT).body), self._settings.plays)

    async def _reply(self, reply: OutgoingReply, visibility: str) -> Sent:
        with replying(_WHAT):
            answer = await self._http.request(
                "POST",
                f"{ADDRESS}/replies",
                json={"in_reply_to": reply.in_reply_to, "text": reply.text, "visibility": visibility},
                headers={"Idempotency-Key": reply.token},
                deadline_s=DEADLINE_S,
            )
        expect_posted(answer, _WHAT, _said(answer))
        try:
            return _sent(_json(answer.body))
        except (TryLater, KeyError, TypeError) as unreadable:
            raise OutcomeUnknown(f"{_WHAT} answers something that cannot be read.") from unreadable

    def _play_script(self) -> None:
        left = self.venue.steps_left(len(self._settings.script)) if self._settings.script else ()
        if not left:
            return
        opened_at, now = self.venue.opened_at(), clock.now()
        for number in sorted(left, key=lambda one: self._settings.script[one].after_s):
            step = self._settings.script[number]
            due_at = opened_at + timedelta(seconds=step.after_s)
            if due_at <= now:
                fields = {**step.post, "id": step.id, "text": step.text, "created_at": due_at}
                self.venue.play_step(number, step.do, fields)


def venue_of(data_dir: Path, name: str = "main") -> Venue:
    """The venue of that name, as a test or a demo opens it to post there and to see what was taken."""
    return open_venue(Path(data_dir).absolute() / "venues" / f"{name}.sqlite3")


def to_mention(post: Mapping[str, Any], plays: str = "plain") -> IncomingMention:
    """A post of the venue in our words. Pure. Raises pydantic's ValidationError where it makes no mention."""
    author = dict(post["author"]) if post.get("author") else None
    if author:
        author["external_id"] = author.pop("id", None)
    return IncomingMention(
        external_id=post.get("id"),
        text=post.get("text") or "",
        title=post.get("title"),
        published_at=post.get("created_at"),
        edited_at=post.get("edited_at"),
        deleted_at=post.get("deleted_at"),
        author=IncomingAuthor.model_validate(author) if author else None,
        kind=MentionKind(post.get("kind") or PLAYS[plays].kind),
        visibility=Visibility(post.get("visibility") or PLAYS[plays].visibility),
        permalink=post.get("url"),
        lang=post.get("lang"),
        in_reply_to=post.get("in_reply_to"),
        thread_id=post.get("thread"),
        rating=post.get("rating"),
        engagement=post.get("engagement"),
        country=post.get("country"),
        raw=orjson.dumps(post),
    )


def _page(payload: Any, plays: str) -> Page:
    if not isinstance(payload, dict) or not {"posts", "after", "more"} <= set(payload):
        raise TryLater(f"{_WHAT} answers something that is no page.", UNREADABLE_REST)
    mentions: list[IncomingMention] = []
    skipped: list[Skipped] = []
    for post in payload["posts"]:
        try:
            mentions.append(to_mention(post, plays))
        except ValidationError as wrong:
            skipped.append(Skipped(" ".join(detail for _, detail in explain(wrong)), post.get("id")))
        except (AttributeError, TypeError, ValueError) as wrong:
            skipped.append(Skipped(f"{wrong}."))
    return Page(
        tuple(mentions), {"after": payload["after"]}, bool(payload["more"]), tuple(skipped), poll_after=POLL_AFTER
    )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise TryLater(f"{_WHAT} answers something that is not JSON.", UNREADABLE_REST) from wrong


def _sent(shown: Mapping[str, Any]) -> Sent:
    return Sent(external_id=shown["id"], sent_at=datetime.fromisoformat(shown["created_at"]))


def _floor(at: datetime) -> datetime:
    """The venue tells milliseconds."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _said(answer: Answer) -> str:
    try:
        return str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        return ""


CHANNEL: type[Channel] = Simulated
