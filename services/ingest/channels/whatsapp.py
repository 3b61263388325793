"""A WhatsApp number, by Meta's Cloud API: messages by webhook, with what they answer and what is attached. Answered in private,
within 24 hours of the customer's last message; later the answer is refused with its reason, and no template is sent instead.

WhatsApp shows nobody what was written before: what the webhook did not bring is not to be had.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    DisplayRules,
    HookAnswer,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutgoingReply,
    Page,
    Push,
    Receipt,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.items import Drift, Items, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import GRAPH, Graph, Hooks, MetaSecrets, MetaSettings, entries_in, sent, when
from shared.models.mention import MentionKind, Visibility

LONGEST_MESSAGE = 4_096  # code points
WINDOW_S = 86_400
ATTACHED: Mapping[str, Literal["image", "video", "audio", "file"]] = {
    "image": "image", "sticker": "image", "video": "video", "audio": "audio", "document": "file",
}  # fmt: skip
OUTCOMES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
}  # fmt: skip
SILENT = frozenset({"reaction", "system", "request_welcome", "ephemeral"})
OTHERS = frozenset({"message_template_status_update", "account_update", "phone_number_quality_update", "smb_message_echoes",
                    "smb_app_state_sync", "history", "account_alerts", "user_preferences", "security"})  # fmt: skip


class WhatsappSettings(MetaSettings):
    """Which number."""

    phone_number_id: str = Field(
        title="Phone number ID",
        description="The id that Meta gives the number, not the number itself.",
        pattern=r"^\d{1,32}$",
    )
    link_previews: bool = Field(default=False, title="Show previews of links in our answers")


class WhatsappSecrets(MetaSecrets):
    """A system user's token, and the secrets of the app that has it."""


class Whatsapp:
    """One number."""

    title: ClassVar[str] = "WhatsApp"
    Settings: ClassVar[type[ChannelSettings]] = WhatsappSettings
    Secrets: ClassVar[type[ChannelSecrets]] = WhatsappSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        private=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE),), requires=("written_privately",), window_s=WINDOW_S)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = WhatsappSettings.model_validate(settings)
        known = WhatsappSecrets.model_validate(secrets)
        self._hooks = Hooks(known)
        self._graph = Graph(self._settings, known, http, "WhatsApp")

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook."""
        return _page(list(_events(body, None)), at)

    def verify(self, push: Push, at: datetime) -> str:
        """Checks X-Hub-Signature-256 over the very bytes."""
        return self._hooks.verify(push)

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """Answers Meta's question whether this address is ours."""
        return self._hooks.answer(push)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our number: messages, and what became of ours."""
        return _page(list(_events(push.body, self._settings.phone_number_id)), at)

    def idempotency(self) -> Idempotency:
        """WhatsApp knows no token that stops a repeat, and shows nothing of what it took."""
        return "neither"

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers the message, which is quoted. Our token comes back with what is told of its delivery."""
        if not reply.author_external_id:
            raise SkipThis("WhatsApp does not tell who wrote it, so nobody can be answered.")
        answer = await self._graph.write(
            f"{self._settings.phone_number_id}/messages",
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": reply.author_external_id,
                "type": "text",
                "text": {"body": reply.text, "preview_url": self._settings.link_previews},
                "context": {"message_id": reply.in_reply_to},
                "biz_opaque_callback_data": reply.token,
            },
        )
        taken = answer.get("messages")
        first = taken[0] if isinstance(taken, list) and taken and isinstance(taken[0], dict) else {}
        return sent(first, "id", "WhatsApp")

    async def account(self) -> Account:
        """The number."""
        fields = {"fields": "id,display_phone_number,verified_name"}
        found = Fields((await self._graph.read(self._settings.phone_number_id, fields)).found, "number", {})
        return Account(
            self._settings.phone_number_id, found.text("verified_name") or "", found.text("display_phone_number")
        )

    def own_accounts(self) -> frozenset[str]:
        """The number."""
        return frozenset({self._settings.phone_number_id})


# ---------------------------------------------------------------- events


def _events(body: bytes, number: str | None) -> Iterator[dict[str, Any]]:
    """Messages and statuses of a delivery, of one number or of all."""
    for change in entries_in(body, "whatsapp_business_account", "changes"):
        value = change.get("value")
        if change.get("field") != "messages" or not isinstance(value, dict):
            yield change
            continue
        metadata = value.get("metadata")
        ours = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
        if number is not None and str(ours) != number:
            continue
        for kind in ("messages", "statuses"):
            listed = value.get(kind)
            for one in listed if isinstance(listed, list) else ():
                about = {"entry": change["entry"], "time": change["time"], "kind": kind}
                yield {**about, "contacts": value.get("contacts"), "metadata": metadata, "value": one}


def to_mention(event: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """An event in our words. Pure. None where it is no message. Raises ValidationError where it makes no mention."""
    value = Fields(event.get("value"), "message", drift)
    if event["kind"] == "changes":
        if event.get("field") not in OTHERS:
            drift["field"] = None
        return None
    missing(value, "id", "from", "timestamp", "type")
    sent_at = when(value, "timestamp") or at
    known_by, kind = value.text("id"), value.text("type") or "text"
    # Edits and deletions are new with Meta and not everywhere; their fields are as Meta's changelog names them.
    if kind == "revoke":
        return tombstone(event, value.inside("revoke").text("original_message_id"), None, sent_at)
    if kind == "edit":
        edit = value.inside("edit")
        inner = edit.inside("message")
        return _message(
            event, edit.text("original_message_id"), inner, inner.text("type") or "", value, sent_at, edited_at=sent_at
        )
    if kind in SILENT:
        return None
    return _message(event, known_by, value, kind, value, sent_at, in_reply_to=value.inside("context").text("id"))


def _message(
    event: Mapping[str, Any], known_by: str | None, said: Fields, kind: str, value: Fields, at: datetime, **more: Any
) -> IncomingMention:
    writer, text, title = value.text("from"), "", None
    part = said.inside(kind) if kind and kind != "contacts" else Fields(None, kind, said.drift)
    media: list[dict[str, Any]] = []
    match kind:
        case "text":
            text = part.text("body") or ""
        case "button":
            text = part.text("text") or ""
        case "interactive":
            chosen = part.inside(part.text("type") or "button_reply")
            text = chosen.text("title") or ""
        case "location":
            named = (part.text("name"), part.text("address"))
            told = [one for one in named if one] or [str(part.value.get(one)) for one in ("latitude", "longitude")]
            title = f"A place: {', '.join(told)}"
        case "contacts" | "order":
            title = "Somebody's contact details were sent." if kind == "contacts" else "An order was sent."
        case _ if kind in ATTACHED:
            text = part.text("caption") or ""
            if (media_id := part.text("id")) is not None and media_id.isalnum():
                media = [{"kind": ATTACHED[kind], "url": f"{GRAPH}/{media_id}", "alt": part.text("filename")}]
        case _:
            if kind != "unsupported":
                said.drift["message.type"] = None
            title = "A message of a kind that WhatsApp does not pass on."
    return mention(
        event,
        external_id=known_by,
        text=text,
        title=cut(title),
        published_at=at,
        author={"external_id": writer, "name": _name(event, writer)} if writer else None,
        kind=MentionKind.MESSAGE,
        visibility=Visibility.PRIVATE,
        thread_id=writer or None,
        media=media,
        **more,
    )


def _name(event: Mapping[str, Any], writer: str) -> str | None:
    contacts = event.get("contacts")
    for one in contacts if isinstance(contacts, list) else ():
        fields = Fields(one, "contact", {})
        if fields.text("wa_id") == writer:
            return cut(fields.inside("profile").text("name"))
    return None


def _receipt(event: Mapping[str, Any], drift: Drift, at: datetime) -> Receipt | None:
    """What became of a message of ours. None where its words are not as documented."""
    status = Fields(event.get("value"), "status", drift)
    missing(status, "id", "status", "timestamp")
    outcome = OUTCOMES.get(status.text("status") or "")
    known, token = cut(status.text("id")), cut(status.text("biz_opaque_callback_data"))
    if outcome is None or not (known or token):
        drift["status.status"] = None
        return None
    reason = ""
    if outcome == "failed":
        wrong = next(status.each("errors"), Fields(None, "errors", {}))
        why = wrong.inside("error_data").text("details") or wrong.text("title") or "it does not say why"
        reason = f"WhatsApp did not deliver it: {why[:300]} (code {wrong.count('code')})."
    return Receipt(outcome, min(when(status, "timestamp") or at, at), token, known, reason)


def _page(events: list[dict[str, Any]], at: datetime) -> Page:
    items = Items()
    told = [_receipt(one, items.drift, at) for one in events if one["kind"] == "statuses"]
    items.take([one for one in events if one["kind"] != "statuses"], partial(to_mention, at=at))
    return Page(**items.told(), receipts=tuple(one for one in told if one is not None))


CHANNEL: type[Channel] = Whatsapp
