"""REST and GraphQL are two doors to one desk: the same operations, the same data, the same refusals, for every role."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from services.api.app import create_app
from services.api.desk.desk import view
from services.api.graphql.objects import camel, type_name
from services.api.graphql.queries import READ
from services.api.rest.door import OPERATIONS
from shared.kit import clock, ids
from shared.kit.settings import Settings
from shared.models.read_model import Column
from shared.models.workspace import Role
from shared.sequencer import sequence
from tests.api.graphql.both_doors import (
    DIFFERENCES,
    EMPTY_INSTEAD_OF_404,
    NEVER_SAME,
    ONLY_GRAPHQL,
    arguments_of,
    ask,
    counterpart,
    fields_of,
    filled,
    roots,
    snake,
)
from tests.api.test_isolation import everything, example_of_body
from tests.api.world import World, a_world, publish_channel_types


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    """A workspace, behind both doors."""
    await publish_channel_types(settings.database_url)
    more = {"allowed_networks": (ip_network("127.0.0.0/8"),), "requests_per_minute": 1_000_000}
    app = create_app(settings.model_copy(update=more))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        yield await a_world(app.state.database, client)


# ---- the same operations


def test_every_operation_of_rest_has_its_field_and_every_field_its_operation() -> None:
    known = roots()
    expected = {counterpart(operation.id) for operation in OPERATIONS}
    assert sorted(expected - set(known)) == [], "REST has these and GraphQL has not"
    assert sorted(set(known) - expected - set(ONLY_GRAPHQL)) == [], "GraphQL has these and REST has not"
    assert set(DIFFERENCES) <= {operation.id for operation in OPERATIONS}
    for operation in OPERATIONS:
        root = known[counterpart(operation.id)]
        reads = operation.method == "GET" or operation.path.endswith(("/check", "/validate", "/dry-run", "/what-if"))
        assert root.kind == ("query" if reads else "mutation"), operation.id
        versioned = "version" in root.field.args
        # What nextInQueue gives, nobody has seen before: its answer has a version, and it takes none.
        assert versioned == bool(operation.versioned and not reads) or operation.id == "nextInQueue", operation.id
        if root.kind == "mutation":
            assert "idempotencyKey" in root.field.args, operation.id


def test_bodies_are_of_the_same_fields() -> None:
    known = roots()
    for operation in OPERATIONS:
        takes = operation.takes
        if takes is None:
            continue
        rest = set(takes.model_fields) if isinstance(takes, type) else set(takes["properties"])
        arguments = known[counterpart(operation.id)].field.args
        if "input" in arguments:
            shown = {snake(name) for name in fields_of(arguments["input"].type)}
        else:
            shown = {snake(name) for name in arguments} - {"idempotency_key"}
        assert shown == rest, operation.id


def test_lists_are_narrowed_by_the_same_filters() -> None:
    known = roots()
    for operation in OPERATIONS:
        if operation.shows.form != "page" or "{" in operation.path:
            continue
        arguments = known[counterpart(operation.id)].field.args
        shown = set(fields_of(arguments["filter"].type)) if "filter" in arguments else set()
        assert {snake(name) for name in shown} == set(operation.query) - {"order", "limit", "cursor"}, operation.id


# ---- the same refusals


async def test_each_role_is_let_in_and_refused_alike(world: World) -> None:
    known = roots()
    for operation in OPERATIONS:
        root = known[counterpart(operation.id)]
        body = example_of_body(operation)
        nowhere = ids.new_id()
        for role in Role:
            answer = await world.call(
                operation.method, filled(operation, nowhere), body, role=role, headers={"if-match": '"1"'}
            )
            by_rest = answer.status_code == 403 and answer.json()["code"] == "forbidden"
            _, code = await ask(world, root, arguments_of(root, nowhere, body), role)
            assert (code == "forbidden") == by_rest, (operation.id, role, answer.text, code)


async def test_what_is_of_another_workspace_is_not_there_at_either_door(world: World) -> None:
    other = await a_world(world.database, world.client)
    theirs = await everything(other)
    secret = {str(key) for key in theirs.values()} | {str(other.workspace_id)}
    known = roots()
    assert world.agent is not None
    acting = {"webcare-agent": str(world.agent.id)}
    node = known["node"]
    for key in [*theirs.values(), other.workspace_id]:
        assert await ask(world, node, {"id": str(key)}) == (None, None)
    for operation in OPERATIONS:
        root, noun = known[counterpart(operation.id)], operation.path.split("/")[2]
        if "{id}" not in operation.path:
            if operation.method == "GET":
                shown, _ = await ask(world, root, arguments_of(root, ids.new_id()))
                assert not [key for key in secret if key in str(shown)], operation.id
            continue
        body = example_of_body(operation)
        shown, code = await ask(world, root, arguments_of(root, theirs[noun], body), headers=acting)
        if operation.id in EMPTY_INSTEAD_OF_404:
            assert not [key for key in secret if key in str(shown)], operation.id
        elif root.name in {camel(one) for one in READ}:
            assert (shown, code) == (None, None), operation.id
        else:
            assert (shown, code) == (None, "not_found"), operation.id
    for noun, key in theirs.items():
        assert (await other.get(f"/v1/{noun}/{key}"))["id"] == str(key), f"{noun} was changed from outside"


async def test_filters_by_another_workspaces_things_find_nothing(world: World) -> None:
    other = await a_world(world.database, world.client)
    theirs = await everything(other)
    await everything(world)
    for noun, (plural, _) in READ.items():
        for name, spec in view(noun).filters.items():
            if spec.type != "id" and name not in ("channel", "query", "brand", "queue", "assignee", "author", "agent"):
                continue
            for key in theirs.values():
                query = f"query ($f: {type_name(noun)}Filter) {{ {plural}(filter: $f) {{ edges {{ node {{ __typename }} }} }} }}"
                answer = await world.call(
                    "POST", "/graphql", {"query": query, "variables": {"f": {camel(name): str(key)}}}
                )
                assert answer.json() == {"data": {plural: {"edges": []}}}, (noun, name)


@pytest.mark.parametrize(
    ("operation_id", "body"),
    [
        ("createBrand", {"name": " "}),
        ("createBrand", {"name": "x", "aliases": [""]}),
        ("createQuery", {"name": "x", "text": "a AND (b"}),
        ("createQuery", {"name": "x", "text": "a", "brand_id": str(ids.new_id())}),
        ("createIssueType", {"key": "Not A Key", "name": "x"}),
        ("createIssueType", {"key": "outage", "name": "x"}),
        ("createPlaybook", {"name": "x", "steps": [{"kind": "dance", "title": "x"}]}),
        ("createAgent", {"name": "x", "capacity": -1}),
        ("createAgent", {"name": "Jo Doe"}),
        ("createQueue", {"name": "x", "filter": {"field": "nope", "op": "eq", "value": 1}}),
        ("createCalendar", {"name": "x", "timezone": "Europe/Nowhere", "weekly": {}}),
        ("createSlaPolicy", {"name": "x", "targets": [{"metric": "first_response", "within": "an hour"}]}),
        ("createSlaPolicy", {"name": "x", "targets": [], "ignore_older_than": "a week"}),
        ("createChannel", {"type": "nope", "name": "x"}),
        ("createChannel", {"type": "venue", "name": "x", "settings": {"page": "x"}, "secrets": {"token": 1}}),
        ("createWebhookEndpoint", {"url": "http://10.0.0.1/", "event_types": ["*"]}),
        ("createWebhookEndpoint", {"url": "http://127.0.0.1:9/", "event_types": ["nope"]}),
        ("createApiKey", {"name": "x", "role": "king"}),
        ("createApiKey", {"name": "x", "role": "analyst", "expires_at": "2020-01-01T00:00:00Z"}),
        ("actOnMany", {"action": "dance", "conversation_ids": [str(ids.new_id())]}),
        ("dryRunQuery", {"text": "a", "days": 1000}),
        ("createQueue", {"name": "x", "needs": [{"kind": "product"}]}),
        ("dryRunQueue", {"filter": {"field": "nope", "op": "eq", "value": 1}}),
        ("createSkill", {"kind": "", "name": "x"}),
        ("createShift", {"weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "Europe/Nowhere"}),
        ("createShift", {"agent_id": str(ids.new_id()), "weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "UTC"}),
        ("setPresence", {"presence": "asleep"}),
        ("setPresence", {"presence": "online"}),
        ("createAutomationRule", {"name": "x", "event": "mention.received", "actions": []}),
        ("createAutomationRule", {"name": "x", "event": "sla.warning", "actions": [{"do": "change", "colour": "red"}]}),
        ("dryRunAutomationRule", {"event": "sla.warning", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
        ("whatIfSlaPolicies", {"policies": [{"targets": []}]}),
        ("whatIfSlaPolicies", {"changes": {}}),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_wrong_alike(world: World, operation_id: str, body: dict[str, Any]) -> None:
    operation = next(one for one in OPERATIONS if one.id == operation_id)
    answer = (await world.call(operation.method, operation.path, body)).json()
    root = roots()[counterpart(operation_id)]
    if "input" in root.field.args:
        variables: dict[str, Any] = {"input": {camel(name): value for name, value in body.items()}}
    else:
        variables = {camel(name): value for name, value in body.items()}
    told = (await world.call("POST", "/graphql", {"query": root.document(variables), "variables": variables})).json()
    (error,) = told["errors"]
    extensions = error["extensions"]
    assert (extensions["code"], extensions["status"]) == (answer["code"], answer["status"]), (told, answer)
    assert error["message"] == answer["detail"]
    places = [one["pointer"].removeprefix("/input") for one in extensions["errors"]]
    assert [_by_rest(place) for place in places] == [one["pointer"] for one in answer["errors"]]


def _by_rest(place: str) -> str:
    first, slash, rest = place.removeprefix("/").partition("/")
    return f"/{snake(first)}{slash}{rest}"


# ---- the same data


async def test_lists_and_single_things_are_the_same(world: World) -> None:
    known_ids = await everything(world)
    known = roots()
    compared = 0
    for operation in OPERATIONS:
        root, noun = known[counterpart(operation.id)], operation.path.split("/")[2]
        if operation.method != "GET" or operation.shows.form not in ("one", "page"):
            continue
        for role in (Role.ADMIN, Role.ANALYST):
            answer = await world.call("GET", filled(operation, known_ids.get(noun, ids.new_id())), role=role)
            if answer.status_code == 403:
                continue
            by_rest = answer.json()
            variables = arguments_of(root, known_ids.get(noun, ids.new_id()))
            if operation.shows.form == "page":
                if "{id}" in operation.path:
                    about = {"mentions": "mention", "conversations": "conversation", "playbooks": "playbook",
                             "webhook-endpoints": "endpoint", "deliveries": "delivery"}[noun]  # fmt: skip
                    variables["filter"] = {about: str(known_ids[noun])}
                variables["first"] = 25
                shown, code = await ask(world, root, variables, role)
                assert code is None, (operation.id, code)
                rows = [edge["node"] for edge in shown["edges"]]
                columns = {
                    name for name, item in view(operation.shows.noun).fields.items()
                    if isinstance(item, Column) and (item.computed or not item.listed)
                }  # fmt: skip
                assert [_without(row, columns) for row in rows] == by_rest["data"], operation.id
                assert shown["page_info"]["has_next_page"] == by_rest["page"]["has_more"]
                if by_rest["page"]["has_more"]:
                    assert shown["page_info"]["end_cursor"] == by_rest["page"]["next_cursor"]
                compared += bool(rows)
            else:
                variables |= {"type": "push"} if operation.id == "getChannelType" else {}
                shown, code = await ask(world, root, variables, role)
                assert (shown, code) == (by_rest, None), operation.id
                compared += 1
    assert compared > 50


async def test_what_is_no_noun_is_the_same(world: World) -> None:
    known_ids = await everything(world)
    known = roots()
    yesterday = (clock.now() - timedelta(days=1)).isoformat()
    tomorrow = (clock.now() + timedelta(days=1)).isoformat()
    period = {"from": yesterday, "to": tomorrow}
    asked: Mapping[str, tuple[dict[str, str], dict[str, Any]]] = {
        "readLedger": (period, period),
        "listClocks": ({}, {}),
        "explainClock": ({}, {}),
        "listEvents": ({"limit": "3"}, {"first": 3}),
        "getTimeline": ({}, {}),
        **{
            f"read{name}": (period, period)
            for name in ("Volume", "Sentiment", "ShareOfVoice", "ResponseTimes", "Sla", "Workload")
        },
        "listPresence": ({}, {}),
        "listDailyIssues": ({}, {}),
        "findIssueWords": (period, period | {"key": "outage"}),
        "sampleIssue": (period, period | {"key": "outage"}),
        "readReport": ({}, {}),
        "readMasking": ({}, {}),
        "listWantedCorrections": ({"finding": "sentiment"}, {"finding": "sentiment"}),
    }  # fmt: skip
    operations = {one.id: one for one in OPERATIONS if one.method == "GET" and one.shows.form == "schema"}
    assert set(operations) == set(asked), "another operation shows what is no noun: compare it here"
    for id_, (parameters, variables) in asked.items():
        operation, root = operations[id_], known[counterpart(id_)]
        noun = operation.path.split("/")[2]
        path = filled(operation, known_ids.get(noun, ids.new_id()))
        answer = await world.call("GET", str(httpx.URL(path, params=parameters)))
        assert answer.status_code == 200, (id_, answer.text)
        by_rest: Any = answer.json()
        shown, code = await ask(world, root, arguments_of(root, known_ids.get(noun, ids.new_id())) | variables)
        assert code is None, (id_, code)
        if set(by_rest) == {"data"}:
            by_rest = by_rest["data"]
        elif set(by_rest) == {"data", "page"}:
            after = {"has_next_page": by_rest["page"]["has_more"], "end_cursor": by_rest["page"]["next_cursor"]}
            by_rest = {"nodes": by_rest["data"], "page_info": after}
        elif id_ == "readReport":
            shown = shown["figures"]
        assert _steady(shown) == _steady(by_rest), id_


async def test_what_is_tried_is_answered_alike(world: World) -> None:
    conversation_id, _ = await world.a_conversation()
    known = roots()
    for text in ("Sorry!", "far too long " * 10):
        by_rest = await world.post(f"/v1/conversations/{conversation_id}/replies/check", {"text": text}, status=200)
        shown, _ = await ask(
            world, known["checkDraft"], {"conversation": str(conversation_id), "input": {"text": text}}
        )
        assert shown == by_rest
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    by_rest = await world.post(f"/v1/replies/{reply['id']}/check", status=200)
    assert (await ask(world, known["checkReply"], {"id": reply["id"]}))[0] == by_rest
    for text in ("outage", "outage AND (x"):
        by_rest = await world.post("/v1/queries/validate", {"text": text}, status=200)
        assert (await ask(world, known["validateQuery"], {"text": text}))[0] == by_rest
    by_rest = await world.post("/v1/queries/dry-run", {"text": "outage", "days": 3}, status=200)
    shown, _ = await ask(world, known["dryRunQuery"], {"text": "outage", "days": 3})
    assert {**shown, "since": ""} == {**by_rest, "since": ""}
    period = {
        "from": (clock.now() - timedelta(days=1)).isoformat(),
        "to": (clock.now() + timedelta(days=1)).isoformat(),
    }
    normal = {"field": "priority", "op": "eq", "value": "normal"}
    tried = {**period, "filter": normal, "position": 0}
    by_rest = await world.post("/v1/queues/dry-run", tried, status=200)
    assert by_rest["hits"] == 1
    assert (await ask(world, known["dryRunQueue"], tried))[0] == by_rest
    while await sequence(world.database, world.workspace_id):
        pass
    tried = {**period, "filter": normal, "event": "conversation.opened", "actions": [{"do": "resolve"}]}
    by_rest = await world.post("/v1/automation-rules/dry-run", tried, status=200)
    assert (by_rest["looked_at"], by_rest["hits"]) == (1, 1)
    assert (await ask(world, known["dryRunAutomationRule"], tried))[0] == by_rest
    stricter = {"targets": [{"metric": "first_response", "within": "PT1S", "hours": "clock"}]}
    tried = {**period, "policies": [stricter]}
    by_rest = await world.post("/v1/sla-policies/what-if", tried, status=200)
    assert (by_rest["looked_at"], by_rest["stored"], len(by_rest["samples"])) == (1, by_rest["reproduced"], 1)
    assert (await ask(world, known["whatIfSlaPolicies"], tried))[0] == by_rest


# ---- the same changes


async def test_what_is_made_by_either_door_is_the_same(world: World) -> None:
    other = await a_world(world.database, world.client)
    known = roots()
    made = 0
    for operation in OPERATIONS:
        if operation.method != "POST" or not operation.id.startswith("create") or "{" in operation.path:
            continue
        body = dict(example_of_body(operation))
        if operation.id == "createWebhookEndpoint":
            body["url"] = "http://127.0.0.1:9/hook"
        # A new workspace has things of its own under the names of the examples.
        body |= {name: "made.anew" for name in ("name", "key") if name in body}
        by_rest = await world.post(operation.path, _of(world, body))
        root = known[counterpart(operation.id)]
        variables = {"input": {camel(name): value for name, value in _of(other, body).items()}}
        shown, code = await ask(other, root, variables)
        assert code is None, (operation.id, code)
        noun = operation.shows.noun
        if operation.shows.extra:
            (told,) = operation.shows.extra
            assert shown[told], operation.id
            assert by_rest.pop(told)
            shown = shown[noun]
        different = NEVER_SAME | ({"agent_id"} & set(body))
        assert _without(shown, different) == _without(by_rest, different), operation.id
        key = shown["id"]
        for own, door in ((world, by_rest["id"]), (other, key)):
            assert (await own.get(f"{operation.path}/{door}"))["id"] == door
        made += 1
    assert made >= 15


def _of(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body about an agent, about this world's."""
    assert world.agent is not None
    return {name: str(world.agent.id) if name == "agent_id" else value for name, value in body.items()}


def _without(row: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _steady(value: Any) -> Any:
    """Without what goes on from one moment to the next."""
    if isinstance(value, dict):
        moving = {"elapsed", "to", "as_of", "data_hash"} if "elapsed" in value or "as_of" in value else set()
        moving |= {"to"} if "counted" in value or "data" in value else set()
        moving |= {"from"} if "timezone" in value or "looked_at" in value else set()
        return {name: _steady(inner) for name, inner in value.items() if name not in moving}
    return [_steady(one) for one in value] if isinstance(value, list) else value
