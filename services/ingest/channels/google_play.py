"""Google Play: reviews of an Android app, read and answered by a service account.

The API shows only what was written or changed in the last week, the last changed first. Whoever reads later than that has lost
something, and that is told as a gap. A review has one answer; a second takes its place.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    AskForNewCredential,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    Gap,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutgoingReply,
    Pace,
    Page,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    cleaned,
    reading,
    replying,
)
from services.ingest.networks import google
from services.ingest.networks.items import (
    Drift,
    Items,
    cut,
    engagement,
    from_epoch,
    mention,
    missing,
    payload_in,
    place_in,
    unknown,
)
from services.ingest.networks.json_api import Fields, moment
from services.ingest.networks.walks import Walk
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.plain_text import plain_text

API = "https://androidpublisher.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/androidpublisher"
WINDOW = timedelta(days=7)  # general knowledge: the API tells of no review that is older
PAGE_SIZE = 100
LAG = timedelta(hours=6)
POLL_AFTER = timedelta(minutes=10)  # 200 reads an hour are granted, and 2,000 answers a day
LONGEST = 350  # "approximately", says the documentation
MOST_BYTES = 8_000_000
_WHAT = "Google Play"
_REVIEW = "reviewId authorName comments"
_COMMENT = (
    "text lastModified starRating reviewerLanguage device androidOsVersion appVersionCode appVersionName thumbsUpCount "
    "thumbsDownCount deviceMetadata originalText"
)


class GooglePlaySettings(ChannelSettings):
    """Which app."""

    package: str = Field(
        title="Package name",
        description="Such as com.example.app.",
        pattern=r"^[A-Za-z]\w*(\.[A-Za-z]\w*)+$",
        max_length=200,
    )
    api_base: str = Field(default=API, title="Address of the API", pattern=r"^https?://\S+[^/\s]$")
    token_url: str = Field(default=google.TOKEN_URL, title="Address of the sign-in", pattern=r"^https?://\S+$")


class GooglePlaySecrets(ChannelSecrets):
    """The service account that may see and answer reviews."""

    service_account: SecretStr = Field(
        title="Service account",
        description="The whole JSON file with its key, as Google Cloud gave it.",
        max_length=20_000,
    )


class GooglePlay:
    """The reviews of one app."""

    title: ClassVar[str] = "Google Play"
    Settings: ClassVar[type[ChannelSettings]] = GooglePlaySettings
    Secrets: ClassVar[type[ChannelSecrets]] = GooglePlaySecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(400, 3_600)  # 200 reads, each with its sign-in
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(lengths=(Length(limit=LONGEST),), overwrites=True))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = known = GooglePlaySettings.model_validate(settings)
        self._key = GooglePlaySecrets.model_validate(secrets).service_account
        self._reviews = f"{known.api_base}/androidpublisher/v3/applications/{known.package}/reviews"
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of reviews as mentions."""
        return Page(**_items(payload_in(body), None).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of reviews, from the last changed down to what was read before."""
        now, walk = clock.now(), Walk.of(cursor, ("reviews",))
        floor, read_to = walk.floor(moment(walk.until), WINDOW, LAG), walk.since
        params = {"maxResults": str(PAGE_SIZE), **({"token": walk.token} if walk.token else {})}
        told = await self._get(self._reviews, params)
        read = _items(told, self._settings.package)
        times = _times(told)
        token = place_in(Fields(told, "page", read.drift).inside("tokenPagination"), "nextPageToken")
        if times and min(times) < floor:
            token = None
        gaps: tuple[Gap, ...] = ()
        if walk.token is None and read_to is not None and read_to < now - WINDOW:
            gaps = (Gap(read_to, now - WINDOW, f"{_WHAT} shows one week, and was not read for longer than that."),)
        newest = max((at for at in times if at <= now), default=None)
        more = walk.step(token, clock.iso(newest) if newest else None)
        rest = None if more else POLL_AFTER
        return Page(cursor=walk.cursor(), has_more=more, poll_after=rest, gaps=gaps, **read.told())

    async def account(self) -> Account:
        """The app, if the service account may see its reviews."""
        await self._get(self._reviews, {"maxResults": "1"})
        return Account(
            self._settings.package,
            self._settings.package,
            url=f"https://play.google.com/store/apps/details?id={self._settings.package}",
        )

    def idempotency(self) -> Idempotency:
        """A review shows the one answer it has."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers a review; an answer that stands there already gives way."""
        headers = await self._headers()
        with replying(_WHAT):
            answer = await self._http.request(
                "POST",
                f"{self._reviews}/{quote(reply.in_reply_to, safe='')}:reply",
                json={"replyText": reply.text},
                headers=headers,
            )
        told = Fields(google.posted_answer(answer, _WHAT), "answer", {})
        at = from_epoch(told.inside("result").inside("lastEdited"), "seconds")
        return Sent(_answer_id(reply), at or clock.now(), reply.permalink)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """The review's answer, if it is ours. Google takes HTML out of it."""
        with reading(_WHAT):
            answer = await self._http.get(
                f"{self._reviews}/{quote(reply.in_reply_to, safe='')}", headers=await self._headers()
            )
        if google.gone(answer):
            return None
        for comment in Fields(google.read_answer(answer, _WHAT), "review", {}).each("comments"):
            ours = comment.inside("developerComment")
            at = from_epoch(ours.inside("lastModified"), "seconds")
            if at and at >= since.replace(microsecond=0) and _words(ours.text("text") or "") == _words(reply.text):
                return Sent(_answer_id(reply), at, reply.permalink)
        return None

    async def _get(self, url: str, params: Mapping[str, str]) -> dict[str, Any]:
        headers = await self._headers()
        with reading(_WHAT):
            answer = await self._http.get(url, params=params, headers=headers, max_bytes=MOST_BYTES)
        return google.read_answer(answer, _WHAT)

    async def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        if not key.strip():
            raise AskForNewCredential("Google Play needs the key of a service account. Enter it as a secret.")
        token = await google.token_by_service_account(self._http, key, SCOPE, self._settings.token_url)
        return {"Authorization": f"Bearer {token}"}


def to_mention(review: Any, drift: Drift, package: str | None) -> IncomingMention | None:
    """A review in our words. Pure. None where it has no words of a customer."""
    told = Fields(review, "reviews", drift)
    if not told:
        raise SkipThis("A review is no object.")
    unknown(told, _REVIEW)
    said = next((one.inside("userComment") for one in told.each("comments") if "userComment" in one.value), None)
    if said is None or not said:
        return None
    unknown(said, _COMMENT)
    missing(said, "text", "lastModified", "starRating")
    number, name = told.text("reviewId", needed=True), cut(told.text("authorName"))
    stars = said.count("starRating")
    title, words = _title_and_words(said.text("originalText") or said.text("text") or "")
    place = f"https://play.google.com/store/apps/details?id={package}&reviewId={quote(cleaned(number or ''), safe='')}"
    return mention(
        review,
        external_id=number,
        text=words,
        title=title,
        published_at=from_epoch(said.inside("lastModified"), "seconds"),
        author={"name": name} if name else None,
        kind=MentionKind.REVIEW,
        permalink=place if package and number and len(place) < 2_000 else None,
        lang=_language(said.text("reviewerLanguage")),
        rating=stars if stars in range(1, 6) else None,
        engagement=engagement(likes=said.count("thumbsUpCount")),
    )


def _items(told: Any, package: str | None) -> Items:
    read = Items()
    whole = Fields(told, "page", read.drift)  # an app without reviews of this week answers {}
    unknown(whole, "reviews tokenPagination pageInfo")
    return read.take(whole.all("reviews"), lambda review, drift: to_mention(review, drift, package), "reviewId")


def _times(told: Any) -> list[datetime]:
    found = (
        from_epoch(comment.inside("userComment").inside("lastModified"), "seconds")
        for review in Fields(told, "page", {}).each("reviews")
        for comment in review.each("comments")
    )
    return [at for at in found if at is not None]


def _title_and_words(text: str) -> tuple[str | None, str]:
    """A title, if there is one, stands before a tab."""
    title, tab, words = text.partition("\t")
    return (cut(title, 2_000), words.strip()) if tab else (None, text.strip())


def _language(told: str | None) -> str | None:
    parts = (told or "").replace("_", "-").split("-")
    good = len(parts[0]) in (2, 3) and all(one.isascii() and one.isalnum() and 2 <= len(one) <= 8 for one in parts)
    return "-".join(parts) if good and parts[0].isalpha() and len(parts) <= 3 else None


def _answer_id(reply: OutgoingReply) -> str:
    """Google gives an answer no id of its own; a review has one answer."""
    return f"{reply.in_reply_to}/reply"


def _words(text: str) -> list[str]:
    return plain_text(text).split()


CHANNEL: type[Channel] = GooglePlay
