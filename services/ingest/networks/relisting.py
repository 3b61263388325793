"""Reading a venue that tells neither edits nor deletions: its newest first, and now and then the last days again, compared.

The cursor holds what was seen lately (id, time, digest of the words), so that it is known what is new, changed or missing. A walk
that would go on for ever is ended, and what it did not come to is told as a gap.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.channel import Cursor, Gap, IncomingMention
from shared.kit import clock

MOST_KNOWN = 500  # of what was seen last; what is older is no longer compared
MOST_PAGES = 200
"""Of one walk: a venue that repeats its pages would keep it busy for ever."""


_MOMENTS = ("newest", "since", "checked_at", "floor", "top", "low")


@dataclass(slots=True)
class Relisting:
    """Where such a reading stands. `left` are the known ones that a comparing walk has not met yet; None in a plain walk. `low` is
    how far down the walk came; `gaps` is what a walk that was ended did not come to, told with the page on which it ended."""

    place: str = ""
    newest: datetime | None = None
    since: datetime | None = None
    checked_at: datetime | None = None
    known: dict[str, list[Any]] = field(default_factory=dict)
    page: int = 0
    floor: datetime | None = None
    top: datetime | None = None
    low: datetime | None = None
    left: list[str] | None = None
    missed: list[str] = field(default_factory=list)
    below: bool = False
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, cursor: Cursor | None) -> "Relisting":
        """As it was stored."""
        held = dict(cursor or {})
        for name in _MOMENTS:
            held[name] = datetime.fromisoformat(held[name]) if held.get(name) else None
        return cls(**held)

    def begin(self, now: datetime, *, history: timedelta, window: timedelta, lag: timedelta, every: timedelta) -> None:
        """Begins a walk where none is under way: a plain one, or every `every` one that compares the last `window`."""
        self.below = False
        if self.page:
            return
        if self.since is None:
            self.since = now - history
        plain = self.since if self.newest is None else self.newest - lag
        self.page, self.floor, self.top, self.low, self.left = 1, plain, None, None, None
        if self.newest is None or self.checked_at is None:
            self.checked_at = now
        elif now - self.checked_at >= every:
            self.checked_at = now
            self.floor = max(min(now - window, plain), self.since)
            floor = self.floor.timestamp()
            if len(self.known) >= MOST_KNOWN:  # what is not known any more would seem new
                floor = max(floor, min(at for at, _ in self.known.values()))
                self.floor = datetime.fromtimestamp(floor, UTC)
            self.left = [external_id for external_id, (at, _) in self.known.items() if at >= floor]

    def news(self, mention: IncomingMention | None, digest: str, now: datetime) -> IncomingMention | None:
        """The mention, if it is new or its words changed; then with `edited_at`. What is older than the walk goes is no news."""
        if mention is None:
            return None
        at = mention.published_at
        if self.floor is not None and at < self.floor:
            self.below = True
            return None
        self.top, self.low = max(self.top or at, at), min(self.low or at, at)
        external_id = mention.external_id
        if self.left is not None and external_id in self.left:
            self.left.remove(external_id)
        before = self.known.get(external_id)
        self.known[external_id] = [int(at.timestamp()), digest]
        if before is None:
            return mention
        return None if before[1] == digest else mention.model_copy(update={"edited_at": mention.edited_at or now})

    def next(self, *, over: bool) -> bool:
        """Notes that a page was read; `over`: the list has no more. Returns whether more can be read at once."""
        if not over and not self.below and self.page < MOST_PAGES:
            self.page += 1
            return True
        if not over and not self.below:
            self._end_here()
        self.newest = max(filter(None, (self.newest, self.top)), default=self.newest or self.since)
        self.missed = self.left or []
        self.page, self.left, self.floor, self.top, self.low = 0, None, None, None, None
        if len(self.known) > MOST_KNOWN:
            kept = sorted(self.known.items(), key=lambda one: one[1][0])[-MOST_KNOWN:]
            self.known = dict(kept)
        return bool(self.missed)

    def _end_here(self) -> None:
        """What lies below is told as a gap, and nothing of it is missing: it was not looked at."""
        low = self.low or self.floor
        if self.floor is not None and low is not None and self.floor < low:
            self.gaps = (
                Gap(self.floor, low, f"The list is longer than {MOST_PAGES} pages; what is older was not read."),
            )
        if self.left is not None and low is not None:
            self.left = [one for one in self.left if self.known[one][0] >= low.timestamp()]

    def forget(self, external_id: str) -> None:
        """It is not compared any more."""
        self.known.pop(external_id, None)

    def cursor(self) -> dict[str, Any]:
        """As it is stored."""
        moments = {name: getattr(self, name) for name in _MOMENTS}
        told: dict[str, Any] = {name: clock.iso(at) for name, at in moments.items() if at is not None}
        rest = {"place": self.place, "known": self.known, "page": self.page, "left": self.left, "missed": self.missed}
        return told | {name: value for name, value in rest.items() if value}
