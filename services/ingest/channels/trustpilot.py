"""Reviews of a company at Trustpilot: read with an API key, answered with the business's own sign-in. A second answer takes the place
of the first.

Reading goes from the newest review down to where it was before. Trustpilot tells neither edits nor deletions by itself, so the
last weeks are read again every few hours and compared.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HttpClient,
    Idempotency,
    IncomingMention,
    OutgoingReply,
    Page,
    Post,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.networks.items import Drift, Items, cut, mention, missing, payload_in, tombstone
from services.ingest.networks.json_api import Fields, expect_json, object_in, quota_left, said_in
from services.ingest.networks.relisting import Relisting
from shared.kit import clock
from shared.models.mention import MentionKind

WHAT = "Trustpilot"
WWW = "https://www.trustpilot.com"
SIGN_IN = "v1/oauth/oauth-business-users-for-applications/accesstoken"
PAGE = 100  # the most Trustpilot gives
LAG = timedelta(hours=2)  # a review may wait before it is shown, and has its time from before
COMPARED_EVERY = timedelta(hours=6)
POLL_AFTER = timedelta(minutes=10)
LOOKED_AFTER = 10  # reviews that were missed, asked for one by one


class TrustpilotSettings(ChannelSettings):
    """Which company."""

    business_unit_id: str = Field(
        title="Id of the business unit", pattern=r"^[0-9a-fA-F]{24}$",
        description="24 hexadecimal digits, by which Trustpilot's API knows the company.",
    )  # fmt: skip
    business_user_id: str | None = Field(
        default=None, title="Id of the user who answers", description="A business user of the company.", max_length=60
    )
    history_days: int = Field(default=30, ge=1, le=3_650, title="Days of history to read at the start")
    compare_days: int = Field(
        default=60,
        ge=1,
        le=365,
        title="Days that are compared again",
        description="Edits and deletions older than this are not noticed.",
    )
    api_base: str = Field(
        default="https://api.trustpilot.com", title="Address of the API", pattern=r"^https?://[^\s/]+$"
    )


class TrustpilotSecrets(ChannelSecrets):
    """Of the application that Trustpilot gave the company."""

    api_key: SecretStr | None = Field(default=None, title="API key", description="Reads what everybody may read.")
    api_secret: SecretStr | None = Field(
        default=None,
        title="API secret",
        description="With it reviews are read with what only the company sees, and answered.",
    )


class Trustpilot:
    """One company's reviews."""

    title: ClassVar[str] = "Trustpilot"
    Settings: ClassVar[type[ChannelSettings]] = TrustpilotSettings
    Secrets: ClassVar[type[ChannelSecrets]] = TrustpilotSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    reply_rules: ReplyRules = ReplyRules(public=ReplyWay(overwrites=True))

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = TrustpilotSettings.model_validate(settings)
        known = TrustpilotSecrets.model_validate(secrets)
        self._key = known.api_key.get_secret_value() if known.api_key else ""
        self._secret = known.api_secret.get_secret_value() if known.api_secret else ""
        self._base, self._http = self._settings.api_base, http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of reviews, or one review."""
        whole = payload_in(body)
        reviews = whole.get("reviews") if isinstance(whole, dict) and "reviews" in whole else [whole]
        items = Items().take(
            reviews if isinstance(reviews, list) else [], lambda one, drift: to_mention(one, drift, at)
        )
        return Page(**items.told())

    async def page(self, cursor: Cursor | None) -> Page:
        """Reviews from the newest down; now and then the last weeks, compared with what was read."""
        state, now = Relisting.of(cursor), clock.now()
        headers = await self._headers()
        if state.missed:
            return await self._look_after(state, headers, now)
        state.begin(
            now, history=timedelta(days=self._settings.history_days), window=timedelta(days=self._settings.compare_days),
            lag=LAG, every=COMPARED_EVERY,
        )  # fmt: skip
        reviews, left = await self._list(state.page, headers)
        items = Items().take(reviews, lambda one, drift: _news(state, to_mention(one, drift, now), now))
        more = state.next(over=len(reviews) < PAGE)
        rest = None if more else POLL_AFTER
        return Page(
            **items.told(), cursor=state.cursor(), has_more=more, poll_after=rest, quota_left=left, gaps=state.gaps
        )

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """Reviews written at `since` or later that stand there still."""
        number, now = int((cursor or {}).get("page", 1)), clock.now()
        reviews, left = await self._list(number, await self._headers())
        items = Items().take(reviews, lambda one, drift: to_mention(one, drift, now))
        told = items.told()
        told["mentions"] = tuple(one for one in told["mentions"] if one.published_at >= since)
        over = len(reviews) < PAGE or any(one.published_at < since for one in items.mentions)
        return Page(**told, cursor={"page": number + 1}, has_more=not over, quota_left=left)

    def idempotency(self) -> Idempotency:
        """Trustpilot shows the answer that stands under a review."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers the review; what we answered before is replaced."""
        if not self._settings.business_user_id:
            raise SkipThis("Trustpilot asks who answers. Enter business_user_id in the settings, then answer again.")
        fields = {"authorBusinessUserId": self._settings.business_user_id, "message": reply.text}
        answer = await self._write("POST", reply.in_reply_to, fields)
        expect_posted(answer, WHAT, said_in(answer, "message", "details", "error"))
        return self._sent(reply.in_reply_to, clock.now())

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our answer, as it stands under the review."""
        review = await self._review(reply.in_reply_to, await self._headers())
        ours = Fields(review, "review", {}).inside("companyReply")
        at = ours.moment("updatedAt") or ours.moment("createdAt")
        same = (ours.text("text") or "").split() == reply.text.split()
        return self._sent(reply.in_reply_to, at) if same and at and at >= since.replace(microsecond=0) else None

    async def delete_reply(self, post: Post) -> None:
        """Takes our answer away."""
        answer = await self._write("DELETE", post.external_id.removesuffix("/reply"), None)
        if answer.status not in (404, 410):
            expect_posted(answer, WHAT, said_in(answer, "message", "details", "error"))

    async def account(self) -> Account:
        """The company. With a secret, signing in is tried too."""
        await self._headers()
        with reading(WHAT):
            answer = await self._http.get(
                f"{self._base}/v1/business-units/{self._settings.business_unit_id}", headers=self._public()
            )
        unit = Fields(expect_json(answer, WHAT), "unit", {})
        name = unit.inside("name").text("identifying")
        return Account(
            self._settings.business_unit_id,
            unit.text("displayName") or name or "",
            name,
            name and f"{WWW}/review/{name}",
        )

    def _public(self) -> dict[str, str]:
        return {"apikey": self._key} if self._key else {}

    async def _headers(self) -> dict[str, str]:
        """What calls carry: an access token where there is a secret, else the key. Raises ChannelError."""
        if not self._secret:
            return self._public()
        with reading(WHAT):
            answer = await self._http.request(
                "POST", f"{self._base}/{SIGN_IN}", auth=(self._key, self._secret),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                content=urlencode({"grant_type": "client_credentials"}).encode(),
            )  # fmt: skip
        if answer.status in (400, 401, 403):
            raise AskForNewCredential(
                f"{WHAT} refuses to sign us in ({answer.status}). Enter the API key and its secret anew."
            )
        token = Fields(object_in(expect_read(answer, WHAT).body, WHAT), "token", {}).text("access_token")
        if not token:
            raise AskForNewCredential(f"{WHAT} gave no access token. Enter the API key and its secret anew.")
        return {"Authorization": f"Bearer {token}"}

    async def _list(self, number: int, headers: Mapping[str, str]) -> tuple[list[Any], int | None]:
        part = "private/" if self._secret else ""
        with reading(WHAT):
            answer = await self._http.get(
                f"{self._base}/v1/{part}business-units/{self._settings.business_unit_id}/reviews", headers=headers,
                params={"orderBy": "createdat.desc", "perPage": str(PAGE), "page": str(number)}, max_bytes=10_000_000,
            )  # fmt: skip
        found = Fields(expect_json(answer, WHAT), "answer", {})
        return found.all("reviews"), quota_left(answer)

    async def _review(self, known: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """A review. Raises SkipThis where it is not there any more."""
        if not known.isalnum():
            raise SkipThis("This is no review of Trustpilot.")
        with reading(WHAT):
            answer = await self._http.get(
                f"{self._base}/v1/{'private/' if self._secret else ''}reviews/{known}", headers=headers
            )
        if answer.status in (404, 410):
            raise SkipThis(f"{WHAT} does not have the review any more ({answer.status}).")
        return expect_json(answer, WHAT)

    async def _look_after(self, state: Relisting, headers: Mapping[str, str], now: datetime) -> Page:
        """Asks for those reviews that were missing from the list, one by one."""
        gone: list[IncomingMention] = []
        for known in state.missed[:LOOKED_AFTER]:
            try:
                await self._review(known, headers)
            except SkipThis:
                gone.append(tombstone({"id": known}, known, None, now))
            state.forget(known)
        state.missed = state.missed[LOOKED_AFTER:]
        return Page(
            tuple(gone), state.cursor(), has_more=bool(state.missed), poll_after=None if state.missed else POLL_AFTER
        )

    async def _write(self, method: str, review: str, fields: Mapping[str, Any] | None) -> Answer:
        if not self._secret:
            raise AskForNewCredential(f"{WHAT} takes answers only from who signs in. Enter the API secret.")
        if not review.isalnum():
            raise SkipThis("This is no review of Trustpilot.")
        headers = await self._headers()
        with replying(WHAT):
            return await self._http.request(
                method,
                f"{self._base}/v1/private/reviews/{review}/reply",
                headers=headers,
                json=None if fields is None else dict(fields),
            )

    def _sent(self, review: str, at: datetime) -> Sent:
        """An answer has no id of its own: it is the one of its review."""
        return Sent(f"{review}/reply", at, f"{WWW}/reviews/{review}")


def to_mention(review: Any, drift: Drift, at: datetime) -> IncomingMention:
    """A review in our words. Pure. Raises pydantic's ValidationError where it makes no mention."""
    fields = Fields(review, "review", drift)
    missing(fields, "id", "stars", "createdAt", "consumer")
    known, stars = fields.text("id"), fields.count("stars")
    known = known if known and known.isalnum() and known.isascii() else None  # it becomes part of addresses
    writer = fields.inside("consumer")
    writer_id, name = writer.text("id"), cut(writer.text("displayName"))
    return mention(
        review,
        external_id=known,
        text=fields.text("text") or "",
        title=cut(fields.text("title"), 2_000),
        published_at=fields.moment("createdAt") or at,
        edited_at=fields.moment("updatedAt"),
        author=_author(writer_id, name),
        kind=MentionKind.REVIEW,
        permalink=f"{WWW}/reviews/{known}" if known else None,
        lang=_language(fields.text("language")),
        thread_id=known,
        rating=stars if stars is not None and 1 <= stars <= 5 else None,
    )


def _author(known: str | None, name: str | None) -> dict[str, Any] | None:
    if not known and not name:
        return None
    plain = known is not None and known.isalnum() and known.isascii()
    return {"external_id": known or None, "name": name, "url": f"{WWW}/users/{known}" if plain else None}


def _language(tag: str | None) -> str | None:
    return tag if tag and len(tag) == 2 and tag.isascii() and tag.isalpha() else None


def _news(state: Relisting, one: IncomingMention, now: datetime) -> IncomingMention | None:
    return state.news(one, one.digest().hex(), now)


CHANNEL: type[Channel] = Trustpilot
