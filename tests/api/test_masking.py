"""From whom personal data is hidden, sees none of it: by every reading of both doors, of a workspace that is full of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from sqlalchemy import text

from services.api import auth
from services.api.desk import workspaces
from services.api.desk.desk import Actor, Desk, view
from services.api.graphql.objects import camel, type_name
from services.api.graphql.queries import READ
from services.api.listening.report import Week
from services.api.rest.door import OPERATIONS, Operation
from shared.kit import clock, ids
from shared.kit.errors import Invalid
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.masking import ALL, PersonalData
from shared.models.workspace import Role
from shared.store.reading import HIDDEN_CODE
from tests.api.graphql.both_doors import arguments_of, ask, roots
from tests.api.listening.understood import understand
from tests.api.personal_data import IBAN, MARKERS, SAID, a_post, full, seen
from tests.api.test_isolation import example_of_body
from tests.api.world import World
from tests.builders import a_channel, taken

MASKED = (Role.LEAD, Role.AGENT, Role.ANALYST, Role.INTEGRATION)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed setting holds at once."""
    monkeypatch.setattr(auth, "MASKING_KEPT_S", 0.0)


def a_desk(world: World, settings: Settings) -> Desk:
    actor = Actor(ids.new_id(), Role.ADMIN, "test")
    return Desk(world.workspace_id, actor, world.database, Vault("k" * 40), settings)


async def hide(world: World, settings: Settings, *roles: Role, **more: Any) -> None:
    async with a_desk(world, settings).writing() as desk:
        await workspaces.change_masking(desk, {"roles": list(roles), **more})


def readings(known: Mapping[str, UUID], issue: str) -> dict[str, str]:
    """The paths of every GET operation that is about something which is there."""
    paths = {}
    this_week = str(Week.of(clock.now(), ZoneInfo("Europe/Amsterdam")))
    for operation in OPERATIONS:
        noun = operation.path.split("/")[2]
        if operation.method != "GET" or ("{id}" in operation.path and noun not in known):
            continue
        path = operation.path.replace("{id}", str(known.get(noun, ""))).replace("{metric}", "first_response")
        path = path.replace("{type}", "push").replace("{key}", issue).replace("{week}", this_week)
        paths[operation.id] = f"{path}{wanted(operation)}"
    return paths


def wanted(operation: Operation) -> str:
    asked = {name: one.choices[0] for name, one in operation.query.items() if one.required}
    if operation.id == "listWantedCorrections":
        asked["finding"] = "sentiment"
    if {"from", "to"} <= set(operation.query):
        asked |= {
            "from": clock.iso(clock.now() - timedelta(days=1)),
            "to": clock.iso(clock.now() + timedelta(minutes=1)),
        }
    return f"?{urlencode(asked)}" if asked else ""


TELL_OF_CUSTOMERS = {
    "listMentions", "getMention", "listCorrections", "listAuthors", "getAuthor", "listConversations", "getConversation", "getMessage",
    "listMessages", "getTimeline", "listReplies", "getReply", "listRepliesOfConversation", "listModerations", "getModeration",
    "listEvents", "listWantedCorrections", "sampleIssue", "readReport", "listDeliveries", "getDelivery",
    "listDeliveriesOfWebhookEndpoint", "listAttemptsOfDelivery", "listAttemptsOfWebhookEndpoint",
}  # fmt: skip
"""Readings in which somebody who sees personal data does see some, here: else the test would not bite."""


async def test_no_reading_shows_personal_data_to_whom_it_is_hidden_from(world: World, api_settings: Settings) -> None:
    known = await full(world)
    issue = (await world.get(f"/v1/mentions/{known['mentions']}"))["issue_keys"][0]
    paths = readings(known, issue)
    assert len(paths) > 60
    told = {id_: seen((await world.call("GET", path)).text) for id_, path in paths.items()}
    assert {id_ for id_, markers in told.items() if markers} == TELL_OF_CUSTOMERS
    for role in MASKED:  # before it is hidden, they see it too
        answer = await world.call("GET", f"/v1/mentions/{known['mentions']}", role=role)
        assert seen(answer.text) == list(MARKERS)
    await hide(world, api_settings, *MASKED)
    for role in MASKED:
        allowed = 0
        for id_, path in paths.items():
            answer = await world.call("GET", path, role=role)
            assert answer.status_code in (200, 403), (id_, role, answer.text)
            assert not seen(answer.text), (id_, role, answer.text)
            allowed += answer.status_code == 200
        assert allowed > 45, role
        page = await world.call("GET", paths["readReport"], role=role, headers={"accept": "text/html"})
        assert (page.status_code, page.json()["code"]) == (403, HIDDEN_CODE)
    assert seen((await world.call("GET", paths["getMention"])).text), "admins see everything"
    mention = await world.get(paths["getMention"], role=Role.ANALYST)
    assert "no internet" in mention["text"]
    assert "[email]" in mention["text"]
    places = {one["type"]: mention["text"][one["start"] : one["end"]] for one in mention["findings"]["pii"]}
    assert places == {kind: f"[{kind}]" for kind in ("name", "email", "phone", "iban")}
    whole = await world.get(paths["getMention"])
    for one, shown in zip(whole["findings"]["issues"], mention["findings"]["issues"], strict=True):
        assert mention["text"][shown["start"] : shown["end"]] == whole["text"][one["start"] : one["end"]]
    assert {"why", "text", "spans"}.isdisjoint(_keys(mention["findings"]))
    await hide(world, api_settings)
    assert seen((await world.call("GET", paths["getMention"], role=Role.ANALYST)).text) == list(MARKERS)


async def test_no_question_of_graphql_does_either(world: World, api_settings: Settings) -> None:
    known = await full(world)
    mention = await world.get(f"/v1/mentions/{known['mentions']}")
    of_noun = {noun: known[path] for path, noun in _NOUN_OF.items() if path in known}
    for noun in ("correction", "routing_decision", "delivery_attempt", "sla_clock"):
        shown = await _graphql(world, f"{{ it: {READ[noun][0]} {{ edges {{ node {{ id }} }} }} }}", Role.ADMIN)
        if edges := shown["data"]["it"]["edges"]:
            of_noun[noun] = UUID(edges[0]["node"]["id"])
    questions = []
    for name, root in roots().items():
        if root.kind != "query" or name == "node":
            continue
        noun = next((noun for noun in READ if camel(noun) == name), "conversation")
        about = known["replies"] if name == "checkReply" else of_noun.get(noun, ids.new_id())
        variables = arguments_of(root, about, _BODIES.get(name)) | _ASKED.get(name, {})
        variables |= {"key": mention["issue_keys"][0]} if "key" in root.field.args else {}
        if "week" in root.field.args:
            variables["week"] = str(Week.of(clock.now(), ZoneInfo("Europe/Amsterdam")))
        questions.append((name, root, variables))
    assert len(questions) > 60
    bites = {name for name, root, variables in questions if seen(str(await ask(world, root, variables)))}
    assert bites >= {
        "mention", "mentions", "author", "authors", "conversation", "conversations", "message", "messages", "reply", "replies",
        "moderation", "moderations", "correction", "corrections", "deliveryAttempts", "deliveries", "events", "timeline",
        "wantedCorrections", "sampleIssue", "report", "dryRunQuery", "checkReply",
    }  # fmt: skip
    await hide(world, api_settings, *MASKED)
    for role in MASKED:
        for name, root, variables in questions:
            shown, code = await ask(world, root, variables, role)
            assert not seen(str(shown)), (name, role, shown)
            assert code in (None, "forbidden", HIDDEN_CODE, "not_found"), (name, role, code)
            assert not name.startswith("dryRun") or code == HIDDEN_CODE
        for noun, key in of_noun.items():
            document = f'{{ it: node(id: "{key}") {{ ... on {type_name(noun)} {{ {_all_of(noun, 0)} }} }} }}'
            assert not seen(str(await _graphql(world, document, role))), (noun, role)


@pytest.mark.parametrize("noun", [noun for noun in READ if view(noun).nested()])
async def test_what_hangs_on_a_noun_is_hidden_too(world: World, api_settings: Settings, noun: str) -> None:
    if "full" not in _SHARED:
        await full(world)
        _SHARED["full"] = world
        await hide(world, api_settings, Role.LEAD)
    world = replace(_SHARED["full"], database=world.database, client=world.client)
    document = f"{{ it: {READ[noun][0]}(first: 3) {{ edges {{ node {{ {_all_of(noun, 1)} }} }} }} }}"
    by_admin, by_lead = await _graphql(world, document, Role.ADMIN), await _graphql(world, document, Role.LEAD)
    assert "errors" not in by_admin, by_admin
    assert "errors" not in by_lead, by_lead
    assert len(by_lead["data"]["it"]["edges"]) == len(by_admin["data"]["it"]["edges"])
    assert not seen(str(by_lead)), by_lead
    if noun in ("mention", "conversation", "message", "moderation", "reply"):
        assert seen(str(by_admin))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(one)


_SHARED: dict[str, World] = {}
_NOUN_OF = {
    "mentions": "mention", "conversations": "conversation", "authors": "author", "messages": "message", "replies": "reply",
    "moderations": "moderation", "webhook-endpoints": "webhook_endpoint", "deliveries": "delivery", "channels": "channel",
    "issue-types": "issue_type", "queues": "queue", "agents": "agent", "brands": "brand",
}  # fmt: skip
_BODIES: Mapping[str, Any] = {"checkDraft": {"text": "Sorry!"}}
_ASKED: Mapping[str, dict[str, Any]] = {
    "wantedCorrections": {"finding": "sentiment"},
    "dryRunQuery": {"text": "internet"},
    "validateQuery": {"text": "internet"},
    "dryRunQueue": {"filter": {"field": "subject", "op": "exists", "value": True}},
    "dryRunAutomationRule": {
        "event": "conversation.opened", "filter": {"not": {"any": [{"field": "author.handle", "op": "eq", "value": "mjansen"}]}},
    },
}  # fmt: skip


def _all_of(noun: str, below: int) -> str:
    parts = [camel(name) for name in view(noun).columns()]
    if below:
        parts += [f"{camel(name)} {{ {_all_of(item.noun, below - 1)} }}" for name, item in view(noun).nested().items()]
    return " ".join(parts)


async def _graphql(world: World, document: str, role: Role) -> Any:
    return (await world.call("POST", "/graphql", {"query": document}, role=role)).json()


# ---- what is not reading


async def test_an_edit_that_waits_to_be_read_shows_nothing(world: World, api_settings: Settings) -> None:
    """The places that are known are those of the former text."""
    channel = await a_channel(world.database, world.workspace_id, owned=True)
    post = a_post(0)
    await taken(world.database, world.workspace_id, channel, post)
    await hide(world, api_settings, Role.ANALYST)
    (mention,) = (await world.get("/v1/mentions", role=Role.ANALYST))["data"]
    assert mention["text"] == "[hidden]"  # nobody has read it yet
    await understand(world.database)
    path = f"/v1/mentions/{mention['id']}"
    assert "[name]" in (await world.get(path, role=Role.ANALYST))["text"]
    edited = {**post, "text": f"Maria Jansen! {SAID.format(IBAN)}", "edited_at": clock.now()}
    await taken(world.database, world.workspace_id, channel, edited)
    shown = await world.get(path, role=Role.ANALYST)
    assert shown["text"] == "[hidden]"
    assert {"pii", "entities", "issues"}.isdisjoint(shown["findings"])
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text("DELETE FROM work"))  # as where reading it was given up
    assert (await world.get(path, role=Role.ANALYST))["text"] == "[hidden]"


@pytest.mark.parametrize(
    "path", ["/v1/mentions?q=maria", "/v1/authors?handle=maria.jansen0", "/v1/mentions?q=internet%20-maria"]
)
async def test_nobody_searches_what_is_hidden_from_them(world: World, api_settings: Settings, path: str) -> None:
    assert (await world.call("GET", path, role=Role.ANALYST)).status_code == 200
    await hide(world, api_settings, Role.ANALYST)
    answer = await world.call("GET", path, role=Role.ANALYST)
    assert (answer.status_code, answer.json()["code"]) == (403, HIDDEN_CODE)
    assert "personal data is hidden" in answer.json()["detail"]
    nouns, filter_ = ("authors", 'handle: "maria"') if "authors" in path else ("mentions", 'q: "maria"')
    told = await _graphql(
        world, f"{{ {nouns}(filter: {{ {filter_} }}) {{ edges {{ node {{ id }} }} }} }}", Role.ANALYST
    )
    assert told["errors"][0]["extensions"]["code"] == HIDDEN_CODE


async def test_an_author_is_found_by_id_and_not_by_handle(world: World, api_settings: Settings) -> None:
    await taken(world.database, world.workspace_id, await a_channel(world.database, world.workspace_id), a_post(0))
    (mention,) = (await world.get("/v1/mentions"))["data"]
    await hide(world, api_settings, Role.ANALYST)
    for role, by_handle in ((Role.ADMIN, 1), (Role.ANALYST, 0)):
        assert len((await world.get("/v1/mentions?author=maria.jansen0", role=role))["data"]) == by_handle
        assert len((await world.get(f"/v1/mentions?author={mention['author']['id']}", role=role))["data"]) == 1


async def test_what_a_masked_role_writes_shows_no_more_than_what_it_reads(world: World, api_settings: Settings) -> None:
    known = await full(world)
    await hide(world, api_settings, *MASKED)
    base = f"/v1/conversations/{known['conversations']}"
    version = (await world.get(base))["version"]
    acts: list[tuple[str, str, Any]] = [
        ("POST", f"/v1/mentions/{known['mentions']}/corrections", {"finding": "sentiment", "value": "negative"}),
        ("PATCH", base, {"tags": ["x"]}),
        ("POST", f"{base}/notes", {"text": "Hello"}),
        ("POST", f"{base}/assign", {"agent_id": None}),
        ("POST", f"{base}/replies/check", {"text": "Hello"}),
        ("POST", f"/v1/replies/{known['replies']}/check", None),
        ("POST", f"/v1/replies/{known['replies']}/withdraw", None),
        ("POST", f"/v1/mentions/{known['mentions']}/hide", None),
        (
            "POST",
            "/v1/bulk",
            {"action": "note", "conversation_ids": [str(known["conversations"])], "fields": {"text": "x"}},
        ),
    ]
    for method, path, body in acts:
        answer = await world.call(
            method, path, body, role=Role.LEAD, headers={"if-match": f'"{version}"'} if method == "PATCH" else {}
        )
        assert answer.status_code in (200, 201), (path, answer.text)
        assert not seen(answer.text), (path, answer.text)


async def test_who_does_not_see_personal_data_has_it_sent_nowhere(world: World, api_settings: Settings) -> None:
    await hide(world, api_settings, Role.LEAD, Role.INTEGRATION)
    tried = 0
    for operation in OPERATIONS:
        if operation.action in auth.TAKES_EVERYTHING_OUT:
            for role in (Role.LEAD, Role.INTEGRATION):
                path = operation.path.replace("{id}", str(ids.new_id()))
                answer = await world.call(operation.method, path, example_of_body(operation), role=role)
                assert (answer.status_code, answer.json()["code"]) == (403, HIDDEN_CODE), operation.id
                tried += 1
    assert tried >= 12


@pytest.mark.parametrize(
    "given",
    [
        {"roles": ["admin"]},
        {"roles": ["king"]},
        {"roles": ["analyst"], "kinds": []},
        {"roles": ["analyst"], "kinds": ["shoe_size"]},
        {"roles": "analyst"},
        {"for": ["analyst"]},
    ],
)
async def test_a_setting_that_means_nothing_is_refused(
    world: World, api_settings: Settings, given: dict[str, Any]
) -> None:
    async with a_desk(world, api_settings).writing() as desk:
        with pytest.raises(Invalid) as refused:
            await workspaces.change_masking(desk, given)
    assert refused.value.errors
    assert not (await workspaces.read_masking(a_desk(world, api_settings))).roles


async def test_an_admin_sets_it_at_either_door(world: World) -> None:
    assert await world.get("/v1/masking", role=Role.ANALYST) == {
        "roles": [],
        "kinds": [kind.value for kind in PersonalData],
    }
    changed = await world.call("PATCH", "/v1/masking", {"roles": ["analyst"], "kinds": ["iban"]})
    assert (changed.status_code, changed.json()) == (200, {"roles": ["analyst"], "kinds": ["iban"]})
    document = 'mutation { changeMasking(input: { kinds: ["email"] }) { roles kinds } }'
    assert (await _graphql(world, document, Role.ADMIN))["data"]["changeMasking"] == {
        "roles": ["analyst"],
        "kinds": ["email"],
    }
    assert (await _graphql(world, "{ masking { roles kinds } }", Role.LEAD))["data"]["masking"]["kinds"] == ["email"]
    for role in MASKED:
        assert (await world.call("PATCH", "/v1/masking", {"roles": []}, role=role)).status_code == 403
    refused = await world.call("PATCH", "/v1/masking", {"roles": ["admin"]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/roles")
    assert (await world.get("/v1/masking"))["roles"] == ["analyst"]


async def test_only_the_kinds_that_are_named_are_masked_in_texts(world: World, api_settings: Settings) -> None:
    await taken(
        world.database, world.workspace_id, await a_channel(world.database, world.workspace_id, owned=True), a_post(0)
    )
    await understand(world.database)
    await hide(world, api_settings, Role.ANALYST, kinds=["iban"])
    (mention,) = (await world.get("/v1/mentions", role=Role.ANALYST))["data"]
    assert mention["text"] == SAID.format("[iban]")
    assert mention["title"] is None
    assert mention["author"]["name"] is None


async def test_a_setting_that_cannot_be_read_hides_everything(world: World, api_settings: Settings) -> None:
    async with world.database.write(world.workspace_id) as session:
        await session.execute(text('UPDATE workspace SET settings = settings || \'{"masking": {"roles": 7}}\''))
    masking = await workspaces.read_masking(a_desk(world, api_settings))
    assert {role: masking.hidden_from(role) for role in Role} == {
        role: ALL if role != Role.ADMIN else frozenset() for role in Role
    }


async def test_the_feed_of_who_sees_everything_is_byte_for_byte_as_it_is_stored(
    world: World, api_settings: Settings
) -> None:
    await full(world)
    before = (await world.call("GET", "/v1/events", role=Role.INTEGRATION)).content
    await hide(world, api_settings, Role.ANALYST)
    assert (await world.call("GET", "/v1/events", role=Role.INTEGRATION)).content == before
    masked = orjson.loads((await world.call("GET", "/v1/events", role=Role.ANALYST)).content)["data"]
    told = orjson.loads(before)["data"]
    assert [(one["id"], one["type"], one["data"]["id"]) for one in masked] == [
        (one["id"], one["type"], one["data"]["id"]) for one in told
    ]
    opened = next(one for one in masked if one["type"] == "conversation.opened")
    assert opened["data"]["status"] == "open"
    assert opened["data"]["subject"] is None
