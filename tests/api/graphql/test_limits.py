"""How much one document may ask, with its fragments spread."""

import time
from typing import Any

import pytest
from graphql import parse, validate

from services.api.graphql import limits
from services.api.graphql.documents import Documents, Refused
from services.api.graphql.limits import TooMuchAsked
from services.api.graphql.schema import schema
from shared.kit.errors import Invalid, WebcareError
from tests.api.graphql.asking import refused
from tests.api.world import World
from tests.machine import slowness


def measured(text: str, variables: dict[str, Any] | None = None, operation: str | None = None) -> Any:
    """Measures a document that is valid otherwise."""
    node = parse(text)
    assert validate(schema(), node) == []
    return limits.check(node, operation, variables or {})


def test_a_usual_screen_fits() -> None:
    measured("{ conversations(first: 50) { edges { node { id messages { mention { author { handle } } } } } } }")
    measured("query { mentions(first: 100) { edges { node { id text author { handle } channel { name } } } } }")


def test_depth_counts_through_fragments() -> None:
    text = """query { conversations { edges { node { ...C } } } } fragment C on Conversation { messages { ...M } }
        fragment M on Message { mention { author { handle } } }"""
    measured(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "DEEPEST", 6)
        with pytest.raises(TooMuchAsked, match="deeper"):
            measured(text)
        patched.setattr(limits, "DEEPEST", 7)
        measured(text)


def test_aliases_count_through_fragments() -> None:
    spread = "query { " + " ".join(f"a{n}: brands {{ edges {{ node {{ ...B }} }} }}" for n in range(8)) + " } "
    fragment = "fragment B on Brand { one: name two: name }"
    with pytest.raises(TooMuchAsked, match="aliases"):
        measured(spread + fragment)
    measured("query { " + " ".join(f"a{n}: brands {{ edges {{ node {{ name }} }} }}" for n in range(15)) + " }")


def test_cost_is_rows_times_fields() -> None:
    names = (
        "id text kind lang title permalink publishedAt receivedAt visibility country corrections { id note finding }"
    )
    page = f"conversations(first: $n) {{ edges {{ node {{ messages {{ mention {{ {names} }} }} }} }} }}"
    measured(f"query ($n: Int) {{ {page} }}", {"n": 100})
    five = " ".join(f"a{n}: {page}" for n in range(5))
    measured(f"query ($n: Int) {{ {five} }}", {"n": 10})
    with pytest.raises(TooMuchAsked, match="costs"):
        measured(f"query ($n: Int) {{ {five} }}", {"n": 100})


def test_a_page_that_a_variable_leaves_open_counts_as_the_largest() -> None:
    text = "query ($n: Int = 100) { conversations(first: $n) { edges { node { messages { id } } } } }"
    node = parse(text)
    cheap = limits._Measure({}, {"n": 1})
    dear = limits._Measure({}, {})
    for measure in (cheap, dear):
        measure.walk(node.definitions[0].selection_set, 1, 1, frozenset())  # type: ignore[attr-defined]
    assert dear.cost > 50 * cheap.cost


def test_one_operation_is_chosen() -> None:
    with pytest.raises(Invalid, match="operationName"):
        measured("query A { __typename } query B { __typename }")
    measured("query A { __typename } query B { __typename }", operation="B")
    with pytest.raises(Invalid, match="operationName"):
        measured("query A { __typename }", operation="C")


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "__typename " * 2_001 + "}",
        "{ brands { edges { node { " + "name " * 5_000 + "} } } }",
        "{ brands(filter: " + "{" * 3_000 + "}" * 3_000 + ") { edges { node { id } } } }",
        "query { ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "query { ...A0 } " + " ".join(f"fragment A{n} on Query {{ ...A{n + 1} ...A{n + 1} ...A{n + 1} }}" for n in range(60))
        + " fragment A60 on Query { brands { edges { node { id } } } }",
        "{ " + " ".join(f"a{n}: brands {{ edges {{ node {{ name }} }} }}" for n in range(150)) + " }",
        "{ mentions { edges { node " + "{ ... on Mention " * 300 + "{ id }" + "}" * 300 + " } } }",
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        '{ brands(after: "' + "x" * 60_000 + '") { edges { node { id } } } }',
        "[" * 10_000,
    ],
    ids=["tokens", "fields", "braces", "circle", "bomb", "aliases", "inline", "introspection", "length", "brackets"],
)  # fmt: skip
def test_hostile_documents_are_refused_at_once(text: str) -> None:
    kept = Documents(schema())
    began = time.process_time()
    with pytest.raises((Refused, WebcareError)):
        limits.check(kept.read(text, None).node, None, {})
    assert time.process_time() - began < 2 * slowness(), "a refusal must cost little"


async def test_what_is_too_much_says_so(world: World) -> None:
    text = "{ " + " ".join(f"a{n}: brands {{ edges {{ node {{ name }} }} }}" for n in range(16)) + " }"
    wrong = await refused(world, text)
    assert (wrong["code"], wrong["status"]) == ("query_too_large", 422)
    assert "aliases" in wrong["message"]
