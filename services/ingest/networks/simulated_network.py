"""The network between the simulated channel and its venue: an HTTP API as venues have it, with faults on the way.

It is a transport of the HTTP client, so that a fault reaches the channel as it would from a real network: as a status,
as half an answer, or as a broken connection, before or after the venue took what was sent.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.networks.played_venues import Played
from services.ingest.networks.simulated_venue import AcceptedReply, Venue
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.models.reply_rules import Answerable, ReplyWay
from shared.rules.reply_length import over_by

ADDRESS = "http://venue.invalid"  # never resolved: the transport answers

Operation = Literal["page", "reply", "read_back", "moderate"]
What = Literal[
    "slow",
    "refuse_connection",
    "cut_before_accept",
    "cut_after_accept",
    "time_out_before_accept",
    "time_out_after_accept",
    "server_error",
    "server_error_after_accept",
    "too_many_requests",
    "bad_credential",
    "garbage",
    "cut_off_answer",
]
_OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/posts"): "page",
    ("POST", "/replies"): "reply",
    ("GET", "/replies"): "read_back",
    ("POST", "/moderation"): "moderate",
}
_BEFORE: Mapping[str, type[httpx.TransportError]] = {
    "refuse_connection": httpx.ConnectError,
    "cut_before_accept": httpx.RemoteProtocolError,
    "time_out_before_accept": httpx.ReadTimeout,
}
_AFTER: Mapping[str, type[httpx.TransportError]] = {
    "cut_after_accept": httpx.RemoteProtocolError,
    "time_out_after_accept": httpx.ReadTimeout,
}


class Fault(BaseModel):
    """Something that goes wrong. Either at `calls` (numbered from 1, of all calls of that sort), or at random in
    `percent` of them; the chance hangs on the seed, what is answered and which try it is, so it comes out the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: Operation = Field(description="Reading a page, posting a reply, looking a reply up, or moderating.")
    what: What = Field(description="before_accept and after_accept: whether the venue took it when it went wrong.")
    percent: float = Field(default=0, ge=0, le=100)
    calls: tuple[int, ...] = ()
    seconds: float = Field(
        default=1, ge=0, le=60, description="How long slow takes, or too_many_requests asks to wait."
    )


class SimulatedNetwork(httpx.AsyncBaseTransport):
    """Answers as a venue's API: `GET /posts?after=&limit=&since=`, `POST /replies`, `GET /replies?in_reply_to=`,
    `POST /moderation`."""

    def __init__(
        self,
        venue: Venue,
        played: Played,
        *,
        faults: Sequence[Fault],
        seed: int,
        knows_tokens: bool,
        shows_replies: bool,
        echoes: bool,
        brand_handle: str,
    ) -> None:
        self._venue = venue
        self._played = played
        self._faults = faults
        self._seed = seed
        self._knows_tokens = knows_tokens
        self._shows_replies = shows_replies
        self._echoes = echoes
        self._brand_handle = brand_handle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One call, in a thread, because the venue's file blocks."""
        content = await request.aread()
        query = dict(request.url.params)
        operation = _OPERATIONS[request.method, request.url.path]
        body: dict[str, Any] = orjson.loads(content) if content else {}
        fault = await asyncio.to_thread(self._draw, operation, str(body.get("in_reply_to", body.get("id", ""))))
        what = fault.what if fault else ""
        if fault and what == "slow":
            await asyncio.sleep(fault.seconds)
        if what in _BEFORE:
            raise _BEFORE[what](f"played: {what}", request=request)
        refused = _REFUSALS.get(what)
        if fault and refused:
            wait = {"Retry-After": f"{fault.seconds:g}"} if refused == 429 else {}
            return httpx.Response(refused, headers=wait, json={"error": what})
        if operation == "page":
            answer = await asyncio.to_thread(self._posts, query)
        elif operation == "reply":
            token = request.headers.get("idempotency-key")
            answer = await asyncio.to_thread(self._take, body, token if self._knows_tokens else None)
        elif operation == "moderate":
            answer = await asyncio.to_thread(self._moderate, body)
        else:
            answer = await asyncio.to_thread(self._sent, query)
        return _on_the_way_back(answer, what, request)

    def _draw(self, operation: Operation, key: str) -> Fault | None:
        number = self._venue.count_call(operation)
        attempt = self._venue.count_call(f"{operation}:", key) if key else number
        for fault in self._faults:
            if fault.on == operation and number in fault.calls:
                return fault
        digest = hashlib.sha256(f"{self._seed}\n{operation}\n{key}\n{attempt}".encode()).digest()
        chance = int.from_bytes(digest[:8], "big") / 2**64 * 100
        for fault in self._faults:
            if fault.on == operation:
                chance -= fault.percent
                if chance < 0:
                    return fault
        return None

    def _posts(self, query: Mapping[str, str]) -> httpx.Response:
        posts, after, more = self._venue.changes(int(query["after"]), int(query["limit"]), query.get("since", ""))
        return httpx.Response(200, json={"posts": posts, "after": after, "more": more})

    def _take(self, body: Mapping[str, Any], token: str | None) -> httpx.Response:
        former = self._venue.taken_as(token) if token else None
        if former is not None:
            return httpx.Response(200, json=_shown(former))
        text, private = str(body["text"]), body["visibility"] == "private"
        post = self._venue.find(str(body["in_reply_to"]))
        if post is None:
            return httpx.Response(404, json={"error": "there is no such post"})
        said_privately = (post.get("visibility") or self._played.visibility.value) == "private"
        way = self._played.rules.way(private=private, said_privately=said_privately)
        refused = self._refusal(post, private=private)
        if way is None or refused:
            return httpx.Response(403, json={"error": refused or "there is no such way to answer here"})
        for length in way.lengths:
            if over := over_by(text, length):
                return httpx.Response(422, json={"error": f"the text is {over} too long"})
        return self._accept(post, text, way, private=private, token=token)

    def _accept(
        self, post: Mapping[str, Any], text: str, way: ReplyWay, *, private: bool, token: str | None
    ) -> httpx.Response:
        before = {reply.id for reply in self._venue.replies(post["id"])}
        reply = self._venue.accept(post["id"], text, private=private, token=token, replaces=way.overwrites)
        if self._echoes and reply.id not in before:
            self._venue.post(
                text,
                id=reply.id,
                author={"id": "brand", "handle": self._brand_handle},
                in_reply_to=post["id"],
                thread=post.get("thread") or post["id"],
                visibility=post.get("visibility"),
            )
        return httpx.Response(201, json=_shown(reply))

    def _refusal(self, post: Mapping[str, Any], *, private: bool) -> str | None:
        author = (post.get("author") or {}).get("id")
        theirs = self._venue.posts_by(author) if author else [post]
        default = self._played.visibility.value
        answerable = Answerable(
            published_at=datetime.fromisoformat(post["created_at"]),
            private=(post.get("visibility") or default) == "private",
            last_inbound_at=max(datetime.fromisoformat(one["created_at"]) for one in theirs),
            addressed_to_us=self._brand_handle.lower() in str(post.get("text", "")).lower(),
            author_known=author is not None,
            customer_wrote_privately=any((one.get("visibility") or default) == "private" for one in theirs),
            answered_publicly=self._venue.has_reply(post["id"], private=False),
            answered_privately=self._venue.has_reply(post["id"], private=True),
            deleted=bool(post.get("deleted_at")),
        )
        answer = self._played.rules.answer_for(answerable, clock.now())
        return (answer.private if private else answer.public).reason

    def _sent(self, query: Mapping[str, str]) -> httpx.Response:
        if not self._shows_replies:
            return httpx.Response(404, json={"error": "this venue does not show what was posted"})
        taken = [reply for reply in self._venue.replies(query["in_reply_to"]) if not reply.replaced]
        found = [_shown(reply) for reply in taken if not self._venue.is_deleted(reply.id)]
        return httpx.Response(200, json={"replies": found})

    def _moderate(self, body: Mapping[str, Any]) -> httpx.Response:
        """Hides, shows, takes a report or a dispute, or deletes a reply; doing again what is done changes nothing."""
        action, subject = str(body["action"]), str(body["id"])
        if action == "delete_reply":
            if subject not in {reply.id for reply in self._venue.replies()}:
                return httpx.Response(404, json={"error": "there is no such reply"})
            if self._venue.find(subject):  # as it came back among the posts
                self._venue.delete(subject)
        else:
            post = self._venue.find(subject)
            if post is None or post.get("deleted_at"):
                return httpx.Response(404, json={"error": "there is no such post"})
            if action == "dispute" and (post.get("kind") or self._played.kind.value) != MentionKind.REVIEW.value:
                return httpx.Response(422, json={"error": "only a review can be disputed"})
        self._venue.moderate(action, subject, str(body.get("reason", "")))
        return httpx.Response(200, json={"done": action})


_REFUSALS = {"server_error": 503, "too_many_requests": 429, "bad_credential": 401}


def _on_the_way_back(answer: httpx.Response, what: str, request: httpx.Request) -> httpx.Response:
    if what in _AFTER:
        raise _AFTER[what](f"played: {what}", request=request)
    if what == "server_error_after_accept":
        return httpx.Response(502, text="Bad Gateway")
    if what == "garbage":
        return httpx.Response(200, html="<html><body>We will be back soon.</body></html>")
    if what == "cut_off_answer":
        return httpx.Response(answer.status_code, content=answer.content[: len(answer.content) // 2])
    return answer


def _shown(reply: AcceptedReply) -> Mapping[str, Any]:
    return {
        "id": reply.id,
        "text": reply.text,
        "visibility": "private" if reply.private else "public",
        "created_at": clock.iso(reply.accepted_at),
    }
