"""Asks a person for what a channel type's schema needs, and reads what they write as the schema says.

The schemas are those that `GET /v1/channel-types` shows. Nothing here knows a channel type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Schema = Mapping[str, Any]


class Asker(Protocol):
    """Who asks the person: a line of text, hidden where it is secret; an empty answer takes what stands there."""

    def ask(self, question: str, *, default: str | None, hidden: bool) -> str:
        """The answer to one question."""
        ...

    def confirm(self, question: str, *, default: bool) -> bool:
        """Yes or no."""
        ...

    def say(self, words: str) -> None:
        """A line that explains."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One field of a schema, as it is asked for."""

    name: str
    schema: Schema
    required: bool
    default: Any = None

    @property
    def title(self) -> str:
        """What the field is called."""
        return str(self.schema.get("title") or self.name)

    @property
    def explained(self) -> str:
        """What the field is, its choices included."""
        said = [str(self.schema.get("description") or "")]
        if choices := self.choices:
            said.append(f"One of {', '.join(choices)}.")
        elif self.kind == "array":
            said.append("Several with commas between them.")
        return " ".join(part for part in said if part)

    @property
    def choices(self) -> list[str]:
        """What may be answered, where only that may be."""
        return [str(one) for part in self._parts() for one in part.get("enum", ()) if one is not None]

    @property
    def kind(self) -> str:
        """The JSON type: string, integer, number, boolean, array or object."""
        kinds = [part.get("type") for part in self._parts()]
        return next((str(kind) for kind in kinds if kind and kind != "null"), "string")

    @property
    def hidden(self) -> bool:
        """Whether it is not shown while it is written."""
        return any(part.get("writeOnly") or part.get("format") == "password" for part in (self.schema, *self._parts()))

    def read(self, text: str) -> Any:
        """What was written, as the schema wants it. Raises ValueError with a sentence's end ("is no whole number")."""
        match self.kind:
            case "boolean":
                return _yes_or_no(text)
            case "integer" | "number":
                try:
                    return int(text) if self.kind == "integer" else float(text)
                except ValueError:
                    raise ValueError(f"is no {'whole number' if self.kind == 'integer' else 'number'}") from None
            case "array" | "object":
                return self._several(text)
            case _:
                return text

    def _several(self, text: str) -> Any:
        if text.lstrip().startswith(("[", "{")):
            try:
                return json.loads(text)
            except ValueError:
                raise ValueError("is not JSON that can be read") from None
        if self.kind == "object":
            raise ValueError('is written as JSON, such as {"name": "value"}')
        items: Schema = next((part["items"] for part in self._parts() if isinstance(part.get("items"), Mapping)), {})
        one = Question(self.name, items, required=True)
        return [one.read(part.strip()) for part in text.split(",") if part.strip()]

    def _parts(self) -> Sequence[Schema]:
        inner = self.schema.get("anyOf") or self.schema.get("oneOf")
        return [self.schema, *inner] if inner else [self.schema]


def questions(schema: Schema) -> Iterator[Question]:
    """The fields of a schema, those that must be there first."""
    needed = set(schema.get("required", ()))
    known: Mapping[str, Schema] = schema.get("properties", {})
    for name in sorted(known, key=lambda name: name not in needed):
        field = _resolved(known[name], schema)
        yield Question(name, field, name in needed, field.get("default"))


def ask(asker: Asker, schema: Schema, given: Mapping[str, Any], *, what: str, optional: bool) -> dict[str, Any]:
    """Asks for what is not `given`: what must be there, and the rest where `optional` or the person wants it."""
    found = dict(given)
    open_ones = [one for one in questions(schema) if one.name not in found]
    for one in open_ones:
        if one.required:
            _answer(asker, one, found)
    rest = [one for one in open_ones if not one.required]
    if rest and (
        optional or asker.confirm(f"Change further {what} ({', '.join(one.name for one in rest)})?", default=False)
    ):
        for one in rest:
            _answer(asker, one, found)
    return found


def read_pairs(schema: Schema, pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs, as the schema wants them; names that it does not know stay, for the desk to refuse. Raises
    ValueError with a sentence."""
    known = {one.name: one for one in questions(schema)}
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"{pair!r} is not of the form name=value.")
        try:
            found[name] = known[name].read(value) if name in known else value
        except ValueError as wrong:
            raise ValueError(f"{name} {wrong}.") from None
    return found


def _answer(asker: Asker, one: Question, found: dict[str, Any]) -> None:
    if one.explained:
        asker.say(f"  {one.explained}")
    default = None if one.default is None or one.hidden else _shown(one.default)
    while True:
        said = asker.ask(one.title, default=default, hidden=one.hidden)
        if not said.strip():
            if not one.required:
                return
            asker.say("  This must be there.")
            continue
        if said == default:
            return
        if one.choices and said not in one.choices:
            asker.say(f"  Write one of {', '.join(one.choices)}.")
            continue
        try:
            found[one.name] = one.read(said)
        except ValueError as wrong:
            asker.say(f"  This {wrong}.")
        else:
            return


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _yes_or_no(text: str) -> bool:
    said = text.strip().lower()
    if said in ("yes", "y", "true", "on", "1", "ja", "j"):
        return True
    if said in ("no", "n", "false", "off", "0", "nee"):
        return False
    raise ValueError("is neither yes nor no")


def _resolved(field: Schema, whole: Schema) -> Schema:
    """The field with what it refers to in `$defs` in its place."""
    resolve: Callable[[Any], Any] = lambda part: _resolved(part, whole) if isinstance(part, Mapping) else part  # noqa: E731
    reference = field.get("$ref")
    found: dict[str, Any] = {}
    if isinstance(reference, str):
        target: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        found.update(target)
    found.update({name: inner for name, inner in field.items() if name != "$ref"})
    for name in ("anyOf", "oneOf"):
        if name in found:
            found[name] = [resolve(part) for part in found[name]]
    if "items" in found:
        found["items"] = resolve(found["items"])
    return found
