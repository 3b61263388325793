"""Private messages of Meta's venues (a page's Messenger, an Instagram account), by webhook or read back, in our words.

Addresses of attachments and stories in a payload end after a while. A mention carries the one at which the Graph API gives
them anew; a story is only there for a day and is told by a title.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from services.ingest.channel import IncomingMention
from services.ingest.networks.items import Drift, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import GRAPH, when
from services.ingest.networks.meta_sweep import Listing
from shared.models.mention import MentionKind, Visibility

PUSHED = ("messaging", "standby")
"""The lists of an entry in which messages stand; `standby` holds those that another app has in hand."""
LISTED = "conversations.messages"
MESSAGE = "id,message,from,to,created_time,attachments{id,mime_type,name}"
STORIED = f"{MESSAGE},story,is_unsupported"
STORY_ANSWER, STORY_MENTION = "An answer to our story.", "Our account was named in a story."
UNSHOWN, SHARED = "A message of a kind that is not passed on.", "A post was shared with us."
OTHERS = frozenset(
    {"read", "delivery", "reaction", "optin", "referral", "account_linking", "pass_thread_control", "take_thread_control",
     "request_thread_control", "app_roles", "policy_enforcement", "messaging_feedback", "order"}
)  # fmt: skip
_AROUND = frozenset({"sender", "recipient", "timestamp", "entry", "time", "kind", "prior_message", "field"})
_MEDIA: Mapping[str, Literal["image", "video", "audio", "file"]] = {
    "image": "image", "video": "video", "audio": "audio", "file": "file", "reel": "video", "ig_reel": "video",
}  # fmt: skip
_NO_FILE = frozenset(
    {"fallback", "template", "location", "story_mention", "share", "ig_post", "ephemeral", "unsupported_type"}
)
_TITLES = {
    "story_mention": STORY_MENTION,
    "share": SHARED,
    "ig_post": SHARED,
    "ephemeral": UNSHOWN,
    "unsupported_type": UNSHOWN,
}


def conversations(account: str, platform: Literal["messenger", "instagram"]) -> Listing:
    """The conversations of a page or an account, those that changed last first, with their messages."""
    shown = STORIED if platform == "instagram" else MESSAGE
    return Listing(
        "conversations", f"{account}/conversations", f"id,updated_time,messages.limit(25){{{shown}}}", "updated_time",
        under="messages", under_fields=shown, under_time="created_time", params={"platform": platform},
    )  # fmt: skip


def to_mention(event: Any, drift: Drift, at: datetime) -> IncomingMention | None:
    """An event in our words. Pure. None where it is no message; raises pydantic's ValidationError where it makes no mention."""
    if event["kind"] == "conversations":
        return None
    if event["kind"] == LISTED:
        return _listed(event, drift, at)
    around = Fields(event, "messaging", drift)
    sender, recipient = around.inside("sender").text("id"), around.inside("recipient").text("id")
    told_at = when(around, "timestamp") or when(around, "time") or at
    if "message" in event:
        message = around.inside("message")
        missing(message, "mid")
        if message.value.get("is_deleted") is True:
            return tombstone(event, message.text("mid"), told_at, told_at)
        return _said(event, message, told_at, sender, recipient)
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


def _said(event: Any, message: Fields, at: datetime, sender: str | None, recipient: str | None) -> IncomingMention:
    kinds = [one.text("type") for one in message.each("attachments")]
    answered = message.inside("reply_to")
    story = answered.inside("story")
    titles = [STORY_ANSWER] if story else [_TITLES[kind] for kind in kinds if kind in _TITLES]
    if message.value.get("is_unsupported") is True:
        titles.append(UNSHOWN)
    text = message.text("text") or ("\u2764" if "like_heart" in kinds else "")
    return _message(
        event, message.text("mid"), text, at, sender, recipient if message.value.get("is_echo") is True else sender,
        title=next(iter(titles), None), in_reply_to=story.text("id") or answered.text("mid"),
        media=_media(message.text("mid"), [kind for kind in kinds if kind != "like_heart"]),
    )  # fmt: skip


def _listed(event: Mapping[str, Any], drift: Drift, at: datetime) -> IncomingMention:
    value = Fields(event.get("value"), "message", drift)
    missing(value, "id", "created_time", "from")
    writer, story = value.inside("from"), value.inside("story")
    title = STORY_ANSWER if story.inside("reply_to") else STORY_MENTION if story.inside("mention") else None
    if value.value.get("is_unsupported") is True:
        title = title or UNSHOWN
    return _message(
        event.get("value"), value.text("id"), value.text("message"), when(value, "created_time") or at,
        writer.text("id"), writer.text("id"), name=writer.text("name"), handle=writer.text("username"), title=title,
        in_reply_to=story.inside("reply_to").text("id"),
        media=_media(value.text("id"), [_kind(one) for one in value.inside("attachments").each("data")]),
    )  # fmt: skip


def _kind(attached: Fields) -> str:
    """Messenger tells the kind of a file by its MIME type, Instagram by the field in which it stands."""
    told = (attached.text("mime_type") or "").partition("/")[0]
    return told or next((kind for kind in ("image", "video") if f"{kind}_data" in attached.value), "")


def _message(
    event: Any, known_by: str | None, text: str | None, at: datetime, sender: str | None, customer: str | None,
    *, name: str | None = None, handle: str | None = None, **more: Any,
) -> IncomingMention:  # fmt: skip
    return mention(
        event,
        external_id=known_by,
        text=text or "",
        published_at=at,
        author={"external_id": sender, "name": cut(name), "handle": cut(handle)} if sender else None,
        kind=MentionKind.MESSAGE,
        visibility=Visibility.PRIVATE,
        thread_id=customer or None,
        **more,
    )


def _media(known_by: str | None, kinds: Sequence[str | None]) -> list[dict[str, str]]:
    """Attachments, by the address at which the Graph API gives them anew; the addresses in the payload end after a while."""
    if not known_by:
        return []
    places = enumerate(_MEDIA.get(kind or "", "file") for kind in kinds if kind not in _NO_FILE)
    return [{"kind": kind, "url": f"{GRAPH}/{known_by}/attachments#{place}"} for place, kind in places]
