"""Whatever is of one workspace does not exist for another: every operation, generated from the OpenAPI document."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
import pytest

from services.api.rest import openapi
from services.api.rest.door import OPERATIONS, Operation
from shared.kit import clock, ids
from shared.models.automation import AutomationRun
from shared.models.channel import ChannelGap
from shared.models.conversation import Kind
from shared.models.head import Head
from shared.models.offer import Offer
from tests.api.world import World, a_world

OF_NO_WORKSPACE = {"getChannelType"}
"""Operations whose thing is the same for all workspaces."""
BY_KEY = {"findIssueWords", "sampleIssue", "readReport"}
"""Operations that go by a word which every workspace may have for itself."""


def with_ids() -> list[Operation]:
    return [one for one in OPERATIONS if "{" in one.path and one.id not in OF_NO_WORKSPACE | BY_KEY]


async def everything(world: World) -> dict[str, UUID]:
    """One of each noun, by the first part of the path under which it is found."""
    conversation_id, mention_id = await world.a_conversation()
    found: dict[str, UUID] = {"mentions": mention_id, "conversations": conversation_id}
    bodies: dict[str, Any] = {
        "brands": {"name": "Northwind"}, "teams": {"name": "Day"}, "agents": {"name": "Al"},
        "queues": {"name": "Own"}, "queries": {"name": "q", "text": "northwind"},
        "issue-types": {"key": "own", "name": "Own"}, "playbooks": {"name": "Plan"},
        "channels": {"type": "push", "name": "own"}, "api-keys": {"name": "k", "role": "analyst"},
        "calendars": {"name": "Own", "timezone": "UTC", "weekly": {"mon": [["09:00", "10:00"]]}},
        "sla-policies": {"name": "Own", "targets": [{"metric": "first_response", "within": "PT1H", "hours": "clock"}]},
        "webhook-endpoints": {"url": "http://127.0.0.1:9/", "event_types": ["*"]},
        "skills": {"kind": "product", "name": "own"},
        "automation-rules": {"name": "Own", "event": "conversation.opened", "actions": [{"do": "tag", "tags": ["own"]}]},
    }  # fmt: skip
    for path, body in bodies.items():
        found[path] = UUID((await world.post(f"/v1/{path}", body))["id"])
    shift = {"agent_id": str(found["agents"]), "weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "UTC"}
    found["shifts"] = UUID((await world.post("/v1/shifts", shift))["id"])
    reply = await world.post(f"/v1/conversations/{conversation_id}/replies", {"text": "Sorry!"})
    found["replies"] = UUID(reply["id"])
    found["moderations"] = UUID((await world.post(f"/v1/mentions/{mention_id}/hide"))["id"])
    mention = await world.get(f"/v1/mentions/{mention_id}")
    found["authors"] = UUID(mention["author"]["id"])
    messages = (await world.get(f"/v1/conversations/{conversation_id}/messages"))["data"]
    found["messages"] = UUID(messages[0]["id"])
    assert {one["kind"] for one in messages} == {Kind.INBOUND, Kind.OUTBOUND}
    delivery = ids.new_id()
    async with world.database.read(world.workspace_id) as connection:
        await connection.execute(
            "INSERT INTO delivery (workspace_id, id, endpoint_id, event_id, position, type, state, attempts, next_at) "
            "VALUES ($1, $2, $3, $4, 1, 'mention.received', 'failed', 1, now())",
            world.workspace_id, delivery, found["webhook-endpoints"], ids.new_id(),
        )  # fmt: skip
    found["deliveries"] = delivery
    gap = ChannelGap(
        workspace_id=world.workspace_id, channel_id=found["channels"], since=clock.now() - timedelta(hours=2),
        until=clock.now() - timedelta(hours=1), reason="The network skipped some.", found_at=clock.now(),
    )  # fmt: skip
    head = Head(
        workspace_id=world.workspace_id, question="intent", version=1, learned_from=40, held_out=10,
        because="It is better.", actor="webcare command", weights=b"weights",
    )  # fmt: skip
    offer = Offer(
        workspace_id=world.workspace_id, conversation_id=conversation_id, queue_id=found["queues"], agent_id=found["agents"],
        offered_at=clock.now(), expires_at=clock.now() + timedelta(days=1),
    )  # fmt: skip
    run = AutomationRun(
        workspace_id=world.workspace_id, rule_id=found["automation-rules"], rule_name="Own", rule_version=1, event_id=ids.new_id(),
        event_type="conversation.opened", conversation_id=conversation_id, outcome="done", traceparent="", at=clock.now(),
    )  # fmt: skip
    async with world.database.write(world.workspace_id) as session:
        session.add_all([gap, head, offer, run])
    found |= {"channel-gaps": gap.id, "heads": head.id, "offers": offer.id, "automation-runs": run.id}
    return found


def example_of_body(operation: Operation) -> Any:
    """The body that the published document shows."""
    said = orjson.loads(openapi.written("0"))["paths"][operation.path][operation.method.lower()].get("requestBody")
    return said["content"]["application/json"]["example"] if said else None


def needed(operation: Operation) -> str:
    """The query that an operation cannot do without."""
    wanted = {name: one.choices[0] for name, one in operation.query.items() if one.required}
    return f"?{urlencode(wanted)}" if wanted else ""


def filled(operation: Operation, known: dict[str, UUID]) -> str:
    noun = operation.path.split("/")[2]
    return operation.path.replace("{id}", str(known[noun])).replace("{metric}", "first_response")


async def test_every_operation_on_an_id_is_404_for_another_workspace(world: World) -> None:
    other = await a_world(world.database, world.client)
    theirs = await everything(other)
    mine = await everything(world)
    tried = [one for one in with_ids() if "{id}" in one.path]
    assert len(tried) > 60
    assert world.agent is not None
    for operation in tried:
        path = filled(operation, theirs)
        body = example_of_body(operation)
        sent = {"if-match": '"1"', "webcare-agent": str(world.agent.id)}
        answer = await world.call(operation.method, path, body, headers=sent)
        assert answer.status_code == 404, (operation.id, answer.status_code, answer.text)
        assert str(theirs[operation.path.split("/")[2]]) not in answer.headers.get("etag", "")
    for operation in tried:
        if operation.method == "GET":
            answer = await world.call("GET", filled(operation, mine))
            assert answer.status_code == 200, (operation.id, answer.text)
    for noun, key in theirs.items():
        assert (await other.get(f"/v1/{noun}/{key}"))["id"] == str(key), f"{noun} was changed from outside"


async def test_lists_and_figures_show_nothing_of_another_workspace(world: World) -> None:
    other = await a_world(world.database, world.client)
    theirs = {str(key) for key in (await everything(other)).values()} | {str(other.workspace_id)}
    for operation in OPERATIONS:
        if operation.method == "GET" and "{" not in operation.path:
            answer = await world.call("GET", operation.path + needed(operation))
            assert answer.status_code == 200, (operation.id, answer.text)
            assert not [key for key in theirs if key in answer.text], operation.id


async def test_references_to_things_of_another_workspace_are_refused(world: World) -> None:
    other = await a_world(world.database, world.client)
    theirs = await everything(other)
    mine = await everything(world)
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/queries", {"name": "x", "text": "x", "brand_id": str(theirs["brands"])}),
        ("POST", "/v1/agents", {"name": "x", "team_ids": [str(theirs["teams"])]}),
        ("POST", "/v1/queues", {"name": "x", "team_ids": [str(theirs["teams"])]}),
        ("POST", "/v1/queues", {"name": "x", "overflow_agent_id": str(theirs["agents"])}),
        ("POST", "/v1/queues", {"name": "x", "calendar_id": str(theirs["calendars"])}),
        ("POST", "/v1/shifts", {"agent_id": str(theirs["agents"]), "weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "UTC"}),
        ("POST", "/v1/shifts", {"team_id": str(theirs["teams"]), "weekly": {"mon": [["09:00", "17:00"]]}, "timezone": "UTC"}),
        (
            "POST", "/v1/automation-rules",
            {"name": "x", "event": "conversation.opened", "actions": [{"do": "assign", "agent_id": str(theirs["agents"])}]},
        ),
        (
            "POST", "/v1/automation-rules",
            {"name": "x", "event": "conversation.opened", "actions": [{"do": "change", "queue_id": str(theirs["queues"])}]},
        ),
        ("POST", "/v1/issue-types", {"key": "x", "name": "x", "playbook_id": str(theirs["playbooks"])}),
        ("POST", "/v1/api-keys", {"name": "x", "role": "agent", "agent_id": str(theirs["agents"])}),
        ("POST", f"/v1/conversations/{mine['conversations']}/assign", {"agent_id": str(theirs["agents"])}),
        ("PATCH", f"/v1/conversations/{mine['conversations']}", {"queue_id": str(theirs["queues"])}),
        ("POST", f"/v1/conversations/{mine['conversations']}/replies", {"text": "x", "in_reply_to": str(theirs["mentions"])}),
        (
            "POST", "/v1/sla-policies",
            {"name": "x", "calendar_id": str(theirs["calendars"]), "targets": [{"metric": "first_response", "within": "PT1H"}]},
        ),
    ]  # fmt: skip
    for method, path, body in tries:
        version = (await world.get(path))["version"] if method == "PATCH" else 1
        answer = await world.call(method, path, body, headers={"if-match": f'"{version}"'} if method == "PATCH" else {})
        assert answer.status_code == 422, (path, body, answer.text)


def test_the_matrix_covers_the_published_document() -> None:
    published = orjson.loads(openapi.written("0"))
    known = {(method.upper(), path) for path, methods in published["paths"].items() for method in methods}
    assert known == {(one.method, one.path) for one in OPERATIONS}


@pytest.mark.parametrize("operation", with_ids(), ids=lambda one: one.id)
def test_every_path_part_is_known_to_the_matrix(operation: Operation) -> None:
    assert "{id}" in operation.path or operation.id in BY_KEY
