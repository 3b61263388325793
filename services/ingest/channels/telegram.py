"""A Telegram bot: messages to it, and in groups and channels those that it may see; by asking or by webhook. Answered where they
stand, as an answer to the very message.

In a group a bot sees only commands, what names it and answers to it, unless its privacy mode is off or it is an administrator.
Telegram tells bots of edits and never of deletions, and shows them no history.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    Channel,
    ChannelBroken,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
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
    TryLater,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.networks.items import from_epoch, payload_in
from services.ingest.networks.json_api import Fields, object_in
from services.ingest.networks.telegram_updates import READ, page_of, permalink_of
from shared.kit import clock

LONGEST_MESSAGE = 4_096  # units of UTF-16, after entities are parsed; we send none
KEPT_FOR = timedelta(hours=24)  # how long Telegram keeps what was not fetched
RENUMBERED_AFTER = timedelta(days=6)  # after a week without updates the next one has any number
POLL_AFTER, LOOK_AFTER = timedelta(seconds=3), timedelta(minutes=10)
MOST_UPDATES = 100


class TelegramSettings(ChannelSettings):
    """How the bot hears."""

    delivery: Literal["poll", "webhook"] = Field(
        default="poll",
        title="How updates come",
        description="Telegram gives them one way only: while a webhook is set, asking is refused.",
    )
    chats: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        title="Chats to listen to",
        description="Their ids, such as -1001234567890. Empty: all.",
    )
    api_base: str = Field(
        default="https://api.telegram.org", title="Address of the Bot API", pattern=r"^https?://[^\s/]+$",
        description="That of a Bot API server of your own, if you run one.",
    )  # fmt: skip


class TelegramSecrets(ChannelSecrets):
    """The bot's token, and what webhooks are checked with."""

    bot_token: SecretStr | None = Field(
        default=None, title="Token of the bot", description="As BotFather gave it: digits, a colon, letters."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, title="Webhook secret", description="The secret_token given to setWebhook."
    )
    former_webhook_secret: SecretStr | None = Field(default=None, title="The webhook secret before, during a change")


class Telegram:
    """One bot."""

    title: ClassVar[str] = "Telegram bot"
    Settings: ClassVar[type[ChannelSettings]] = TelegramSettings
    Secrets: ClassVar[type[ChannelSecrets]] = TelegramSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "channel"  # private chats number messages per bot
    pace: ClassVar[Pace] = Pace(30, 1)
    reply_rules: ReplyRules = ReplyRules(
        public=ReplyWay(lengths=(Length(limit=LONGEST_MESSAGE, counted_as="utf16_units"),)),
        private=ReplyWay(
            lengths=(Length(limit=LONGEST_MESSAGE, counted_as="utf16_units"),), requires=("written_privately",)
        ),
    )

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = TelegramSettings.model_validate(settings)
        known = TelegramSecrets.model_validate(secrets)
        self._token = known.bot_token.get_secret_value().strip() if known.bot_token else ""
        both = (known.webhook_secret, known.former_webhook_secret)
        self._secrets = [one.get_secret_value().encode() for one in both if one and one.get_secret_value()]
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """An update, or an answer of getUpdates."""
        whole = payload_in(body)
        listed = whole.get("result") if isinstance(whole, dict) and "result" in whole else [whole]
        return page_of(listed if isinstance(listed, list) else [], at, frozenset())

    def verify(self, push: Push, at: datetime) -> str:
        """Compares the secret token that Telegram sends along; it signs nothing."""
        given = push.headers.get("x-telegram-bot-api-secret-token", "").encode("utf-8", "replace")
        if not self._secrets:
            raise NotGenuine("This channel has no webhook secret. Enter the secret_token that was given to setWebhook.")
        if not any(hmac.compare_digest(given, one) for one in self._secrets):
            raise NotGenuine("The secret token is not right. Set the webhook again with the one entered here.")
        return hashlib.sha256(push.body).hexdigest()

    def read_push(self, push: Push, at: datetime) -> Page:
        """The update."""
        return page_of([payload_in(push.body)], at, frozenset(self._settings.chats))

    async def page(self, cursor: Cursor | None) -> Page:
        """The next updates. Asking for those after `offset` tells Telegram that the earlier ones were taken in. With a webhook
        there is nothing to ask for; it is looked whether the webhook stands."""
        now, held = clock.now(), dict(cursor or {})
        if self._settings.delivery == "webhook":
            info = Fields((await self._read("getWebhookInfo", {})).get("result"), "webhook", {})
            if not info.text("url"):
                raise ChannelBroken("No webhook is set for the bot. Call setWebhook, or choose the delivery poll.")
            return Page(cursor=held, poll_after=LOOK_AFTER)
        asked: dict[str, Any] = {"timeout": 0, "limit": MOST_UPDATES, "allowed_updates": list(READ)}
        quiet_since = held.get("at")
        if "offset" in held and quiet_since and now.timestamp() - quiet_since < RENUMBERED_AFTER.total_seconds():
            asked["offset"] = held["offset"]
        result = (await self._read("getUpdates", asked)).get("result")
        updates = result if isinstance(result, list) else []
        numbers = [
            number for one in updates if isinstance(number := isinstance(one, dict) and one.get("update_id"), int)
        ]
        if numbers:
            held = {"offset": max(numbers) + 1, "at": int(now.timestamp())}
        return page_of(
            updates, now, frozenset(self._settings.chats), cursor=held,
            has_more=len(updates) >= MOST_UPDATES, poll_after=POLL_AFTER,
        )  # fmt: skip

    def reach(self) -> timedelta | None:
        """Telegram forgets updates after a day."""
        return KEPT_FOR

    def idempotency(self) -> Idempotency:
        """Telegram knows no token of ours and shows bots no history."""
        return "neither"

    async def reply_publicly(self, reply: OutgoingReply) -> Sent:
        """Answers in the group."""
        return await self._send(reply)

    async def reply_privately(self, reply: OutgoingReply) -> Sent:
        """Answers in the chat that the customer began; a bot cannot begin one."""
        return await self._send(reply)

    async def delete_reply(self, post: Post) -> None:
        """Deletes a message of the bot, which Telegram lets it do for two days."""
        chat, _, known = post.external_id.rpartition(":")
        answer = await self._call("deleteMessage", {"chat_id": _number(chat), "message_id": _number(known)})
        if answer.status != 400 or "not found" not in _said(answer):
            self._expect(answer)

    async def account(self) -> Account:
        """The bot."""
        found = Fields((await self._read("getMe", {})).get("result"), "bot", {})
        handle = found.text("username")
        return Account(
            found.text("id") or "", found.text("first_name") or "", handle, handle and f"https://t.me/{handle}"
        )

    def own_accounts(self) -> frozenset[str]:
        """The bot, whose id begins its token."""
        known = self._token.partition(":")[0]
        return frozenset({known}) if known.isdigit() else frozenset()

    async def _send(self, reply: OutgoingReply) -> Sent:
        chat, _, known = reply.in_reply_to.rpartition(":")
        answer = self._expect(
            await self._call(
                "sendMessage",
                {"chat_id": _number(chat), "text": reply.text, "reply_parameters": {"message_id": _number(known)}},
            )
        )
        try:
            result = Fields(object_in(answer.body, "Telegram").get("result"), "result", {})
        except (TryLater, ChannelBroken) as unreadable:
            raise OutcomeUnknown(
                "Telegram answers something that cannot be read and may have taken it."
            ) from unreadable
        taken = result.text("message_id")
        if taken is None:
            raise OutcomeUnknown("Telegram answers without an id and may have taken it.")
        where = Fields(result.value.get("chat"), "chat", {})
        return Sent(f"{chat}:{taken}", from_epoch(result, "date") or clock.now(), permalink_of(where, taken))

    async def _call(self, method: str, asked: Mapping[str, Any]) -> Answer:
        with replying("Telegram"):
            return await self._http.request(
                "POST", f"{self._settings.api_base}/bot{self._token}/{method}", json=dict(asked)
            )

    def _expect(self, answer: Answer) -> Answer:
        said = _said(answer)
        if answer.status == 429:
            raise TryLater(f"Telegram asks us to wait: {said}.", _wait(answer))
        return expect_posted(answer, "Telegram", said)

    async def _read(self, method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        with reading("Telegram"):
            answer = await self._http.request(
                "POST", f"{self._settings.api_base}/bot{self._token}/{method}", json=dict(asked), max_bytes=10_000_000
            )
        if answer.status == 429:
            raise TryLater(f"Telegram asks us to wait: {_said(answer)}.", _wait(answer))
        if answer.status == 409 and "webhook" in _said(answer):
            raise ChannelBroken(
                "A webhook is set for the bot, so asking is refused. Delete it, or choose the delivery webhook."
            )
        if answer.status == 404 and _said(answer):
            raise AskForNewCredential("Telegram knows no bot with this token. Enter it as BotFather gave it.")
        return object_in(expect_read(answer, "Telegram").body, "Telegram")


def _number(known: str) -> int:
    if not known.removeprefix("-").isdigit() or len(known) > 20:
        raise SkipThis("This is no message of Telegram.")
    return int(known)


def _said(answer: Answer) -> str:
    try:
        return (Fields(object_in(answer.body, "Telegram"), "answer", {}).text("description") or "")[:300]
    except (TryLater, ChannelBroken):
        return ""


def _wait(answer: Answer) -> timedelta:
    """As long as Telegram asks, which stands in the body."""
    try:
        told = Fields(object_in(answer.body, "Telegram").get("parameters"), "parameters", {}).count("retry_after")
    except (TryLater, ChannelBroken):
        told = None
    header = answer.headers.get("retry-after", "")
    return timedelta(seconds=min(told or (int(header) if header.isdigit() else 5), 86_400))


CHANNEL: type[Channel] = Telegram
