"""What the venues of Meta share: their Graph API with its errors and its usage, and what is set for them.

Numbers of errors come from Meta's pages on error codes and are not written down there for good: they stand here in one
place. An address of Meta's own stores (fbcdn.net, cdninstagram.com) is signed and ends after a while, and is another at
each reading; a mention therefore carries a lasting address, and the signed one stays in the raw payload.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    ChannelBroken,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    HttpClient,
    OutcomeUnknown,
    OutgoingReply,
    Sent,
    SkipThis,
    TryLater,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.networks.json_api import Fields, moment, object_in, parsed
from shared.kit import clock
from shared.kit.http import LONGEST_WAIT, retry_after

GRAPH = "https://graph.facebook.com"
VERSION = "v25.0"  # versions live for about two years; a setting, so that an old one can be left in time
DEADLINE_S = 20.0
MOST_BYTES = 8_000_000
SCARCE = 10  # hundredths of the quota below which reading slows down
SCARCE_REST = timedelta(minutes=15)
_MILLISECONDS_FROM = 100_000_000_000  # a larger number of seconds lies beyond the year 5000

WAIT = frozenset({4, 17, 32, 341, 613, 130429, 131048, 131056, 133016, *range(80000, 80015)})
"""Too many calls or messages."""
CREDENTIAL = frozenset({0, 3, 10, 102, 104, 190, 131005, *range(200, 300)})
"""The token ended or was withdrawn, or lacks a permission."""
PASSING = frozenset({1, 2, 131000, 131016, 133004})
"""Meta's own trouble."""
GONE_SUBCODE, GONE = 33, frozenset({803})
WINDOW_SUBCODES = frozenset({2018278, 2018065, 2534022})
WINDOW = frozenset({131047})
WITHDRAWN = 12
BROKEN = frozenset({131031, 131042, 131045, 133010})
"""The WhatsApp account is locked, unpaid or not registered."""


class MetaSettings(ChannelSettings):
    """What is set for every venue of Meta."""

    api_base: str = Field(
        default=GRAPH, title="Address of the Graph API", pattern=r"^https?://[^\s/]+$",
        description="https://graph.instagram.com for Instagram Login.",
    )  # fmt: skip
    api_version: str = Field(default=VERSION, title="Version of the Graph API", pattern=r"^v\d{1,3}\.\d{1,2}$")


PageId = Annotated[
    str, Field(title="Id of the page", description="Digits, as the page's settings show them.", pattern=r"^\d{1,32}$")
]
WatchDays = Annotated[
    int,
    Field(
        ge=1, le=365, title="Days for which comments under a post are read back",
        description="Webhooks tell comments under older posts too.",
    ),
]  # fmt: skip


class PageSettings(MetaSettings):
    """Which page: of its comments and of its conversations alike."""

    page_id: PageId


class MetaSecrets(ChannelSecrets):
    """What calls are made with and what webhooks are checked with."""

    access_token: SecretStr | None = Field(default=None, title="Access token", description="A long-lived one.")
    app_secret: SecretStr | None = Field(
        default=None, title="App secret", description="Checks webhooks, and proves each call (appsecret_proof)."
    )
    former_app_secret: SecretStr | None = Field(default=None, title="The app secret before, during a change")
    verify_token: SecretStr | None = Field(
        default=None, title="Verify token", description="The text you enter beside the callback address at Meta."
    )


def when(fields: Fields, name: str) -> datetime | None:
    """A moment as Meta tells it: seconds or milliseconds, as a number or in digits, or ISO 8601."""
    told = fields.value.get(name)
    if told is None:
        return None
    if isinstance(told, str) and not told.isdigit():
        at = moment(told)
    else:
        try:
            number = int(told) if not isinstance(told, bool) else -1
            at = datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)
            at = at if number > 0 else None
        except (TypeError, ValueError, OverflowError, OSError):
            at = None
    if at is None:
        fields.drift[f"{fields.name}.{name}"] = None
    return at


@dataclass(frozen=True, slots=True)
class Read:
    """An answer to a read: what was found, the hundredths of the quota that are left, and the rest it asks for."""

    found: dict[str, Any]
    quota_left: int | None = None
    rest: timedelta | None = None

    def items(self) -> list[Any]:
        """The entries of a list."""
        data = self.found.get("data")
        return data if isinstance(data, list) else []

    def after(self) -> str | None:
        """Where the list goes on; None at its end."""
        return after_of(self.found)


def after_of(listed: Any) -> str | None:
    """Where a list of the Graph API goes on. Its `next` address holds our token and is not used, nor trusted."""
    paging = listed.get("paging") if isinstance(listed, dict) else None
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) and after else None


class Graph:
    """The Graph API with one token."""

    def __init__(self, settings: MetaSettings, secrets: MetaSecrets, http: HttpClient, what: str) -> None:
        self._base = f"{settings.api_base}/{settings.api_version}"
        self._http = http
        self._what = what
        token = secrets.access_token.get_secret_value() if secrets.access_token else ""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._params: dict[str, str] = {}
        if token and secrets.app_secret:
            key = secrets.app_secret.get_secret_value().encode()
            self._params = {"appsecret_proof": hmac.digest(key, token.encode(), hashlib.sha256).hex()}

    async def read(self, path: str, params: Mapping[str, str] | None = None, *, maybe_gone: bool = False) -> Read:
        """Reads an object or a list. Raises ChannelError, and with `maybe_gone` SkipThis where it is not there."""
        with reading(self._what):
            answer = await self._http.get(
                f"{self._base}/{path}", params={**self._params, **(params or {})}, headers=self._headers,
                deadline_s=DEADLINE_S, max_bytes=MOST_BYTES,
            )  # fmt: skip
        error = _error_in(answer)
        if error is not None:
            wrong = _refusal(answer, error, self._what)
            if isinstance(wrong, OutcomeUnknown):
                raise TryLater(str(wrong), retry_after(answer) or SCARCE_REST)
            if isinstance(wrong, SkipThis) and not (maybe_gone and _is_gone(error)):
                raise ChannelBroken(str(wrong))
            raise wrong
        found = object_in(expect_read(answer, self._what).body, self._what)
        return Read(found, *_usage(answer))

    async def write(self, path: str, fields: Mapping[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Posts, or with `method` DELETE deletes. Raises ChannelError; OutcomeUnknown where it may have been done."""
        with replying(self._what):
            answer = await self._http.request(
                method, f"{self._base}/{path}", params=self._params, headers=self._headers,
                json=dict(fields) if method == "POST" else None, deadline_s=DEADLINE_S,
            )  # fmt: skip
        error = _error_in(answer)
        if error is not None:
            raise _refusal(answer, error, self._what)
        expect_posted(answer, self._what)
        try:
            found = parsed(answer.body)
        except ValueError as wrong:
            raise OutcomeUnknown(f"{self._what} answers something that cannot be read.") from wrong
        return found if isinstance(found, dict) else {}

    async def remove(self, path: str) -> None:
        """Deletes; what is gone already is well."""
        try:
            await self.write(path, {}, method="DELETE")
        except _Gone:
            return

    async def set(self, path: str, fields: Mapping[str, Any]) -> None:
        """Sets what is so afterwards however often it is set; an unknown outcome may be tried again."""
        try:
            await self.write(path, fields)
        except OutcomeUnknown as unknown:
            raise TryLater(str(unknown)) from unknown

    async def message(self, path: str, recipient: Mapping[str, str], text: str, **more: Any) -> Sent:
        """Sends a private message by the page's or the account's `messages`."""
        fields = {"recipient": dict(recipient), "message": {"text": text}, **more}
        return sent(await self.write(path, fields), "message_id", self._what)

    async def find_message(self, account: str, platform: str, reply: OutgoingReply, since: datetime) -> Sent | None:
        """A message of ours to the author of what was answered, in the conversation with that person."""
        if not reply.author_external_id:
            raise ChannelBroken(f"{self._what} does not tell whom the message went to; look for it there.")
        found = await self.read(
            f"{account}/conversations",
            {
                "platform": platform, "user_id": reply.author_external_id,
                "fields": "messages.limit(25){id,message,from,created_time}",
            },
        )  # fmt: skip
        for one in found.items():
            listed = one.get("messages") if isinstance(one, dict) else None
            shown = listed.get("data") if isinstance(listed, dict) else None
            if (match := ours_among(shown, account, reply.text, since, "message", "created_time")) is not None:
                return match
        return None


async def page_account(graph: Graph, page_id: str) -> Account:
    """The page whose token it is. Raises ChannelBroken where that is another page."""
    found = Fields((await graph.read("me", {"fields": "id,name,username,link"})).found, "me", {})
    if found.text("id") != page_id:
        raise ChannelBroken(
            f"The token belongs to {found.text('name')} ({found.text('id')}). Enter that page's own token."
        )
    return Account(page_id, found.text("name") or "", found.text("username"), found.link("link"))


def ours_among(
    shown: Any, account: str, text: str, since: datetime, words: str, time: str, handle: str | None = None
) -> Sent | None:
    """Our own writing among what a venue shows: of our account, with these words, at `since` or later."""
    for one in shown if isinstance(shown, list) else []:
        drift: dict[str, None] = {}
        fields = Fields(one, "shown", drift)
        writer, at = fields.inside("from"), when(fields, time)
        named = handle and (writer.text("username") or fields.text("username")) == handle
        ours = (writer.text("id") == account or named) and at is not None and at >= since.replace(microsecond=0)
        same = " ".join((fields.text(words) or "").split()) == " ".join(text.split())
        if ours and at and same and (known := fields.text("id")):
            return Sent(known, at)
    return None


def sent(answer: Mapping[str, Any], id_field: str, what: str, link: str = "") -> Sent:
    """What was taken, by the id in the answer. Raises OutcomeUnknown where there is none."""
    taken = answer.get(id_field)
    if not isinstance(taken, str | int) or isinstance(taken, bool) or not taken:
        raise OutcomeUnknown(f"{what} answers without an id and may have taken it.")
    return Sent(str(taken), clock.now(), f"{link}{taken}" if link else None)


class Withdrawn(ChannelBroken):
    """The version of the Graph API that is called has it no more."""


class _Gone(SkipThis):
    """The thing itself is not there any more, or never was for us."""


def _error_in(answer: Answer) -> Fields | None:
    try:
        found = parsed(answer.body)
    except ValueError:
        return None
    error = found.get("error") if isinstance(found, dict) else None
    return Fields(error, "error", {}) if isinstance(error, dict) else None


def _is_gone(error: Fields) -> bool:
    return error.count("code") in GONE or (error.count("code") == 100 and error.count("error_subcode") == GONE_SUBCODE)


def _refusal(answer: Answer, error: Fields, what: str) -> ChannelError:
    """What an error of the Graph API means. Its code tells more than its status, which is nearly always 400."""
    code, subcode = error.count("code"), error.count("error_subcode")
    said = (error.text("error_user_msg") or error.text("message") or "it does not say why")[:300].rstrip(".")
    told = f"{what} refuses it ({answer.status}, code {code}): {said}."
    if code in WINDOW or subcode in WINDOW_SUBCODES:
        return SkipThis(f"{what} takes no answer any more: the time in which it takes one is over ({said}).")
    if code in WAIT or answer.status == 429:
        asked = retry_after(answer) or _usage(answer)[1] or SCARCE_REST
        return TryLater(f"{what} asks us to wait (code {code}): {said}.", asked)
    if code in CREDENTIAL or answer.status == 401:
        return AskForNewCredential(f"{what} refuses our token (code {code}): {said}. Enter one with the permissions.")
    if code == WITHDRAWN:
        return Withdrawn(told)
    if code in BROKEN:
        return ChannelBroken(told)
    if code in PASSING or answer.status >= 500 or error.value.get("is_transient") is True:
        return OutcomeUnknown(f"{what} has trouble of its own (code {code}): {said}.")
    return _Gone(told) if _is_gone(error) else SkipThis(told)


def _usage(answer: Answer) -> tuple[int | None, timedelta | None]:
    """How many hundredths of the quota are left, and the rest that this asks for, by the usage headers."""
    used: list[int] = []
    minutes = 0
    for name in ("x-app-usage", "x-business-use-case-usage", "x-page-usage"):
        try:
            told = parsed(answer.headers.get(name, "").encode() or b"{}")
        except ValueError:
            continue
        kinds = [told] if name != "x-business-use-case-usage" else [
            one for listed in (told.values() if isinstance(told, dict) else ()) if isinstance(listed, list) for one in listed
        ]  # fmt: skip
        for kind in kinds:
            fields = Fields(kind, "usage", {})
            used += [
                fields.count(part) or 0
                for part in ("call_count", "total_time", "total_cputime")
                if part in fields.value
            ]
            minutes = max(minutes, fields.count("estimated_time_to_regain_access") or 0)
    if not used:
        return None, None
    left = max(0, 100 - max(used))
    rest = timedelta(minutes=min(minutes, 1440)) if minutes else SCARCE_REST if left < SCARCE else None
    return left, rest and min(rest, LONGEST_WAIT)
