"""From whom personal data is hidden, has no words looked for in what customers said: what is found would tell of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.api import auth
from services.api.graphql.objects import camel
from shared.kit.settings import Settings
from shared.models.workspace import Role
from shared.store.reading import HIDDEN_CODE
from tests.api.test_masking import hide
from tests.api.world import World


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed setting holds at once."""
    monkeypatch.setattr(auth, "MASKING_KEPT_S", 0.0)


_BY_SUBJECT = {"any": [{"field": "subject", "op": "contains", "value": "maria"}]}
_BY_HANDLE = {"not": {"field": "author.handle", "op": "eq", "value": "maria.jansen0"}}
_PROMISE = {
    "name": "p",
    "targets": [{"metric": "first_response", "priority": "urgent", "within": "PT1H", "hours": "business"}],
}
_LOOKS_FOR: Mapping[str, tuple[str, str, Any, Any]] = {
    "a query": ("queries", "Query", {"name": "maria", "text": "maria OR internet"}, {"text": "jansen"}),
    "an issue type": (
        "issue-types", "IssueType", {"key": "a.maria", "name": "M", "phrases": {"en": ["maria"]}}, {"unless": {"en": ["jansen"]}},
    ),
    "a brand": ("brands", "Brand", {"name": "Maria"}, {"excluded": ["jansen"]}),
    "a queue": ("queues", "Queue", {"name": "maria", "filter": _BY_SUBJECT}, {"filter": _BY_HANDLE}),
    "an SLA policy": ("sla-policies", "SlaPolicy", {**_PROMISE, "filter": _BY_HANDLE}, {"filter": _BY_SUBJECT}),
    "a rule of automation": (
        "automation-rules", "AutomationRule",
        {"name": "maria", "event": "conversation.opened", "actions": [{"do": "resolve"}], "filter": _BY_SUBJECT},
        {"filter": _BY_HANDLE},
    ),
}  # fmt: skip
_HARMLESS: Mapping[str, Any] = {
    "queries": {"name": "renamed"}, "issue-types": {"severity": 5}, "queues": {"filter": {"field": "lang", "op": "eq", "value": "nl"}},
    "sla-policies": {"name": "renamed"}, "automation-rules": {"status": "paused"},
}  # fmt: skip


@pytest.mark.parametrize("what", _LOOKS_FOR)
async def test_nobody_has_words_looked_for_that_are_hidden_from_them(
    world: World, api_settings: Settings, what: str
) -> None:
    """What a query, an issue, a brand's names or a filter finds shows at once which mention has the words."""
    path, noun, made, changed = _LOOKS_FOR[what]
    if path == "sla-policies":
        calendar = await world.post(
            "/v1/calendars", {"name": "c", "timezone": "Europe/Amsterdam", "weekly": {"mon": [["09:00", "10:00"]]}}
        )
        made = {**made, "calendar_id": calendar["id"]}
    standing = await world.post(f"/v1/{path}", made)
    await hide(world, api_settings, Role.LEAD)
    own = f"/v1/{path}/{standing['id']}"
    known = (await world.get(f"/v1/{path}"))["data"]
    for method, at, body in (("POST", f"/v1/{path}", {**made, "name": "another", "key": "b"} if "key" in made else made),
                             ("PATCH", own, changed)):  # fmt: skip
        answer = await world.call(method, at, body, role=Role.LEAD)
        assert (answer.status_code, answer.json()["code"]) == (403, HIDDEN_CODE), (method, answer.text)
    verb = f"mutation($id: ID!, $input: Change{noun}Input!) {{ change{noun}(id: $id, input: $input) {{ __typename }} }}"
    given = {"id": standing["id"], "input": {camel(name): value for name, value in changed.items()}}
    told = (await world.call("POST", "/graphql", {"query": verb, "variables": given}, role=Role.LEAD)).json()
    assert told["errors"][0].get("extensions", {}).get("code") == HIDDEN_CODE, told
    assert (await world.get(f"/v1/{path}"))["data"] == known
    if path in _HARMLESS:
        assert (await world.call("PATCH", own, _HARMLESS[path], role=Role.LEAD)).status_code == 200
    assert (await world.call("PATCH", own, changed)).status_code == 200, "an admin may"
