"""Where the same words stand at other venues: shown with a mention, not with lists, only what is still there and was said
within 72 hours."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.kit import clock
from tests.api.world import World

WORDS = "The line has been dead in all of Utrecht since this morning"


async def say_it_again(
    world: World, type_: str, first: UUID | None, kind: str = "exact", said: str = WORDS, **fields: Any
) -> UUID:
    """The same words at a venue, triaged as a copy of the first."""
    _, mention_id = await world.a_conversation(await world.a_channel(type=type_), said=said)
    async with world.database.write(world.workspace_id) as session:
        await session.execute(
            text("""
                UPDATE assessment SET duplicate_of = :first,
                    findings = jsonb_build_object('duplicate', jsonb_build_object('kind', CAST(:kind AS text)))
                WHERE mention_id = :m
            """),
            {"first": first, "m": mention_id, "kind": kind},
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


async def test_near_copies_count_and_a_feeds_item_about_the_post_itself_does_not(world: World) -> None:
    at = clock.now()
    first = await say_it_again(world, "venue", None, published_at=at)
    near = await say_it_again(world, "forum", first, "near", "The line is dead in Utrecht", published_at=at)
    await say_it_again(world, "feed", first, "page", "Shortened ...", published_at=at)
    item = await say_it_again(world, "feed", None, said="Another, shortened ...", published_at=at)
    post = await say_it_again(world, "venue", item, "page", published_at=at)
    assert [one[0] for one in await also_on(world, first)] == [str(near)]
    assert [one[0] for one in await also_on(world, near)] == [str(first)]
    assert await also_on(world, post) == []


async def test_what_was_said_days_apart_is_no_cross_post(world: World) -> None:
    at = clock.now()
    first = await say_it_again(world, "venue", None, published_at=at - timedelta(hours=72))
    soon = await say_it_again(world, "forum", first, published_at=at)
    late = await say_it_again(world, "chat", first, published_at=at + timedelta(seconds=1))
    assert [one[0] for one in await also_on(world, first)] == [str(soon)]
    assert [one[0] for one in await also_on(world, late)] == [str(soon)]


async def test_what_nobody_triaged_or_copied_stands_alone(world: World) -> None:
    assert await also_on(world, await world.a_mention(said="nobody looked yet")) == []
    assert await also_on(world, (await world.a_conversation(said="Something else altogether"))[1]) == []


async def test_copies_and_posts_are_found_by_an_index(world: World) -> None:
    first = await say_it_again(world, "venue", None)
    copies = "SELECT mention_id FROM assessment WHERE duplicate_of = $1"
    posts = "SELECT mention_id FROM mention_key WHERE channel_type = $1 AND scope = '' AND external_id = $2"
    questions = (("duplicate_of = ", copies, (first,)), ("external_id)::text = ", posts, ("x", "1")))
    async with world.database.read(world.workspace_id) as connection:
        await connection.execute("SET enable_seqscan = off")  # the tables are too small to need an index otherwise
        try:
            for condition, question, given in questions:
                plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {question}", *given))
                used = [line for line in plan.splitlines() if "Index Cond:" in line]
                assert used, plan
                assert all("(workspace_id = " in line and condition in line for line in used), plan
        finally:
            await connection.execute("RESET enable_seqscan")
