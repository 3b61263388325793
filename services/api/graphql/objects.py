"""The nouns as GraphQL types, made from the same read models that REST shows, so that the two doors cannot disagree."""

from functools import cache
from typing import Any, Generic, TypeVar

import strawberry

from services.api.desk.desk import view
from services.api.graphql.scalars import GRAPHQL
from shared.models.read_model import Column, ReadModel

NOUN = "__noun"
"""Under which key a row says what it is, where GraphQL has to choose among types."""

Item = TypeVar("Item")


@strawberry.interface(description="Whatever has an id.")
class Node:
    """Anything that `node(id:)` finds."""

    id: strawberry.ID


@strawberry.type(description="Where a page ends.")
class PageInfo:
    """Where a page ends, and whether the list goes on."""

    has_next_page: bool = strawberry.field(description="Whether the list goes on.")
    end_cursor: str | None = strawberry.field(description="Send it as `after` to go on.")


@strawberry.type(description="A row of a page.")
class Edge(Generic[Item]):
    """A row with the cursor that goes on after it."""

    node: Item
    cursor: str


@strawberry.type(description="A page of a list.")
class Connection(Generic[Item]):
    """A page of a list, as Relay has it."""

    edges: list[Edge[Item]]
    page_info: PageInfo


def camel(name: str) -> str:
    """`page_info` as GraphQL spells it: pageInfo."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def type_name(noun: str) -> str:
    """`sla_clock` as GraphQL names it: SlaClock. `Query` is GraphQL's own word, so a query is a SavedQuery there."""
    if noun == "query":
        return "SavedQuery"
    return "".join(part.capitalize() for part in noun.split("_"))


@cache
def object_type(noun: str) -> Any:
    """The GraphQL type of a noun: its columns as fields, and the nouns that hang on it."""
    model = view(noun)
    annotations: dict[str, Any] = {}
    members: dict[str, Any] = {"__doc__": model.doc}
    for name, item in model.fields.items():
        if isinstance(item, Column):
            shown = GRAPHQL[item.type]
            annotations[name] = shown | None if item.null else shown
        else:
            below = object_type(item.noun)
            annotations[name] = list[below] if item.many else below | None  # type: ignore[valid-type]
        members[name] = strawberry.field(description=item.doc)
    bases: tuple[type, ...] = ()
    if is_node(model):
        bases = (Node,)
        members["is_type_of"] = staticmethod(lambda row, _: row.get(NOUN, noun) == noun)
    made = type(type_name(noun), bases, {**members, "__annotations__": annotations, "__module__": __name__})
    return strawberry.type(made, description=model.doc)


def is_node(model: ReadModel) -> bool:
    """Whether it has an id by which `node` finds it: what is shown in short under another noun has not."""
    return model.key == "id" and bool(model.orders or model.filters)


def from_row(row: Any, name: str) -> Any:
    """How every field is resolved: it stands in the row. No awaiting, no loading."""
    return row.get(name)
