"""Whoever looks after promises tells each thing once, whenever they look, however many look, whatever the clock on the wall does."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine

from services.triage import sla_watch
from shared.kit import clock
from shared.kit.database import Database
from tests.acts.a_journey import START, Journey
from tests.builders import a_channel, a_policy, a_workspace

HOUR = timedelta(hours=1)


async def told(journey: Journey) -> Counter[tuple[str, str]]:
    """How often each thing was told of each metric."""
    rows = await journey.rows(
        "SELECT type, payload ->> 'metric' AS metric, conversation_id FROM outbox WHERE type LIKE 'sla.%'"
    )
    each = Counter((row["type"], row["metric"], row["conversation_id"]) for row in rows)
    assert set(each.values()) <= {1}, "nothing is told twice"
    return Counter((type_, metric) for type_, metric, _ in each)


async def a_journey(database: Database, travel: object = None) -> Journey:
    workspace_id = await a_workspace(database)
    await a_policy(database, workspace_id, warnings=["0.5"])
    return Journey(database, workspace_id, await a_channel(database, workspace_id), travel)


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_wall_clock_that_jumps_makes_nothing_told_twice_or_never(database: Database, by: timedelta) -> None:
    """The process's clock jumps, that of Postgres does not; then it is set right again."""
    journey = await a_journey(database)
    ago = {"overdue": 80, "in time": 50, "at work": 5, "settled": 5}
    for name, minutes in ago.items():
        with time_machine.travel(clock.now() - timedelta(minutes=minutes)):
            await journey.writes(name)
    asked = {name: await last_message(journey, name) for name in ago}
    with time_machine.travel(clock.now() + by):
        assert await sla_watch.watch(database) is (by > -HOUR), "it does not spin on what it cannot tell yet"
        await journey.watch()
        await journey.answers("at work", answers=asked["at work"])
        await journey.answers("settled", answers=asked["settled"])
        await journey.does("settled", "wait_for_customer", actor="agent")
        await journey.does("settled", "resolve", actor="agent")
        await journey.does("settled", "reopen", actor="agent", reason="by hand")
        await journey.does("settled", "resolve", actor="agent")
        await journey.watch()
    await journey.watch()
    await journey.answers("in time", answers=asked["in time"])
    await journey.does("at work", "resolve", actor="agent")
    await journey.watch()
    state = {name: {m: many[0]["state"] for m, many in (await journey.clocks(name)).items()} for name in ago}
    assert state["overdue"] == {"first_response": "breached", "resolution": "running"}
    assert state["in time"] == {"first_response": "met", "resolution": "running"}
    late = by == HOUR  # by the clock that it was answered by
    assert state["at work"] == {"first_response": "breached" if late else "met", "resolution": "met"}
    assert state["settled"]["resolution"] == "met"
    for name in ("at work", "settled", "in time"):
        assert (await journey.conversation(name)).first_replied_at is not None
    (overdue,) = (await journey.clocks("overdue"))["first_response"]
    assert overdue["breached_at"] == overdue["started_at"] + HOUR
    found = await journey.rows(
        "SELECT type, payload ->> 'metric' AS metric, conversation_id AS c FROM outbox WHERE type LIKE 'sla.%'"
    )
    again = ("sla.met", "resolution", journey.threads["settled"])  # it was resolved twice
    each = Counter((row["type"], row["metric"], row["c"]) for row in found if row["type"] in VERDICTS)
    assert each.pop(again) == 2
    assert set(each.values()) == {1}
    wanted = {
        (f"sla.{s}", m, journey.threads[n]) for n, of in state.items() for m, s in of.items() if f"sla.{s}" in VERDICTS
    }
    assert wanted - {again} == each.keys()
    assert "sla.corrected" not in {row["type"] for row in found}


async def test_many_look_at_once_after_six_hours_and_each_thing_is_told_once(database: Database) -> None:
    with time_machine.travel(START, tick=False) as travel:
        journey = await a_journey(database, travel)
        names = [f"t{n}" for n in range(30)]
        for name in names:
            await journey.writes(name)
        journey.goes_on(20)
        for name in names[:10]:
            await journey.answers(name, settled=False)
        journey.goes_on(360)  # nobody looked

        async def watcher() -> None:
            while await sla_watch.watch(database):
                pass

        await asyncio.gather(*(watcher() for _ in range(4)))
        first = await journey.rows("SELECT * FROM sla_clock WHERE metric = 'first_response'")
        assert {row["breached_at"] for row in first} == {START + HOUR}
        assert await told(journey) == {
            ("sla.started", "first_response"): 30, ("sla.started", "resolution"): 30, ("sla.warning", "first_response"): 30,
            ("sla.breached", "first_response"): 30,
        }  # fmt: skip
        for name in names[:10]:  # a late event contradicts what was told
            await journey.settles(name)
        await asyncio.gather(*(watcher() for _ in range(4)))
        after = await told(journey)
        assert (after["sla.met", "first_response"], after["sla.corrected", "first_response"]) == (10, 10)
        states = Counter(
            row["state"] for row in await journey.rows("SELECT * FROM sla_clock WHERE metric = 'first_response'")
        )
        assert states == {"met": 10, "breached": 20}


VERDICTS = frozenset({"sla.breached", "sla.met"})


async def last_message(journey: Journey, thread: str) -> UUID:
    rows = await journey.rows(
        "SELECT mention_id FROM message WHERE conversation_id = $1 AND kind = 'inbound' ORDER BY id DESC",
        journey.threads[thread],
    )
    found: UUID = rows[0]["mention_id"]
    return found
