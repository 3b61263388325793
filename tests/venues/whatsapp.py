"""A WhatsApp number at Meta's Cloud API, played: messages, statuses, the window of 24 hours and templates after it,
webhooks."""

from typing import Any

import httpx

from services.ingest.channel import Push
from tests.venues.graph import NOON, GraphVenue, delivery, error

NUMBER = "106540000000000"
DAY = 86_400


class WhatsappVenue(GraphVenue):
    """One number and who wrote to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.heard: dict[str, float] = {}
        self.sent: list[dict[str, Any]] = []
        self.templates = {("answer_later", "nl")}
        self.known: set[str] = set()

    def says(self, who: str, type_: str = "text", ago: float = 0, **part: Any) -> dict[str, Any]:
        known = f"wamid.{self.next_id()}"
        self.known.add(known)
        self.heard[who] = max(self.heard.get(who, 0), self.now - ago)
        return {"from": who, "id": known, "timestamp": str(int(self.now - ago)), "type": type_, **part}

    def tells(self, *messages: Any, number: str = NUMBER, **more: Any) -> Push:
        value = {
            "messaging_product": "whatsapp", "metadata": {"display_phone_number": "31201234567", "phone_number_id": number},
            "contacts": [{"profile": {"name": "Klánt"}, "wa_id": "31612345678"}], "messages": list(messages), **more,
        }  # fmt: skip
        return delivery(
            "whatsapp_business_account", {"id": "200100", "changes": [{"field": "messages", "value": value}]}
        )

    def called(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "GET", [number] if number == NUMBER:
                return httpx.Response(
                    200, json={"id": NUMBER, "display_phone_number": "+31 20 123 4567", "verified_name": "Acme"}
                )
            case "POST", [number, "messages"] if number == NUMBER:
                return self._send(asked)
        raise AssertionError(f"{method} {path} is not WhatsApp's")

    def _send(self, asked: dict[str, Any]) -> httpx.Response:
        assert asked["messaging_product"] == "whatsapp"
        if asked["type"] == "template":
            return self._send_template(asked)
        assert asked["type"] == "text"
        assert asked["context"]["message_id"] in self.known
        if len(asked["text"]["body"]) > 4096:
            return error(100, "Param text['body'] must be at most 4096 characters long.")
        if self.now - self.heard.get(asked["to"], 0) >= DAY:
            return error(131047, "Re-engagement message")
        return self._taken(asked)

    def _send_template(self, asked: dict[str, Any]) -> httpx.Response:
        template = asked["template"]
        if (template["name"], template["language"]["code"]) not in self.templates:
            return error(132001, "(#132001) Template name does not exist in the translation", status=404)
        (body,) = template["components"]
        (variable,) = body["parameters"]
        if "\n" in variable["text"] or "\t" in variable["text"] or "    " in variable["text"]:
            return error(132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
        return self._taken(asked)

    def _taken(self, asked: dict[str, Any]) -> httpx.Response:
        known = f"wamid.{self.next_id()}"
        self.sent.append({"id": known, **asked})
        return httpx.Response(
            200,
            json={"messaging_product": "whatsapp", "messages": [{"id": known}], "contacts": [{"wa_id": asked["to"]}]},
        )
