"""Apple's App Store: reviews of an app, by its public feeds, or by App Store Connect, where they can be answered too.

The feeds need no key and show the 500 newest reviews of each country. With a key of App Store Connect all reviews come
from there, of all countries. A review has one answer: a second takes its place, and both wait for Apple to publish them.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
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
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks.app_store_reviews import reviews_in, times_in
from services.ingest.networks.items import payload_in, place_in
from services.ingest.networks.json_api import Fields, expect_json, moment, parsed
from services.ingest.networks.signed_tokens import signed_token
from services.ingest.networks.walks import Walk
from shared.kit import clock

FEEDS = "https://itunes.apple.com"
API = "https://api.appstoreconnect.apple.com"
FEED_PAGES = 10  # of 50 reviews: all that the feeds show
PAGE_SIZE = 200
LAG = timedelta(days=2)  # reviews appear late, and an edited one moves up
POLL_AFTER = timedelta(minutes=15)
TOKEN_FOR = timedelta(minutes=10)  # Apple takes at most 20
LONGEST = 5_970  # general knowledge
MOST_BYTES = 8_000_000
_CONNECT, _FEED = "App Store Connect", "The App Store's feed"


Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")]


class AppStoreSettings(ChannelSettings):
    """Which app, and where."""

    app_id: str = Field(title="App", description="The number in its address, after id.", pattern=r"^[0-9]{4,15}$")
    countries: tuple[Country, ...] = Field(
        default=("us",),
        title="Countries",
        description="Two letters each; which feeds are read. With a key every country is read.",
        min_length=1,
        max_length=60,
    )
    days_back: int = Field(default=30, ge=0, le=3_650, title="Days of history to read at the start")
    feed_base: str = Field(default=FEEDS, title="Address of the feeds", pattern=r"^https?://\S+[^/\s]$")
    api_base: str = Field(default=API, title="Address of App Store Connect", pattern=r"^https?://\S+[^/\s]$")


class AppStoreSecrets(ChannelSecrets):
    """A team key of App Store Connect. Without it only the public feeds are read."""

    issuer_id: SecretStr | None = Field(
        default=None, title="Issuer", description="The issuer's id, shown above the keys."
    )
    key_id: SecretStr | None = Field(default=None, title="Key id", description="Shown beside the key.")
    private_key: SecretStr | None = Field(
        default=None, title="Private key", description="The whole .p8 file, with its first and last line."
    )


class AppStore:
    """The reviews of one app."""

    title: ClassVar[str] = "App Store"
    Settings: ClassVar[type[ChannelSettings]] = AppStoreSettings
    Secrets: ClassVar[type[ChannelSecrets]] = AppStoreSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(3_500, 3_600)  # of App Store Connect; the feeds name no limit
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST),), overwrites=True, moderated=True)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = AppStoreSettings.model_validate(settings)
        self._secrets = AppStoreSecrets.model_validate(secrets)
        self._http = http
        self._connected = self._secrets.private_key is not None
        if not self._connected:
            self.reply_rules = ReplyRules()

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of a feed, or of App Store Connect, as mentions."""
        return Page(**reviews_in(payload_in(body)).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of reviews: of App Store Connect, or of each country's feed in turn."""
        walk = Walk.of(cursor, ("reviews",) if self._connected else self._settings.countries)
        until = moment(walk.until)
        floor = walk.floor(until, timedelta(days=self._settings.days_back), LAG)
        if self._connected:
            told, quota = await self._from_connect(walk.token)
            token, country = _next_page(told), None
        else:
            number, country, quota = int(walk.token or "1"), walk.turn, None
            told = await self._from_feed(country, number)
            token = str(number + 1)
        read, times = reviews_in(told, country), times_in(told)
        gaps: tuple[Gap, ...] = ()
        if not times or min(times) < floor:
            token = None
        elif not self._connected and token == str(FEED_PAGES + 1):
            token = None
            known = until or walk.since
            if known is not None and min(times) > known:
                gaps = (Gap(known, min(times), f"The feed of {country} shows no more than its newest reviews."),)
        newest = max((at for at in times if at <= clock.now()), default=None)
        more = walk.step(token, clock.iso(newest) if newest else None)
        rest = None if more else POLL_AFTER
        return Page(cursor=walk.cursor(), has_more=more, poll_after=rest, quota_left=quota, gaps=gaps, **read.told())

    async def account(self) -> Account:
        """The app whose reviews are read."""
        known = self._settings
        if self._connected:
            told, _ = await self._get(f"/v1/apps/{known.app_id}", {})
            about = Fields(told, "app", {}).inside("data").inside("attributes")
            return Account(known.app_id, about.text("name") or known.app_id, about.text("bundleId"))
        with reading(_FEED):
            answer = await self._http.get(
                f"{known.feed_base}/lookup", params={"id": known.app_id, "country": known.countries[0]}
            )
        for app in Fields(expect_json(answer, _FEED), "lookup", {}).each("results"):
            name = app.text("trackName") or known.app_id
            return Account(known.app_id, name, app.text("bundleId"), app.link("trackViewUrl"))
        raise AskForNewCredential(
            f"There is no app {known.app_id} in the store of {known.countries[0]}. Check its number."
        )

    def idempotency(self) -> Idempotency:
        """Apple shows the one answer that a review has."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers a review; an answer that stands there already gives way."""
        review = {"data": {"type": "customerReviews", "id": reply.in_reply_to}}
        body = {
            "type": "customerReviewResponses",
            "attributes": {"responseBody": reply.text},
            "relationships": {"review": review},
        }
        answer = await self._change("POST", "/v1/customerReviewResponses", {"data": body})
        sent = _sent(answer)
        if sent is None:
            raise OutcomeUnknown(f"{_CONNECT} answers something that cannot be read.")
        return sent

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """The review's answer, if it is ours."""
        with reading(_CONNECT):
            answer = await self._http.get(
                f"{self._settings.api_base}/v1/customerReviews/{_segment(reply.in_reply_to)}/response",
                headers=self._headers(),
            )
        if answer.status == 404:
            return None
        expect_json(answer, _CONNECT)
        sent = _sent(answer)
        same = _body(answer).strip() == reply.text.strip()
        return sent if sent and same and sent.sent_at >= since.replace(microsecond=0) else None

    async def delete_reply(self, post: Post) -> None:
        """Takes our answer away."""
        await self._change("DELETE", f"/v1/customerReviewResponses/{_segment(post.external_id)}", None)

    # ------------------------------------------------------------ the API

    async def _from_feed(self, country: str, number: int) -> dict[str, Any]:
        path = f"{country.lower()}/rss/customerreviews/page={number}/id={self._settings.app_id}/sortby=mostrecent/json"
        with reading(_FEED):
            answer = await self._http.get(f"{self._settings.feed_base}/{path}", max_bytes=MOST_BYTES, redirects=2)
        return expect_json(answer, _FEED)

    async def _from_connect(self, token: str | None) -> tuple[dict[str, Any], int | None]:
        path = f"/v1/apps/{self._settings.app_id}/customerReviews"
        if token is not None:
            return await self._get(f"{path}?{token}", {})
        return await self._get(path, {"sort": "-createdDate", "limit": str(PAGE_SIZE), "include": "response"})

    async def _get(self, path: str, params: Mapping[str, str]) -> tuple[dict[str, Any], int | None]:
        with reading(_CONNECT):
            answer = await self._http.get(
                f"{self._settings.api_base}{path}", params=params, headers=self._headers(), max_bytes=MOST_BYTES
            )
        return expect_json(answer, _CONNECT), _left(answer)

    async def _change(self, method: str, path: str, body: Any) -> Answer:
        headers = self._headers()
        with replying(_CONNECT):
            answer = await self._http.request(method, f"{self._settings.api_base}{path}", json=body, headers=headers)
        if answer.status == 403:
            raise AskForNewCredential(f"{_CONNECT} does not let this key answer reviews. Give it the right to.")
        if method == "DELETE" and answer.status == 404:
            return answer
        return expect_posted(answer, _CONNECT, _said(answer))

    def _headers(self) -> dict[str, str]:
        issuer, key_id, key = self._secrets.issuer_id, self._secrets.key_id, self._secrets.private_key
        if issuer is None or key_id is None or key is None:
            raise AskForNewCredential(f"{_CONNECT} needs a key: enter issuer_id, key_id and private_key.")
        now = clock.now()
        claims = {
            "iss": issuer.get_secret_value(),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_FOR).timestamp()),
            "aud": "appstoreconnect-v1",
        }
        token = signed_token(claims, key.get_secret_value(), key_id.get_secret_value(), _CONNECT)
        return {"Authorization": f"Bearer {token}"}


def _next_page(told: Mapping[str, Any]) -> str | None:
    """The query of the next page. Only the query: we never go where a payload sends us."""
    link = place_in(Fields(told, "page", {}).inside("links"), "next")
    try:
        return urlsplit(link).query or None if link else None
    except ValueError:
        return None


def _left(answer: Answer) -> int | None:
    found = re.search(r"user-hour-rem:(\d{1,9})", answer.headers.get("x-rate-limit", ""))
    return int(found[1]) if found else None


def _segment(external_id: str) -> str:
    """An id as one part of a path."""
    return re.sub(
        r"[^\w-]", lambda found: "".join(f"%{one:02X}" for one in found[0].encode()), external_id, flags=re.ASCII
    )


def _told(answer: Answer) -> Fields:
    try:
        return Fields(parsed(answer.body), "answer", {})
    except ValueError:
        return Fields({}, "answer", {})


def _body(answer: Answer) -> str:
    return _told(answer).inside("data").inside("attributes").text("responseBody") or ""


def _sent(answer: Answer) -> Sent | None:
    data = _told(answer).inside("data")
    number = data.text("id")
    at = data.inside("attributes").moment("lastModifiedDate") or clock.now()
    return Sent(number, at) if number else None


def _said(answer: Answer) -> str:
    return next((said[:300] for one in _told(answer).each("errors") if (said := one.text("detail"))), "")


CHANNEL: type[Channel] = AppStore
