"""The feed: read by position, filtered, and gone where it has expired."""

import pytest
from sqlalchemy import text

from shared.kit import ids
from shared.kit.database import Database
from shared.kit.errors import Gone
from shared.models import facts
from shared.store import events
from tests.builders import a_workspace
from tests.telling import about, sequence_all, tell


async def test_the_feed_filters_and_goes_on_past_what_it_left_out(database: Database) -> None:
    workspace_id, one, other = await a_workspace(database), ids.new_id(), ids.new_id()
    await tell(
        database, workspace_id,
        *(f for _ in range(6) for f in (about(one), facts.MentionReceived(subject_id=ids.new_id()), about(other))),
    )  # fmt: skip
    await sequence_all(database, workspace_id)
    async with database.read(workspace_id) as connection:
        page = await events.page(connection, after=0, limit=4, types=["mention.*"])
        assert ([item.position for item in page.items], page.after, page.has_more) == ([2, 5, 8, 11], 11, True)
        page = await events.page(connection, after=page.after, limit=4, types=["mention.received"])
        assert ([item.position for item in page.items], page.after, page.has_more) == ([14, 17], 18, False)
        page = await events.page(connection, after=4, limit=50, conversation_id=other)
        assert [item.position for item in page.items] == [6, 9, 12, 15, 18]
        page = await events.page(connection, after=18)
        assert (page.data, page.after, page.has_more) == (b"[]", 18, False)
        assert await events.head(connection) == 18


async def test_an_expired_position_is_gone_and_says_where_to_go_on(database: Database) -> None:
    workspace_id = await a_workspace(database)
    async with database.read(workspace_id) as connection:
        assert (await events.page(connection)).after == 0
        assert (await events.page(connection, after=0)).items == ()
    await tell(database, workspace_id, *(facts.MentionReceived(subject_id=ids.new_id()) for _ in range(10)))
    await sequence_all(database, workspace_id)
    async with database.write(workspace_id) as session:
        await session.execute(text("DELETE FROM event WHERE position <= 4"))
    async with database.read(workspace_id) as connection:
        with pytest.raises(Gone, match="after=4"):
            await events.page(connection, after=3)
        assert [item.position for item in (await events.page(connection, after=4)).items] == [5, 6, 7, 8, 9, 10]
        assert (await events.page(connection)).items[0].position == 5
    async with database.write(workspace_id) as session:
        await session.execute(text("DELETE FROM event"))
    async with database.read(workspace_id) as connection:
        with pytest.raises(Gone, match="after=10"):
            await events.page(connection, after=9)
        assert (await events.page(connection, after=10)).after == 10
