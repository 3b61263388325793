"""The published document is the running code's, whole, and what is answered fits it."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from services.api.rest import openapi
from services.api.rest.door import OPERATIONS
from shared.models.facts import FACTS
from tests.api.test_isolation import everything, filled, needed
from tests.api.world import World

COMMITTED = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(COMMITTED.read_bytes())
    return found


async def test_the_committed_file_is_what_the_app_serves(world: World, app: FastAPI) -> None:
    served = await world.client.get("/openapi.json")
    assert served.status_code == 200
    assert served.content == COMMITTED.read_bytes(), "run `python -m services.api.rest.publish`"
    assert app.openapi() == orjson.loads(served.content)


def test_operation_ids_are_camel_case_and_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    ids += [hook["post"]["operationId"] for hook in document["webhooks"].values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", one) for one in ids), ids


def test_every_operation_is_described_whole(document: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        said = document["paths"][operation.path][operation.method.lower()]
        assert said["summary"], operation.id
        assert said["tags"] == [operation.tag]
        assert {"401", "403", "422", "429", "500", "503"} <= set(said["responses"]), operation.id
        if "{" in operation.path:
            assert "404" in said["responses"]
        if operation.takes is not None:
            assert "example" in said["requestBody"]["content"]["application/json"]
        parts = set(re.findall(r"\{(\w+)\}", operation.path))
        assert parts == {one["name"] for one in said["parameters"] if one["in"] == "path"}


def test_all_references_lead_somewhere_and_schemas_are_schemas(document: dict[str, Any]) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                target: Any = document
                for part in reference.removeprefix("#/").split("/"):
                    target = target[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_examples_of_bodies_fit_their_schemas(document: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        if operation.takes is None:
            continue
        content = document["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]
        for media in content.values():
            problems = list(validator(document, media["schema"]).iter_errors(media["example"]))
            assert not problems, (operation.id, problems)


def test_every_event_type_is_a_webhook(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == set(FACTS)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator that knows the document's components."""
    resource: Any = DRAFT202012.create_resource(document)
    registry: Any = Registry().with_resource("urn:doc", resource)
    whole = orjson.loads(orjson.dumps(schema).replace(b'"#/components', b'"urn:doc#/components'))
    return Draft202012Validator(whole, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


async def test_what_is_answered_fits_what_is_published(world: World, document: dict[str, Any]) -> None:
    known = await everything(world)
    assert world.agent is not None
    await world.post(
        f"/v1/conversations/{known['conversations']}/assign", {"agent_id": str(world.agent.id)}, status=200
    )
    await world.post(f"/v1/mentions/{known['mentions']}/corrections", {"finding": "intent", "value": "complaint"})
    tried = 0
    for operation in OPERATIONS:
        if operation.method != "GET" or re.search(r"\{(type|key|week)\}", operation.path):
            continue
        answer = await world.call(
            "GET", filled(operation, known) if "{" in operation.path else operation.path + needed(operation)
        )
        assert answer.status_code == 200, (operation.id, answer.text)
        said = document["paths"][operation.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        problems = [f"{one.json_path}: {one.message}" for one in validator(document, said).iter_errors(answer.json())]
        assert not problems, (operation.id, problems)
        tried += 1
    assert tried > 45


async def test_problems_fit_what_is_published(world: World, document: dict[str, Any]) -> None:
    answer = await world.call("POST", "/v1/brands", {"nam": 1})
    schema = document["components"]["schemas"]["Problem"]
    assert not list(validator(document, schema).iter_errors(answer.json()))


def test_the_document_is_the_same_each_time() -> None:
    first = orjson.dumps(openapi.document("1"))
    assert first == orjson.dumps(openapi.document("1"))
