"""Values that are more than a string or a number. Rows come as finished JSON, so these pass through as they are."""

from typing import Any, NewType

import strawberry

from shared.models.read_model import Type


def _same(value: Any) -> Any:
    return value


def _passing(name: str, kind: type, doc: str) -> Any:
    """A scalar whose values are shown, and handed to the desk, as they were written: the desk reads them."""
    return strawberry.scalar(NewType(name, kind), name=name, description=doc, serialize=_same, parse_value=_same)


DateTime = _passing("DateTime", str, "A moment with its zone (RFC 3339), as 2026-11-22T10:00:00Z.")
Date = _passing("Date", str, "A day (ISO 8601), as 2026-11-22.")
Duration = _passing("Duration", str, "A length of time (ISO 8601), as PT1H or P7D.")
Json = _passing("JSON", object, "Any JSON value. The names in it are as REST writes them.")
Long = _passing("Long", int, "A whole number of up to 53 bits.")

GRAPHQL: dict[Type, Any] = {
    "id": strawberry.ID, "text": str, "integer": Long, "number": float, "boolean": bool, "time": DateTime, "date": Date,
    "json": Json, "texts": list[str], "ids": list[strawberry.ID], "jsons": Json, "duration": Duration,
}  # fmt: skip
"""The GraphQL type of each type that a read model knows."""
