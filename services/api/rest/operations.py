"""What an operation of the REST door is: declared with what it does, takes and shows. The OpenAPI document is made of these."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlmodel import SQLModel

from services.api.auth import Action
from services.api.desk.desk import Desk, view
from shared.models.read_model import Type

JSON = "application/json"
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
Schema = Mapping[str, Any]
Verb = Callable[[Desk], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter (or, with `place`, a header) of an operation."""

    type: Type
    doc: str
    choices: tuple[str, ...] = ()
    required: bool = False
    place: Literal["query", "header"] = "query"
    example: Any = None


@dataclass(frozen=True, slots=True)
class Shows:
    """What an operation answers with: one of a noun, a page of it, a list of it, or a schema of its own."""

    noun: str = ""
    form: Literal["one", "page", "schema", "nothing"] = "one"
    schema: Schema = field(default_factory=dict)
    extra: Schema = field(default_factory=dict)
    media: Sequence[str] = (JSON,)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the REST door, as it is published. `id` is its operationId, which never changes."""

    method: Method
    path: str
    id: str
    action: Action
    tag: str
    summary: str
    description: str
    shows: Shows
    status: int
    takes: type[SQLModel] | Schema | None = None
    example: Any = None
    partial: bool = False
    query: Mapping[str, Parameter] = field(default_factory=dict)
    versioned: Literal["", "stale", "optional", "required"] = ""
    also: Mapping[int, str] = field(default_factory=dict)


def one(noun: str, **extra: Any) -> Shows:
    """One of a noun; `extra` are fields that only this answer has."""
    return Shows(noun, "one", extra=extra)


def page(noun: str) -> Shows:
    """A page of a noun."""
    return Shows(noun, "page")


def shape(schema: Schema, *media: str) -> Shows:
    """An answer with a schema of its own."""
    return Shows(form="schema", schema=schema, media=media or (JSON,))


NOTHING = Shows(form="nothing")


def filters_of(noun: str) -> Mapping[str, Parameter]:
    """A noun's filters and orders as query parameters."""
    model = view(noun)
    found = {name: Parameter(f.type, f.doc, f.choices) for name, f in model.filters.items()}
    orders = tuple(model.orders)
    if len(orders) > 1:
        found["order"] = Parameter("text", f"How the list is sorted; {orders[0]} unless said otherwise.", orders)
    return found
