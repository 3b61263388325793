"""Looking ahead: which fields a query asks of a noun, so that one SQL statement reads just these."""

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode
from graphql.execution.values import get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from services.api.desk.desk import view
from services.api.graphql.objects import type_name
from shared.models.read_model import Nested, Selection

Asked = dict[str, "Asked | None"]


def selection_of(info: GraphQLResolveInfo, noun: str, *path: str) -> Selection:
    """What is asked of a noun that lies at `path` below the field being resolved (edges, node)."""
    sets = [node.selection_set for node in info.field_nodes if node.selection_set]
    for step in path:
        sets = [
            field.selection_set
            for one in sets
            for field in _fields(one, info, None)
            if field.name.value == step and field.selection_set
        ]
    return _asked(sets, info, noun)


def asks_for(info: GraphQLResolveInfo, *path: str) -> bool:
    """Whether a field at `path` below the one being resolved is asked for at all."""
    sets = [node.selection_set for node in info.field_nodes if node.selection_set]
    for n, step in enumerate(path):
        found = [field for one in sets for field in _fields(one, info, None) if field.name.value == step]
        if n == len(path) - 1:
            return bool(found)
        sets = [field.selection_set for field in found if field.selection_set]
    return False


def _asked(sets: list[SelectionSetNode], info: GraphQLResolveInfo, noun: str) -> Asked:
    model = view(noun)
    names = {_camel(name): name for name in model.fields}
    asked: Asked = {model.key: None}
    below: dict[str, list[SelectionSetNode]] = {}
    for one in sets:
        for field in _fields(one, info, type_name(noun)):
            name = names.get(field.name.value)
            if name is None:
                continue
            if field.selection_set:
                below.setdefault(name, []).append(field.selection_set)
            else:
                asked[name] = None
    for name, inner in below.items():
        item = model.fields[name]
        if isinstance(item, Nested):
            asked[name] = _asked(inner, info, item.noun)
    return asked


def _fields(one: SelectionSetNode, info: GraphQLResolveInfo, on: str | None) -> Iterator[FieldNode]:
    """The fields of a selection set with its fragments spread, those left out that @skip or @include leave out."""
    for node in one.selections:
        if not _included(node, info.variable_values):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            if _applies(node.type_condition.name.value if node.type_condition else None, on):
                yield from _fields(node.selection_set, info, on)
        elif isinstance(node, FragmentSpreadNode):
            fragment = info.fragments.get(node.name.value)
            if fragment is not None and _applies(fragment.type_condition.name.value, on):
                yield from _fields(fragment.selection_set, info, on)


def _applies(condition: str | None, on: str | None) -> bool:
    return condition is None or on is None or condition in (on, "Node")


def _included(node: Any, variables: Any) -> bool:
    values: Mapping[str, Any] = getattr(variables, "coerced", variables)
    skip = get_directive_values(GraphQLSkipDirective, node, variables if variables is not None else values)
    if skip and skip.get("if_", skip.get("if")):
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables if variables is not None else values)
    return not (include and include.get("if_", include.get("if")) is False)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
