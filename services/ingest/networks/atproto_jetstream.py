"""Jetstream, which tells every change in the network as JSON over a WebSocket: what of it is ours to hear.

It is read on from a moment (microseconds since 1970), a little before the last that was heard: repeats are known by their ids.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from services.ingest.channel import Cursor, Gap, HttpClient, IncomingMention, Page, Skipped, TryLater, explain, reading
from services.ingest.networks import atproto
from services.ingest.networks.json_api import Fields, parsed
from services.ingest.networks.words import Words
from shared.kit import clock

REWIND_US = 5_000_000
A_HOLE = timedelta(minutes=5)
"""The network is never silent for so long: what lies between was dropped."""
PAGE_S = 5.0
MOST_ON_A_PAGE = 200
BREATH = 100
HELD = 400  # posts whose edits and deletion, and whose authors' going, are told
Wants = Callable[[str], bool]
_GONE = frozenset({"deleted", "takendown"})


class Listener:
    """Reads events. `ours` are our accounts: who names or answers them is heard whatever they say."""

    def __init__(
        self, queries: Sequence[str], ours: Collection[str], at: datetime, cursor: Cursor | None = None,
        wanted: Wants | None = None,
    ) -> None:  # fmt: skip
        """`queries` are the channel's own; `wanted` asks whether the workspace listens for a text."""
        self._words = Words(queries)
        self._wanted = wanted
        self._ours = ours
        self._at = at
        self._cursor = dict(cursor or {})
        self._heard: dict[str, None] = dict.fromkeys(self._cursor.get("heard") or ())

    async def hear(self, http: HttpClient, address: str) -> AsyncIterator[Page]:
        """Pages as they fill, or every few seconds; the cursor moves with each. Raises TryLater where the connection ends."""
        heard: int | None = self._cursor.get("heard_us")
        asked = {"wantedCollections": atproto.POST} | ({"cursor": str(heard - REWIND_US)} if heard else {})
        gap, events = heard, 0
        page = _Page(clock.now())
        with reading("Jetstream"):
            async with http.web_socket(f"{address}?{urlencode(asked)}") as socket:
                yield Page(cursor=self._cursor)
                async for message in socket.messages():
                    event = self._event(message, page)
                    if event is None:
                        continue
                    heard = max(heard or 0, event["time_us"])
                    if gap is not None:
                        since, until = _moment(gap), _moment(event["time_us"])
                        if until - since > A_HOLE:
                            page.gaps.append(Gap(since, until, "Jetstream begins later than we stopped hearing."))
                        gap = None
                    self._at = clock.now()
                    if self._is_nothing_to_us(event):
                        page.filtered += 1
                    else:
                        self._take(event, page, everything=False)
                    events += 1
                    if (
                        events % BREATH == 0
                    ):  # when catching up, messages come without a pause, and others want to work too
                        await asyncio.sleep(0)
                    if page.is_due(self._at):
                        yield page.done({**self._cursor, "heard_us": heard, "heard": list(self._heard)})
                        page = _Page(self._at)
        if heard and (page.mentions or page.filtered):
            yield page.done({**self._cursor, "heard_us": heard, "heard": list(self._heard)})
        raise TryLater("Jetstream ended the connection.", timedelta(seconds=5))

    def read(self, event: Mapping[str, Any], *, everything: bool) -> Page:
        """One event as a page; `everything`: whatever it says."""
        page = _Page(self._at)
        self._take(event, page, everything=everything)
        return page.done({})

    def _event(self, message: str | bytes, page: "_Page") -> dict[str, Any] | None:
        try:
            event = parsed(message if isinstance(message, bytes) else message.encode("utf-8", "surrogatepass"))
        except ValueError:
            event = None
        if isinstance(event, dict) and type(event.get("time_us")) is int and 0 < event["time_us"] < 1 << 53:
            return event
        page.drift["event"] = None
        return None

    def _is_nothing_to_us(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is a plain new post (no answer, no links) that nobody listens for: nearly all are, and so are told
        quickly. Of all others nothing is said here."""
        commit = event.get("commit")
        if type(commit) is not dict or commit.get("operation") != "create":
            return False
        record = commit.get("record")
        if type(record) is not dict or "reply" in record or "facets" in record:
            return False
        text = record.get("text")
        if type(text) is not str or commit.get("collection") != atproto.POST or event.get("did") in self._ours:
            return False
        return not (self._words.are_in(text) or (self._wanted is not None and self._wanted(text)))

    def _take(self, event: Mapping[str, Any], page: "_Page", *, everything: bool) -> None:
        fields = Fields(dict(event), "event", page.drift)
        did = fields.text("did") or ""
        if fields.text("kind") == "account":
            account = fields.inside("account")
            wrote = f"at://{did}/"
            known = everything or any(uri.startswith(wrote) for uri in self._heard)
            if known and account.flag("active") is False and account.text("status") in _GONE:
                page.gone.append(did)
            return
        commit = fields.inside("commit")
        if commit.text("collection") != atproto.POST or did in self._ours:
            return
        uri = f"at://{did}/{atproto.POST}/{commit.text('rkey')}"
        told = event.get("time_us")
        heard_at = min(_moment(told), self._at) if type(told) is int and 0 < told < 1 << 53 else self._at
        operation = commit.text("operation")
        if operation == "delete":
            if everything or uri in self._heard:
                page.mentions.append(atproto.tombstone(uri, heard_at))
            return
        if not (everything or uri in self._heard or self._is_wanted(commit.inside("record"))):
            page.filtered += operation == "create"
            return
        shown = {
            "uri": uri, "cid": commit.text("cid"), "author": {"did": did}, "record": commit.value.get("record"),
            "indexedAt": heard_at.isoformat(),
        }  # fmt: skip
        try:
            mention = atproto.to_mention(Fields(shown, "event.commit", page.drift), self._at)
        except ValidationError as wrong:
            page.skipped.append(Skipped(" ".join(detail for _, detail in explain(wrong)), uri))
            return
        self._heard[uri] = None
        while len(self._heard) > HELD:
            del self._heard[next(iter(self._heard))]
        edited = {"edited_at": heard_at} if operation == "update" else {}
        page.mentions.append(mention.model_copy(update=edited))

    def _is_wanted(self, record: Fields) -> bool:
        reply = record.inside("reply").inside("parent").text("uri") or ""
        if self._ours and any(reply.startswith(f"at://{did}/") for did in self._ours):
            return True
        links: list[str] = []
        for facet in record.each("facets"):
            for feature in facet.each("features"):
                if self._ours and feature.text("did") in self._ours:
                    return True
                links += [one for one in (feature.text("uri"), feature.text("tag")) if one]
        said = [one for one in (record.text("text"), *links) if one]
        return self._words.are_in(*said) or (self._wanted is not None and self._wanted("\n".join(said)))


class _Page:
    """A page that fills."""

    def __init__(self, begun: datetime) -> None:
        self.mentions: list[IncomingMention] = []
        self.skipped: list[Skipped] = []
        self.gaps: list[Gap] = []
        self.gone: list[str] = []
        self.drift: dict[str, None] = {}
        self.filtered = 0
        self._begun = begun

    def is_due(self, at: datetime) -> bool:
        """Whether it is to be handed on."""
        waited = (at - self._begun).total_seconds()
        return waited >= PAGE_S or len(self.mentions) >= MOST_ON_A_PAGE or bool(self.gaps or self.gone)

    def done(self, cursor: Cursor) -> Page:
        """As it is handed on."""
        return Page(
            tuple(self.mentions), cursor, skipped=tuple(self.skipped), gaps=tuple(self.gaps),
            gone_accounts=tuple(self.gone), drift=tuple(self.drift), filtered=self.filtered,
        )  # fmt: skip


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
