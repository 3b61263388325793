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

Row = dict[str, Any]
Cut = Callable[[list[Row]], list[Row]]
"""Rows → what is shown of them."""
Cuts = dict[tuple[GraphQLObjectType, tuple[str, ...]], Cut]
"""How rows are cut, by their type and their place in a document."""


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


def _key(field: GraphQLField) -> str:
    """Under which key of a row a field stands."""
    return str(field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name)


class RowExecutor(Executor[Any]):
    """graphql-core's executor, that completes rows by itself: fragments, aliases, @skip, @include and __typename included.

    `cuts` are those that were made before for the same operation of the same document, where they do not depend on variables.
    """

    def __init__(self, *arguments: Any, cuts: Cuts, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._cuts = cuts

    def complete_object_value(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList, info: GraphQLResolveInfo[Any],
        path: Path, result: Any, position_context: Any,
    ) -> Any:  # fmt: skip
        """A row cut to the selection; anything else as graphql-core does it."""
        if not isinstance(result, dict) or not is_row(return_type):
            return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)
        place = return_type, tuple(part for part in path.as_list() if isinstance(part, str))
        cut = self._cuts.get(place)
        if cut is None:
            cut = self._cuts[place] = self._make_cut(return_type, field_details_list)
        return cut([result])[0]

    def _make_cut(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Cut:
        names: list[str] = []
        keys: list[str] = []
        fixed: dict[str, str] = {}
        needed: list[str] = []
        below: list[tuple[str, bool, Cut]] = []
        for name, group in self.collect_subfields(type_, details).grouped_field_set.items():
            asked = group[0].node.name.value
            if asked == "__typename":
                fixed[name] = type_.name
                continue
            field = type_.fields[asked]
            names.append(name)
            keys.append(_key(field))
            bare: Any = field.type
            if is_non_null_type(bare):
                needed.append(_key(field))
                bare = bare.of_type
            inner = get_named_type(bare)
            if is_object_type(inner):
                below.append((name, is_list_type(bare), self._make_cut(inner, group)))
        take, take_needed = _taker(keys), _taker(needed)
        order = list(self.collect_subfields(type_, details).grouped_field_set) if fixed else []

        def cut(rows: list[Row]) -> list[Row]:
            for row in rows:
                if None in take_needed(row):
                    raise TypeError(f"A {type_.name} lacks something that the schema says is there.")
            shown = [dict(zip(names, values, strict=False)) for values in map(take, rows)]
            for name, many, cut_below in below:
                _cut_below(shown, name, cut_below, many=many)
            return [{name: fixed.get(name, one.get(name)) for name in order} for one in shown] if fixed else shown

        return cut


def _cut_below(shown: list[Row], name: str, cut: Cut, *, many: bool) -> None:
    """Cuts the rows that hang on rows: all of a list at once, which is what makes it quick."""
    present = [one for one in shown if one[name] is not None]
    if many:
        for one in present:
            one[name] = cut(one[name])
        return
    for one, row in zip(present, cut([one[name] for one in present]), strict=True):
        one[name] = row


def _taker(keys: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    """What takes the values of these keys out of a row."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda row: tuple(row[key] for key in keys)
