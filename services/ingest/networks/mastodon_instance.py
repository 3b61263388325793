"""One instance that speaks Mastodon's API: what it allows, who we are there, and what we post.

What hardly changes (its limits, our account) is asked once an hour and kept in the memory of the process.
"""

import hashlib
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from services.ingest.channel import (
    Account,
    Answer,
    AskForNewCredential,
    ChannelError,
    HttpClient,
    Length,
    OutcomeUnknown,
    OutgoingReply,
    Post,
    Sent,
    SkipThis,
    TryLater,
    expect_posted,
    expect_read,
    reading,
    replying,
)
from services.ingest.networks import mastodon_status as statuses
from services.ingest.networks.json_api import (
    Fields,
    expect_json,
    list_in,
    object_in,
    parsed,
    said_in,
    token_time,
    until_reset,
)
from shared.kit import clock
from shared.kit.http import HttpError, LongAnswer
from shared.rules.plain_text import plain_text
from shared.rules.reply_length import over_by

GOOD_FOR = timedelta(hours=1)
KEY_GOOD_FOR = timedelta(minutes=45)  # the instance knows an Idempotency-Key for an hour
EARLIER = timedelta(minutes=5)
A_WHILE = timedelta(minutes=5)
KEPT = 500
CATEGORIES = {"spam": "spam", "violation": "violation", "illegal": "legal"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an instance, and of us there."""

    until: datetime
    characters: int = 500
    url_weight: int = 23
    streaming: str = ""
    our_id: str = ""
    ourselves: frozenset[str] = frozenset()


_known: OrderedDict[str, Known] = OrderedDict()


class Instance:
    """An instance, asked with our token or without."""

    def __init__(self, address: str, token: str, http: HttpClient) -> None:
        self.address = address.rstrip("/")
        self.host = urlsplit(self.address).netloc.lower()
        self.what = f"Mastodon ({self.host})"
        self.signed = bool(token)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http
        self._key = hashlib.blake2b(f"{self.address}\n{token}".encode(), digest_size=16).hexdigest()

    @property
    def known(self) -> Known | None:
        """What is known of it in this process."""
        return _known.get(self._key)

    def ourselves(self) -> frozenset[str]:
        """The addresses of our account, where they are known."""
        return self.known.ourselves if self.known else frozenset()

    async def know(self) -> None:
        """Asks for the instance's limits and who we are, once in a while. That it does not tell is no failure: the usual limits
        hold then, and the calls that matter tell what is wrong."""
        now = clock.now()
        if self.known is not None and now < self.known.until:
            return
        try:
            answer = await self._get("v2/instance")
            instance = Fields(expect_json(answer, self.what), "instance", {})
            ours = (
                Fields(expect_json(await self._get("v1/accounts/verify_credentials"), self.what), "account", {})
                if self.signed
                else None
            )
        except (ChannelError, HttpError):
            return
        configuration = instance.inside("configuration")
        status = configuration.inside("statuses")
        found = Known(
            now + GOOD_FOR,
            status.count("max_characters") or 500,
            status.count("characters_reserved_per_url") or 23,
            configuration.inside("urls").text("streaming") or "",
            (ours and ours.text("id")) or "",
            frozenset(one for one in (ours.text("uri"), ours.text("url")) if one) if ours else frozenset(),
        )
        _known[self._key] = found
        while len(_known) > KEPT:
            _known.popitem(last=False)

    async def account(self) -> Account:
        """Whom the token belongs to. Raises ChannelError."""
        if not self.signed:
            raise AskForNewCredential(f"{self.what} knows nobody without an access token. Make one and enter it.")
        ours = Fields(expect_json(await self._get("v1/accounts/verify_credentials"), self.what), "account", {})
        handle = f"{ours.text('acct')}@{self.host}"
        return Account(ours.text("id") or "", ours.text("display_name") or handle, handle, ours.link("url"))

    # ---------------------------------------------------------------- reading

    async def listed(
        self, path: str, params: list[tuple[str, str]], *, optional: bool = False
    ) -> tuple[Answer, list[Any]]:
        """What a list holds, and the answer. `optional`: an instance that does not have it has an empty one."""
        answer = await self._get(path, params)
        if optional and (answer.status in (400, 404, 422) or (answer.status in (401, 403) and not self.signed)):
            return answer, []
        if answer.status == 429:
            raise TryLater(f"{self.what} asks us to wait (429).", until_reset(answer) or A_WHILE)
        body = expect_read(answer, self.what).body
        if path == "v2/search":
            found = object_in(body, self.what).get("statuses")
            return answer, found if isinstance(found, list) else []
        return answer, list_in(body, self.what)

    async def status(self, status_id: str) -> dict[str, Any] | None:
        """A status by its id; None where it cannot be seen."""
        answer = await self._get(f"v1/statuses/{quote(status_id, safe='')}")
        return None if answer.status in (401, 403, 404, 410) else expect_json(answer, self.what)

    def stream(self, path: str, idle_s: float) -> AbstractAsyncContextManager[LongAnswer]:
        """A stream of events."""
        told = self.known.streaming if self.known else ""
        base = told.replace("wss://", "https://", 1).replace("ws://", "http://", 1).rstrip("/") or self.address
        return self._http.stream("GET", f"{base}/api/v1/streaming/{path}", headers=self._headers, idle_s=idle_s)

    # ---------------------------------------------------------------- posting

    async def reply(self, reply: OutgoingReply, *, private: bool) -> Sent:
        """Posts under a status, once: by the reply's key, and where that may be forgotten by looking first."""
        await self.know()
        parent = await self._local(reply.in_reply_to, reply.raw)
        text = self._addressed(reply)
        made = token_time(reply.token)
        if made is not None and clock.now() - made > KEY_GOOD_FOR:
            found = await self.find(reply, private=private, since=made - EARLIER)
            if found is not None:
                return found
        asked = {"status": text, "in_reply_to_id": parent, "visibility": "direct" if private else "public"}
        with replying(self.what):
            answer = await self._http.request(
                "POST", f"{self.address}/api/v1/statuses", json=asked,
                headers={**self._headers, "Idempotency-Key": reply.token},
            )  # fmt: skip
        self._expect_done(answer)
        try:
            status = Fields(parsed(answer.body), "status", {})
        except ValueError:
            status = Fields({}, "status", {})
        if not (uri := status.text("uri")):
            raise OutcomeUnknown(f"{self.what} took something and answers what cannot be read.")
        return Sent(uri, status.moment("created_at") or clock.now(), status.link("url"))

    async def find(self, reply: OutgoingReply, *, private: bool, since: datetime) -> Sent | None:
        """Our status under the one that was answered, with the same words, posted at `since` or later."""
        await self.know()
        parent = await self._local(reply.in_reply_to, reply.raw)
        answer = await self._get(f"v1/statuses/{quote(parent, safe='')}/context")
        if answer.status in (404, 410):
            return None
        words = self._addressed(reply).split()
        for one in Fields(expect_json(answer, self.what), "context", {}).each("descendants"):
            at = one.moment("created_at")
            ours = self.known is not None and one.inside("account").text("id") == self.known.our_id
            same = plain_text(one.text("content") or "").split()
            # names are shown without their host
            if (
                ours
                and at
                and at >= since
                and _bare(same) == _bare(words)
                and private == (one.text("visibility") == "direct")
            ):
                return Sent(one.text("uri") or "", at, one.link("url"))
        return None

    async def delete(self, post: Post) -> None:
        """Deletes a status of ours; that it is gone already is fine."""
        ours = await self._local(post.external_id, post.raw)
        with reading(self.what):
            answer = await self._http.request(
                "DELETE", f"{self.address}/api/v1/statuses/{quote(ours, safe='')}", headers=self._headers
            )
        if answer.status not in (404, 410):
            self._expect_done(answer)

    async def report(self, post: Post, reason: str) -> None:
        """Reports a status, and its author, to the moderators."""
        known = await self._local(post.external_id, post.raw)
        status = await self.status(known)
        account = Fields((status or {}).get("account"), "account", {}).text("id")
        if account is None:
            raise SkipThis("The post is not there any more.")
        category = next((name for word, name in CATEGORIES.items() if word in reason.lower()), "other")
        asked = {"account_id": account, "status_ids": [known], "comment": reason[:1_000], "category": category}
        with reading(self.what):
            answer = await self._http.request(
                "POST", f"{self.address}/api/v1/reports", json=asked, headers=self._headers
            )
        self._expect_done(answer)

    def _addressed(self, reply: OutgoingReply) -> str:
        """The text with the author named, without which they would not be told. Raises SkipThis where it is then too long."""
        handle, text = reply.author_handle, reply.text
        named = (
            handle is None
            or f"@{handle}".lower() in text.lower()
            or f"@{handle.partition('@')[0]} ".lower() in f"{text} ".lower()
        )
        text = text if named else f"@{handle} {text}"
        limits = self.known or Known(clock.now())
        over = over_by(text, Length(limit=limits.characters, counted_as="mastodon", url_weight=limits.url_weight))
        if over:
            raise SkipThis(
                f"With the author's name in front it is {over} characters too long for {self.host}. Shorten it."
            )
        return text

    async def _local(self, uri: str, raw: bytes | None) -> str:
        """The id here of a status: from its payload or address, else as the instance finds it."""
        if known := statuses.local_id(uri, self.address, raw, parsed):
            return known
        _, found = await self.listed(
            "v2/search", [("q", uri), ("type", "statuses"), ("resolve", "true"), ("limit", "1")]
        )
        status = found[0] if found and isinstance(found[0], dict) else {}
        if status.get("uri") != uri or not isinstance(status.get("id"), str):
            raise SkipThis("The post is not there any more, or this instance cannot see it.")
        return str(status["id"])

    async def _get(self, path: str, params: list[tuple[str, str]] | None = None) -> Answer:
        query = f"?{urlencode(params)}" if params else ""
        with reading(self.what):
            return await self._http.get(f"{self.address}/api/{path}{query}", headers=self._headers, max_bytes=5_000_000)

    def _expect_done(self, answer: Answer) -> None:
        if answer.status == 429:
            raise TryLater(f"{self.what} asks us to wait (429).", until_reset(answer) or A_WHILE)
        if answer.status == 403:
            said = said_in(answer, "error")
            if "scope" in said.lower():
                raise AskForNewCredential(f"{self.what} does not let this token do that. Make one with all the scopes.")
        expect_posted(answer, self.what, said_in(answer, "error"))


def _bare(words: list[str]) -> list[str]:
    return [word.rpartition("@")[0] if word.startswith("@") and word.count("@") == 2 else word for word in words]
