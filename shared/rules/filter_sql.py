"""A filter as a condition in SQL for asyncpg; it answers as `filter.evaluate` does, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from shared.rules.filter import AllOf, AnyOf, Comparison, FieldType, Filter, Not, Value

_SIGNS = {"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_TYPES: Mapping[FieldType, str] = {
    "text": "text",
    "number": "numeric",
    "bool": "boolean",
    "timestamp": "timestamptz",
    "uuid": "uuid",
    "text[]": "text",
}
# Maps letter by letter, the same on every machine; `filter.fold` is its twin. Needs Postgres 17 or newer.
_FOLDED = 'lower({} COLLATE "pg_c_utf8")'


@dataclass(frozen=True, slots=True)
class SqlField:
    """Where a field's value comes from: an SQL expression of ours (never a caller's text), and its type.

    The expression is repeated in the condition, so it should be a column or something as cheap. A text must have a
    deterministic collation, and an expression with an operator must stand in parentheses.
    """

    expression: str
    type: FieldType


def compile_sql(where: Filter, fields: Mapping[str, SqlField], *, first: int = 1) -> tuple[str, list[object]]:
    """The condition, with placeholders numbered from `first`, and their values in that order.

    The condition is never NULL, stands in parentheses where it needs them, and may be put under NOT. Columns stay
    usable by their indexes. Values are never written into the SQL.

    Raises:
        LookupError: the filter uses a field that is not in `fields`, or has there another type than when it was read.
    """
    compiler = _Compiler(fields, first)
    return compiler.condition(where), compiler.values


class _Compiler:
    def __init__(self, fields: Mapping[str, SqlField], first: int) -> None:
        self.fields = fields
        self.first = first
        self.values: list[object] = []

    def condition(self, where: Filter) -> str:
        match where:
            case Comparison():
                return self.comparison(where)
            case Not():
                return f"(NOT {self.condition(where.part)})"
            case AllOf(parts):
                return f"({' AND '.join(self.condition(part) for part in parts)})" if parts else "TRUE"
            case AnyOf(parts):
                return f"({' OR '.join(self.condition(part) for part in parts)})" if parts else "FALSE"

    def comparison(self, test: Comparison) -> str:
        field = self.fields.get(test.field)
        if field is None or field.type != test.type:
            raise LookupError(f"The field {test.field} of type {test.type} has no column of that type here.")
        column = field.expression
        if test.op == "exists" or test.operand is None:
            there = test.operand if test.op == "exists" else test.op == "ne"
            return f"({column} IS {'NOT ' if there else ''}NULL)"
        if test.op in {"in", "nin"}:
            return self.membership(test, column)
        value = self.placeholder(test.operand, _TYPES[test.type])
        if test.op == "ne":
            return f"({column} IS NULL OR {column} <> {value})"
        if test.op != "contains":
            holds = f"{column} {_SIGNS[test.op]} {value}"
        elif test.type == "text[]":
            holds = f"{column} @> ARRAY[{value}]"
        else:
            holds = f"strpos({_FOLDED.format(column)}, {_FOLDED.format(value)}) > 0"
        return f"({column} IS NOT NULL AND {holds})"

    def membership(self, test: Comparison, column: str) -> str:
        operand = cast("tuple[Value | None, ...]", test.operand)
        values = self.placeholder([item for item in operand if item is not None], f"{_TYPES[test.type]}[]")
        shared = f"{column} && {values}" if test.type == "text[]" else f"{column} = ANY({values})"
        within = f"{column} IS NULL OR {shared}" if None in operand else f"{column} IS NOT NULL AND {shared}"
        return f"({within})" if test.op == "in" else f"(NOT ({within}))"

    def placeholder(self, value: object, kind: str) -> str:
        self.values.append(value)
        return f"${self.first + len(self.values) - 1}::{kind}"
