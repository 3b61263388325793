"""The hand-written Dutch mentions that quality is measured on; no head or model ever learns from them.

What the labels mean, where their borders lie and what the set cannot tell: docs/models/dutch-set.md.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from services.triage.stage import BrandBrief
from services.triage.stages.intent import INTENTS
from shared.models import taxonomy

WRITTEN: Final = Path(__file__).parent / "written"
MENTIONS: Final = WRITTEN / "mentions.nl.jsonl"
BRANDS: Final = WRITTEN / "brands.nl.yaml"

NO_SECTOR: Final = "common"
"""The sector of mentions of any company, which has the common issue types alone."""
SENTIMENTS: Final = ("positive", "neutral", "negative")
VENUES: Final = ("tweet", "review", "mail", "forum", "comment", "app_review", "chat")
ENTITY_TYPES: Final = (
    "BRAND", "PRODUCT", "PERSON", "ORG", "PLACE", "ORDER_NUMBER", "FLIGHT", "MONEY", "DATE", "TIME",
)  # fmt: skip
_FIELDS: Final = ("text", "lang", "venue", "sector", "sentiment", "intent", "ironic", "issues", "entities")


class LabelError(ValueError):
    """A line of the set cannot be used; the message says which, why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled place: `label` is an issue type's key or an entity's type, `text` the exact words, which stand from
    `start` to before `end` (code points of the mention's text)."""

    label: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class LabelledMention:
    """A mention with what a person says is in it, in the order of the text. `line` is where it stands in the file."""

    line: int
    text: str
    lang: str
    venue: str
    sector: str
    sentiment: str
    intent: str
    ironic: bool
    issues: tuple[Span, ...]
    entities: tuple[Span, ...]

    @property
    def issue_keys(self) -> frozenset[str]:
        """The issue types it tells of."""
        return frozenset(issue.label for issue in self.issues)


def read(path: Path = MENTIONS) -> list[LabelledMention]:
    """Every mention of the set. Raises LabelError for the first line that cannot be used."""
    known = {sector: _keys(sector) for sector in sectors()}
    return list(_read(path, known))


def sectors() -> tuple[str, ...]:
    """The sectors that mentions are of: every one with a taxonomy, and the mentions of any company first."""
    return (NO_SECTOR, *taxonomy.sectors())


def taxonomy_of(sector: str) -> str | None:
    """What to load the issue types of a mention's sector by."""
    return None if sector == NO_SECTOR else sector


def brands(sector: str, path: Path = BRANDS) -> tuple[BrandBrief, ...]:
    """The invented brands that the mentions of a sector are about."""
    of_sector = yaml.safe_load(path.read_text(encoding="utf-8"))[sector]
    return tuple(
        BrandBrief(
            id=one["name"],
            name=one["name"],
            handles=tuple(one.get("handles", ())),
            product_lines=tuple(one.get("product_lines", ())),
        )
        for one in of_sector
    )


@lru_cache(maxsize=32)
def _keys(sector: str) -> frozenset[str]:
    return frozenset(definition.key for definition in taxonomy.load(taxonomy_of(sector)))


def _read(path: Path, known: Mapping[str, frozenset[str]]) -> Iterator[LabelledMention]:
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                yield _mention(number, line, known)
            except LabelError as error:
                raise LabelError(f"{path.name}, line {number}: {error}") from error


def _mention(number: int, line: str, known: Mapping[str, frozenset[str]]) -> LabelledMention:
    try:
        source = json.loads(line)
    except ValueError as error:
        raise LabelError(f"this is not JSON ({error}); write one object a line.") from error
    if not isinstance(source, dict) or set(source) != set(_FIELDS):
        raise LabelError(f"write an object with exactly the fields {', '.join(_FIELDS)}.")
    text = source["text"]
    if not isinstance(text, str) or not text.strip():
        raise LabelError("`text` is empty; write the mention's text.")
    if not isinstance(source["ironic"], bool):
        raise LabelError("`ironic` is true or false.")
    sector = _one_of(source, "sector", tuple(known))
    return LabelledMention(
        line=number,
        text=text,
        lang=_one_of(source, "lang", ("nl",)),
        venue=_one_of(source, "venue", VENUES),
        sector=sector,
        sentiment=_one_of(source, "sentiment", SENTIMENTS),
        intent=_one_of(source, "intent", INTENTS),
        ironic=source["ironic"],
        issues=_spans(source, "issues", ("key", "quote"), text, sorted(known[sector])),
        entities=_spans(source, "entities", ("type", "text"), text, ENTITY_TYPES),
    )


def _one_of(source: Mapping[str, Any], field: str, known: tuple[str, ...]) -> str:
    value = source[field]
    if value not in known:
        raise LabelError(f"`{field}` is {value!r}; write one of: {', '.join(known)}.")
    return str(value)


def _spans(
    source: Mapping[str, Any], field: str, names: tuple[str, str], text: str, known: Sequence[str]
) -> tuple[Span, ...]:
    """What one of the two lists says, in the order of the text. `names` are how it calls the label and the words."""
    if not isinstance(source[field], list):
        raise LabelError(f"`{field}` is a list; write [] where there is none.")
    found = []
    for one in source[field]:
        if not isinstance(one, dict) or not set(names) <= set(one) <= {*names, "nth"}:
            raise LabelError(f"each of `{field}` has {names[0]}, {names[1]} and, where needed, nth; found {one!r}.")
        label, words = one[names[0]], one[names[1]]
        if label not in known:
            raise LabelError(
                f"{field} has the {names[0]} {label!r}, which is unknown; write one of: {', '.join(known)}."
            )
        if not isinstance(words, str) or not words or words != words.strip():
            raise LabelError(f"{field}: {words!r} is empty or begins or ends with a space; quote the words alone.")
        start = _place(text, words, one.get("nth"))
        found.append(Span(label, words, start, start + len(words)))
    return tuple(sorted(found, key=lambda span: (span.start, -span.end)))


def _place(text: str, words: str, nth: object) -> int:
    """Where the words stand. `nth` counts from 1 and is needed where, and only where, they stand more than once."""
    places = []
    at = text.find(words)
    while at >= 0:
        places.append(at)
        at = text.find(words, at + 1)
    if not places:
        raise LabelError(f"{words!r} does not stand in the text; copy the words letter by letter.")
    if nth is None:
        if len(places) > 1:
            raise LabelError(f'{words!r} stands {len(places)} times in the text; add "nth", which counts from 1.')
        return places[0]
    if not isinstance(nth, int) or isinstance(nth, bool) or not 1 <= nth <= len(places) or len(places) == 1:
        raise LabelError(f"{words!r} has nth {nth!r} but stands {len(places)} time(s); mend nth or leave it out.")
    return places[nth - 1]
