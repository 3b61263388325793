"""The pace of a credential: short waits are waited out, longer ones told; each credential has a line of its own."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from services.ingest.channel import Pace, TryLater, replying
from services.ingest.channels.rss import Rss
from services.ingest.opening import Opener
from services.ingest.pacing import Pacer
from shared.kit import ids
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from shared.models.channel import Channel

SLOW = Pace(calls=2, per_s=20)


@pytest.fixture
def called() -> list[str]:
    return []


@pytest.fixture
def http(called: list[str]) -> HttpClient:
    def answer(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return httpx.Response(200, text="one\n")

    return HttpClient().through(httpx.MockTransport(answer))


def a_client(http: HttpClient, pace: Pace | None = SLOW) -> Callable[..., HttpClient]:
    pacer = Pacer()
    return lambda type_="x", **secrets: pacer.client(http, type_, secrets, pace)


async def test_a_call_too_many_is_told_with_its_wait_and_not_made(http: HttpClient, called: list[str]) -> None:
    client = a_client(http)(token="a")
    await client.get("https://site.example/1")
    await client.get("https://site.example/2")
    with pytest.raises(TryLater, match="2 calls in 20 seconds") as late, replying("The site"):
        await client.request("POST", "https://site.example/3", json={})
    assert 9 < late.value.after.total_seconds() <= 10
    assert called == ["https://site.example/1", "https://site.example/2"]


async def test_each_credential_of_each_type_has_its_own_line(http: HttpClient, called: list[str]) -> None:
    make = a_client(http)
    for _ in range(2):
        for client in (make(token="a"), make(token="b"), make("y", token="a"), make(token="a", more="b")):
            await client.get("https://site.example/")
    for client in (make(token="a"), make("y", token="a")):
        with pytest.raises(TryLater):
            await client.get("https://site.example/")
    assert len(called) == 8


async def test_short_waits_are_waited_out_in_a_line(http: HttpClient, called: list[str]) -> None:
    client = a_client(http, Pace(calls=2, per_s=0.4))(token="a")
    began = time.monotonic()
    await asyncio.gather(*(client.get("https://site.example/") for _ in range(5)))
    took = time.monotonic() - began
    assert len(called) == 5
    assert took >= 0.55, "three of five wait, each 0.2 s longer"


async def test_what_is_not_used_is_kept_but_no_more_than_the_pace(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: at)
    client = a_client(http)(token="a")
    for wait in (0.0, 10_000.0):
        at += wait
        for _ in range(2):
            await client.get("https://site.example/")
        with pytest.raises(TryLater):
            await client.get("https://site.example/")


async def test_streams_and_other_transports_take_their_turn_too(http: HttpClient) -> None:
    client = a_client(http)(token="a")
    async with client.stream("GET", "https://site.example/") as answer:
        assert [line async for line in answer.lines()] == [b"one"]
    other = client.through(httpx.MockTransport(lambda _: httpx.Response(204)))
    assert (await other.get("https://site.example/")).status == 204
    with pytest.raises(TryLater):
        async with client.stream("GET", "https://site.example/"):
            pass
    with pytest.raises(TryLater):
        async with other.web_socket("wss://site.example/"):
            pass


async def test_a_type_that_names_no_pace_is_called_as_it_is(http: HttpClient) -> None:
    assert Pacer().client(http, "x", {}, None) is http


async def test_a_channel_is_opened_with_its_pace(
    http: HttpClient, called: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rss, "pace", Pace(calls=1, per_s=60), raising=False)
    opener = Opener(Vault("k" * 40), http, tmp_path)
    channel = Channel(workspace_id=ids.new_id(), type="rss", name="f", settings={"url": "https://site.example/feed"})
    with pytest.raises(Exception, match="feed"):
        await opener.network(channel).page(None)  # type: ignore[attr-defined]  # the site is no feed
    with pytest.raises(TryLater, match="1 calls in 60"):
        await opener.network(channel).page(None)  # type: ignore[attr-defined]
    with pytest.raises(TryLater):  # the same line in whichever channel: without secrets a type has one
        await replace(opener).network(channel).page(None)  # type: ignore[attr-defined]
    assert len(called) == 1
