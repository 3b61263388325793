"""Direct messages of Bluesky: the conversations of our account, first as they stand and from then on by their log.

The log tells what happened since a place in it, oldest first; asked without a place it tells where it is now (known from the
network's own app, not written down). A message can be taken away by each side for itself only, so that a deletion in the log is
our own side's. What our account wrote is left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.ingest.channel import (
    Answer,
    AskForNewCredential,
    IncomingAuthor,
    IncomingMedia,
    IncomingMention,
    Page,
    Skipped,
    cleaned,
    explain,
    reading,
)
from services.ingest.networks import atproto
from services.ingest.networks.atproto_session import SignedIn, error_of
from services.ingest.networks.items import MOST_DRIFT, Drift, cut, place_in
from services.ingest.networks.json_api import Fields, expect_json, kept, moment, said_in
from shared.kit import clock
from shared.models.mention import MentionKind, Visibility

HEADERS = {"atproto-proxy": "did:web:api.bsky.chat#bsky_chat"}
CONVERSATIONS, MESSAGES = 30, 100  # at once
CREATED, DELETED = "logCreateMessage", "logDeleteMessage"
SILENT = (
    "logBegin", "logAccept", "logLeave", "logMute", "logUnmute", "logRead", "logAdd", "logRemove", "logMember", "logLock",
    "logUnlock", "logEditJoinLink", "logCreateJoinLink", "logEnable", "logDisable", "logApprove", "logReject", "logIncoming",
    "logOutgoing", "logWithdraw",
)  # fmt: skip
"""What a log tells that is no message: the beginnings of its kinds, of which there are more with time."""
Names = Mapping[str, Any]


@dataclass(slots=True)
class Chat:
    """Where reading stands. `log` is a place in the log; None: it was not asked yet. First the conversations are read as they
    stand, back to `since`: `listed` says that their list is read, else `token` is the place in it; `todo` are those still to be
    read ([id, who is in it]), and `place` is the place in the last of these. `failed`: how often in a row it could not be read."""

    since: str
    log: str | None = None
    listed: bool = False
    token: str | None = None
    todo: list[list[Any]] = field(default_factory=list)
    place: str | None = None
    failed: int = 0

    @classmethod
    def of(cls, held: Mapping[str, Any] | None, since: datetime) -> "Chat":
        """Goes on where it stood, or begins at `since`."""
        return cls(**{**held, "todo": list(held.get("todo", ()))}) if held else cls(clock.iso(since))

    def cursor(self) -> dict[str, Any]:
        """As it is stored."""
        held = {name: getattr(self, name) for name in ("since", "log", "listed", "token", "todo", "place", "failed")}
        return {name: value for name, value in held.items() if value or name == "log"}

    @property
    def floor(self) -> datetime:
        """Nothing that was sent before is taken."""
        return moment(self.since) or clock.now()

    async def step(self, server: SignedIn, what: str, *, by_log: bool = True) -> tuple[Page, bool]:
        """The next messages, and whether there is more at once. Without `by_log` only what stands there is read. Raises
        ChannelError."""
        us = (await server.session()).did
        if by_log and self.log is None:  # before the conversations, so that nothing is between the two
            told = await self._ask(server, what, "getLog")
            self.log = place_in(Fields(told, "log", {}), "cursor") or ""
            return Page(), True
        if self.todo or not self.listed:
            return await self._stands(server, what, us)
        return await self._happened(server, what, us) if by_log else (Page(), False)

    async def _stands(self, server: SignedIn, what: str, us: str) -> tuple[Page, bool]:
        if not self.todo:
            told = await self._ask(server, what, "listConvos", limit=CONVERSATIONS, cursor=self.token)
            drift: Drift = {}
            whole = Fields(told, "convos", drift)
            token, old, since = place_in(whole, "cursor"), False, self.floor
            for convo in whole.each("convos"):
                last = convo.inside("lastMessage").moment("sentAt")
                old = old or (last is not None and last < since)
                if not old and last is not None and (known := place_in(convo, "id")):
                    names = {did: told for one in convo.each("members") for did, told in _named(one)}
                    self.todo.append([known, names])
            self.listed = old or token is None or token == self.token
            self.token = None if self.listed else token
            return Page(drift=tuple(drift)), bool(self.todo) or not self.listed
        convo_id, names = self.todo[-1]
        told = await self._ask(server, what, "getMessages", convoId=convo_id, limit=MESSAGES, cursor=self.place)
        listed = told.get("messages")
        items = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        page = page_of([{"convoId": convo_id, "message": one} for one in items], clock.now(), us, self.floor, names)
        times = [at for one in items if (at := moment(one.get("sentAt"))) is not None]
        place = place_in(Fields(told, "messages", {}), "cursor")
        self.place = place if place != self.place and times and min(times) >= self.floor else None
        if self.place is None:
            self.todo.pop()
        return page, bool(self.todo) or not self.listed

    async def _happened(self, server: SignedIn, what: str, us: str) -> tuple[Page, bool]:
        told = await self._ask(server, what, "getLog", cursor=self.log or None)
        logs = told.get("logs")
        page = page_of(logs if isinstance(logs, list) else [], clock.now(), us, self.floor)
        place = place_in(Fields(told, "log", {}), "cursor")
        more = bool(logs) and place is not None and place != self.log
        self.log = place or self.log
        return page, more

    async def _ask(self, server: SignedIn, what: str, name: str, **asked: str | int | None) -> dict[str, Any]:
        params = [(key, str(value)) for key, value in asked.items() if value is not None]
        with reading(what):
            answer = await server.call("GET", f"chat.bsky.convo.{name}", params=params, headers=HEADERS)
        refuse_scope(answer, what)
        return expect_json(answer, what)


def refuse_scope(answer: Answer, what: str) -> None:
    """Raises AskForNewCredential where the app password was made without access to direct messages."""
    if error_of(answer) == "InvalidToken" and said_in(answer, "message").startswith("Bad token"):
        raise AskForNewCredential(
            f"{what} does not let this app password see direct messages. Make one with access to them."
        )


# ---------------------------------------------------------------- in our words


def page_of(
    events: Iterable[Any],
    at: datetime,
    us: str | None = None,
    since: datetime | None = None,
    names: Names | None = None,
) -> Page:
    """Events of a log, or messages of a conversation, as mentions. Pure."""
    good: dict[str, IncomingMention] = {}
    bad, drift = list[Skipped](), dict[str, None]()
    for event in events:
        told = Fields(event, "log", drift)
        kind = (told.text("$type") or "").rpartition("#")[2]
        if kind and kind not in (CREATED, DELETED):
            if not kind.startswith(SILENT):
                drift[f"log.{kind}"[:200]] = None
            continue
        message = told.inside("message", needed=True)
        sender, sent_at = message.inside("sender").text("did"), message.moment("sentAt")
        if (sender is not None and sender == us) or (since is not None and sent_at is not None and sent_at < since):
            continue
        gone = kind == DELETED or (message.text("$type") or "").endswith("#deletedMessageView")
        profiles = {did: one for who in told.each("relatedProfiles") for did, one in _named(who)} or names or {}
        try:
            made = _mention(event, told, message, sender, sent_at or at, at if gone else None, profiles)
        except ValidationError as wrong:
            bad.append(Skipped(" ".join(detail for _, detail in explain(wrong)), cut(message.text("id"))))
            continue
        if made.external_id not in good or made.deleted_at:
            good[made.external_id] = made
    mentions = sorted(good.values(), key=lambda one: one.published_at)
    return Page(tuple(mentions), skipped=tuple(bad), drift=tuple(drift)[:MOST_DRIFT])


def _mention(
    event: Any, told: Fields, message: Fields, sender: str | None, sent_at: datetime, deleted_at: datetime | None, names: Names
) -> IncomingMention:  # fmt: skip
    convo, known = told.text("convoId", needed=True), message.text("id", needed=True)
    handle, name = names.get(sender or "", (None, None))
    shown = message.inside("embed").inside("record")
    link = atproto.permalink(shown.text("uri") or "")
    return IncomingMention(
        external_id=f"{convo}/{known}" if convo and known else "",
        text="" if deleted_at else cleaned(message.text("text", needed=True) or ""),
        published_at=min(sent_at, deleted_at or sent_at),
        author=IncomingAuthor(external_id=sender, handle=handle, name=name, url=f"{atproto.SITE}/profile/{sender}") if sender else None,
        kind=MentionKind.MESSAGE,
        visibility=Visibility.PRIVATE,
        thread_id=convo,
        media=(IncomingMedia(kind="link", url=link),) if link and not deleted_at else (),
        deleted_at=deleted_at,
        raw=kept(event),
    )  # fmt: skip


def _named(profile: Fields) -> list[tuple[str, list[str | None]]]:
    did, handle = profile.text("did"), profile.text("handle")
    known = None if handle == "handle.invalid" else cut(handle, 253)
    return [(did, [known, cut(profile.text("displayName"), 200)])] if did else []
