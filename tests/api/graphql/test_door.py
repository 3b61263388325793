"""The GraphQL door over HTTP: who is let in, what is read of a body, what errors look like, GraphiQL in a browser."""

import asyncio
import hashlib
import re
from typing import Any

import httpx
import orjson
import pytest

from services.api.desk.desk import Desk
from services.api.graphql import answers, documents
from services.api.graphql.documents import Documents
from services.api.graphql.schema import schema
from shared.models.workspace import Role
from tests.api.graphql.asking import answered, asked, refused
from tests.api.world import World

QUERY = "{ brands { edges { node { id name } } } }"


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_who_is_not_known_is_told_so_by_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": QUERY})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"content-type": "text/plain"}, b'{"query": "{ brands { edges { node { id } } } }"}', 415, "unsupported_media_type"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"query={brands}", 415, "unsupported_media_type"),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x--", 415, "unsupported_media_type"),
        ({}, b'{"query": "{ brands { edges { node { id } } } }"}', 415, "unsupported_media_type"),
        ({"content-type": "application/json"}, b"{", 400, "malformed"),
        ({"content-type": "application/json"}, b'"x"', 400, "malformed"),
        ({"content-type": "application/json"}, b"{}", 400, "malformed"),
        ({"content-type": "application/json"}, b'[{"query": "{ __typename }"}, {"query": "{ __typename }"}]', 400, "malformed"),
        ({"content-type": "application/json"}, b'{"query": 1}', 422, "invalid"),
        ({"content-type": "application/json"}, b'{"query": "{ __typename }", "variables": []}', 422, "invalid"),
    ],
)  # fmt: skip
async def test_what_is_no_request(world: World, headers: dict[str, str], body: bytes, status: int, code: str) -> None:
    answer = await world.call("POST", "/graphql", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_a_get_asks_nothing(world: World) -> None:
    answer = await world.call("GET", f"/graphql?query={QUERY}")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    mutation = 'mutation{createTeam(input:{name:"x"}){id}}'
    await world.call("GET", f"/graphql?query={mutation}", headers={"accept": "text/html"})
    assert (await asked(world, "{ teams { edges { node { id } } } }"))["teams"]["edges"] == []


async def test_answers_carry_the_limits_and_the_request_id(world: World) -> None:
    answer = await world.call("POST", "/graphql", {"query": "{ nope }"}, headers={"x-request-id": "r-1"})
    assert answer.headers["ratelimit"]
    assert answer.headers["ratelimit-policy"]
    assert answer.headers["x-request-id"] == "r-1"
    assert answer.json()["errors"][0]["extensions"]["request_id"] == "r-1"


async def test_errors_have_codes_and_places_and_suggest_nothing(world: World) -> None:
    wrong = await refused(world, "{ brandz { edges { node { id } } } }")
    assert (wrong["code"], wrong["status"]) == ("invalid", 422)
    assert "Did you mean" not in wrong["message"]
    wrong = await refused(world, "{ brands { edges ")
    assert (wrong["code"], wrong["status"]) == ("malformed", 400)
    wrong = await refused(world, "query ($n: Int!) { brands(first: $n) { edges { node { id } } } }", {"n": "x"})
    assert wrong["code"] == "invalid"
    assert "$n" in wrong["message"]
    wrong = await refused(world, "query A { __typename } query B { __typename }")
    assert wrong["errors"][0]["pointer"] == "/operationName"
    told = await answered(world, "query ($i: CreateBrandInput!) { __typename }", {"i": {}})
    assert "Did you mean" not in str(told)


async def test_the_status_is_said_to_clients_that_ask_for_graphqls_own_media_type(world: World) -> None:
    accept = {"accept": "application/graphql-response+json, application/json;q=0.9"}
    for query, status in (("{ nope }", 422), ("{", 400), ("{ __typename }", 200), (QUERY, 200)):
        answer = await world.call("POST", "/graphql", {"query": query}, headers=accept)
        assert answer.headers["content-type"] == "application/graphql-response+json"
        assert answer.status_code == (400 if query == "{ nope }" else status)
        assert (await world.call("POST", "/graphql", {"query": query})).status_code == 200


async def test_what_we_did_not_foresee_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(Desk, "page", broken)
    told = await answered(world, QUERY + " ", headers={"x-request-id": "r-2"})
    assert told["data"] == {"brands": None}
    (error,) = told["errors"]
    assert error["extensions"]["code"] == "internal"
    assert error["extensions"]["request_id"] == "r-2"
    assert "hunter2" not in orjson.dumps(told).decode()
    assert "Runtime" not in orjson.dumps(told).decode()


async def test_what_takes_too_long_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any, **__: Any) -> Any:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    monkeypatch.setattr(Desk, "page", slow)
    for seconds in (0.1, 1.0, 10.0):  # on a busy machine the first may end before it gets there
        monkeypatch.setattr(answers, "TIME_OUT_S", seconds)
        late = await refused(world, QUERY)
        assert (late["code"], late["status"]) == ("timed_out", 503)
        if begun.is_set():
            break
    assert begun.is_set()
    assert ended.is_set()


async def test_a_nul_character_is_refused_and_not_a_mistake_of_ours(world: World) -> None:
    query = "mutation ($n: String!) { createTeam(input: {name: $n}) { id } }"
    assert (await refused(world, query, {"n": "a\x00b"}))["code"] == "invalid"
    assert (await refused(world, r'mutation { createTeam(input: {name: "a\u0000b"}) { id } }'))["code"] == "invalid"
    assert (await refused(world, r'{ mentions(filter: {q: "a\u0000b"}) { edges { node { id } } } }'))[
        "code"
    ] == "invalid"


@pytest.mark.parametrize("role", list(Role))
async def test_every_valid_key_may_look_at_the_schema(world: World, role: Role) -> None:
    query = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }"
    first = await asked(world, query, role=role)
    assert {"mentions", "node"} <= {field["name"] for field in first["__schema"]["queryType"]["fields"]}
    assert await asked(world, query, role=role) == first


# ---- persisted documents


async def test_a_document_is_found_by_its_hash_once_it_was_sent(world: World) -> None:
    text = "{ brands(first: 3) { edges { node { name } } } }"
    by_hash: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}}
    missing = (await world.call("POST", "/graphql", by_hash)).json()["errors"][0]
    assert missing["message"] == "PersistedQueryNotFound"
    assert missing["extensions"]["code"] == "persisted_query_not_found"
    assert (await world.call("POST", "/graphql", {**by_hash, "query": text})).json()["data"]
    assert (await world.call("POST", "/graphql", by_hash)).json()["data"] == {"brands": {"edges": []}}
    wrong = (await world.call("POST", "/graphql", {**by_hash, "query": text + " "})).json()["errors"][0]
    assert wrong["extensions"]["code"] == "invalid"
    assert (await world.call("POST", "/graphql", by_hash)).json()["data"], "the other text did not take its place"


def test_documents_are_parsed_once_and_the_least_used_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    real: Any = vars(documents)["parse"]

    def counting(text: str, **more: Any) -> Any:
        parsed.append(text)
        return real(text, **more)

    monkeypatch.setattr(documents, "parse", counting)
    texts = [f"query Q{n} {{ __typename }}" for n in range(5)]
    kept = Documents(schema(), most_characters=3 * len(texts[0]))
    for text in texts[:3]:
        kept.read(text, hash_of(text))
    kept.read(texts[0], None)
    assert parsed == texts[:3]
    kept.read(texts[3], None)
    kept.read(texts[0], None)
    assert parsed == texts[:4], "the one that was used last stayed"
    kept.read(texts[1], None)
    assert parsed == [*texts[:4], texts[1]], "the one that was used least went"
    assert kept.read(None, hash_of(texts[0])).text == texts[0]
    kept.read(texts[4], None)
    kept.read(texts[3], None)
    kept.read(texts[1], None)
    with pytest.raises(documents.UnknownDocument):
        kept.read(None, hash_of(texts[2]))


def test_what_is_no_document_is_not_kept() -> None:
    kept = Documents(schema())
    for _ in range(2):
        with pytest.raises(documents.Refused):
            kept.read("{ nope }", hash_of("{ nope }"))
    with pytest.raises(documents.UnknownDocument):
        kept.read(None, hash_of("{ nope }"))


# ---- in the browser


async def test_a_browser_gets_graphiql_and_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"accept": "text/html,application/xhtml+xml"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(assets) == 6
    assert "http" not in page.text
    assert "<script>" not in page.text
    for asset in assets:
        answer = await client.get(asset)
        assert answer.status_code == 200, asset
        assert len(answer.content) > 100, asset
    assert "http" not in (await client.get("/graphql/page/page.js")).text
    for outside in ("/graphql/page/../schema.py", "/graphql/page/%2e%2e/schema.py", "/graphql/assets/../__init__.py"):
        assert (await client.get(outside)).status_code in (404, 405)
