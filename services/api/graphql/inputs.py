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
from services.api.graphql.objects import type_name
from services.api.graphql.scalars import GRAPHQL, Date, DateTime, Json

_SCALARS: Mapping[Any, Any] = {
    str: str, int: int, float: float, bool: bool, UUID: strawberry.ID, datetime: DateTime, date: Date,
}  # fmt: skip


@cache
def filter_type(noun: str) -> Any:
    """The input by which a list of this noun is narrowed; None where it cannot be."""
    model = view(noun)
    if not model.filters:
        return None
    fields = {name: (GRAPHQL[spec.type] | None, spec.doc, None) for name, spec in model.filters.items()}
    return _input(f"{type_name(noun)}Filter", fields, f"Narrows a list of {noun.replace('_', ' ')}s.")


@cache
def input_type(fields_class: type[SQLModel], name: str, *, partial: bool = False) -> Any:
    """The input of a noun's fields: as they are for making one, all optional (`partial`) for changing one."""
    fields = {}
    for field, about in fields_class.model_fields.items():
        shown = _shown(about.annotation)
        required = about.default is PydanticUndefined and about.default_factory is None and not partial
        fields[field] = (shown if required else shown | None, about.description or "", ... if required else UNSET)
    return _input(name, fields, (fields_class.__doc__ or "").strip())


def record_type(name: str, fields: Mapping[str, tuple[Any, str, Any]], doc: str) -> Any:
    """An input with fields of its own: name → (type, meaning, default or ... where it must be given)."""
    return _input(name, fields, doc)


def as_given(given: Any) -> dict[str, Any]:
    """What a caller said of an input, by field, as the desk takes it; what was not said is not in it."""
    names = {field.python_name: _plain(field.python_name) for field in given.__strawberry_definition__.fields}
    said = {plain: getattr(given, name) for name, plain in names.items()}
    return {name: value for name, value in said.items() if value is not UNSET}


def _input(name: str, fields: Mapping[str, tuple[Any, str, Any]], doc: str) -> Any:
    annotations, members = {}, {}
    for field, (kind, meaning, default) in fields.items():
        python = f"{field}_" if field in ("from", "not", "in") else field
        annotations[python] = kind
        more = {} if default is ... else {"default": default}
        members[python] = strawberry.field(name=_camel(field), description=meaning or None, **more)
    ordered = sorted(annotations, key=lambda one: fields[_plain(one)][2] is not ...)
    made = type(name, (), {"__annotations__": {one: annotations[one] for one in ordered}, "__module__": __name__, **members})
    return strawberry.input(made, description=doc)


def _plain(python: str) -> str:
    return python.removesuffix("_")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _shown(annotation: Any) -> Any:
    """A field's annotation as GraphQL has it; what has no shape of its own is JSON."""
    if get_origin(annotation) in (Union, types.UnionType):
        (inner,) = [one for one in get_args(annotation) if one is not type(None)] or [object]
        return _shown(inner)
    if get_origin(annotation) is list:
        (inner,) = get_args(annotation)
        shown = _SCALARS.get(inner)
        return list[shown] if shown is not None else Json
    if isinstance(annotation, type) and issubclass(annotation, str):
        return str
    return _SCALARS.get(annotation, Json)
