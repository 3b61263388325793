"""What a new workspace comes with, and `watch`."""

import pytest

from services.api.desk import workspaces
from shared.kit import ids
from shared.kit.database import Database
from shared.kit.errors import Conflict, Invalid
from shared.models.workspace import Role
from tests.api.world import World


async def test_a_new_workspace_can_work_at_once(world: World) -> None:
    queues = (await world.get("/v1/queues"))["data"]
    assert [one["name"] for one in queues] == ["Urgent", "Private messages", "General"]
    keys = [one["key"] for one in (await world.get("/v1/issue-types?limit=100"))["data"]]
    assert "outage" in keys
    assert len(keys) > 20
    (policy,) = (await world.get("/v1/sla-policies"))["data"]
    assert policy["calendar_id"] == (await world.get("/v1/calendars"))["data"][0]["id"]
    same = await world.call("PATCH", f"/v1/sla-policies/{policy['id']}", {})
    assert same.status_code == 200, "the default policy must pass its own rules"
    assert same.json()["version"] == 1
    assert (await world.call("PATCH", f"/v1/calendars/{policy['calendar_id']}", {})).json()["version"] == 1


async def test_slugs_are_found_and_taken_once(database: Database) -> None:
    slug = f"s-{ids.new_id().hex[-10:]}"
    made = await workspaces.create_workspace(database, slug, "S", sectors=["bank", "retail"])
    assert await workspaces.find_workspace(database, slug) == made
    assert await workspaces.find_workspace(database, "no-such") is None
    with pytest.raises(Conflict):
        await workspaces.create_workspace(database, slug, "Other")
    for wrong in (
        {"slug": "Has Spaces"},
        {"slug": "x", "timezone": "Mars/Olympus"},
        {"slug": "x", "sectors": ["circus"]},
    ):
        with pytest.raises(Invalid):
            await workspaces.create_workspace(database, **{"name": "x", **wrong})  # type: ignore[arg-type]


async def test_watching_makes_what_is_missing_and_no_more(world: World) -> None:
    desk = world.client._transport.app.state.doorkeeper  # type: ignore[attr-defined]
    inside, _ = await desk.admit(f"Bearer {world.keys[Role.ADMIN]}", None, "")
    feeds = ["https://news.example/feed.xml", "https://news.example/other.xml"]
    await publish_rss(world)
    async with inside.writing() as writing:
        first = await workspaces.watch(writing, "Royal Northwind", feeds)
    async with inside.writing() as writing:
        again = await workspaces.watch(writing, "Royal Northwind", feeds)
    assert first == again
    assert len(set(first.channel_ids)) == 2
    query = await world.get(f"/v1/queries/{first.query_id}")
    assert (query["text"], query["brand_id"]) == ('"Royal Northwind"', str(first.brand_id))
    channel = await world.get(f"/v1/channels/{first.channel_ids[0]}")
    assert channel["settings"] == {"url": feeds[0]}
    assert channel["next_poll_at"] is not None
    async with inside.writing() as writing:
        other = await workspaces.watch(writing, "northwind AND (outage OR storing)", [])
    assert (await world.get(f"/v1/queries/{other.query_id}"))["text"] == "northwind AND (outage OR storing)"
    assert (await world.get(f"/v1/brands/{other.brand_id}"))["name"] == "northwind"


async def publish_rss(world: World) -> None:
    """The feed channel's type, as ingest would publish it."""
    import asyncpg

    settings = world.client._transport.app.state.settings  # type: ignore[attr-defined]
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(
        "INSERT INTO channel_type (type, title, abilities, settings_schema, secrets_schema, reply_rules, published_at) VALUES "
        "('rss', 'Feed', '{pages}', '{\"properties\": {\"url\": {\"type\": \"string\"}}}', '{}', '{}', now()) ON CONFLICT DO NOTHING"
    )
    await connection.close()
