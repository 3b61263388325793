"""Updates of Telegram's Bot API, in our words."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from services.ingest.channel import IncomingMention, Page
from services.ingest.networks.items import Drift, Items, cut, from_epoch, mention, missing
from services.ingest.networks.json_api import Fields
from shared.models.mention import MentionKind, Visibility

READ = ("message", "edited_message", "channel_post", "edited_channel_post")
OTHERS = frozenset(
    {"update_id", "my_chat_member", "chat_member", "callback_query", "inline_query", "poll", "poll_answer"}
)
_MEDIA: Mapping[str, tuple[str, str]] = {
    "photo": ("image", "A photo"), "sticker": ("image", "A sticker"), "animation": ("video", "An animation"),
    "video": ("video", "A video"), "video_note": ("video", "A video"), "voice": ("audio", "A voice message"),
    "audio": ("audio", "A sound"), "document": ("file", "A file"),
}  # fmt: skip
_SHARED: Mapping[str, str] = {
    "location": "A place was sent.", "venue": "A place was sent.", "contact": "Somebody's contact details were sent.",
    "poll": "A poll was sent.", "dice": "A die was thrown.", "story": "A story was forwarded.", "game": "A game was sent.",
}  # fmt: skip


def to_mention(update: Any, drift: Drift, at: datetime, chats: frozenset[str]) -> IncomingMention | None:
    """An update in our words. Pure. None where nobody said anything; raises ValidationError where it makes no mention."""
    around = Fields(update, "update", drift)
    kind = next((one for one in READ if one in around.value), None)
    if kind is None:
        drift.update({f"update.{name}"[:200]: None for name in map(str, around.value) if name not in OTHERS})
        return None
    said = around.inside(kind)
    missing(said, "message_id", "date", "chat")
    chat, known = said.inside("chat"), said.text("message_id")
    chat_id = chat.text("id")
    if chats and chat_id not in chats:
        return None
    private = chat.text("type") == "private"
    permalink = None if private else permalink_of(chat, known)
    text, title, media = _said_in(said, permalink)
    if not text and not title and not media:
        return None  # somebody joined, a title was changed, a message was pinned
    above = said.inside("reply_to_message").text("message_id")
    topic = said.text("message_thread_id")
    return mention(
        update,
        external_id=f"{chat_id}:{known}" if chat_id and known else None,
        text=text,
        title=title,
        published_at=from_epoch(said, "date") or at,
        edited_at=from_epoch(said, "edit_date") or at if kind.startswith("edited_") else None,
        author=_author(said.inside("from") or said.inside("sender_chat")),
        kind=MentionKind.MESSAGE if private else MentionKind.REPLY if above else MentionKind.POST,
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        permalink=permalink,
        in_reply_to=above and f"{chat_id}:{above}",
        thread_id=chat_id if private else f"{chat_id}:{topic or above or known}",
        media=media,
    )


def _said_in(said: Fields, permalink: str | None) -> tuple[str, str | None, list[dict[str, Any]]]:
    """The words, what stands in for them, and what is shown. A file has no address that everybody may know."""
    text = said.text("text") or said.text("caption") or ""
    kind = next(
        (one for one in _MEDIA if one in said.value and not (one == "document" and "animation" in said.value)), None
    )
    if kind is None:
        shared = next((words for one, words in _SHARED.items() if one in said.value), None)
        return text, None if text else shared, []
    form, words = _MEDIA[kind]
    named = said.inside("document").text("file_name") if kind == "document" else None
    title = None if text else cut(f"{words} was sent{f': {named}' if named else ''}.")
    return text, title, [{"kind": form, "url": permalink, "alt": named}] if permalink else []


def _author(writer: Fields) -> dict[str, Any] | None:
    if not writer:
        return None
    handle = cut(writer.text("username"))
    name = " ".join(part for part in (writer.text("first_name"), writer.text("last_name")) if part) or writer.text(
        "title"
    )
    url = f"https://t.me/{handle}" if handle and handle.isidentifier() else None
    return {"external_id": writer.text("id"), "handle": handle, "name": cut(name), "url": url}


def permalink_of(chat: Fields, known: str | None) -> str | None:
    """Where it can be seen: a public chat by its handle, a closed supergroup by its number, by members only."""
    chat_id, handle = chat.text("id") or "", chat.text("username") or ""
    if not known or chat.text("type") == "private":
        return None
    if handle.isidentifier():
        return f"https://t.me/{handle}/{known}"
    return f"https://t.me/c/{chat_id.removeprefix('-100')}/{known}" if chat_id.startswith("-100") else None


def page_of(updates: list[Any], at: datetime, chats: frozenset[str], **more: Any) -> Page:
    """Events as a page, with what else is known of it."""
    return Page(**Items().take(updates, partial(to_mention, at=at, chats=chats), "update_id").told(), **more)
