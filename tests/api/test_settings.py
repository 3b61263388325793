"""What people configure, over REST: made, read, changed, taken away; refused with every place that is wrong."""

from typing import Any

import pytest

from shared.models.sealed import channel_secrets
from shared.store import deliveries
from tests.api.world import World

HOURS = {
    "name": "Office",
    "timezone": "Europe/Amsterdam",
    "weekly": {"mon": [["09:00", "17:00"]], "fri": [["22:00", "02:00"]]},
}

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("brands", {"name": "Northwind", "handles": ["@NorthWind", "northwind"]}, {"aliases": ["NW"]}),
    ("queries", {"name": "outage", "text": "northwind AND (outage OR storing)"}, {"status": "paused"}),
    ("issue-types", {"key": "app.down", "name": "App down", "phrases": {"en": ["app .. (down|broken)"]}}, {"severity": 5}),
    ("playbooks", {"name": "Outage", "steps": [{"kind": "say", "title": "Sorry"}]}, {"owner": "Network"}),
    ("calendars", HOURS, {"holidays": [{"date": "2026-12-25", "name": "Christmas"}]}),
    ("teams", {"name": "Day"}, {"name": "Night"}),
    ("agents", {"name": "Al", "skills": [{"kind": "product", "name": "tv", "level": 4}]}, {"presence": "online"}),
    ("queues", {"name": "VIP", "position": 3}, {"position": 4}),
    ("channels", {"type": "venue", "name": "Forum", "settings": {"page": "abc"}}, {"settings": {"page": "xyz", "depth": 3}}),
    ("webhook-endpoints", {"url": "http://127.0.0.1:9/x", "event_types": ["sla.*"]}, {"status": "disabled"}),
    (
        "sla-policies", {"name": "P", "targets": [{"metric": "first_response", "within": "PT60M", "hours": "clock"}]},
        {"ignore_older_than": None},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "change"), CASES, ids=[case[0] for case in CASES])
async def test_made_read_changed_and_taken_away(
    world: World, path: str, body: dict[str, Any], change: dict[str, Any]
) -> None:
    made = await world.post(f"/v1/{path}", body)
    url = f"/v1/{path}/{made['id']}"
    read = await world.get(url)
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert read["id"] in [one["id"] for one in (await world.get(f"/v1/{path}?limit=100"))["data"]]
    nothing = await world.call("PATCH", url, {})
    assert nothing.status_code == 200
    changed = await world.call("PATCH", url, change)
    assert changed.status_code == 200, changed.text
    for name, value in change.items():
        assert changed.json()[name] == value
    for name in body.keys() - change.keys() - {"handles", "targets"}:
        assert changed.json()[name] == read[name], name
    unknown = await world.call("PATCH", url, {"colour": "blue"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/colour"
    assert (await world.call("DELETE", url)).status_code == 204
    if path == "channels":
        assert (await world.get(url))["status"] == "paused"
    else:
        assert (await world.call("GET", url)).status_code == 404
        assert (await world.call("DELETE", url)).status_code == 404


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("brands", {"name": "  "}, "/name"),
    ("brands", {"name": "x", "aliases": [""]}, "/aliases/0"),
    ("queries", {"name": "q", "text": "northwind AND ("}, "/text"),
    ("queries", {"name": "q", "text": "x", "status": "sleeping"}, "/status"),
    ("issue-types", {"key": "Has Spaces", "name": "x"}, "/key"),
    ("issue-types", {"key": "x", "name": "x", "severity": 9}, "/severity"),
    ("issue-types", {"key": "x", "name": "x", "phrases": {"en": ["(open"]}}, "/phrases"),
    ("issue-types", {"key": "x", "name": "x", "parent_key": "none.such"}, "/parent_key"),
    ("playbooks", {"name": "x", "steps": [{"kind": "sing", "title": "x"}]}, "/steps/0/kind"),
    ("playbooks", {"name": "x", "issue_key": "none.such"}, "/issue_key"),
    ("playbooks", {"name": "x", "templates": [{"language": "en"}]}, "/templates/0/text"),
    ("calendars", {**HOURS, "weekly": {}}, "/weekly"),
    ("calendars", {**HOURS, "timezone": "Mars/Olympus"}, "/timezone"),
    ("calendars", {**HOURS, "weekly": {"mon": [["09:00", "25:00"]]}}, "/weekly/mon/0/1"),
    ("calendars", {**HOURS, "colour": 1}, "/colour"),
    ("sla-policies", {"name": "x", "targets": []}, "/targets"),
    ("sla-policies", {"name": "x", "targets": [{"metric": "first_response", "within": "an hour"}]}, "/targets/0/within"),
    (
        "sla-policies", {"name": "x", "targets": [{"metric": "first_response", "within": "PT1H", "hours": "business"}]},
        "/targets/0/hours",
    ),
    ("sla-policies", {"name": "x", "ignore_older_than": 7, "targets": []}, "/ignore_older_than"),
    (
        "sla-policies",
        {
            "name": "x", "filter": {"field": "mood", "op": "eq", "value": 1},
            "targets": [{"metric": "update", "within": "PT1H", "hours": "clock"}],
        },
        "/filter/field",
    ),
    ("agents", {"name": "x", "skills": [{"kind": "product"}]}, "/skills/0"),
    ("agents", {"name": "x", "capacity": 10**9}, "/capacity"),
    ("channels", {"type": "none", "name": "x"}, "/type"),
    ("channels", {"type": "venue", "name": "x", "settings": {}}, "/settings/page"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "x"}}, "/settings/page"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "abc", "depth": 0}}, "/settings/depth"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "abc", "depth": "deep"}}, "/settings/depth"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "abc", "mode": "odd"}}, "/settings/mode"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "abc"}, "secrets": {"token": "abc"}}, "/secrets/token"),
    ("channels", {"type": "venue", "name": "x", "settings": {"page": "abc"}, "thread_mode": "loose"}, "/thread_mode"),
    ("webhook-endpoints", {"url": "http://127.0.0.1:9/", "event_types": []}, "/event_types"),
    ("webhook-endpoints", {"url": "http://127.0.0.1:9/", "event_types": ["mention.sung"]}, "/event_types/0"),
    ("webhook-endpoints", {"url": "http://169.254.169.254/latest", "event_types": ["*"]}, "/url"),
    ("webhook-endpoints", {"url": "ftp://127.0.0.1/", "event_types": ["*"]}, "/url"),
    ("webhook-endpoints", {"url": "http://user:pw@127.0.0.1/", "event_types": ["*"]}, "/url"),
    ("api-keys", {"name": "x", "role": "king"}, "/role"),
    ("api-keys", {"name": "x", "role": "agent", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
]  # fmt: skip


async def test_what_is_wrong_is_refused_at_its_place(world: World) -> None:
    for path, body, pointer in WRONG:
        answer = await world.call("POST", f"/v1/{path}", body)
        assert answer.status_code == 422, (path, body, answer.text)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]], (path, body, answer.text)


async def test_names_are_taken_once(world: World) -> None:
    await world.post("/v1/brands", {"name": "Northwind"})
    again = await world.call("POST", "/v1/brands", {"name": "Northwind"})
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    assert again.json()["errors"] == [{"pointer": "/name", "detail": "is taken"}]


async def test_versions_go_up_with_what_counts(world: World) -> None:
    query = await world.post("/v1/queries", {"name": "q", "text": "one"})
    assert query["version"] == 1
    assert (await world.call("PATCH", f"/v1/queries/{query['id']}", {"name": "r"})).json()["version"] == 1
    assert (await world.call("PATCH", f"/v1/queries/{query['id']}", {"text": "two"})).json()["version"] == 2
    playbook = await world.post("/v1/playbooks", {"name": "p"})
    await world.call("PATCH", f"/v1/playbooks/{playbook['id']}", {"owner": "me"})
    versions = (await world.get(f"/v1/playbooks/{playbook['id']}/versions"))["data"]
    assert [(one["version"], one["body"]["owner"]) for one in versions] == [(2, "me"), (1, None)]
    calendar = await world.post("/v1/calendars", HOURS)
    await world.call("PATCH", f"/v1/calendars/{calendar['id']}", {"name": "Other"})
    changed = await world.call("PATCH", f"/v1/calendars/{calendar['id']}", {"weekly": {"tue": [["10:00", "24:00"]]}})
    assert changed.json()["version"] == 2
    async with world.database.read(world.workspace_id) as connection:
        kept = await connection.fetch(
            "SELECT version, body->'weekly' ? 'tue' AS tue FROM sla_version WHERE subject_id::text = $1 ORDER BY 1",
            calendar["id"],
        )
    assert [(row["version"], row["tue"]) for row in kept] == [(1, False), (2, True)]


async def test_a_playbook_is_attached_to_its_issue_type_and_only_one(world: World) -> None:
    kind = await world.post("/v1/issue-types", {"key": "app.down", "name": "App down"})
    first = await world.post("/v1/playbooks", {"name": "one", "issue_key": "app.down"})
    assert (await world.get(f"/v1/issue-types/{kind['id']}"))["playbook_id"] == first["id"]
    second = await world.post("/v1/playbooks", {"name": "two"})
    await world.call("PATCH", f"/v1/issue-types/{kind['id']}", {"playbook_id": second["id"]})
    assert (await world.get(f"/v1/issue-types/{kind['id']}"))["playbook_id"] == second["id"]
    assert (await world.call("DELETE", f"/v1/playbooks/{second['id']}")).status_code == 204
    assert (await world.get(f"/v1/issue-types/{kind['id']}"))["playbook_id"] is None


async def test_a_calendar_in_use_and_an_issue_type_with_children_stay(world: World) -> None:
    calendar = await world.post("/v1/calendars", HOURS)
    targets = [{"metric": "first_response", "within": "PT1H", "hours": "business"}]
    await world.post("/v1/sla-policies", {"name": "p", "calendar_id": calendar["id"], "targets": targets})
    assert (await world.call("DELETE", f"/v1/calendars/{calendar['id']}")).status_code == 409
    parent = await world.post("/v1/issue-types", {"key": "app", "name": "App"})
    await world.post("/v1/issue-types", {"key": "app.down", "name": "App down", "parent_key": "app"})
    assert (await world.call("DELETE", f"/v1/issue-types/{parent['id']}")).status_code == 409


async def test_durations_are_iso_at_the_door(world: World) -> None:
    targets = [{"metric": "first_response", "within": "PT90M", "hours": "clock"}]
    made = await world.post("/v1/sla-policies", {"name": "p", "ignore_older_than": "PT36H", "targets": targets})
    assert made["ignore_older_than"] == "P1DT12H"
    assert made["targets"][0]["within"] == "PT1H30M"
    changed = await world.call("PATCH", f"/v1/sla-policies/{made['id']}", {"name": "q"})
    assert changed.json()["ignore_older_than"] == "P1DT12H"
    assert changed.json()["version"] == 1
    async with world.database.read(world.workspace_id) as connection:
        stored = await connection.fetchval("SELECT ignore_older_than FROM sla_policy WHERE id::text = $1", made["id"])
    assert stored == 36 * 3600


async def test_secrets_are_sealed_for_their_row_and_never_shown(world: World) -> None:
    body = {"type": "venue", "name": "f", "settings": {"page": "abc"}, "secrets": {"token": "swordfish"}}
    made = await world.call("POST", "/v1/channels", body)
    assert made.status_code == 201
    assert "swordfish" not in made.text
    assert "secrets" not in made.json()
    channel_id = made.json()["id"]
    async with world.database.read(world.workspace_id) as connection:
        row = await connection.fetchrow("SELECT id, secrets FROM channel WHERE id::text = $1", channel_id)
    assert row is not None
    assert b"swordfish" not in row["secrets"]
    vault = world.client._transport.app.state.doorkeeper.vault  # type: ignore[attr-defined]
    assert vault.open(row["secrets"], world.workspace_id, channel_secrets(row["id"])) == '{"token":"swordfish"}'
    endpoint = await world.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/", "event_types": ["*"]})
    rotated = await world.post(f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret", status=200)
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["former_secret_until"] is not None
    async with world.database.read(world.workspace_id) as connection:
        row = await connection.fetchrow(
            "SELECT secret, former_secret FROM webhook_endpoint WHERE id::text = $1", endpoint["id"]
        )
    assert row is not None
    opened = [
        vault.open(row[name], world.workspace_id, deliveries.SECRET_FIELD) for name in ("secret", "former_secret")
    ]
    assert opened == [rotated["secret"], endpoint["secret"]]
    assert "secret" not in await world.get(f"/v1/webhook-endpoints/{endpoint['id']}")


async def test_webhook_tests_and_recoveries(world: World) -> None:
    endpoint = await world.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/", "event_types": ["sla.*"]})
    path = f"/v1/webhook-endpoints/{endpoint['id']}"
    await world.post(f"{path}/test", status=202)
    assert len(await world.events("webhook_endpoint.tested")) == 1
    since = {"since": endpoint["created_at"]}
    assert await world.post(f"{path}/recover", since, status=202) == {"deliveries": 0}
    assert await world.post(f"{path}/replay-missing", since, status=202) == {"deliveries": 0}
    for wrong in ({}, {"since": "2020-01-01T00:00:00Z"}, {"since": "yesterday"}, {**since, "x": 1}):
        assert (await world.call("POST", f"{path}/recover", wrong)).status_code == 422
    await world.call("PATCH", path, {"status": "disabled"})
    assert (await world.call("POST", f"{path}/test")).status_code == 409


async def test_a_team_leaves_agents_and_queues_with_it(world: World) -> None:
    team = await world.post("/v1/teams", {"name": "Day"})
    agent = await world.post("/v1/agents", {"name": "Al", "team_ids": [team["id"]]})
    queue = await world.post("/v1/queues", {"name": "Own", "team_ids": [team["id"]]})
    assert (await world.call("DELETE", f"/v1/teams/{team['id']}")).status_code == 204
    assert (await world.get(f"/v1/agents/{agent['id']}"))["team_ids"] == []
    assert (await world.get(f"/v1/queues/{queue['id']}"))["team_ids"] == []


async def test_queries_are_validated_and_tried(world: World) -> None:
    fine = await world.post(
        "/v1/queries/validate", {"text": 'northwind AND ("no signal" OR outage) AND NOT energy'}, status=200
    )
    assert fine["valid"]
    assert next(one["text"] for one in fine["terms"]) == "northwind"
    wrong = await world.post("/v1/queries/validate", {"text": "northwind AND (outage"}, status=200)
    assert not wrong["valid"]
    assert wrong["errors"][0]["position"] >= len("northwind AND ")
    await world.a_mention(said="Northwind outage in our street")
    await world.a_mention(said="Northwind is lovely")
    await world.a_mention(said="A storm over nórthwind, outáge everywhere")
    tried = await world.post("/v1/queries/dry-run", {"text": "northwind AND outage", "days": 7}, status=200)
    assert (tried["hits"], tried["complete"]) == (2, True)
    assert sum(week["count"] for week in tried["weeks"]) == 2
    sample = next(one for one in tried["samples"] if "street" in one["said"])
    assert [sample["said"][span["start"] : span["end"]] for span in sample["spans"]] == ["Northwind", "outage"]
    for body in ({"text": "a", "days": 0}, {"text": "NOT a"}, {"text": 3}, {"text": "a", "x": 1}):
        assert (await world.call("POST", "/v1/queries/dry-run", body)).status_code == 422
