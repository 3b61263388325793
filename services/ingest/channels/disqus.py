"""Disqus: comments under the pages of a site. Read with a public key; answered and moderated in the name of a moderator.

The oldest come first from where reading stands, with some hours of overlap, in which edits are noticed, and deletions where a
moderator's token is set. An error is a code in the answer, whatever its status.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelBroken,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    OutcomeUnknown,
    OutgoingReply,
    Pace,
    Page,
    Post,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    TryLater,
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks.disqus_posts import posts_in, sent_as
from services.ingest.networks.items import payload_in, place_in
from services.ingest.networks.json_api import Fields, expect_json, parsed, quota_left, until_reset
from shared.kit import clock
from shared.rules.plain_text import plain_text

API = "https://disqus.com/api/3.0"
PAGE_SIZE = 100
LAG = timedelta(hours=3)
POLL_AFTER = timedelta(minutes=2)
AN_HOUR = timedelta(hours=1)  # general knowledge: 1,000 requests an hour are granted
MOST_BYTES = 8_000_000
_WHAT = "Disqus"
_NO_RIGHT = frozenset({4, 5, 9, 11, 12, 17, 18})  # general knowledge: keys, tokens, rights
_TOO_MANY = frozenset({13, 14})
_AWAY = frozenset({15, 16})
_NOT_THERE = 8
_INAPPROPRIATE = "2"
_REASONS = (("harass", "0"), ("spam", "1"), ("threat", "3"), ("imperson", "4"), ("private", "5"), ("personal", "5"))
"""What a reason is about, by words in it, as the documentation of posts/report numbers them."""


class DisqusSettings(ChannelSettings):
    """Which site."""

    forum: str = Field(title="Forum", description="The site's short name at Disqus.", pattern=r"^[A-Za-z0-9_-]{1,100}$")
    hide_as: Literal["spam", "remove"] = Field(
        default="spam",
        title="What hiding does",
        description="spam: marks it as spam. remove: deletes it; both can be undone.",
    )
    days_back: int = Field(default=7, ge=0, le=3_650, title="Days of history to read at the start")
    api_base: str = Field(default=API, title="Address of the API", pattern=r"^https?://\S+[^/\s]$")


class DisqusSecrets(ChannelSecrets):
    """A registered application, and a moderator's token."""

    api_key: SecretStr = Field(title="API key", description="The application's public key.")
    api_secret: SecretStr | None = Field(default=None, title="API secret", description="The application's secret key.")
    access_token: SecretStr | None = Field(
        default=None, title="Access token", description="Of a moderator of the forum; without it nothing is written."
    )


class Disqus:
    """The comments of one forum."""

    title: ClassVar[str] = "Disqus"
    Settings: ClassVar[type[ChannelSettings]] = DisqusSettings
    Secrets: ClassVar[type[ChannelSecrets]] = DisqusSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(1_000, 3_600)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(moderated=True))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = DisqusSettings.model_validate(settings)
        self._secrets = known = DisqusSecrets.model_validate(secrets)
        self._http = http
        self._moderates = known.api_secret is not None and known.access_token is not None
        if not self._moderates:
            self.reply_rules = ReplyRules()

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """An answer of posts/list as mentions."""
        return Page(**posts_in(payload_in(body), at).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of comments, the oldest first."""
        held, now = dict(cursor or {}), clock.now()
        since = held.get("since")
        begins = now - timedelta(days=self._settings.days_back)
        floor = held.get("floor", int(begins.timestamp()) if since is None else since - int(LAG.total_seconds()))
        params = [
            ("forum", self._settings.forum),
            ("since", str(floor)),
            ("order", "asc"),
            ("limit", str(PAGE_SIZE)),
            ("related", "thread"),
        ]
        if self._moderates:
            params += [("include", state) for state in ("approved", "unapproved", "deleted")]
        if held.get("next"):
            params.append(("cursor", held["next"]))
        told, answer = await self._get("posts/list", params)
        read = posts_in(told, now)
        place = Fields(told, "page", read.drift).inside("cursor")
        times = [int(one.published_at.timestamp()) for one in read.mentions]
        newest = max([held.get("newest", since or floor), *times])
        further = place_in(place, "next") if place.flag("hasNext") else None
        if further and further != held.get("next"):
            on = {**held, "floor": floor, "next": further, "newest": newest}
            return Page(cursor=on, has_more=True, quota_left=quota_left(answer), **read.told())
        return Page(cursor={"since": newest}, poll_after=POLL_AFTER, quota_left=quota_left(answer), **read.told())

    async def account(self) -> Account:
        """Whose token it is; without one, the forum."""
        if self._moderates:
            told, _ = await self._get("users/details", [])
            user = Fields(told, "page", {}).inside("response")
            number, name = user.text("id") or "", user.text("username")
            return Account(number, user.text("name") or name or number, name, user.link("profileUrl"))
        told, _ = await self._get("forums/details", [("forum", self._settings.forum)])
        forum = Fields(told, "page", {}).inside("response")
        return Account(self._settings.forum, forum.text("name") or self._settings.forum, None, forum.link("url"))

    def idempotency(self) -> Idempotency:
        """Disqus knows no token of a comment, but shows what stands there."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Comments below the comment."""
        told = await self._form("posts/create", {"parent": _number(reply.in_reply_to), "message": reply.text})
        sent = sent_as(told.inside("response"))
        if sent is None:
            raise OutcomeUnknown(f"{_WHAT} answers something that cannot be read.")
        return sent

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our comment among the newest of the thread."""
        me = (await self.account()).external_id
        thread = reply.thread_id or await self._thread_of(reply.in_reply_to)
        params = [("thread", thread), ("order", "desc"), ("limit", str(PAGE_SIZE)), ("related", "thread")]
        told, _ = await self._get("posts/list", [*params, ("include", "approved"), ("include", "unapproved")])
        for one in Fields(told, "page", {}).each("response"):
            sent = sent_as(one)
            ours = one.inside("author").text("id") == me and one.text("parent") == reply.in_reply_to
            said = one.text("raw_message") or plain_text(one.text("message") or "")
            if sent and ours and said.split() == reply.text.split() and sent.sent_at >= since.replace(microsecond=0):
                return sent
        return None

    async def delete_reply(self, post: Post) -> None:
        """Takes our comment away."""
        try:
            await self._form("posts/remove", {"post": _number(post.external_id)})
        except NotThere:
            return

    async def hide(self, post: Post) -> None:
        """Marks it as spam, or removes it, as set."""
        await self._form(f"posts/{self._settings.hide_as}", {"post": _number(post.external_id)})

    async def unhide(self, post: Post) -> None:
        """Approves or restores it."""
        verb = "approve" if self._settings.hide_as == "spam" else "restore"
        await self._form(f"posts/{verb}", {"post": _number(post.external_id)})

    async def report(self, post: Post, reason: str) -> None:
        """Flags it for the moderators. Of the reason Disqus takes only a number."""
        said = reason.casefold()
        number = next((number for word, number in _REASONS if word in said), _INAPPROPRIATE)
        await self._form("posts/report", {"post": _number(post.external_id), "reason": number})

    # ------------------------------------------------------------ the API

    async def _thread_of(self, post: str) -> str:
        told, _ = await self._get("posts/details", [("post", _number(post))])
        thread = place_in(Fields(told, "page", {}).inside("response"), "thread")
        if thread is None:
            raise TryLater(f"{_WHAT} does not say where the comment stands.")
        return thread

    async def _get(self, path: str, params: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], Answer]:
        pairs = [("api_key", self._secrets.api_key.get_secret_value()), *params]
        if self._secrets.access_token is not None:
            pairs.append(("access_token", self._secrets.access_token.get_secret_value()))
        with reading(_WHAT):
            answer = await self._http.get(
                f"{self._settings.api_base}/{path}.json?{urlencode(pairs)}", max_bytes=MOST_BYTES
            )
        _refuse(answer)
        return expect_json(answer, _WHAT), answer

    async def _form(self, path: str, form: Mapping[str, str]) -> Fields:
        secret, token = self._secrets.api_secret, self._secrets.access_token
        if secret is None or token is None:
            raise AskForNewCredential("Disqus needs api_secret and access_token to write. Enter them as secrets.")
        signed = {
            **form,
            "api_key": self._secrets.api_key.get_secret_value(),
            "api_secret": secret.get_secret_value(),
            "access_token": token.get_secret_value(),
        }
        with replying(_WHAT):
            answer = await self._http.request(
                "POST",
                f"{self._settings.api_base}/{path}.json",
                content=urlencode(signed).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        _refuse(answer, posting=True)
        expect_posted(answer, _WHAT)
        return _told(answer)


class NotThere(SkipThis):
    """The comment is not there any more."""


def _number(external_id: str) -> str:
    if not (external_id.isascii() and external_id.isdigit()):
        raise SkipThis("This is no comment of Disqus.")
    return external_id


def _told(answer: Answer) -> Fields:
    try:
        return Fields(parsed(answer.body), "answer", {})
    except ValueError:
        return Fields(None, "answer", {})


def _code(answer: Answer) -> tuple[int, str]:
    """The code of an answer (0: good), and what it says."""
    told = _told(answer)
    return told.count("code") or 0, (told.text("response") or "no reason given")[:300].rstrip(".") if told.count(
        "code"
    ) else ""


def _refuse(answer: Answer, *, posting: bool = False) -> None:
    """Raises what the code of an answer means."""
    code, said = _code(answer)
    refused: ChannelError | None = None
    if code in _NO_RIGHT:
        refused = AskForNewCredential(f"{_WHAT} refuses our credential: {said}.")
    elif code in _TOO_MANY:
        refused = TryLater(f"{_WHAT} asks us to wait: {said}.", until_reset(answer) or AN_HOUR)
    elif code in _AWAY:
        refused = (OutcomeUnknown if posting else TryLater)(f"{_WHAT} answers: {said}.")
    elif code == _NOT_THERE and posting:
        refused = NotThere(f"{_WHAT} does not have it: {said}.")
    elif code:
        refused = (SkipThis if posting else ChannelBroken)(f"{_WHAT} does not take it: {said}.")
    if refused is not None:
        raise refused


CHANNEL: type[Channel] = Disqus
