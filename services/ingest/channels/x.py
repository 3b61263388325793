"""X: posts that name our account, and posts that hold our words; by timeline, search, stream and webhook. Answered when named.

Reading and answering cost money by the post: each page and each reply tells what it cost, and a monthly budget ends it. X lets
programs answer only those who named or quoted our account. What is read is checked against X's compliance jobs.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    Gap,
    HookAnswer,
    HttpClient,
    Idempotency,
    Length,
    OutgoingReply,
    Pace,
    Page,
    Post,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    expect_read,
    reading,
)
from services.ingest.networks import x_hooks
from services.ingest.networks.json_api import Fields, object_in, quota_left
from services.ingest.networks.walks import Walk
from services.ingest.networks.x_api import FIELDS, OWNED_READ, POST_READ, Api, Keys
from services.ingest.networks.x_posts import Gathered, id_at, newest, time_of
from services.ingest.networks.x_stream import heard, keep_rules
from services.ingest.networks.x_upkeep import Upkeep
from services.ingest.networks.x_writing import Writing
from shared.kit import clock

LAG = timedelta(minutes=2)  # how late search may show a post; reading it again that day costs nothing
SEARCHED_BACK = timedelta(days=7) - timedelta(minutes=5)
PAGE_SIZE = 100
LONGEST_QUERY = 512
HELD = 1_000
PAUSE = timedelta(seconds=60)
SILENCE_S = 30.0  # a stream says something every 20 seconds
_MENTIONS, _UPKEEP = "mentions", "upkeep"


class XSettings(ChannelSettings):
    """Whom and what to listen to, and what it may cost."""

    user_id: str = Field(
        default="", title="Id of our account", description="A number; `check` shows it.", pattern=r"^[0-9]{0,19}$"
    )
    handle: str = Field(default="", title="Our handle", description="As AcmeTel.", max_length=50)
    queries: tuple[str, ...] = Field(
        default=(),
        title="What to search for",
        description="In X's own query language, 512 characters each.",
        max_length=20,
    )
    stream: bool = Field(
        default=False, title="Hear queries by stream", description="At once instead of by the minute; one for each app."
    )
    hours_back: int = Field(default=1, ge=0, le=167, title="Hours to read back at the very first")
    monthly_budget_usd: float | None = Field(
        default=None, ge=0, title="Budget a month in US dollars", description="Unset: nothing ends it."
    )
    compliance: bool = Field(
        default=True,
        title="Check daily what was deleted",
        description="By compliance jobs; X demands that deletions are honoured.",
    )
    api_base: str = Field(
        default="https://api.x.com", title="Address of the API", pattern=r"^https?://\S+$", max_length=300
    )


class XSecrets(ChannelSecrets):
    """An app's credentials, and our account's in it."""

    bearer_token: SecretStr | None = Field(
        default=None, title="Bearer token", description="Of the app: for search, stream and compliance.", max_length=500
    )
    consumer_key: SecretStr | None = Field(default=None, title="API key", description="Of the app.", max_length=200)
    consumer_secret: SecretStr | None = Field(
        default=None, title="API key secret", description="Of the app; webhooks are signed with it.", max_length=200
    )
    former_consumer_secret: SecretStr | None = Field(
        default=None, title="The API key secret before, during a change", max_length=200
    )
    access_token: SecretStr | None = Field(
        default=None,
        title="Access token",
        description="Of our account, made with read and write permissions.",
        max_length=200,
    )
    access_token_secret: SecretStr | None = Field(
        default=None, title="Access token secret", description="Of our account.", max_length=200
    )


class X:
    """One account, or what everybody says."""

    title: ClassVar[str] = "X"
    Settings: ClassVar[type[ChannelSettings]] = XSettings
    Secrets: ClassVar[type[ChannelSecrets]] = XSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(calls=400, per_s=900)  # of the 450 searches that an app is granted
    display_rules: ClassVar[DisplayRules] = DisplayRules(
        attribution="The author's name and @handle, X's logo, the words unchanged, and the time as a link to the post.",
        recheck_days=1,
        delete_on_request=True,
    )
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(
            lengths=(Length(limit=280, counted_as="x_weighted", url_weight=23),),
            threads=True,
            requires=("addressed_to_us",),
        ),
        private=ReplyWay(lengths=(Length(limit=10_000),), requires=("author_known",)),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = XSettings.model_validate(settings)
        hidden = XSecrets.model_validate(secrets)
        told = {name: value.get_secret_value() for name, value in hidden if value is not None}
        keys = Keys(
            told.get("bearer_token", ""),
            told.get("consumer_key", ""),
            told.get("consumer_secret", ""),
            told.get("access_token", ""),
            told.get("access_token_secret", ""),
        )
        self._hook_secrets = [told[one] for one in ("consumer_secret", "former_consumer_secret") if told.get(one)]
        self._api = Api(known.api_base, keys, http)
        self._writing = Writing(self._api, known.user_id)

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """What search or a timeline answers, a line of a stream, or an activity event."""
        whole, gathered = object_in(body, "X"), Gathered()
        data = whole.get("data")
        if isinstance(data, dict) and "event_type" in data:
            gathered.take_event(Fields(data, "event", gathered.drift), at)
        else:
            gathered.take(data if isinstance(data, list) else [data], whole.get("includes"), at)
        return gathered.page({})

    async def page(self, cursor: Cursor | None) -> Page:
        """One page of one of the lists: who named us, each query, and once a day what was deleted."""
        lists = self._lists()
        walk = Walk.of(cursor, [*lists, _UPKEEP] if lists and self._settings.compliance else lists)
        if not walk.turn:
            raise ChannelBroken("Nothing is asked of X. Enter the id of our account, or a query.")
        if walk.turn == _UPKEEP:
            page = await Upkeep(self._api).turn(cursor or {})
            walk.step(None, None)
            return Page(page.mentions, {**page.cursor, **walk.cursor()}, poll_after=PAUSE)
        return await self._read(walk, cursor or {})

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was published at `since` or later; X searches seven days back."""
        lists = self._lists()
        if not lists:
            return Page()
        begun = {"walk": {"read": dict.fromkeys(lists, id_at(since + LAG))}}
        return await self._read(Walk.of(cursor or begun, lists), cursor or begun)

    async def _read(self, walk: Walk, cursor: Cursor) -> Page:
        now, ours = clock.now(), walk.turn == _MENTIONS
        mark = time_of(walk.until or "")
        since = walk.floor(mark, timedelta(hours=self._settings.hours_back), LAG)
        gaps: tuple[Gap, ...] = ()
        if not ours and since < now - SEARCHED_BACK:
            # what was found is older than that where nothing was said since: then nothing was missed
            read_to = walk.since or mark
            if walk.token is None and read_to and read_to - LAG < now - SEARCHED_BACK:
                gaps = (Gap(read_to - LAG, now - SEARCHED_BACK, "X searches only seven days back."),)
            since = now - SEARCHED_BACK
        params = [*FIELDS.items(), ("max_results", str(PAGE_SIZE)), ("start_time", f"{since:%Y-%m-%dT%H:%M:%SZ}")]
        if ours:
            path, token = f"/2/users/{self._settings.user_id}/mentions", "pagination_token"
        else:
            path, token = "/2/tweets/search/recent", "next_token"
            params += [("query", walk.turn.partition(":")[2]), ("sort_order", "recency")]
        params += [(token, walk.token)] if walk.token else []
        answer, told = await self._api.read(path, params, as_user=ours)
        gathered, posts = Gathered(self.own_accounts()), told.get("data")
        gathered.take(posts if isinstance(posts, list) else [], told.get("includes"), now, to_us=ours)
        further = Fields(told.get("meta"), "meta", gathered.drift).text("next_token")
        paid = sum(1 for one in gathered.ids if walk.until is None or newest([one, walk.until]) != walk.until)
        price = OWNED_READ if ours and self._api.keys.can_sign else POST_READ
        more = walk.step(further if further != walk.token else None, newest(gathered.ids))
        held = list(dict.fromkeys([*(cursor.get("held") or ()), *(one.external_id for one in gathered.mentions)]))[
            -HELD:
        ]
        return gathered.page(
            {**cursor, **walk.cursor(), "held": held}, has_more=more, poll_after=PAUSE, quota_left=quota_left(answer),
            cost=paid * price, gaps=gaps,
        )  # fmt: skip

    def streaming(self) -> bool:
        """Whether it is set to hear the filtered stream."""
        return self._settings.stream and bool(self._settings.queries)

    async def stream(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """What the filtered stream tells. Ends at once where it is not asked for."""
        if not self.streaming():
            return
        await keep_rules(self._api, self._settings.queries, self._settings.user_id or self._settings.handle)
        with reading(self._api.what):
            async with self._api.stream("/2/tweets/search/stream", list(FIELDS.items()), SILENCE_S) as answer:
                expect_read(answer.head, self._api.what)
                yield Page(cursor=cursor or {})
                async for page in heard(answer, cursor or {}, self.own_accounts()):
                    yield page

    def _lists(self) -> list[str]:
        for query in self._settings.queries:
            if len(query) > LONGEST_QUERY:
                raise ChannelBroken(f"A query is longer than X takes ({LONGEST_QUERY} characters). Shorten it.")
        named = [_MENTIONS] if self._settings.user_id else []
        return [*named, *(f"search:{query}" for query in self._settings.queries)]

    # ---------------------------------------------------------------- webhooks

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """The answer to X's hourly challenge."""
        return x_hooks.answer_hook(push, self._hook_secrets)

    def verify(self, push: Push, at: datetime) -> str:
        """The event's id, once its signature is right."""
        return x_hooks.verify(push, self._hook_secrets)

    def read_push(self, push: Push, at: datetime) -> Page:
        """The activity events in a delivery."""
        return x_hooks.read_push(push, at, self._settings.user_id)

    # ---------------------------------------------------------------- who we are

    def own_accounts(self) -> frozenset[str]:
        """The id and handle of our account."""
        handle = self._settings.handle.strip().removeprefix("@").lower()
        return frozenset(one for one in (self._settings.user_id, handle) if one)

    async def account(self) -> Account:
        """Whom the access token belongs to."""
        _, told = await self._api.read("/2/users/me", [("user.fields", "username,name")], as_user=True)
        user = Fields(told.get("data"), "user", {})
        handle = user.text("username")
        return Account(user.text("id") or "", user.text("name") or "", handle, f"https://x.com/{handle}")

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """X takes no key of ours, and shows our own posts at once."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts under the post."""
        return await self._writing.reply(reply)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Sends a direct message."""
        return await self._writing.message(reply)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our post under the post, or our direct message, with the same words."""
        return await (self._writing.find_message(reply, since) if private else self._writing.find(reply, since))

    async def delete_reply(self, post: Post) -> None:
        """Deletes a post of ours."""
        await self._writing.delete(post)

    async def hide(self, post: Post) -> None:
        """Hides an answer under a post of ours."""
        await self._writing.hide(post, hidden=True)

    async def unhide(self, post: Post) -> None:
        """Shows it again."""
        await self._writing.hide(post, hidden=False)


CHANNEL: type[Channel] = X
