"""What the verbs of GraphQL are made of: how the desk's functions are called, and the three verbs of a noun that people configure."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import strawberry
from sqlmodel import SQLModel

from services.api.auth import Action
from services.api.desk.desk import Desk
from services.api.graphql.inputs import NOT_SAID, Field, input_type, record_type
from services.api.graphql.mutations import Given, Verb
from services.api.graphql.objects import type_name

ID = strawberry.ID
Create = Callable[[Desk, Mapping[str, Any]], Awaitable[Any]]
Change = Callable[[Desk, UUID, Mapping[str, Any]], Awaitable[Any]]
Remove = Callable[[Desk, UUID], Awaitable[Any]]
Versioned = Callable[[Desk, UUID, Mapping[str, Any], int | None], Awaitable[Any]]

SETTINGS = Action.WRITE_SETTINGS
MAYBE_ID: Field = (ID | None, "", NOT_SAID)
MAYBE_TEXT: Field = (str | None, "", NOT_SAID)


def creates(run: Create) -> Callable[[Desk, Given], Awaitable[Any]]:
    """A verb that makes something of its fields."""
    return lambda desk, given: run(desk, given.fields)


def changes(run: Change) -> Callable[[Desk, Given], Awaitable[Any]]:
    """A verb on one thing, with fields."""
    return lambda desk, given: run(desk, given.key, given.fields)


def does(run: Remove) -> Callable[[Desk, Given], Awaitable[Any]]:
    """A verb on one thing."""
    return lambda desk, given: run(desk, given.key)


def changes_seen(run: Versioned) -> Callable[[Desk, Given], Awaitable[Any]]:
    """A verb on one thing, with fields and the version that the caller has seen."""
    return lambda desk, given: run(desk, given.key, given.fields, given.version)


def configured(
    noun: str, kind: type[SQLModel], create: Create, change: Change, remove: Remove, *, action: Action = SETTINGS,
    removes: str = "remove", tells: str = "", removing: str = "Takes it away.", more: Mapping[str, Field] | None = None,
    changing: Mapping[str, Field] | None = None,
) -> dict[str, Verb]:  # fmt: skip
    """The three verbs of a noun that people configure. `more` are fields that the verbs read themselves,
    `changing` all that may be changed, where that is less than may be given at first."""
    name, said = type_name(noun) if noun != "query" else "Query", noun.replace("_", " ")
    article, changed = "an" if said[0] in "aeiou" else "a", f"Change{name}Input"
    return {
        f"create{name}": Verb(
            action=action, run=creates(create), noun=noun, tells=tells, doc=f"Makes {article} {said}.",
            takes=input_type(f"Create{name}Input", kind, more=more),
        ),
        f"change{name}": Verb(
            action=action, run=changes(change), noun=noun, of=said, doc=f"Changes what is given of {article} {said}.",
            takes=input_type(changed, kind, partial=True, more=more) if changing is None
            else record_type(changed, changing, f"What may be changed of {article} {said}."),
        ),
        f"{removes}{name}": Verb(action=action, run=does(remove), of=said, doc=removing),
    }  # fmt: skip
