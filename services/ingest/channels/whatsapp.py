"""A WhatsApp number, by Meta's Cloud API: messages by webhook, with what they answer and what is attached. Answered in private,
within 24 hours of the customer's last message; later by a template, where one is set, else the answer is refused with its reason.

WhatsApp shows nobody what was written before: what the webhook did not bring is not to be had.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from services.ingest.channel import (
    Account,
    Channel,
    ChannelSecrets,
    ChannelSettings,
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
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import Graph, MetaSecrets, MetaSettings, sent
from services.ingest.networks.meta_hooks import Hooked, Hooks, entries_in
from services.ingest.networks.whatsapp_events import events_in, number_of, page_of
from shared.kit import clock

LONGEST_MESSAGE = 4_096  # code points
LONGEST_VARIABLE = 1_024  # of a template; its fixed words count too. From general knowledge
WINDOW_S = 86_400


class WhatsappSettings(MetaSettings):
    """Which number."""

    phone_number_id: str = Field(
        title="Phone number ID",
        description="The id that Meta gives the number, not the number itself.",
        pattern=r"^\d{1,32}$",
    )
    reopening_template: str | None = Field(
        default=None, title="Template for answers after 24 hours", pattern=r"^[a-z0-9_]{1,512}$",
        description="Its name at Meta. Its body has one variable, which the answer becomes. Meta charges for each.",
    )  # fmt: skip
    reopening_language: str = Field(
        default="en", title="Language of that template", description="As Meta writes it: nl, en_US.",
        pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$",
    )  # fmt: skip
    link_previews: bool = Field(default=False, title="Show previews of links in our answers")


class WhatsappSecrets(MetaSecrets):
    """A system user's token, and the secrets of the app that has it."""


class Whatsapp(Hooked):
    """One number."""

    title: ClassVar[str] = "WhatsApp"
    Settings: ClassVar[type[ChannelSettings]] = WhatsappSettings
    Secrets: ClassVar[type[ChannelSecrets]] = WhatsappSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    hook_of: ClassVar[str] = "whatsapp_business_account"
    display_rules: ClassVar[DisplayRules] = DisplayRules(delete_on_request=True)  # general knowledge
    reply_rules: ReplyRules = ReplyRules(
        private=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE),), requires=("written_privately",), window_s=WINDOW_S)
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = WhatsappSettings.model_validate(settings)
        known = WhatsappSecrets.model_validate(secrets)
        self._hooks, self._watched = Hooks(known), self._settings.phone_number_id
        self._graph = Graph(self._settings, known, http, "WhatsApp")
        if self._settings.reopening_template and self.reply_rules.private:
            always = self.reply_rules.private.model_copy(update={"window_s": None})
            self.reply_rules = ReplyRules(private=always)

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A delivery to the webhook."""
        return page_of(list(events_in(body, None)), at)

    def read_push(self, push: Push, at: datetime) -> Page:
        """What a delivery tells of our number: messages, and what became of ours."""
        return page_of(list(events_in(push.body, self._settings.phone_number_id)), at)

    def told_of(self, push: Push) -> frozenset[str]:
        """The ids of the numbers that a delivery tells of."""
        changes = entries_in(push.body, self.hook_of, "changes")
        return frozenset(one for change in changes if (one := number_of(change)) is not None)

    def idempotency(self) -> Idempotency:
        """WhatsApp knows no token that stops a repeat, and shows nothing of what it took."""
        return "neither"

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers the message, which is quoted; or, when the window is shut, by the template. Our token comes back with what is
        told of its delivery."""
        if not reply.author_external_id:
            raise SkipThis("WhatsApp does not tell who wrote it, so nobody can be answered.")
        answer = await self._graph.write(
            f"{self._settings.phone_number_id}/messages",
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": reply.author_external_id,
                **(self._template(reply) or self._text(reply)),
                "biz_opaque_callback_data": reply.token,
            },
        )
        taken = answer.get("messages")
        first = taken[0] if isinstance(taken, list) and taken and isinstance(taken[0], dict) else {}
        return sent(first, "id", "WhatsApp")

    def _text(self, reply: OutgoingReply) -> dict[str, Any]:
        return {
            "type": "text",
            "text": {"body": reply.text, "preview_url": self._settings.link_previews},
            "context": {"message_id": reply.in_reply_to},
        }

    def _template(self, reply: OutgoingReply) -> dict[str, Any] | None:
        """The answer as the variable of the template, which holds no line breaks; None as long as the window is open."""
        name, heard_at = self._settings.reopening_template, reply.last_inbound_at
        if name is None or heard_at is None or clock.now() - heard_at < timedelta(seconds=WINDOW_S):
            return None
        said = " ".join(reply.text.split())
        if len(said) > LONGEST_VARIABLE:
            raise SkipThis(
                f"After 24 hours WhatsApp takes {LONGEST_VARIABLE} characters of an answer, in a template; this one has {len(said)}."
            )
        return {
            "type": "template",
            "template": {
                "name": name,
                "language": {"code": self._settings.reopening_language},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": said}]}],
            },
        }

    async def account(self) -> Account:
        """The number."""
        fields = {"fields": "id,display_phone_number,verified_name"}
        found = Fields((await self._graph.read(self._settings.phone_number_id, fields)).found, "number", {})
        return Account(
            self._settings.phone_number_id, found.text("verified_name") or "", found.text("display_phone_number")
        )

    def own_accounts(self) -> frozenset[str]:
        """The number."""
        return frozenset({self._settings.phone_number_id})


CHANNEL: type[Channel] = Whatsapp
