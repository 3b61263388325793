"""Telegram's Bot API, played: updates that are kept until they are confirmed, one way of delivery, answers with their rules."""

import json
from typing import Any

import httpx

from services.ingest.channel import Push
from tests.ingest.site import NOON
from tests.venues import Venue

BOT, TOKEN, SECRET = 9000001, "9000001:AAE-secret", "hook-secret_1"
SECRETS = {"bot_token": TOKEN, "webhook_secret": SECRET}
GROUP = {"id": -1001234567890, "type": "supergroup", "title": "Acme hulp", "username": "acmehulp"}
DAY = 86_400


class TelegramVenue(Venue):
    """One bot and the chats it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.updates: list[dict[str, Any]] = []
        self.number, self.message_id = 100, 500
        self.webhook = ""
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}
        self.blocked: set[int] = set()

    # ---- what people do

    def private(self, who: int = 42) -> dict[str, Any]:
        return {"id": who, "type": "private", "first_name": "Klant"}

    def says(self, text: str, chat: dict[str, Any] | None = None, who: int = 42, **more: Any) -> dict[str, Any]:
        self.message_id += 1
        chat = chat or self.private(who)
        message = {
            "message_id": self.message_id, "from": {"id": who, "is_bot": False, "first_name": "Klant"}, "chat": chat,
            "date": int(self.now), "text": text, **more,
        }  # fmt: skip
        self.messages[chat["id"], self.message_id] = message
        return self._tell("message", message)

    def edits(self, update: dict[str, Any], text: str) -> dict[str, Any]:
        message = update["message"] | {"text": text, "edit_date": int(self.now) + 1}
        return self._tell("edited_message", message)

    def _tell(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        update = {"update_id": self.number, kind: dict(message)}
        self.updates.append(update | {"at": self.now})
        return update

    def push(self, update: dict[str, Any], secret: str = SECRET) -> Push:
        return Push("POST", {"x-telegram-bot-api-secret-token": secret}, json.dumps(update).encode())

    # ---- the API

    def answer(self, request: httpx.Request) -> httpx.Response:
        _, bot, method = request.url.path.split("/")
        if bot != f"bot{TOKEN}":
            return no(404, "Not Found") if ":" not in bot else no(401, "Unauthorized")
        asked = json.loads(request.content)
        match method:
            case "getMe":
                return ok({"id": BOT, "is_bot": True, "first_name": "Acme bot", "username": "acmebot"})
            case "getWebhookInfo":
                return ok({"url": self.webhook, "pending_update_count": 0})
            case "getUpdates":
                return self._updates(asked)
            case "sendMessage":
                return self._send(asked)
            case "deleteMessage":
                known = (asked["chat_id"], asked["message_id"])
                if known not in self.messages:
                    return no(400, "Bad Request: message to delete not found")
                if self.now - self.messages[known]["date"] > 2 * DAY:
                    return no(400, "Bad Request: message can't be deleted")
                del self.messages[known]
                return ok(True)
        raise AssertionError(f"{method} is not Telegram's")

    def _updates(self, asked: dict[str, Any]) -> httpx.Response:
        if self.webhook:
            return no(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        assert "edited_message" in asked["allowed_updates"]
        self.updates = [
            one for one in self.updates
            if self.now - one["at"] < DAY and one["update_id"] >= asked.get("offset", 0)
        ]  # fmt: skip
        kept = [one for one in self.updates if any(kind in one for kind in asked["allowed_updates"])]
        return ok([{name: told for name, told in one.items() if name != "at"} for one in kept[: asked["limit"]]])

    def _send(self, asked: dict[str, Any]) -> httpx.Response:
        chat, text = asked["chat_id"], asked["text"]
        assert isinstance(chat, int)
        if chat in self.blocked:
            return no(403, "Forbidden: bot was blocked by the user")
        if not any(known[0] == chat for known in self.messages):
            return no(400, "Bad Request: chat not found")
        if (chat, asked["reply_parameters"]["message_id"]) not in self.messages:
            return no(400, "Bad Request: message to be replied not found")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return no(400, "Bad Request: message is too long")
        self.message_id += 1
        sent = {
            "message_id": self.message_id, "chat": GROUP if chat == GROUP["id"] else self.private(chat),
            "date": int(self.now), "text": text, "reply_to": asked["reply_parameters"]["message_id"],
        }  # fmt: skip
        self.messages[chat, self.message_id] = sent
        return ok(sent)


def ok(result: Any) -> httpx.Response:
    return httpx.Response(200, json={"ok": True, "result": result})


def no(code: int, description: str, **parameters: int) -> httpx.Response:
    told = {
        "ok": False,
        "error_code": code,
        "description": description,
        **({"parameters": parameters} if parameters else {}),
    }
    return httpx.Response(code, json=told)
