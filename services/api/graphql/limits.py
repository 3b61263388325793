"""How much one GraphQL document may ask: depth, aliases and cost, with fragments spread, before anything is executed."""

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)

from services.api.desk.desk import view
from shared.kit.errors import Invalid
from shared.kit.pages import DEFAULT_PAGE, LARGEST_PAGE

MOST_TOKENS = 2_000
DEEPEST = 10
MOST_ALIASES = 15
MOST_FIELDS = 2_000
COSTLIEST = 100_000
"""Rows times fields: a page of 100 conversations with 100 messages each, ten fields, fills it."""
MANY_BELOW = 10
"""How many of a nested list are expected; its limit is 100."""


class TooMuchAsked(Invalid):
    """A document that asks for more than one request may."""

    code = "query_too_large"


@dataclass(slots=True)
class _Measure:
    """What a document asks for, counted while it is walked."""

    fragments: dict[str, FragmentDefinitionNode]
    variables: dict[str, Any]
    aliases: int = 0
    fields: int = 0
    cost: int = 0

    def walk(self, selections: SelectionSetNode, depth: int, rows: int, spread: frozenset[str]) -> None:
        if depth > DEEPEST:
            raise TooMuchAsked(f"The query goes deeper than {DEEPEST} levels.")
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self.field(node, depth, rows, spread)
            elif isinstance(node, InlineFragmentNode):
                self.walk(node.selection_set, depth, rows, spread)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self.fragments.get(name)
                if name in spread:
                    raise TooMuchAsked(f"The fragment {name} contains itself.")
                if fragment is not None:
                    self.walk(fragment.selection_set, depth, rows, spread | {name})

    def field(self, node: FieldNode, depth: int, rows: int, spread: frozenset[str]) -> None:
        self.fields += 1
        self.aliases += node.alias is not None
        self.cost += rows
        if self.fields > MOST_FIELDS:
            raise TooMuchAsked(f"The query asks for more than {MOST_FIELDS} fields.")
        if self.aliases > MOST_ALIASES:
            raise TooMuchAsked(f"The query has more than {MOST_ALIASES} aliases.")
        if self.cost > COSTLIEST:
            raise TooMuchAsked(
                f"The query costs more than {COSTLIEST} (rows times fields); ask for fewer rows or fields at once."
            )
        if node.selection_set is not None and not node.name.value.startswith("__"):
            self.walk(node.selection_set, depth + 1, rows * self.size(node, depth), spread)

    def size(self, node: FieldNode, depth: int) -> int:
        """How many rows a field yields for each row above it."""
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value = argument.value
                asked = (
                    int(value.value) if isinstance(value, IntValueNode)
                    else self.variables.get(value.name.value) if isinstance(value, VariableNode)
                    else None
                )  # fmt: skip
                return max(asked, 1) if isinstance(asked, int) else LARGEST_PAGE
        return (_AT_THE_ROOT if depth == 1 else _BELOW).get(node.name.value, 1)


_AT_THE_ROOT: dict[str, int] = {}
_BELOW: dict[str, int] = {}


def learn(connections: list[str], nouns: list[str]) -> None:
    """Which fields are lists: connections at the root, and nouns that hang on others in numbers."""
    _AT_THE_ROOT.update(dict.fromkeys(connections, DEFAULT_PAGE))
    for noun in nouns:
        for name, item in view(noun).nested().items():
            if item.many:
                _BELOW[name] = MANY_BELOW


def check(document: DocumentNode, operation_name: str | None, variables: dict[str, Any]) -> OperationType:
    """Raises TooMuchAsked where the operation asks for more than one request may. Returns what sort of operation it is."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    chosen = [one for one in operations if operation_name in (None, one.name.value if one.name else None)]
    if len(chosen) != 1:
        raise Invalid(
            "Name one operation of the document with operationName.",
            errors=[("/operationName", "names none or several")],
        )
    _Measure(fragments, variables).walk(chosen[0].selection_set, 1, 1, frozenset())
    return chosen[0].operation
