"""Where the same words stand at other venues: shown with a mention, not with lists, and only what is still there."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.kit import clock
from tests.api.world import World

WORDS = "The line has been dead in all of Utrecht since this morning"


async def say_it_again(world: World, type_: str, first: UUID | None, **fields: Any) -> UUID:
    """The same words at a venue, triaged as a copy of the first."""
    _, mention_id = await world.a_conversation(await world.a_channel(type=type_), said=WORDS)
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("UPDATE assessment SET duplicate_of = :first WHERE mention_id = :m"), {"first": first, "m": mention_id}
        )
        for name, value in fields.items():
            await session.execute(text(f"UPDATE mention SET {name} = :v WHERE id = :m"), {"v": value, "m": mention_id})
    return mention_id


async def also_on(world: World, mention_id: UUID) -> list[tuple[str, str, str | None]]:
    shown = await world.get(f"/v1/mentions/{mention_id}")
    return [(one["id"], one["channel_type"], one["permalink"]) for one in shown["also_on"]]


async def test_copies_at_other_venues_are_shown_with_each_other(world: World) -> None:
    link = "https://venue.example/1"
    first = await say_it_again(world, "venue", None, permalink=link)
    second = await say_it_again(world, "forum", first)
    third = await say_it_again(world, "chat", first, visibility="private", permalink="https://chat.example/1")
    same_venue = await say_it_again(world, "venue", first)
    await say_it_again(world, "gone", first, deleted_at=clock.now() - timedelta(minutes=1))
    await say_it_again(world, "stranger", None)
    assert await also_on(world, first) == [(str(second), "forum", None), (str(third), "chat", None)]
    assert await also_on(world, second) == [
        (str(first), "venue", link),
        (str(third), "chat", None),
        (str(same_venue), "venue", None),
    ]
    assert [one[0] for one in await also_on(world, same_venue)] == [str(second), str(third)]
    listed = (await world.get("/v1/mentions"))["data"]
    assert all("also_on" not in one for one in listed)


async def test_what_nobody_triaged_or_copied_stands_alone(world: World) -> None:
    assert await also_on(world, await world.a_mention(said="nobody looked yet")) == []
    assert await also_on(world, (await world.a_conversation(said="Something else altogether"))[1]) == []
