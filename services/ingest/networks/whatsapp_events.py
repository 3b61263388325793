"""What a WhatsApp number tells by webhook, in our words: messages, and what became of ours."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from services.ingest.channel import IncomingMention, Page, Receipt
from services.ingest.networks.items import Drift, Items, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import GRAPH, when
from services.ingest.networks.meta_hooks import entries_in, id_in
from shared.models.mention import MentionKind, Visibility

ATTACHED: Mapping[str, Literal["image", "video", "audio", "file"]] = {
    "image": "image", "sticker": "image", "video": "video", "audio": "audio", "document": "file",
}  # fmt: skip
OUTCOMES: Mapping[str, Literal["sent", "delivered", "read", "failed"]] = {
    "sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
}  # fmt: skip
SILENT = frozenset({"reaction", "system", "request_welcome", "ephemeral"})
OTHERS = frozenset({"message_template_status_update", "account_update", "phone_number_quality_update", "smb_message_echoes",
                    "smb_app_state_sync", "history", "account_alerts", "user_preferences", "security"})  # fmt: skip


def events_in(body: bytes, number: str | None) -> Iterator[dict[str, Any]]:
    """Messages and statuses of a delivery, of one number or of all."""
    for change in entries_in(body, "whatsapp_business_account", "changes"):
        value = change.get("value")
        if change.get("field") != "messages" or not isinstance(value, dict):
            yield change
            continue
        metadata = value.get("metadata")
        if number is not None and number_of(change) != number:
            continue
        for kind in ("messages", "statuses"):
            listed = value.get(kind)
            for one in listed if isinstance(listed, list) else ():
                about = {"entry": change["entry"], "time": change["time"], "kind": kind}
                yield {**about, "contacts": value.get("contacts"), "metadata": metadata, "value": one}


def number_of(change: Mapping[str, Any]) -> str | None:
    """The id of the number that a change is about; None where it is about none."""
    value = change.get("value")
    return id_in(value.get("metadata"), "phone_number_id") if isinstance(value, dict) else None


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


def page_of(events: list[dict[str, Any]], at: datetime) -> Page:
    """Events as a page."""
    items = Items()
    told = [_receipt(one, items.drift, at) for one in events if one["kind"] == "statuses"]
    items.take([one for one in events if one["kind"] != "statuses"], partial(to_mention, at=at))
    return Page(**items.told(), receipts=tuple(one for one in told if one is not None))
