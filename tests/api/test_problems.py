"""Whatever goes wrong is a problem document with a sentence, a code and the request's id; nothing else leaves the house."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from services.api.desk import brands
from shared.kit.errors import WebcareError
from shared.models.workspace import Role
from tests.api.world import World


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code", "errors", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"].endswith((".", "?"))
    return problem


async def test_paths_and_methods(world: World) -> None:
    is_problem(await world.call("GET", "/v1/unknown"), 404, "not_found")
    is_problem(await world.call("GET", "/nowhere"), 404, "not_found")
    wrong = await world.call("PUT", "/v1/brands")
    is_problem(wrong, 405, "method_not_allowed")
    assert set(wrong.headers["allow"].split(", ")) & {"GET", "POST"}
    is_problem(await world.call("GET", "/v1/brands/not-an-id"), 404, "not_found")


@pytest.mark.parametrize("header", [{}, {"authorization": "Basic eA=="}, {"authorization": f"Bearer {'z' * 40}"}])
async def test_without_a_known_key(client: httpx.AsyncClient, header: dict[str, str]) -> None:
    answer = await client.get("/v1/brands", headers=header)
    is_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_role_that_may_not(world: World) -> None:
    problem = is_problem(await world.call("POST", "/v1/brands", {"name": "x"}, role=Role.AGENT), 403, "forbidden")
    assert "settings:write" in problem["detail"]
    assert "admin" in problem["detail"]


async def test_bodies_that_cannot_be_read(world: World) -> None:
    json = {"content-type": "application/json"}
    is_problem(await world.call("POST", "/v1/brands", content=b"{", headers=json), 400, "malformed")
    is_problem(await world.call("POST", "/v1/brands", content=b"[1]", headers=json), 422, "invalid")
    is_problem(await world.call("POST", "/v1/brands", content=b'"\\ud800"', headers=json), 400, "malformed")
    xml = {"content-type": "application/xml"}
    is_problem(await world.call("POST", "/v1/brands", content=b"<a/>", headers=xml), 415, "unsupported_media_type")
    packed = {**json, "content-encoding": "br"}
    is_problem(await world.call("POST", "/v1/brands", content=b"x", headers=packed), 415, "unsupported_media_type")
    nul = await world.call("POST", "/v1/brands", {"name": "a\x00b", "aliases": ["x"]})
    assert is_problem(nul, 422, "invalid")["errors"] == [{"pointer": "/name", "detail": "holds NUL"}]


async def test_fields_that_are_wrong_are_all_named(world: World) -> None:
    answer = await world.call("POST", "/v1/agents", {"nam": "x", "capacity": -1, "presence": "asleep"})
    pointers = {error["pointer"] for error in is_problem(answer, 422, "invalid")["errors"]}
    assert pointers == {"/nam", "/name", "/capacity", "/presence"}
    answer = await world.call("GET", "/v1/mentions?sentimnt=negative")
    assert is_problem(answer, 422, "invalid")["errors"][0]["pointer"] == "/sentimnt"
    for query in (
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=%21",
        "order=size",
        "from=yesterday",
        "sentiment=sad",
        "lang=nl&lang=en",
        "q=a%00b",
    ):
        is_problem(await world.call("GET", f"/v1/mentions?{query}"), 422, "invalid")


async def test_bodies_that_are_too_large_as_sent_and_as_unpacked(world: World, app: FastAPI) -> None:
    limit = app.state.settings.max_body_bytes
    huge = b'{"name": "' + b"x" * limit + b'"}'
    json = {"content-type": "application/json"}
    is_problem(await world.call("POST", "/v1/brands", content=huge, headers=json), 413, "too_large")

    async def in_pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(huge), 1_000_000):
            yield huge[at : at + 1_000_000]

    is_problem(await world.call("POST", "/v1/brands", content=in_pieces(), headers=json), 413, "too_large")
    packed = {**json, "content-encoding": "gzip"}
    bomb = gzip.compress(huge)
    assert len(bomb) < 100_000
    is_problem(await world.call("POST", "/v1/brands", content=bomb, headers=packed), 413, "too_large")
    cut = gzip.compress(b'{"name": "Northwind"}')[:-9]
    is_problem(await world.call("POST", "/v1/brands", content=cut, headers=packed), 400, "malformed")
    good = await world.call("POST", "/v1/brands", content=gzip.compress(b'{"name": "Packed"}'), headers=packed)
    assert good.status_code == 201
    assert good.json()["name"] == "Packed"


async def test_what_nobody_foresaw_is_masked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(brands, "create_brand", broken)
    answer = await world.call("POST", "/v1/brands", {"name": "x"})
    is_problem(answer, 500, "internal")
    assert "swordfish" not in answer.text


async def test_postgres_being_away_is_said_and_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionRefusedError("no"))

    with monkeypatch.context() as patch:
        patch.setattr(brands, "create_brand", away)
        answer = await world.call("POST", "/v1/brands", {"name": "x"})
        is_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await world.call("POST", "/v1/brands", {"name": "x"})).status_code == 201


async def test_the_request_id_and_the_trace_go_through(world: World) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    conversation_id, _ = await world.a_conversation()
    answer = await world.call(
        "POST", f"/v1/conversations/{conversation_id}/resolve", headers={"x-request-id": "mine-1", "traceparent": trace}
    )
    assert answer.headers["x-request-id"] == "mine-1"
    (told,) = await world.events("conversation.resolved")
    assert told["traceparent"] == trace
    forged = await world.call("GET", "/v1/brands", headers={"x-request-id": "a b\tc"})
    assert forged.headers["x-request-id"] != "a b\tc"


def test_every_error_has_a_code_of_its_own() -> None:
    def all_of(kind: type[WebcareError]) -> list[type[WebcareError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in all_of(child))]

    assert all(one.code and one.title and 400 <= one.status < 600 for one in all_of(WebcareError))
