"""Work that is pushed: offered to one after the other, taken once, passed on, handed over, told when nobody can be found."""

import asyncio
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.triage import dispatch
from shared.acts import conversations
from shared.acts import offers as acts
from shared.acts.offers import OfferExpired
from shared.kit import clock
from shared.kit.database import Database, WriteSession
from shared.kit.errors import Forbidden
from shared.models.conversation import Priority
from shared.models.offer import OfferAnswered
from shared.models.people import Queue
from shared.store import conversation as threads
from shared.store import offers as store
from shared.store import rows
from tests.acts.an_office import Office, an_office

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def office(database: Database) -> Office:
    return await an_office(database)


async def _queue(office: Office, **changes: object) -> None:
    async with office.database.write(office.workspace_id) as session:
        queue = await rows.take(session, Queue, office.workspace_id, office.queue.id)
        for name, value in changes.items():
            setattr(queue, name, value)


async def test_the_best_agent_is_asked_and_takes_it(office: Office) -> None:
    await office.hire("busy", capacity=2)
    await office.hire("free", capacity=20)
    await office.hire("away", presence="away")
    (first,) = await office.arrive("one")
    await office.dispatch()
    await office.dispatch()
    assert await office.offers() == [("free", "open")], "one offer stands at a time"
    taken = await office.accept("free")
    assert (taken.id, taken.assignee_id) == (first, office.agents["free"].id)
    assert await office.told("offer") == ["offer.made", "offer.accepted"]
    assert await office.told("conversation.assigned") == ["conversation.assigned"]
    (decision,) = [row for row in await office.rows("routing_decision") if row["kind"] == "offer"]
    said = {one["agent_id"]: one.get("excluded") for one in orjson.loads(decision["candidates"])}
    assert said == {
        str(office.agents["busy"].id): None, str(office.agents["free"].id): None, str(office.agents["away"].id): "absent",
    }  # fmt: skip
    assert await office.replayed() == [(office.agents["free"].id, office.agents["free"].id)]


async def test_what_is_declined_or_not_answered_goes_to_the_next_and_not_back(office: Office) -> None:
    for name in ("a", "b", "c"):
        await office.hire(name)
    await office.arrive("one")
    await office.dispatch()
    ((first, _),) = await office.offers()
    await office.decline(first, "not mine")
    await office.dispatch()
    second = (await office.offers())[1][0]
    await office.later(MINUTE)
    await office.dispatch()
    asked = await office.offers()
    assert [state for _, state in asked] == ["declined", "expired", "open"]
    assert len({name for name, _ in asked}) == 3
    assert second not in {first, asked[2][0]}
    assert await office.told("offer") == ["offer.made", "offer.declined", "offer.made", "offer.expired", "offer.made"]


async def test_after_n_refusals_the_secondary_teams_then_the_overflow_agent(office: Office) -> None:
    await _queue(office, secondary_team_ids=[office.teams["second"]], refusals_to_widen=2)
    for name in ("a", "b", "c"):
        await office.hire(name)
    for name in ("x", "y"):
        await office.hire(name, "second", capacity=50)
    chief = await office.hire("chief", "second", presence="offline")
    await _queue(office, overflow_agent_id=chief.id)
    (conversation_id,) = await office.arrive("one")
    asked = []
    for _ in range(4):
        await office.dispatch()
        asked.append((await office.offers())[-1][0])
        await office.decline(asked[-1])
    assert set(asked[:2]) < {"a", "b", "c"}, "its own team first"
    assert set(asked[2:]) == {"x", "y"}, "then the secondary one too, whose agents have more room"
    await office.dispatch()
    conversation = await office.conversation(conversation_id)
    assert conversation.assignee_id == chief.id, "whatever the presence of the overflow agent"
    assert [row["kind"] for row in await office.rows("routing_decision")][-1] == "overflow"
    assert await office.told("queue") == []


async def test_where_nobody_can_be_found_the_alarm_is_told_once(office: Office) -> None:
    await _queue(office, refusals_to_widen=2)
    await office.hire("abroad", languages=["fr"])
    await office.arrive("one", "two")
    await office.dispatch()
    assert await office.told("queue.alarm") == [], "somebody may come within the time of two offers"
    await office.later(2 * MINUTE)
    for _ in range(3):
        await office.dispatch()
    assert await office.told("queue.alarm") == 2 * ["queue.alarm"]
    await office.hire("late")
    await office.dispatch()
    assert [name for name, _ in await office.offers()] == ["late", "late"], "who comes after the alarm is asked"


async def test_work_without_agents_does_not_stand_before_work_that_has_one(office: Office) -> None:
    await office.hire("dutch")
    await office.arrive(*(f"fr{n}" for n in range(60)), lang="fr", priority=Priority.URGENT)
    await office.arrive("nl")
    await office.dispatch()
    assert await office.offers() == [("dutch", "open")]


async def test_an_offer_is_answered_once_by_whom_it_was_made_to_and_in_time(office: Office) -> None:
    await office.hire("a", capacity=50)
    await office.hire("b", capacity=1)
    await office.arrive("one")
    await office.dispatch()
    (offer,) = await office.rows("offer")
    async with office.database.write(office.workspace_id) as session:
        standing = await store.lock(session, office.workspace_id, offer["id"])
        with pytest.raises(Forbidden, match="another agent"):
            await acts.accept(session, standing, office.agents["b"].id, actor="b")
    await office.later(2 * MINUTE)
    with pytest.raises(OfferExpired):
        await office.accept("a")
    async with office.database.write(office.workspace_id) as session:
        await session.execute(text("UPDATE offer SET expires_at = now() + interval '1 minute'"))
    await office.accept("a")
    async with office.database.write(office.workspace_id) as session:
        standing = await store.lock(session, office.workspace_id, offer["id"])
        with pytest.raises(OfferAnswered, match="accepted already"):
            await acts.decline(session, standing, office.agents["a"].id, reason=None)


async def test_two_who_accept_at_once(office: Office) -> None:
    await office.hire("a")
    await office.arrive("one")
    await office.dispatch()
    answers = await asyncio.gather(*(office.accept("a") for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["Conversation", *3 * ["OfferAnswered"]]
    assert await office.told("conversation.assigned") == ["conversation.assigned"]


async def test_given_by_hand_resolved_or_moved_an_offer_is_withdrawn(office: Office) -> None:
    await office.hire("a", capacity=50)
    by_hand, resolved = await office.arrive("one", "two")
    await office.dispatch()
    async with office.database.write(office.workspace_id) as session:
        conversation = await threads.lock(session, office.workspace_id, by_hand)
        await conversations.assign(
            session, conversation, office.agents["a"].id, team_id=None, actor="lead", reason="given by hand"
        )
        await conversations.resolve(session, await threads.lock(session, office.workspace_id, resolved), actor="lead")
    assert [state for _, state in await office.offers()] == ["withdrawn", "withdrawn"]
    assert (await office.told("offer")).count("offer.withdrawn") == 2
    await office.dispatch()
    assert len(await office.offers()) == 2


async def test_offers_count_as_load_and_capacity_is_never_passed(office: Office) -> None:
    await office.hire("a", capacity=2)
    await office.hire("b", capacity=1)
    await office.arrive(*(f"t{n}" for n in range(6)))
    await asyncio.gather(*(office.dispatch() for _ in range(5)))
    assert sorted(await office.offers()) == [("a", "open"), ("a", "open"), ("b", "open")]
    await office.accept("a")
    await office.dispatch()
    assert len(await office.offers()) == 3


async def test_heavy_channels_take_more(office: Office) -> None:
    async with office.database.write(office.workspace_id) as session:
        await session.execute(text("UPDATE channel SET weight = 3"))
    await office.hire("a", capacity=5)
    await office.arrive("one", "two")
    await office.dispatch()
    assert await office.offers() == [("a", "open")]


@pytest.mark.parametrize("by", ["its time", "the customer"])
async def test_what_comes_back_to_its_queue_waits_there_anew(office: Office, by: str) -> None:
    await _queue(office, refusals_to_widen=2)
    (conversation_id,) = await office.arrive("one")
    async with office.database.write(office.workspace_id) as session:
        conversation = await threads.lock(session, office.workspace_id, conversation_id)
        await conversations.snooze(session, conversation, clock.now() + timedelta(hours=1), actor="lead")
    await office.later(timedelta(hours=1))
    if by == "the customer":
        await office.arrive("one")
    else:
        async with office.database.write(office.workspace_id) as session:
            await conversations.wake(session, await threads.lock(session, office.workspace_id, conversation_id))
    await office.dispatch()
    assert await office.told("queue.alarm") == [], "the hour in which nobody was to be asked is no refusal"
    await office.later(2 * MINUTE)
    await office.dispatch()
    assert await office.told("queue.alarm") == ["queue.alarm"]


async def test_work_is_taken_back_from_who_is_offline_and_keeps_its_wait(office: Office) -> None:
    await _queue(office, take_back_offline_s=600)
    await office.hire("a")
    (conversation_id,) = await office.arrive("one")
    await office.dispatch()
    await office.accept("a")
    await office.later(timedelta(hours=1))
    before = (await office.conversation(conversation_id)).waiting_since
    async with office.database.write(office.workspace_id) as session:
        await session.execute(
            text("UPDATE agent SET presence = 'offline', presence_since = now() - interval '9 minutes'")
        )
    await dispatch.take_back(office.database)
    assert (await office.conversation(conversation_id)).assignee_id == office.agents["a"].id
    await office.later(2 * MINUTE)
    await dispatch.take_back(office.database)
    conversation = await office.conversation(conversation_id)
    assert conversation.assignee_id is None
    assert conversation.waiting_since == before - 2 * MINUTE if before else False
    assert (await office.told("conversation"))[-1] == "conversation.released"
    assert "offline for 11 minutes" in (await office.rows("routing_decision"))[-1]["reason"]
    await office.hire("b")
    async with office.database.write(office.workspace_id) as session:
        await session.execute(text("UPDATE agent SET presence = 'online'"))
    await office.dispatch()
    assert (await office.offers())[-1] == ("b", "open"), "not to the one it was taken from"


async def test_silence_counts_by_opening_hours_and_only_while_the_customer_waits(office: Office) -> None:
    await _queue(office, take_back_silent_s=1800)
    await office.hire("a")
    waiting, answered = await office.arrive("one", "two")
    await office.dispatch()
    await office.accept("a")
    await office.accept("a")
    async with office.database.write(office.workspace_id) as session:
        await session.execute(text("UPDATE conversation SET waiting_since = NULL WHERE id = :id"), {"id": answered})
    await office.later(29 * MINUTE)
    await dispatch.take_back(office.database)
    assert (await office.conversation(waiting)).assignee_id is not None
    await office.later(MINUTE)
    await dispatch.take_back(office.database)
    assert (await office.conversation(waiting)).assignee_id is None
    assert (await office.conversation(answered)).assignee_id is not None


async def test_who_hands_out_work_is_woken_by_a_refusal(office: Office) -> None:
    await office.hire("a")
    await office.arrive("one")
    await office.dispatch()
    woken: list[frozenset[str]] = []
    office.database.after_commit = woken.append
    await office.decline("a")
    assert [kinds for kinds in woken if acts.DISPATCH in kinds]


async def test_a_workspace_that_cannot_be_served_stops_no_other(
    office: Office, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await an_office(database)
    for one in (office, other):
        await one.hire("a")
        await one.arrive("one")
    serve = acts.serve

    async def serve_one(session: WriteSession, workspace_id: UUID, queue_id: UUID) -> int:
        if workspace_id == office.workspace_id:
            raise RuntimeError("something of this workspace")
        return await serve(session, workspace_id, queue_id)

    monkeypatch.setattr(acts, "serve", serve_one)
    await dispatch.dispatch(database)
    assert await office.offers() == []
    assert await other.offers() == [("a", "open")]
