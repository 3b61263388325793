"""Who and what does it name? The workspace's own names first, then what rules can read, then the language's model."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from services.triage import inheriting
from services.triage.forms import names, shapes, telephone
from services.triage.forms.shapes import Place
from services.triage.stage import Assessment, Briefing, Finding, finder, fold, stage
from shared.rules.gate import Gate

if TYPE_CHECKING:
    from spacy.tokens import Doc

_VERSION = "4"
_says = finder("entities", _VERSION)

MODEL_TYPES: Final[Mapping[str, str]] = {
    "PERSON": "PERSON", "PER": "PERSON", "ORG": "ORG", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE",
    "PRODUCT": "PRODUCT", "WORK_OF_ART": "WORK", "MONEY": "MONEY", "DATE": "DATE", "TIME": "TIME",
}  # fmt: skip
"""What a model's labels are called here; labels not named (numbers, peoples) are left out."""
MODEL_CONFIDENCE: Final = 0.6
MOST: Final = 300
"""More names than this in one text are not listed."""

_NAMES: Final = frozenset({"PERSON", "ORG", "PLACE", "PRODUCT", "WORK"})
ABBREVIATED: Final = 4
"""A word in capitals with so many letters or fewer is an abbreviation, unless the whole text is in capitals."""
_NO_SIGN_OF_A_NAME: Final = re.compile(r"[<>=+*÷×|_{}\[\]]|^\d")
_HASHTAG = re.compile(r"(?<![\w&/])#(\w{3,60})")
_GAZETTEER: Final = "entities.gazetteer"
_PEOPLE: Final = "entities.people"
_PLACES: Final = "entities.places"


class _Known(NamedTuple):
    """A name of the workspace: its type and normal form, and the brand and product that it stands for."""

    kind: str
    value: str
    brand_id: str | None = None
    product: str | None = None

    @property
    def links(self) -> Mapping[str, Any]:
        """What a finding says of them."""
        linked = {"brand_id": self.brand_id, "product": self.product}
        return {name: value for name, value in linked.items() if value is not None}


class _Gazetteer(NamedTuple):
    """The workspace's names as they are looked for: in running text, and in hashtags without spaces and signs."""

    gate: Gate[_Known]
    joined: Mapping[str, _Known]


@stage(needs=("language", "duplicate"), adds=("entities", "doc"), version=_VERSION)
def assess(batch: Sequence[Assessment], briefing: Briefing) -> Sequence[Assessment]:
    """Every name with its type, normal form and place; none overlaps another. Leaves the tokenised text as `doc`."""
    by_language: dict[str, list[int]] = {}
    for at, a in enumerate(batch):
        by_language.setdefault(a.language if a.language != "und" else briefing.languages[0], []).append(at)
    assessed = list(batch)
    gazetteer = briefing.once("entities.names", _gazetteer, of=("brands", "gazetteer"))
    own = [re.compile(pattern) for pattern in briefing.order_number_patterns]
    for language, places in by_language.items():
        docs = inheriting.read([batch[at] for at in places], language, briefing)
        by = briefing.models.model_name(language)
        for at, doc in zip(places, docs, strict=True):
            a = batch[at]
            chosen = _chosen(_read(a, doc, language, gazetteer, own, briefing, by))
            assessed[at] = a.found(entities=[_finding(a, place) for place in chosen]).but(doc=doc)
    return assessed


def _read(
    a: Assessment,
    doc: "Doc",
    language: str,
    gazetteer: _Gazetteer | None,
    own: Sequence[re.Pattern[str]],
    briefing: Briefing,
    by: str,
) -> Iterator[Place]:
    """All that is named, the surest source first."""
    text, words = a.reading.text, a.reading.words
    if gazetteer is not None:
        yield from _ours(text, gazetteer)
    yield from shapes.read(text, words, language, a.published_at.date(), a.country, own)
    trained = briefing.models.has_entity_model(language)
    for name in names.people(text, words, given=not trained):
        value = " ".join(text[name.start : name.end].split())
        yield Place("PERSON", value, name.start, name.end, name.confidence, name.why, _PEOPLE)
    for body, start, end in briefing.once("entities.bodies", _bodies, of=("languages",)).find(text):
        if text[start].isupper() and (len(body) > 4 or text[start:end].isupper()):
            yield Place("ORG", body, start, end, 0.75, "a body known by name", "entities.organisations")
    yield from _recognised(doc, by, a, briefing.models.words("airports"))
    if not trained:
        yield from _places(text, language, briefing)


def _finding(a: Assessment, place: Place) -> Finding:
    start, end = a.reading.span(place.start, place.end)
    return _says(
        place.value, place.confidence, place.why, span=(start, end), by=place.by,
        type=place.kind, text=a.text[start:end], **place.links,
    )  # fmt: skip


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


def _gazetteer(briefing: Briefing) -> _Gazetteer | None:
    sought = [(name, _Known(kind, name)) for name, kind in briefing.gazetteer]
    for brand in briefing.brands:
        known = _Known("BRAND", brand.name, brand.id)
        sought += [(name, known) for name in brand.names]
        sought += [(f"@{handle.lstrip('@')}", known) for handle in brand.handles]
        sought += [(product, _Known("PRODUCT", product, brand.id, product)) for product in brand.product_lines]
    sought = [(term, known) for term, known in sought if fold(term).strip(" @")]
    if not sought:
        return None
    joined: dict[str, _Known] = {}
    for term, known in sought:
        joined.setdefault(_joined(term), known)
    return _Gazetteer(Gate(sought), joined)


def _joined(name: str) -> str:
    return "".join(filter(str.isalnum, fold(name)))


def _ours(text: str, gazetteer: _Gazetteer) -> Iterator[Place]:
    """The workspace's names, the longest first, then those that a hashtag runs together."""
    for known, start, end in sorted(gazetteer.gate.find(text), key=lambda hit: hit[1] - hit[2]):
        yield Place(known.kind, known.value, start, end, 0.95, "a name of the workspace", _GAZETTEER, known.links)
    if "#" in text:
        for match in _HASHTAG.finditer(text):
            if found := gazetteer.joined.get(_joined(match.group(1))):
                why = "a hashtag that is a name of the workspace"
                yield Place(found.kind, found.value, *match.span(), 0.9, why, _GAZETTEER, found.links)


def _may_be_a_person(name: str, text: str) -> bool:
    """Whether a name that the model takes for a person's can be one: no sign that no name has ("LAX->JFK"), and no abbreviation."""
    if _NO_SIGN_OF_A_NAME.search(name):
        return False
    return len(name) > ABBREVIATED or not name.isupper() or text.isupper()


def _recognised(doc: "Doc", by: str, a: Assessment, airports: frozenset[str]) -> Iterator[Place]:
    telephones: list[telephone.Number] | None = None
    for entity in doc.ents:
        kind = MODEL_TYPES.get(entity.label_)
        text = entity.text
        if kind is None or len(text.strip()) < 2 or text[0] in "@#" or "http" in text or "@" in text:
            continue
        if kind in _NAMES:
            if not any(map(str.isupper, text)):
                continue  # the model guesses at lower-case words, mostly wrongly
            if len(text) == 3 and text.isupper() and text.lower() in airports:
                kind = "PLACE"  # the model takes them for people and companies
            elif kind == "PERSON" and not _may_be_a_person(text, doc.text):
                continue
        elif not any(map(str.isdigit, text)):
            continue  # "a few hours", "the day": nothing that can be looked up
        else:
            if telephones is None:
                telephones = list(telephone.read(doc.text, a.language, a.country))
            if any(one.start < entity.end_char and entity.start_char < one.end for one in telephones):
                continue  # the model takes many of them for dates
        why = f"recognised as {entity.label_}"
        yield Place(kind, " ".join(text.split()), entity.start_char, entity.end_char, MODEL_CONFIDENCE, why, by)


def _places(text: str, language: str, briefing: Briefing) -> Iterator[Place]:
    """Places for a language without a model: those of the list, and in Dutch what a preposition says is one."""
    for name, start, end in briefing.once("entities.places", _place_names, of=("languages",)).find(text):
        if text[start].isupper() or text[start] == "'":
            yield Place("PLACE", name, start, end, 0.75, "a place known by name", _PLACES)
    if language == "nl":
        for said, guessed in names.guessed_places(text):
            yield Place("PLACE", said, guessed.start, guessed.end, guessed.confidence, guessed.why, _PLACES)


def _bodies(briefing: Briefing) -> Gate[str]:
    known = (line.replace("_", " ") for line in sorted(briefing.models.words("organisations")))
    return Gate({name: name.upper() if len(name) < 5 else name.title() for name in known})


def _place_names(briefing: Briefing) -> Gate[str]:
    known = (word.replace("_", " ") for word in briefing.models.words("places"))
    return Gate({name: name.title() for name in known})
