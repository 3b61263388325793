"""Values that are more than a string or a number. Rows come as finished JSON, so these pass through as they are."""

from typing import Any, NewType

import strawberry

from shared.models.read_model import Type


def _same(value: Any) -> Any:
    return value


DateTime = strawberry.scalar(
    NewType("DateTime", str), name="DateTime", description="A moment with its zone (RFC 3339).", serialize=_same, parse_value=_same
)
Date = strawberry.scalar(NewType("Date", str), name="Date", description="A day (ISO 8601).", serialize=_same, parse_value=_same)
Json = strawberry.scalar(NewType("JSON", object), name="JSON", description="Any JSON value.", serialize=_same, parse_value=_same)
Long = strawberry.scalar(
    NewType("Long", int), name="Long", description="A whole number of up to 53 bits.", serialize=_same, parse_value=int
)

GRAPHQL: dict[Type, Any] = {
    "id": strawberry.ID, "text": str, "integer": Long, "number": float, "boolean": bool, "time": DateTime, "date": Date,
    "json": Json, "texts": list[str], "ids": list[strawberry.ID], "jsons": Json, "duration": float,
}  # fmt: skip
"""The GraphQL type of each type that a read model knows."""
