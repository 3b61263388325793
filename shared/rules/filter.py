"""The one filter grammar: SLA policies, queues, views, automation, approval and webhooks all speak it.

```
{}                                              matches everything
{"all": [filter, …]}   {"any": [filter, …]}     every one of them; at least one of them
{"not": filter}
{"field": "priority", "op": "eq", "value": "urgent"}
```

| field type | eq ne in nin | lt lte gt gte | contains | exists |
|---|---|---|---|---|
| text | exact | | part of the text, whatever the case | yes |
| number, timestamp | yes | yes | | yes |
| bool, uuid | yes | | | yes |
| text[] | in: shares one; nin: shares none | | has this element | yes |

Every comparison is true or false, never unknown. A missing field is null. On null, `eq`, `in`, `lt`…, `contains` are
false and `ne`, `nin` are true; `exists` is false; `eq null` is the same as `exists false`, and a null in a list of
`in` or `nin` stands for "missing". An empty list matches nothing (`in`) or everything (`nin`); `{"all": []}` matches
everything and `{"any": []}` nothing. An empty text and an empty array exist. Case is folded letter by letter (İ as i,
Σ as σ), and numbers compare exactly, or as floating-point numbers where the field holds those.

`evaluate` and `filter_sql.compile_sql` give the same answer; a test holds them to it.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

from shared.kit.errors import Invalid

FieldType = Literal["text", "number", "bool", "timestamp", "uuid", "text[]"]
Op = Literal["eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "contains", "exists"]
Value: TypeAlias = str | Decimal | bool | datetime | UUID
Operand: TypeAlias = Value | tuple[Value | None, ...] | None

OPS: Mapping[FieldType, tuple[Op, ...]] = {
    "text": ("eq", "ne", "in", "nin", "contains", "exists"),
    "number": ("eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "exists"),
    "bool": ("eq", "ne", "in", "nin", "exists"),
    "timestamp": ("eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "exists"),
    "uuid": ("eq", "ne", "in", "nin", "exists"),
    "text[]": ("in", "nin", "contains", "exists"),
}
ALL_OPS: tuple[Op, ...] = ("eq", "ne", "in", "nin", "lt", "lte", "gt", "gte", "contains", "exists")
MOST_COMPARISONS = 500
MOST_VALUES = 1_000
DEEPEST = 20

_WANTED: Mapping[FieldType, str] = {
    "text": "a text without NUL",
    "number": "a finite number of ordinary size, below 1e60",
    "bool": "true or false",
    "timestamp": "a time with its zone, as in 2026-11-22T09:00:00Z",
    "uuid": "an id (a UUID)",
    "text[]": "a text without NUL",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. `operand` is a value of the field's type, a tuple of them, or, for `exists`, true or false."""

    field: str
    type: FieldType
    op: Op
    operand: Operand


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; with no part, always true."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; with no part, never true."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Filter"


Filter: TypeAlias = Comparison | AllOf | AnyOf | Not
EVERYTHING: Filter = AllOf(())
"""What `{}` says."""


def parse(data: object, fields: Mapping[str, FieldType]) -> Filter:
    """The filter that was written down, over the named fields.

    Raises:
        Invalid: with one (JSON pointer, sentence) for each thing that is wrong; pointers start at the filter.
    """
    reader = _Reader(fields)
    read = reader.read(data, "", 0)
    if reader.found:
        raise Invalid("This filter cannot be used.", errors=reader.found)
    return read


def problems(data: object, fields: Mapping[str, FieldType]) -> list[tuple[str, str]]:
    """Everything that is wrong with a filter as written; nothing if it can be used."""
    reader = _Reader(fields)
    reader.read(data, "", 0)
    return reader.found


def fields_of(where: Filter) -> frozenset[str]:
    """The fields a filter looks at."""
    match where:
        case Comparison():
            return frozenset((where.field,))
        case Not():
            return fields_of(where.part)
        case _:
            return frozenset().union(*(fields_of(part) for part in where.parts))


def evaluate(where: Filter, row: Mapping[str, Any]) -> bool:
    """Whether a row matches. Values may be Python's own or as JSON has them (ids and times as text).

    A dotted field that the row lacks is looked up in nested rows: `author.followers` in `row["author"]`.

    Raises:
        TypeError: the row holds something that the field's type does not allow.
    """
    match where:
        case AllOf():
            return all(evaluate(part, row) for part in where.parts)
        case AnyOf():
            return any(evaluate(part, row) for part in where.parts)
        case Not():
            return not evaluate(where.part, row)
    return _holds(where, _held(where, row))


def fold(text: str) -> str:
    """Lower case letter by letter, as Postgres does under `pg_c_utf8`: length never changes."""
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def _holds(test: Comparison, held: object) -> bool:
    op, operand = test.op, test.operand
    if op == "exists":
        return (held is not None) == operand
    if op in {"in", "nin"}:
        allowed = cast("tuple[Value | None, ...]", operand)
        if isinstance(held, tuple):
            shares = any(item in allowed for item in held if item is not None)
        else:
            shares = any(_compare("eq", held, item) for item in allowed)
        return shares == (op == "in")
    if op == "ne":
        return not _compare("eq", held, operand)
    return _compare(op, held, operand)


def _compare(op: Op, held: Any, operand: Any) -> bool:
    if held is None or operand is None:
        return op == "eq" and held is operand
    if isinstance(held, float):
        operand = float(operand)
    match op:
        case "eq":
            return bool(held == operand)
        case "lt":
            return bool(held < operand)
        case "lte":
            return bool(held <= operand)
        case "gt":
            return bool(held > operand)
        case "gte":
            return bool(held >= operand)
    return operand in held if isinstance(held, tuple) else fold(operand) in fold(held)


def _held(test: Comparison, row: Mapping[str, Any]) -> object:
    held = _look_up(row, test.field)
    if held is None:
        return None
    if test.type == "number" and isinstance(held, float):
        # Postgres orders NaN above every number and equal to none but itself: so does infinity here.
        return math.inf if math.isnan(held) else held
    if test.type == "text" and isinstance(held, str):
        return held
    if test.type == "text[]":
        if isinstance(held, str) or not isinstance(held, Iterable):
            raise TypeError(f"The field {test.field} should hold a list of texts, not {type(held).__name__}.")
        return tuple(held)
    value = _value(test.type, held)
    if value is None:
        raise TypeError(f"The field {test.field} should hold {_WANTED[test.type]}, not {held!r:.80}.")
    return value


def _look_up(row: Mapping[str, Any], name: str) -> Any:
    if name in row or "." not in name:
        return row.get(name)
    head, _, rest = name.partition(".")
    inner = row.get(head)
    return _look_up(inner, rest) if isinstance(inner, Mapping) else None


def _value(kind: FieldType, value: object) -> Value | None:
    """The value as the field's type has it; None if it is not one."""
    match kind:
        case "text" | "text[]":
            return _text(value)
        case "number":
            return _number(value)
        case "bool":
            return value if isinstance(value, bool) else None
        case "timestamp":
            return _time(value)
        case "uuid":
            return _uuid(value)


def _text(value: object) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no database stores it
        return None
    return value


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        exponent = number.as_tuple().exponent
    except ValueError:  # a whole number with more digits than Python will write out
        return None
    # A number that a double cannot hold compares differently here and in Postgres.
    fits = isinstance(exponent, int) and exponent > -300 and (not number or -300 < number.adjusted() < 60)
    return number if fits else None


def _time(value: object) -> datetime | None:
    if isinstance(value, str):
        if len(value) < len("2026-11-22T09:00Z"):
            return None
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def _uuid(value: object) -> UUID | None:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


class _Reader:
    """Reads what was written and collects what is wrong with it; after a problem its result is not used."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self.fields = fields
        self.found: list[tuple[str, str]] = []
        self.tests = 0

    def read(self, data: object, here: str, depth: int) -> Filter:
        if not isinstance(data, Mapping):
            return self.refuse(here, 'Write a filter as an object, as in {"field": "lang", "op": "eq", "value": "nl"}.')
        if depth > DEEPEST:
            return self.refuse(here, f"Filters nest {DEEPEST} deep at most. Flatten this one.")
        if not data:
            return EVERYTHING
        if "field" in data or "op" in data or "value" in data:
            return self.test(data, here)
        if len(data) > 1 or next(iter(data)) not in {"all", "any", "not"}:
            return self.refuse(here, "A filter has one of all, any, not; or field, op and value.")
        kind, inner = next(iter(data.items()))
        if kind == "not":
            return Not(self.read(inner, f"{here}/not", depth + 1))
        if not isinstance(inner, list | tuple):
            return self.refuse(f"{here}/{kind}", f"Write a list of filters under {kind}.")
        parts = tuple(self.read(item, f"{here}/{kind}/{index}", depth + 1) for index, item in enumerate(inner))
        return AllOf(parts) if kind == "all" else AnyOf(parts)

    def test(self, data: Mapping[Any, Any], here: str) -> Filter:
        self.tests += 1
        if self.tests > MOST_COMPARISONS:
            return self.refuse(here, f"A filter has {MOST_COMPARISONS} tests at most. Use in with a list of values.")
        if len(self.found) > MOST_COMPARISONS:
            return EVERYTHING
        name, op = data.get("field"), data.get("op")
        for extra in data.keys() - {"field", "op", "value"}:
            self.refuse(here, f"A test has field, op and value; it has no {extra!r:.40}.")
        kind = self.fields.get(name) if isinstance(name, str) else None
        if kind is None:
            return self.refuse(f"{here}/field", self.no_field(name))
        if op not in OPS[kind]:
            known = f"{op} cannot be asked of {kind}" if op in ALL_OPS else f"There is no op {op!r:.40}"
            return self.refuse(f"{here}/op", f"{known}. For {name} use one of {', '.join(OPS[kind])}.")
        if "value" not in data:
            return self.refuse(here, "Give a value to compare with.")
        return Comparison(cast("str", name), kind, op, self.operand(kind, op, data["value"], f"{here}/value"))

    def operand(self, kind: FieldType, op: Op, value: object, here: str) -> Operand:
        if op == "exists":
            if not isinstance(value, bool):
                self.refuse(here, "Ask exists with true or false.")
            return bool(value)
        if op not in {"in", "nin"}:
            if value is None and op not in {"eq", "ne"}:
                self.refuse(here, "Nothing compares with null. Use exists with true or false.")
            return self.value(kind, value, here)
        if not isinstance(value, list | tuple):
            self.refuse(here, f"Give {op} a list of values.")
            return ()
        if len(value) > MOST_VALUES:
            self.refuse(here, f"A list holds {MOST_VALUES:,} values at most.")
            return ()
        return tuple(self.value(kind, item, f"{here}/{index}") for index, item in enumerate(value))

    def value(self, kind: FieldType, value: object, here: str) -> Value | None:
        read = None if value is None else _value(kind, value)
        if read is None and value is not None:
            self.refuse(here, f"Give {_WANTED[kind]}.")
        return read

    def no_field(self, name: object) -> str:
        close = difflib.get_close_matches(str(name)[:100], self.fields, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Fields are {', '.join(sorted(self.fields))}."
        return f"There is no field {name!r:.80}. {hint}"

    def refuse(self, here: str, detail: str) -> Filter:
        self.found.append((here, detail))
        return EVERYTHING
