"""A Discourse forum: its posts by webhook and by reading back, with edits, deletions and recoveries. Answered in the topic, or by a
private message; what breaks the rules can be reported to the forum's moderators.

Posts are numbered; reading goes from the newest number down to where it was before. Edits and deletions of what was read
already are told by webhook.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    HookAnswer,
    HttpClient,
    Idempotency,
    Length,
    NotGenuine,
    OutcomeUnknown,
    OutgoingReply,
    Pace,
    Page,
    Post,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
    expect_posted,
)
from services.ingest.networks.discourse_api import WHAT, DiscourseApi, said_by
from services.ingest.networks.discourse_posts import page_of, said_in
from services.ingest.networks.items import payload_in
from services.ingest.networks.json_api import Fields, moment
from services.ingest.networks.words import Words
from shared.kit import clock
from shared.models.mention import MentionKind

POLL_AFTER = timedelta(minutes=2)
PAGE = 50  # posts on a page, which the forum fixes
MOST_EMPTY = 20  # pages in a row, after which there is nothing below
OVERLAP = 50  # numbers are given before posts can be seen, so the last ones are read again
LONGEST_POST = 32_000  # code points; a setting of the forum (max_post_length), as is the least of 20
NOTIFY_MODERATORS = 7  # the number of that flag
POSTS = frozenset({"post_created", "post_edited", "post_destroyed", "post_recovered"})


class DiscourseSettings(ChannelSettings):
    """Which forum, and what of it."""

    instance: str = Field(
        title="Address of the forum", description="As https://forum.example.com, with its folder if it has one.",
        pattern=r"^https?://[^\s?#]+[^\s?#/]$", max_length=500,
    )  # fmt: skip
    username: str | None = Field(
        default=None, title="Our own account", description="The user in whose name the key writes.", max_length=100
    )
    queries: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        title="What to keep",
        description='Words or "phrases"; a post that holds one is kept. Empty: all.',
    )
    days_back: int = Field(default=7, ge=1, le=365, title="Days of history to read at the start")
    message_title: str = Field(
        default="About your post in our forum",
        min_length=15,
        max_length=200,
        title="Title of the private messages that we send",
    )


class DiscourseSecrets(ChannelSecrets):
    """A key, and what webhooks are checked with."""

    api_key: SecretStr | None = Field(
        default=None, title="API key", description="Of one user. Not needed to read a public forum."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, title="Webhook secret", description="As entered at the forum's webhook."
    )
    former_webhook_secret: SecretStr | None = Field(default=None, title="The webhook secret before, during a change")


class Discourse:
    """One forum."""

    title: ClassVar[str] = "Discourse forum"
    Settings: ClassVar[type[ChannelSettings]] = DiscourseSettings
    Secrets: ClassVar[type[ChannelSecrets]] = DiscourseSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"
    pace: ClassVar[Pace] = Pace(60, 60)  # calls a minute for a key; a setting of the forum
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST_POST),)),
        private=ReplyWay(lengths=(Length(limit=LONGEST_POST),), requires=("author_known",)),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = DiscourseSettings.model_validate(settings)
        known = DiscourseSecrets.model_validate(secrets)
        self._base = self._settings.instance
        headers = {"Accept": "application/json"}
        if known.api_key:
            headers["Api-Key"] = known.api_key.get_secret_value()
            if self._settings.username:
                headers["Api-Username"] = self._settings.username
        self._api = DiscourseApi(self._base, headers, http)
        both = (known.webhook_secret, known.former_webhook_secret)
        self._keys = [one.get_secret_value().encode() for one in both if one and one.get_secret_value()]
        self._words = Words(self._settings.queries) if self._settings.queries else None

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """The body of a webhook, or a page of posts."""
        whole = payload_in(body)
        if isinstance(whole, dict) and isinstance(whole.get("latest_posts"), list):
            return page_of(whole["latest_posts"], at, "")
        return page_of([whole.get("post")] if isinstance(whole, dict) and "post" in whole else [], at, "")

    def verify(self, push: Push, at: datetime) -> str:
        """Checks X-Discourse-Event-Signature over the very bytes."""
        if not self._keys:
            raise NotGenuine("This channel has no webhook secret. Enter the one that stands at the forum's webhook.")
        method, _, given = push.headers.get("x-discourse-event-signature", "").partition("=")
        for key in self._keys:
            right = hmac.digest(key, push.body, hashlib.sha256).hex()
            if method == "sha256" and hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):
                return push.headers.get("x-discourse-event-id", "")[:100] or hashlib.sha256(push.body).hexdigest()
        raise NotGenuine("The signature is not right. Enter the secret that stands at the forum's webhook.")

    def answer_hook(self, push: Push, at: datetime) -> HookAnswer | None:
        """Answers the ping that the forum sends to try the address."""
        if push.headers.get("x-discourse-event-type") != "ping":
            return None
        self.verify(push, at)
        return HookAnswer(body=b"OK")

    def read_push(self, push: Push, at: datetime) -> Page:
        """The post that a delivery is about."""
        event = push.headers.get("x-discourse-event", "")
        whole = payload_in(push.body)
        if not isinstance(whole, dict):
            raise SkipThis("The delivery is not an object.")
        if event not in POSTS:
            return Page()
        words = None if event == "post_destroyed" else self._words
        return page_of([whole.get("post")], at, self._base, event, words)

    async def page(self, cursor: Cursor | None) -> Page:
        """Posts from the newest down to those that were read before."""
        held = dict(cursor or {})
        floor = clock.now() - timedelta(days=self._settings.days_back) if held.get("read") is None else None
        return await self._down(held, floor, held.get("read"))

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """Posts from the newest down to those written at `since`."""
        return await self._down(dict(cursor or {}), since, None)

    def idempotency(self) -> Idempotency:
        """The forum shows what we wrote; a private message is found by the id that we give its topic."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers the post in its topic."""
        above = await self._post(reply.in_reply_to)
        fields = {
            "raw": reply.text,
            "topic_id": above.count("topic_id"),
            "reply_to_post_number": above.count("post_number"),
        }
        return self._sent(await self._api.write("POST", "posts.json", fields))

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Writes a private message to its author, or goes on with the private topic that it stands in."""
        if reply.kind == MentionKind.MESSAGE:
            return await self.reply_publicly(reply)
        if not reply.author_handle:
            raise SkipThis("The forum does not tell who wrote it, so nobody can be written to.")
        fields = {
            "raw": reply.text, "title": self._settings.message_title, "archetype": "private_message",
            "target_recipients": reply.author_handle, "external_id": _topic_id(reply),
        }  # fmt: skip
        return self._sent(await self._api.write("POST", "posts.json", fields))

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our post among the last ones of the topic, or the private topic with the id that we gave it."""
        own_topic = private and reply.kind != MentionKind.MESSAGE
        if own_topic:
            try:
                topic = await self._api.read(f"t/external_id/{_topic_id(reply)}.json", maybe_gone=True)
            except SkipThis:
                return None
        else:
            above = await self._post(reply.in_reply_to)
            topic = await self._api.read(f"t/{above.count('topic_id')}.json")
            ids = Fields(topic.get("post_stream"), "stream", {}).all("stream")[-20:]
            asked = "&".join(f"post_ids[]={one}" for one in ids if isinstance(one, int))
            topic = await self._api.read(f"t/{above.count('topic_id')}/posts.json?{asked}&include_raw=true")
        for one in Fields(topic.get("post_stream"), "stream", {}).each("posts"):
            at = one.moment("created_at")
            own = (one.text("username") or "").casefold() == (self._settings.username or "").casefold()
            said = (one.text("raw") or said_in(one)).split()
            if own and at and at >= since.replace(microsecond=0) and (own_topic or said == reply.text.split()):
                return self._sent(one.value)
        return None

    async def report(self, post: Post, reason: str) -> None:
        """Tells the forum's moderators."""
        known = {"id": int(post.external_id), "post_action_type_id": NOTIFY_MODERATORS, "message": reason}
        await self._api.write("POST", "post_actions.json", known)

    async def delete_reply(self, post: Post) -> None:
        """Deletes a post of ours."""
        answer = await self._api.ask("DELETE", f"posts/{post.external_id}.json", None)
        if answer.status not in (404, 410):
            expect_posted(answer, WHAT, said_by(answer))

    async def account(self) -> Account:
        """The user in whose name the key writes."""
        user = Fields((await self._api.read("session/current.json")).get("current_user"), "user", {})
        handle = user.text("username")
        return Account(
            user.text("id") or "", user.text("name") or handle or "", handle, handle and f"{self._base}/u/{handle}"
        )

    def own_accounts(self) -> frozenset[str]:
        """Our user, by handle."""
        return frozenset({self._settings.username.casefold()}) if self._settings.username else frozenset()

    async def _down(self, held: dict[str, Any], floor: datetime | None, read: int | None) -> Page:
        """The next page on the way down. `top` is the number from which on all is read once the way is gone.

        Forums differ in whether `before` counts itself, and older ones give what of fifty numbers may be seen: an empty page may
        be a hole and no end.
        """
        before, top, empty = held.get("before"), held.get("top"), held.get("empty", 0)
        until = max(0, read - OVERLAP) if read is not None else 0
        found = await self._api.read("posts.json" + (f"?before={before}" if before else ""))
        posts = Fields(found, "answer", {}).all("latest_posts")
        numbers = [one["id"] for one in posts if isinstance(one, dict) and isinstance(one.get("id"), int)]
        times = [at for one in posts if isinstance(one, dict) and (at := moment(one.get("created_at")))]
        top = max([top or read or 0, *numbers])
        lowest = min(numbers, default=before or 0)
        if before is None or lowest < before:
            empty = 0
        else:  # nothing below was shown
            lowest, empty = before - (PAGE - 1), empty + 1
        old = floor is not None and (empty > MOST_EMPTY or (bool(times) and max(times) < floor))
        over = lowest <= until + 1 or old
        if floor is not None:
            posts = [
                one for one in posts if not isinstance(one, dict) or (moment(one.get("created_at")) or floor) >= floor
            ]
        seen = before if before and not held.get("empty") else top + 1
        posts = [one for one in posts if not isinstance(one, dict) or until < _number(one, until + 1) < seen]
        following = {"read": top} if over else {"read": read, "before": lowest, "top": top, "empty": empty or None}
        return page_of(
            posts, clock.now(), self._base, words=self._words, cursor={name: one for name, one in following.items() if one is not None},
            has_more=not over, poll_after=POLL_AFTER if over else None,
        )  # fmt: skip

    async def _post(self, known: str) -> Fields:
        if not known.isdigit():
            raise SkipThis("This is no post of the forum.")
        return Fields(await self._api.read(f"posts/{known}.json", maybe_gone=True), "post", {})

    def _sent(self, taken: Mapping[str, Any]) -> Sent:
        """What was taken. A post that waits for a moderator has no number of its own yet."""
        post = Fields(taken, "post", {})
        waiting = post.inside("pending_post").text("id") if post.text("action") == "enqueued" else None
        known = post.text("id")
        if waiting is not None:
            return Sent(f"pending-{waiting}", clock.now())
        if known is None:
            raise OutcomeUnknown(f"{WHAT} answers without an id and may have taken it.")
        path = post.text("post_url") or f"/p/{known}"
        return Sent(known, post.moment("created_at") or clock.now(), f"{self._base}{path}")


def _number(post: Mapping[str, Any], otherwise: int) -> int:
    known = post.get("id")
    return known if isinstance(known, int) else otherwise


def _topic_id(reply: OutgoingReply) -> str:
    """The id that we give a private topic: letters, digits, - and _, at most 50."""
    return "".join(one for one in reply.token if one.isascii() and (one.isalnum() or one in "-_"))[:50]


CHANNEL: type[Channel] = Discourse
