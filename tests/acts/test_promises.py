"""Promises as conversations go on: what is kept of them, which clocks it makes, and what an edit does to those that run."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import text

from services.triage import new_terms
from shared.acts import calendars, edits
from shared.kit import ids
from shared.kit.database import Database
from shared.models.conversation import Priority
from shared.models.sla import Calendar, SlaPolicy, SlaPolicyFields
from shared.store import rows, sla
from tests.acts.a_journey import HOURS, START, Journey, targets
from tests.builders import a_channel, a_workspace

LENGTHS = (
    ("first_response", "urgent", "PT30M"), ("first_response", "*", "PT1H"), ("next_response", "*", "PT1H"), ("update", "*", "PT2H"),
    ("resolution", "*", "P1D"),
)  # fmt: skip


@pytest.fixture
async def journey(database: Database) -> AsyncIterator[Journey]:
    with time_machine.travel(START, tick=False) as travel:
        workspace_id = await a_workspace(database)
        channel = await a_channel(database, workspace_id)
        yield Journey(database, workspace_id, channel, travel)


async def promise(journey: Journey, position: int = 1, lengths: Any = LENGTHS, **fields: Any) -> SlaPolicy:
    """A policy, by the clock unless it has a calendar."""
    hours = "business" if fields.get("calendar_id") else "clock"
    given = {
        "name": f"p-{ids.new_id().hex[-12:]}",
        "position": position,
        "targets": targets(*lengths, hours=hours),
        **fields,
    }
    policy = SlaPolicy(workspace_id=journey.workspace_id, **given)
    async with journey.database.write(journey.workspace_id) as session:
        session.add(policy)
        await session.flush()
        body = {name: getattr(policy, name) for name in SlaPolicyFields.model_fields}
        await sla.keep_version(session, journey.workspace_id, "sla_policy", policy.id, 1, body)
    return policy


async def edit(journey: Journey, policy_id: Any, **fields: Any) -> None:
    """The policy is another from now on."""
    async with journey.database.write(journey.workspace_id) as session:
        policy = await rows.take(session, SlaPolicy, journey.workspace_id, policy_id)
        for name, value in fields.items():
            setattr(policy, name, value)
        policy.version += 1
        await rows.touch(session, policy)
        body = {name: getattr(policy, name) for name in SlaPolicyFields.model_fields}
        await sla.keep_version(session, journey.workspace_id, "sla_policy", policy.id, policy.version, body)
        await edits.leave(session, journey.workspace_id, policy.id)


async def a_calendar(journey: Journey, weekly: Any = HOURS) -> Calendar:
    calendar = Calendar(workspace_id=journey.workspace_id, name="office", timezone="Europe/Amsterdam", weekly=weekly)
    async with journey.database.write(journey.workspace_id) as session:
        await calendars.add(session, calendar)
    return calendar


def states(found: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {metric: [row["state"] for row in many] for metric, many in found.items()}


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


async def test_updates_are_owed_again_and_again_while_the_matter_is_open(journey: Journey) -> None:
    await promise(journey)
    await journey.writes("t")
    journey.goes_on(50)
    await journey.answers("t")
    journey.goes_on(130)  # the second is late
    await journey.answers("t")
    journey.goes_on(30)
    await journey.answers("t", automatic=True)  # nobody wrote that
    journey.goes_on(20)
    await journey.does("t", "resolve", actor="agent")
    found = await journey.clocks("t")
    assert states(found) == {
        "first_response": ["met"], "update": ["met", "breached", "met"], "resolution": ["met"],
    }  # fmt: skip
    assert [row["started_at"] for row in found["update"]] == [after(0), after(50), after(180)]
    assert found["update"][1]["breached_at"] == after(170)
    assert found["update"][2]["stopped_at"] == after(230)
    told = await journey.told()
    assert (told.count("sla.started"), told.count("sla.met"), told.count("sla.breached")) == (5, 4, 1)


async def test_an_answer_that_was_taken_before_the_last_message_leaves_that_waiting(journey: Journey) -> None:
    await promise(journey)
    await journey.writes("t")
    journey.goes_on(20)
    await journey.answers("t", settled=False)
    journey.goes_on(5)
    await journey.writes("t")
    wrote = journey.now
    journey.goes_on(100)
    await journey.watch()
    assert states(await journey.clocks("t"))["first_response"] == ["breached"]
    await journey.settles("t")
    found, conversation = await journey.clocks("t"), await journey.conversation("t")
    assert (conversation.waiting_since, conversation.first_replied_at) == (wrote, after(20))
    assert states(found)["first_response"] == ["met"]
    (owed,) = found["next_response"]
    assert (owed["started_at"], owed["state"], owed["breached_at"]) == (wrote, "breached", wrote + timedelta(hours=1))
    assert (await journey.told()).count("sla.corrected") == 2, "neither the first response was late nor the update"
    journey.goes_on(5)
    await journey.answers("t")
    assert (await journey.conversation("t")).waiting_since is None


async def test_an_answer_that_never_arrived_takes_back_what_it_began(journey: Journey) -> None:
    await promise(journey)
    await journey.writes("t")
    journey.goes_on(10)
    await journey.answers("t")
    journey.goes_on(5)
    await journey.writes("t")
    journey.goes_on(5)
    await journey.bounces("t")
    found = await journey.clocks("t")
    assert states(found) == {
        "first_response": ["running"], "next_response": ["cancelled"], "update": ["running", "cancelled"],
        "resolution": ["running"],
    }  # fmt: skip
    assert (await journey.conversation("t")).waiting_since == START
    assert (await journey.conversation("t")).next_deadline_at == after(60)
    journey.goes_on(15)
    await journey.answers("t")
    assert states(await journey.clocks("t"))["first_response"] == ["met"]
    assert (await journey.told()).count("sla.corrected") == 2, "first response and update were not met after all"


async def test_a_message_that_is_more_pressing_puts_the_clocks_under_its_terms(journey: Journey) -> None:
    await promise(journey)
    await journey.writes("t")
    journey.goes_on(10)
    await journey.writes("t", priority=Priority.URGENT)
    (first,) = (await journey.clocks("t"))["first_response"]
    assert (first["deadline_at"], first["priority"], first["started_at"]) == (after(30), "urgent", START)
    assert (await journey.conversation("t")).next_deadline_at == after(30)


async def test_the_first_policy_that_matches_now_holds_and_time_used_is_kept(journey: Journey) -> None:
    vip = {"field": "tags", "op": "contains", "value": "vip"}
    strict = await promise(journey, 1, (("first_response", "*", "PT40M"),), filter=vip)
    usual = await promise(journey, 2)
    await journey.writes("t")
    journey.goes_on(15)
    await journey.does("t", "tag", ["vip"])
    found = await journey.clocks("t")
    (first,), (whole,) = found["first_response"], found["resolution"]
    assert (first["policy_id"], first["deadline_at"]) == (strict.id, after(40))
    assert whole["policy_id"] == usual.id, "what is promised nothing any more keeps its terms"
    journey.goes_on(5)
    await journey.does("t", "tag", [])
    (first,) = (await journey.clocks("t"))["first_response"]
    assert (first["policy_id"], first["deadline_at"]) == (usual.id, after(60))


async def test_what_no_policy_matched_is_promised_nothing_until_one_does(journey: Journey) -> None:
    await promise(journey, filter={"field": "priority", "op": "eq", "value": "urgent"})
    await journey.writes("t")
    assert await journey.clocks("t") == {}
    journey.goes_on(5)
    await journey.answers("t")
    journey.goes_on(5)
    await journey.writes("t", priority=Priority.URGENT)
    assert states(await journey.clocks("t"))["next_response"] == ["running"]


@pytest.mark.parametrize("late", [0, 25])
async def test_an_edited_policy_holds_from_the_edit_on_whenever_it_is_worked_through(
    journey: Journey, late: int
) -> None:
    policy = await promise(journey)
    for name in ("runs", "answered", "vip"):
        await journey.writes(name)
    await journey.does("vip", "tag", ["vip"])
    journey.goes_on(5)
    await journey.answers("answered")
    journey.goes_on(15)
    fields = {"filter": {"not": {"field": "tags", "op": "contains", "value": "vip"}}}
    await edit(journey, policy.id, **fields, targets=targets(("first_response", "*", "PT10M"), hours="clock"))
    journey.goes_on(late)
    await asyncio.gather(*(new_terms.reapply(journey.database, edits.POLICY_CHANGED) for _ in range(3)))
    await journey.watch()
    (runs,) = (await journey.clocks("runs"))["first_response"]
    assert (runs["policy_version"], runs["target_s"]) == (2, 600)
    assert (runs["deadline_at"], runs["breached_at"]) == (after(20), after(20) if late else None)
    (answered,) = (await journey.clocks("answered"))["first_response"]
    assert (answered["policy_version"], answered["state"]) == (1, "met"), "what has stopped is not touched"
    (vip,) = (await journey.clocks("vip"))["first_response"]
    assert (vip["policy_version"], vip["deadline_at"]) == (1, after(60)), "nothing matches it: it keeps its terms"
    causes = await journey.rows("SELECT cause FROM conversation_change WHERE kind = 'promised'")
    assert [row["cause"] for row in causes] == 2 * [f"sla_policy:{policy.id}:2"]
    # the second look finds nothing to do, and the work is done
    async with journey.database.write(journey.workspace_id) as session:
        await session.execute(
            text("UPDATE work SET due_at = now() - interval '1 second' WHERE kind = 'sla_policy.changed'")
        )
    before = await journey.rows("SELECT * FROM conversation_change")
    await journey.works_edits_through()
    assert await journey.rows("SELECT * FROM conversation_change") == before
    assert await journey.rows("SELECT * FROM work WHERE kind = 'sla_policy.changed'") == []


async def test_clocks_go_by_edited_hours_from_the_edit_on(journey: Journey) -> None:
    calendar = await a_calendar(journey)
    await promise(journey, lengths=(("first_response", "*", "PT3H"),), calendar_id=calendar.id)
    await journey.writes("t")  # Friday 15:00 in Amsterdam; two and a half hours are left of it
    monday = datetime.fromisoformat("2026-03-30T07:30:00+00:00")
    (first,) = (await journey.clocks("t"))["first_response"]
    assert first["deadline_at"] == monday, "09:30 in summer time"
    journey.goes_on(60)
    async with journey.database.write(journey.workspace_id) as session:
        held = await rows.take(session, Calendar, journey.workspace_id, calendar.id)
        await calendars.change(
            session, held, {"weekly": HOURS | {"sat": [["10:00", "12:00"]], "fri": [["09:00", "16:00"]]}}
        )
    journey.goes_on(30)
    await journey.works_edits_through()
    (first,) = (await journey.clocks("t"))["first_response"]
    saturday = datetime.fromisoformat("2026-03-28T11:00:00+00:00")
    assert (first["deadline_at"], first["calendar_version"], first["elapsed_s"]) == (saturday, 2, 3600)
    assert (await journey.conversation("t")).next_deadline_at == saturday
    causes = await journey.rows("SELECT cause FROM conversation_change WHERE kind = 'promised'")
    assert [row["cause"] for row in causes] == [f"calendar:{calendar.id}:2"]


async def test_what_was_put_aside_before_an_older_message_was_found_is_taken_up(journey: Journey) -> None:
    await promise(journey)
    await journey.writes("t")
    journey.goes_on(30)
    await journey.does("t", "resolve", actor="agent")
    journey.goes_on(30)
    await journey.writes("t", received_ago=40)  # it had lain unread since before the end
    conversation, found = await journey.conversation("t"), await journey.clocks("t")
    assert (conversation.status, states(found)["resolution"]) == ("open", ["running"])
    (whole,) = found["resolution"]
    assert whole["elapsed_s"] == 30 * 60, "it stood still until it was taken up"
