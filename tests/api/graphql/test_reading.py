"""Reading by GraphQL: pages, selections, what hangs on a noun; and that rows are cut as graphql-core would complete them."""

import random
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLObjectType,
    get_named_type,
    is_object_type,
    parse,
)

from services.api import auth
from services.api.desk.desk import Desk
from services.api.graphql.executor import RowExecutor, is_row
from services.api.graphql.fields import Asked
from services.api.graphql.schema import schema
from shared.kit import ids
from shared.models.workspace import Role
from shared.store.reading import Slice
from tests.api.graphql.asking import asked, refused
from tests.api.world import World


async def test_a_page_goes_on_where_the_former_one_ended(world: World) -> None:
    channel = await world.a_channel()
    made = [str(await world.a_mention(channel, f"Outage {n}")) for n in range(5)]
    query = """query ($first: Int!, $after: String) {
        mentions(first: $first, after: $after) { edges { cursor node { id text } } pageInfo { hasNextPage endCursor } } }"""
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = (await asked(world, query, {"first": 2, "after": after}))["mentions"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == made[::-1]
    assert after is None
    first = (await asked(world, query, {"first": 5}))["mentions"]["edges"]
    after_second = (await asked(world, query, {"first": 5, "after": first[1]["cursor"]}))["mentions"]["edges"]
    assert [edge["node"]["id"] for edge in after_second] == made[::-1][2:]


async def test_filters_orders_and_what_is_wrong_with_them(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation(said="Outage in Gent")
    await world.a_mention(said="Lovely weather")
    query = "query ($f: MentionFilter) { mentions(filter: $f) { edges { node { id } } } }"
    found = await asked(world, query, {"f": {"q": "outage", "sentiment": "negative", "issue": "outage"}})
    assert [edge["node"]["id"] for edge in found["mentions"]["edges"]] == [str(mention_id)]
    wrong = await refused(world, query, {"f": {"from": "yesterday"}})
    assert (wrong["code"], wrong["status"], wrong["errors"][0]["pointer"]) == ("invalid", 422, "/filter/from")
    wrong = await refused(world, "{ mentions(first: 101) { edges { node { id } } } }")
    assert wrong["errors"][0]["pointer"] == "/first"
    wrong = await refused(world, '{ mentions(after: "x") { edges { node { id } } } }')
    assert wrong["errors"][0]["pointer"] == "/after"
    wrong = await refused(world, '{ mentions(order: "beauty") { edges { node { id } } } }')
    assert wrong["errors"][0]["pointer"] == "/order"
    ordered = await asked(world, '{ conversations(order: "queue") { edges { node { id } } } }')
    assert [edge["node"]["id"] for edge in ordered["conversations"]["edges"]] == [str(conversation_id)]


async def test_a_conversation_by_number_and_by_id_with_all_that_hangs_on_it(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    fields = """id number version author { handle } queue { name } replies { text state }
        messages { kind mention { id text author { handle } } reply { text } } clocks { metric target state } routing { kind }"""
    by_id = (await asked(world, f'{{ conversation(id: "{conversation_id}") {{ {fields} }} }}'))["conversation"]
    by_number = (await asked(world, f"{{ conversation(number: {by_id['number']}) {{ {fields} }} }}"))["conversation"]
    assert by_id == by_number
    assert [turn["kind"] for turn in by_id["messages"]] == ["inbound", "outbound"]
    assert by_id["messages"][0]["mention"]["id"] == str(mention_id)
    assert by_id["messages"][0]["reply"] is None
    assert by_id["replies"][0] == {"text": "Sorry!", "state": "queued"}
    assert {clock["metric"] for clock in by_id["clocks"]} >= {"first_response", "resolution"}
    assert all(clock["target"].startswith("P") for clock in by_id["clocks"])
    assert (await refused(world, "{ conversation { id } }"))["code"] == "invalid"


async def test_node_finds_anything_by_its_id(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    query = (
        "query ($id: ID!) { node(id: $id) { __typename id ... on Mention { text } ... on Conversation { subject } } }"
    )
    assert (await asked(world, query, {"id": str(mention_id)}))["node"] == {
        "__typename": "Mention", "id": str(mention_id), "text": "Outage again!",
    }  # fmt: skip
    assert (await asked(world, query, {"id": str(conversation_id)}))["node"]["subject"] == "Outage again!"
    for nothing in (str(ids.new_id()), "x", ""):
        assert (await asked(world, query, {"id": nothing}))["node"] is None


async def test_one_statement_a_root_field_and_only_what_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.a_conversation()
    said: list[str] = []
    real: Any = vars(asyncpg.Connection)["_execute"]

    async def listening(self: Any, query: str, *arguments: Any, **named: Any) -> Any:
        said.append(query)
        return await real(self, query, *arguments, **named)

    query = "{ mentions { edges { node { id author { handle } channel { name } corrections { note } } } } }"
    await asked(world, query)  # whose rows a connection shows is said on its first use
    monkeypatch.setattr(asyncpg.Connection, "_execute", listening)
    await asked(world, query)
    assert len(said) == 1, said
    assert "handle" in said[0]
    assert "assessment" not in said[0]
    assert "permalink" not in said[0]


async def test_what_is_read_without_being_a_noun(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    told = await asked(
        world,
        """query ($id: ID!) {
            clocks(conversation: $id) { metric instance state elapsed target policyVersion deadlineAt }
            explainClock(conversation: $id, metric: "first_response") { elapsed intervals { from to counted reason } }
            checkDraft(conversation: $id, input: {text: "Sorry!"})
            ledger { channel received stored }
            volume(group: "none") { at key count }
            sla { metric met running }
            workload { queues { name waiting } agents { name open } }
            validateQuery(text: "a AND (b")
            dryRunQuery(text: "outage", days: 2)
            events(first: 5) { nodes { type data } pageInfo { endCursor hasNextPage } }
            timeline(conversation: $id) { nodes { type } }
        }""",
        {"id": str(conversation_id)},
    )
    assert {clock["metric"] for clock in told["clocks"]} >= {"first_response"}
    assert told["explainClock"]["intervals"][0]["from"] < told["explainClock"]["intervals"][0]["to"]
    assert told["checkDraft"]["allowed"] is True
    assert told["volume"][0]["count"] == 1
    assert sum(queue["waiting"] for queue in told["workload"]["queues"]) == 1
    assert told["validateQuery"]["valid"] is False
    assert told["dryRunQuery"]["hits"] == 1
    assert (await refused(world, '{ events(after: "x") { nodes { id } } }'))["errors"][0]["pointer"] == "/after"
    missing = await refused(world, "query ($id: ID!) { clocks(conversation: $id) { id } }", {"id": str(ids.new_id())})
    assert (missing["code"], missing["status"]) == ("not_found", 404)
    assert (await refused(world, '{ volume(group: "year") { at } }'))["errors"][0]["pointer"] == "/group"


# ---- rows are cut as graphql-core completes them


def a_selection(chance: random.Random, type_: GraphQLObjectType, depth: int) -> Iterator[str]:
    """Some of a type's fields: aliased, in fragments, with directives, twice, with __typename."""
    names = [name for name in type_.fields if name != "node"]
    for name in sorted(chance.sample(names, min(len(names), chance.randint(1, 6)))):
        below = get_named_type(type_.fields[name].type)
        inner = ""
        if is_object_type(below):
            if depth == 0:
                continue
            inner = " { " + " ".join(a_selection(chance, below, depth - 1)) + " }"
        alias = f"{name}_{chance.randint(0, 9)}: " if chance.random() < 0.2 else ""
        directive = (
            chance.choice([" @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false)"])
            if chance.random() < 0.15
            else ""
        )
        field = f"{alias}{name}{directive}{inner}"
        if chance.random() < 0.15:
            field = f"... on {type_.name} {{ {field} }}"
        elif chance.random() < 0.1:
            field = f"... @include(if: true) {{ {field} }} {field}"
        yield field
    yield chance.choice(["__typename", "kept: __typename"])


async def test_rows_are_cut_as_graphql_core_completes_them(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    await world.post(f"/v1/conversations/{conversation_id}/notes", {"text": "Called back."})
    desk = await _desk(world)
    built = schema()
    for seed in range(40):
        chance = random.Random(seed)
        mentions, conversations = (
            " ".join(a_selection(chance, built.type_map[f"{noun}Connection"], 5)) for noun in ("Mention", "Conversation")  # type: ignore[arg-type]
        )  # fmt: skip
        text = (
            f"query ($yes: Boolean!) {{ a: mentions {{ edges {{ node {{ id }} }} {mentions} }} "
            f"b: conversations(first: 3) {{ {conversations} }} }}"
        )
        document = parse(text)
        for yes in (True, False):
            both = []
            for kind in (Executor, RowExecutor):
                more: dict[str, Any] = {"cuts": {}} if kind is RowExecutor else {}
                executor = kind.build(built, document, None, Asked(desk), {"yes": yes}, **more)
                assert isinstance(executor, Executor), executor
                result: Any = await executor.execute_operation()  # type: ignore[misc]
                assert isinstance(result, ExecutionResult)
                assert not result.errors, (text, result.errors)
                both.append(result.data or {})
            assert both[0] == both[1], text
            assert [*_keys(both[0])] == [*_keys(both[1])], text
            assert both[1]["a"]["edges"][0]["node"]["id"]


async def test_a_document_with_directives_asks_for_other_fields_each_time(world: World) -> None:
    _, mention_id = await world.a_conversation()
    query = """query ($id: ID!, $more: Boolean!) { mention(id: $id) { id text @include(if: $more) ...M @skip(if: $more) } }
        fragment M on Mention { kind }"""
    for more in (True, False, True):
        shown = (await asked(world, query, {"id": str(mention_id), "more": more}))["mention"]
        assert set(shown) == {"id", "text" if more else "kind"}
    for name, fields in (("A", {"id"}), ("B", {"text"}), ("A", {"id"})):
        two = f'query A {{ mention(id: "{mention_id}") {{ id }} }} query B {{ mention(id: "{mention_id}") {{ text }} }}'
        answer = await world.call("POST", "/graphql", {"query": two, "operationName": name})
        assert set(answer.json()["data"]["mention"]) == fields


def test_every_type_below_a_root_field_is_cut_and_not_resolved() -> None:
    built = schema()
    assert built.query_type is not None
    assert built.mutation_type is not None
    for root in (built.query_type, built.mutation_type):
        for name, field in root.fields.items():
            below = get_named_type(field.type)
            assert not is_object_type(below) or is_row(below), name
        assert not is_row(root)


async def test_a_row_that_lacks_what_the_schema_promises_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.a_mention()

    class Broken(Slice):
        pass

    real = Desk.page

    async def broken(self: Desk, *arguments: Any, **named: Any) -> Any:
        found = await real(self, *arguments, **named)
        return Broken(found.data.replace(b'"text":"', b'"text":null,"was":"'), None, found.order, found.keys)

    monkeypatch.setattr(Desk, "page", broken)
    wrong = await refused(world, "{ mentions { edges { node { text } } } }")
    assert wrong["code"] == "internal"
    assert "text" not in wrong["message"]


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


async def _desk(world: World) -> Desk:
    doorkeeper = world.client._transport.app.state.doorkeeper  # type: ignore[attr-defined]
    desk, _ = await doorkeeper.admit(f"Bearer {world.keys[Role.ADMIN]}", None, "test")
    return desk  # type: ignore[no-any-return]


async def test_a_noun_below_another_takes_the_right_to_read_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation_id, _ = await world.a_conversation()
    fewer = {**auth.ROLES, Role.ANALYST: auth.ROLES[Role.ANALYST] - {auth.Action.READ_REPLIES}}
    monkeypatch.setattr(auth, "ROLES", fewer)
    shown = "{ conversations { edges { node { id messages { reply { text } } } } } }"
    assert await asked(world, shown, role=Role.ANALYST)
    hidden = "{ conversations { edges { node { id replies { text } } } } }"
    assert (await refused(world, hidden, role=Role.ANALYST))["code"] == "forbidden"
    one = f'{{ conversation(id: "{conversation_id}") {{ replies {{ text }} }} }}'
    assert (await refused(world, one, role=Role.ANALYST))["code"] == "forbidden"
    assert await asked(world, hidden, role=Role.LEAD)
