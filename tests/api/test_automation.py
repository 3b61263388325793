"""Rules of automation: once for each event, with the desk's own verbs, never in a circle, and with a trail."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.api import automation
from services.api.automation import Automation
from services.api.desk import actions
from shared.kit import clock
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.conversation import Priority
from shared.sequencer import sequence
from shared.store import automation as store
from shared.store import conversation as threads
from tests.api.world import World, a_world
from tests.waiting import somebody_waits

URGENT = {"field": "priority", "op": "eq", "value": "urgent"}


class Rules:
    """A world with automation."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.automation = Automation(world.database, Vault(settings.secret_key.get_secret_value()), settings)

    async def rule(self, event: str, *actions: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        await self.told()  # what was told before the rule is there is not its business
        made: dict[str, Any] = await self.world.post(
            "/v1/automation-rules",
            {"name": f"{event} {len(actions)} {clock.now()}", "event": event, "actions": list(actions), **fields},
        )
        return made

    async def told(self) -> None:
        while await sequence(self.world.database, self.world.workspace_id):
            pass

    async def settle(self) -> None:
        """Until nothing new is told and every rule has been asked."""
        for _ in range(60):
            await self.told()
            more = await self.automation.once()
            if not more and not await self.world.events("conversation.status_changed", "conversation.priority_changed"):
                await self.told()
                if not await self.automation.once():
                    return
        raise AssertionError("it never came to rest")

    async def runs(self, **narrowed: Any) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in narrowed.items())
        found: list[dict[str, Any]] = (await self.world.get(f"/v1/automation-runs?{query}"))["data"]
        return found

    async def conversation(self, conversation_id: UUID) -> dict[str, Any]:
        found: dict[str, Any] = await self.world.get(f"/v1/conversations/{conversation_id}")
        return found


@pytest.fixture
async def rules(world: World, settings: Settings) -> Rules:
    return Rules(world, settings)


async def test_a_rule_acts_once_on_what_matches_and_is_told_of(rules: Rules) -> None:
    rule = await rules.rule(
        "conversation.opened",
        {"do": "tag", "tags": ["vip"]},
        {"do": "note", "text": "Look at this first."},
        filter=URGENT,
    )
    urgent, _ = await rules.world.a_conversation(priority=Priority.URGENT)
    normal, _ = await rules.world.a_conversation()
    await rules.told()
    await asyncio.gather(*(rules.automation.once() for _ in range(4)))
    await rules.settle()
    assert (await rules.conversation(urgent))["tags"] == ["vip"]
    assert (await rules.conversation(normal))["tags"] == []
    (run,) = await rules.runs(rule=rule["id"])
    assert (run["outcome"], run["conversation_id"], run["rule_version"]) == ("done", str(urgent), 1)
    assert [step["do"] for step in run["steps"]] == ["tag", "note"]
    messages = (await rules.world.get(f"/v1/conversations/{urgent}/messages"))["data"]
    assert [one["text"] for one in messages if one["kind"] == "note"] == ["Look at this first."]


async def test_what_was_told_before_the_rule_or_while_it_was_paused_is_not_its_business(rules: Rules) -> None:
    await rules.world.a_conversation()
    rule = await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]})
    await rules.settle()
    await rules.world.call("PATCH", f"/v1/automation-rules/{rule['id']}", {"status": "paused"})
    await rules.world.a_conversation()
    await rules.settle()
    await rules.world.call("PATCH", f"/v1/automation-rules/{rule['id']}", {"status": "active"})
    await rules.settle()
    assert await rules.runs() == []
    await rules.world.a_conversation()
    await rules.settle()
    assert len(await rules.runs()) == 1


async def test_a_rule_that_was_paused_does_not_wade_through_what_was_told_meanwhile(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]})
    await rules.world.a_conversation()
    await rules.settle()
    for status in ("paused", "active"):
        for _ in range(3):
            await rules.world.a_conversation()
        await rules.told()
        await rules.world.call("PATCH", f"/v1/automation-rules/{rule['id']}", {"status": status})
        if status == "paused":
            await rules.settle()
    latest, _ = await rules.world.a_conversation()
    await rules.told()
    monkeypatch.setattr(automation, "AT_ONCE", 1)
    await rules.automation.once()
    assert (await rules.conversation(latest))["tags"] == ["x"]


async def test_an_action_that_is_refused_undoes_those_before_it_and_says_so(rules: Rules) -> None:
    await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]}, {"do": "reopen"})
    conversation_id, _ = await rules.world.a_conversation()
    await rules.settle()
    (run,) = await rules.runs()
    assert run["outcome"] == "failed"
    assert run["error"].startswith("Action 2 (reopen): Conversation")
    assert (await rules.conversation(conversation_id))["tags"] == []


async def test_an_action_that_breaks_stops_neither_other_rules_nor_what_comes_after(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise TypeError("nobody thought of this")

    monkeypatch.setattr(automation, "BY_RULE", {**actions.BY_RULE, "snooze": broken})
    await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]}, {"do": "snooze", "for": "PT1H"}, position=1)
    await rules.rule("conversation.opened", {"do": "tag", "tags": ["y"]}, position=2)
    opened = [(await rules.world.a_conversation())[0] for _ in range(2)]
    await rules.settle()
    assert [(await rules.conversation(one))["tags"] for one in opened] == [["y"], ["y"]]
    failed = await rules.runs(outcome="failed")
    assert [one["error"] for one in failed] == 2 * [automation.BROKE]


async def test_a_workspace_whose_rules_cannot_be_asked_stops_no_other(
    rules: Rules, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Rules(await a_world(rules.world.database, rules.world.client), settings)
    opened = {}
    for one in (rules, other):
        await one.rule("conversation.opened", {"do": "tag", "tags": ["x"]})
        opened[one.world.workspace_id], _ = await one.world.a_conversation()
        await one.told()
    ask = Automation._ask

    async def ask_one(self: Automation, session: Any, workspace_id: UUID) -> bool:
        if workspace_id == rules.world.workspace_id:
            raise RuntimeError("something of this workspace")
        return await ask(self, session, workspace_id)

    monkeypatch.setattr(Automation, "_ask", ask_one)
    await rules.automation.once()
    assert (await rules.conversation(opened[rules.world.workspace_id]))["tags"] == []
    assert (await other.conversation(opened[other.world.workspace_id]))["tags"] == ["x"]


async def test_rules_that_set_each_other_off_end(rules: Rules) -> None:
    normal, high = ({"field": "priority", "op": "eq", "value": value} for value in ("normal", "high"))
    up = await rules.rule("conversation.priority_changed", {"do": "change", "priority": "high"}, filter=normal)
    down = await rules.rule("conversation.priority_changed", {"do": "change", "priority": "normal"}, filter=high)
    conversation_id, _ = await rules.world.a_conversation()
    etag = (await rules.world.call("GET", f"/v1/conversations/{conversation_id}")).headers["etag"]
    await rules.world.call(
        "PATCH", f"/v1/conversations/{conversation_id}", {"priority": "high"}, headers={"if-match": etag}
    )
    await rules.settle()
    runs = list(reversed(await rules.runs()))
    assert [(one["rule_id"], one["outcome"], len(one["chain"])) for one in runs] == [
        (down["id"], "done", 0),
        (up["id"], "done", 1),
        (down["id"], "looped", 1),  # of the same event, which left it high again
        (down["id"], "looped", 2),
    ]
    assert [one["rule_id"] for one in runs[3]["chain"]] == [down["id"], up["id"]]
    assert (await rules.conversation(conversation_id))["priority"] == "high"


async def test_a_rule_does_not_act_on_one_conversation_again_and_again(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automation, "OFTEN", 3)
    await rules.rule("note.created", {"do": "tag", "tags": ["x"]})
    conversation_id, _ = await rules.world.a_conversation()
    for n in range(5):
        await rules.world.post(f"/v1/conversations/{conversation_id}/notes", {"text": f"note {n}"})
    await rules.settle()
    assert sorted(one["outcome"] for one in await rules.runs()) == ["done", "done", "done", "looped", "looped"]


async def test_a_dry_run_says_what_it_would_have_acted_on_and_does_nothing(rules: Rules) -> None:
    urgent = [(await rules.world.a_conversation(priority=Priority.URGENT))[0] for _ in range(3)]
    await rules.world.a_conversation()
    await rules.told()
    asked = {"event": "conversation.opened", "filter": URGENT, "actions": [{"do": "resolve"}]}
    tried = await rules.world.post("/v1/automation-rules/dry-run", asked, status=200)
    assert (tried["looked_at"], tried["hits"], tried["conversations"]) == (4, 3, 3)
    assert {one["conversation_id"] for one in tried["samples"]} == {str(one) for one in urgent}
    assert {(await rules.conversation(one))["status"] for one in urgent} == {"open"}
    past = {**asked, "from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z"}
    assert (await rules.world.post("/v1/automation-rules/dry-run", past, status=200))["hits"] == 0


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"event": "mention.received"}, "/event"),
        ({"actions": []}, "/actions"),
        ({"actions": [{"do": "dance"}]}, "/actions/0/do"),
        ({"actions": [{"do": "tag", "colour": "red"}]}, "/actions/0/colour"),
        ({"actions": [{"do": "assign", "agent_id": "0190a0f0-0000-7000-8000-000000000000"}]}, "/actions/0/agent_id"),
        ({"actions": [{"do": "assign", "agent_id": "jo"}]}, "/actions/0/agent_id"),
        ({"actions": [{"do": "change", "issue_keys": ["nope"]}]}, "/actions/0/issue_keys"),
        ({"actions": [{"do": "snooze", "for": "soon"}]}, "/actions/0/for"),
        ({"actions": [{"do": "note", "text": " "}]}, "/actions/0/text"),
        ({"actions": [{"do": "change"}]}, "/actions/0"),
        ({"filter": {"field": "prioritee", "op": "eq", "value": 1}}, "/filter/field"),
    ],
)  # fmt: skip
async def test_a_rule_that_cannot_be_used_is_refused_with_the_place(
    world: World, fields: dict[str, Any], pointer: str
) -> None:
    rule = {"name": "r", "event": "conversation.opened", "actions": [{"do": "resolve"}], **fields}
    refused = await world.call("POST", "/v1/automation-rules", rule)
    assert refused.status_code == 422, refused.text
    assert pointer in [one["pointer"] for one in refused.json()["errors"]]


async def test_a_process_that_dies_in_between_has_done_nothing(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]})
    conversation_id, _ = await rules.world.a_conversation()
    await rules.told()
    with monkeypatch.context() as dying:

        async def die(*_: Any) -> None:
            raise asyncio.CancelledError

        dying.setattr(store, "end", die)
        with pytest.raises(asyncio.CancelledError):
            await rules.automation.once()
    assert (await rules.conversation(conversation_id))["tags"] == []
    await rules.settle()
    assert (await rules.conversation(conversation_id))["tags"] == ["x"]
    assert len(await rules.runs()) == 1


async def test_what_a_rule_did_names_the_rule(rules: Rules) -> None:
    rule = await rules.rule("conversation.opened", {"do": "snooze", "for": "PT4H"})
    conversation_id, _ = await rules.world.a_conversation()
    await rules.settle()
    shown = await rules.conversation(conversation_id)
    until = clock.now() + timedelta(hours=4)
    assert shown["status"] == "snoozed"
    assert abs((until - datetime.fromisoformat(shown["snoozed_until"])).total_seconds()) < 600
    async with rules.world.database.read(rules.world.workspace_id) as connection:
        data = await connection.fetchval("SELECT data FROM event WHERE type = 'conversation.snoozed'")
    assert f"rule:{rule['id']}" in orjson.dumps(orjson.loads(data)).decode()


async def test_rules_lock_conversations_in_the_order_in_which_everybody_does(rules: Rules) -> None:
    await rules.rule("note.created", {"do": "tag", "tags": ["x"]})
    older, newer = sorted([(await rules.world.a_conversation())[0] for _ in range(2)])
    for one in (newer, older):
        await rules.world.post(f"/v1/conversations/{one}/notes", {"text": "Look."})
    await rules.told()
    async with rules.world.database.write(rules.world.workspace_id) as session:
        await threads.lock(session, rules.world.workspace_id, older)
        asking = asyncio.create_task(rules.automation.once())
        await somebody_waits(rules.world.database)
        await threads.lock(session, rules.world.workspace_id, newer)  # what the feed named first is not held meanwhile
    await asking
    assert [one["outcome"] for one in await rules.runs()] == ["done", "done"]


async def test_what_no_rule_is_for_is_not_locked(rules: Rules) -> None:
    await rules.rule("conversation.opened", {"do": "tag", "tags": ["x"]}, filter=URGENT)
    normal, _ = await rules.world.a_conversation()
    urgent, _ = await rules.world.a_conversation(priority=Priority.URGENT)
    await rules.told()
    async with rules.world.database.write(rules.world.workspace_id) as session:
        await threads.lock(session, rules.world.workspace_id, normal)
        async with asyncio.timeout(20):
            await rules.automation.once()
    (run,) = await rules.runs()
    assert (run["conversation_id"], run["outcome"]) == (str(urgent), "done")
