"""What a door shows of a noun, declared once: its fields, what may be filtered and ordered by, and what hangs on it.

SQL stands here as text with `{alias}` for the tables of this noun and `{up_alias}` for those of the noun it hangs on;
`shared/store/reading.py` makes one statement of it. Both doors and the schemas they publish are made from the same
declaration, so that they cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Type = Literal[
    "id", "text", "integer", "number", "boolean", "time", "date", "json", "texts", "ids", "jsons", "duration"
]


@dataclass(frozen=True, slots=True)
class Column:
    """A field with one value. `sql` yields it; `joins` names the joins it needs; `null` says that it may be absent.

    `computed` fields are not in SQL: the desk adds them to what was read. A field that is not `listed` comes with the noun
    itself, but in a list only when it is asked for.

    `masked` is the SQL for readers from whom personal data is hidden, with `{kinds}` for what is hidden from them, and
    `masked_joins` what that needs; None: it never holds a customer's personal data, and they see it as it is.
    """

    type: Type
    doc: str
    sql: str = ""
    joins: tuple[str, ...] = ()
    null: bool = False
    computed: bool = False
    listed: bool = True
    masked: str | None = None
    masked_joins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nested:
    """A noun that hangs on this one: one of it, or many. `on` ties the two; `shown` says that REST includes it unasked."""

    noun: str
    on: str
    doc: str
    many: bool = False
    order: str = ""
    limit: int = 100
    shown: bool = True
    joins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """A way to narrow a list. `sql` has `%s` where the value goes (several times, if need be); `type` is how it is read.

    `masked` is the SQL for readers from whom personal data is hidden, so that what they do not see cannot be found out by
    filters; empty: they may not use it; None: it is the same for them.
    """

    type: Type
    sql: str
    doc: str
    joins: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    masked: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A way to sort a list by a key that never changes places while one pages: (SQL, type, descending), the last unique."""

    keys: tuple[tuple[str, Type, bool], ...]
    joins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A noun as readers see it. `source` is its table, `alias` what its SQL calls it; the first order is the usual one."""

    noun: str
    source: str
    alias: str
    doc: str
    fields: Mapping[str, Column | Nested]
    joins: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    key: str = "id"
    where: str = ""

    def columns(self) -> dict[str, Column]:
        """The fields that are values."""
        return {name: item for name, item in self.fields.items() if isinstance(item, Column)}

    def nested(self) -> dict[str, Nested]:
        """The fields that are nouns."""
        return {name: item for name, item in self.fields.items() if isinstance(item, Nested)}


Selection = Mapping[str, "Selection | None"]
"""Which fields are asked for: {"id": None, "author": {"handle": None}}."""
