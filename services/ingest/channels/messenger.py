"""Messenger of a Facebook page: messages by webhook and by reading back, their edits and deletions. Answered in private, within
24 hours of the customer's last message; later the answer is refused with its reason, and no message tag is used to get round.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from services.ingest.channel import (
    Account,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HookAnswer,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutgoingReply,
    Page,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.items import Drift, Items, cut, mention, missing, payload_in, tombstone
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import GRAPH, Graph, Hooks, MetaSecrets, MetaSettings, entries_in, when
from services.ingest.networks.meta_sweep import Listing, Sweep
from shared.kit import clock
from shared.models.mention import MentionKind, Visibility

POLL_AFTER = timedelta(minutes=5)
LONGEST_MESSAGE = 2_000  # code points, as Meta's page on sending says
WINDOW_S = 86_400
OTHERS = frozenset(
    {"read", "delivery", "reaction", "optin", "referral", "account_linking", "pass_thread_control", "take_thread_control",
     "request_thread_control", "app_roles", "policy_enforcement", "messaging_feedback", "order"}
)  # fmt: skip
_AROUND = frozenset({"sender", "recipient", "timestamp", "entry", "time", "kind", "prior_message"})
_MEDIA: Mapping[str, Literal["image", "video", "audio", "file"]] = {
    "image": "image", "video": "video", "audio": "audio", "file": "file", "reel": "video", "ig_reel": "video",
}  # fmt: skip
_MESSAGE = "id,message,from,to,created_time,attachments{id,mime_type,name}"


class MessengerSettings(MetaSettings):
    """Which page."""

    page_id: str = Field(
        title="Id of the page", description="Digits, as the page's settings show them.", pattern=r"^\d{1,32}$"
    )


class MessengerSecrets(MetaSecrets):
    """A page access token, and the secrets of the app that has it."""


class Messenger:
    """The conversations of one page."""

    title: ClassVar[str] = "Messenger"
    Settings: ClassVar[type[ChannelSettings]] = MessengerSettings
    Secrets: ClassVar[type[ChannelSecrets]] = MessengerSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        private=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE),), requires=("written_privately",), window_s=WINDOW_S)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = MessengerSettings.model_validate(settings)
        known = MessengerSecrets.model_validate(secrets)
        self._hooks = Hooks(known)
        self._graph = Graph(self._settings, known, http, "Messenger")

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook, or a page of messages as the Graph API lists them."""
        whole = payload_in(body)
        if isinstance(whole, dict) and isinstance(whole.get("data"), list):
            return _page([{"kind": "conversations.messages", "entry": {}, "value": one} for one in whole["data"]], at)
        return _page(entries_in(body, "page", "messaging", "standby"), at)

    def verify(self, push: Push, at: datetime) -> str:
        """Checks X-Hub-Signature-256 over the very bytes."""
        return self._hooks.verify(push)

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """Answers Meta's question whether this address is ours."""
        return self._hooks.answer(push)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our page; one delivery may tell of several pages."""
        events = entries_in(push.body, "page", "messaging", "standby")
        return _page([one for one in events if str(one["entry"]) == self._settings.page_id], at)

    async def page(self, cursor: Cursor | None) -> Page:
        """What was written in the page's conversations since they were read before, webhook or not."""
        return await self._step(Sweep.of(cursor, clock.now()))

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was written at `since` or later."""
        return await self._step(Sweep.of(cursor, clock.now(), since))

    def idempotency(self) -> Idempotency:
        """Messenger knows no token of ours, but shows what we wrote."""
        return "read_back"

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers in the conversation. Raises SkipThis where the 24 hours are over."""
        if not reply.author_external_id:
            raise SkipThis("Messenger does not tell who wrote it, so nobody can be answered.")
        path, to = f"{self._settings.page_id}/messages", {"id": reply.author_external_id}
        return await self._graph.message(path, to, reply.text, messaging_type="RESPONSE")

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our message in the conversation."""
        return await self._graph.find_message(self._settings.page_id, "messenger", reply, since)

    async def account(self) -> Account:
        """The page whose token it is. Raises ChannelBroken where that is another page."""
        found = Fields((await self._graph.read("me", {"fields": "id,name,username,link"})).found, "me", {})
        if found.text("id") != self._settings.page_id:
            raise ChannelBroken(
                f"The token belongs to {found.text('name')} ({found.text('id')}). Enter that page's own token."
            )
        return Account(self._settings.page_id, found.text("name") or "", found.text("username"), found.link("link"))

    def own_accounts(self) -> frozenset[str]:
        """The page: what it wrote comes back as an echo, from us or from another tool."""
        return frozenset({self._settings.page_id})

    async def _step(self, sweep: Sweep) -> Page:
        listing = Listing(
            "conversations", f"{self._settings.page_id}/conversations", f"id,updated_time,messages.limit(25){{{_MESSAGE}}}",
            "updated_time", timedelta(0), "messages", _MESSAGE, "created_time", params={"platform": "messenger"},
        )  # fmt: skip
        events, read = await sweep.step(self._graph, (listing,))
        rest = read.rest if read.rest or not sweep.done else POLL_AFTER
        return _page(
            events, clock.now(), cursor=sweep.cursor(), has_more=not sweep.done and not rest,
            poll_after=rest, quota_left=read.quota_left,
        )  # fmt: skip


# ---------------------------------------------------------------- events


def to_mention(event: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """An event in our words. Pure. None where it is no message; raises pydantic's ValidationError where it makes no mention."""
    if event["kind"] == "conversations":
        return None
    if event["kind"] == "conversations.messages":
        return _listed(event, drift, at)
    around = Fields(event, "messaging", drift)
    sender, recipient = around.inside("sender").text("id"), around.inside("recipient").text("id")
    told_at = when(around, "timestamp") or when(around, "time") or at
    if "message" in event:
        message = around.inside("message")
        missing(message, "mid")
        if message.value.get("is_deleted") is True:
            return tombstone(event, message.text("mid"), told_at, told_at)
        customer = recipient if message.value.get("is_echo") is True else sender
        return _message(
            event, message.text("mid"), message.text("text"), told_at, sender, customer,
            in_reply_to=message.inside("reply_to").text("mid"),
            media=_media(message.text("mid"), [one.text("type") for one in message.each("attachments")]),
        )  # fmt: skip
    if "message_edit" in event:
        edit = around.inside("message_edit")
        missing(edit, "mid", "text")
        return _message(event, edit.text("mid"), edit.text("text"), told_at, sender, sender, edited_at=told_at)
    if "postback" in event:  # a button was pressed: its title is what the customer says
        button = around.inside("postback")
        return _message(event, button.text("mid"), button.text("title"), told_at, sender, sender)
    for name in sorted(map(str, event.keys() - _AROUND - OTHERS)):
        drift[f"messaging.{name}"[:200]] = None
    return None


def _listed(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value = Fields(event.get("value"), "message", drift)
    missing(value, "id", "created_time", "from")
    writer = value.inside("from")
    kinds: list[str | None] = [
        (one.text("mime_type") or "").partition("/")[0] for one in value.inside("attachments").each("data")
    ]
    return _message(
        event.get("value"), value.text("id"), value.text("message"), when(value, "created_time") or at,
        writer.text("id"),
        writer.text("id"),
        name=writer.text("name"), media=_media(value.text("id"), kinds),
    )  # fmt: skip


def _message(
    event: Any, known_by: str | None, text: str | None, at: datetime, sender: str | None, customer: str | None,
    *, name: str | None = None, **more: Any,
) -> IncomingMention:  # fmt: skip
    return mention(
        event,
        external_id=known_by,
        text=text or "",
        published_at=at,
        author={"external_id": sender, "name": cut(name)} if sender else None,
        kind=MentionKind.MESSAGE,
        visibility=Visibility.PRIVATE,
        thread_id=customer or None,
        **more,
    )


def _media(known_by: str | None, kinds: list[str | None]) -> list[dict[str, str]]:
    """Attachments, by the address at which the Graph API gives them anew; the addresses in the payload end after a while."""
    if not known_by:
        return []
    places = enumerate(
        _MEDIA.get(kind or "", "file") for kind in kinds if kind not in ("fallback", "template", "location")
    )
    return [{"kind": kind, "url": f"{GRAPH}/{known_by}/attachments#{place}"} for place, kind in places]


def _page(events: list[dict[str, Any]], at: datetime, **more: Any) -> Page:
    return Page(**Items().take(events, partial(to_mention, at=at)).told(), **more)


CHANNEL: type[Channel] = Messenger
