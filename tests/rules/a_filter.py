"""Filters and rows by chance, for the tests that hold the evaluator, the SQL and the rules to each other."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from shared.rules.filter import OPS, FieldType

FIELDS: dict[str, FieldType] = {
    "subject": "text",
    "rating": "number",
    "score": "number",
    "followers": "number",
    "verified": "bool",
    "published_at": "timestamp",
    "queue_id": "uuid",
    "tags": "text[]",
}
# How a table would hold them: whole and exact numbers, and floating-point ones.
COLUMNS = {
    "subject": "text",
    "rating": "numeric",
    "score": "float8",
    "followers": "bigint",
    "verified": "boolean",
    "published_at": "timestamptz",
    "queue_id": "uuid",
    "tags": "text[]",
}

# Few values that often meet, with those that fold, sort or round in surprising ways.
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ÁÀ", "áà", "ß", "SS", "İstanbul", "istanbul", "ΣΑΣ", "σας", "ς", "%", "_", "a%b", "\\"]
    ),
    st.text(alphabet="aAbBéÉıIİσςΣ %_'\"\\$1ﬀǅⅧ", max_size=6),
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 0.1, 0.5, 2, 2.0, 1e-7, 10**15, 2**53 + 1, 2**63 - 1, -0.0, 0.30000000000000004]),
    st.integers(-5, 5),
    st.floats(-2, 2, allow_nan=False).filter(lambda number: not number or abs(number) > 1e-200),
)
TIMES = st.sampled_from(
    [
        datetime(2026, 11, 22, 9, tzinfo=UTC),
        datetime(2026, 11, 22, 9, 0, 0, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
    ]
)
IDS = st.sampled_from([UUID(int=0), UUID(int=1), UUID("019ab000-0000-7000-8000-000000000000")])

VALUES: dict[FieldType, st.SearchStrategy[object]] = {
    "text": TEXTS,
    "number": NUMBERS,
    "bool": st.booleans(),
    "timestamp": TIMES.map(lambda at: at.isoformat()),
    "uuid": IDS.map(str),
    "text[]": TEXTS,
}


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, object]:
    """One comparison as a caller writes it."""
    name = draw(st.sampled_from(sorted(FIELDS)))
    kind = FIELDS[name]
    op = draw(st.sampled_from(OPS[kind]))
    value: object
    if op == "exists":
        value = draw(st.booleans())
    elif op in {"in", "nin"}:
        value = draw(st.lists(st.one_of(st.none(), VALUES[kind]), max_size=4))
    elif op in {"eq", "ne"}:
        value = draw(st.one_of(st.none(), VALUES[kind]))
    else:
        value = draw(VALUES[kind])
    return {"field": name, "op": op, "value": value}


FILTERS: st.SearchStrategy[dict[str, object]] = st.recursive(
    st.one_of(st.just({}), comparisons()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)

ROWS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {
        "subject": st.none() | TEXTS,
        "rating": st.none() | st.decimals(-3, 3, places=2),
        "score": st.none() | st.floats() | st.sampled_from([0.1, 0.5, 1.0, 2.0**53 + 2]),
        "followers": st.none() | st.integers(-5, 5) | st.sampled_from([10**15, 2**53, 2**53 + 1, 2**63 - 1]),
        "verified": st.none() | st.booleans(),
        "published_at": st.none() | TIMES,
        "queue_id": st.none() | IDS,
        "tags": st.none() | st.lists(TEXTS, max_size=3),
    }
)
