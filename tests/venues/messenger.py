"""Messenger of a page, played: conversations, the window of 24 hours, echoes, edits, deletions, webhooks."""

from typing import Any

import httpx

from services.ingest.channel import Push
from tests.venues.graph import NOON, GraphVenue, delivery, error, iso

PAGE = "500"
DAY = 86_400


class MessengerVenue(GraphVenue):
    """One page and its conversations."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.talks: dict[str, list[dict[str, Any]]] = {}

    def says(
        self, who: str, text: str, ago: float = 0, ours: bool = False, attachments: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        said = {
            "mid": f"m_{self.next_id()}",
            "text": text,
            "at": self.now - ago,
            "who": who,
            "ours": ours,
            "attachments": attachments,
        }
        self.talks.setdefault(who, []).append(said)
        return said

    def event(self, said: dict[str, Any], **more: Any) -> dict[str, Any]:
        message: dict[str, Any] = {"mid": said["mid"], **({"text": said["text"]} if said["text"] else {})}
        if said["attachments"]:
            message["attachments"] = [
                {"type": kind, "payload": {"url": f"https://cdn.fbsbx.com/{number}?oe=1"}}
                for number, kind in enumerate(said["attachments"])
            ]
        if said["ours"]:
            message |= {"is_echo": True, "app_id": 9}
        return {**self._around(said), "message": {**message, **more}}

    def edited(self, said: dict[str, Any], text: str) -> dict[str, Any]:
        said["text"] = text
        edit = {"mid": said["mid"], "text": text, "num_edit": 1}
        return {**self._around(said), "timestamp": int(self.now * 1000), "message_edit": edit}

    def _around(self, said: dict[str, Any]) -> dict[str, Any]:
        sides = (said["who"], PAGE) if not said["ours"] else (PAGE, said["who"])
        return {"sender": {"id": sides[0]}, "recipient": {"id": sides[1]}, "timestamp": int(said["at"] * 1000)}

    def tells(self, *events: dict[str, Any], page: str = PAGE, kind: str = "messaging") -> Push:
        return delivery("page", {"id": page, "time": int(self.now * 1000), kind: list(events)})

    def called(self, method: str, path: list[str], asked: dict[str, Any]) -> httpx.Response:
        match method, path:
            case "GET", ["me"]:
                return httpx.Response(200, json={"id": PAGE, "name": "Acme"})
            case "GET", ["500", "conversations"]:
                assert asked["platform"] == "messenger"
                mine = {who: talk for who, talk in self.talks.items() if asked.get("user_id", who) == who}
                newest = sorted(mine, key=lambda who: -max(one["at"] for one in mine[who]))
                return httpx.Response(200, json=self.listed([self._talk(who) for who in newest], asked))
            case "GET", [talk, "messages"]:
                return httpx.Response(200, json=self.listed(self._messages(talk.removeprefix("t_")), asked))
            case "POST", ["500", "messages"]:
                return self._send(asked)
        raise AssertionError(f"{method} {path} is not Messenger's")

    def _send(self, asked: dict[str, Any]) -> httpx.Response:
        assert asked["messaging_type"] == "RESPONSE"
        assert "tag" not in asked
        who, text = asked["recipient"]["id"], asked["message"]["text"]
        theirs = [one["at"] for one in self.talks.get(who, ()) if not one["ours"]]
        if not theirs:
            return error(100, "No matching user found", 2018001)
        if self.now - max(theirs) >= DAY:
            return error(10, "(#10) This message is sent outside of allowed window.", 2018278)
        if len(text) > 2000:
            return error(100, "(#100) Length of param message[text] must be less than or equal to 2000")
        return httpx.Response(200, json={"recipient_id": who, "message_id": self.says(who, text, ours=True)["mid"]})

    def _talk(self, who: str) -> dict[str, Any]:
        updated = max(one["at"] for one in self.talks[who])
        return {
            "id": f"t_{who}",
            "updated_time": iso(updated),
            "messages": self.listed(self._messages(who), {"limit": "25"}),
        }

    def _messages(self, who: str) -> list[dict[str, Any]]:
        sides = {True: {"id": PAGE, "name": "Acme"}, False: {"id": who, "name": "Klant"}}
        mimes = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg", "file": "application/pdf"}
        shown = []
        for one in sorted(self.talks[who], key=lambda one: -one["at"]):
            files = [{"id": str(place), "mime_type": mimes[kind]} for place, kind in enumerate(one["attachments"])]
            shown.append(
                {
                    "id": one["mid"], "message": one["text"], "from": sides[one["ours"]], "to": {"data": [sides[not one["ours"]]]},
                    "created_time": iso(one["at"]), **({"attachments": {"data": files}} if files else {}),
                }
            )  # fmt: skip
        return shown
