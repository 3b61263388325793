"""Completing rows at the speed of a dictionary. Below a root field everything is finished JSON that SQL made, so nothing is
left to resolve: rows are cut to the selection, and graphql-core does the rest as always."""

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any

from graphql import (
    Executor,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema_converter import GraphQLCoreConverter

Cut = Callable[[dict[str, Any]], dict[str, Any]]
"""A row → what is shown of it."""


@cache
def is_row(type_: GraphQLObjectType) -> bool:
    """Whether a type is shown from rows alone: no field of it, nor of what hangs on it, is resolved or takes arguments."""
    return _plain(type_, frozenset())


def _plain(type_: GraphQLObjectType, above: frozenset[GraphQLObjectType]) -> bool:
    for field in type_.fields.values():
        if field.args or not getattr(field.resolve, "_is_default", False):
            return False
        below = get_named_type(field.type)
        if is_leaf_type(below) or below in above:
            continue
        if not is_object_type(below) or not _plain(below, above | {type_}):
            return False
    return True


@cache
def _key(field: GraphQLField) -> str:
    """Under which key of a row a field stands."""
    return str(field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name)


class RowExecutor(Executor[Any]):
    """graphql-core's executor, that completes rows by itself: fragments, aliases, @skip, @include and __typename included."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # By the identity of the field group, which graphql-core keeps alive for as long as this executor.
        self._cuts: dict[tuple[GraphQLObjectType, int], Cut] = {}

    def complete_object_value(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList, info: GraphQLResolveInfo[Any], path: Path,
        result: Any, position_context: Any,
    ) -> Any:  # fmt: skip
        """A row cut to the selection; anything else as graphql-core does it."""
        if isinstance(result, dict) and is_row(return_type):
            return self.cut(return_type, field_details_list)(result)
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def cut(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Cut:
        """How rows of a type are cut to what is selected of it. Made once for each place in the document."""
        known = self._cuts.get((type_, id(details)))
        if known is None:
            known = self._cuts[type_, id(details)] = self._make_cut(type_, details)
        return known

    def _make_cut(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Cut:
        template: dict[str, Any] = {}
        names, keys, needed = [], [], []
        inner: list[tuple[str, bool, Cut]] = []
        for name, group in self.collect_subfields(type_, details).grouped_field_set.items():
            asked = group[0].node.name.value
            if asked == "__typename":
                template[name] = type_.name
                continue
            field = type_.fields[asked]
            template[name] = None
            names.append(name)
            keys.append(_key(field))
            if is_non_null_type(field.type):
                needed.append((name, asked))
            below = get_named_type(field.type)
            if is_object_type(below):
                bare = field.type.of_type if is_non_null_type(field.type) else field.type
                inner.append((name, is_list_type(bare), self.cut(below, group)))
        plain = len(template) == len(names)

        def cut(row: dict[str, Any]) -> dict[str, Any]:
            values = take(row)
            if None in values:
                _complain(type_, needed, dict(zip(names, values, strict=True)))
            shown = (
                dict(zip(names, values, strict=True))
                if plain
                else {**template, **dict(zip(names, values, strict=True))}
            )
            for name, many, below in inner:
                value = shown[name]
                if value is not None:
                    shown[name] = [below(one) for one in value] if many else below(value)
            return shown

        take = _taker(keys)
        return cut


def _taker(keys: list[str]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """What takes the values of these keys out of a row."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda row: tuple(row[key] for key in keys)


def _complain(type_: GraphQLObjectType, needed: list[tuple[str, str]], shown: dict[str, Any]) -> None:
    """Raises where something is absent that the schema says is there: a mistake of ours, and clients rely on the schema."""
    for name, asked in needed:
        if shown[name] is None:
            raise TypeError(f"{type_.name}.{asked} is null and must not be")
