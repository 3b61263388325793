"""A Matrix homeserver played for tests: sync with its limits, the past of rooms, sending with transaction ids, redaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson

from shared.kit import clock
from tests.venues import Venue, json_of

SERVER = "https://matrix.example"
TOKEN, US = "syt_token", "@care:matrix.example"
ROOM = "!room:matrix.example"


@dataclass
class Room:
    """A room: its events in order, each with its place in the server's stream."""

    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    joined: bool = True


class Homeserver(Venue):
    """One homeserver. Stream tokens are `s<place>`; a sync shows at most `limit` events of a room."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {ROOM: Room()}
        self.place = 0
        self.limit = 10
        self.transactions: dict[tuple[str, str], str] = {}
        self.reported: list[tuple[str, str]] = []

    def says(
        self, body: str = "Mijn router is stuk", *, sender: str = "@klant:matrix.example", room: str = ROOM, at: datetime | None = None,
        kind: str = "m.room.message", told: Mapping[str, Any] | None = None, **more: Any,
    ) -> str:  # fmt: skip
        """Something said in a room; its event id. `told` and `more` go into its content."""
        more |= told or {}
        self.place += 1
        content = {"msgtype": "m.text", "body": body, **more} if kind == "m.room.message" else more
        event = {
            "type": kind, "event_id": f"$event{self.place}", "sender": sender, "content": content,
            "origin_server_ts": round((at or clock.now()).timestamp() * 1000),
        }  # fmt: skip
        self.rooms[room].events.append((self.place, event))
        self.rooms[room].names.setdefault(sender, sender[1:].partition(":")[0].title())
        return f"$event{self.place}"

    def edits(self, event_id: str, body: str, *, sender: str = "@klant:matrix.example") -> str:
        new = {"msgtype": "m.text", "body": body}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        return self.says(f"* {body}", sender=sender, told={"m.new_content": new, "m.relates_to": relation})

    def redacts(self, event_id: str, *, room: str = ROOM, sender: str = "@klant:matrix.example") -> str:
        for _, event in self.rooms[room].events:
            if event["event_id"] == event_id:
                event["content"] = {}
        return self.says(kind="m.room.redaction", sender=sender, room=room, redacts=event_id)

    # ---------------------------------------------------------------- the server

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return httpx.Response(401, json={"errcode": "M_UNKNOWN_TOKEN", "error": "Invalid access token"})
        path = [part for part in request.url.path.removeprefix("/_matrix/client/v3/").split("/") if part]
        params = dict(request.url.params)
        if path == ["sync"]:
            return self.sync(params)
        if path == ["account", "whoami"]:
            return httpx.Response(200, json={"user_id": US, "device_id": "D"})
        room = self.rooms.get(path[1])
        if path[0] != "rooms" or room is None or not room.joined:
            return httpx.Response(403, json={"errcode": "M_FORBIDDEN", "error": "You are not in this room."})
        if path[2] == "messages":
            return self.messages(room, params)
        if path[2] == "event":
            found = next((event for _, event in room.events if event["event_id"] == path[3]), None)
            return httpx.Response(200, json=found) if found else httpx.Response(404, json={"errcode": "M_NOT_FOUND"})
        if path[2] == "send":
            return self.send(path[1], path[4], json_of(request))
        if path[2] == "redact":
            known = self.transactions.setdefault((path[1], path[4]), "") or self.redacts(
                path[3], room=path[1], sender=US
            )
            self.transactions[path[1], path[4]] = known
            return httpx.Response(200, json={"event_id": known})
        assert path[2] == "report"
        self.reported.append((path[3], json_of(request)["reason"]))
        return httpx.Response(200, json={})

    def sync(self, params: dict[str, str]) -> httpx.Response:
        chosen = orjson.loads(params["filter"])["room"]
        wanted, limit = chosen["timeline"]["types"], min(self.limit, chosen["timeline"]["limit"])
        since = int(params["since"][1:]) if "since" in params else 0
        joined = {}
        for name, room in self.rooms.items():
            if not room.joined or ("rooms" in chosen and name not in chosen["rooms"]):
                continue
            new = [(place, event) for place, event in room.events if place > since and event["type"] in wanted]
            shown = new[-limit:]
            if not shown:
                continue
            members = [
                {"type": "m.room.member", "state_key": who, "content": {"membership": "join", "displayname": display}}
                for who, display in room.names.items()
            ]
            joined[name] = {
                "timeline": {
                    "events": [event for _, event in shown], "limited": len(new) > len(shown), "prev_batch": f"s{shown[0][0] - 1}",
                },
                "state": {"events": members},
            }  # fmt: skip
        return httpx.Response(200, json={"next_batch": f"s{self.place}", "rooms": {"join": joined} if joined else {}})

    def messages(self, room: Room, params: dict[str, str]) -> httpx.Response:
        assert params["dir"] == "b"
        wanted = orjson.loads(params["filter"])["types"]
        start, stop = int(params["from"][1:]), int(params.get("to", "s0")[1:])
        found = [(place, event) for place, event in room.events if stop < place <= start and event["type"] in wanted][
            ::-1
        ]
        shown = found[: min(self.limit, int(params["limit"]))]
        told: dict[str, Any] = {"start": params["from"], "chunk": [event for _, event in shown]}
        if len(found) > len(shown):
            told["end"] = f"s{shown[-1][0] - 1}"
        return httpx.Response(200, json=told)

    def send(self, room: str, transaction: str, content: dict[str, Any]) -> httpx.Response:
        if len(orjson.dumps(content)) > 60_000:
            return httpx.Response(413, json={"errcode": "M_TOO_LARGE", "error": "event too large"})
        if (room, transaction) not in self.transactions:
            more = {name: value for name, value in content.items() if name not in ("msgtype", "body")}
            self.transactions[room, transaction] = self.says(content["body"], sender=US, room=room, **more)
        return httpx.Response(200, json={"event_id": self.transactions[room, transaction]})
