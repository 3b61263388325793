"""A professional Instagram account: comments under its posts, mentions of it and direct messages, by webhook and by reading back.
Comments are answered in public, one level deep, and once and within seven days in private; direct messages within 24 hours of
the customer's last. Comments can be hidden, and our own taken away.

The webhook of a mention holds ids only; it comes in with a title that says so, and its words are asked for.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from services.ingest.channel import (
    Account,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HttpClient,
    Idempotency,
    IncomingMention,
    Length,
    OutgoingReply,
    Page,
    Post,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.instagram_events import is_message, kind_of, named_in, page_of, whole_of
from services.ingest.networks.items import payload_in
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import Graph, MetaSecrets, MetaSettings, WatchDays, ours_among, sent
from services.ingest.networks.meta_hooks import Hooked, Hooks, entries_in
from services.ingest.networks.meta_messages import PUSHED, conversations
from services.ingest.networks.meta_sweep import Listing, Sweep
from shared.kit import clock
from shared.models.mention import MentionKind

LONGEST_COMMENT = 2_200  # code points; not in Meta's reference, known from use
LONGEST_MESSAGE = 1_000  # bytes of UTF-8
PRIVATE_WITHIN_S = 7 * 86_400
WINDOW_S = 86_400
_REPLY = "id,text,timestamp,from,username,like_count"
_TAGGED = "id,caption,media_type,permalink,timestamp,username,like_count"
_COMMENT = f"{_REPLY},replies.limit(50){{{_REPLY}}}"


class InstagramSettings(MetaSettings):
    """Which account."""

    account_id: str = Field(
        title="Id of the account", pattern=r"^\d{1,32}$",
        description="Of the professional account, as the Graph API gives it (instagram_business_account); digits.",
    )  # fmt: skip
    handle: str | None = Field(
        default=None,
        title="Handle of the account",
        description="Without the @. Our own comments are known by it.",
        max_length=60,
    )
    watch_days: WatchDays = 14
    direct_messages: bool = Field(
        default=True,
        title="Read direct messages",
        description="They need the permission for messages; comments do not.",
    )


class InstagramSecrets(MetaSecrets):
    """A token of the account, and the secrets of the app that has it."""


class Instagram(Hooked):
    """One account."""

    title: ClassVar[str] = "Instagram"
    Settings: ClassVar[type[ChannelSettings]] = InstagramSettings
    Secrets: ClassVar[type[ChannelSecrets]] = InstagramSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    hook_of: ClassVar[str] = "instagram"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST_COMMENT),)),
        private=ReplyWay(
            lengths=(Length(limit=LONGEST_MESSAGE, counted_as="utf8_bytes"),),
            window_s=PRIVATE_WITHIN_S, window_from="published_at", once=True,
        ),
        in_private=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE, counted_as="utf8_bytes"),), window_s=WINDOW_S),
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = InstagramSettings.model_validate(settings)
        known = InstagramSecrets.model_validate(secrets)
        self._handle = (self._settings.handle or "").strip().removeprefix("@").lower() or None
        self._hooks, self._watched = Hooks(known), self._settings.account_id
        self._graph = Graph(self._settings, known, http, "Instagram")

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook, or a page of comments, of posts that tag us, or of messages, as the Graph API lists them."""
        whole = payload_in(body)
        if isinstance(whole, dict) and isinstance(whole.get("data"), list):
            return page_of([{"kind": kind_of(one), "entry": {}, "value": one} for one in whole["data"]], at)
        return page_of(entries_in(body, "instagram", "changes", *PUSHED), at)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our account; one delivery may tell of several accounts."""
        told = self._of_ours(push, "changes", *PUSHED)
        return page_of([one for one in told if self._settings.direct_messages or not is_message(one)], at)

    async def page(self, cursor: Cursor | None) -> Page:
        """What stands under our posts since they were read before, the posts in which we are tagged, and direct messages."""
        return await self._step(Sweep.of(cursor, clock.now()))

    async def complete(self, mention: IncomingMention) -> IncomingMention | None:
        """The words of a comment or post in which we were named. Raises SkipThis where Instagram does not show it."""
        one = mention.external_id
        if not one.isdecimal():
            return None
        asked = (
            f"mentioned_media.media_id({one}){{{_TAGGED}}}"
            if mention.kind == MentionKind.POST
            else f"mentioned_comment.comment_id({one}){{id,text,timestamp,username,like_count,media{{id,permalink}}}}"
        )
        read = await self._graph.read(self._settings.account_id, {"fields": asked}, maybe_gone=True)
        try:
            return whole_of(read.found, mention, clock.now())
        except ValidationError:
            return None  # it shows nothing that could be a mention

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was written at `since` or later and stands there still."""
        return await self._step(Sweep.of(cursor, clock.now(), since))

    def idempotency(self) -> Idempotency:
        """Instagram knows no token of ours, but shows what we wrote."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers a comment (an answer to an answer lands below the same comment), or one in which we were named elsewhere."""
        where = named_in(reply)
        if where is None:
            answer = await self._graph.write(f"{reply.in_reply_to}/replies", {"message": reply.text})
        else:
            answer = await self._graph.write(f"{self._settings.account_id}/mentions", {**where, "message": reply.text})
        return sent(answer, "id", "Instagram")

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers a direct message; or sends the one private message that a comment allows."""
        if named_in(reply) is not None:
            raise SkipThis("Instagram takes a private message only to who commented under our own posts.")
        path = f"{self._settings.account_id}/messages"
        if reply.kind == MentionKind.MESSAGE:
            if not reply.author_external_id:
                raise SkipThis("Instagram does not tell who wrote it, so nobody can be answered.")
            return await self._graph.message(path, {"id": reply.author_external_id}, reply.text)
        return await self._graph.message(path, {"comment_id": reply.in_reply_to}, reply.text)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our answer below the comment, or our message to its author."""
        account = self._settings.account_id
        if private:
            return await self._graph.find_message(account, "instagram", reply, since)
        if named_in(reply) is not None:
            raise ChannelBroken("Instagram does not show us what stands under posts of others; look for it there.")
        above = Fields((await self._graph.read(reply.in_reply_to, {"fields": "id,parent_id"})).found, "comment", {})
        below = f"{above.text('parent_id') or reply.in_reply_to}/replies"
        after: str | None = None
        for _ in range(10):  # answers stand oldest first
            asked = {"fields": _REPLY, "limit": "100", **({"after": after} if after else {})}
            shown = await self._graph.read(below, asked)
            found = ours_among(shown.items(), account, reply.text, since, "text", "timestamp", self._handle)
            after = shown.after()
            if found is not None or after is None:
                return found
        raise ChannelBroken("There are too many answers below this comment; look for it at Instagram.")

    async def hide(self, post: Post) -> None:
        """Hides a comment under a post of ours."""
        await self._graph.set(post.external_id, {"hide": True})

    async def unhide(self, post: Post) -> None:
        """Shows it again."""
        await self._graph.set(post.external_id, {"hide": False})

    async def delete_reply(self, post: Post) -> None:
        """Deletes a comment of ours."""
        await self._graph.remove(post.external_id)

    async def account(self) -> Account:
        """The account, as the token may see it."""
        read = await self._graph.read(self._settings.account_id, {"fields": "id,username,name"})
        found = Fields(read.found, "account", {})
        handle = found.text("username")
        url = f"https://www.instagram.com/{handle}/" if handle else None
        return Account(self._settings.account_id, found.text("name") or handle or "", handle, url)

    def own_accounts(self) -> frozenset[str]:
        """The account, by id and handle."""
        return frozenset({self._settings.account_id, *([self._handle] if self._handle else [])})

    async def _step(self, sweep: Sweep) -> Page:
        account, watched = self._settings.account_id, timedelta(days=self._settings.watch_days)
        listings = (
            Listing(
                "media", f"{account}/media", f"id,timestamp,permalink,comments_count,comments.limit(50){{{_COMMENT}}}",
                "timestamp", watched, "comments", _COMMENT, "timestamp", "comments_count",
            ),
            Listing("tags", f"{account}/tags", _TAGGED, "timestamp"),
            *([conversations(account, "instagram")] if self._settings.direct_messages else ()),
        )  # fmt: skip
        events, read = await sweep.step(self._graph, listings)
        return page_of(events, clock.now(), **sweep.stands(read))


CHANNEL: type[Channel] = Instagram
