"""Writing by GraphQL: a verb of the desk in one transaction, and what it made or changed read back in that transaction, with
just the fields that were asked for. An `idempotencyKey` makes it happen once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import orjson
import strawberry

from services.api import idempotency
from services.api.auth import Action
from services.api.desk.desk import Desk
from services.api.graphql.fields import Argument, Asked, root_field
from services.api.graphql.objects import camel, object_type, type_name
from services.api.graphql.queries import check_below
from services.api.graphql.selection import Raw, asks_for, selection_of
from services.api.idempotency import Answer, Claim
from shared.kit.errors import NotFound
from shared.kit.ids import parse_id
from shared.models.read_model import Selection

ID = strawberry.ID


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller said: of which one (`key`), what (`fields`), and which version of it they have seen."""

    key: Any
    fields: dict[str, Any]
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb of the desk as GraphQL offers it.

    `run` returns the key of what is shown (a `noun`), that and a secret where `tells` says what it is called, nothing where
    it took away what it was given, or, where `gives` is a type of its own, what is shown itself. `takes` is its input; `of`
    what the id is of, "" where there is none; `versioned` whether it heeds the version that was seen.
    """

    action: Action
    run: Callable[[Desk, Given], Awaitable[Any]]
    doc: str
    noun: str = ""
    gives: Any = None
    takes: Any = None
    of: str = ""
    versioned: Literal["", "optional", "required"] = ""
    tells: str = ""


@dataclass(frozen=True, slots=True)
class _Call:
    """One mutation of a request: what it does, for whom, and what is shown of it."""

    name: str
    verb: Verb
    given: Given
    selection: Selection | None
    """Of the noun; None where nothing of a noun is shown."""


def mutation_field(name: str, verb: Verb) -> Any:
    """The field of Mutation that offers a verb."""

    async def resolve(asked: Asked, raw: Raw, given: dict[str, Any]) -> Any:
        desk = asked.desk_for(verb.action)
        key = parse_id(given["id"]) if verb.of else None
        if verb.of and key is None:
            raise NotFound(f"There is no such {verb.of}.")
        selection = _selection(desk, verb, raw)
        call = _Call(name, verb, Given(key, given.get("input") or {}, given.get("version")), selection)
        if given["idempotency_key"] is None:
            return await _do(desk, call, None)
        return await _once(asked, desk, call, given["idempotency_key"], str(raw.path.key))

    return root_field(name, _gives(verb), verb.doc, _arguments(verb), resolve, inside="input" if verb.takes else "")


def _selection(desk: Desk, verb: Verb, raw: Raw) -> Selection | None:
    if not verb.noun:
        return None
    path = (camel(verb.noun),) if verb.tells else ()
    if path and not asks_for(raw, *path):
        return {"id": None}
    selection = selection_of(raw, verb.noun, *path)
    check_below(desk, verb.noun, selection)
    return selection


async def _do(desk: Desk, call: _Call, claim: Claim | None) -> Any:
    """Runs the verb in its transaction; with a claim, its answer is kept in the same one, without the secret."""
    verb, told = call.verb, None
    async with desk.writing() as inside:
        made = await verb.run(inside, call.given)
        if verb.tells:
            made, told = made
        shown: Any
        if call.selection is None:
            shown = str(call.given.key) if verb.gives is None else made
        elif made is None:
            shown = None
        else:
            shown = orjson.loads(await inside.one(verb.noun, made, call.selection))
        if claim is not None:
            await claim.keep(inside.session, Answer(200, orjson.dumps(shown)))
    return _shaped(verb, shown, told)


async def _once(asked: Asked, desk: Desk, call: _Call, key: str, path: str) -> Any:
    """Runs the verb under its key, or shows what was shown before."""
    given = call.given
    begun = await idempotency.begin(
        desk, key,
        idempotency.fingerprint(
            "GraphQL", call.name, str(desk.actor.agent_id), str(given.key), str(given.version),
            orjson.dumps(given.fields, option=orjson.OPT_SORT_KEYS),
            orjson.dumps(call.selection, option=orjson.OPT_SORT_KEYS),
        ),
    )  # fmt: skip
    if isinstance(begun, Answer):
        asked.replayed.append(path)
        return _shaped(call.verb, orjson.loads(begun.body), None)
    try:
        return await _do(desk, call, begun)
    except BaseException:
        await begun.release()
        raise


def _shaped(verb: Verb, shown: Any, told: str | None) -> Any:
    return {verb.noun: shown, verb.tells: told} if verb.tells else shown


def _gives(verb: Verb) -> Any:
    if verb.tells:
        return _payload(verb.noun, verb.tells) | None
    if verb.noun:
        return object_type(verb.noun) | None
    return (verb.gives or ID) | None


@cache
def _payload(noun: str, secret: str) -> Any:
    """What is shown where something is told once."""
    said = "Told in this answer and never again; null where an idempotencyKey gives the former answer again."
    members = {noun: strawberry.field(), secret: strawberry.field(description=said)}
    annotations = {noun: object_type(noun), secret: str | None}
    name = f"{type_name(noun)}With{secret.capitalize()}"
    made = type(name, (), {**members, "__annotations__": annotations, "__module__": __name__})
    return strawberry.type(made, description=f"A {noun.replace('_', ' ')} with what is told of it this once.")


def _arguments(verb: Verb) -> Mapping[str, Argument]:
    arguments = {}
    if verb.of:
        arguments["id"] = Argument(ID, f"The {verb.of}'s id.")
    if verb.takes is not None:
        arguments["input"] = Argument(verb.takes, "What is said of it.")
    if verb.versioned == "required":
        arguments["version"] = Argument(int, "The version that you have seen; an older one is refused.")
    elif verb.versioned:
        arguments["version"] = Argument(int | None, "The version that you have seen; an older one is refused.", None)
    arguments["idempotency_key"] = Argument(
        str | None, "Makes it happen once, however often it is sent; kept for 24 hours.", None
    )
    return arguments
