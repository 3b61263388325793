"""What our account does at X: answers, direct messages, deleting, hiding; and looking up what it said."""

import html
import re
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
    reading,
    replying,
)
from services.ingest.networks.json_api import Fields, parsed, token_time
from services.ingest.networks.x_api import LINK_SENT, MESSAGE_SENT, REPLY_SENT, Api, expect_done, said
from services.ingest.networks.x_posts import SITE
from shared.kit import clock
from shared.rules import urls

EARLIER = timedelta(minutes=5)
_NAMES = re.compile(r"^(?:@\w+\s+)+")


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes as the account behind the access token; `user_id` is its id, where it is set."""

    api: Api
    user_id: str

    async def reply(self, reply: OutgoingReply) -> Sent:
        """Posts under the post. X refuses the same words twice: then they stand there, from an earlier try or another answer."""
        self._need_keys()
        asked = {
            "text": reply.text,
            "reply": {"in_reply_to_tweet_id": _latest(reply), "auto_populate_reply_metadata": True},
        }
        with replying(self.api.what):
            answer = await self.api.call("POST", "/2/tweets", json=asked, as_user=True)
        if answer.status == 403 and "duplicate" in said(answer).lower():
            made = token_time(reply.token)
            found = await self.find(reply, (made or clock.now() - timedelta(days=1)) - EARLIER)
            if found is not None:
                return found
        expect_done(answer)
        return self._sent(_told(answer).text("id"), reply.text)

    async def find(self, reply: OutgoingReply, since: datetime) -> Sent | None:
        """Our post under the post with the same words, posted at `since` or later."""
        self._need_keys()
        asked = [
            ("max_results", "100"),
            ("start_time", f"{since:%Y-%m-%dT%H:%M:%SZ}"),
            ("tweet.fields", "created_at,referenced_tweets,entities,text,note_tweet"),
        ]
        _, told = await self.api.read(f"/2/users/{await self._me()}/tweets", asked, as_user=True)
        answered = {reply.in_reply_to, _latest(reply)}
        for one in Fields(told, "posts", {}).each("data"):
            under = {ref.text("id") for ref in one.each("referenced_tweets") if ref.text("type") == "replied_to"}
            if under & answered and _words(one) == _bare(reply.text):
                sent = self._sent(one.text("id"), reply.text)
                return Sent(sent.external_id, one.moment("created_at") or sent.sent_at, sent.permalink, sent.cost)
        return None

    async def message(self, reply: OutgoingReply) -> Sent:
        """Sends a direct message."""
        self._need_keys()
        if not reply.author_external_id:
            raise SkipThis("Nothing tells whom to write to.")
        path = f"/2/dm_conversations/with/{reply.author_external_id}/messages"
        with replying(self.api.what):
            answer = await self.api.call("POST", path, json={"text": reply.text}, as_user=True)
        expect_done(answer)
        known = _told(answer).text("dm_event_id")
        if known is None:
            raise OutcomeUnknown("X took something and answers what cannot be read.")
        return Sent(known, clock.now(), None, MESSAGE_SENT)

    async def find_message(self, reply: OutgoingReply, since: datetime) -> Sent | None:
        """Our direct message with the same words, sent at `since` or later."""
        self._need_keys()
        asked = [
            ("max_results", "100"),
            ("event_types", "MessageCreate"),
            ("dm_event.fields", "created_at,sender_id,text"),
        ]
        me = await self._me()
        path = f"/2/dm_conversations/with/{reply.author_external_id}/dm_events"
        _, told = await self.api.read(path, asked, as_user=True)
        for one in Fields(told, "messages", {}).each("data"):
            at, known = one.moment("created_at"), one.text("id")
            same = html.unescape(one.text("text") or "").split() == reply.text.split()
            if known and at and at >= since and same and one.text("sender_id") == me:
                return Sent(known, at, None, MESSAGE_SENT)
        return None

    async def delete(self, post: Post) -> None:
        """Deletes a post of ours; that it is gone already is fine."""
        self._need_keys()
        with reading(self.api.what):
            answer = await self.api.call("DELETE", f"/2/tweets/{post.external_id}", as_user=True)
        if answer.status not in (404, 410):
            expect_done(answer)

    async def hide(self, post: Post, *, hidden: bool) -> None:
        """Hides an answer under a post of ours, or shows it again."""
        self._need_keys()
        with reading(self.api.what):
            answer = await self.api.call(
                "PUT", f"/2/tweets/{post.external_id}/hidden", json={"hidden": hidden}, as_user=True
            )
        expect_done(answer)

    async def _me(self) -> str:
        if self.user_id:
            return self.user_id
        _, told = await self.api.read("/2/users/me", as_user=True)
        return Fields(told.get("data"), "user", {}).text("id") or ""

    def _need_keys(self) -> None:
        if not self.api.keys.can_sign:
            raise AskForNewCredential(
                "X is answered with four keys: enter the API key, the access token and both their secrets."
            )

    @staticmethod
    def _sent(known: str | None, text: str) -> Sent:
        if known is None:
            raise OutcomeUnknown("X took something and answers what cannot be read.")
        cost = LINK_SENT if urls.find(text, loose=True) else REPLY_SENT
        return Sent(known, clock.now(), f"{SITE}/i/web/status/{known}", cost)


def _latest(reply: OutgoingReply) -> str:
    """The id of the post as it was last edited, which is the one that shows."""
    if reply.raw is not None:
        try:
            told: Any = parsed(reply.raw)
        except ValueError:
            return reply.in_reply_to
        history = told.get("edit_history_tweet_ids") if isinstance(told, dict) else None
        if isinstance(history, list) and reply.in_reply_to in history and isinstance(told.get("id"), str):
            return str(told["id"])
    return reply.in_reply_to


def _told(answer: Answer) -> Fields:
    try:
        told = parsed(answer.body)
    except ValueError:
        told = None
    return Fields(told.get("data") if isinstance(told, dict) else None, "data", {})


def _words(post: Fields) -> list[str]:
    """The words of a post of ours: addresses as they were written, without the names that X puts in front."""
    text = post.inside("note_tweet").text("text") or post.text("text") or ""
    for url in post.inside("entities").each("urls"):
        text = text.replace(url.text("url") or "\x00", url.text("expanded_url") or "")
    return _bare(html.unescape(text))


def _bare(text: str) -> list[str]:
    return [word.removeprefix("https://").removeprefix("http://").rstrip("/") for word in _NAMES.sub("", text).split()]
