"""A channel's settings, checked against the JSON Schema that its type publishes; each complaint is a place and a sentence.

The part of JSON Schema that such a schema is written in: types, properties, required, additionalProperties, items, enum,
const, anyOf, oneOf, allOf, $ref into $defs, and the usual bounds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any

from services.api.desk.fields import escape

Problem = tuple[str, str]
Schema = Mapping[str, Any]

_IS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_CALLED = {
    "object": "an object", "array": "a list", "string": "a text", "boolean": "true or false", "null": "null",
    "integer": "a whole number", "number": "a number",
}  # fmt: skip


def problems(value: Any, schema: Schema, pointer: str, root: Schema | None = None) -> list[Problem]:
    """Everything that is wrong with `value`, as (JSON pointer, sentence); nothing where it fits."""
    whole = schema if root is None else root
    found: list[Problem] = []
    for part in (*_referred(schema, whole), *schema.get("allOf", ())):
        found += problems(value, part, pointer, whole)
    for name in ("anyOf", "oneOf"):
        if choices := schema.get(name):
            found += _nearest(value, choices, pointer, whole)
    if (wrong := _wrong_kind(value, schema)) is not None:
        return [*found, (pointer, wrong)]
    if isinstance(value, dict):
        found += _of_object(value, schema, pointer, whole)
    elif isinstance(value, list):
        found += _of_list(value, schema, pointer, whole)
    elif isinstance(value, str):
        found += [(pointer, said) for said in _of_text(value, schema)]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found += [(pointer, said) for said in _of_number(value, schema)]
    return found


def _referred(schema: Schema, whole: Schema) -> list[Schema]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return []
    target: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return [target]


def _nearest(value: Any, choices: Sequence[Schema], pointer: str, whole: Schema) -> list[Problem]:
    """The complaints of the choice that fits best: of those of the right type, the one with the fewest."""
    tried = [(choice, problems(value, choice, pointer, whole)) for choice in choices]
    if any(not found for _, found in tried):
        return []
    right_kind = [found for choice, found in tried if _wrong_kind(value, choice) is None]
    if right_kind:
        return min(right_kind, key=len)
    wanted = " or ".join(dict.fromkeys(_CALLED.get(str(choice.get("type")), "a known form") for choice in choices))
    return [(pointer, f"must be {wanted}")]


def _wrong_kind(value: Any, schema: Schema) -> str | None:
    kinds = schema.get("type")
    if kinds is not None:
        names = [kinds] if isinstance(kinds, str) else list(kinds)
        if not any(_IS[name](value) for name in names):
            return f"must be {' or '.join(_CALLED[name] for name in names)}"
    if "const" in schema and value != schema["const"]:
        return f"must be {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {', '.join(map(str, schema['enum']))}"
    return None


def _of_object(value: Mapping[str, Any], schema: Schema, pointer: str, whole: Schema) -> list[Problem]:
    known: Mapping[str, Schema] = schema.get("properties", {})
    found = [
        (f"{pointer}/{escape(name)}", "is missing" + _about(known.get(name, {})))
        for name in schema.get("required", ())
        if name not in value
    ]
    others = schema.get("additionalProperties", True)
    for name, inner in value.items():
        place = f"{pointer}/{escape(name)}"
        if name in known:
            found += problems(inner, known[name], place, whole)
        elif others is False:
            found.append((place, f"is no setting of this kind of channel; known are {', '.join(known) or 'none'}"))
        elif isinstance(others, Mapping):
            found += problems(inner, others, place, whole)
    return found


def _about(schema: Schema) -> str:
    said = schema.get("description") or schema.get("title")
    return f": {said}" if said else ""


def _of_list(value: Sequence[Any], schema: Schema, pointer: str, whole: Schema) -> list[Problem]:
    found = []
    if len(value) < schema.get("minItems", 0):
        found.append((pointer, f"needs {schema['minItems']} entries or more"))
    if len(value) > schema.get("maxItems", len(value)):
        found.append((pointer, f"takes {schema['maxItems']} entries at most"))
    if isinstance(items := schema.get("items"), Mapping):
        for place, inner in enumerate(value):
            found += problems(inner, items, f"{pointer}/{place}", whole)
    return found


def _of_text(value: str, schema: Schema) -> list[str]:
    found = []
    if len(value) < schema.get("minLength", 0):
        found.append(f"needs {schema['minLength']} characters or more")
    if len(value) > schema.get("maxLength", len(value)):
        found.append(f"takes {schema['maxLength']} characters at most")
    if (pattern := schema.get("pattern")) and not re.search(pattern, value):
        found.append(f"must look like {pattern}")
    if schema.get("format") in ("uri", "url") and not re.match(r"https?://\S+$", value):
        found.append("must be a URL that begins with https:// or http://")
    return found


def _of_number(value: float, schema: Schema) -> list[str]:
    return [
        said.format(schema[name])
        for name, holds, said in _BOUNDS
        if schema.get(name) is not None and not holds(value, schema[name])
    ]


_BOUNDS: Sequence[tuple[str, Callable[[float, float], bool], str]] = (
    ("minimum", ge, "must be {} or more"),
    ("maximum", le, "must be {} or less"),
    ("exclusiveMinimum", gt, "must be more than {}"),
    ("exclusiveMaximum", lt, "must be less than {}"),
)
