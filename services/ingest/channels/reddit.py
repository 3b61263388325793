"""Reddit: posts and comments that match, and what names us; off until Reddit has approved the use. Answered in public and privately.

Since November 2025 a program needs Reddit's approval; so nothing is asked before `approved` says that it was given. A request a
second. Every hour it is asked whether what was found in the last two days still stands, because what its author deleted,
or a moderator removed, must not be kept.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.ingest.channel import (
    Account,
    Answer,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
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
)
from services.ingest.networks.items import from_epoch, payload_in, tombstone
from services.ingest.networks.json_api import Fields, expect_json, said_in
from services.ingest.networks.reddit_api import RedditApi, header_number
from services.ingest.networks.reddit_things import Listing, check_thing, listing_in, watch
from services.ingest.networks.walks import Walk
from shared.kit import clock

API = "https://oauth.reddit.com"
TOKEN_URL = "https://www.reddit.com/api/v1/access_token"  # noqa: S105  # an address
PAGE_SIZE = 100
LAG = timedelta(minutes=15)
POLL_AFTER = timedelta(minutes=2)
DEEPEST = 900  # a listing goes about 1,000 things back
LOOK_EVERY_S = 3_600
LONGEST = 10_000
_WHAT = "Reddit"
_NAME = r"^[A-Za-z0-9_-]{2,30}$"
_SPANS = ((86_400, "day"), (604_800, "week"), (2_678_400, "month"), (31_536_000, "year"))


class RedditSettings(ChannelSettings):
    """Whether Reddit approved, who we are, and what to listen for."""

    approved: bool = Field(
        default=False,
        title="Reddit has approved this use",
        description="Reddit's Responsible Builder Policy wants an approval before a program reads. Until then nothing is asked.",
    )
    account: str = Field(title="Our account", description="Its name, without u/.", pattern=_NAME)
    query: str | None = Field(default=None, title="Words to search for", max_length=500)
    subreddits: tuple[str, ...] = Field(
        default=(), title="Subreddits", description="Names without r/: all of their posts and comments.", max_length=50
    )
    mentions: bool = Field(default=False, title="Read what names our account", description="Needs the refresh token.")
    days_back: int = Field(default=2, ge=0, le=365, title="Days of history to read at the start")
    api_base: str = Field(default=API, title="Address of the API", pattern=r"^https?://\S+[^/\s]$")
    token_url: str = Field(default=TOKEN_URL, title="Address of the sign-in", pattern=r"^https?://\S+$")

    @model_validator(mode="after")
    def _listens_for_something(self) -> Self:
        if not self.query and not self.subreddits and not self.mentions:
            raise ValueError("set query, subreddits or mentions")
        if not all(re.fullmatch(_NAME, one) for one in self.subreddits):
            raise ValueError("subreddits are names without r/")
        return self


class RedditSecrets(ChannelSecrets):
    """An approved app, and what our account's consent gave."""

    client_id: SecretStr = Field(title="App's id", description="Shown under the app's name.")
    client_secret: SecretStr = Field(title="App's secret", description="That app's secret.")
    refresh_token: SecretStr | None = Field(
        default=None, title="Refresh token", description="Of our account; without it nothing is written."
    )


class Reddit:
    """One search, some subreddits, or what names us."""

    title: ClassVar[str] = "Reddit"
    Settings: ClassVar[type[ChannelSettings]] = RedditSettings
    Secrets: ClassVar[type[ChannelSecrets]] = RedditSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(1, 1)  # 100 a minute are granted
    display_rules: ClassVar[DisplayRules] = DisplayRules(
        attribution="The author's name and a link to the post at Reddit.", recheck_days=2, delete_on_request=True
    )
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST),)),
        private=ReplyWay(lengths=(Length(limit=LONGEST),), requires=("author_known",)),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = RedditSettings.model_validate(settings)
        self._secrets = RedditSecrets.model_validate(secrets)
        refresh = self._secrets.refresh_token
        self._api = RedditApi(
            http,
            known.approved,
            known.api_base,
            known.token_url,
            f"server:webcare:1 (by /u/{known.account})",
            (self._secrets.client_id.get_secret_value(), self._secrets.client_secret.get_secret_value()),
            refresh.get_secret_value() if refresh else None,
        )
        if refresh is None:
            self.reply_rules = ReplyRules()

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A listing as mentions."""
        return Page(**listing_in(payload_in(body), at).items.told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of a listing; then, at times, a look at what may be gone."""
        held, now = dict(cursor or {}), clock.now()
        if held.get("look"):
            return await self._look(held)
        walk = Walk.of(held, self._sources())
        until = _at(int(walk.until)) if walk.until else None
        floor = walk.floor(until, timedelta(days=self._settings.days_back), LAG)
        read, answer = await self._listing(walk.turn, _span(_s(now - floor)), walk.token)
        seen = held.get("seen", 0) + len(read.times)
        oldest = min(read.times, default=None)
        reached = oldest is None or oldest < floor
        gaps: tuple[Gap, ...] = ()
        known = until or walk.since
        if known and oldest and not reached and read.after is None and seen >= DEEPEST:
            gaps = (Gap(known, oldest, f"{_WHAT} lists about 1,000 things; what came before them was missed."),)
        newest = max((int(at.timestamp()) for at in read.times if at <= now), default=None)
        more = walk.step(None if reached else read.after, str(newest) if newest else None)
        held |= {"watched": watch(held.get("watched", []), read, now), "seen": seen if walk.token else 0}
        del_walk = {key: value for key, value in held.items() if key != "walk"}
        state = {**del_walk, **walk.cursor()}
        if not more and now.timestamp() - held.get("looked", 0) >= LOOK_EVERY_S and state["watched"]:
            state |= {"looked": int(now.timestamp()), "look": [one[0] for one in state["watched"]]}
            more = True
        return self._page(read, state, answer, more=more, gaps=gaps)

    async def _look(self, held: dict[str, Any]) -> Page:
        """Whether some of what was found still stands, and its authors' accounts with it."""
        asked, held["look"] = held["look"][:PAGE_SIZE], held["look"][PAGE_SIZE:]
        answer = await self._api.get("/api/info", {"id": ",".join(asked)})
        read = listing_in(expect_json(answer, _WHAT), clock.now())
        tombs = [one for one in read.items.mentions if one.deleted_at]
        if not read.items.drift:
            unseen = [name for name in asked if name not in read.names]
            tombs += [tombstone({"name": name}, name, None, clock.now()) for name in unseen]
        read.items.mentions = tombs
        dead = {one.external_id for one in tombs} | read.nameless
        accounts = sorted({one[2] for one in held["watched"] if one[0] in read.nameless and one[2]})
        held["watched"] = [one for one in held["watched"] if one[0] not in dead]
        return self._page(read, held, answer, more=bool(held["look"]), gone=accounts)

    def _page(
        self,
        read: Listing,
        state: Mapping[str, Any],
        answer: Answer,
        *,
        more: bool,
        gaps: tuple[Gap, ...] = (),
        gone: list[str] | None = None,
    ) -> Page:
        left, reset = header_number(answer, "x-ratelimit-remaining"), header_number(answer, "x-ratelimit-reset")
        rest = None if more else POLL_AFTER
        if left is not None and left < 2 and reset is not None:
            rest, more = timedelta(seconds=min(reset, 3_600)), False
        return Page(
            cursor=state,
            has_more=more,
            poll_after=rest,
            quota_left=left,
            gaps=gaps,
            gone_accounts=tuple(gone or ()),
            **read.items.told(),
        )

    def own_accounts(self) -> frozenset[str]:
        """Our account's name."""
        return frozenset({self._settings.account.casefold()})

    async def account(self) -> Account:
        """Whose consent it is; with the app alone, the app."""
        if self._secrets.refresh_token is None:
            await self._api.headers()
            return Account(self._secrets.client_id.get_secret_value(), "An approved app, reading only")
        me = Fields(expect_json(await self._api.get("/api/v1/me", {}), _WHAT), "me", {})
        name = me.text("name") or self._settings.account
        return Account(f"t2_{me.text('id') or ''}", name, name, f"https://www.reddit.com/user/{name}")

    def idempotency(self) -> Idempotency:
        """Reddit knows no token of a comment, but shows what our account wrote."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Comments below the post or comment."""
        form = {"thing_id": check_thing(reply.in_reply_to), "text": reply.text}
        made = await self._api.form("/api/comment", form)
        name, path = made.text("name"), made.text("permalink")
        at = from_epoch(made, "created_utc") or clock.now()
        if not name:
            raise OutcomeUnknown(f"{_WHAT} does not say what it made of it.")
        return Sent(name, at, f"https://www.reddit.com{path}" if path else None)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Writes a private message to the author."""
        if not reply.author_handle:
            raise SkipThis("Its author's account is gone; there is nobody to write to.")
        subject = f"Re: {reply.title or 'your post'}"[:100]
        await self._api.form("/api/compose", {"to": reply.author_handle, "subject": subject, "text": reply.text})
        return Sent(f"message:{reply.token}", clock.now())  # the answer names no message

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """What our account wrote last, looked through for this."""
        path = "/message/sent" if private else f"/user/{self._settings.account}/comments"
        answer = await self._api.get(path, {"limit": str(PAGE_SIZE), "sort": "new"})
        for child in Fields(expect_json(answer, _WHAT), "listing", {}).inside("data").each("children"):
            one = child.inside("data")
            at, to = from_epoch(one, "created_utc"), one.text("dest" if private else "parent_id")
            wanted = reply.author_handle if private else reply.in_reply_to
            same = to == wanted and (one.text("body") or "").split() == reply.text.split()
            if same and at is not None and at >= since.replace(microsecond=0):
                link = one.text("permalink")
                return Sent(one.text("name") or "", at, f"https://www.reddit.com{link}" if link else None)
        return None

    async def delete_reply(self, post: Post) -> None:
        """Takes our comment away."""
        await self._api.form("/api/del", {"id": check_thing(post.external_id)})

    async def report(self, post: Post, reason: str) -> None:
        """Tells the moderators."""
        await self._api.form("/api/report", {"thing_id": check_thing(post.external_id), "reason": reason[:100]})

    async def hide(self, post: Post) -> None:
        """Removes it from a subreddit that our account moderates."""
        await self._api.form("/api/remove", {"id": check_thing(post.external_id), "spam": "false"})

    async def unhide(self, post: Post) -> None:
        """Approves it again."""
        await self._api.form("/api/approve", {"id": check_thing(post.external_id)})

    def _sources(self) -> list[str]:
        known, places = self._settings, "+".join(self._settings.subreddits)
        if known.query:
            listed = [f"/r/{places}/search" if places else "/search"]
        else:
            listed = [f"/r/{places}/new", f"/r/{places}/comments"] if places else []
        return [*listed, "/message/mentions"] if known.mentions else listed

    async def _listing(self, source: str, span: str, after: str | None) -> tuple[Listing, Answer]:
        params = {"limit": str(PAGE_SIZE), **({"after": after} if after else {})}
        if source.endswith("/search"):
            params |= {"q": self._settings.query or "", "sort": "new", "t": span}
            params |= {"restrict_sr": "true"} if self._settings.subreddits else {}
        answer = await self._api.get(source, params)
        if answer.status == 403 and said_in(answer, "reason"):
            raise ChannelBroken(f"{_WHAT} keeps a subreddit of this channel to itself ({said_in(answer, 'reason')}).")
        return listing_in(expect_json(answer, _WHAT), clock.now()), answer


def _span(seconds: int) -> str:
    return next((name for most, name in _SPANS if seconds <= most), "all")


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _s(span: timedelta) -> int:
    return int(span.total_seconds())


CHANNEL: type[Channel] = Reddit
