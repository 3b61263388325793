"""Jetstream as the bluesky channel hears it: what holds the words, what becomes of it, and what was missed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from services.ingest.channel import Page, TryLater
from services.ingest.channels.bluesky import Bluesky as Channel
from shared.kit.http import HttpClient
from shared.rules.wanted import Named, Wanted
from tests.venues import bluesky as played
from tests.venues.bluesky import THEM

pytestmark = pytest.mark.usefixtures("now")


def event(text: str, key: str, at: int, operation: str = "create", did: str = THEM, **record: Any) -> dict[str, Any]:
    made = {"$type": played.POST, "text": text, "createdAt": "2026-11-20T11:00:00Z", **record}
    commit = {"operation": operation, "collection": played.POST, "rkey": key, "cid": "bafy", "record": made}
    return {"did": did, "time_us": at, "kind": "commit", "commit": commit}


@asynccontextmanager
async def jetstream(*events: Any) -> AsyncIterator[tuple[str, list[str]]]:
    """A Jetstream that says its events and hangs up; and what it was asked."""
    asked: list[str] = []

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)
        since = int(httpx.URL(connection.request.path).params.get("cursor", 0))
        for one in events:
            if not isinstance(one, dict) or one["time_us"] >= since:
                await connection.send(one if isinstance(one, str) else json.dumps(one))

    async with serve(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/subscribe", asked


async def hear(address: str, cursor: Any = None, **settings: Any) -> list[Page]:
    http = HttpClient(["127.0.0.0/8"])
    channel = Channel(
        {"queries": ['acmetel "werkt niet"'], "firehose": True, "jetstream": address, **settings}, {}, http
    )
    pages: list[Page] = []
    with pytest.raises(TryLater, match="Jetstream"):
        await asyncio.wait_for(_collect(channel, cursor, pages), 60)
    await http.close()
    return pages


async def _collect(channel: Channel, cursor: Any, pages: list[Page]) -> None:
    async for page in channel.stream(cursor):
        pages.append(page)  # noqa: PERF401  # what came before it ends with an error counts


async def test_jetstream_tells_what_holds_all_words_and_what_becomes_of_it() -> None:
    base = 1_795_172_400_000_000
    said = (
        event("AcmeTel WERKT NIET!", "3m5zqy2ue2k2a", base),
        event("acmetel werkt", "3m5zqy2ue2k2b", base + 1),
        event("acmetelefoon werkt niet", "3m5zqy2ue2k2c", base + 2),
        "no json",
        {"did": THEM, "time_us": base + 3, "kind": "identity", "identity": {"did": THEM}},
        event("acmetel werkt niet meer", "3m5zqy2ue2k2a", base + 4, "update"),
        event("other", "3m5zqy2ue2k2x", base + 5, "delete"),
        event("", "3m5zqy2ue2k2a", base + 6, "delete"),
    )
    async with jetstream(*said) as (address, asked):
        pages = await hear(address)
        heard = [one for page in pages for one in page.mentions]
        assert [(one.text, bool(one.edited_at), bool(one.deleted_at)) for one in heard] == [
            ("AcmeTel WERKT NIET!", False, False), ("acmetel werkt niet meer", True, False), ("", False, True),
        ]  # fmt: skip
        assert {one.external_id for one in heard} == {f"at://{THEM}/{played.POST}/3m5zqy2ue2k2a"}
        assert pages[-1].cursor["heard_us"] == base + 6
        assert "event" in pages[-1].drift
        await hear(address, pages[-1].cursor)
        assert asked[1].endswith(f"cursor={base + 6 - 5_000_000}")


async def test_jetstream_tells_of_accounts_that_went_and_of_gaps() -> None:
    base = 1_795_172_400_000_000
    said = (
        event("acmetel werkt niet", "3m5zqy2ue2k2a", base),
        {"did": THEM, "time_us": base + 1, "kind": "account", "account": {"active": False, "did": THEM, "status": "suspended"}},
        {"did": "did:plc:x", "time_us": base + 2, "kind": "account", "account": {"active": False, "status": "deleted"}},
        {"did": THEM, "time_us": base + 3, "kind": "account", "account": {"active": False, "did": THEM, "status": "deleted"}},
    )  # fmt: skip
    async with jetstream(*said) as (address, _):
        pages = await hear(address, {"heard_us": base - 7_200_000_000})
    assert [did for page in pages for did in page.gone_accounts] == [THEM]
    ((gap,),) = [page.gaps for page in pages if page.gaps]
    assert gap.until - gap.since == timedelta(hours=2)


async def test_jetstream_is_heard_for_what_the_workspace_listens_for_and_the_rest_is_counted() -> None:
    base = 1_795_172_400_000_000
    link: dict[str, Any] = {"facets": [{"features": [{"tag": "NorthwindFail"}]}]}
    said = (
        event("my northwind is down", "3m5zqy2ue2k2a", base),
        event("northwind", "3m5zqy2ue2k2b", base + 1, did="did:plc:other"),
        event("nothing of ours", "3m5zqy2ue2k2c", base + 2),
        event("look at this", "3m5zqy2ue2k2d", base + 3, **link),
        event("other", "3m5zqy2ue2k2x", base + 4, "delete"),
        event("nor this", "3m5zqy2ue2k2e", base + 5, "update"),
        event("compass northwind", "3m5zqy2ue2k2f", base + 6),
    )
    wanted = Wanted([Named(("Northwind", "#northwindfail", "northwindfail"), unless=("compass",))])
    async with jetstream(*said) as (address, _):
        http = HttpClient(["127.0.0.0/8"])
        channel = Channel({"firehose": True, "jetstream": address}, {}, http)
        channel.listen_for(wanted)
        pages: list[Page] = []
        with pytest.raises(TryLater, match="Jetstream"):
            await asyncio.wait_for(_collect(channel, None, pages), 60)
        await http.close()
    heard = [one.text for page in pages for one in page.mentions]
    assert heard == ["my northwind is down", "northwind", "look at this"]
    assert (
        sum(page.filtered for page in pages) == 2
    )  # of new posts: what is deleted or edited was counted when it was new


async def test_nothing_is_streamed_where_it_is_not_asked_for() -> None:
    channel = Channel({"queries": ["acmetel"]}, {}, HttpClient())
    assert [page async for page in channel.stream(None)] == []
