"""Who hands out work, who answers offers and who works by hand lock in one order: conversation first, then its offer."""

import asyncio

import pytest

from shared.acts import conversations
from shared.kit import ids
from shared.kit.database import Database
from shared.models.offer import OfferAnswered
from shared.store import conversation as threads
from shared.store import routing as decisions
from tests.acts.an_office import Office, an_office
from tests.waiting import somebody_waits


@pytest.fixture
async def office(database: Database) -> Office:
    return await an_office(database)


@pytest.mark.parametrize("answer", ["accept", "decline"])
async def test_who_answers_an_offer_waits_for_who_assigns_by_hand(office: Office, answer: str) -> None:
    await office.hire("asked")
    (conversation_id,) = await office.arrive("one")
    await office.dispatch()
    other = await office.hire("other")
    async with office.database.write(office.workspace_id) as session:
        conversation = await threads.lock(session, office.workspace_id, conversation_id)
        late = asyncio.create_task(getattr(office, answer)("asked"))
        await somebody_waits(office.database)
        await conversations.assign(session, conversation, other.id, team_id=None, actor="lead", reason="given by hand")
    with pytest.raises(OfferAnswered, match="withdrawn already"):
        await late
    assert (await office.conversation(conversation_id)).assignee_id == other.id
    assert await office.told("offer") == ["offer.made", "offer.withdrawn"]


async def test_what_somebody_has_in_hand_is_left_for_the_next_look(office: Office) -> None:
    await office.hire("a")
    first, second = await office.arrive("one", "two")
    async with office.database.write(office.workspace_id) as session:
        await threads.lock(session, office.workspace_id, first)
        async with asyncio.timeout(20):
            await office.dispatch()
        assert [row["conversation_id"] for row in await office.rows("offer")] == [second]
    await office.dispatch()
    assert [row["conversation_id"] for row in await office.rows("offer")] == [second, first]


async def test_what_was_moved_to_another_queue_meanwhile_waits_there(office: Office) -> None:
    (conversation_id,) = await office.arrive("one")
    async with office.database.write(office.workspace_id) as session:
        for queue_id, found in ((office.queue.id, {conversation_id}), (ids.new_id(), set())):
            place = (office.workspace_id, queue_id)
            assert await decisions.still_waiting(session, place, [conversation_id], patient=True) == found
