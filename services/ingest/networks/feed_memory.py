"""What is new in a feed since it was last read: which items are the same, which changed, and where its address went."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from services.ingest.channel import Cursor, Page, Skipped
from services.ingest.incoming_mention import IncomingMention, cleaned, explain
from services.ingest.networks import websub
from services.ingest.networks.feeds import Feed, FeedItem
from services.ingest.networks.websub import Hub
from shared.kit.http import Answer
from shared.rules.canonical_url import canonical

MOST_ITEMS = 1_000  # new or changed ones in one page
REMEMBERED = 2_000  # items that are known again after they slid out of the feed
MOVED_AFTER = 3  # polls in a row that were told of the same new address
GOOGLE_ALERT = "tag:google.com,2013:googlealerts/feed:"
ALERTS_REST = timedelta(minutes=15)
USUAL_PAUSE = timedelta(minutes=1)  # between polls of a feed that names no rhythm
_UNUSABLE = "-"  # stands where the digest of a usable item would

ToMention = Callable[[FeedItem, str, datetime], IncomingMention]
"""(item, external_id, the moment that stands in for a missing date) -> mention."""


def is_alert(item: FeedItem) -> bool:
    """Whether it comes from Google Alerts."""
    return (item.id or "").startswith(GOOGLE_ALERT)


def identity(item: FeedItem, *, by_link: bool = False) -> str:
    """What makes an item itself: its id; its link where it has none, or where ids are shared or change (Google Alerts
    gives an article a new one each time); else a hash of its words."""
    if (by_link or item.id is None or is_alert(item)) and item.link and (address := canonical(item.link)):
        return as_id(address)
    if item.id:
        return as_id(item.id)
    words = "\n".join([item.title or "", item.text, *(media.url for media in item.media)])
    return "sha256:" + hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()


def as_id(text: str) -> str:
    """Ids stand in an index, which has no room for very long ones."""
    text = cleaned(text).strip()
    return text if len(text.encode()) <= 500 else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class FeedMemory:
    """The cursor of a feed, taken apart. `seen` holds for each item its digest, its place (link and title) and, where
    the feed gives no usable date, when we first saw it (seconds since 1970). `hub` is who tells of changes of `topic`, `hub_asked`
    when it was last asked to (seconds since 1970), `hub_took` whether it took that."""

    asked: str = ""
    url: str | None = None
    new_url: str | None = None
    told: int = 0
    etag: str | None = None
    modified: str | None = None
    body: str | None = None
    pending: bool = False
    by_link: bool = False
    rhythm_s: float | None = None
    hub: str | None = None
    topic: str | None = None
    hub_asked: int | None = None
    hub_took: bool = False
    seen: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None, asked: str) -> "FeedMemory":
        """What the cursor holds; nothing where the channel was set to another feed since."""
        if not cursor or cursor.get("asked") != asked:
            return cls(asked)
        return cls(**{name: cursor[name] for name in cls.__slots__ if name in cursor})

    def cursor(self) -> Cursor:
        """As it is stored."""
        held = {name: getattr(self, name) for name in type(self).__slots__}
        return {name: value for name, value in held.items() if value}

    @property
    def rhythm(self) -> timedelta | None:
        """How long to wait before the next poll, by the feed's own account."""
        return timedelta(seconds=self.rhythm_s) if self.rhythm_s else None

    @property
    def pause(self) -> timedelta | None:
        """How long to wait before the next poll, given who else tells of changes."""
        return websub.pause(self.rhythm, USUAL_PAUSE) if self.hub_took else self.rhythm

    def hub_to_ask(self, answer: Answer, at: datetime) -> Hub | None:
        """The hub that is to be asked now to tell of changes: one that is new, or was asked long enough ago."""
        if answer.status != 304:
            found = None if self.by_link else websub.discover(answer)
            hub, topic = (found.url, found.topic) if found else (None, None)
            if (hub, topic) != (self.hub, self.topic):
                self.hub, self.topic, self.hub_asked, self.hub_took = hub, topic, None, False
        if self.hub is None or self.topic is None:
            return None
        rest = websub.RENEWED_AFTER if self.hub_took else websub.RETRIED_AFTER
        due = self.hub_asked is None or at >= datetime.fromtimestamp(self.hub_asked, UTC) + rest
        return Hub(self.hub, self.topic) if due else None

    def asked_hub(self, at: datetime, *, took: bool) -> None:
        """Notes that the hub was asked."""
        self.hub_asked, self.hub_took = int(at.timestamp()), took

    def conditions(self) -> dict[str, str]:
        """The headers that ask for the feed only if it changed. Not while a part of it is still to be handed on."""
        if self.pending:
            return {}
        both = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in both.items() if value}

    def is_same(self, answer: Answer) -> bool:
        """Whether the answer tells nothing that was not handed on before. Notes its body and its marks."""
        if answer.status == 304:
            return not self.pending
        body = hashlib.sha256(answer.body).hexdigest()[:32]
        same = body == self.body and not self.pending
        self.body, self.etag, self.modified = body, answer.headers.get("etag"), answer.headers.get("last-modified")
        return same

    def follow(self, answer: Answer) -> None:
        """A new address counts once it was given several times: sites also redirect by mistake."""
        to = None
        for hop in answer.hops:
            if hop.status not in (301, 308):
                break
            to = hop.url
        self.told = self.told + 1 if to and to == self.new_url else int(to is not None)
        self.new_url = to
        if to and self.told >= MOVED_AFTER:
            self.url, self.new_url, self.told = to, None, 0

    def news(self, feed: Feed, at: datetime, to_mention: ToMention) -> Page:
        """The page of what is new or changed, oldest first; from then on it is known."""
        self.by_link = self.by_link or _shares_ids(feed.items)
        current = {identity(item, by_link=self.by_link) for item in feed.items}
        gone = {known[1]: external_id for external_id, known in self.seen.items() if external_id not in current}
        fresh: list[IncomingMention] = []
        skipped: list[Skipped] = []
        now_seen: dict[str, list[Any]] = {}
        self.pending = False
        for item in feed.items:
            external_id, place = identity(item, by_link=self.by_link), _place(item)
            if external_id not in self.seen and place in gone:
                external_id = gone.pop(place)  # the same item under a new id
            if external_id in now_seen:
                continue
            known = self.seen.get(external_id)
            first_seen = known[2] if known else None if _is_dated(item, at) else int(at.timestamp())
            try:
                mention = to_mention(item, external_id, datetime.fromtimestamp(first_seen, UTC) if first_seen else at)
                digest = mention.digest().hex()[:12]
            except ValidationError as wrong:
                mention, digest = None, _UNUSABLE
                if known is None:
                    skipped.append(Skipped(" ".join(detail for _, detail in explain(wrong)), external_id))
            if mention is None or (known and known[0] == digest):
                now_seen[external_id] = known or [digest, place, first_seen]
            elif len(fresh) == MOST_ITEMS:
                self.pending = True
                now_seen |= {external_id: known} if known else {}
            else:
                now_seen[external_id] = [digest, place, first_seen]
                changed = {"edited_at": _edited_at(item, mention, at)}
                fresh.append(mention.model_copy(update=changed) if known else mention)
        room = max(0, REMEMBERED - len(now_seen))
        self.seen = now_seen | dict([pair for pair in self.seen.items() if pair[0] not in now_seen][:room])
        self.rhythm_s = _rhythm(feed)
        fresh.sort(key=lambda mention: mention.edited_at or mention.published_at)
        return Page(tuple(fresh), self.cursor(), self.pending, tuple(skipped), self.pause)


def _shares_ids(items: Sequence[FeedItem]) -> bool:
    """Whether items with different links carry the same id: some feeds write the site's address in every guid."""
    pairs = {(item.id, item.link) for item in items if item.id and item.link}
    return any(count > 1 for count in Counter(id_ for id_, _ in pairs).values())


def _place(item: FeedItem) -> str:
    """Link and title, by which an item is known again under a new id. Without a link each item is its own."""
    words = f"{item.link}\n{item.title}" if item.link else f"{item.id}\n{item.title}\n{item.text}"
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:12]


def _is_dated(item: FeedItem, at: datetime) -> bool:
    return item.published is not None and item.published <= at


def _edited_at(item: FeedItem, mention: IncomingMention, at: datetime) -> datetime:
    """When the feed says it was changed, if that can be true; else now."""
    updated = item.updated
    return updated if updated and mention.published_at < updated <= at else at


def _rhythm(feed: Feed) -> float | None:
    rhythm = feed.poll_after
    if any(is_alert(item) for item in feed.items):
        rhythm = max(rhythm or ALERTS_REST, ALERTS_REST)
    return rhythm.total_seconds() if rhythm else None
