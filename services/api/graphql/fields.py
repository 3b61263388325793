"""Root fields made from tables: their arguments are declared as data, and one function resolves them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from services.api.auth import Action, allow
from services.api.desk.desk import Desk
from services.api.graphql.inputs import as_given, plain
from services.api.graphql.objects import camel
from services.api.graphql.selection import Raw
from shared.kit.errors import WebcareError


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's context: whose desk it is, and which of its mutations were answered before (`replayed`)."""

    desk: Desk
    replayed: list[str] = field(default_factory=list)

    def desk_for(self, action: Action) -> Desk:
        """The desk, if whoever asks may do that. Raises Forbidden."""
        allow(self.desk.actor, action)
        return self.desk


class RootInfo(Info[Asked, None]):
    """What strawberry tells a resolver, with what graphql-core told strawberry: the selection is read from that."""

    @property
    def raw(self) -> Raw:
        """graphql-core's own info."""
        return self._raw_info


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a root field; one without a default must be given."""

    type: Any
    doc: str
    default: Any = ...


Resolve = Callable[[Asked, Raw, dict[str, Any]], Awaitable[Any]]
"""(context, graphql-core's info, what was given by argument; inputs as dictionaries) → what is shown."""

PAGE_ARGUMENTS = {"limit": "first", "cursor": "after", "order": "order"}
"""What REST calls the parts of a page → their arguments here: errors name the argument."""


def root_field(
    name: str, gives: Any, doc: str, arguments: Mapping[str, Argument], resolve: Resolve, *, inside: str = ""
) -> Any:
    """A field of Query or Mutation. `inside` is the argument that holds what REST has in the body or the query string: the
    places that an error names are places in it."""

    usual = {one: argument.default for one, argument in arguments.items() if argument.default is not ...}

    async def resolver(info: Any, **given: Any) -> Any:
        try:
            return await resolve(
                info.context, info.raw, usual | {plain(one): _said(value) for one, value in given.items()}
            )
        except WebcareError as wrong:
            wrong.errors = tuple((_place(pointer, inside, arguments), detail) for pointer, detail in wrong.errors)
            raise

    parameters = [Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=Info), *_parameters(arguments)]
    resolver.__signature__ = Signature(parameters, return_annotation=gives)  # type: ignore[attr-defined]
    resolver.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": gives}
    return strawberry.field(resolver=resolver, name=name, description=doc)


def _parameters(arguments: Mapping[str, Argument]) -> Iterable[Parameter]:
    for name, argument in sorted(arguments.items(), key=lambda item: item[1].default is not ...):
        python = f"{name}_" if name == "from" else name
        said = strawberry.argument(description=argument.doc, name=camel(name))
        # What is null unless said otherwise is left out, so that the schema does not say `= null` everywhere.
        default = {...: Parameter.empty, None: UNSET}.get(argument.default, argument.default)
        yield Parameter(python, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[argument.type, said])


def _said(value: Any) -> Any:
    """What was given, an input as a dictionary."""
    if value is UNSET:
        return None
    return as_given(value) if hasattr(type(value), "__strawberry_definition__") else value


def _place(pointer: str, inside: str, arguments: Mapping[str, Argument]) -> str:
    """A place as REST names it, as the place in the arguments: `/agent_id` is `/input/agentId`."""
    first, slash, rest = pointer.removeprefix("/").partition("/")
    name = PAGE_ARGUMENTS.get(first, first)
    if name in arguments or not inside:
        return f"/{camel(name)}{slash}{rest}" if name else ""
    return f"/{inside}/{camel(first)}{slash}{rest}".removesuffix("/")
