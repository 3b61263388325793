"""WordPress: comments under our own articles, read and answered over the REST API of the site. Public.

A comment tells neither that it was edited nor that it was deleted, so those of the last days are listed again and compared.
With an application password also what waits for moderation is read; without one, what everybody sees.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

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
    Length,
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
from services.ingest.networks.items import Items, cut, tombstone
from services.ingest.networks.json_api import Fields, expect_json, list_in, said_in
from services.ingest.networks.relisting import Relisting
from services.ingest.networks.wordpress_comments import (
    as_html,
    digest_of,
    ending_well,
    first_of,
    moment_of,
    number_in,
    parsed_comments,
    rest_api,
    same_words,
    sent_in,
    status_in,
    to_mention,
)
from shared.kit import clock
from shared.rules.plain_text import plain_text

PAGE_SIZE = 100  # the most that WordPress gives
MOST_BYTES = 20_000_000
LAG = timedelta(minutes=10)
RECHECK_EVERY = timedelta(minutes=15)
LOOKED_AFTER = 10  # comments that were missed, asked for one by one
LONGEST = 65_525  # bytes; the column of WordPress's database
POLL_AFTER = timedelta(minutes=1)


class WordpressSettings(ChannelSettings):
    """Which site, and how far back its comments are compared."""

    url: str = Field(
        title="Address of the site", description="Its home page.", pattern=r"^[hH][tT]{2}[pP][sS]?://\S+$", max_length=2_000
    )  # fmt: skip
    api_base: str = Field(
        default="", title="Address of its REST API", description="Where it cannot be found by itself; ends in /wp-json/.",
        pattern=r"^([hH][tT]{2}[pP][sS]?://\S+)?$", max_length=2_000,
    )  # fmt: skip
    history_days: int = Field(default=7, title="Days read back at the start", ge=0, le=3_650)
    recheck_days: int = Field(default=7, title="Days in which edits and deletions are noticed", ge=0, le=90)
    moderates: bool = Field(
        default=True,
        title="Our user may moderate",
        description="Then what waits for moderation is read too, and hidden.",
    )
    hide_as: Literal["hold", "spam"] = Field(default="hold", title="What hiding makes of a comment")
    own_authors: tuple[str, ...] = Field(
        default=(),
        title="Our own authors",
        description="Their user ids (numbers): their comments are no mentions.",
        max_length=200,
    )


class WordpressSecrets(ChannelSecrets):
    """An application password of a user of the site."""

    user: str | None = Field(default=None, title="User name", description="Who answers.", max_length=200)
    application_password: SecretStr | None = Field(
        default=None, title="Application password", description="Made on the user's profile page.", max_length=200
    )


class Wordpress:
    """One site."""

    title: ClassVar[str] = "WordPress comments"
    Settings: ClassVar[type[ChannelSettings]] = WordpressSettings
    Secrets: ClassVar[type[ChannelSecrets]] = WordpressSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST, counted_as="utf8_bytes"),), moderated=True)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = WordpressSettings.model_validate(settings)
        known = WordpressSecrets.model_validate(secrets)
        password = known.application_password
        self._auth = (known.user, password.get_secret_value()) if known.user and password else None
        self._moderates = self._auth is not None and self._settings.moderates
        self._http = http
        self._what = f"WordPress ({urlsplit(self._settings.url).hostname})"

    def own_accounts(self) -> frozenset[str]:
        """The user ids that were set."""
        return frozenset(one.strip().lower() for one in self._settings.own_authors)

    # ---------------------------------------------------------------- reading

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A list of comments, or one comment."""
        whole = parsed_comments(body)
        return Page(**Items().take(whole, lambda one, drift: to_mention(one, drift, at)).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """New comments, the newest first; now and then those of the last days again, for edits and deletions."""
        state = Relisting.of(cursor)
        if not state.place:
            state.place = await self._api()
        now = clock.now()
        if state.missed:
            return await self._look_after(state, now)
        state.begin(
            now, history=timedelta(days=self._settings.history_days), window=timedelta(days=self._settings.recheck_days),
            lag=LAG, every=RECHECK_EVERY,
        )  # fmt: skip
        params = {"per_page": str(PAGE_SIZE), "page": str(state.page), "orderby": "date_gmt", "order": "desc"}
        with reading(self._what):
            answer = await self._http.get(
                f"{state.place}wp/v2/comments",
                params=params | self._seen_by_us(),
                auth=self._auth,
                max_bytes=MOST_BYTES,
            )
        if answer.status == 400 and state.page > 1:  # the list became shorter while it was read
            comments: list[Any] = []
        else:
            comments = list_in(self._expected(answer).body, self._what)
        pages = number_in(answer, "x-wp-totalpages")  # a page may be short: what we may not see is left out of it
        last = len(comments) < PAGE_SIZE if pages is None else state.page >= pages
        items = Items().take(comments, lambda one, drift: state.news(to_mention(one, drift, now), digest_of(one), now))
        more = state.next(over=last)
        return Page(**items.told(), cursor=state.cursor(), has_more=more, poll_after=POLL_AFTER, gaps=state.gaps)

    async def _look_after(self, state: Relisting, now: datetime) -> Page:
        """Asks for those comments that were missing from the list, one by one."""
        gone: list[IncomingMention] = []
        for external_id in state.missed[:LOOKED_AFTER]:
            with reading(self._what):
                answer = await self._http.get(
                    f"{state.place}wp/v2/comments/{external_id}", params=self._context(), auth=self._auth
                )
            hidden = answer.status in (401, 403) and self._auth is None
            if hidden or answer.status in (404, 410) or (answer.status == 200 and status_in(answer) == "trash"):
                gone.append(tombstone({"id": external_id, "deleted": True}, external_id, None, now))
            else:
                self._expected(answer)
            state.forget(external_id)
        state.missed = state.missed[LOOKED_AFTER:]
        return Page(tuple(gone), state.cursor(), has_more=bool(state.missed), poll_after=POLL_AFTER)

    def _expected(self, answer: Answer) -> Answer:
        if answer.status in (401, 403) and self._auth is None:
            raise AskForNewCredential(
                f"{self._what} shows its comments only to its users ({answer.status}). Enter an application password, "
                "or read the feed of its comments with an rss channel."
            )
        return expect_read(answer, self._what)

    def _seen_by_us(self) -> dict[str, str]:
        return {"status": "all", **self._context()} if self._moderates else {}

    def _context(self) -> dict[str, str]:
        return {"context": "edit"} if self._moderates else {}

    async def _api(self) -> str:
        if self._settings.api_base:
            return ending_well(self._settings.api_base)
        return await rest_api(self._http, self._settings.url, self._what, signed=self._auth is not None)

    async def account(self) -> Account:
        """The user whose application password it is; without one, the site."""
        place = await self._api()
        if self._auth is None:
            with reading(self._what):
                found = Fields(expect_json(await self._http.get(place), self._what), "site", {})
            return Account(self._settings.url, cut(found.text("name")) or self._settings.url, url=self._settings.url)
        with reading(self._what):
            answer = await self._http.get(f"{place}wp/v2/users/me", params=self._context(), auth=self._auth)
        found = Fields(expect_json(answer, self._what), "user", {})
        return Account(found.text("id") or "", found.text("name") or self._auth[0], self._auth[0], found.link("link"))

    # ---------------------------------------------------------------- answering

    def idempotency(self) -> Idempotency:
        """What we posted can be looked up below the comment; the same words twice are refused there anyway."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Posts a comment below the comment."""
        auth, place = self._signed(), await self._api()
        post = await self._post_of(reply, place)
        sent = {"post": post, "parent": int(reply.in_reply_to), "content": as_html(reply.text)}
        with replying(self._what):
            answer = await self._http.request("POST", f"{place}wp/v2/comments", json=sent, auth=auth, deadline_s=20.0)
        if answer.status == 409:
            raise SkipThis(f"{self._what} has that very answer already (409). Say it in other words.")
        if answer.status == 403:
            raise AskForNewCredential(f"{self._what} does not let our user comment (403): {said_in(answer, 'message')}")
        expect_posted(answer, self._what, said_in(answer, "message"))
        return sent_in(answer.body, self._what)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our comment below the comment, by its words."""
        auth, place = self._signed(), await self._api()
        params = {"parent": reply.in_reply_to, "per_page": str(PAGE_SIZE), "orderby": "date_gmt", "order": "desc"}
        with reading(self._what):
            answer = await self._http.get(f"{place}wp/v2/comments", params=params | self._seen_by_us(), auth=auth)
        for one in list_in(self._expected(answer).body, self._what):
            found = Fields(one, "comment", {})
            content = found.inside("content")
            said = content.text("raw") or content.text("rendered") or ""
            at = moment_of(found)
            if at and at >= since.replace(microsecond=0) and same_words(plain_text(said), reply.text):
                return Sent(found.text("id") or "", at, found.link("link"))
        return None

    async def _post_of(self, reply: OutgoingReply, place: str) -> int:
        if not reply.in_reply_to.isdigit():
            raise SkipThis("The mention is no comment of this site.")
        raw = first_of(reply.raw) if reply.raw else {}
        post = raw.get("post")
        if isinstance(post, int) and post > 0:
            return post
        with reading(self._what):
            answer = await self._http.get(f"{place}wp/v2/comments/{reply.in_reply_to}", auth=self._auth)
        if answer.status in (404, 410):
            raise SkipThis("The comment has been deleted at the site.")
        post = expect_json(answer, self._what).get("post")
        if not isinstance(post, int):
            raise SkipThis("It is not known under which article the comment stands.")
        return post

    def _signed(self) -> tuple[str, str]:
        if self._auth is None:
            raise AskForNewCredential(f"{self._what} takes answers only from its users. Enter an application password.")
        return self._auth

    # ---------------------------------------------------------------- moderation

    async def hide(self, post: Post) -> None:
        """Takes the comment from view: back into moderation, or to spam."""
        await self._change("POST", post, {"json": {"status": self._settings.hide_as}}, gone_is_fine=False)

    async def unhide(self, post: Post) -> None:
        """Shows the comment again."""
        await self._change("POST", post, {"json": {"status": "approved"}}, gone_is_fine=False)

    async def delete_reply(self, post: Post) -> None:
        """Deletes a comment of ours, past the trash."""
        await self._change("DELETE", post, {"params": {"force": "true"}}, gone_is_fine=True)

    async def _change(self, method: str, post: Post, asked: Mapping[str, Any], *, gone_is_fine: bool) -> None:
        auth, place = self._signed(), await self._api()
        if not post.external_id.isdigit():
            raise SkipThis("It is no comment of this site.")
        with reading(self._what):  # both may be asked again and change nothing more
            answer = await self._http.request(method, f"{place}wp/v2/comments/{post.external_id}", auth=auth, **asked)
        if answer.status in (404, 410):
            if gone_is_fine:
                return
            raise SkipThis("The comment has been deleted at the site.")
        if answer.status == 500 and said_in(answer, "code") == "rest_comment_failed_edit":
            return  # what WordPress answers where nothing changed
        expect_read(answer, self._what)


CHANNEL: type[Channel] = Wordpress
