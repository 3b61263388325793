"""Writing at a server of the AT Protocol: replies under keys of their own, direct messages, deletions and reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.ingest.channel import (
    Answer,
    AskForNewCredential,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    Sent,
    SkipThis,
    TryLater,
    expect_posted,
    reading,
    replying,
)
from services.ingest.networks import atproto, atproto_chat
from services.ingest.networks.atproto_session import SignedIn, error_of, refuse_stale
from services.ingest.networks.json_api import Fields, expect_json, moment, parsed, said_in, token_time, until_reset
from shared.kit import clock

REASONS = {"spam": "Spam", "violation": "Violation", "misleading": "Misleading", "sexual": "Sexual", "rude": "Rude"}
A_WHILE = timedelta(minutes=5)
MOST_HANDLES = 10  # in one reply


@dataclass(frozen=True, slots=True)
class Records:
    """What our account has and writes. `what` names the network in errors."""

    server: SignedIn
    what: str

    async def shown(self, uris: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Posts as the network shows them, by address; those that are gone are left out. At most 25."""
        with reading(self.what):
            answer = await self.server.call("GET", "app.bsky.feed.getPosts", params=[("uris", uri) for uri in uris])
        posts = Fields(expect_json(answer, self.what), "posts", {}).all("posts")
        return {str(one.get("uri")): one for one in posts if isinstance(one, dict)}

    async def reply(self, reply: OutgoingReply) -> Sent:
        """Writes the record of a reply under its own key, unless there is one already."""
        session = await self.server.session()
        parent = (await self.shown([reply.in_reply_to])).get(reply.in_reply_to)
        if parent is None:
            raise SkipThis("The post that is answered is not there any more.")
        fields = Fields(parent, "post", {})
        if fields.inside("viewer").flag("replyDisabled"):
            raise SkipThis("Its author does not let us answer this post.")
        itself = {"uri": reply.in_reply_to, "cid": fields.text("cid")}
        root = fields.inside("record").inside("reply").inside("root")
        first = {"uri": root.text("uri"), "cid": root.text("cid")}
        made = clock.now()
        record: dict[str, Any] = {
            "$type": atproto.POST,
            "text": reply.text,
            "createdAt": clock.iso(made),
            "reply": {"root": first if all(first.values()) else itself, "parent": itself},
        }
        if facets := atproto.facets(reply.text, await self._dids(atproto.handles_in(reply.text))):
            record["facets"] = facets
        # swapRecord null: nothing may stand under the key; what does is this reply, from an earlier try
        asked = {
            "repo": session.did,
            "collection": atproto.POST,
            "rkey": atproto.tid(reply.token),
            "record": record,
            "swapRecord": None,
        }
        with replying(self.what):
            answer = await self.server.call("POST", "com.atproto.repo.putRecord", json=asked)
        if error_of(answer) == "InvalidSwap":
            found = await self.find(reply)
            if found is None:
                raise OutcomeUnknown(f"{self.what} says that the reply is there and does not show it.")
            return found
        self._expect_written(answer)
        uri = _text_in(answer, "uri")
        return Sent(uri, made, atproto.permalink(uri))

    async def find(self, reply: OutgoingReply) -> Sent | None:
        """The record under the reply's key."""
        session = await self.server.session()
        params = [("repo", session.did), ("collection", atproto.POST), ("rkey", atproto.tid(reply.token))]
        with reading(self.what):
            answer = await self.server.call("GET", "com.atproto.repo.getRecord", params=params)
        if error_of(answer) in ("RecordNotFound", "InvalidRequest") or answer.status == 404:
            return None
        fields = Fields(expect_json(answer, self.what), "record", {})
        uri = fields.text("uri") or ""
        return Sent(uri, fields.inside("value").moment("createdAt") or clock.now(), atproto.permalink(uri))

    async def message(self, reply: OutgoingReply) -> Sent:
        """Sends a direct message, unless the same words went out since the reply was written."""
        written = token_time(reply.token) or clock.now() - timedelta(days=1)
        convo, found = await self._messaged(reply, written - A_WHILE)
        if found is not None:
            return found
        with replying(self.what):
            answer = await self.server.call(
                "POST", "chat.bsky.convo.sendMessage", headers=atproto_chat.HEADERS,
                json={"convoId": convo, "message": {"text": reply.text}},
            )  # fmt: skip
        self._expect_written(answer)
        return Sent(f"{convo}/{_text_in(answer, 'id')}", moment(_text_in(answer, "sentAt")) or clock.now())

    async def find_message(self, reply: OutgoingReply, since: datetime) -> Sent | None:
        """A direct message of ours with the words of the reply."""
        return (await self._messaged(reply, since))[1]

    async def delete(self, post: Post) -> None:
        """Deletes a post of ours; that it is gone already is fine."""
        parts = atproto.split_uri(post.external_id)
        session = await self.server.session()
        if parts is None or parts[0] != session.did:
            raise SkipThis("This is no post of our account; a direct message cannot be taken back.")
        asked = {"repo": session.did, "collection": parts[1], "rkey": parts[2]}
        with reading(self.what):
            self._expect_written(await self.server.call("POST", "com.atproto.repo.deleteRecord", json=asked))

    async def report(self, post: Post, reason: str, labeler: str) -> None:
        """Reports a post to a moderation service."""
        shown = (await self.shown([post.external_id])).get(post.external_id)
        if shown is None:
            raise SkipThis("The post is not there any more.")
        kind = next((name for word, name in REASONS.items() if word in reason.lower()), "Other")
        asked = {
            "reasonType": f"com.atproto.moderation.defs#reason{kind}",
            "reason": reason[:2_000],
            "subject": {"$type": "com.atproto.repo.strongRef", "uri": post.external_id, "cid": shown.get("cid")},
        }
        with reading(self.what):
            answer = await self.server.call(
                "POST", "com.atproto.moderation.createReport", json=asked,
                headers={"atproto-proxy": f"{labeler}#atproto_labeler"},
            )  # fmt: skip
        self._expect_written(answer)

    async def _messaged(self, reply: OutgoingReply, since: datetime) -> tuple[str, Sent | None]:
        """The conversation with the author, and our message with these words in it, sent at `since` or later."""
        if not reply.author_external_id:
            raise SkipThis("Nothing tells whom to write to.")
        session = await self.server.session()
        with reading(self.what):
            answer = await self.server.call(
                "GET",
                "chat.bsky.convo.getConvoForMembers",
                params=[("members", reply.author_external_id)],
                headers=atproto_chat.HEADERS,
            )
        atproto_chat.refuse_scope(answer, self.what)
        if answer.status in (400, 403):
            raise SkipThis(
                f"They take no direct message of ours: {said_in(answer, 'message', 'error') or answer.status}."
            )
        convo = Fields(expect_json(answer, self.what), "convo", {}).inside("convo").text("id") or ""
        with reading(self.what):
            answer = await self.server.call(
                "GET",
                "chat.bsky.convo.getMessages",
                params=[("convoId", convo), ("limit", "100")],
                headers=atproto_chat.HEADERS,
            )
        for one in Fields(expect_json(answer, self.what), "messages", {}).each("messages"):
            sent = one.moment("sentAt")
            ours = one.inside("sender").text("did") == session.did and one.text("text") == reply.text
            if ours and sent and sent >= since:
                return convo, Sent(f"{convo}/{one.text('id')}", sent)
        return convo, None

    async def _dids(self, handles: list[str]) -> dict[str, str]:
        """The accounts behind handles; one that is nobody's stays plain text."""
        found: dict[str, str] = {}
        for handle in handles[:MOST_HANDLES]:
            with reading(self.what):
                answer = await self.server.call(
                    "GET", "com.atproto.identity.resolveHandle", params=[("handle", handle)]
                )
            if answer.status == 200 and (did := Fields(expect_json(answer, self.what), "did", {}).text("did")):
                found[handle] = did
        return found

    def _expect_written(self, answer: Answer) -> None:
        refuse_stale(answer, self.what)
        if answer.status == 429:
            raise TryLater(f"{self.what} asks us to wait (429).", until_reset(answer) or A_WHILE)
        if answer.status == 403:
            raise AskForNewCredential(f"{self.what} does not let this app password do that. Make another one.")
        expect_posted(answer, self.what, said_in(answer, "message"))


def _text_in(answer: Answer, name: str) -> str:
    """A field of the answer to a write that was taken: where it cannot be read, nobody knows what stands there."""
    try:
        found = parsed(answer.body).get(name)
    except (ValueError, AttributeError):
        found = None
    if not isinstance(found, str):
        raise OutcomeUnknown("Bluesky took something and answers what cannot be read.")
    return found
