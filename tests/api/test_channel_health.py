"""How a channel is doing, by both doors: gaps, cost, drift, and whom its network takes us for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import asyncpg
import orjson
import pytest

from services.api.desk import channel_checks
from services.ingest.channel import Account, AskForNewCredential
from services.ingest.checking import Checker
from services.ingest.opening import Opener
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.channel import Channel, ChannelGap, ChannelSpend
from shared.store import reading
from shared.store.views import NOUNS
from tests.api.world import World


async def test_a_channel_tells_how_its_reading_is_doing(world: World) -> None:
    now = clock.now()
    channel = await world.a_channel(
        health="failing", health_detail="The network is away.", failing_since=now, failures=3, lag_s=12.5, quota_left=77,
        drift={"post.colour": 3},
    )  # fmt: skip
    other = await world.a_channel()
    month = now.date().replace(day=1)
    async with world.database.write(world.workspace_id) as session:
        for since, closed in ((5, None), (3, now), (1, None)):
            session.add(
                ChannelGap(
                    workspace_id=world.workspace_id, channel_id=channel.id, since=now - timedelta(hours=since), found_at=now,
                    until=now - timedelta(hours=since - 1), reason=f"{since} hours ago", closed_at=closed,
                )
            )  # fmt: skip
        for when, cost in ((month, 1_250_000), ((month - timedelta(days=1)).replace(day=1), 99_000_000)):
            session.add(ChannelSpend(workspace_id=world.workspace_id, channel_id=channel.id, month=when, cost=cost))
    shown = await world.get(f"/v1/channels/{channel.id}")
    assert (shown["open_gaps"], shown["spent_usd"], shown["drift"]) == (2, 1.25, {"post.colour": 3})
    assert (shown["lag_s"], shown["quota_left"], shown["failures"]) == (12.5, 77, 3)
    assert shown["health_detail"] == "The network is away."
    quiet = await world.get(f"/v1/channels/{other.id}")
    assert (quiet["open_gaps"], quiet["spent_usd"], quiet["drift"]) == (0, 0, {})
    assert "cursor" not in shown
    assert "secrets" not in shown

    failing = await world.get("/v1/channels?health=failing")
    assert [one["id"] for one in failing["data"]] == [str(channel.id)]
    gaps = (await world.get(f"/v1/channel-gaps?open=true&channel={channel.name}"))["data"]
    assert {one["reason"] for one in gaps} == {"5 hours ago", "1 hours ago"}
    assert (await world.get(f"/v1/channel-gaps/{gaps[0]['id']}"))["channel_id"] == str(channel.id)
    assert (await world.get(f"/v1/channel-gaps?channel={other.id}"))["data"] == []
    query = "query ($id: ID!) { channel(id: $id) { openGaps spentUsd drift gaps { reason closedAt } } }"
    answer = await world.call("POST", "/graphql", {"query": query, "variables": {"id": str(channel.id)}})
    by_graphql = answer.json()["data"]["channel"]
    assert (by_graphql["openGaps"], by_graphql["spentUsd"], by_graphql["drift"]) == (2, 1.25, {"post.colour": 3})
    assert {one["reason"] for one in by_graphql["gaps"]} == {"5 hours ago", "1 hours ago"}


class Venue:
    """A network that says who we are."""

    def __init__(self, said: Account | Exception) -> None:
        self.said = said

    def network(self, _: Channel) -> "Venue":
        return self

    async def account(self) -> Account:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


@asynccontextmanager
async def ingest(world: World, said: Account | Exception) -> AsyncIterator[None]:
    """An ingest worker that does nothing but check."""

    async def work() -> None:
        checker = Checker(world.database, cast(Opener, Venue(said)))
        while True:
            await checker.once()
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    yield
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
async def checkable(settings: Settings) -> AsyncIterator[None]:
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("UPDATE channel_type SET abilities = abilities || '{check}' WHERE type = 'venue'")
    yield
    await connection.execute(
        "UPDATE channel_type SET abilities = array_remove(abilities, 'check') WHERE type = 'venue'"
    )
    await connection.close()


@pytest.mark.usefixtures("checkable")
async def test_a_channel_can_be_asked_whom_its_network_takes_us_for(world: World) -> None:
    channel = await world.a_channel()
    path = f"/v1/channels/{channel.id}/check"
    async with ingest(world, Account("42", "Northwind", "northwind", None)):
        told = await world.post(path, status=200)
        assert told["ok"] is True
        assert told["account"] == {"external_id": "42", "name": "Northwind", "handle": "northwind", "url": None}
        query = {"query": "query ($id: ID!) { checkChannel(id: $id) }", "variables": {"id": str(channel.id)}}
        by_graphql: Any = (await world.call("POST", "/graphql", query)).json()["data"]["checkChannel"]
        assert by_graphql | {"checked_at": ""} == told | {"checked_at": ""}
    async with ingest(world, AskForNewCredential("It refuses our credential (401). Enter a new one.")):
        told = await world.post(path, status=200)
        assert (told["ok"], told["account"]) == (False, None)
        assert told["error"] == "It refuses our credential (401). Enter a new one."
    shown = await world.get(f"/v1/channels/{channel.id}")
    assert (shown["account"], shown["check_error"]) == (None, told["error"])


async def test_a_check_that_cannot_be_made_is_said(world: World) -> None:
    channel = await world.a_channel()
    assert (await world.call("POST", f"/v1/channels/{channel.id}/check")).json()["code"] == "cannot_be_checked"


@pytest.mark.usefixtures("checkable")
async def test_a_check_without_ingest_is_unavailable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_checks, "WAIT_S", 0.3)
    channel = await world.a_channel()
    answer = await world.call("POST", f"/v1/channels/{channel.id}/check")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "Ingest has not come to it" in answer.json()["detail"]


async def test_a_channel_that_is_called_tells_where(world: World, api_settings: Settings) -> None:
    called, unknown = await world.a_channel(), await world.a_channel(type="no-such-type-here")
    assert (await world.get(f"/v1/channels/{called.id}"))["hook_url"] is None, "nobody said how the world reaches us"
    settings = api_settings.model_copy(update={"ingest_public_url": "https://in.example"})
    database = await Database.open(settings, "test")
    try:
        async with database.read(world.workspace_id) as connection:
            shown = {
                channel.id: orjson.loads(await reading.read_one(connection, NOUNS, "channel", channel.id))["hook_url"]
                for channel in (called, unknown)
            }
    finally:
        await database.close()
    assert shown == {called.id: f"https://in.example/v1/hooks/{called.id}", unknown.id: None}
