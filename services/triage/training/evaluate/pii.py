"""How well personal data is found on the synthetic set of presidio-research (MIT): by overlap with the labelled places."""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from services.triage.library import Library
from services.triage.stage import Assessment, Briefing, Finding
from services.triage.stages import entities, pii
from services.triage.training.evaluate.row import Row
from services.triage.training.ner_sets import Score
from shared.kit import ids

FILE: Final = "pii_dev.jsonl.gz"
TYPES: Final[Mapping[str, str]] = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "CREDIT_CARD": "card", "US_SSN": "national_id",
    "IP_ADDRESS": "ip_address", "ZIP_CODE": "postcode", "STREET_ADDRESS": "address", "PERSON": "name",
}  # fmt: skip
STRUCTURED: Final = ("email", "phone", "iban", "card", "national_id", "ip_address")
PRESIDIO: Final[Mapping[str, tuple[float, float]]] = {
    "email": (1.0, 1.0), "phone": (0.576, 0.667), "iban": (1.0, 1.0), "card": (0.784, 1.0), "national_id": (1.0, 1.0),
    "ip_address": (1.0, 1.0), "name": (0.630, 0.702),
}  # fmt: skip
"""Recall and precision of presidio-analyzer 2.2.366 with en_core_web_sm on the same 1,000 texts, by `make bench ARGS='--only pii'`."""
Place = tuple[str, int, int]


class Labelled(NamedTuple):
    """A text and the places in it, in our types."""

    text: str
    places: tuple[Place, ...]


def read(data: Path) -> list[Labelled]:
    """The labelled texts."""
    with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Labelled(
            row["text"],
            tuple((TYPES[one["type"]], one["start"], one["end"]) for one in row["spans"] if one["type"] in TYPES),
        )
        for row in rows
    ]


def score(texts: Sequence[Labelled], found: Sequence[Sequence[Place]], kind: str) -> Score:
    """A place counts as found where anything of its type overlaps it, and as right where it overlaps one of its type."""
    right = wrong = missed = 0
    for labelled, ours in zip(texts, found, strict=True):
        wanted = [one for one in labelled.places if one[0] == kind]
        given = [one for one in ours if one[0] == kind]
        hit = sum(any(_overlap(one, other) for other in given) for one in wanted)
        right, missed = right + hit, missed + len(wanted) - hit
        wrong += sum(not any(_overlap(one, other) for other in wanted) for one in given)
    return Score(right, wrong, missed)


def _overlap(one: Place, other: Place) -> bool:
    return one[1] < other[2] and other[1] < one[2]


def mentions(texts: Sequence[Labelled]) -> list[Assessment]:
    """The texts as English mentions, with nothing found yet."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    english = Finding("en", 1.0, "written in it", "evaluate", "1")
    return [Assessment(ids.new_id(), one.text, "push", at).found(language=english) for one in texts]


def measure(data: Path) -> list[Row]:
    """Recall and precision by type; names need the entity model, all else is rules."""
    texts = read(data)
    briefing = Briefing("evaluate", "1", languages=("en",)).with_models(Library())
    assessed: Sequence[Any] = pii.assess(entities.assess(mentions(texts), briefing), briefing)
    found = [[(one.extra["type"], one.start, one.end) for one in a.many("pii")] for a in assessed]
    rows = []
    for kind in (*STRUCTURED, "postcode", "address", "name"):
        ours = score(texts, found, kind)
        recall, precision = PRESIDIO.get(kind, (None, None))
        peer = "presidio-analyzer 2.2.366" if kind in PRESIDIO else "presidio-analyzer has no such type"
        rows += [
            Row(f"personal data, {kind}", "recall", ours.recall, recall, peer),
            Row(f"personal data, {kind}", "precision", ours.precision, precision, peer),
        ]
    return rows
