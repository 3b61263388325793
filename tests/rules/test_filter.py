"""Filters: what they mean row by row, what is refused, and the SQL that says the same."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.errors import Invalid
from shared.rules import filter as filters
from shared.rules.filter import DEEPEST, EVERYTHING, OPS, FieldType, evaluate, parse
from shared.rules.filter_sql import SqlField, compile_sql
from tests.rules.a_filter import FIELDS, FILTERS, ROWS

NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
ROW: dict[str, Any] = {
    "subject": "Storing in Utrecht",
    "rating": Decimal("2.5"),
    "score": 0.1,
    "followers": 1200,
    "verified": False,
    "published_at": NINE,
    "queue_id": UUID(int=1),
    "tags": ["outage", "VIP"],
}


def holds(field: str, op: str, value: object, row: Mapping[str, Any] = ROW) -> bool:
    return evaluate(parse({"field": field, "op": op, "value": value}, FIELDS), row)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("subject", "eq", "Storing in Utrecht"),
        ("subject", "ne", "storing in utrecht"),
        ("subject", "in", ["x", "Storing in Utrecht"]),
        ("subject", "nin", ["x", None]),
        ("subject", "contains", "STORING"),
        ("subject", "contains", ""),
        ("subject", "exists", True),
        ("rating", "eq", 2.5),
        ("rating", "lt", 2.51),
        ("rating", "gte", 2.5),
        ("rating", "nin", []),
        ("score", "eq", 0.1),
        ("score", "lte", 0.1),
        ("followers", "gt", 1199.5),
        ("followers", "in", [1, 1200.0]),
        ("verified", "eq", False),
        ("verified", "ne", True),
        ("published_at", "eq", "2026-11-22T10:00:00+01:00"),
        ("published_at", "lt", "2026-11-22T09:00:00.000001Z"),
        ("published_at", "gte", NINE),
        ("queue_id", "eq", str(UUID(int=1)).upper()),
        ("queue_id", "in", [str(UUID(int=1))]),
        ("tags", "contains", "VIP"),
        ("tags", "in", ["x", "outage"]),
        ("tags", "nin", ["vip", None]),
        ("tags", "exists", True),
    ],
)
def test_what_holds(field: str, op: str, value: object) -> None:
    assert holds(field, op, value)
    opposite = {"not": {"field": field, "op": op, "value": value}}
    assert not evaluate(parse(opposite, FIELDS), ROW)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("subject", "eq", "storing in utrecht"),
        ("subject", "contains", "storing  in"),
        ("subject", "contains", "%"),
        ("rating", "in", []),
        ("rating", "gt", 2.5),
        ("verified", "in", [True]),
        ("published_at", "gt", "2026-11-22T09:00:00Z"),
        ("queue_id", "nin", [str(UUID(int=1))]),
        ("tags", "contains", "vip"),
        ("tags", "contains", "out"),
        ("tags", "in", ["x", None]),
    ],
)
def test_what_does_not(field: str, op: str, value: object) -> None:
    assert not holds(field, op, value)


SOME: dict[FieldType, object] = {
    "text": "a",
    "number": 1,
    "bool": True,
    "timestamp": "2026-11-22T09:00:00Z",
    "uuid": str(UUID(int=1)),
    "text[]": "a",
}


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize("row", [{}, dict.fromkeys(FIELDS)], ids=["missing", "null"])
def test_null_is_two_valued(field: str, row: dict[str, Any]) -> None:
    kind = FIELDS[field]
    for op in OPS[kind]:
        value = True if op == "exists" else [SOME[kind]] if op in {"in", "nin"} else SOME[kind]
        assert holds(field, op, value, row) is (op in {"ne", "nin"}), op
    assert holds(field, "exists", False, row)
    assert holds(field, "in", [None], row)
    assert not holds(field, "nin", [SOME[kind], None], row)
    if "eq" in OPS[kind]:
        assert holds(field, "eq", None, row)
        assert not holds(field, "ne", None, row)
        assert holds(field, "ne", None, ROW)


def test_empty_is_not_null() -> None:
    empty = ROW | {"subject": "", "tags": []}
    assert holds("subject", "exists", True, empty)
    assert holds("tags", "exists", True, empty)
    assert not holds("tags", "in", [None], empty)
    assert holds("tags", "nin", ["a"], empty)


def test_joining() -> None:
    yes, no = {"field": "rating", "op": "lt", "value": 3}, {"field": "rating", "op": "gt", "value": 3}

    def joined(**written: object) -> bool:
        return evaluate(parse(written, FIELDS), ROW)

    assert evaluate(parse({}, FIELDS), {})
    assert parse({}, FIELDS) == EVERYTHING
    assert joined(all=[yes, yes])
    assert not joined(all=[yes, no])
    assert joined(all=[])
    assert joined(any=[no, yes])
    assert not joined(any=[no, no])
    assert not joined(any=[])
    assert joined(any=[{}])
    assert evaluate(parse({"not": {"all": [yes, {"not": yes}]}}, FIELDS), ROW)


def test_rows_may_be_json() -> None:
    row = {"published_at": "2026-11-22T09:00:00.000Z", "queue_id": str(UUID(int=1)), "rating": 2, "followers": 1.0}
    assert holds("published_at", "eq", "2026-11-22T09:00:00Z", row)
    assert holds("queue_id", "eq", str(UUID(int=1)), row)
    assert holds("rating", "lt", 2.5, row)
    assert holds("followers", "eq", 1, row)


def test_dotted_fields_look_into_nested_rows() -> None:
    where = parse({"field": "author.followers", "op": "gt", "value": 10}, {"author.followers": "number"})
    assert evaluate(where, {"author": {"followers": 11}})
    assert evaluate(where, {"author.followers": 11})
    assert not evaluate(where, {"author": None})
    assert not evaluate(where, {})


def test_numbers_compare_exactly_and_floats_as_floats() -> None:
    assert not holds("followers", "eq", 2**53, {"followers": 2**53 + 1})
    assert holds("score", "eq", 2**53 + 1, {"score": float(2**53)})
    assert holds("rating", "eq", 0.1, {"rating": Decimal("0.1")})
    assert not holds("rating", "eq", 0.1, {"rating": Decimal("0.1000000000000000055511151231257827")})
    nothing = {"score": math.nan}  # Postgres: greater than every number, equal to none of them
    assert holds("score", "gt", 1e59, nothing)
    assert holds("score", "ne", 1, nothing)
    assert not holds("score", "lte", 1e59, nothing)


@pytest.mark.parametrize(("text", "part"), [("İstanbul", "istanbul"), ("ΟΔΟΣ", "οδοσ"), ("ÉÉN", "één"), ("ǅ", "ǆ")])
def test_case_is_folded_letter_by_letter(text: str, part: str) -> None:
    assert holds("subject", "contains", part, {"subject": text})
    assert holds("subject", "contains", text, {"subject": part})
    assert len(filters.fold(text)) == len(text)


def test_sharp_s_is_not_two_letters_here() -> None:
    assert not holds("subject", "contains", "ss", {"subject": "straße"})


@pytest.mark.parametrize(
    "row", [{"rating": "2"}, {"verified": 1}, {"published_at": "soon"}, {"queue_id": 7}, {"tags": "a"}, {"subject": 1}]
)
def test_a_row_of_the_wrong_type_is_a_mistake_of_ours(row: dict[str, Any]) -> None:
    ((field, _),) = row.items()
    kind = FIELDS[field]
    with pytest.raises(TypeError, match=field):
        holds(field, "contains" if kind == "text[]" else "eq", SOME[kind], row)


@pytest.mark.parametrize(
    ("written", "pointer", "says"),
    [
        ([], "", "as an object"),
        (None, "", "as an object"),
        ({"all": {}}, "/all", "list of filters"),
        ({"all": [], "any": []}, "", "one of all, any, not"),
        ({"And": []}, "", "one of all, any, not"),
        ({"not": [{}]}, "/not", "as an object"),
        ({"any": [{}, {"all": [3]}]}, "/any/1/all/0", "as an object"),
        ({"field": "subjekt", "op": "eq", "value": "x"}, "/field", "Did you mean subject?"),
        ({"field": "zzz", "op": "eq", "value": "x"}, "/field", "Fields are"),
        ({"field": ["subject"], "op": "eq", "value": "x"}, "/field", "no field"),
        ({"op": "eq", "value": "x"}, "/field", "no field"),
        ({"field": "subject", "op": "like", "value": "x"}, "/op", "no op 'like'"),
        ({"field": "subject", "op": ["eq"], "value": "x"}, "/op", "no op"),
        ({"field": "subject", "op": "lt", "value": "x"}, "/op", "lt cannot be asked of text"),
        ({"field": "tags", "op": "eq", "value": "x"}, "/op", "contains"),
        ({"field": "subject", "op": "eq"}, "", "Give a value"),
        ({"field": "subject", "op": "eq", "value": "x", "case": 1}, "", "has no 'case'"),
        ({"field": "subject", "op": "eq", "value": 3}, "/value", "a text"),
        ({"field": "subject", "op": "eq", "value": "a\0b"}, "/value", "without NUL"),
        ({"field": "subject", "op": "eq", "value": "\ud800"}, "/value", "a text"),
        ({"field": "subject", "op": "contains", "value": None}, "/value", "exists"),
        ({"field": "rating", "op": "eq", "value": True}, "/value", "a finite number"),
        ({"field": "rating", "op": "eq", "value": "3"}, "/value", "a finite number"),
        ({"field": "rating", "op": "lt", "value": math.nan}, "/value", "a finite number"),
        ({"field": "rating", "op": "lt", "value": math.inf}, "/value", "a finite number"),
        ({"field": "rating", "op": "lt", "value": 10**5000}, "/value", "a finite number"),
        ({"field": "rating", "op": "lt", "value": 1e-310}, "/value", "a finite number"),
        ({"field": "verified", "op": "eq", "value": 1}, "/value", "true or false"),
        ({"field": "published_at", "op": "lt", "value": "2026-11-22"}, "/value", "with its zone"),
        ({"field": "published_at", "op": "lt", "value": "2026-11-22T09:00:00"}, "/value", "with its zone"),
        ({"field": "published_at", "op": "lt", "value": "0001-01-01T00:00:00+14:00"}, "/value", "with its zone"),
        ({"field": "queue_id", "op": "eq", "value": "7"}, "/value", "UUID"),
        ({"field": "subject", "op": "exists", "value": "yes"}, "/value", "true or false"),
        ({"field": "subject", "op": "in", "value": "x"}, "/value", "a list"),
        ({"field": "subject", "op": "in", "value": ["x", 3]}, "/value/1", "a text"),
        ({"field": "subject", "op": "in", "value": ["x"] * 1001}, "/value", "1,000"),
    ],
)
def test_says_what_is_wrong_and_where(written: object, pointer: str, says: str) -> None:
    ((place, sentence),) = filters.problems(written, FIELDS)
    assert place == pointer
    assert says in sentence
    with pytest.raises(Invalid):
        parse(written, FIELDS)


def test_depth_and_size_have_limits() -> None:
    deep: dict[str, object] = {}
    for _ in range(DEEPEST + 1):
        deep = {"not": deep}
    assert [place for place, _ in filters.problems(deep, FIELDS)] == ["/not" * (DEEPEST + 1)]
    assert filters.problems(deep["not"], FIELDS) == []
    one = {"field": "rating", "op": "eq", "value": 1}
    assert filters.problems({"any": [one] * 500}, FIELDS) == []
    assert [place for place, _ in filters.problems({"any": [one] * 501}, FIELDS)] == ["/any/500"]


def test_fields_of() -> None:
    where = {
        "all": [
            {"not": {"field": "rating", "op": "eq", "value": 1}},
            {"any": [{"field": "tags", "op": "in", "value": []}, {}]},
        ]
    }
    assert filters.fields_of(parse(where, FIELDS)) == {"rating", "tags"}
    assert filters.fields_of(EVERYTHING) == frozenset()


@given(FILTERS, FILTERS, ROWS)
def test_laws_of_joining(one: dict[str, object], other: dict[str, object], row: dict[str, Any]) -> None:
    def says(written: object) -> bool:
        return evaluate(parse(written, FIELDS), row)

    assert says({"not": one}) is not says(one)
    assert says({"all": [one, other]}) is (says(one) and says(other))
    assert says({"not": {"any": [one, other]}}) is says({"all": [{"not": one}, {"not": other}]})


# ------------------------------------------------ SQL

COLUMNS = {name: SqlField(f"c.{name}", kind) for name, kind in FIELDS.items()}


def sql(written: object, first: int = 1) -> tuple[str, list[object]]:
    return compile_sql(parse(written, FIELDS), COLUMNS, first=first)


def test_sql_of_each_kind() -> None:
    assert sql({}) == ("TRUE", [])
    assert sql({"any": []}) == ("FALSE", [])
    assert sql({"field": "rating", "op": "lt", "value": 3}) == (
        "(c.rating IS NOT NULL AND c.rating < $1::numeric)",
        [Decimal(3)],
    )
    assert sql({"field": "subject", "op": "ne", "value": "x"}, 4) == (
        "(c.subject IS NULL OR c.subject <> $4::text)",
        ["x"],
    )
    assert sql({"field": "subject", "op": "eq", "value": None}) == ("(c.subject IS NULL)", [])
    assert sql({"field": "subject", "op": "exists", "value": True}) == ("(c.subject IS NOT NULL)", [])
    assert sql({"field": "tags", "op": "contains", "value": "x"}) == (
        "(c.tags IS NOT NULL AND c.tags @> ARRAY[$1::text])",
        ["x"],
    )
    assert sql({"field": "queue_id", "op": "nin", "value": [str(UUID(int=1)), None]}) == (
        "(NOT (c.queue_id IS NULL OR c.queue_id = ANY($1::uuid[])))",
        [[UUID(int=1)]],
    )
    assert sql(
        {
            "not": {
                "all": [
                    {"field": "verified", "op": "eq", "value": True},
                    {"field": "published_at", "op": "gt", "value": NINE},
                ]
            }
        }
    ) == (
        (
            "(NOT ((c.verified IS NOT NULL AND c.verified = $1::boolean)"
            " AND (c.published_at IS NOT NULL AND c.published_at > $2::timestamptz)))"
        ),
        [True, NINE],
    )


@given(FILTERS, st.integers(1, 50))
def test_sql_never_holds_a_value(written: dict[str, object], first: int) -> None:
    """Only our own words, columns and placeholders, numbered without a gap: there is nothing to inject into."""
    condition, values = sql(written, first)
    numbers = [int(word.split(":")[0].rstrip(")")) for word in condition.split("$")[1:]]
    # a fold names its placeholder once
    assert numbers == list(range(first, first + len(values)))
    assert "'" not in condition
    assert condition.count("(") == condition.count(")")


def test_a_field_without_its_column_is_a_mistake_of_ours() -> None:
    where = parse({"field": "rating", "op": "eq", "value": 1}, FIELDS)
    with pytest.raises(LookupError, match="rating"):
        compile_sql(where, {})
    with pytest.raises(LookupError, match="rating"):
        compile_sql(where, {"rating": SqlField("c.rating", "text")})
