"""A Discourse forum, played: numbered posts, topics of two kinds, its least and most length, signed webhooks, 429 in the body."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx

from services.ingest.channel import Push
from tests.ingest.site import NOON
from tests.venues import Venue

BASE, KEY, SECRET, US = "https://forum.example", "an-api-key", "a-webhook-secret", "acme"
SECRETS = {"api_key": KEY, "webhook_secret": SECRET}


class DiscourseVenue(Venue):
    """One forum."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON.timestamp()
        self.posts: dict[int, dict[str, Any]] = {}
        self.topics: dict[int, dict[str, Any]] = {}
        self.last, self.flags, self.moderates, self.version = 100, list[dict[str, Any]](), False, "numbers"

    # ---- what people do there

    def topic(self, title: str, archetype: str = "regular", external_id: str | None = None) -> int:
        known = 70 + len(self.topics)
        self.topics[known] = {"title": title, "archetype": archetype, "external_id": external_id}
        return known

    def post(
        self,
        topic: int,
        text: str,
        by: str = "sanne",
        ago: float = 0,
        above: int | None = None,
        type_: int = 1,
        skip: int = 0,
    ) -> int:
        self.last += 1 + skip
        number = 1 + sum(one["topic_id"] == topic for one in self.posts.values())
        self.posts[self.last] = {
            "id": self.last, "username": by, "user_id": sum(by.encode()), "raw": text, "cooked": f"<p>{text}</p>",
            "created_at": iso(self.now - ago), "updated_at": iso(self.now - ago), "topic_id": topic, "post_number": number,
            "reply_to_post_number": above, "post_type": type_, "version": 1, "topic_title": self.topics[topic]["title"],
            "topic_archetype": self.topics[topic]["archetype"], "post_url": f"/t/x/{topic}/{number}", "deleted_at": None,
        }  # fmt: skip
        return self.last

    def edit(self, known: int, text: str) -> None:
        self.posts[known] |= {"raw": text, "cooked": f"<p>{text}</p>", "version": 2, "updated_at": iso(self.now)}

    def tells(self, known: int, event: str = "post_created", secret: str = SECRET) -> Push:
        post = self.posts[known] | ({"deleted_at": iso(self.now)} if event == "post_destroyed" else {})
        return self._signed(json.dumps({"post": post}).encode(), "post", event, secret)

    def ping(self, secret: str = SECRET) -> Push:
        return self._signed(b'{"ping":"OK"}', "ping", "ping", secret)

    def _signed(self, body: bytes, type_: str, event: str, secret: str) -> Push:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "x-discourse-instance": BASE, "x-discourse-event-id": f"{self.last}", "x-discourse-event-type": type_,
            "x-discourse-event": event, "x-discourse-event-signature": f"sha256={signature}",
        }  # fmt: skip
        return Push("POST", headers, body)

    # ---- the API

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url).startswith(BASE)
        signed_in = request.headers.get("api-key") == KEY and request.headers.get("api-username") == US
        if "api-key" in request.headers and not signed_in:
            return no(403, "You are not permitted to view the requested resource.")
        asked = json.loads(request.content) if request.content else {}
        path = request.url.path.strip("/").removesuffix(".json").split("/")
        match request.method, path:
            case "GET", ["posts"]:
                return self._latest(request)
            case "GET", ["session", "current"]:
                return (
                    httpx.Response(200, json={"current_user": {"id": 5, "username": US, "name": "Acme"}})
                    if signed_in
                    else no(404, "no")
                )
            case "GET", ["posts", known]:
                return (
                    httpx.Response(200, json=self.posts[int(known)])
                    if int(known) in self.posts
                    else no(404, "not found")
                )
            case "GET", ["t", "external_id", given]:
                found = [number for number, one in self.topics.items() if one["external_id"] == given]
                return self._shown(found[0], None) if found else no(404, "not found")
            case "GET", ["t", topic]:
                return self._shown(int(topic), None)
            case "GET", ["t", topic, "posts"]:
                ids = [int(one) for one in request.url.params.get_list("post_ids[]")]
                assert request.url.params["include_raw"] == "true"
                return self._shown(int(topic), ids)
            case "POST", ["posts"] if signed_in:
                return self._write(asked)
            case "POST", ["post_actions"] if signed_in:
                self.flags.append(asked)
                return httpx.Response(200, json={"id": asked["id"]})
            case "DELETE", ["posts", known] if signed_in:
                gone = self.posts.pop(int(known), None)
                return httpx.Response(200, json={}) if gone else no(404, "not found")
        return no(403, "You are not permitted to do that.")

    def _latest(self, request: httpx.Request) -> httpx.Response:
        """Three ways in which versions differ: fifty numbers of which some may be seen, or fifty posts that may be seen, at or
        below `before`, or below it."""
        before = int(request.url.params.get("before", 0)) or self.last + 1
        if self.version == "below":
            before -= 1
        shown = [self.posts[known] for known in sorted(self.posts, reverse=True) if known <= before]
        if self.version == "numbers":
            shown = [one for one in shown if one["id"] > before - 50]
        return httpx.Response(
            200, json={"latest_posts": [one for one in shown if one["topic_archetype"] == "regular"][:50]}
        )

    def _shown(self, topic: int, ids: list[int] | None) -> httpx.Response:
        mine = [one for one in self.posts.values() if one["topic_id"] == topic]
        stream: dict[str, Any] = {
            "posts": [one for one in (mine[:20] if ids is None else mine) if ids is None or one["id"] in ids]
        }
        if ids is None:
            stream["stream"] = [one["id"] for one in mine]
        return httpx.Response(200, json={"post_stream": stream, "id": topic})

    def _write(self, asked: dict[str, Any]) -> httpx.Response:
        if len(asked["raw"]) < 20:
            return no(422, "Body is too short (minimum is 20 characters)")
        if len(asked["raw"]) > 32_000:
            return no(422, "Body is limited to 32000 characters")
        topic, above = asked.get("topic_id"), asked.get("reply_to_post_number")
        if topic is None:
            assert asked["archetype"] == "private_message"
            assert len(asked["external_id"]) <= 50
            if any(one["external_id"] == asked["external_id"] for one in self.topics.values()):
                return no(422, "External ID has already been taken")
            topic = self.topic(asked["title"], "private_message", asked["external_id"])
        if self.moderates:
            return httpx.Response(200, json={"success": True, "action": "enqueued", "pending_post": {"id": 7}})
        return httpx.Response(200, json=self.posts[self.post(topic, asked["raw"], by=US, above=above)])


def no(status: int, said: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [said], "error_type": "x"})


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
