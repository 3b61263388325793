"""A firehose is told what the workspace listens for, before it streams and whenever that changes; what is not wanted is counted."""

from collections.abc import AsyncIterator

import pytest

from services.ingest import streams
from services.ingest.poller import Poller
from services.ingest.streams import Streaming
from shared.kit.database import Database
from shared.models.brand import Brand, Query
from shared.rules.wanted import Wanted
from tests.builders import a_workspace
from tests.ingest.scripted import Bench, Script, Telling, a_page


class Firehose(Telling):
    """A network that tells everything."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.told: list[Wanted] = []

    def listen_for(self, wanted: Wanted) -> None:
        """Remembers it."""
        assert len(self.script.streamed) > 0 or not self.told, "it is told before it streams"
        self.told.append(wanted)


@pytest.fixture
async def bench(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(streams, "RENEW_S", 0.1)
    bench = Bench(database, await a_workspace(database, settings={"exclusions": ["giveaway"]}))
    async with database.write(bench.workspace_id) as session:
        session.add(
            Brand(
                workspace_id=bench.workspace_id, name="Orange", aliases=["Orange  Mobile"], handles=["orange"],
                product_lines=["Livebox"], excluded=["juice"],
            )
        )  # fmt: skip
        for name, text, fields in (
            ("here", "outage NOT planned", {"channel_types": ["scripted"]}),
            ("elsewhere", "storing", {"channel_types": ["rss"]}),
            ("paused", "broken", {"status": "paused"}),
        ):
            session.add(Query(workspace_id=bench.workspace_id, name=name, text=text, **fields))
    yield bench
    await bench.execute("UPDATE channel SET status = 'paused'")


async def test_it_is_told_what_is_wanted_and_again_when_that_changes(bench: Bench) -> None:
    running, script = Streaming(bench.database), Script()
    network = Firehose(script)
    await bench.a_channel(network)
    await Poller(bench.database, bench.opener, running).once()
    await bench.soon(lambda: script.streamed)
    (wanted,) = network.told
    said = [
        "my orange phone", "orange juice", "the livebox blinks", "hello @orange", "an outage", "a planned outage", "storing", "broken",
        "orange giveaway", "something else",
    ]  # fmt: skip
    assert [said[at] for at in wanted.select(said)] == [
        "my orange phone",
        "the livebox blinks",
        "hello @orange",
        "an outage",
    ]
    await bench.execute("UPDATE query SET status = 'active', updated_at = now() WHERE name = 'paused'")
    await bench.soon(lambda: len(network.told) == 2)
    assert [said[at] for at in network.told[1].select(said)][-1] == "broken"
    await running.close()


async def test_what_was_turned_away_stands_in_the_ledger(bench: Bench) -> None:
    running, script = Streaming(bench.database), Script()
    channel = await bench.a_channel(Firehose(script))
    await Poller(bench.database, bench.opener, running).once()
    script.heard.put_nowait(a_page("1", "2", filtered=300))
    script.heard.put_nowait(a_page(cursor={"after": "2"}, filtered=40))
    await bench.soon(lambda: bench.posts(channel), 10)
    await bench.soon(lambda: _cursor(bench, channel))
    await running.close()
    async with bench.database.read(bench.workspace_id) as connection:
        row = await connection.fetchrow(
            "SELECT sum(received) AS received, sum(stored) AS stored, sum(filtered) AS filtered FROM ledger_delta"
        )
    assert dict(row or {}) == {"received": 342, "stored": 2, "filtered": 340}


async def _cursor(bench: Bench, channel: object) -> bool:
    return bool((await bench.state(channel))["cursor"] == {"after": "2"})  # type: ignore[arg-type]
