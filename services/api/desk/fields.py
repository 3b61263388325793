"""What a caller says of a noun, checked against the noun's own fields. Unknown fields are refused, never ignored."""

import json
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError
from sqlmodel import SQLModel

from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.kit.ids import parse_id
from shared.store import rows

Fields = TypeVar("Fields", bound=SQLModel)


def read_fields(kind: type[Fields], given: Mapping[str, Any], *, also: Iterable[str] = ()) -> Fields:
    """The fields as `kind` declares them. `also` are fields that the verb reads itself.

    Raises Invalid with a pointer and a sentence for each thing that is wrong.
    """
    unknown = [name for name in given if name not in kind.model_fields and name not in set(also)]
    errors = [(f"/{escape(name)}", f"There is no such field. {_nearby(kind, also)}") for name in unknown]
    try:
        fields = kind.model_validate({name: value for name, value in given.items() if name in kind.model_fields})
    except ValidationError as wrong:
        raise Invalid("Some fields are not right.", errors=[*errors, *explain(wrong)]) from wrong
    if errors:
        raise Invalid("Some fields are not known.", errors=errors)
    return fields


def changed_fields(kind: type[Fields], row: SQLModel, given: Mapping[str, Any], *, also: Iterable[str] = ()) -> Fields:
    """The row's fields with what is given laid over them, checked as a whole. Raises Invalid."""
    standing = {name: getattr(row, name) for name in kind.model_fields}
    return read_fields(kind, standing | dict(given), also=also)


def lay_over(row: SQLModel, fields: SQLModel) -> list[str]:
    """Sets the row's fields to these; returns the names of those that changed."""
    changed = []
    for name, value in values_of(fields).items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    return changed


def values_of(fields: SQLModel) -> dict[str, Any]:
    """The fields as a row takes them: enumerations as their words."""
    given = {name: getattr(fields, name) for name in type(fields).model_fields}
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in given.items()}


def explain(wrong: ValidationError) -> list[tuple[str, str]]:
    """Pydantic's complaints as (JSON pointer, sentence)."""
    return [
        ("/" + "/".join(escape(part) for part in problem["loc"]), problem["msg"].removeprefix("Value error, ") + ".")
        for problem in wrong.errors(include_input=False, include_url=False)
    ]


def escape(part: object) -> str:
    """A part of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _nearby(kind: type[SQLModel], also: Iterable[str]) -> str:
    return f"Known are {', '.join([*kind.model_fields, *also])}."


async def must_exist(desk: Desk, table: type[SQLModel], ids: Iterable[UUID | None], pointer: str) -> None:
    """Raises Invalid where one of `ids` is of nothing in this workspace."""
    wanted = [one for one in ids if one is not None]
    if absent := await rows.missing(desk.session, table, desk.workspace_id, wanted):
        named = ", ".join(sorted(map(str, absent)))
        raise Invalid(
            f"There is no {rows.noun_of(table)} {named}.", errors=[(pointer, f"no such {rows.noun_of(table)}")]
        )


def take_text(given: Mapping[str, Any], name: str, *, most: int = 10_000, required: bool = True) -> str | None:
    """A text field of a verb's body. Raises Invalid."""
    value = given.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise Invalid(f"{name} must be a text of 1 to {most} characters.", errors=[(f"/{name}", "is not such a text")])
    return value


def take_id(given: Mapping[str, Any], name: str, *, required: bool = True) -> UUID | None:
    """An id field of a verb's body. Raises Invalid."""
    value = given.get(name)
    if value is None and not required:
        return None
    known = parse_id(value) if isinstance(value, str) else value if isinstance(value, UUID) else None
    if known is None:
        raise Invalid(f"{name} must be an id (UUID).", errors=[(f"/{name}", "is not an id")])
    return known


def refuse_others(given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raises Invalid where a verb's body has a field that the verb does not know."""
    names = list(known)
    unknown = [name for name in given if name not in names]
    if unknown:
        said = f"There is no such field. Known are {', '.join(names)}." if names else "This takes no fields."
        raise Invalid("Some fields are not known.", errors=[(f"/{escape(name)}", said) for name in unknown])


def read_with(reader: Callable[[], Any], pointer: str) -> Any:
    """Runs a reader of ours that raises ValueError with a sentence, as Invalid at `pointer`."""
    try:
        return reader()
    except ValueError as wrong:
        raise Invalid(str(wrong), errors=[(pointer, str(wrong))]) from wrong


def small_enough(value: object, pointer: str, most: int = 100_000) -> None:
    """Raises Invalid where a free-form value would be larger than `most` characters of JSON."""
    if len(json.dumps(value, default=str)) > most:
        raise Invalid(f"{pointer} holds more than {most:,} characters.", errors=[(pointer, "is too large")])
