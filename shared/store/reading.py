"""Reading: (read model, selection, filters, page) becomes ONE statement that returns finished JSON.

Measured against raw ASGI and asyncpg, JSON made by Postgres and passed through is the fastest way there is (0.8 of the
ceiling; objects made in Python reach 0.1). Access is in the SQL: row-level security hides other workspaces, filters do the rest.
From whom personal data is hidden, reads other columns; everybody else's statement has nothing of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from shared.kit.errors import Forbidden, Invalid, NotFound
from shared.kit.ids import parse_id
from shared.kit.pages import Page, encode_cursor
from shared.models.read_model import Column, Filter, Nested, Order, ReadModel, Selection, Type

NEWEST_FIRST = "-id"
_POSTGRES: Mapping[Type, str] = {
    "id": "uuid", "text": "text", "integer": "bigint", "number": "float8", "boolean": "boolean", "time": "timestamptz",
    "date": "date", "json": "jsonb", "texts": "text[]", "ids": "uuid[]", "jsons": "jsonb", "duration": "float8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slice:
    """A page as it was read: `data` is a JSON array, ready to be sent."""

    data: bytes
    next_cursor: str | None
    order: str = ""
    keys: Sequence[str] = ()

    def cursors(self) -> list[str]:
        """For each row of the page, the cursor that goes on after it."""
        return [encode_cursor((self.order, *orjson.loads(key))) for key in self.keys]

    @property
    def has_more(self) -> bool:
        """Whether the list goes on."""
        return self.next_cursor is not None


class Library:
    """The read models there are, by noun: what a nested field's noun is looked up in."""

    def __init__(self, models: Sequence[ReadModel]) -> None:
        self._models = {model.noun: model for model in models}

    def __getitem__(self, noun: str) -> ReadModel:
        return self._models[noun]

    def nouns(self) -> list[str]:
        """All nouns that can be read."""
        return list(self._models)


HIDDEN_CODE: Final = "personal_data_hidden"


class PersonalDataHidden(Forbidden):
    """Who asks does not see personal data, and this would tell of it."""

    code = HIDDEN_CODE
    title = "Personal data is hidden from this role"


class _Statement:
    """A statement in the making: its parameters, numbered. `masked` are the kinds of personal data that are hidden."""

    def __init__(self, library: Library, masked: Collection[str]) -> None:
        self.library = library
        self.values: list[Any] = []
        self.masked = masked
        self._kinds: str | None = None

    def value(self, value: Any, type_: Type) -> str:
        self.values.append(value)
        return f"${len(self.values)}::{_POSTGRES[type_]}"

    def rows(
        self,
        model: ReadModel,
        selection: Selection | None,
        depth: int,
        up: Mapping[str, str],
        where: Sequence[str],
        needs: set[str],
    ) -> tuple[str, str, str]:
        """(select list, FROM with joins, WHERE) of a model at a nesting depth."""
        names = _names(model, depth, up)
        items, wanted = [], set(needs)
        for name, item in _chosen(model, selection):
            wanted.update(item.joins)
            if isinstance(item, Column):
                hidden = item.masked if self.masked else None
                if hidden is not None:
                    wanted.update(item.masked_joins)
                sql = item.sql.format_map(names) if hidden is None else self._hidden(hidden, names)
            else:
                sql = self.nested(item, _below(selection, name), depth, names)
            items.append(f'{sql} AS "{name}"')
        joins = " ".join(model.joins[join].format_map(names) for join in model.joins if join in _closure(model, wanted))
        conditions = [*where, *([model.where.format_map(names)] if model.where else [])]
        return ", ".join(items), f"{model.source} {names[model.alias]} {joins}", " AND ".join(conditions) or "true"

    def _hidden(self, sql: str, names: Mapping[str, str]) -> str:
        if "{kinds}" not in sql:
            return sql.format_map(names)
        if self._kinds is None:  # only where it is used: Postgres takes no parameter that stands nowhere
            self._kinds = self.value(sorted(self.masked), "texts")
        return sql.format_map({**names, "kinds": self._kinds})

    def nested(self, item: Nested, selection: Selection | None, depth: int, names: Mapping[str, str]) -> str:
        model = self.library[item.noun]
        below = _names(model, depth + 1, names)
        select, source, where = self.rows(model, selection, depth + 1, names, [item.on.format_map(below)], set())
        if not item.many:
            return f"(SELECT to_json(o) FROM (SELECT {select} FROM {source} WHERE {where} LIMIT 1) o)"
        order = item.order.format_map(below) if item.order else f"{below[model.alias]}.{model.key}"
        inner = f"SELECT {select} FROM {source} WHERE {where} ORDER BY {order} LIMIT {item.limit}"
        return f"(SELECT coalesce(json_agg(to_json(o)), '[]') FROM ({inner}) o)"


def _names(model: ReadModel, depth: int, up: Mapping[str, str]) -> dict[str, str]:
    """What this model's aliases are called at this depth (its table also as `t`); those of the level above as `up_…`."""
    above = {f"up_{alias}": name for alias, name in up.items() if not alias.startswith("up_")}
    return above | {"t": f"{model.alias}{depth}"} | {alias: f"{alias}{depth}" for alias in (model.alias, *model.joins)}


def _chosen(model: ReadModel, selection: Selection | None) -> list[tuple[str, Column | Nested]]:
    """The fields that were asked for, or all that REST shows."""
    if selection is None:
        return [
            (name, item)
            for name, item in model.fields.items()
            if (not item.computed if isinstance(item, Column) else item.shown)
        ]
    chosen = [
        (name, item)
        for name, item in model.fields.items()
        if name in selection and not (isinstance(item, Column) and item.computed)
    ]
    return chosen or [(model.key, model.fields[model.key])]


def _in_lists(item: Column | Nested) -> bool:
    return item.listed and not item.computed if isinstance(item, Column) else item.shown


def _below(selection: Selection | None, name: str) -> Selection | None:
    return None if selection is None else selection[name]


def _closure(model: ReadModel, wanted: set[str]) -> set[str]:
    """The joins wanted, and those that they stand on: a join's text names an earlier one by its `{alias}`."""
    needed = set(wanted)
    for join in reversed(list(model.joins)):
        if join in needed:
            needed.update(other for other in model.joins if other != join and f"{{{other}}}" in model.joins[join])
    return needed


def read_value(text: Any, type_: Type, pointer: str) -> Any:
    """A value as a caller wrote it, as Postgres takes it. Raises Invalid naming `pointer`."""
    try:
        match type_:
            case "id":
                return text if isinstance(text, UUID) else UUID(str(text))
            case "integer":
                return int(text)
            case "number" | "duration":
                return float(text)
            case "boolean":
                return (
                    text
                    if isinstance(text, bool)
                    else {"true": True, "false": False, "1": True, "0": False}[str(text).lower()]
                )
            case "time":
                moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
                if moment.tzinfo is None:
                    raise ValueError
                return moment
            case "date":
                return text if isinstance(text, date) else date.fromisoformat(str(text))
            case "texts" | "ids" | "jsons":
                return list(text)
            case _:
                return str(text)
    except (ValueError, KeyError, TypeError) as wrong:
        wanted = {
            "id": "an id (UUID)",
            "time": "a time with its zone, as 2026-11-22T10:00:00Z",
            "date": "a day, as 2026-11-22",
        }
        raise Invalid(
            f"{pointer} must be {wanted.get(type_, f'a value of type {type_}')}.", errors=[(pointer, "unreadable")]
        ) from wrong


def _conditions(
    statement: _Statement, model: ReadModel, filters: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[list[str], set[str]]:
    where, joins = [], set[str]()
    for name, given in filters.items():
        if given is None:
            continue
        spec: Filter | None = model.filters.get(name)
        if spec is None:
            raise Invalid(
                f"{model.noun}s cannot be filtered by {name}.",
                errors=[(f"/{name}", f"one of {', '.join(model.filters)}")],
            )
        if spec.choices and given not in spec.choices:
            raise Invalid(
                f"{name} must be one of {', '.join(spec.choices)}.", errors=[(f"/{name}", "not one of these")]
            )
        sql = spec.sql if spec.masked is None or not statement.masked else spec.masked
        if not sql:
            raise PersonalDataHidden(
                f"{model.noun}s cannot be looked for by {name}: personal data is hidden from this role, and what is found would "
                "tell of it. Narrow the list by something else.",
                errors=[(f"/{name}", "personal data is hidden from this role")],
            )
        marker = statement.value(read_value(given, spec.type, f"/{name}"), spec.type)
        where.append("(" + sql.format_map(names).replace("%s", marker) + ")")
        joins.update(spec.joins)
    return where, joins


def _after(statement: _Statement, order: Order, order_name: str, page: Page, names: Mapping[str, str]) -> list[str]:
    """The condition that a row comes after the cursor's key: (a < x) or (a = x and b < y) or …."""
    if page.after is None:
        return []
    if page.after[0] != order_name or len(page.after) != len(order.keys) + 1:
        raise Invalid(
            "The cursor belongs to a list in another order; start again without it.",
            errors=[("/cursor", "other order")],
        )
    markers = [
        statement.value(read_value(part, type_, "/cursor"), type_)
        for part, (_, type_, _) in zip(page.after[1:], order.keys, strict=True)
    ]
    expressions = [sql.format_map(names) for sql, _, _ in order.keys]
    descending = {desc for _, _, desc in order.keys}
    if len(descending) == 1:
        sign = "<" if descending.pop() else ">"
        return [f"({', '.join(expressions)}) {sign} ({', '.join(markers)})"]
    steps = []
    for n, (expression, marker, (_, _, desc)) in enumerate(zip(expressions, markers, order.keys, strict=True)):
        same = [f"{expressions[k]} = {markers[k]}" for k in range(n)]
        steps.append("(" + " AND ".join([*same, f"{expression} {'<' if desc else '>'} {marker}"]) + ")")
    return ["(" + " OR ".join(steps) + ")"]


async def read_page(
    connection: asyncpg.Connection, library: Library, noun: str, page: Page, *,
    filters: Mapping[str, Any] | None = None, selection: Selection | None = None, order: str | None = None,
    masked: Collection[str] = (),
) -> Slice:  # fmt: skip
    """A page of a noun; `masked` are the kinds of personal data that the reader does not see. Raises Invalid for a filter, an
    order or a cursor that the noun does not know, PersonalDataHidden for a filter that would tell of what is hidden."""
    model = library[noun]
    order_name = order or next(iter(model.orders))
    if order_name not in model.orders:
        raise Invalid(
            f"{noun}s cannot be ordered by {order_name}.", errors=[("/order", f"one of {', '.join(model.orders)}")]
        )
    chosen_order = model.orders[order_name]
    statement = _Statement(library, masked)
    names = _names(model, 0, {})
    where, joins = _conditions(statement, model, filters or {}, names)
    where += _after(statement, chosen_order, order_name, page, names)
    if selection is None:
        selection = {name: None for name, item in model.fields.items() if _in_lists(item)}
    select, source, conditions = statement.rows(model, selection, 0, {}, where, joins | set(chosen_order.joins))
    keys = ", ".join(f"({sql.format_map(names)})::text" for sql, _, _ in chosen_order.keys)
    ordering = ", ".join(f"{sql.format_map(names)}{' DESC' if desc else ''}" for sql, _, desc in chosen_order.keys)
    sql = (
        f"SELECT coalesce(json_agg(p.j ORDER BY p.n) FILTER (WHERE p.n <= {page.limit}), '[]')::text AS data, "
        f"array_agg(p.k ORDER BY p.n) AS keys FROM ("
        f"SELECT row_number() OVER (ORDER BY {ordering}) AS n, json_build_array({keys})::text AS k, "
        f"(SELECT to_json(o) FROM (SELECT {select}) o) AS j "
        f"FROM {source} WHERE {conditions} ORDER BY {ordering} LIMIT {page.limit + 1}) p"
    )
    row = await connection.fetchrow(sql, *statement.values)
    assert row is not None  # an aggregate always has its row
    found = row["keys"] or []
    shown = found[: page.limit]
    cursor = encode_cursor((order_name, *orjson.loads(shown[-1]))) if len(found) > page.limit else None
    return Slice(row["data"].encode(), cursor, order_name, shown)


async def read_one(
    connection: asyncpg.Connection, library: Library, noun: str, key: Any, *, selection: Selection | None = None,
    masked: Collection[str] = (),
) -> bytes:  # fmt: skip
    """One of a noun by its key, as a JSON object. Raises NotFound where this workspace has none."""
    model = library[noun]
    known = parse_id(str(key)) if model.key == "id" else key
    if known is None:
        raise NotFound(f"There is no {noun} {key}.")
    found = await read_many(connection, library, noun, [known], selection=selection, masked=masked)
    if not found:
        raise NotFound(f"There is no {noun.replace('_', ' ')} {key}.")
    return found[0][1].encode()


async def read_many(
    connection: asyncpg.Connection, library: Library, noun: str, keys: Sequence[Any], *,
    selection: Selection | None = None, masked: Collection[str] = (),
) -> list[tuple[Any, str]]:  # fmt: skip
    """Several of a noun by their keys: (key, JSON object) for those that exist, in no particular order."""
    model = library[noun]
    statement = _Statement(library, masked)
    type_ = model.columns()[model.key].type
    marker = statement.value(list(keys), "ids" if type_ == "id" else "texts")
    names = _names(model, 0, {})
    own_key = f"{names[model.alias]}.{model.key}"
    select, source, where = statement.rows(model, selection, 0, {}, [f"{own_key} = ANY({marker})"], set())
    rows = await connection.fetch(
        f"SELECT {own_key} AS key, (SELECT to_json(o) FROM (SELECT {select}) o)::text AS j FROM {source} WHERE {where}",
        *statement.values,
    )
    return [(row["key"], row["j"]) for row in rows]


async def noun_of(connection: asyncpg.Connection, library: Library, key: UUID, nouns: Sequence[str]) -> str | None:
    """Which of these nouns has this id in the workspace; None where none has."""
    parts = [
        f"SELECT '{noun}' AS noun FROM {library[noun].source} WHERE id = $1"  # names of our own tables
        for noun in nouns
        if library[noun].key == "id"
    ]
    found = await connection.fetchval(" UNION ALL ".join(parts) + " LIMIT 1", key)
    return None if found is None else str(found)
