"""Isso: the comments of a static site, read and answered over Isso's own API, which asks for no credential. Public.

The latest comments are listed whole at every poll and compared with what was seen: other words are an edit, one that is
missing and unknown to the server is a deletion.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from services.ingest.channel import (
    Account,
    Answer,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    Gap,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    TryLater,
    cleaned,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.networks.isso_comments import created_at, digest_of, link_to, oldest_in, to_mention
from services.ingest.networks.items import Drift, Items, from_epoch, tombstone
from services.ingest.networks.json_api import Fields, list_in, object_in, parsed
from shared.kit import clock
from shared.rules.plain_text import plain_text

LISTED = 200  # comments that are compared at a poll
LISTED_AT_MOST = 2_000  # where more came since the last
LOOKED_AFTER = 20  # comments that were missed, asked for one by one
MOST_BYTES = 20_000_000
LONGEST = 65_535  # characters; Isso's own limit
POLL_AFTER = timedelta(minutes=1)
FLOOD = timedelta(minutes=1)  # the time over which Isso's guard counts


class IssoSettings(ChannelSettings):
    """Which server, and the site whose comments it keeps."""

    url: str = Field(
        title="Address of the Isso server", description="As the site's pages name it.", pattern=r"^[hH][tT]{2}[pP][sS]?://\S+$",
        max_length=2_000,
    )  # fmt: skip
    site: str = Field(
        default="", title="Address of the site", description="So that a comment can be linked to; begins with https://.",
        pattern=r"^([hH][tT]{2}[pP][sS]?://\S+)?$", max_length=2_000,
    )  # fmt: skip
    author: str = Field(default="", title="Our name", description="Stands above our answers.", max_length=100)
    email: str = Field(default="", title="Our address", description="Isso keeps it to itself.", max_length=200)
    website: str = Field(default="", title="Our own site", description="Our name links to it.", max_length=300)
    moderated: bool = Field(
        default=False,
        title="The server holds comments back",
        description="Then what became of an answer cannot be looked up.",
    )
    history_days: int = Field(default=7, title="Days read back at the start", ge=0, le=3_650)


class IssoSecrets(ChannelSecrets):
    """There is nothing to keep secret: everybody may comment."""


class Isso:
    """One Isso server."""

    title: ClassVar[str] = "Isso comments"
    Settings: ClassVar[type[ChannelSettings]] = IssoSettings
    Secrets: ClassVar[type[ChannelSecrets]] = IssoSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(lengths=(Length(limit=LONGEST),), moderated=True))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = IssoSettings.model_validate(settings)
        IssoSecrets.model_validate(secrets)
        self._url = known.url.rstrip("/")
        self._http = http
        self._what = f"Isso ({urlsplit(known.url).hostname})"

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A list of the latest comments, or one comment."""
        whole = list_in(body, "Isso") if body.lstrip()[:1] == b"[" else [object_in(body, "Isso")]
        return Page(**Items().take(whole, lambda one, drift: to_mention(one, drift, at)).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The latest comments, compared with those that were seen before."""
        now = clock.now()
        held: dict[str, Any] = dict(cursor or {})
        known: dict[str, list[Any]] = held.get("known", {})
        newest: float = held.get("newest", 0.0)
        listed = await self._latest(LISTED)
        if cursor is not None and len(listed) == LISTED and oldest_in(listed) > newest:
            listed = await self._latest(LISTED_AT_MOST)
        gaps: tuple[Gap, ...] = ()
        if cursor is not None and len(listed) == LISTED_AT_MOST and oldest_in(listed) > newest:
            since = datetime.fromtimestamp(newest, UTC)
            until = datetime.fromtimestamp(oldest_in(listed), UTC)
            gaps = (
                Gap(since, until, f"{self._what} shows only its latest {LISTED_AT_MOST:,} comments, and more came."),
            )
        floor = (now - timedelta(days=self._settings.history_days)).timestamp() if cursor is None else None
        seen: dict[str, list[Any]] = {}

        def news(one: Any, drift: Drift) -> IncomingMention | None:
            made = to_mention(one, drift, now, self._settings.site)
            created, digest = created_at(one), digest_of(one)
            if made is None:
                return None
            before = known.get(made.external_id)
            seen[made.external_id] = [created, digest]
            if (floor is not None and created < floor) or (before is not None and before[1] == digest):
                return None
            return made if before is None else made.model_copy(update={"edited_at": made.edited_at or now})

        told = Items().take(listed, news).told()
        oldest = oldest_in(listed) if len(listed) >= LISTED else 0.0
        lost = [one for one, (created, _) in known.items() if one not in seen and created > oldest]
        gone = [one for one in lost[:LOOKED_AFTER] if await self._is_gone(one)]
        told["mentions"] += tuple(tombstone({"id": one, "deleted": True}, one, None, now) for one in gone)
        kept = dict(sorted(seen.items(), key=lambda one: one[1][0])[-LISTED:])
        kept |= {one: known[one] for one in lost[LOOKED_AFTER:]}
        top = max((created for created, _ in seen.values()), default=newest or floor or now.timestamp())
        return Page(**told, cursor={"known": kept, "newest": max(top, newest)}, gaps=gaps, poll_after=POLL_AFTER)

    async def _latest(self, limit: int) -> list[Any]:
        with reading(self._what):
            answer = await self._http.get(f"{self._url}/latest", params={"limit": str(limit)}, max_bytes=MOST_BYTES)
        if answer.status == 404:
            raise ChannelBroken(
                f"{self._what} does not list its latest comments (404). Set latest-enabled = true in its [general] section."
            )
        return list_in(expect_read(answer, self._what).body, self._what)

    async def _is_gone(self, external_id: str) -> bool:
        """Whether the server has it no more. One that it has it shows only to who wrote it (403)."""
        with reading(self._what):
            answer = await self._http.get(f"{self._url}/id/{external_id}")
        if answer.status == 429 or answer.status >= 500:
            expect_read(answer, self._what)
        return answer.status == 404

    async def account(self) -> Account:
        """The name under which we answer, once the server lists its comments."""
        await self._latest(1)
        name = self._settings.author or "anonymous"
        return Account(name, name, url=self._settings.website or None)

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """What we posted can be looked up on the same page, unless it waits for moderation there."""
        return "neither" if self._settings.moderated else "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts a comment below the comment."""
        uri = self._uri_of(reply)
        sent: dict[str, Any] = {
            "text": cleaned(reply.text),
            "parent": int(reply.in_reply_to),
            "title": reply.title or uri,
        }
        for name in ("author", "email", "website"):
            if value := getattr(self._settings, name):
                sent[name] = value
        with replying(self._what):
            answer = await self._http.request(
                "POST", f"{self._url}/new", params={"uri": uri}, json=sent, headers=self._origin()
            )
        if answer.status == 403:
            said = _words(answer)
            if "ratelimit" in said or "too many" in said.lower():
                raise TryLater(f"{self._what} asks us to wait: {said}.", FLOOD)
            raise SkipThis(f"{self._what} refuses it: {said}.")
        expect_posted(answer, self._what, _words(answer))
        return self._sent(_object(answer.body), uri)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our comment on the page, by its words."""
        uri = self._uri_of(reply)
        with reading(self._what):
            answer = await self._http.get(f"{self._url}/", params={"uri": uri, "plain": "1"}, max_bytes=MOST_BYTES)
        waiting = Fields(object_in(expect_read(answer, self._what).body, self._what), "thread", {}).all("replies")
        while waiting:
            one = Fields(waiting.pop(), "comment", {})
            waiting += one.all("replies")
            same = (one.text("text") or "").split() == reply.text.split()
            ours = (one.text("author") or "") == self._settings.author
            if same and ours and created_at(one.value) >= since.timestamp():
                return self._sent(one.value, uri)
        return None

    def _uri_of(self, reply: OutgoingReply) -> str:
        if not reply.in_reply_to.isdigit():
            raise SkipThis("The mention is no comment of this site.")
        uri = _object(reply.raw).get("uri") if reply.raw else reply.thread_id
        if not isinstance(uri, str) or not uri:
            raise SkipThis("It is not known on which page the comment stands.")
        return uri

    def _origin(self) -> dict[str, str]:
        parts = urlsplit(self._settings.site)
        return {"Origin": f"{parts.scheme}://{parts.netloc}"} if parts.netloc else {}

    def _sent(self, one: Mapping[str, Any], uri: str) -> Sent:
        found = Fields(one, "comment", {})
        external_id = found.text("id")
        if external_id is None:
            raise OutcomeUnknown(f"{self._what} took it and answers something that cannot be read.")
        return Sent(
            external_id, from_epoch(found, "created") or clock.now(), link_to(self._settings.site, uri, external_id)
        )


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = parsed(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(answer: Answer) -> str:
    return " ".join(plain_text(answer.body[:2_000].decode("utf-8", "replace")).split())[:200].rstrip(".")


CHANNEL: type[Channel] = Isso
