"""Single rows of any noun that people configure: add one, take one to change it, remove one."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import SQLModel

from shared.kit import clock
from shared.kit.database import WriteSession
from shared.kit.errors import Conflict, Invalid, NotFound, WebcareError

Row = TypeVar("Row", bound=SQLModel)

_UNIQUE, _FOREIGN_KEY = "23505", "23503"


def noun_of(table: type[SQLModel]) -> str:
    """How a table's noun is said in a sentence: `sla_policy` is "sla policy"."""
    return str(table.__tablename__).replace("_", " ")


async def add(session: WriteSession, row: SQLModel) -> None:
    """Writes a new row at once. Raises Conflict where another one has its name, Invalid where it points at nothing."""
    session.add(row)
    await flush(session, type(row))


async def flush(session: WriteSession, table: type[SQLModel]) -> None:
    """Writes what was changed of a row of `table`. Raises as `add` does."""
    try:
        await session.flush()
    except IntegrityError as refused:
        raise _explained(refused, table) from refused
    except DBAPIError as refused:
        if str(getattr(refused.orig, "sqlstate", "") or "").startswith("22"):
            raise Invalid(f"A value of the {noun_of(table)} is out of the range that can be kept.") from refused
        raise


async def take(session: WriteSession, table: type[Row], workspace_id: UUID, row_id: UUID | None) -> Row:
    """One row, locked until the transaction ends. Raises NotFound where this workspace has none."""
    row = None
    if row_id is not None:
        row = await session.get(table, (workspace_id, row_id), with_for_update=True)
    if row is None:
        raise NotFound(f"There is no such {noun_of(table)}.")
    return row


async def find(session: WriteSession, table: type[Row], workspace_id: UUID, row_id: UUID | None) -> Row | None:
    """One row as it stands, not locked; None where this workspace has none."""
    return None if row_id is None else await session.get(table, (workspace_id, row_id))


async def touch(session: WriteSession, row: Any) -> None:
    """Writes a changed row with its new time. Raises as `add` does."""
    row.updated_at = clock.now()
    await flush(session, type(row))


async def remove(session: WriteSession, row: SQLModel) -> None:
    """Takes a row away. Raises Conflict where something still stands on it."""
    await session.delete(row)
    await flush(session, type(row))


async def set_all(session: WriteSession, table: type[SQLModel], values: Mapping[str, Any], **equal: Any) -> None:
    """Sets columns of the rows of `table` whose columns equal what is given."""
    conditions = [getattr(table, name) == value for name, value in equal.items()]
    await session.execute(update(table).where(*conditions).values(**values))


async def missing(session: WriteSession, table: type[SQLModel], workspace_id: UUID, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these ids are of no row of this workspace."""
    wanted = set(ids)
    if not wanted:
        return set()
    key, owner = table.id, table.workspace_id  # type: ignore[attr-defined]
    found = await session.scalars(select(key).where(owner == workspace_id, key.in_(wanted)))
    return wanted - set(found)


async def connection_of(session: WriteSession) -> asyncpg.Connection:
    """The asyncpg connection inside a transaction that has begun, for statements that must see what it wrote."""
    await session.flush()
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver: asyncpg.Connection = raw.driver_connection  # type: ignore[assignment]
    return driver


def _explained(refused: IntegrityError, table: type[SQLModel]) -> WebcareError:
    """What Postgres refused, as a sentence about the noun."""
    cause = getattr(refused.orig, "__cause__", None)
    state, name = getattr(cause, "sqlstate", None), getattr(cause, "constraint_name", None)
    if state == _UNIQUE:
        fields = _fields_of(table, name)
        pointers = [(f"/{field}", "is taken") for field in fields]
        said = " and ".join(fields) or "key"
        return Conflict(
            f"There is already a {noun_of(table)} with that {said}; choose another.",
            errors=pointers,
            code="already_exists",
        )
    if state == _FOREIGN_KEY:
        return Conflict(f"Something still refers to this {noun_of(table)}, or it refers to what does not exist.")
    return Invalid(f"The {noun_of(table)} cannot be kept like that.")


def _fields_of(table: type[SQLModel], constraint: str | None) -> list[str]:
    for index in table.__table__.indexes:  # type: ignore[attr-defined]
        if index.name == constraint:
            return [column.name for column in index.columns if column.name != "workspace_id"]
    return []
