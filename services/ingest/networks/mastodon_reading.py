"""What lists and streams of an instance bring: which of it is new, which changed, and which is gone.

Ids of statuses hold the moment they were written (milliseconds in all but the last 16 bits) and sort by it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from services.ingest.channel import Cursor, Gap, IncomingMention, Page, Skipped, explain
from services.ingest.networks import mastodon_status as statuses
from services.ingest.networks.json_api import Fields, parsed
from services.ingest.networks.words import Words

KEPT = 200  # statuses that are looked at again
_FIRST_WITH_TIME = 100_000_000_000_000_000  # smaller ids only count up
MISSED_TWICE = 2


def since_id(at: datetime) -> str:
    """The smallest id that a status of that moment can have."""
    return str(int(at.timestamp() * 1_000) << 16)


def holds_time(status_id: str | None) -> bool:
    """Whether ids here hold the moment; before any is known, that they do."""
    return status_id is None or (status_id.isdigit() and int(status_id) >= _FIRST_WITH_TIME)


def moved(status_id: str | None, by: timedelta) -> str | None:
    """An id, moved in time; as it is where it holds no time."""
    if status_id is None or not holds_time(status_id):
        return status_id
    return str(max(0, int(status_id) + (int(by.total_seconds() * 1_000) << 16)))


def later(found: Sequence[Any]) -> str | None:
    """The latest id in a list."""
    ids = [one["id"] for one in found if isinstance(one, dict) and isinstance(one.get("id"), str) and one["id"]]
    return max(ids, key=lambda one: (len(one), one), default=None)


def is_later(one: str, other: str) -> bool:
    """Whether an id comes after another."""
    return (len(one), one) > (len(other), other)


@dataclass(slots=True)
class Held:
    """Statuses read last, by their ids here: address, how often it was missed, and when it was edited. `addresses` are those of
    others, found out on the way."""

    posts: dict[str, list[Any]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> "Held":
        """As the cursor holds them: those that a stream told, and those that lists brought."""
        told = cursor or {}
        return cls({known: list(one) for name in ("heard", "held") for known, one in (told.get(name) or {}).items()})

    def add(self, status_id: str, uri: str, edited_at: str | None) -> None:
        """Remembers one; the oldest are forgotten."""
        self.posts[status_id] = [uri, 0, edited_at]
        while len(self.posts) > KEPT:
            del self.posts[next(iter(self.posts))]

    def next(self, many: int) -> list[str]:
        """Whose turn it is to be looked at; they go to the end."""
        ids = [known for known, one in self.posts.items() if one[1] < MISSED_TWICE][:many]
        for one in ids:
            self.posts[one] = self.posts.pop(one)
        return ids

    def uris(self) -> dict[str, str]:
        """The addresses behind all ids that are known."""
        return {**{known: one[0] for known, one in self.posts.items()}, **self.addresses}


class Reader:
    """Gathers a page. `host` is the instance's; statuses by `ours` are left out."""

    def __init__(self, host: str, at: datetime, ours: Collection[str] = ()) -> None:
        self.mentions: list[tuple[IncomingMention, str | None]] = []
        self._host, self._at, self._ours = host, at, ours
        self._skipped: list[Skipped] = []
        self._drift: dict[str, None] = {}
        self._uris: dict[str, str] = {}

    def take_all(self, found: Sequence[Any], words: Words | None = None, held: Held | None = None) -> None:
        """Statuses or notifications, given newest first; with `words`, those that hold them."""
        for one in reversed(found):
            self._take(one, words, held, edited=False)

    def take_event(self, event: str, data: Any, held: Held, words: Words | None = None) -> None:
        """An event of a stream."""
        if event == "delete":
            known = held.posts.pop(str(data).strip(), None)
            if known is not None:
                self.mentions.append((statuses.tombstone(known[0], str(data).strip(), self._at), None))
            return
        if event not in ("update", "status.update", "notification"):
            return
        try:
            told = parsed(data.encode("utf-8", "surrogatepass")) if isinstance(data, str) else data
        except ValueError:
            self._drift[f"event.{event}"] = None
            return
        if event == "notification" and isinstance(told, dict) and told.get("type") not in ("mention", "quote"):
            return
        status = told if isinstance(told, dict) else {}
        is_held = event == "status.update" and status.get("id") in held.posts
        self._take(told, None if is_held else words, held, edited=event == "status.update")

    def compare(self, found: Sequence[Any], ids: Sequence[str], held: Held) -> None:
        """What became of statuses that were asked for again: edited, or missing twice and so deleted."""
        there = {one["id"]: one for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)}
        for known in ids:
            uri, missed, edited_at = held.posts[known]
            if known in there:
                held.posts[known][1] = 0
                if there[known].get("edited_at") != edited_at:
                    self._take(there[known], None, held, edited=True)
                continue
            held.posts[known][1] = missed + 1  # what is gone stays there, so as not to be told again
            if missed + 1 >= MISSED_TWICE:
                self.mentions.append((statuses.tombstone(uri, known, self._at), None))

    def orphans(self) -> list[str]:
        """The ids of what is answered whose addresses are not known yet."""
        return list(dict.fromkeys(parent for _, parent in self.mentions if parent and parent not in self._uris))

    def adopt(self, held: Held) -> None:
        """Puts the addresses of what is answered into the mentions."""
        known = held.uris()
        self.mentions = [
            (one.model_copy(update={"in_reply_to": known[parent]}) if parent in known and parent else one, parent)
            for one, parent in self.mentions
        ]

    def page(
        self, cursor: Cursor, gaps: Sequence[Gap] = (), more: bool = False, poll_after: timedelta | None = None,
        quota: int | None = None,
    ) -> Page:  # fmt: skip
        """The page that was gathered."""
        return Page(
            tuple(one for one, _ in self.mentions), cursor, more, tuple(self._skipped), poll_after, quota,
            gaps=tuple(gaps), drift=tuple(self._drift),
        )  # fmt: skip

    def _take(self, one: Any, words: Words | None, held: Held | None, *, edited: bool) -> None:
        whole = isinstance(one, dict) and "status" in one and "content" not in one
        status = Fields(one["status"] if whole else one, "status", self._drift)
        account = status.inside("account")
        if self._ours and self._names(account) & set(self._ours):
            return
        uris = held.uris() if held else {}
        try:
            mention = statuses.to_mention(status, self._at, self._host, uris, edited=edited)
        except ValidationError as wrong:
            told = status.value.get("uri")
            reason = " ".join(detail for _, detail in explain(wrong))
            self._skipped.append(Skipped(reason, told if isinstance(told, str) else None))
            return
        tags = [tag.text("name") for tag in status.each("tags")] if words else []
        if words and not words.are_in(mention.title, mention.text, *tags):
            return
        self._uris |= uris
        self.mentions.append((mention, status.text("in_reply_to_id")))
        if held is not None and (known := status.text("id")):
            held.add(known, mention.external_id, status.text("edited_at"))

    def _names(self, account: Fields) -> set[str]:
        acct = (account.text("acct") or "").lower()
        names = {acct, account.text("uri") or "", account.text("url") or ""}
        return {*names, f"{acct}@{self._host}"} - {""}
