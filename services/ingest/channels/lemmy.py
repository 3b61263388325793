"""Lemmy: posts and comments that match a search, or all of one community, as one instance sees them. Answered where a token is set.

Both lists give the newest first, in numbered pages; each is walked back to what was read before, with some hours of
overlap, because other instances pass on late. What is marked as deleted or removed meanwhile becomes a deletion.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    Gap,
    HttpClient,
    Idempotency,
    Length,
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
from services.ingest.networks.items import payload_in
from services.ingest.networks.json_api import Fields, expect_json, moment, object_in, quota_left, said_in, until_reset
from services.ingest.networks.lemmy_views import LISTS, handle_of, page_of, published_at, sent_as
from services.ingest.networks.walks import Walk
from shared.kit import clock

PAGE_SIZE = 50  # the most that the API gives
LAG = timedelta(hours=6)
POLL_AFTER = timedelta(minutes=5)
MOST_PAGES = 100
LONGEST_COMMENT = 10_000  # general knowledge: the default of Lemmy 0.19
MOST_BYTES = 8_000_000
_NO_TOKEN = frozenset({"not_logged_in", "incorrect_login", "deleted", "site_ban"})


class LemmySettings(ChannelSettings):
    """Which instance, and what to listen for there."""

    instance: str = Field(
        default="https://lemmy.world", title="Address of the instance", pattern=r"^https?://\S+[^/\s]$", max_length=300
    )
    query: str | None = Field(default=None, title="Words to search for", min_length=3, max_length=300)
    community: str | None = Field(
        default=None,
        title="Community",
        description="name or name@instance: all of its posts and comments; with words, only those that match.",
        pattern=r"^[\w.-]+(@[\w.-]+)?$",
    )
    account: str | None = Field(
        default=None,
        title="Our own account",
        description="Its address, such as https://lemmy.world/u/brand: what it writes is no mention.",
        pattern=r"^https?://\S+$",
    )
    days_back: int = Field(default=7, ge=0, le=3_650, title="Days of history to read at the start")

    @model_validator(mode="after")
    def _listens_for_something(self) -> Self:
        if not self.query and not self.community:
            raise ValueError("set query, community or both")
        return self


class LemmySecrets(ChannelSecrets):
    """Only for answering."""

    token: SecretStr | None = Field(
        default=None,
        title="Token",
        description="The jwt that the instance gives at login. Without it nothing is written.",
    )


class Lemmy:
    """One instance."""

    title: ClassVar[str] = "Lemmy"
    Settings: ClassVar[type[ChannelSettings]] = LemmySettings
    Secrets: ClassVar[type[ChannelSecrets]] = LemmySecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(60, 600)  # general knowledge: what an instance grants for searching by default
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(lengths=(Length(limit=LONGEST_COMMENT),)))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = LemmySettings.model_validate(settings)
        token = LemmySecrets.model_validate(secrets).token
        self._headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._api = f"{known.instance}/api/v3"
        self._what = f"Lemmy at {urlsplit(known.instance).netloc}"
        self._http = http
        if not token:
            self.reply_rules = ReplyRules()

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """An answer of search, post/list or comment/list as mentions."""
        return page_of(payload_in(body), at)

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of posts or comments, in turn."""
        now = clock.now()
        walk = Walk.of(cursor, LISTS)
        floor = walk.floor(moment(walk.until), timedelta(days=self._settings.days_back), LAG)
        number = int(walk.token or "1")
        path, params = self._listing(walk.turn, number)
        told, quota = await self._get(path, params)
        read = page_of(told, now)
        shown = told.get(walk.turn)
        times = [at for one in shown if (at := published_at(one, walk.turn[:-1]))] if isinstance(shown, list) else []
        goes_on = isinstance(shown, list) and len(shown) >= PAGE_SIZE and bool(times) and min(times) >= floor
        gaps: tuple[Gap, ...] = ()
        if goes_on and number >= MOST_PAGES:
            goes_on = False
            gaps = (Gap(floor, min(times), f"{self._what} gives no more than {MOST_PAGES} pages of {walk.turn}."),)
        newest = max((at for at in times if at <= now), default=None)
        more = walk.step(str(number + 1) if goes_on else None, clock.iso(newest) if newest else None)
        return Page(
            read.mentions, walk.cursor(), more, read.skipped, None if more else POLL_AFTER, quota,
            gaps=gaps, gone_accounts=read.gone_accounts, drift=read.drift,
        )  # fmt: skip

    def own_accounts(self) -> frozenset[str]:
        """As set."""
        return frozenset({self._settings.account} if self._settings.account else ())

    async def account(self) -> Account:
        """Whose token it is; without one, which instance answers."""
        told, _ = await self._get("site", {})
        site = Fields(told, "site", {})
        person = site.inside("my_user").inside("local_user_view").inside("person")
        if person:
            address = person.text("actor_id") or ""
            return Account(
                address, person.text("display_name") or person.text("name") or address, handle_of(person), address
            )
        if self._headers:
            raise AskForNewCredential(f"{self._what} does not know our token. Enter a new one.")
        return Account(self._settings.instance, site.inside("site_view").inside("site").text("name") or self._what)

    def idempotency(self) -> Idempotency:
        """The instance knows no token of a comment, but shows what stands there."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Comments below the post or comment."""
        post_id, parent_id = await self._resolve(reply.in_reply_to)
        body: dict[str, Any] = {"content": reply.text, "post_id": post_id}
        if parent_id is not None:
            body["parent_id"] = parent_id
        answer = await self._post("comment", body)
        try:
            told = object_in(answer.body, self._what)
        except ChannelError:  # it was taken, whatever it says
            told = {}
        sent = sent_as(Fields(told, "answer", {}).inside("comment_view"))
        if sent is None:
            raise OutcomeUnknown(f"{self._what} answers something that cannot be read.")
        return sent

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our comment among the newest below what was answered."""
        me = (await self.account()).external_id
        post_id, parent_id = await self._resolve(reply.in_reply_to)
        params = {"post_id": str(post_id), "sort": "New", "limit": str(PAGE_SIZE), "type_": "All"}
        if parent_id is not None:
            params["parent_id"] = str(parent_id)
        told, _ = await self._get("comment/list", params)
        for one in Fields(told, "page", {}).each("comments"):
            sent, writer = sent_as(one), one.inside("creator").text("actor_id")
            said = (one.inside("comment").text("content") or "").strip()
            if sent and writer == me and said == reply.text.strip() and sent.sent_at >= since:
                return sent
        return None

    async def delete_reply(self, post: Post) -> None:
        """Takes our comment away."""
        try:
            _, comment_id = await self._resolve(post.external_id)
        except SkipThis:
            return
        await self._post("comment/delete", {"comment_id": comment_id, "deleted": True})

    async def report(self, post: Post, reason: str) -> None:
        """Tells the moderators."""
        post_id, comment_id = await self._resolve(post.external_id)
        if comment_id is not None:
            await self._post("comment/report", {"comment_id": comment_id, "reason": reason})
        else:
            await self._post("post/report", {"post_id": post_id, "reason": reason})

    # ------------------------------------------------------------ the API

    def _listing(self, turn: str, number: int) -> tuple[str, dict[str, str]]:
        params = {"sort": "New", "limit": str(PAGE_SIZE), "page": str(number)}
        if self._settings.community:
            params["community_name"] = self._settings.community
        if self._settings.query:
            return "search", {**params, "q": self._settings.query, "type_": turn.title(), "listing_type": "All"}
        return f"{turn[:-1]}/list", {**params, "type_": "All"}

    async def _get(self, path: str, params: Mapping[str, str]) -> tuple[dict[str, Any], int | None]:
        with reading(self._what):
            answer = await self._http.get(
                f"{self._api}/{path}", params=params, headers=self._headers, max_bytes=MOST_BYTES
            )
        self._refuse(answer)
        return expect_json(answer, self._what), quota_left(answer)

    async def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        if not self._headers:
            raise AskForNewCredential("Without a token nothing is written at Lemmy. Enter one as a secret.")
        with replying(self._what):
            answer = await self._http.request("POST", f"{self._api}/{path}", json=body, headers=self._headers)
        self._refuse(answer)
        return expect_posted(answer, self._what, said_in(answer, "error"))

    def _refuse(self, answer: Answer) -> None:
        """The API says with 400 what others say with 401 and 429."""
        error = said_in(answer, "error") if answer.status in (400, 401) else ""
        if error == "rate_limit_error":
            raise TryLater(f"{self._what} asks us to wait.", until_reset(answer) or timedelta(minutes=10))
        if error in _NO_TOKEN:
            raise AskForNewCredential(f"{self._what} refuses our token ({error}). Enter a new one.")

    async def _resolve(self, address: str) -> tuple[int, int | None]:
        """The instance's own numbers of a post, or of a comment and its post. Raises SkipThis where it is gone."""
        if not self._headers:
            raise AskForNewCredential("Without a token nothing is written at Lemmy. Enter one as a secret.")
        with reading(self._what):
            answer = await self._http.get(f"{self._api}/resolve_object", params={"q": address}, headers=self._headers)
        self._refuse(answer)
        if answer.status in (400, 404):
            raise SkipThis(f"{self._what} does not have this post any more.")
        found = Fields(expect_json(answer, self._what), "object", {})
        comment = found.inside("comment").inside("comment")
        post_id = comment.count("post_id") if comment else found.inside("post").inside("post").count("id")
        if post_id is None:
            raise SkipThis(f"{self._what} knows this as neither a post nor a comment.")
        return post_id, comment.count("id") if comment else None


CHANNEL: type[Channel] = Lemmy
