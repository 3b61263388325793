"""Whom a network takes us for: asked for, answered, and said where it cannot be."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest import checking
from services.ingest.channel import Account, AskForNewCredential, ChannelBroken
from services.ingest.channels.rss import Rss
from services.ingest.checking import Checker, whom_unsaved
from services.ingest.opening import Opener
from shared import outbox
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from shared.models.channel import Channel
from shared.store import channel as store
from tests.builders import a_workspace
from tests.ingest.scripted import Bench, Paging, Script, Scripted


class Known(Scripted):
    """A network that knows us, or says why not."""

    def __init__(self, said: Any) -> None:
        super().__init__(Script())
        self.said = said

    async def account(self) -> Account:
        if isinstance(self.said, Exception):
            raise self.said
        if isinstance(self.said, float):
            await asyncio.sleep(self.said)
        assert isinstance(self.said, Account)
        return self.said


@pytest.fixture
async def bench(database: Database) -> Bench:
    return Bench(database, await a_workspace(database))


async def check(bench: Bench, channel: Channel) -> dict[str, Any] | None:
    async with bench.database.write(bench.workspace_id) as session:
        await outbox.add_work(session, bench.workspace_id, [(store.CHECK, channel.id, 1)])
    while await Checker(bench.database, bench.opener).once():
        pass
    async with bench.database.read(bench.workspace_id) as connection:
        return await store.last_check(connection, channel.id)


async def test_whom_it_takes_us_for_is_kept(bench: Bench) -> None:
    network = Known(Account("42", "North\x00wind \ud83d", "northwind", "https://site.example/northwind"))
    channel = await bench.a_channel(network)
    found = await check(bench, channel)
    assert found is not None
    assert found["account"] == {
        "external_id": "42", "name": "Northwind \ufffd", "handle": "northwind", "url": "https://site.example/northwind",
    }  # fmt: skip
    assert found["error"] is None
    network.said = AskForNewCredential("It refuses our credential (401). Enter a new one.")
    found = await check(bench, channel)
    assert found is not None
    assert (found["account"], found["error"]) == (None, "It refuses our credential (401). Enter a new one.")
    assert await bench.rows("SELECT id FROM work WHERE kind = 'channel.check'") == []


async def test_what_cannot_be_asked_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "DEADLINE_S", 0.1)
    for network, said in (
        (Paging(Script()), "has no account"),
        (Known(5.0), "took too long"),
        (Known(KeyError("x")), "on our side (KeyError)"),
    ):
        found = await check(bench, await bench.a_channel(network))
        assert found is not None
        assert said in str(found["error"])


async def test_settings_that_nobody_saved_are_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def account(self: Any) -> Account:
        return Account("f", "A feed")

    opener = Opener(Vault("k" * 40), HttpClient().through(httpx.MockTransport(lambda _: httpx.Response(200))), tmp_path)
    settings = {"url": "https://site.example/feed"}
    with pytest.raises(ChannelBroken, match="no account"):
        await whom_unsaved(opener, "rss", settings, {}, tmp_path)
    monkeypatch.setattr(Rss, "account", account, raising=False)
    assert (await whom_unsaved(opener, "rss", settings, {}, tmp_path)).name == "A feed"
    with pytest.raises(ChannelBroken, match="url"):
        await whom_unsaved(opener, "rss", {"url": 7}, {}, tmp_path)
