"""Reading what is due: rows and cursor in one transaction, failures said once, a reader that dies or is late harms nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from sqlalchemy import text

from services.ingest import pages as committing
from services.ingest import poller as polling
from services.ingest.channels.rss import Rss
from services.ingest.channels.simulated import venue_of
from services.ingest.intake import Taken, take_in
from services.ingest.opening import Opener, workspace_folder
from services.ingest.poller import Poller
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.store import ledger
from tests.builders import a_channel, a_workspace


@dataclass
class Site:
    """A site on loopback; what it shows is set by the test."""

    items: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        shown = self._feed()
        if self.hold is not None:
            await self.hold.wait()
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        if self.etag and request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304, headers={"ETag": self.etag})
        headers = {"ETag": self.etag} if self.etag else {}
        return web.Response(text=shown, content_type="application/rss+xml", headers=headers)

    def _feed(self) -> str:
        items = "".join(
            f"<item><guid isPermaLink='false'>{key}</guid><title>About {key}</title><description>{words}</description>"
            "<pubDate>Thu, 19 Nov 2026 10:00:00 GMT</pubDate></item>"
            for key, words in self.items.items()
        )
        return f"<?xml version='1.0'?><rss version='2.0'><channel><title>Site</title>{items}</channel></rss>"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    assert tcp._server is not None
    site.url = f"http://127.0.0.1:{tcp._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield site
    await runner.cleanup()


@dataclass
class Desk:
    """A workspace, its poller, and what a test asks of them."""

    database: Database
    opener: Opener
    workspace_id: UUID

    async def a_feed(self, site: Site, path: str = "/feed") -> Channel:
        return await a_channel(
            self.database, self.workspace_id, type="rss", settings={"url": site.url + path}, next_poll_at=clock.now()
        )

    async def poll(self) -> bool:
        """Reads what is due, as a worker would that was just started."""
        return await Poller(self.database, self.opener).once()

    async def due(self, channel: Channel) -> bool:
        """Makes it due and reads it."""
        await self.execute("UPDATE channel SET next_poll_at = now() WHERE id = :id", id=channel.id)
        return await self.poll()

    async def execute(self, sql: str, **values: Any) -> None:
        async with self.database.write(self.workspace_id) as session:
            await session.execute(text(sql), values)

    async def state(self, channel: Channel) -> dict[str, Any]:
        async with self.database.read(self.workspace_id) as connection:
            row = await connection.fetchrow(
                "SELECT *, extract(epoch FROM next_poll_at - now())::float8 AS in_s FROM channel WHERE id = $1",
                channel.id,
            )
        assert row is not None
        return dict(row)

    async def texts(self) -> dict[str, str]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT external_id, text FROM mention")
        assert len({row["external_id"] for row in rows}) == len(rows)
        return {row["external_id"]: row["text"] for row in rows}

    async def told(self, noun: str = "") -> list[str]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await connection.fetch("SELECT type FROM outbox WHERE type LIKE $1 ORDER BY at, id", f"{noun}%")
        return [row["type"] for row in rows]

    async def counts(self) -> dict[str, int]:
        async with self.database.read(self.workspace_id) as connection:
            rows = await ledger.read(connection, since=None, until=None, channel=None)
        return {name: sum(row[name] for row in rows) for name in ledger.COUNTS}


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    http = HttpClient(["127.0.0.0/8"])
    desk = Desk(database, Opener(Vault("k" * 40), http, tmp_path), await a_workspace(database))
    yield desk
    await desk.execute("UPDATE channel SET status = 'paused'")  # so that no other test reads them
    await http.close()


# ---------------------------------------------------------------- reading


async def test_what_is_new_comes_once_and_an_edit_is_an_edit(desk: Desk, site: Site) -> None:
    site.items = {"1": "kapot", "2": "stuk"}
    channel = await desk.a_feed(site)
    assert await desk.poll()
    assert not await desk.poll()  # it is not due any more
    assert await desk.told() == ["mention.received", "mention.received", "channel.connected"]
    state = await desk.state(channel)
    assert (state["health"], state["failures"], state["lease_token"]) == ("ok", 0, None)
    assert 0 < state["in_s"] <= 3_600
    assert state["last_success_at"] is not None
    site.items = {"3": "nieuw", "1": "weer heel", "2": "stuk"}
    await desk.due(channel)
    assert await desk.texts() == {"1": "weer heel", "2": "stuk", "3": "nieuw"}
    assert sorted((await desk.told())[3:]) == ["mention.edited", "mention.received"]
    site.items = {"3": "nieuw"}  # what slides out of a feed was not taken back
    await desk.due(channel)
    assert len(await desk.texts()) == 3
    assert await desk.told("channel.") == ["channel.connected"]
    counted = await desk.counts()
    assert (counted["received"], counted["stored"], counted["updated"]) == (4, 3, 1)


async def test_what_did_not_change_costs_no_row(desk: Desk, site: Site) -> None:
    site.items, site.etag = {"1": "words"}, '"one"'
    channel = await desk.a_feed(site)
    await desk.poll()
    before = await desk.state(channel)
    await desk.due(channel)
    after = await desk.state(channel)
    assert len(site.asked) == 2
    assert after["last_success_at"] > before["last_success_at"]
    assert (after["cursor"], after["lag_s"]) == (before["cursor"], before["lag_s"])
    assert (await desk.counts())["received"] == 1
    assert await desk.told("mention.") == ["mention.received"]


# ---------------------------------------------------------------- failing


async def test_a_failure_is_said_once_and_so_is_the_recovery(desk: Desk, site: Site) -> None:
    site.items = {"1": "words"}
    channel = await desk.a_feed(site)
    await desk.poll()
    cursor = (await desk.state(channel))["cursor"]
    site.status = 404
    for _ in range(3):
        await desk.due(channel)
    state = await desk.state(channel)
    assert (state["health"], state["failures"], state["cursor"]) == ("failing", 3, cursor)
    assert "not there any more" in state["health_detail"]
    assert state["failing_since"] is not None
    site.status, site.items = 200, {"2": "more", "1": "words"}
    for _ in range(2):
        await desk.due(channel)
    state = await desk.state(channel)
    assert (state["health"], state["failures"], state["failing_since"], state["health_detail"]) == ("ok", 0, None, None)
    assert await desk.told("channel.") == ["channel.connected", "channel.degraded", "channel.recovered"]
    assert set(await desk.texts()) == {"1", "2"}


async def test_a_network_that_asks_us_to_wait_is_left_alone(desk: Desk, site: Site) -> None:
    channel = await desk.a_feed(site)
    site.status, site.headers = 503, {"Retry-After": "700"}
    await desk.poll()
    state = await desk.state(channel)
    assert (state["health"], state["failures"]) == ("new", 1)
    assert 690 < state["in_s"] <= 700
    site.headers = {"Retry-After": "1"}
    waits = []
    for _ in range(12):
        await desk.due(channel)
        waits.append((await desk.state(channel))["in_s"])
    assert all(later > earlier for earlier, later in pairwise(waits[:6]))
    assert 3_590 < waits[-1] <= 3_600  # it never gives up: once an hour it looks
    assert await desk.told("channel.") == ["channel.degraded"]
    site.status, site.items = 200, {"1": "words"}
    await desk.due(channel)
    assert await desk.told("channel.") == ["channel.degraded", "channel.connected", "channel.recovered"]


async def test_a_wrong_credential_is_asked_for_once(desk: Desk, site: Site) -> None:
    channel = await desk.a_feed(site)
    for status in (401, 401, 503, 503, 503, 401):
        site.status = status
        await desk.due(channel)
    assert (await desk.state(channel))["health"] == "reauth_required"
    assert await desk.told("channel.") == ["channel.reauth_required"]


async def test_a_mistake_of_ours_is_said_too(desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(*_: object) -> None:
        raise KeyError("guid")

    channel = await desk.a_feed(site)
    with monkeypatch.context() as broken:
        broken.setattr(Rss, "page", stumble)
        assert await desk.poll()
    state = await desk.state(channel)
    assert (state["health"], state["lease_token"]) == ("failing", None)
    assert state["in_s"] > 60
    assert "KeyError" in state["health_detail"]
    site.items = {"1": "words"}
    await desk.due(channel)
    assert set(await desk.texts()) == {"1"}


async def test_what_cannot_be_opened_is_said_and_spoils_no_other(desk: Desk, site: Site) -> None:
    site.items = {"1": "words"}
    gone = await a_channel(desk.database, desk.workspace_id, type="no-longer-there", next_poll_at=clock.now())
    sealed = await a_channel(
        desk.database, desk.workspace_id, type="rss", secrets=b"by another secret key" * 3, next_poll_at=clock.now()
    )
    await desk.a_feed(site)
    await desk.poll()
    assert set(await desk.texts()) == {"1"}
    for channel in (gone, sealed):
        assert (await desk.state(channel))["health"] == "failing"


# ---------------------------------------------------------------- dying, being late, being two


async def test_a_reader_killed_before_its_commit_is_followed_by_another(
    desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.items = {"1": "words", "2": "more"}
    channel = await desk.a_feed(site)
    written = asyncio.Event()

    async def never_commits(*arguments: Any, **named: Any) -> Taken:
        await real(*arguments, **named)
        written.set()
        await asyncio.Event().wait()
        raise AssertionError

    real = take_in
    with monkeypatch.context() as killed:
        killed.setattr(committing, "take_in", never_commits)
        reader = asyncio.create_task(desk.poll())
        await asyncio.wait_for(written.wait(), 60)
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
    assert await desk.texts() == {}
    assert (await desk.state(channel))["cursor"] is None
    assert not await desk.poll()  # its lease still holds
    await desk.execute("UPDATE channel SET lease_until = now() - interval '1 second' WHERE id = :id", id=channel.id)
    assert await desk.poll()
    assert set(await desk.texts()) == {"1", "2"}
    assert await desk.told("mention.") == ["mention.received"] * 2
    assert (await desk.counts())["received"] == 2


async def test_a_reader_that_lost_its_lease_writes_nothing(desk: Desk, site: Site) -> None:
    site.items, site.hold = {"1": "as it was"}, asyncio.Event()
    channel = await desk.a_feed(site)
    late = asyncio.create_task(desk.poll())
    async with asyncio.timeout(60):
        while not site.asked:
            await asyncio.sleep(0.01)
    hold, site.hold = site.hold, None
    await desk.execute("UPDATE channel SET lease_until = now() - interval '1 second' WHERE id = :id", id=channel.id)
    site.items = {"1": "as it is", "2": "more"}
    assert await desk.poll()
    stored = await desk.state(channel)
    hold.set()
    await late
    assert await desk.texts() == {"1": "as it is", "2": "more"}
    assert await desk.state(channel) | {"in_s": 0} == stored | {"in_s": 0}
    assert await desk.told() == ["mention.received", "mention.received", "channel.connected"]


async def test_several_readers_share_what_is_due(desk: Desk, site: Site) -> None:
    site.items = {"1": "words"}
    for number in range(12):
        await desk.a_feed(site, f"/{number}")
    await asyncio.gather(*(desk.poll() for _ in range(3)))
    while await desk.poll():
        pass
    assert sorted(site.asked) == sorted(f"/{number}" for number in range(12))
    assert await desk.told("mention.") == ["mention.received"] * 12


# ---------------------------------------------------------------- files of their own


async def test_a_venue_of_the_same_name_in_another_workspace_is_another_venue(desk: Desk, tmp_path: Path) -> None:
    other = Desk(desk.database, desk.opener, await a_workspace(desk.database))
    for one in (desk, other):
        await a_channel(
            one.database, one.workspace_id, type="simulated", settings={"venue": "main"}, next_poll_at=clock.now()
        )
    venue_of(workspace_folder(tmp_path, desk.workspace_id), "main").post("only for one", id="p1")
    while await desk.poll():
        pass
    assert await desk.texts() == {"p1": "only for one"}
    assert await other.texts() == {}
    assert await other.told() == ["channel.connected"]
    await other.execute("UPDATE channel SET status = 'paused'")


async def test_a_folder_in_a_channels_settings_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    venue_of(elsewhere, "main").post("not ours", id="p1")
    await a_channel(
        desk.database, desk.workspace_id, type="simulated", settings={"venue": "main", "data_dir": str(elsewhere)},
        next_poll_at=clock.now(),
    )  # fmt: skip
    await desk.poll()
    assert await desk.texts() == {}


async def test_a_network_that_hangs_takes_only_the_places_of_its_type(
    desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(polling, "OF_A_TYPE", 2)
    site.items, site.hold = {"1": "words"}, asyncio.Event()
    for number in range(4):
        await desk.a_feed(site, f"/{number}")
    poller = Poller(desk.database, desk.opener)
    assert await poller.fill()
    async with asyncio.timeout(60):
        while len(site.asked) < 2:
            await asyncio.sleep(0.01)
    assert not await poller.fill()
    await a_channel(
        desk.database, desk.workspace_id, type="simulated", settings={"venue": "main"}, next_poll_at=clock.now()
    )
    venue_of(workspace_folder(tmp_path, desk.workspace_id), "main").post("heard all the same", id="p1")
    assert await poller.fill()
    async with asyncio.timeout(60):
        while await desk.texts() != {"p1": "heard all the same"}:
            await asyncio.sleep(0.02)
    assert len(site.asked) == 2
    site.hold.set()
    async with asyncio.timeout(60):
        while len(site.asked) < 4:
            await poller.once()
