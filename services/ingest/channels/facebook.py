"""A Facebook page: comments, visitors' posts, mentions and recommendations of the page, by webhook and by reading back. Answered
in public and, once and within seven days, in private; comments can be hidden, and our own taken away.

A removal is told by webhook only. Hiding is the page's own doing and changes no mention.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

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
    Length,
    OutcomeUnknown,
    OutgoingReply,
    Page,
    Post,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.facebook_events import WWW, kind_of, page_of
from services.ingest.networks.items import payload_in
from services.ingest.networks.meta import Graph, MetaSecrets, PageSettings, WatchDays, ours_among, page_account, sent
from services.ingest.networks.meta_hooks import Hooked, Hooks, entries_in
from services.ingest.networks.meta_sweep import Listing, Sweep
from shared.kit import clock
from shared.models.mention import MentionKind

LONGEST_COMMENT, LONGEST_MESSAGE = 8_000, 2_000  # code points; not in Meta's reference, known from use
PRIVATE_WITHIN_S = 7 * 86_400
_COMMENT = "id,message,from,created_time,parent{id},permalink_url,attachment{type},like_count,comment_count"
_RATING = "created_time,rating,recommendation_type,review_text,reviewer{id,name},open_graph_story{id}"
UNSUPPORTED = "Unsupported"
_POST = "id,message,from,created_time,permalink_url,attachments{type,unshimmed_url}"


class FacebookSettings(PageSettings):
    """Which page."""

    watch_days: WatchDays = 14


class FacebookSecrets(MetaSecrets):
    """A page access token, and the secrets of the app that has it."""


class Facebook(Hooked):
    """One page."""

    title: ClassVar[str] = "Facebook page"
    Settings: ClassVar[type[ChannelSettings]] = FacebookSettings
    Secrets: ClassVar[type[ChannelSecrets]] = FacebookSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    hook_of: ClassVar[str] = "page"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST_COMMENT),)),
        private=ReplyWay(
            lengths=(Length(limit=LONGEST_MESSAGE),), window_s=PRIVATE_WITHIN_S, window_from="published_at", once=True
        ),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = FacebookSettings.model_validate(settings)
        known = FacebookSecrets.model_validate(secrets)
        self._hooks, self._watched = Hooks(known), self._settings.page_id
        self._graph = Graph(self._settings, known, http, "Facebook")

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook, or a page of comments or of recommendations as the Graph API lists them."""
        whole = payload_in(body)
        if isinstance(whole, dict) and isinstance(whole.get("data"), list):
            listed = [{"kind": kind_of(one), "entry": {}, "value": one} for one in whole["data"]]
            return page_of(listed, at)
        return page_of(entries_in(body, "page", "changes"), at)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our page; one delivery may tell of several pages."""
        return page_of(self._of_ours(push, "changes"), at)

    async def page(self, cursor: Cursor | None) -> Page:
        """What stands on the page since it was read before, webhook or not."""
        return await self._step(Sweep.of(cursor, clock.now()))

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was written on the page at `since` or later and stands there still."""
        return await self._step(Sweep.of(cursor, clock.now(), since))

    def idempotency(self) -> Idempotency:
        """Facebook knows no token of ours, but shows what we wrote."""
        return "read_back"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Comments on a comment, a post or a recommendation, as the page."""
        try:
            answer = await self._graph.write(f"{reply.in_reply_to}/comments", {"message": reply.text})
        except SkipThis as refused:
            # Under a recommendation Facebook has been seen to say that it knows no such request, and to take it.
            if reply.kind == MentionKind.REVIEW and UNSUPPORTED in str(refused):
                raise OutcomeUnknown(f"{refused} It may stand there all the same.") from refused
            raise
        return sent(answer, "id", "Facebook", WWW)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Sends the one private message that a comment or a post allows."""
        if reply.kind == MentionKind.REVIEW:
            raise SkipThis("Facebook takes no private message to who recommended the page. Answer in public.")
        to = "post_id" if reply.kind in ("post", "photo", "video") else "comment_id"
        return await self._graph.message(f"{self._settings.page_id}/messages", {to: reply.in_reply_to}, reply.text)

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our comment under what was answered, or our message to its author."""
        if private:
            return await self._graph.find_message(self._settings.page_id, "messenger", reply, since)
        shown = await self._graph.read(
            f"{reply.in_reply_to}/comments",
            {
                "filter": "stream",
                "order": "reverse_chronological",
                "limit": "100",
                "fields": "id,message,from,created_time",
            },
        )
        found = ours_among(shown.items(), self._settings.page_id, reply.text, since, "message", "created_time")
        if found is None and reply.kind == MentionKind.REVIEW:
            raise ChannelBroken("Facebook does not always show what stands under a recommendation; look for it there.")
        return found and Sent(found.external_id, found.sent_at, f"{WWW}{found.external_id}")

    async def hide(self, post: Post) -> None:
        """Hides a comment: only its writer and their friends see it."""
        await self._graph.set(post.external_id, {"is_hidden": True})

    async def unhide(self, post: Post) -> None:
        """Shows it to everybody again."""
        await self._graph.set(post.external_id, {"is_hidden": False})

    async def delete_reply(self, post: Post) -> None:
        """Deletes a comment of ours."""
        await self._graph.remove(post.external_id)

    async def account(self) -> Account:
        """The page whose token it is. Raises ChannelBroken where that is another page."""
        return await page_account(self._graph, self._settings.page_id)

    def own_accounts(self) -> frozenset[str]:
        """The page."""
        return frozenset({self._settings.page_id})

    async def _step(self, sweep: Sweep) -> Page:
        events, read = await sweep.step(self._graph, self._listings())
        return page_of(events, clock.now(), **sweep.stands(read))

    def _listings(self) -> tuple[Listing, ...]:
        order = {"filter": "stream", "order": "reverse_chronological"}
        page, under = self._settings.page_id, "comments.filter(stream).order(reverse_chronological).limit(50)"
        return (
            Listing(
                "feed", f"{page}/feed", f"{_POST},{under}{{{_COMMENT}}}", "created_time",
                timedelta(days=self._settings.watch_days), "comments", _COMMENT, "created_time", under_params=order, timed=True,
            ),
            Listing("tagged", f"{page}/tagged", _POST, "created_time", timed=True),
            Listing("ratings", f"{page}/ratings", _RATING, "created_time", may_be_gone=True),
        )  # fmt: skip


CHANNEL: type[Channel] = Facebook
