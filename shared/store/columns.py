"""Read models of nouns that are shown as they are stored: their columns, taken from the table."""

from collections.abc import Iterable, Mapping

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Float, Integer, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlmodel import SQLModel

from shared.models.read_model import Column, Filter, Nested, Order, ReadModel, Type

_HIDDEN = frozenset({"workspace_id"})


def columns_of(
    table: type[SQLModel], alias: str, leave_out: Iterable[str] = (), docs: Mapping[str, str] | None = None
) -> dict[str, Column]:
    """A table's columns as fields, without the workspace, bytes and what is left out."""
    left_out = _HIDDEN | set(leave_out)
    columns = {}
    for column in table.__table__.columns:  # type: ignore[attr-defined]
        if column.name in left_out or isinstance(column.type, LargeBinary | TSVECTOR):
            continue
        doc = (docs or {}).get(column.name, column.name.replace("_", " ").capitalize() + ".")
        columns[column.name] = Column(
            _type(column.type, column.name), doc, f'{{{alias}}}."{column.name}"', null=bool(column.nullable)
        )
    return columns


def _type(kind: object, name: str) -> Type:
    match kind:
        case ARRAY():
            return "ids" if isinstance(kind.item_type, Uuid) else "texts"
        case JSONB():
            return "jsons" if name in _ARRAYS else "json"
        case Uuid():
            return "id"
        case DateTime():
            return "time"
        case Boolean():
            return "boolean"
        case BigInteger() | Integer():
            return "integer"
        case Float():
            return "number"
        case _:
            return "text"


_ARRAYS = frozenset(
    {
        "steps", "templates", "skills", "holidays", "ical_holidays", "targets", "candidates", "media", "warnings", "needs",
        "actions", "chain",
    }
)  # fmt: skip

BY_ID = {"-id": Order((("{t}.id", "id", True),)), "id": Order((("{t}.id", "id", False),))}


def by_name(alias: str = "t") -> dict[str, Order]:
    """By name, then id."""
    return {"name": Order(((f"{{{alias}}}.name", "text", False), (f"{{{alias}}}.id", "id", False)))}


def plain(
    noun: str, table: type[SQLModel], doc: str, *, leave_out: Iterable[str] = (), docs: Mapping[str, str] | None = None,
    nested: Mapping[str, Nested] | None = None, filters: Mapping[str, Filter] | None = None,
    orders: Mapping[str, Order] | None = None, joins: Mapping[str, str] | None = None, key: str = "id",
) -> ReadModel:  # fmt: skip
    """A read model of a table as it is (alias `t`), with what hangs on it."""
    return ReadModel(
        noun=noun, source=str(table.__tablename__), alias="t", doc=doc,
        fields={**columns_of(table, "t", leave_out, docs), **(nested or {})},
        filters=filters or {}, orders=orders or BY_ID, joins=joins or {}, key=key,
    )  # fmt: skip
