"""Asking the same of both doors: which field answers to which operation, and answers under the same names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_object_type,
    is_required_argument,
    is_required_input_field,
)

from services.api.desk.desk import view
from services.api.graphql.objects import camel, type_name
from services.api.graphql.queries import READ
from services.api.graphql.schema import schema
from services.api.rest.door import Operation
from shared.kit import ids
from shared.models.workspace import Role
from tests.api.world import World

NOT_TWICE = "a list of what hangs on one thing is the list of all, filtered"
DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "listMessages": ("messages", NOT_TWICE),
    "listRepliesOfConversation": ("replies", NOT_TWICE),
    "listDeliveriesOfWebhookEndpoint": ("deliveries", NOT_TWICE),
    "listAttemptsOfWebhookEndpoint": ("deliveryAttempts", NOT_TWICE),
    "listAttemptsOfDelivery": ("deliveryAttempts", NOT_TWICE),
}
"""operationId → (GraphQL's field for it, why it has not the name that the rule gives)."""
ONLY_GRAPHQL: Mapping[str, str] = {
    "node": "Relay finds anything by its id",
    "slaClock": "a clock as it is stored, with its id; REST shows clocks with their conversation, folded at the moment",
    "slaClocks": "the same, as a list over all conversations",
    "correction": "by its id; REST lists them with their mention",
    "routingDecision": "by its id; REST lists them with their conversation",
    "playbookVersion": "by its id; REST lists them with their playbook",
    "deliveryAttempt": "by its id; REST lists them with their delivery",
}
"""GraphQL's fields that no operation of REST has, and why."""
EMPTY_INSTEAD_OF_404: Mapping[str, str] = {
    **dict.fromkeys(DIFFERENCES, NOT_TWICE),
    "listCorrections": NOT_TWICE,
    "listRoutingDecisions": NOT_TWICE,
    "listPlaybookVersions": NOT_TWICE,
}
NEVER_SAME = frozenset({"id", "created_at", "updated_at", "prefix", "presence_since", "next_poll_at"})
"""Fields that differ between two rows that were made alike."""


def counterpart(operation_id: str) -> str:
    """GraphQL's field for an operation: what is done keeps its name; what is read is named without the reading."""
    if operation_id in DIFFERENCES:
        return DIFFERENCES[operation_id][0]
    name = re.sub(r"^(list|get|read|find)(?=[A-Z])", "", operation_id)
    return name[0].lower() + name[1:]


@dataclass(frozen=True)
class Root:
    """A root field: `kind` is query or mutation."""

    kind: str
    name: str
    field: GraphQLField

    @property
    def shown(self) -> Any:
        """The type that it shows, without null and list."""
        return get_named_type(self.field.type)

    def document(self, given: Mapping[str, Any]) -> str:
        """A document that asks for all of it, with the arguments that are given as variables."""
        used = [(name, argument) for name, argument in self.field.args.items() if name in given]
        head = ", ".join(f"${name}: {argument.type}" for name, argument in used)
        tail = ", ".join(f"{name}: ${name}" for name, _ in used)
        fields = all_of(self.shown) if is_object_type(self.shown) else "{ id }" if self.name == "node" else ""
        if not used:
            return f"{self.kind} {{ it: {self.name} {fields} }}"
        return f"{self.kind} ({head}) {{ it: {self.name}({tail}) {fields} }}"


def roots() -> dict[str, Root]:
    built = schema()
    assert built.query_type is not None
    assert built.mutation_type is not None
    pairs = (("query", built.query_type), ("mutation", built.mutation_type))
    return {name: Root(kind, name, field) for kind, type_ in pairs for name, field in type_.fields.items()}


def nouns_of(type_: GraphQLObjectType) -> str | None:
    return next((noun for noun in READ if type_name(noun) == type_.name), None)


def fields_of(type_: Any) -> dict[str, Any]:
    """The fields of a type, whatever it is wrapped in."""
    named: Any = get_named_type(type_)
    return dict(named.fields)


def all_of(type_: GraphQLObjectType) -> str:
    """Everything that REST shows of a type: columns, and nouns that are shown unasked."""
    noun = nouns_of(type_)
    parts = []
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        if not is_object_type(below):
            parts.append(name)
        elif noun is None or next(item for key, item in view(noun).nested().items() if camel(key) == name).shown:
            parts.append(f"{name} {all_of(below)}")
    return "{ " + " ".join(parts) + " }"


def as_rest(type_: Any, value: Any) -> Any:
    """A value of GraphQL's, under the names that REST has."""
    bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if value is None:
        return None
    if isinstance(value, list):
        return [as_rest(getattr(bare, "of_type", bare), one) for one in value]
    if not is_object_type(get_named_type(bare)):
        return value
    fields = fields_of(bare)
    return {snake(name): as_rest(fields[name].type, inner) for name, inner in value.items()}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[1].lower(), name)


def minimal(type_: GraphQLInputObjectType) -> dict[str, Any]:
    """An input with what must be in it."""
    return {name: plausible(field.type) for name, field in type_.fields.items() if is_required_input_field(field)}


def plausible(type_: Any) -> Any:
    named = get_named_type(type_)
    if isinstance(named, GraphQLInputObjectType):
        return minimal(named)
    value: Any = {"ID": str(ids.new_id()), "Int": 1, "Long": 1, "Boolean": True, "JSON": {}}.get(named.name, "x")
    return [value] if str(type_).startswith("[") else value


def arguments_of(root: Root, known: UUID, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Arguments that name one thing by its id, and say what REST's example says."""
    given: dict[str, Any] = {}
    for name, argument in root.field.args.items():
        named = get_named_type(argument.type)
        if name in ("id", "conversation") and root.name != "events":
            given[name] = str(known)
        elif isinstance(named, GraphQLInputObjectType) and name == "input":
            told = minimal(named) | {camel(key): value for key, value in (body or {}).items()}
            given[name] = {key: value for key, value in told.items() if key in named.fields}
        elif name == "version":
            given[name] = 1
        elif is_required_argument(argument):
            given[name] = {"metric": "first_response", "week": "2026-W40"}.get(name, plausible(argument.type))
    return given


async def ask(
    world: World,
    root: Root,
    variables: Mapping[str, Any],
    role: Role = Role.ADMIN,
    headers: Mapping[str, str] | None = None,
) -> tuple[Any, str | None]:
    """(what is shown, under REST's names; the code of what went wrong)."""
    answer = await world.call(
        "POST",
        "/graphql",
        {"query": root.document(variables), "variables": dict(variables)},
        role=role,
        headers=headers,
    )
    told = answer.json()
    codes = [error["extensions"]["code"] for error in told.get("errors", [])]
    assert len(codes) <= 1, told
    data = told.get("data") or {}
    return as_rest(root.field.type, data.get("it")), codes[0] if codes else None


def filled(operation: Operation, known: UUID) -> str:
    path = operation.path.replace("{id}", str(known)).replace("{metric}", "first_response").replace("{type}", "push")
    return path.replace("{key}", "outage").replace("{week}", "2026-W40")
