"""Replaying the past: what held reproduces what stands, whatever conversations lived through; other policies are told beside it."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from shared.acts import clocks
from shared.kit import clock
from shared.models.conversation import Priority
from shared.models.workspace import Role
from shared.rules import sla_clock
from shared.store import sla
from tests.acts import a_journey
from tests.acts.a_journey import START, Journey
from tests.api.world import World


@pytest.fixture
async def journey(world: World) -> AsyncIterator[Journey]:
    with time_machine.travel(START, tick=False) as travel:
        for policy in (await world.get("/v1/sla-policies"))["data"]:
            await world.call("DELETE", f"/v1/sla-policies/{policy['id']}")
        yield Journey(world.database, world.workspace_id, await world.a_channel(), travel)


async def policies(world: World) -> dict[str, Any]:
    """Three policies, by name, two of them by one calendar."""
    calendar = await world.post("/v1/calendars", a_journey.CALENDAR)
    by = {"calendar_id": calendar["id"]}
    made = [
        await world.post("/v1/sla-policies", one)
        for one in (a_journey.FOR_VIPS, a_journey.FOR_THE_PRESSING | by, a_journey.FOR_ALL | by)
    ]
    return {"calendar": calendar["id"], **{one["name"]: one["id"] for one in made}}


@pytest.mark.parametrize("seed", [3, 11])
async def test_what_held_reproduces_what_stands(world: World, journey: Journey, seed: int) -> None:
    chance, known = random.Random(seed), await policies(world)
    names = [f"t{n}" for n in range(24)]
    edits = {
        30: ("calendars", known["calendar"], {"weekly": a_journey.HOURS | {"sat": [["10:00", "14:00"]]}}),
        55: ("sla-policies", known["Pressing"], {"warnings": ["0.25"], "starts_at": "published_at"}),
        75: ("calendars", known["calendar"], {"weekly": a_journey.HOURS | a_journey.NIGHTS}),
        100: ("sla-policies", known["All"], {"targets": a_journey.FOR_VIPS["targets"]}),
    }
    for step in range(130):
        journey.goes_on(chance.choice([0.5, 3, 20, 90]))
        if step in edits:
            noun, key, body = edits[step]
            changed = await world.call("PATCH", f"/v1/{noun}/{key}", body)
            assert changed.status_code == 200, changed.text
        name = chance.choice(names)
        if name in journey.threads:
            await journey.at_random(chance, name)
        else:
            await journey.writes(name, priority=chance.choice(list(Priority)))
        if step % 10 == 0:
            await journey.works_edits_through()
        if step % 7 == 0:
            await journey.watch()
    await journey.works_edits_through()
    journey.goes_on(0.37)
    period = {"from": clock.iso(START - timedelta(days=1)), "to": clock.iso(journey.now + timedelta(days=1))}
    found = await world.post("/v1/sla-policies/what-if", period, status=200)
    assert found["complete"] is True
    assert found["looked_at"] == len(await journey.rows("SELECT id FROM conversation"))
    assert found["stored"] == found["reproduced"] > 50
    assert {one["metric"] for one in found["metrics"]} == {"first_response", "next_response", "update", "resolution"}
    assert sum(one["stored"]["breached"] for one in found["metrics"]) > 5
    assert sum(one["stored"]["met"] for one in found["metrics"]) > 5
    await journey.watch()
    await all_is_told(journey)


async def all_is_told(journey: Journey) -> None:
    """Every verdict that holds was told and not taken back; every one that was told and does not hold was."""
    async with journey.database.write(journey.workspace_id) as session:
        ids = [row["id"] for row in await journey.rows("SELECT id FROM sla_clock")]
        rows = await sla.lock_clocks(session, journey.workspace_id, clock_ids=ids)
        events = await clocks.histories(session, journey.workspace_id, rows)
        told = await sla.told(session, journey.workspace_id, ids)
    for row in rows:
        until = max([clock.now(), *(event.at for event in events[row.id])])
        left = sla_clock.untold(told.get(row.id, set()), events[row.id], until)
        assert [fact for fact in left if fact.kind not in {"started", "cancelled"}] == []
        folded = sla_clock.read(events[row.id], until)
        assert row.state == (folded.state if folded else "cancelled")
        assert row.breached_at == (folded.breached_at if folded else None)
    notices = await journey.rows("SELECT clock_id, key FROM sla_notice")
    assert len(await journey.told()) == len(notices) == len({(row["clock_id"], row["key"]) for row in notices})


async def test_other_policies_are_told_beside_what_stands(world: World, journey: Journey) -> None:
    made = await world.post(
        "/v1/sla-policies",
        {"name": "p", "targets": [{"metric": "first_response", "within": "PT1H", "hours": "clock"}]},
    )
    for name, minutes in (("soon", 10), ("later", 40), ("late", 90)):
        await journey.writes(name)
        journey.goes_on(minutes)
        await journey.answers(name)
    await journey.writes("never")
    journey.goes_on(180)  # nobody looked, and it is breached all the same
    period = {"from": clock.iso(START - timedelta(hours=1)), "to": clock.iso(journey.now)}
    target = {"metric": "first_response", "within": "PT30M", "hours": "clock"}
    stricter = {**period, "policies": [{"targets": [target]}]}
    found = await world.post("/v1/sla-policies/what-if", stricter, status=200)
    assert (found["looked_at"], found["stored"], found["reproduced"]) == (4, 4, 4)
    assert found["metrics"] == [
        {
            "metric": "first_response", "clocks": 4, "stored": {"met": 2, "breached": 2}, "proposed": {"met": 1, "breached": 3},
            "changed": 1,
        }
    ]  # fmt: skip
    (sample,) = found["samples"]
    assert sample["conversation_id"] == str(journey.threads["later"])
    (stands,), (proposed,) = sample["stored"], sample["proposed"]
    assert (stands["state"], proposed["state"], proposed["elapsed"]) == ("met", "breached", "PT40M")
    # the same by a change to the policy in force, by both doors, and by whoever reads figures
    changes = {**period, "policy_id": made["id"], "changes": {"targets": [target]}}
    by_change = await world.post("/v1/sla-policies/what-if", changes, status=200, role=Role.ANALYST)
    assert by_change == found
    # on business hours nothing of Friday 15:00 (17:00 in Amsterdam after an hour) is late before Monday
    hours = {key: a_journey.CALENDAR[key] for key in ("timezone", "weekly")}
    by_hours = [{"calendar": hours, "targets": [{**target, "within": "PT4H", "hours": "business"}]}]
    (lenient,) = (await world.post("/v1/sla-policies/what-if", {**period, "policies": by_hours}, status=200))["metrics"]
    assert lenient["proposed"] == {"met": 3, "breached": 0}
    nothing = [{"filter": {"field": "priority", "op": "eq", "value": "urgent"}, "targets": [target]}]
    (none,) = (await world.post("/v1/sla-policies/what-if", {**period, "policies": nothing}, status=200))["metrics"]
    assert (none["clocks"], none["changed"]) == (0, 4)
    assert await journey.rows("SELECT * FROM sla_clock WHERE breached_at IS NULL AND state = 'breached'") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"policies": []}, "/policies"),
        ({"policies": [{"targets": []}]}, "/policies/0/targets"),
        ({"policies": [{"targets": [], "calendar": {"timezone": "Nowhere"}}]}, "/policies/0/calendar/timezone"),
        ({"changes": {}}, "/policy_id"),
        ({"calendar": {"timezone": "Europe/Amsterdam", "weekly": {}}}, "/calendar/weekly"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/from"),
        ({"colour": 1}, "/colour"),
    ],
)
async def test_what_is_wrong_is_named(world: World, body: dict[str, Any], pointer: str) -> None:
    answer = await world.call("POST", "/v1/sla-policies/what-if", body)
    assert answer.status_code == 422, answer.text
    assert pointer in {one["pointer"].removeprefix("#") for one in answer.json()["errors"]}
