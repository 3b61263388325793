"""Google Business Profile: reviews of places on Google Maps, read and answered in the name of their owner.

The last changed come first, for each place in turn. A review has one answer; a second takes its place. Google does not tell that
a review was taken away.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, StringConstraints

from services.ingest.channel import (
    Account,
    Answer,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutgoingReply,
    Pace,
    Page,
    Post,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    reading,
    replying,
)
from services.ingest.networks import google
from services.ingest.networks.items import Drift, Items, cut, mention, missing, payload_in, place_in, unknown
from services.ingest.networks.json_api import Fields, moment
from services.ingest.networks.walks import Walk
from shared.kit import clock
from shared.models.mention import MentionKind

API = "https://mybusiness.googleapis.com/v4"
ACCOUNTS = "https://mybusinessaccountmanagement.googleapis.com/v1"
PAGE_SIZE = 50  # the most that the API gives
LAG = timedelta(hours=12)
POLL_AFTER = timedelta(minutes=10)
LONGEST = 4_096  # bytes
MOST_BYTES = 8_000_000
_WHAT = "Google Business Profile"
_URL = r"^https?://\S+[^/\s]$"
_STARS = {"ONE": 1, "TWO": 2, "THREE": 3, "FOUR": 4, "FIVE": 5}
_REVIEW = "name reviewId reviewer starRating comment createTime updateTime reviewReply reviewMediaItems reviewUrl"
_NAME = re.compile(r"accounts/[\w-]+/locations/[\w-]+/reviews/[\w-]+", re.ASCII)
_TRANSLATED = "(Translated by Google)"  # general knowledge: these words stand between the two languages
_ORIGINAL = "(Original)"

Place = Annotated[str, StringConstraints(pattern=r"^accounts/[\w-]+/locations/[\w-]+$")]


class GoogleBusinessSettings(ChannelSettings):
    """Which places."""

    locations: tuple[Place, ...] = Field(
        title="Places", description="Each as accounts/123/locations/456.", min_length=1, max_length=200
    )
    days_back: int = Field(default=30, ge=0, le=3_650, title="Days of history to read at the start")
    api_base: str = Field(default=API, title="Address of the API", pattern=_URL)
    accounts_base: str = Field(default=ACCOUNTS, title="Address of the accounts' API", pattern=_URL)
    token_url: str = Field(default=google.TOKEN_URL, title="Address of the sign-in", pattern=r"^https?://\S+$")


class GoogleBusinessSecrets(google.SignedInByPerson):
    """What the consent of an owner or manager gave."""


class GoogleBusiness:
    """The reviews of some places."""

    title: ClassVar[str] = "Google Business Profile"
    Settings: ClassVar[type[ChannelSettings]] = GoogleBusinessSettings
    Secrets: ClassVar[type[ChannelSecrets]] = GoogleBusinessSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(600, 60)  # general knowledge: 300 calls, each with its sign-in
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST, counted_as="utf8_bytes"),), overwrites=True)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = GoogleBusinessSettings.model_validate(settings)
        self._secrets = GoogleBusinessSecrets.model_validate(secrets)
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of reviews as mentions."""
        return Page(**_items(payload_in(body)).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of the reviews of a place; the places take turns."""
        walk = Walk.of(cursor, self._settings.locations)
        floor = walk.floor(moment(walk.until), timedelta(days=self._settings.days_back), LAG)
        params = {"pageSize": str(PAGE_SIZE), "orderBy": "updateTime desc"}
        if walk.token:
            params["pageToken"] = walk.token
        told = await self._get(f"{self._settings.api_base}/{walk.turn}/reviews", params)
        read = _items(told)
        times = [at for one in Fields(told, "page", {}).each("reviews") if (at := one.moment("updateTime"))]
        token = place_in(Fields(told, "page", read.drift), "nextPageToken")
        if not times or min(times) < floor:
            token = None
        newest = max((at for at in times if at <= clock.now()), default=None)
        more = walk.step(token, clock.iso(newest) if newest else None)
        return Page(cursor=walk.cursor(), has_more=more, poll_after=None if more else POLL_AFTER, **read.told())

    async def account(self) -> Account:
        """The account whose places are read, if consent reaches it."""
        told = await self._get(f"{self._settings.accounts_base}/accounts", {})
        wanted = "/".join(self._settings.locations[0].split("/")[:2])
        for one in Fields(told, "page", {}).each("accounts"):
            if one.text("name") == wanted:
                return Account(wanted, one.text("accountName") or wanted)
        raise ChannelBroken(f"Who gave consent has no {wanted}. Check the places, and who gave consent.")

    def idempotency(self) -> Idempotency:
        """A review shows the one answer it has."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers a review; an answer that stands there already gives way."""
        path = f"{_review(reply.in_reply_to)}/reply"
        told = google.posted_answer(await self._change("PUT", path, {"comment": reply.text}), _WHAT)
        return Sent(path, Fields(told, "answer", {}).moment("updateTime") or clock.now(), reply.permalink)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """The review's answer, if it is ours."""
        path = _review(reply.in_reply_to)
        headers = await self._headers()
        with reading(_WHAT):
            answer = await self._http.get(f"{self._settings.api_base}/{path}", headers=headers)
        if google.gone(answer):
            return None
        ours = Fields(google.read_answer(answer, _WHAT), "review", {}).inside("reviewReply")
        at = ours.moment("updateTime")
        same = (ours.text("comment") or "").split() == reply.text.split()
        return Sent(f"{path}/reply", at, reply.permalink) if same and at and at >= since else None

    async def delete_reply(self, post: Post) -> None:
        """Takes our answer away."""
        path = _review(post.external_id.removesuffix("/reply"))
        answer = await self._change("DELETE", f"{path}/reply", None)
        if not google.gone(answer):
            google.posted_answer(answer, _WHAT)

    async def _get(self, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        headers = await self._headers()
        with reading(_WHAT):
            answer = await self._http.get(url, params=params, headers=headers, max_bytes=MOST_BYTES)
        return google.read_answer(answer, _WHAT)

    async def _change(self, method: str, path: str, body: Any) -> Answer:
        headers = await self._headers()
        with replying(_WHAT):
            return await self._http.request(method, f"{self._settings.api_base}/{path}", json=body, headers=headers)

    async def _headers(self) -> dict[str, str]:
        token = await google.token_by_refresh(self._http, self._secrets, self._settings.token_url)
        return {"Authorization": f"Bearer {token}"}


def to_mention(review: Any, drift: Drift) -> IncomingMention:
    """A review in our words. Pure. Raises pydantic's ValidationError, SkipThis where it is none."""
    told = Fields(review, "reviews", drift)
    if not told:
        raise SkipThis("A review is no object.")
    unknown(told, _REVIEW)
    missing(told, "name", "starRating", "createTime", "updateTime")
    reviewer = told.inside("reviewer")
    name = None if reviewer.flag("isAnonymous") else cut(reviewer.text("displayName"))
    created, updated = told.moment("createTime"), told.moment("updateTime")
    stars = told.text("starRating")
    if stars is not None and stars not in _STARS:
        drift["reviews.starRating"] = None
    return mention(
        review,
        external_id=told.text("name"),
        text=_original(told.text("comment") or ""),
        published_at=created,
        edited_at=updated if created and updated and updated > created else None,
        author={"name": name} if name else None,
        kind=MentionKind.REVIEW,
        permalink=told.link("reviewUrl"),
        rating=_STARS.get(stars or ""),
    )


def _items(told: Any) -> Items:
    read = Items()
    whole = Fields(told, "page", read.drift)  # a place without reviews answers {}
    unknown(whole, "reviews averageRating totalReviewCount nextPageToken")
    return read.take(whole.all("reviews"), to_mention, "name")


def _original(comment: str) -> str:
    """The customer's own words, where Google put a translation before or after them."""
    if _ORIGINAL in comment and comment.lstrip().startswith(_TRANSLATED):
        return comment.partition(_ORIGINAL)[2].strip()
    return comment.partition(_TRANSLATED)[0].strip() or comment.replace(_TRANSLATED, "").strip()


def _review(name: str) -> str:
    """The name of a review as a path. Raises SkipThis where it is none."""
    if not _NAME.fullmatch(name):
        raise SkipThis("This is no review of Google Business Profile.")
    return quote(name)


CHANNEL: type[Channel] = GoogleBusiness
