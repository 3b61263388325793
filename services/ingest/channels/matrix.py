"""Matrix: rooms of which our account is a member, read by sync (polled, or told at once) and answered. Public.

The homeserver tells edits and redactions, and says where it left events out; those are fetched room by room. An answer
carries its token as transaction id, so that sending it again posts it once. Encrypted rooms are not read.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

import orjson
from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    Post,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    TryLater,
    cleaned,
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks.items import Drift, Items
from services.ingest.networks.json_api import Fields, expect_json, object_in, said_in
from services.ingest.networks.matrix_events import (
    edited,
    events_in,
    moment_of,
    object_of,
    pause_in,
    replaced_by,
    room_of,
    timelines_in,
    to_mention,
)
from shared.kit import clock

TIMELINE = 100  # events of a room in one sync
PAGE_SIZE = 100  # events of a room's past in one page
LONG_POLL_MS = 30_000
MOST_BYTES = 50_000_000
POLL_AFTER = timedelta(seconds=30)
TYPES = ["m.room.message", "m.room.redaction", "m.room.encrypted"]


class MatrixSettings(ChannelSettings):
    """Which account, and which of its rooms."""

    homeserver: str = Field(
        title="Address of the homeserver", description="Of our account; begins with https://.", pattern=r"^[hH][tT]{2}[pP][sS]?://\S+$",
        max_length=500,
    )  # fmt: skip
    user_id: str = Field(
        title="Our user id",
        description="As @care:example.org; what it says is no mention.",
        pattern=r"^@[^\s:]{1,200}:\S{1,230}$",
    )
    rooms: tuple[str, ...] = Field(
        default=(),
        title="Rooms to read",
        description="As !abc:example.org. None: all that the account has joined.",
        max_length=200,
    )
    history_days: int = Field(default=7, title="Days read back at the start", ge=0, le=365)


class MatrixSecrets(ChannelSecrets):
    """What signs our account in."""

    access_token: SecretStr | None = Field(
        default=None, title="Access token", description="Of that account.", max_length=2_000
    )


class Matrix:
    """One account."""

    title: ClassVar[str] = "Matrix"
    Settings: ClassVar[type[ChannelSettings]] = MatrixSettings
    Secrets: ClassVar[type[ChannelSecrets]] = MatrixSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    # An event has at most 65,536 bytes with all that stands around its text.
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(lengths=(Length(limit=30_000, counted_as="utf8_bytes"),)))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = MatrixSettings.model_validate(settings)
        token = MatrixSecrets.model_validate(secrets).access_token
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._homeserver = known.homeserver.rstrip("/")
        self._api = f"{self._homeserver}/_matrix/client/v3"
        self._http = http
        self._what = f"Matrix ({urlsplit(known.homeserver).hostname})"

    def own_accounts(self) -> frozenset[str]:
        """Our user id."""
        return frozenset({self._settings.user_id, self._settings.user_id.lower(), self._settings.user_id[1:].lower()})

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """What a sync brought, or one event."""
        whole = object_in(body, "Matrix")
        if "type" in whole:
            return Page(**_read([whole], at).told())
        return Page(**_read(events_in(whole), at).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """What is new, and what an earlier sync left out."""
        return await self._next(cursor, 0)

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """The same, asked so that the server answers when there is something."""
        wait_ms = 0  # the first answer says that we are connected
        while True:
            page = await self._next(cursor, wait_ms)
            if not wait_ms or page.mentions or page.skipped:
                yield page
            cursor, wait_ms = page.cursor, LONG_POLL_MS

    async def _next(self, cursor: Cursor | None, wait_ms: int) -> Page:
        held = dict(cursor or {})
        behind: list[dict[str, str]] = list(held.get("behind") or ())
        return await self._past(held, behind) if behind else await self._sync(held, wait_ms)

    async def _sync(self, held: dict[str, Any], wait_ms: int) -> Page:
        since, now = held.get("since"), clock.now()
        params = {"timeout": str(wait_ms if since else 0), "filter": orjson.dumps(self._filter()).decode()}
        with reading(self._what):
            answer = await self._http.get(
                f"{self._api}/sync", params=params | ({"since": since} if since else {}), headers=self._headers,
                deadline_s=wait_ms / 1000 + 30, max_bytes=MOST_BYTES,
            )  # fmt: skip
        told = self._expected(answer)
        place = told.get("next_batch")
        if not isinstance(place, str):
            raise TryLater(f"{self._what} answers a sync that says not where it ends.")
        floor = None if since else now - timedelta(days=self._settings.history_days)
        until = {"to": since} if since else {"floor": clock.iso(floor or now)}
        behind = [
            {"room": room, "from": timeline["prev_batch"], **until}
            for room, timeline in timelines_in(told)
            if timeline.get("limited") is True and isinstance(timeline.get("prev_batch"), str)
        ]
        page = await self._page_of(events_in(told), now, floor)
        return Page(**page, cursor={"since": place, "behind": behind}, has_more=bool(behind), poll_after=POLL_AFTER)

    async def _past(self, held: dict[str, Any], behind: list[dict[str, str]]) -> Page:
        """A page of what a sync left out of a room, backwards from where its timeline began."""
        part, now = behind[0], clock.now()
        params = {
            "dir": "b",
            "from": part["from"],
            "limit": str(PAGE_SIZE),
            "filter": orjson.dumps({"types": TYPES}).decode(),
        }
        with reading(self._what):
            answer = await self._http.get(
                f"{self._api}/rooms/{quote(part['room'], safe='')}/messages",
                params=params | ({"to": part["to"]} if "to" in part else {}), headers=self._headers, max_bytes=MOST_BYTES,
            )  # fmt: skip
        if answer.status in (403, 404):  # we are no longer in that room
            return Page(cursor={**held, "behind": behind[1:]}, has_more=True, poll_after=POLL_AFTER)
        told = self._expected(answer)
        listed = Fields(told, "messages", {}).all("chunk")
        chunk = [{**one, "room_id": part["room"]} for one in reversed(listed) if isinstance(one, dict)]
        floor = datetime.fromisoformat(part["floor"]) if "floor" in part else None
        end = told.get("end")
        over = not isinstance(end, str) or end == part["from"] or not chunk or end == part.get("to")
        over = over or (floor is not None and any(moment_of(Fields(one, "event", {}), now) < floor for one in chunk))
        rest = behind[1:] if over else [{**part, "from": str(end)}, *behind[1:]]
        page = await self._page_of(chunk, now, floor)
        return Page(**page, cursor={**held, "behind": rest}, has_more=True, poll_after=POLL_AFTER)

    async def _page_of(self, events: list[Any], at: datetime, floor: datetime | None) -> dict[str, Any]:
        if floor is not None:
            events = [one for one in events if moment_of(Fields(one, "event", {}), at) >= floor]
        whole = [one if (of := replaced_by(one)) is None else await self._edited(one, of) for one in events]
        return _read([one for one in whole if one is not None], at, self._homeserver).told()

    async def _edited(self, edit: Mapping[str, Any], original_id: str) -> dict[str, Any] | None:
        """What an edit makes of a message; None where somebody else wrote that: homeservers pass on such edits too, and
        nobody is to show them."""
        room = str(edit.get("room_id"))
        with reading(self._what):
            answer = await self._http.get(
                f"{self._api}/rooms/{quote(room, safe='')}/event/{quote(original_id, safe='')}", headers=self._headers
            )
        if answer.status in (403, 404):
            return None
        original = self._expected(answer)
        return edited(original, edit) if original.get("sender") == edit.get("sender") else None

    def _filter(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"types": []}
        room = {
            "timeline": {"limit": TIMELINE, "types": TYPES, "lazy_load_members": True},
            "state": {"types": ["m.room.member"], "lazy_load_members": True}, "ephemeral": nothing, "account_data": nothing,
        }  # fmt: skip
        chosen = {"rooms": list(self._settings.rooms)} if self._settings.rooms else {}
        return {"room": room | chosen, "presence": nothing, "account_data": nothing}

    def _expected(self, answer: Answer) -> dict[str, Any]:
        if answer.status == 429 and not answer.headers.get("retry-after"):
            raise TryLater(f"{self._what} asks us to wait.", pause_in(answer))
        return expect_json(answer, self._what)

    async def account(self) -> Account:
        """Whose access token it is."""
        with reading(self._what):
            answer = await self._http.get(f"{self._api}/account/whoami", headers=self._headers)
        user_id = Fields(self._expected(answer), "whoami", {}).text("user_id") or ""
        if user_id.lower() != self._settings.user_id.lower():
            raise AskForNewCredential(
                f"The access token is that of {user_id}, not of {self._settings.user_id}. Enter the right one."
            )
        return Account(user_id, user_id, user_id, f"https://matrix.to/#/{quote(user_id, safe='@:')}")

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """The homeserver answers a repeated transaction id with the event that it made at first."""
        return "client_token"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers in the room, and in the thread where the message stands in one."""
        raw = object_of(reply.raw)
        room = room_of(raw, reply.permalink)
        relation: dict[str, Any] = {"m.in_reply_to": {"event_id": reply.in_reply_to}}
        relates = Fields(raw, "event", {}).inside("content").inside("m.relates_to")
        if relates.text("rel_type") == "m.thread" and relates.text("event_id"):
            relation |= {"rel_type": "m.thread", "event_id": relates.text("event_id"), "is_falling_back": False}
        content: dict[str, Any] = {"msgtype": "m.text", "body": cleaned(reply.text), "m.relates_to": relation}
        if reply.author_external_id:
            content["m.mentions"] = {"user_ids": [reply.author_external_id]}
        event_id = await self._put(room, "send/m.room.message", reply.token, content)
        return Sent(event_id, clock.now(), None)

    async def delete_reply(self, post: Post) -> None:
        """Redacts an event of ours."""
        room = room_of(object_of(post.raw), post.permalink)
        await self._put(room, f"redact/{quote(post.external_id, safe='')}", f"redact-{post.external_id}", {})

    async def report(self, post: Post, reason: str) -> None:
        """Reports an event to those who run our homeserver."""
        room = room_of(object_of(post.raw), post.permalink)
        with reading(self._what):
            answer = await self._http.request(
                "POST", f"{self._api}/rooms/{quote(room, safe='')}/report/{quote(post.external_id, safe='')}",
                json={"reason": reason, "score": -100}, headers=self._headers,
            )  # fmt: skip
        if answer.status == 404:
            raise SkipThis("The message is gone, or we are no longer in its room.")
        self._expected(answer)

    async def _put(self, room: str, what: str, transaction: str, content: dict[str, Any]) -> str:
        with replying(self._what):
            answer = await self._http.request(
                "PUT", f"{self._api}/rooms/{quote(room, safe='')}/{what}/{quote(transaction, safe='')}",
                json=content, headers=self._headers,
            )  # fmt: skip
        if answer.status == 429:
            raise TryLater(f"{self._what} asks us to wait.", pause_in(answer))
        expect_posted(answer, self._what, said_in(answer, "error"))
        event_id = object_of(answer.body).get("event_id")
        if not isinstance(event_id, str):
            raise OutcomeUnknown(f"{self._what} took it and answers something that cannot be read.")
        return event_id


def _read(events: list[Any], at: datetime, homeserver: str = "") -> Items:
    def take(event: Any, drift: Drift) -> IncomingMention | None:
        return to_mention(event, drift, at, homeserver)

    return Items().take(events, take, "event_id")


CHANNEL: type[Channel] = Matrix
