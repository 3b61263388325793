"""Who and what does it name? The workspace's own names first, then what rules can read, then the language's model."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from services.triage import shapes, telephone
from services.triage.shapes import Place
from services.triage.stage import Assessment, Briefing, Finding, finder, fold, stage
from shared.rules.gate import Gate

if TYPE_CHECKING:
    from spacy.tokens import Doc

_VERSION = "2"
_says = finder("entities", _VERSION)

MODEL_TYPES: Final[Mapping[str, str]] = {
    "PERSON": "PERSON", "PER": "PERSON", "ORG": "ORG", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE",
    "PRODUCT": "PRODUCT", "MONEY": "MONEY", "DATE": "DATE", "TIME": "TIME",
}  # fmt: skip
"""What a model's labels are called here; labels not named (numbers, peoples, works of art) are left out."""
MODEL_CONFIDENCE: Final = 0.55
MOST: Final = 300
"""More names than this in one text are not listed."""

_NAMES: Final = frozenset({"PERSON", "ORG", "PLACE", "PRODUCT"})
_Names = Gate[tuple[str, str]]


@stage(needs=("language",), adds=("entities", "doc"), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """Every name with its type, normal form and place; none overlaps another. Leaves the tokenised text as `doc`."""
    by_language: dict[str, list[int]] = {}
    for at, a in enumerate(batch):
        by_language.setdefault(a.language if a.language != "und" else briefing.languages[0], []).append(at)
    assessed = list(batch)
    names = briefing.once("entities.names", _names, of=("brands", "gazetteer"))
    own = [re.compile(pattern) for pattern in briefing.order_number_patterns]
    for language, places in by_language.items():
        docs = briefing.models.read([batch[at].reading.text for at in places], language)
        by = briefing.models.model_name(language)
        for at, doc in zip(places, docs, strict=True):
            a = batch[at]
            chosen = _chosen(_read(a, doc, language, names, own, briefing, by))
            assessed[at] = a.found(entities=[_finding(a, place) for place in chosen]).but(doc=doc)
    return assessed


def _read(
    a: Assessment,
    doc: "Doc",
    language: str,
    names: _Names | None,
    own: Sequence[re.Pattern[str]],
    briefing: Briefing,
    by: str,
) -> Iterator[Place]:
    """All that is named, the surest source first."""
    text = a.reading.text
    if names is not None:
        hits = sorted(names.find(text), key=lambda hit: hit[1] - hit[2])  # the longest first
        for (kind, value), start, end in hits:
            yield Place(kind, value, start, end, 0.95, "a name of the workspace", "entities.gazetteer")
    yield from shapes.read(text, a.reading.words, language, a.published_at.date(), a.country, own)
    yield from _recognised(doc, by, a)
    if language == "nl" and not briefing.models.has_entity_model("nl"):
        yield from _dutch_places(text, briefing.once("entities.places", _places, of=("languages",)))


def _finding(a: Assessment, place: Place) -> Finding:
    start, end = a.reading.span(place.start, place.end)
    words = a.text[start:end]
    return _says(place.value, place.confidence, place.why, span=(start, end), by=place.by, type=place.kind, text=words)


def _chosen(places: Iterable[Place]) -> list[Place]:
    """In the order of the text, the earlier given of overlapping ones."""
    kept: list[Place] = []
    starts: list[int] = []
    for place in places:
        at = bisect_left(starts, place.start)
        clear_before = at == 0 or kept[at - 1].end <= place.start
        if place.start < place.end and clear_before and (at == len(kept) or place.end <= kept[at].start):
            kept.insert(at, place)
            starts.insert(at, place.start)
            if len(kept) == MOST:
                break
    return kept


def _names(briefing: Briefing) -> _Names | None:
    sought = [(name, (kind, name)) for name, kind in briefing.gazetteer]
    for brand in briefing.brands:
        sought += [(name, ("BRAND", brand.name)) for name in brand.names]
        sought += [(f"@{handle.lstrip('@')}", ("BRAND", brand.name)) for handle in brand.handles]
        sought += [(product, ("PRODUCT", product)) for product in brand.product_lines]
    sought = [(term, key) for term, key in sought if fold(term).strip(" @")]
    return Gate(sought) if sought else None


def _recognised(doc: "Doc", by: str, a: Assessment) -> Iterator[Place]:
    telephones: list[telephone.Number] | None = None
    for entity in doc.ents:
        kind = MODEL_TYPES.get(entity.label_)
        text = entity.text
        if kind is None or len(text.strip()) < 2 or text[0] in "@#" or "http" in text or "@" in text:
            continue
        if kind in _NAMES:
            if not any(map(str.isupper, text)):
                continue  # the model guesses at lower-case words, mostly wrongly
        elif not any(map(str.isdigit, text)):
            continue  # "a few hours", "the day": nothing that can be looked up
        else:
            if telephones is None:
                telephones = list(telephone.read(doc.text, a.language, a.country))
            if any(one.start < entity.end_char and entity.start_char < one.end for one in telephones):
                continue  # the model takes many of them for dates
        why = f"recognised as {entity.label_}"
        yield Place(kind, " ".join(text.split()), entity.start_char, entity.end_char, MODEL_CONFIDENCE, why, by)


def _dutch_places(text: str, gate: Gate[str]) -> Iterator[Place]:
    for name, start, end in gate.find(text):
        if text[start].isupper() or text[start] == "'":
            yield Place("PLACE", name, start, end, 0.75, "a place known by name", "entities.places")


def _places(briefing: Briefing) -> Gate[str]:
    names = (word.replace("_", " ") for word in briefing.models.words("places"))
    return Gate({name: name.title() for name in names})
