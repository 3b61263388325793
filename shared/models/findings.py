"""What triage can find in a mention, and the shape of each finding: both doors, the docs and the pipeline's tests read it here.

Shapes are JSON Schemas. Every finding has `value`, `confidence`, `why`, `decided_by` and `version`; those about a place in the text
have `start` and `end`, code points of the stored text; some have fields of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TRUTH: Final[Schema] = {"type": "boolean"}
_IDS: Final[Schema] = {"type": "array", "items": _TEXT}
_PLACE: Final[Schema] = {"type": "integer", "minimum": 0}


def _list(**fields: Schema) -> Schema:
    return {"type": "array", "items": {"type": "object", "properties": fields, "required": list(fields)}}


def _told(shape: Schema, said: str) -> Schema:
    return {**shape, "description": said}


BASE: Final[Mapping[str, Schema]] = {
    "confidence": {"type": "number", "minimum": 0, "maximum": 1, "description": "How sure that is."},
    "why": _told(_TEXT, "The words, signs or facts that decided, in a few words."),
    "decided_by": _told(_TEXT, "The stage, rule or model that decided; or the person who corrected it."),
    "version": {"type": ["string", "integer"], "description": "The version of what decided."},
}
"""What every finding has beside its value."""
PLACE: Final[Mapping[str, Schema]] = {
    "start": _told(_PLACE, "Where it begins: code points of the text."),
    "end": _told(_PLACE, "Where it ends: code points of the text."),
}
_UNSURE: Final[Mapping[str, Schema]] = {
    "unsure": _told(_TRUTH, "True where the head is less sure than it was found to be right about."),
}
_SCORE: Final[Schema] = {"type": "number", "minimum": -1, "maximum": 1}


@dataclass(frozen=True, slots=True)
class Shape:
    """One finding: what it answers, the shape of its value, and the fields of its own. `many`: it is a list, empty where nothing was
    found; else it may be null, where the question was asked and has no answer."""

    doc: str
    value: Schema
    own: Mapping[str, Schema] = field(default_factory=lambda: MappingProxyType({}))
    many: bool = False

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of one finding. Only its value is always there: who does not see personal data is shown no reasons, and a
        person's correction has no fields of its own."""
        return {
            "type": "object" if self.many else ["object", "null"],
            "description": self.doc,
            "properties": {"value": dict(self.value), **BASE, **self.own},
            "required": ["value"],
        }


FINDINGS: Final[Mapping[str, Shape]] = {
    "relevance": Shape(
        "Is it about the brand?", _TRUTH,
        {"brands": _told(_IDS, "Ids of the brands that it is about."), "queries": _told(_IDS, "Ids of the queries that match.")},
    ),
    "duplicate": Shape(
        "Was it said before? The id of the first to say it; null for a repost of what is not known.", {"type": ["string", "null"]},
        {
            "kind": {"type": "string", "enum": ["exact", "near", "repost", "page"]},
            "similarity": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "copied_by": _told({"type": "integer", "minimum": 0}, "How many others said the same."),
            "cross_post": _told(_TRUTH, "True where the same words stand at another venue."),
        },
    ),
    "language": Shape("Its language: ISO 639-1, or `und`.", _TEXT),
    "spam": Shape(
        "Is it spam, or a job advertisement?", _TRUTH,
        {"kind": {"type": "string", "enum": ["spam", "job_ad"]}, "points": _told({"type": "number"}, "What its signs weigh.")},
    ),
    "sentiment": Shape(
        "How does the author feel about it?", {"type": "string", "enum": ["positive", "neutral", "negative"]},
        {
            "score": _told(_SCORE, "From -1 (negative) to 1 (positive)."),
            "text_score": _told(_SCORE, "What the words say where a rating counts too."),
            **_UNSURE,
        },
    ),
    "intent": Shape("What does the author want? complaint, question, request, praise, churn or other.", _TEXT, _UNSURE),
    "entities": Shape(
        "Who and what does it name? The normal form of each.", _TEXT,
        {
            "type": _told(
                _TEXT,
                "PERSON, ORG, PLACE, PRODUCT, WORK, BRAND, MONEY, DATE, TIME, ORDER_NUMBER, FLIGHT, TRAIN, POSTCODE, PHONE, HANDLE, "
                "or a type of the workspace's own.",
            ),
            "text": _told(_TEXT, "As it is written."),
            "brand_id": _told(_TEXT, "The brand that it stands for."),
            "product": _told(_TEXT, "The product that it stands for."),
            **PLACE,
        },
        many=True,
    ),
    "issues": Shape(
        "Which of the workspace's kinds of problem does it tell of? The key of each. What only the title tells has no place.", _TEXT,
        {
            "spans": {
                "type": "array", "items": {"type": "array", "items": _PLACE, "minItems": 2, "maxItems": 2},
                "description": "All places that tell of it, each its beginning and end.",
            },
            **PLACE,
        },
        many=True,
    ),
    "pii": Shape(
        "Which parts identify a private person? `[email]` and the like: what stands there is not repeated.", _TEXT,
        {
            "type": {
                "type": "string",
                "enum": ["email", "phone", "iban", "card", "national_id", "ip_address", "postcode", "address", "name"],
            },
            **PLACE,
        },
        many=True,
    ),
    "authenticity": Shape(
        "How little speaks against its being written by a real person about a real thing? From 0 to 1.",
        {"type": "number", "minimum": 0, "maximum": 1},
        {
            "signals": _told(_list(name=_TEXT, value={}, weight={"type": "number"}), "What speaks against it."),
            "cluster": _told(_IDS, "Ids of other accounts' mentions in the same or nearly the same words."),
        },
    ),
    "urgency": Shape(
        "Can it wait? safety, vulnerable, legal, outage, churn or none; a person may use other words, or null.",
        {"type": ["string", "null"]},
        {"reasons": _told({"type": "array", "items": _TEXT}, "All that holds, the gravest first."), **_UNSURE},
    ),
    "priority": Shape(
        "How much does it press?", {"type": "string", "enum": ["urgent", "high", "normal", "low"]},
        {
            "score": _told({"type": "integer", "minimum": 0, "maximum": 100}, "From 0 to 100."),
            "parts": _told(_list(name=_TEXT, points={"type": "number"}, why=_TEXT), "What it is added up from."),
        },
    ),
    "disposition": Shape("What is to be done?", {"type": "string", "enum": ["engage", "watch", "dismissed"]}),
    "failed": Shape("The stages that could not answer.", _TEXT, many=True),
}  # fmt: skip
"""Every finding there is, by the name that it has among a mention's findings."""


def told() -> str:
    """All findings in one sentence, for a door whose schema cannot hold their shapes."""
    each = [
        f"{name}{' (a list)' if shape.many else ''}{': ' + ', '.join(shape.own) if shape.own else ''}"
        for name, shape in FINDINGS.items()
    ]
    return (
        f"All that triage found, by name; each has value, {', '.join(BASE)}, and these of its own: {'; '.join(each)}. "
        "The shapes stand in /openapi.json as Findings."
    )
