"""What mutations take and what lists are filtered by, made from the nouns' own fields."""

import types
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin
from uuid import UUID

import strawberry
from pydantic_core import PydanticUndefined
from sqlmodel import SQLModel
from strawberry import UNSET

from services.api.desk.desk import view
from services.api.graphql.objects import camel, type_name
from services.api.graphql.scalars import GRAPHQL, Date, DateTime, Json

Field = tuple[Any, str, Any]
"""(type, meaning, default, or ... where it must be given)."""
NOT_SAID = UNSET
"""The default of what may be left out: it is then not handed on at all, which is another thing than null."""

_SCALARS: Mapping[Any, Any] = {
    str: str, int: int, float: float, bool: bool, UUID: strawberry.ID, datetime: DateTime, date: Date,
}  # fmt: skip
_RESERVED = frozenset({"from", "not", "in"})


@cache
def filter_type(noun: str) -> Any:
    """The input by which a list of this noun is narrowed; None where it cannot be."""
    model = view(noun)
    if not model.filters:
        return None
    fields: dict[str, Field] = {}
    for name, spec in model.filters.items():
        doc = f"{spec.doc} One of: {', '.join(spec.choices)}." if spec.choices else spec.doc
        fields[name] = (GRAPHQL[spec.type] | None, doc, NOT_SAID)
    return record_type(f"{type_name(noun)}Filter", fields, f"Narrows a list of {noun.replace('_', ' ')}s.")


def input_type(
    name: str, kind: type[SQLModel], *, partial: bool = False, more: Mapping[str, Field] | None = None
) -> Any:
    """The input of a noun's fields: as they are for making one, all optional (`partial`) for changing one. `more` are fields
    that the verb reads itself, or reads in another form."""
    own = dict(more or {})
    fields: dict[str, Field] = {}
    for field, about in kind.model_fields.items():
        if field in own:
            continue
        shown = as_shown(about.annotation)
        required = about.default is PydanticUndefined and about.default_factory is None and not partial
        fields[field] = (shown if required else shown | None, about.description or "", ... if required else NOT_SAID)
    return record_type(name, fields | own, " ".join((kind.__doc__ or "").split()))


def record_type(name: str, fields: Mapping[str, Field], doc: str) -> Any:
    """An input of these fields."""
    annotations, members = {}, {}
    # A field with a default cannot stand before one without.
    for field, (kind, meaning, default) in sorted(fields.items(), key=lambda item: item[1][2] is not ...):
        python = f"{field}_" if field in _RESERVED else field
        annotations[python] = kind
        more = {} if default is ... else {"default": default}
        members[python] = strawberry.field(name=camel(field), description=meaning or None, **more)
    made = type(name, (), {"__annotations__": annotations, "__module__": __name__, **members})
    return strawberry.input(made, description=doc)


def as_given(given: Any) -> dict[str, Any]:
    """What a caller said of an input, by field, as the desk takes it; what was not said is not in it."""
    said = {}
    for field in given.__strawberry_definition__.fields:
        value = getattr(given, field.python_name)
        if value is not UNSET:
            said[plain(field.python_name)] = value
    return said


def plain(python: str) -> str:
    """A field's name without the underscore that keeps it from being a word of Python's."""
    return python.removesuffix("_")


def as_shown(annotation: Any) -> Any:
    """A field's annotation as GraphQL has it; what has no shape of its own is JSON."""
    if get_origin(annotation) in (Union, types.UnionType):
        (inner,) = [one for one in get_args(annotation) if one is not type(None)] or [object]
        return as_shown(inner)
    if get_origin(annotation) is list:
        (inner,) = get_args(annotation)
        listed: Any = list
        return listed[_SCALARS[inner]] if inner in _SCALARS else Json
    if isinstance(annotation, type) and issubclass(annotation, str):
        return str
    return _SCALARS.get(annotation, Json)
