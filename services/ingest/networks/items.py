"""Items of a payload, each read as a mention: one that cannot be read is skipped with its reason and spoils no other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from services.ingest.channel import Engagement, IncomingMention, Skipped, SkipThis, cleaned, explain
from services.ingest.incoming_mention import MOST
from services.ingest.networks.json_api import Fields, kept, parsed

LONGEST_PLACE = 2_000
MOST_DRIFT = 50  # names of fields told for one page
Drift = dict[str, None]
ToMention = Callable[[Any, Drift], IncomingMention | None]


def payload_in(body: bytes) -> Any:
    """A payload as it was kept. Raises SkipThis where it is not JSON."""
    try:
        return parsed(body)
    except ValueError as wrong:
        raise SkipThis(f"The payload is not JSON: {wrong}.") from wrong


def mention(item: Any, **fields: Any) -> IncomingMention:
    """A mention that keeps the item it was read from. Raises pydantic's ValidationError where it makes none."""
    return IncomingMention.model_validate({**fields, "raw": kept(item)})


def tombstone(
    item: Any, external_id: str | None, published_at: datetime | None, deleted_at: datetime
) -> IncomingMention:
    """The word that a post is gone at its venue."""
    published_at = min(published_at or deleted_at, deleted_at)
    return mention(item, external_id=external_id, text="", published_at=published_at, deleted_at=deleted_at)


def cut(text: str | None, most: int = 500) -> str | None:
    """A name or a title as it fits; None where nothing is left of it."""
    return (text or "").strip()[:most] or None


def unknown(fields: Fields, known: str) -> None:
    """Tells the fields that nobody documented as drift. `known`: the documented names, with blanks between them."""
    for name in sorted(map(str, fields.value.keys() - set(known.split())))[:MOST_DRIFT]:
        fields.drift[f"{fields.name}.{name}"[:200]] = None


def missing(fields: Fields, *names: str) -> None:
    """Tells the fields that are documented to be always there, and are not, as drift."""
    if fields:
        fields.drift.update({f"{fields.name}.{name}": None for name in names if name not in fields.value})


def place_in(fields: Fields, name: str) -> str | None:
    """A text that goes into a cursor (where to read on, an id): None where it is empty, or cannot be stored as it is."""
    told = fields.text(name) or None
    if told is not None and (len(told) > LONGEST_PLACE or cleaned(told) != told):
        fields.drift[f"{fields.name}.{name}"] = None
        return None
    return told


def host_of(link: str | None) -> str:
    """The host of an address; "" where there is none."""
    try:
        return urlsplit(link or "").netloc
    except ValueError:
        return ""


def from_epoch(fields: Fields, name: str) -> datetime | None:
    """A moment told as seconds since 1970, as a number or in digits."""
    told = fields.value.get(name)
    if told is None:
        return None
    try:
        if isinstance(told, bool):
            raise TypeError
        return datetime.fromtimestamp(float(told), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        fields.drift[f"{fields.name}.{name}"] = None
        return None


def score_of(fields: Fields, name: str) -> int | None:
    """A whole number that may be negative."""
    told = fields.value.get(name)
    if told is None or (isinstance(told, int) and not isinstance(told, bool) and abs(told) <= MOST):
        return told
    fields.drift[f"{fields.name}.{name}"] = None
    return None


def engagement(**counts: int | None) -> Engagement | None:
    """What others did with it; None where the venue tells nothing at all."""
    return Engagement(**counts) if any(value is not None for value in counts.values()) else None


@dataclass(slots=True)
class Items:
    """What was read of a page: mentions, what was refused, what departs from the documents."""

    mentions: list[IncomingMention] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    drift: Drift = field(default_factory=dict)

    def take(self, items: Iterable[Any], to_mention: ToMention, id_field: str = "id") -> "Items":
        """Reads each item. `to_mention` gives None for what is no matter of ours."""
        for item in items:
            try:
                made = to_mention(item, self.drift)
            except ValidationError as wrong:
                self._skip(" ".join(detail for _, detail in explain(wrong)), item, id_field)
            except SkipThis as why:
                self._skip(str(why), item, id_field)
            except ValueError as wrong:  # an address or a text that nothing can be made of
                self._skip(f"It cannot be read ({type(wrong).__name__}).", item, id_field)
            else:
                if made is not None:
                    self.mentions.append(made)
        return self

    def told(self) -> dict[str, Any]:
        """As fields of a Page: each post once, its last word counting, in the order they were published."""
        once = {one.external_id: one for one in self.mentions}
        return {
            "mentions": tuple(sorted(once.values(), key=lambda one: one.published_at)),
            "skipped": tuple(self.skipped),
            "drift": tuple(self.drift)[:MOST_DRIFT],
        }

    def _skip(self, reason: str, item: Any, id_field: str) -> None:
        known = item.get(id_field) if isinstance(item, Mapping) else None
        self.skipped.append(Skipped(reason, str(known)[:200] if isinstance(known, str | int) else None))
