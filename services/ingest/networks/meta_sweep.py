"""Reading back what Meta's webhooks did not bring: lists of posts or conversations, newest first, and what stands under each.

A sweep goes through every list back to where the last one began (with an overlap, for Meta shows some things late), and
opens what was written under older entries too. Where it stands is the cursor; `known` moves only when it is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingest.channel import ChannelBroken, Cursor, SkipThis
from services.ingest.networks.json_api import Fields
from services.ingest.networks.meta import Graph, Read, Withdrawn, after_of, when

OVERLAP = timedelta(minutes=15)
POLL_AFTER = timedelta(minutes=5)
FIRST = timedelta(days=7)  # how far back a channel reads when it is new
MOST_COUNTS = 500
PAGE, UNDER = 10, 50  # Meta refuses an answer that would be too large


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of entries, newest first by `time`. `back`: how much older than what is looked for an entry may be that is still
    opened. `under`: the field and path of what stands under an entry, in order of `under_time` unless `under_count` names the
    field by which a change under the entry is seen. `timed`: the list takes `since`. `may_be_gone`: where Meta has withdrawn it
    in the version that is called, the others are read all the same."""

    name: str
    path: str
    fields: str
    time: str
    back: timedelta = timedelta(0)
    under: str = ""
    under_fields: str = ""
    under_time: str = ""
    under_count: str = ""
    under_params: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    timed: bool = False
    may_be_gone: bool = False


@dataclass(slots=True)
class Sweep:
    """Where a sweep stands. `deep` holds entries under which there is more than was shown: [id, place, edge, entry]."""

    since: int
    began: int
    known: int | None = None
    turn: int = 0
    after: str | None = None
    deep: list[Any] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    again: bool = False
    done: bool = False

    @classmethod
    def of(cls, cursor: Cursor | None, at: datetime, since: datetime | None = None) -> "Sweep":
        """Goes on with the sweep of `cursor`, or begins one: from `since`, else from where the last one began."""
        held: Any = dict(cursor or {})
        if "began" in held:
            return cls(**{**held, "deep": list(held.get("deep", ())), "counts": dict(held.get("counts", {}))})
        known = held.get("known")
        start = since or (datetime.fromtimestamp(known, UTC) - OVERLAP if known else at - FIRST)
        return cls(int(start.timestamp()), int(at.timestamp()), known, counts=dict(held.get("counts") or {}))

    def cursor(self) -> dict[str, Any]:
        """As it is stored."""
        if self.done:
            return {"known": self.began, "counts": self.counts} if self.counts else {"known": self.began}
        held = {
            name: getattr(self, name)
            for name in ("since", "began", "known", "turn", "after", "deep", "counts", "again")
        }
        return {name: value for name, value in held.items() if value or name in ("since", "began")}

    def stands(self, read: Read) -> dict[str, Any]:
        """Where it stands after a step, as fields of a Page."""
        rest = read.rest if read.rest or not self.done else POLL_AFTER
        return {
            "cursor": self.cursor(),
            "has_more": not self.done and not rest,
            "poll_after": rest,
            "quota_left": read.quota_left,
        }

    async def step(self, graph: Graph, listings: Sequence[Listing]) -> tuple[list[dict[str, Any]], Read]:
        """The next events, each as {kind, entry, value}, and the answer that brought them. Raises ChannelError."""
        listing = listings[self.turn]
        try:
            events, read = await (self._deeper(graph, listing) if self.deep else self._on(graph, listing))
        except Withdrawn:
            if not listing.may_be_gone:
                raise
            events, read = [], Read({})
            self.deep, self.after = [], None
        except ChannelBroken:
            if self.again or not self._has_place():
                raise
            self._lose_place()
            return [], Read({})
        self.again = False
        if not self.deep and self.after is None:  # this list is read, and all that stands under its entries
            self.turn += 1
            self.done = self.turn >= len(listings)
        return events, read

    async def _on(self, graph: Graph, listing: Listing) -> tuple[list[dict[str, Any]], Read]:
        read = await graph.read(listing.path, self._asked(listing))
        events, self.after = self._listed(listing, read)
        return events, read

    async def _deeper(self, graph: Graph, listing: Listing) -> tuple[list[dict[str, Any]], Read]:
        entry_id, place, edge, entry = self.deep[-1]
        asked = {"fields": listing.under_fields, "limit": str(UNDER)} | ({"after": place} if place else {})
        try:
            read = await graph.read(
                f"{entry_id}/{edge}",
                asked | (dict(listing.under_params) if edge == listing.under else {}),
                maybe_gone=True,
            )
        except SkipThis:  # it was deleted since its list was read
            read = Read({})
        self.deep.pop()
        return self._under(listing, entry, read.found), read

    def _has_place(self) -> bool:
        return bool(self.deep[-1][1] if self.deep else self.after)

    def _lose_place(self) -> None:
        """A place in a list does not last when the list changes; then the list is read anew from its top, once."""
        self.again = True
        if self.deep:
            entry_id, _, edge, entry = self.deep.pop()
            self.deep.append([entry_id, None, edge, entry])
        else:
            self.after = None

    def _asked(self, listing: Listing) -> dict[str, str]:
        asked = {"fields": listing.fields, "limit": str(PAGE), **listing.params}
        if listing.timed:
            asked["since"] = str(self.since - int(listing.back.total_seconds()))
        if self.after:
            asked["after"] = self.after
        return asked

    def _listed(self, listing: Listing, read: Read) -> tuple[list[dict[str, Any]], str | None]:
        events: list[dict[str, Any]] = []
        oldest = datetime.fromtimestamp(self.since, UTC) - listing.back
        after = read.after()
        for entry in read.items():
            fields = Fields(entry, "entry", {})
            at = when(fields, listing.time)
            if at is not None and at < oldest:
                after = None
                continue
            if at is None or at.timestamp() >= self.since:
                events.append({"kind": listing.name, "value": entry})
            if listing.under and fields and self._changed(listing, fields):
                about = {name: value for name, value in entry.items() if name != listing.under}
                events += self._under(listing, about, entry.get(listing.under))
        return events, after

    def _changed(self, listing: Listing, entry: Fields) -> bool:
        """Whether something under it may be new: where the venue counts, by the count."""
        if not listing.under_count:
            return True
        entry_id, count = entry.text("id") or "", entry.count(listing.under_count)
        if count is None or count == self.counts.get(entry_id):
            return count is None
        self.counts.pop(entry_id, None)
        self.counts[entry_id] = count
        while len(self.counts) > MOST_COUNTS:
            del self.counts[next(iter(self.counts))]
        return True

    def _under(self, listing: Listing, about: Mapping[str, Any], listed: Any) -> list[dict[str, Any]]:
        """What stands under an entry, and under that, and is not too old; notes where there is more of it."""
        shown = _data(listed)
        times = [when(Fields(one, "shown", {}), listing.under_time) for one in shown]
        read_before = not listing.under_count and any(at is not None and at.timestamp() < self.since for at in times)
        kept = {name: about[name] for name in KEPT if name in about}
        if (place := after_of(listed)) is not None and not read_before and about.get("id"):
            answers_to = about.get("parent")
            self.deep.append([str(answers_to or about["id"]), place, REPLIES if answers_to else listing.under, kept])
        events = []
        for one, at in zip(shown, times, strict=True):
            if at is None or at.timestamp() >= self.since:
                events.append({"kind": f"{listing.name}.{listing.under}", "entry": kept, "value": one})
            if isinstance(one, dict) and _data(one.get(REPLIES)):
                events += self._under(listing, {**kept, "parent": one.get("id")}, one[REPLIES])
        return events


REPLIES = "replies"
KEPT = ("id", "permalink", "permalink_url", "parent")
"""What of an entry is needed to read what stands under it, and therefore kept in the cursor."""


def _data(listed: Any) -> list[Any]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return data if isinstance(data, list) else []
