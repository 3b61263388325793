"""JSON Schemas made from what is declared once: read models for answers, the nouns' fields for bodies."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlmodel import SQLModel

from services.api.desk.desk import view
from shared.models import findings as shapes
from shared.models.read_model import Column, Nested, ReadModel, Type

Schema = dict[str, Any]
REF = "#/components/schemas/"

_TYPES: Mapping[Type, Schema] = {
    "id": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "json": {"type": "object", "additionalProperties": True},
    "texts": {"type": "array", "items": {"type": "string"}},
    "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
    "jsons": {"type": "array", "items": {}},
    "duration": {"type": "string", "format": "duration"},
}
_EXAMPLES: Mapping[str, Any] = {
    "uuid": "019ac0de-7a10-7c3a-9d1e-3f2b6a5c4d10",
    "date-time": "2026-11-22T10:00:00+00:00",
    "date": "2026-11-22",
    "duration": "PT1H",
    "string": "…",
    "integer": 1,
    "number": 0.5,
    "boolean": True,
}


def of_type(type_: Type) -> Schema:
    """The schema of a read model's type."""
    return dict(_TYPES[type_])


def name_of(noun: str) -> str:
    """What a noun is called among the schemas: `sla_policy` is SlaPolicy."""
    return "".join(part.capitalize() for part in noun.split("_"))


def of_read_model(model: ReadModel) -> Schema:
    """The schema of a noun as it is shown. Every field is always there, but those that only the noun itself shows are left out
    of lists."""
    properties: dict[str, Schema] = {}
    required = []
    for name, item in model.fields.items():
        if isinstance(item, Nested):
            if not item.shown:
                continue
            properties[name] = _nested(item)
            required.append(name)
        elif not item.computed:
            properties[name] = _column(model.noun, name, item)
            if item.listed:
                required.append(name)
    return {"type": "object", "description": model.doc, "properties": properties, "required": required}


def _column(noun: str, name: str, column: Column) -> Schema:
    schema = {"$ref": f"{REF}Findings"} if (noun, name) == ("mention", "findings") else of_type(column.type)
    if column.null:
        return {"anyOf": [schema, {"type": "null"}], "description": column.doc}
    return {**schema, "description": column.doc}


def _nested(item: Nested) -> Schema:
    reference: Schema = {"$ref": REF + name_of(item.noun)}
    if item.many:
        return {"type": "array", "items": reference, "description": item.doc}
    return {"anyOf": [reference, {"type": "null"}], "description": item.doc}


def nouns_shown(noun: str) -> set[str]:
    """A noun and those that come with it unasked."""
    found, waiting = set[str](), [noun]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [item.noun for item in view(one).nested().values() if item.shown]
    return found


@cache
def of_fields(kind: type[SQLModel]) -> Schema:
    """The schema of a noun's fields as a body: nothing else may be in it."""
    schema: Schema = kind.model_json_schema(ref_template=REF + "{model}")
    return {**schema, "additionalProperties": False}


def body(takes: type[SQLModel] | Mapping[str, Any], *, partial: bool) -> tuple[Schema, dict[str, Schema]]:
    """(the schema of a body, definitions that it refers to). Of a change, nothing is required."""
    schema = dict(of_fields(takes)) if isinstance(takes, type) else dict(takes)
    definitions: dict[str, Schema] = schema.pop("$defs", {})
    if partial:
        schema.pop("required", None)
        schema["properties"] = {
            name: {key: value for key, value in inner.items() if key != "default"}
            for name, inner in schema.get("properties", {}).items()
        }
    return schema, definitions


def example_of(schema: Mapping[str, Any], components: Mapping[str, Schema], depth: int = 0) -> Any:
    """An example of what a schema describes, the same each time."""
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return example_of(components[schema["$ref"].removeprefix(REF)], components, depth + 1)
    for choices in (schema.get("anyOf"), schema.get("oneOf")):
        if choices:
            return None if depth > 6 else example_of(choices[0], components, depth)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: example_of(inner, components, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items", {})
        return [example_of(items, components, depth + 1)] if items and depth < 6 else []
    return _EXAMPLES.get(str(schema.get("format")), _EXAMPLES.get(str(kind)))


_TEXT: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}


def findings() -> Schema:
    """Everything that triage found in a mention, by what was asked. Places are code points of `text`."""
    return {
        "type": "object",
        "description": "All that was found, each with value, confidence, why, and what decided it. Places (`start`, `end`) "
        "count code points of `text`. A person's correction stands in the place of what it corrects.",
        "properties": {
            name: {"type": "array", "items": shape.schema()} if shape.many else shape.schema()
            for name, shape in shapes.FINDINGS.items()
        },
        "additionalProperties": True,
    }


def problem() -> Schema:
    """An error, as RFC 9457 writes it."""
    place = {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {
            "pointer": {**_TEXT, "description": "A JSON pointer into the body, or `/name` of a parameter."},
            "detail": _TEXT,
        },
    }
    return {
        "type": "object",
        "description": "What went wrong (RFC 9457): `code` is for programs, `detail` a sentence that says what to do.",
        "required": ["type", "title", "status", "detail", "instance", "code", "errors", "request_id"],
        "properties": {
            "type": {**_TEXT, "format": "uri-reference"},
            "title": _TEXT,
            "status": _INTEGER,
            "detail": _TEXT,
            "instance": _TEXT,
            "code": _TEXT,
            "errors": {"type": "array", "items": place},
            "request_id": _TEXT,
        },
    }
