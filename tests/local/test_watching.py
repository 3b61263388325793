"""`webcare watch` on a database: once is enough, looking changes nothing, and what is left out says why."""

from uuid import UUID

import pytest

from services.api.desk import channels, workspaces
from services.api.desk.desk import Desk
from services.ingest import catalog
from services.ingest.worker import publish_types
from services.local.open_channels import OPEN
from services.local.operator import all_of, desk_in
from services.local.trouble import LocalTrouble
from services.local.watching import watch
from shared.kit.database import Database
from shared.kit.settings import Settings


@pytest.fixture
async def desk(settings: Settings, database: Database, request: pytest.FixtureRequest) -> Desk:
    slug = str(request.node.name).replace("_", "-")[:40].strip("-")
    await publish_types(database)
    return desk_in(database, settings, await workspaces.create_workspace(database, slug, "W"))


async def counted(desk: Desk) -> tuple[int, int, int]:
    return len(await all_of(desk, "brand")), len(await all_of(desk, "query")), len(await all_of(desk, "channel"))


async def test_the_same_call_again_changes_nothing(desk: Desk) -> None:
    first = await watch(desk, "Air France", apps=["391732065"])
    there = await all_of(desk, "channel")
    again = await watch(desk, "Air France", apps=["391732065"])
    assert {one.state for one in first.listening} == {"made"}
    assert {one.state for one in again.listening} == {"there"}
    assert [one.channel_id for one in again.listening] == [one.channel_id for one in first.listening]
    assert (again.brand_id, again.query_id) == (first.brand_id, first.query_id)
    assert await all_of(desk, "channel") == there
    assert await counted(desk) == (1, 1, len(first.listening))
    wanted = {one.type for one in OPEN} & set(catalog.types())
    assert {one["type"] for one in there} == wanted
    assert all(one["status"] == "active" and one["settings"] for one in there)


async def test_looking_changes_nothing(desk: Desk) -> None:
    seen = await watch(desk, "KLM", dry_run=True)
    assert {one.state for one in seen.listening} == {"would be made"}
    assert (seen.brand_id, await counted(desk)) == (None, (0, 0, 0))
    await watch(desk, "KLM")
    assert {one.state for one in (await watch(desk, "KLM", dry_run=True)).listening} == {"there"}


async def test_a_channel_that_was_renamed_or_paused_is_found_again(desk: Desk) -> None:
    made = await watch(desk, "KLM")
    one = made.listening[0]
    assert isinstance(one.channel_id, UUID)
    async with desk.writing() as writing:
        await channels.change_channel(writing, one.channel_id, {"name": "ours", "status": "paused"})
    again = await watch(desk, "KLM")
    assert {each.state for each in again.listening} == {"there"}
    assert again.listening[0].channel_id == one.channel_id


async def test_with_feeds_only_they_are_read(desk: Desk) -> None:
    made = await watch(desk, "KLM", feeds=["https://news.example/klm.rss"])
    assert made.listening == []
    assert await counted(desk) == (1, 1, 1)


async def test_what_a_venue_does_not_take_is_left_out_and_the_rest_is_made(desk: Desk) -> None:
    made = await watch(desk, "NS")
    left_out = {one.planned.of.type: one.planned.left_out for one in made.listening if one.state == "left out"}
    assert left_out == ({"lemmy": "query needs 3 characters or more"} if "lemmy" in catalog.types() else {})
    assert await counted(desk) == (1, 1, len(made.listening) - len(left_out))


async def test_a_query_that_cannot_be_read_makes_nothing(desk: Desk) -> None:
    with pytest.raises(LocalTrouble, match="The query cannot be read at position 9: The query ends too soon"):
        await watch(desk, "KLM AND (")
    assert await counted(desk) == (0, 0, 0)
