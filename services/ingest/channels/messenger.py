"""Messenger of a Facebook page: messages by webhook and by reading back, their edits and deletions. Answered in private, within
24 hours of the customer's last message; later the answer is refused with its reason, and no message tag is used to get round.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Literal

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HttpClient,
    Idempotency,
    Length,
    OutgoingReply,
    Page,
    Push,
    ReplyRules,
    ReplyWay,
    Sent,
    SkipThis,
)
from services.ingest.networks.items import Items, payload_in
from services.ingest.networks.meta import Graph, MetaSecrets, PageSettings, page_account
from services.ingest.networks.meta_hooks import Hooked, Hooks, entries_in
from services.ingest.networks.meta_messages import LISTED, PUSHED, conversations, to_mention
from services.ingest.networks.meta_sweep import Sweep
from shared.kit import clock

LONGEST_MESSAGE = 2_000  # code points, as Meta's page on sending says
WINDOW_S = 86_400


class MessengerSettings(PageSettings):
    """Which page."""


class MessengerSecrets(MetaSecrets):
    """A page access token, and the secrets of the app that has it."""


class Messenger(Hooked):
    """The conversations of one page."""

    title: ClassVar[str] = "Messenger"
    Settings: ClassVar[type[ChannelSettings]] = MessengerSettings
    Secrets: ClassVar[type[ChannelSecrets]] = MessengerSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    hook_of: ClassVar[str] = "page"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        private=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE),), requires=("written_privately",), window_s=WINDOW_S)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = MessengerSettings.model_validate(settings)
        known = MessengerSecrets.model_validate(secrets)
        self._hooks, self._watched = Hooks(known), self._settings.page_id
        self._graph = Graph(self._settings, known, http, "Messenger")

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook, or a page of messages as the Graph API lists them."""
        whole = payload_in(body)
        if isinstance(whole, dict) and isinstance(whole.get("data"), list):
            return _page([{"kind": LISTED, "entry": {}, "value": one} for one in whole["data"]], at)
        return _page(entries_in(body, "page", *PUSHED), at)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our page; one delivery may tell of several pages."""
        return _page(self._of_ours(push, *PUSHED), at)

    async def page(self, cursor: Cursor | None) -> Page:
        """What was written in the page's conversations since they were read before, webhook or not."""
        return await self._step(Sweep.of(cursor, clock.now()))

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was written at `since` or later."""
        return await self._step(Sweep.of(cursor, clock.now(), since))

    def idempotency(self) -> Idempotency:
        """Messenger knows no token of ours, but shows what we wrote."""
        return "read_back"

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers in the conversation. Raises SkipThis where the 24 hours are over."""
        if not reply.author_external_id:
            raise SkipThis("Messenger does not tell who wrote it, so nobody can be answered.")
        path, to = f"{self._settings.page_id}/messages", {"id": reply.author_external_id}
        return await self._graph.message(path, to, reply.text, messaging_type="RESPONSE")

    async def find_reply(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our message in the conversation."""
        return await self._graph.find_message(self._settings.page_id, "messenger", reply, since)

    async def account(self) -> Account:
        """The page whose token it is. Raises ChannelBroken where that is another page."""
        return await page_account(self._graph, self._settings.page_id)

    def own_accounts(self) -> frozenset[str]:
        """The page: what it wrote comes back as an echo, from us or from another tool."""
        return frozenset({self._settings.page_id})

    async def _step(self, sweep: Sweep) -> Page:
        events, read = await sweep.step(self._graph, (conversations(self._settings.page_id, "messenger"),))
        return _page(events, clock.now(), **sweep.stands(read))


def _page(events: list[dict[str, Any]], at: datetime, **more: Any) -> Page:
    return Page(**Items().take(events, partial(to_mention, at=at)).told(), **more)


CHANNEL: type[Channel] = Messenger
