"""Looking ahead: which fields a query asks of a noun, so that one SQL statement reads just these."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode
from graphql.execution.values import get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from services.api.desk.desk import view
from services.api.graphql.objects import camel, type_name
from shared.models.read_model import Nested, ReadModel, Selection

Raw = GraphQLResolveInfo[Any]
_Chosen = dict[str, "_Chosen | None"]


def selection_of(info: Raw, noun: str, *path: str) -> Selection:
    """What is asked of a noun that lies at `path` below the field being resolved (edges, node)."""
    return _chosen(_at(info, path), info, noun)


def asks_for(info: Raw, *path: str) -> bool:
    """Whether a field at `path` below the one being resolved is asked for at all."""
    *above, last = path
    return any(field.name.value == last for one in _at(info, above) for field in _fields(one, info, None))


def _at(info: Raw, path: Any) -> list[SelectionSetNode]:
    sets = [node.selection_set for node in info.field_nodes if node.selection_set]
    for step in path:
        sets = [
            field.selection_set
            for one in sets
            for field in _fields(one, info, None)
            if field.name.value == step and field.selection_set
        ]
    return sets


@cache
def _names(noun: str) -> tuple[ReadModel, dict[str, str]]:
    model = view(noun)
    return model, {camel(name): name for name in model.fields}


def _chosen(sets: list[SelectionSetNode], info: Raw, noun: str) -> _Chosen:
    model, names = _names(noun)
    chosen: _Chosen = {model.key: None} if model.key in model.fields else {}
    below: dict[str, list[SelectionSetNode]] = {}
    for one in sets:
        for field in _fields(one, info, type_name(noun)):
            name = names.get(field.name.value)
            if name is None:
                continue
            if field.selection_set:
                below.setdefault(name, []).append(field.selection_set)
            else:
                chosen[name] = None
    for name, inner in below.items():
        item = model.fields[name]
        if isinstance(item, Nested):
            chosen[name] = _chosen(inner, info, item.noun)
    return chosen


def _fields(one: SelectionSetNode, info: Raw, on: str | None) -> Iterator[FieldNode]:
    """The fields of a selection set with its fragments spread, those left out that @skip or @include leave out."""
    for node in one.selections:
        if node.directives and not _included(node, info):
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


def _included(node: Any, info: Raw) -> bool:
    variables: Any = info.variable_values
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    skipped = bool(skip) and bool(_condition(skip))
    return not skipped and (not include or bool(_condition(include)))


def _condition(values: Any) -> Any:
    return values.get("if_", values.get("if"))
