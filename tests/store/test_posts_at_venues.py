"""Posts of venues are found by what a link tells of them, also where it tells the author's handle and not the account's id."""

from shared.kit.database import Database
from shared.store.assessment import posts_at_venues
from tests.builders import a_channel, a_workspace, an_item, taken

DID = "did:plc:klant333333333333333333"
POST = f"at://{DID}/app.bsky.feed.post/3kxyz"
BY_HANDLE = "at://klant.example/app.bsky.feed.post/3kxyz"


async def test_a_link_by_handle_leads_to_the_post_of_that_account(database: Database) -> None:
    workspace_id = await a_workspace(database)
    channel = await a_channel(database, workspace_id, type="bluesky", name="sky")
    author = {"external_id": DID, "handle": "Klant.example"}
    await taken(
        database,
        workspace_id,
        channel,
        an_item(POST, author=author),
        an_item("at://did:plc:other/app.bsky.feed.post/3kxyz"),
    )
    elsewhere = await a_workspace(database)
    asked = [
        ("bluesky", POST), ("bluesky", BY_HANDLE), ("bluesky", "at://nobody.example/app.bsky.feed.post/3kxyz"),
        ("bluesky", BY_HANDLE.replace("xyz", "abc")), ("mastodon", BY_HANDLE),
    ]  # fmt: skip
    async with database.read(workspace_id) as connection:
        found = await posts_at_venues(connection, asked)
    assert sorted(row["external_id"] for row in found) == sorted([POST, BY_HANDLE])
    assert len({row["id"] for row in found}) == 1
    async with database.read(elsewhere) as connection:
        assert await posts_at_venues(connection, asked) == []
