"""One address for several accounts of an app: a delivery reaches every channel that watches one of them, and no other."""

import json
from typing import Any

import orjson

from services.ingest import catalog, sharing
from services.ingest.channel import Push, SharesHook
from shared.kit import ids
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.models.sealed import channel_secrets
from tests.builders import a_workspace
from tests.ingest.doorstep import Doorstep, problem, said
from tests.venues.facebook import FacebookVenue
from tests.venues.graph import SECRETS, delivery
from tests.venues.messenger import MessengerVenue
from tests.venues.whatsapp import WhatsappVenue


async def a_channel(door: Doorstep, type_: str, name: str, settings: dict[str, Any], **fields: Any) -> Channel:
    """A channel with sealed secrets; `secrets` and `workspace_id` may be others than usual."""
    workspace_id = fields.pop("workspace_id", door.workspace_id)
    secrets = fields.pop("secrets", SECRETS)
    made = Channel(id=ids.new_id(), workspace_id=workspace_id, type=type_, name=name, settings=settings, **fields)
    vault = Vault(door.settings.secret_key.get_secret_value())
    made.secrets = vault.seal(json.dumps(secrets), workspace_id, channel_secrets(made.id))
    async with door.database.write(workspace_id) as session:
        session.add(made)
    return made


async def send(door: Doorstep, channel: Channel, push: Push) -> dict[str, Any]:
    return said(await door.client.post(f"/v1/hooks/{channel.id}", content=push.body, headers=dict(push.headers)))


async def stored(door: Doorstep) -> dict[str, str]:
    """The channel of each mention."""
    async with door.database.read(door.workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT m.external_id, c.name FROM mention m JOIN channel c ON c.workspace_id = m.workspace_id AND c.id = m.channel_id"
        )
    return {row["external_id"]: row["name"] for row in rows}


async def drift_of(door: Doorstep, channel: Channel) -> dict[str, int]:
    async with door.database.read(door.workspace_id) as connection:
        found: dict[str, int] = orjson.loads(
            await connection.fetchval("SELECT drift FROM channel WHERE id = $1", channel.id) or b"{}"
        )
    return found


def entry(page: str, *changes: dict[str, Any]) -> dict[str, Any]:
    return {"id": page, "time": int(FacebookVenue().now), "changes": list(changes)}


def of_two_pages(secret: str = SECRETS["app_secret"]) -> Push:
    """A delivery with a comment at page 500 and one at page 501."""
    venue = FacebookVenue()
    post = venue.post("Nieuws")
    first, second = venue.comment(post, "Aan de een"), venue.comment(post, "Aan de ander")
    return delivery("page", entry("500", venue.change(first)), entry("501", venue.change(second)), secret=secret)


async def test_a_delivery_about_two_pages_reaches_both(door: Doorstep) -> None:
    one = await a_channel(door, "facebook", "one", {"page_id": "500"})
    other = await a_channel(door, "facebook", "other", {"page_id": "501"})
    push = of_two_pages()
    answer = await send(door, one, push)
    assert (answer["accepted"], answer["duplicates"]) == (2, 0)
    assert set((await stored(door)).values()) == {"one", "other"}
    again = await send(door, other, push)
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert await drift_of(door, one) == await drift_of(door, other) == {}


async def test_a_page_and_its_messenger_share_an_address(door: Doorstep) -> None:
    page = await a_channel(door, "facebook", "page", {"page_id": "500"})
    await a_channel(door, "messenger", "talks", {"page_id": "500"})
    venue = MessengerVenue()
    message = venue.says("77", "Help")
    assert (await send(door, page, venue.tells(venue.event(message))))["accepted"] == 1
    assert await stored(door) == {message["mid"]: "talks"}


async def test_two_numbers_share_an_address(door: Doorstep) -> None:
    one = await a_channel(door, "whatsapp", "one", {"phone_number_id": "106540000000000"})
    await a_channel(door, "whatsapp", "other", {"phone_number_id": "106540000000001"})
    venue = WhatsappVenue()
    message = venue.says("31612345678", text={"body": "Help"})
    await send(door, one, venue.tells(message, number="106540000000001"))
    assert await stored(door) == {message["id"]: "other"}


async def test_what_nobody_watches_is_told(door: Doorstep) -> None:
    one = await a_channel(door, "facebook", "one", {"page_id": "500"})
    for _ in range(2):
        await send(door, one, of_two_pages())
    assert set((await stored(door)).values()) == {"one"}
    assert await drift_of(door, one) == {"unwatched_account.501": 2}


async def test_channels_of_others_get_nothing_of_it(door: Doorstep) -> None:
    one = await a_channel(door, "facebook", "one", {"page_id": "500"})
    await a_channel(door, "facebook", "paused", {"page_id": "501"}, status="paused")
    await a_channel(
        door, "facebook", "of another app", {"page_id": "501"}, secrets={**SECRETS, "app_secret": "another"}
    )
    await a_channel(door, "facebook", "of no app", {"page_id": "501"}, secrets={})
    await a_channel(door, "facebook", "broken", {"page_id": "no digits"})
    await a_channel(door, "messenger", "elsewhere", {"page_id": "502"})
    neighbour = await a_workspace(door.database)
    await a_channel(door, "facebook", "neighbour's", {"page_id": "501"}, workspace_id=neighbour)
    assert (await send(door, one, of_two_pages()))["accepted"] == 1
    assert set((await stored(door)).values()) == {"one"}
    async with door.database.read(neighbour) as connection:
        assert await connection.fetchval("SELECT count(*) FROM mention") == 0
    assert await drift_of(door, one) == {"unwatched_account.501": 1}


async def test_what_is_not_genuine_at_its_own_hook_reaches_nobody(door: Doorstep) -> None:
    one = await a_channel(door, "facebook", "one", {"page_id": "500"})
    await a_channel(door, "facebook", "other", {"page_id": "501"}, secrets={**SECRETS, "app_secret": "another"})
    push = of_two_pages("another")
    answer = await door.client.post(f"/v1/hooks/{one.id}", content=push.body, headers=dict(push.headers))
    problem(answer, 401, "not_genuine")
    assert await stored(door) == {}


def test_who_shares() -> None:
    assert sharing.sharing("page") == ("facebook", "messenger")
    assert (sharing.sharing("instagram"), sharing.sharing("whatsapp_business_account")) == (
        ("instagram",),
        ("whatsapp",),
    )
    venue = FacebookVenue()
    made = catalog.load("facebook")({"page_id": "500"}, SECRETS, venue.http())
    assert isinstance(made, SharesHook)
    assert made.watches() == "500"
    assert made.told_of(of_two_pages()) == {"500", "501"}
