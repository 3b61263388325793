"""Events of Matrix as its client API tells them, in our words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, unquote

from services.ingest.channel import Answer, IncomingMention, SkipThis
from services.ingest.networks.items import Drift, cut, mention, missing, tombstone
from services.ingest.networks.json_api import Fields, parsed
from shared.models.mention import MentionKind
from shared.rules.plain_text import plain_text

_MEDIA: Mapping[str, Literal["image", "video", "audio", "file"]] = {
    "m.image": "image", "m.video": "video", "m.audio": "audio", "m.file": "file",
}  # fmt: skip
_CONTENT_URI = re.compile(r"mxc://([^/\s]{1,255})/([A-Za-z0-9_-]{1,255})")
EDITED = "edited_server_ts"  # ours: it stands in the payload of a message that an edit was put into
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999
_QUOTED_REPLY = re.compile(r"(?:> ?.*\n)+\n")


def to_mention(event: Any, drift: Drift, at: datetime, homeserver: str = "") -> IncomingMention | None:
    """A message, an edit or a redaction in our words; None for what is none of these. Pure. `event` has its room_id.

    Raises SkipThis where it is encrypted, pydantic's ValidationError where it makes no mention.
    """
    found = Fields(event, "event", drift)
    latest = found.inside("unsigned").inside("m.relations").inside("m.replace")  # told along with what it replaces
    if latest.value.get("content") and EDITED not in found.value:
        found = Fields(edited(found.value, latest.value), "event", drift)
    kind = found.text("type")
    if kind == "m.room.encrypted":
        raise SkipThis("It is encrypted from end to end, which is not read.")
    if kind == "m.room.redaction":
        gone = found.text("redacts") or found.inside("content").text("redacts")
        return tombstone(event, gone, None, moment_of(found, at))
    content = found.inside("content")
    if kind != "m.room.message" or not content:  # a message without content was redacted before we came
        return None
    missing(found, "event_id", "sender", "origin_server_ts")
    relation = content.inside("m.relates_to")
    written = moment_of(found, at)
    replaces = relation.text("event_id") if relation.text("rel_type") == "m.replace" else None
    said = content.inside("m.new_content") if replaces and content.value.get("m.new_content") else content
    answered = relation.inside("m.in_reply_to").text("event_id")
    in_thread = relation.text("event_id") if relation.text("rel_type") == "m.thread" else None
    if in_thread and relation.flag("is_falling_back"):
        answered = None  # stands there for programs that know no threads
    sender, room = found.text("sender"), found.text("room_id")
    external_id = replaces or found.text("event_id")
    return mention(
        event,
        external_id=external_id,
        text=_words(said, is_answer=answered is not None),
        published_at=written,
        edited_at=written if replaces else moment_of(found, at, EDITED) if EDITED in found.value else None,
        author=sender and {"external_id": sender, "handle": sender, "name": cut(found.text("display_name"))},
        kind=MentionKind.REPLY if answered or in_thread else MentionKind.POST,
        permalink=link_to(room, external_id) if room and external_id else None,
        in_reply_to=answered or in_thread,
        thread_id=in_thread or answered or external_id,
        media=_media(said, homeserver),
    )


def moment_of(found: Fields, at: datetime, name: str = "origin_server_ts") -> datetime:
    """When the sender's server took it in; never later than `at`."""
    milliseconds = found.count(name)
    if milliseconds is None or milliseconds > _LATEST_MS:
        return at
    return min(datetime.fromtimestamp(milliseconds / 1000, UTC), at)


def link_to(room: str, event_id: str) -> str | None:
    """The address under which people of any server find an event."""
    server = room.partition(":")[2] or event_id.partition(":")[2]
    link = f"https://matrix.to/#/{quote(room, safe='!:')}/{quote(event_id, safe='$:')}"
    link += f"?via={quote(server, safe=':')}" if server else ""
    return link if len(link) <= 2_048 else None


def replaced_by(event: Any) -> str | None:
    """The id of the event that an event claims to replace."""
    relation = Fields(event, "event", {}).inside("content").inside("m.relates_to")
    return relation.text("event_id") if relation.text("rel_type") == "m.replace" else None


def edited(original: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    """The original as the edit makes it, with the moment of the edit; where it stands in its thread is left as it was."""
    words = Fields(edit, "event", {}).inside("content").inside("m.new_content").value
    before = Fields(original, "event", {}).inside("content").value
    relation = {"m.relates_to": before["m.relates_to"]} if "m.relates_to" in before else {}
    told = {name: edit[name] for name in ("room_id", "display_name") if name in edit}
    return {**original, **told, "content": {**words, **relation}, EDITED: edit.get("origin_server_ts")}


def _words(said: Fields, *, is_answer: bool) -> str:
    body = said.text("body") or ""
    if said.text("format") == "org.matrix.custom.html" and not body.strip():
        body = plain_text(said.text("formatted_body") or "")
    if is_answer:
        body = _QUOTED_REPLY.sub("", body, count=1) if body.startswith("> ") else body
    if said.text("msgtype") in _MEDIA:
        name = said.text("filename")
        return body if name and name != body else ""  # without a caption the body is the file's name
    return body


def _media(said: Fields, homeserver: str) -> list[dict[str, Any]]:
    kind = _MEDIA.get(said.text("msgtype") or "")
    found = _CONTENT_URI.fullmatch(said.text("url") or "")
    if kind is None or found is None:
        return []
    server, name = found.groups()
    place = homeserver or f"https://{server}"
    name_told = cut(said.text("filename") or said.text("body"), 1_000)
    return [
        {
            "kind": kind,
            "url": f"{place}/_matrix/client/v1/media/download/{quote(server, safe=':')}/{name}",
            "alt": name_told,
        }
    ]


# ---------------------------------------------------------------- what a sync holds


def timelines_in(told: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The timelines of a sync, by room."""
    joined = Fields(told, "sync", {}).inside("rooms").inside("join").value
    return [(room, Fields(one, "room", {}).inside("timeline").value) for room, one in joined.items()]


def events_in(told: Mapping[str, Any]) -> list[Any]:
    """The events of all rooms, each with its room and, where the sync tells it, with its sender's name."""
    found: list[Any] = []
    for room, one in Fields(told, "sync", {}).inside("rooms").inside("join").value.items():
        here = Fields(one, "room", {})
        members = [*here.inside("state").all("events"), *here.inside("timeline").all("events")]
        names = {
            member["state_key"]: member["content"].get("displayname")
            for member in members
            if isinstance(member, dict) and member.get("type") == "m.room.member" and isinstance(member.get("content"), dict)
            and isinstance(member.get("state_key"), str)
        }  # fmt: skip
        for event in here.inside("timeline").all("events"):
            if isinstance(event, dict):
                sender = event.get("sender")
                name = names.get(sender) if isinstance(sender, str) else None
                event = {**event, "room_id": room} | ({"display_name": name} if name else {})
            found.append(event)
    return found


def room_of(raw: Mapping[str, Any], permalink: str | None) -> str:
    """The room of a message, by its payload or by its address. Raises SkipThis."""
    room = raw.get("room_id")
    if not isinstance(room, str) and permalink and permalink.startswith("https://matrix.to/#/"):
        room = unquote(permalink.removeprefix("https://matrix.to/#/").partition("/")[0])
    if not isinstance(room, str) or not room.startswith("!"):
        raise SkipThis("It is not known in which room the message stands.")
    return room


def object_of(raw: bytes | None) -> dict[str, Any]:
    """The object that a payload is; an empty one where it is none."""
    try:
        found = parsed(raw or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def pause_in(answer: Answer) -> timedelta:
    """How long the homeserver asks us to wait: it says so in its own words."""
    wait = object_of(answer.body).get("retry_after_ms")
    known = isinstance(wait, int) and not isinstance(wait, bool) and 0 < wait < 86_400_000
    return timedelta(milliseconds=wait) if known else timedelta(minutes=1)  # type: ignore[arg-type]
