"""YouTube: comments under the videos of a channel, or under single videos; read with a key, answered in the name of the channel.

New threads come first, the newest on top. A thread with new replies does not move up, so threads of the last two weeks are
asked for again every half hour: what they have more is read, and what is not there any more is gone. Calls cost units of a day's
quota; a part of it is left for answering.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
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
    reading,
    replying,
)
from services.ingest.networks import google
from services.ingest.networks.items import payload_in, tombstone
from services.ingest.networks.json_api import Fields, moment
from services.ingest.networks.walks import Walk
from services.ingest.networks.youtube_comments import SITE, Comments, comments_in, remember
from shared.kit import clock

API = "https://www.googleapis.com/youtube/v3"
PAGE_SIZE = 100
LAG = timedelta(hours=1)
POLL_AFTER = timedelta(minutes=2)
LOOK_EVERY_S = 1_800
IDS_AT_ONCE = 50
LONGEST = 10_000  # general knowledge
MOST_LOOKED_THROUGH = 5  # pages of replies in which ours is looked for
MOST_BYTES = 8_000_000
_WHAT = "YouTube"
_URL = r"^https?://\S+[^/\s]$"


class YoutubeSettings(ChannelSettings):
    """Whose comments, and how much of the quota reading may use."""

    channel_id: str | None = Field(
        default=None, title="Our channel", description="Its id: UC and 22 more characters.", pattern=r"^UC[\w-]{22}$"
    )
    videos: tuple[str, ...] = Field(
        default=(), title="Videos", description="Ids; only their comments are read then.", max_length=50
    )
    days_back: int = Field(default=14, ge=0, le=3_650, title="Days of history to read at the start")
    daily_units: int = Field(
        default=10_000, ge=1, title="Quota a day", description="Units that Google grants the project."
    )
    units_for_answers: int = Field(
        default=2_000, ge=0, title="Units that reading leaves", description="An answer takes 50."
    )
    api_base: str = Field(default=API, title="Address of the API", pattern=_URL)
    token_url: str = Field(default=google.TOKEN_URL, title="Address of the sign-in", pattern=r"^https?://\S+$")

    @model_validator(mode="after")
    def _listens_somewhere(self) -> Self:
        if self.channel_id is None and not self.videos:
            raise ValueError("set channel_id or videos")
        return self


class YoutubeSecrets(google.SignedInByPerson):
    """A key for reading; what consent gave for answering (it reads too)."""

    api_key: SecretStr | None = Field(default=None, title="API key", description="For reading, from Google Cloud.")


class Youtube:
    """The comments of one channel, or under some videos."""

    title: ClassVar[str] = "YouTube"
    Settings: ClassVar[type[ChannelSettings]] = YoutubeSettings
    Secrets: ClassVar[type[ChannelSecrets]] = YoutubeSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(100, 1)  # the quota of the day is what counts
    display_rules: ClassVar[DisplayRules] = DisplayRules(
        attribution="YouTube's name and a link to the video.", recheck_days=30, delete_on_request=True
    )
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(lengths=(Length(limit=LONGEST),)))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = YoutubeSettings.model_validate(settings)
        self._secrets = YoutubeSecrets.model_validate(secrets)
        self._http = http
        if not self._secrets.complete():
            self.reply_rules = ReplyRules()

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """An answer of commentThreads or comments as mentions."""
        return Page(**comments_in(payload_in(body)).items.told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next call of a round: new threads, then replies that are missing, then a look at older threads."""
        held = dict(cursor or {})
        if held.get("day") != google.today():
            held |= {"day": google.today(), "used": 0}
        left = self._settings.daily_units - held["used"]
        if left <= self._settings.units_for_answers:
            return Page(cursor=held, poll_after=google.until_new_quota(), quota_left=max(left, 0))
        if held.get("todo"):
            read = await self._replies(held)
        elif held.get("look"):
            read = await self._look(held)
        else:
            read = await self._threads(held)
        held["used"] += 1
        more = bool(held.get("todo") or held.get("look") or held.pop("more", False))
        rest = None if more else POLL_AFTER
        return Page(cursor=held, has_more=more, poll_after=rest, quota_left=left - 1, **read.items.told())

    # ------------------------------------------------------------ reading

    async def _threads(self, held: dict[str, Any]) -> Comments:
        """A page of threads, the newest first."""
        known = self._settings
        walk = Walk.of(held, known.videos or (known.channel_id or "",))
        floor = walk.floor(moment(walk.until), timedelta(days=known.days_back), LAG)
        place = "videoId" if known.videos else "allThreadsRelatedToChannelId"
        params = {"part": "snippet,replies", place: walk.turn, "order": "time", "maxResults": str(PAGE_SIZE)}
        if walk.token:
            params["pageToken"] = walk.token
        answer = await self._call("commentThreads", params)
        if known.videos and (answer.status == 404 or google.has_reason(answer, "commentsDisabled")):
            read = Comments()  # this video shows no comments (any more); the others do
        else:
            read = comments_in(google.read_answer(answer, _WHAT))
        times = [thread.published_at for thread in read.threads]
        token = read.next_page if times and min(times) >= floor else None
        remember(held, read.threads, clock.now())
        newest = max((at for at in times if at <= clock.now()), default=None)
        more = walk.step(token, clock.iso(newest) if newest else None)
        held |= {**walk.cursor(), "more": more}
        now = int(clock.now().timestamp())
        if not more and now - held.get("looked", 0) >= LOOK_EVERY_S:
            held |= {"fresh": held.get("looked", now), "looked": now, "look": list(held.get("threads", {}))}
        return read

    async def _replies(self, held: dict[str, Any]) -> Comments:
        """A page of the replies of a thread."""
        (thread, token), rest = held["todo"][0], held["todo"][1:]
        params = {"part": "snippet", "parentId": thread, "maxResults": str(PAGE_SIZE)}
        answer = await self._call("comments", params | ({"pageToken": token} if token else {}))
        if google.gone(answer):
            held["todo"] = rest
            return Comments()
        video = (held.get("threads", {}).get(thread) or [0, 0, ""])[2]
        read = comments_in(google.read_answer(answer, _WHAT), video)
        held["todo"] = [[thread, read.next_page], *rest] if read.next_page else rest
        return read

    async def _look(self, held: dict[str, Any]) -> Comments:
        """Whether some of the older threads still stand, and have more replies."""
        asked, held["look"] = held["look"][:IDS_AT_ONCE], held["look"][IDS_AT_ONCE:]
        params = {"part": "snippet,replies", "id": ",".join(asked), "maxResults": str(PAGE_SIZE)}
        read = comments_in(google.read_answer(await self._call("commentThreads", params), _WHAT))
        there = {thread.id for thread in read.threads}
        fresh = datetime.fromtimestamp(held.get("fresh", 0), UTC) - LAG  # the rest was told before
        read.items.mentions = [one for one in read.items.mentions if (one.edited_at or one.published_at) >= fresh]
        remember(held, read.threads, clock.now())
        if "page.items" in read.items.drift or read.items.skipped:
            return read  # an answer that we cannot wholly read tells of nothing that it is gone
        for number in asked:
            if number not in there and number in held["threads"]:
                published = datetime.fromtimestamp(held["threads"].pop(number)[1], UTC)
                read.items.mentions.append(tombstone({"id": number}, number, published, clock.now()))
        return read

    async def _call(self, path: str, params: Mapping[str, str]) -> Answer:
        headers = await self._headers(reads=True)
        with reading(_WHAT):
            return await self._http.get(
                f"{self._settings.api_base}/{path}",
                params={**params, "textFormat": "plainText"},
                headers=headers,
                max_bytes=MOST_BYTES,
            )

    async def _headers(self, *, reads: bool) -> dict[str, str]:
        key = self._secrets.api_key
        if reads and key is not None:
            return {"X-Goog-Api-Key": key.get_secret_value()}  # not in the address, which ends up in logs
        if reads and not self._secrets.complete():
            raise AskForNewCredential("YouTube needs an API key, or what consent gave. Enter api_key as a secret.")
        token = await google.token_by_refresh(self._http, self._secrets, self._settings.token_url)
        return {"Authorization": f"Bearer {token}"}

    # ------------------------------------------------------------ ourselves, answering, moderating

    def own_accounts(self) -> frozenset[str]:
        """Our channel."""
        return frozenset({self._settings.channel_id} if self._settings.channel_id else ())

    async def account(self) -> Account:
        """The channel of who consented; with a key only, the channel as set."""
        if not self._secrets.complete() and not self._settings.channel_id:
            await self._call("commentThreads", {"part": "id", "videoId": self._settings.videos[0], "maxResults": "1"})
            return Account(self._settings.videos[0], f"Comments under {len(self._settings.videos)} videos")
        ours = self._secrets.complete()
        headers = await self._headers(reads=not ours)
        params = {"part": "snippet", **({"mine": "true"} if ours else {"id": self._settings.channel_id or ""})}
        with reading(_WHAT):
            answer = await self._http.get(f"{self._settings.api_base}/channels", params=params, headers=headers)
        for one in Fields(google.read_answer(answer, _WHAT), "page", {}).each("items"):
            number, about = one.text("id") or "", one.inside("snippet")
            return Account(number, about.text("title") or number, about.text("customUrl"), f"{SITE}/channel/{number}")
        raise ChannelBroken("YouTube knows no such channel. Check channel_id, and who gave consent.")

    def idempotency(self) -> Idempotency:
        """YouTube knows no token of a comment, but shows what stands there."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers in the thread; there is one level."""
        thread = reply.in_reply_to.partition(".")[0]
        body = {"snippet": {"parentId": thread, "textOriginal": reply.text}}
        told = google.posted_answer(await self._change("POST", "comments?part=snippet", body), _WHAT)
        read = comments_in({"items": [told]}, _video(reply.permalink))
        if not read.items.mentions:
            raise OutcomeUnknown(f"{_WHAT} answers something that cannot be read.")
        made = read.items.mentions[0]
        return Sent(made.external_id, made.published_at, made.permalink)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our reply among those of the thread."""
        thread, token = reply.in_reply_to.partition(".")[0], ""
        for _ in range(MOST_LOOKED_THROUGH):
            params = {"part": "snippet", "parentId": thread, "maxResults": str(PAGE_SIZE)}
            answer = await self._call("comments", params | ({"pageToken": token} if token else {}))
            if google.gone(answer):
                return None
            read = comments_in(google.read_answer(answer, _WHAT), _video(reply.permalink))
            for one in read.items.mentions:
                writer = one.author.external_id if one.author else None
                ours = writer in self.own_accounts() or not self.own_accounts()
                if ours and one.text.split() == reply.text.split() and one.published_at >= since.replace(microsecond=0):
                    return Sent(one.external_id, one.published_at, one.permalink)
            token = read.next_page or ""
            if not token:
                return None
        return None

    async def delete_reply(self, post: Post) -> None:
        """Takes our comment away."""
        answer = await self._change("DELETE", "comments", params={"id": post.external_id})
        if not google.gone(answer):
            google.posted_answer(answer, _WHAT)

    async def hide(self, post: Post) -> None:
        """Holds the comment for review: nobody but moderators sees it."""
        await self._moderate(post, "heldForReview")

    async def unhide(self, post: Post) -> None:
        """Publishes it again."""
        await self._moderate(post, "published")

    async def _moderate(self, post: Post, status: str) -> None:
        params = {"id": post.external_id, "moderationStatus": status}
        google.posted_answer(await self._change("POST", "comments/setModerationStatus", params=params), _WHAT)

    async def _change(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        headers = await self._headers(reads=False)
        with replying(_WHAT):
            return await self._http.request(
                method, f"{self._settings.api_base}/{path}", json=body, params=params, headers=headers
            )


def _video(permalink: str | None) -> str | None:
    found = (permalink or "").partition("watch?v=")[2].partition("&")[0]
    return found or None


CHANNEL: type[Channel] = Youtube
