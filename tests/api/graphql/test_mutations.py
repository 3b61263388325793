"""Writing by GraphQL: read back in the same transaction, once by its key, refused at an older version, secrets told once."""

import asyncio
from typing import Any

import pytest

from services.api.desk.desk import Desk
from services.api.graphql import answers, mutations
from shared.kit import ids
from shared.models.workspace import Role
from shared.store import idempotency
from tests.api.graphql.asking import answered, asked, refused
from tests.api.world import World

MAKE = """mutation ($input: CreateBrandInput!, $key: String) {
    createBrand(input: $input, idempotencyKey: $key) { id name handles aliases } }"""


async def test_a_noun_is_made_changed_and_taken_away(world: World) -> None:
    made = (await asked(world, MAKE, {"input": {"name": "Northwind", "handles": ["@NorthWind"]}}))["createBrand"]
    assert (made["name"], made["handles"], made["aliases"]) == ("Northwind", ["northwind"], [])
    change = "mutation ($id: ID!, $input: ChangeBrandInput!) { changeBrand(id: $id, input: $input) { name handles aliases } }"
    changed = (await asked(world, change, {"id": made["id"], "input": {"aliases": ["nw"]}}))["changeBrand"]
    assert changed == {"name": "Northwind", "handles": ["northwind"], "aliases": ["nw"]}
    remove = "mutation ($id: ID!) { removeBrand(id: $id) }"
    assert (await asked(world, remove, {"id": made["id"]}))["removeBrand"] == made["id"]
    assert (await asked(world, "query ($id: ID!) { brand(id: $id) { id } }", {"id": made["id"]}))["brand"] is None
    again = await refused(world, remove, {"id": made["id"]})
    assert (again["code"], again["status"]) == ("not_found", 404)


async def test_what_is_wrong_is_said_by_place(world: World) -> None:
    wrong = await refused(world, MAKE, {"input": {"name": " ", "aliases": ["ok", ""]}})
    assert wrong["code"] == "invalid"
    assert {one["pointer"] for one in wrong["errors"]} == {"/input/aliases/1", "/input/name"}
    query = 'mutation { createQuery(input: {name: "x", text: "a AND (b"}) { id } }'
    wrong = await refused(world, query)
    assert (wrong["code"], wrong["errors"][0]["pointer"]) == ("query_syntax", "/input/text")
    taken = {"input": {"name": "Northwind"}}
    await asked(world, MAKE, taken)
    assert (await refused(world, MAKE, taken))["code"] == "already_exists"
    assign = "mutation ($id: ID!, $agent: ID) { assignConversation(id: $id, input: {agentId: $agent}) { id } }"
    conversation_id, _ = await world.a_conversation()
    wrong = await refused(world, assign, {"id": str(conversation_id), "agent": str(ids.new_id())})
    assert wrong["errors"][0]["pointer"] == "/input/agentId"


async def test_mutations_run_in_order_and_one_that_is_refused_undoes_only_itself(world: World) -> None:
    told = await answered(
        world,
        """mutation { a: createTeam(input: {name: "Day"}) { id } b: createTeam(input: {name: "Day"}) { id }
            c: createTeam(input: {name: "Night"}) { id name } }""",
    )
    assert told["data"]["a"]["id"]
    assert told["data"]["b"] is None
    assert told["data"]["c"]["name"] == "Night"
    assert [(one["path"], one["extensions"]["code"]) for one in told["errors"]] == [(["b"], "already_exists")]
    teams = (await asked(world, "{ teams { edges { node { name } } } }"))["teams"]["edges"]
    assert [edge["node"]["name"] for edge in teams] == ["Day", "Night"]


async def test_a_key_makes_it_happen_once(world: World) -> None:
    variables = {"input": {"name": "Northwind"}, "key": "k-1"}
    first = await answered(world, MAKE, variables)
    answer = await world.call("POST", "/graphql", {"query": MAKE, "variables": variables})
    again = answer.json()
    assert again["data"] == first["data"]
    assert again["extensions"] == {"idempotentReplayed": ["createBrand"]}
    assert answer.headers["idempotent-replayed"] == "true"
    assert "extensions" not in first
    other = await refused(world, MAKE, {"input": {"name": "Southwind"}, "key": "k-1"})
    assert (other["code"], other["status"]) == ("idempotency_key_reused", 422)
    fewer = 'mutation { createBrand(input: {name: "Northwind"}, idempotencyKey: "k-1") { id } }'
    assert (await refused(world, fewer))["code"] == "idempotency_key_reused"
    assert len((await asked(world, "{ brands { edges { node { id } } } }"))["brands"]["edges"]) == 1
    assert (await refused(world, MAKE, {"input": {"name": "x"}, "key": "no spaces"}))["code"] == "invalid"


async def test_what_was_refused_under_a_key_may_come_again(world: World) -> None:
    assert (await refused(world, MAKE, {"input": {"name": ""}, "key": "k-2"}))["code"] == "invalid"
    assert (await asked(world, MAKE, {"input": {"name": "Northwind"}, "key": "k-2"}))["createBrand"][
        "name"
    ] == "Northwind"


async def test_two_at_once_under_one_key_make_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real, told = mutations._do, asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        await told.wait()
        return await real(*arguments)

    monkeypatch.setattr(mutations, "_do", slowly)
    variables = {"input": {"name": "Northwind"}, "key": "k-3"}
    running = [asyncio.create_task(answered(world, MAKE, variables)) for _ in range(2)]
    await asyncio.wait(running, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    told.set()
    both = await asyncio.gather(*running)
    codes = [one["errors"][0]["extensions"]["code"] for one in both if "errors" in one]
    assert codes == ["idempotency_key_running"]
    assert len((await asked(world, "{ brands { edges { node { id } } } }"))["brands"]["edges"]) == 1


async def test_a_secret_is_told_once_and_never_kept(world: World) -> None:
    query = """mutation { createApiKey(input: {name: "CRM", role: "analyst"}, idempotencyKey: "k-4") {
        key apiKey { id prefix role } } }"""
    made = (await asked(world, query))["createApiKey"]
    assert made["key"].startswith("wc_live_")
    assert made["apiKey"]["prefix"] == made["key"][:16]
    assert (await world.call("GET", "/v1/brands", key=made["key"])).status_code == 200
    again = (await answered(world, query))["data"]["createApiKey"]
    assert again == {"key": None, "apiKey": made["apiKey"]}
    async with world.database.read(world.workspace_id) as connection:
        admin = (await asked(world, "{ apiKeys { edges { node { id role name } } } }"))["apiKeys"]["edges"]
        mine = next(edge["node"]["id"] for edge in admin if edge["node"]["role"] == "admin")
        kept = await idempotency.find(connection, world.workspace_id, ids.parse_id(mine), "k-4")  # type: ignore[arg-type]
    assert kept is not None
    assert kept.body is not None
    assert made["key"].encode() not in bytes(kept.body)
    endpoint = """mutation { createWebhookEndpoint(input: {url: "http://127.0.0.1:9/", eventTypes: ["*"]}) {
        secret webhookEndpoint { id } } }"""
    made = (await asked(world, endpoint))["createWebhookEndpoint"]
    rotate = "mutation ($id: ID!) { rotateWebhookSecret(id: $id) { secret } }"
    rotated = (await asked(world, rotate, {"id": made["webhookEndpoint"]["id"]}))["rotateWebhookSecret"]
    assert made["secret"].startswith("whsec_")
    assert rotated["secret"] not in (None, made["secret"])


async def test_an_older_version_is_refused(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    seen = (await asked(world, f'{{ conversation(id: "{conversation_id}") {{ version }} }}'))["conversation"]["version"]
    change = """mutation ($id: ID!, $v: Int!) {
        changeConversation(id: $id, version: $v, input: {priority: "high"}) { priority version } }"""
    changed = (await asked(world, change, {"id": str(conversation_id), "v": seen}))["changeConversation"]
    assert changed["priority"] == "high"
    assert changed["version"] > seen
    stale = await refused(world, change, {"id": str(conversation_id), "v": seen})
    assert (stale["code"], stale["status"]) == ("stale_version", 412)
    resolve = "mutation ($id: ID!, $v: Int) { resolveConversation(id: $id, version: $v) { status } }"
    assert (await refused(world, resolve, {"id": str(conversation_id), "v": seen}))["code"] == "stale_version"
    assert (await asked(world, resolve, {"id": str(conversation_id)}))["resolveConversation"]["status"] == "resolved"


async def test_a_conversation_is_worked_on(world: World) -> None:
    conversation_id, mention_id = await world.a_conversation()
    assert world.agent is not None
    queues = (await asked(world, "{ queues { edges { node { id name } } } }"))["queues"]["edges"]
    taken = None
    for edge in queues:
        query = "mutation ($id: ID!) { nextInQueue(id: $id) { id assignee { name } } }"
        taken = (await asked(world, query, {"id": edge["node"]["id"]}, role=Role.AGENT))["nextInQueue"] or taken
    assert taken == {"id": str(conversation_id), "assignee": {"name": "Jo Doe"}}
    given = {"id": str(conversation_id)}
    note = await asked(world, 'mutation ($id: ID!) { addNote(id: $id, input: {text: "hm"}) { kind text } }', given)
    assert note["addNote"] == {"kind": "note", "text": "hm"}
    query = "mutation ($id: ID!, $text: String!) { createReply(id: $id, input: {text: $text}) { state visibility } }"
    assert (await asked(world, query, {**given, "text": "Sorry!"}))["createReply"] == {
        "state": "queued",
        "visibility": "public",
    }
    long = await refused(world, query, {**given, "text": "x" * 61})
    assert (long["code"], long["errors"][0]["pointer"]) == ("reply_too_long", "/input/text")
    query = """mutation ($id: ID!) { correctMention(id: $id, input: {finding: "sentiment", value: "positive"}) {
        sentiment findings corrections { finding } } }"""
    corrected = (await asked(world, query, {"id": str(mention_id)}))["correctMention"]
    assert corrected["sentiment"] == "positive"
    assert corrected["corrections"] == [{"finding": "sentiment"}]
    query = """mutation ($ids: [ID!]!) {
        actOnMany(input: {action: "resolve", conversationIds: $ids}) { done refused results { ok code } } }"""
    many = (await asked(world, query, {"ids": [str(conversation_id), str(ids.new_id())]}))["actOnMany"]
    assert (many["done"], many["refused"]) == (1, 1)
    assert sorted(many["results"], key=lambda one: one["ok"]) == [
        {"ok": False, "code": "not_found"},
        {"ok": True, "code": None},
    ]


async def test_a_mutation_that_takes_too_long_is_undone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> bytes:
        await asyncio.sleep(30)
        raise AssertionError("nobody waits that long")

    with monkeypatch.context() as slow:
        slow.setattr(answers, "TIME_OUT_S", 0.2)
        slow.setattr(Desk, "one", never)  # what was made is read back before the end of its transaction
        query = 'mutation { createTeam(input: {name: "Day"}, idempotencyKey: "k-5") { id } }'
        late = await refused(world, query)
    assert (late["code"], late["status"]) == ("timed_out", 503)
    assert (await asked(world, "{ teams { edges { node { id } } } }"))["teams"]["edges"] == []
    assert (await asked(world, query))["createTeam"]["id"]
