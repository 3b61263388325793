"""The rss channel asks a site: only for what changed, with its credential, at the address it moved to."""

import httpx
import orjson
import pytest

from services.ingest.channel import AskForNewCredential, ChannelBroken, TryLater
from tests.ingest.site import URL, Site, ids_of, item, rss

pytestmark = pytest.mark.usefixtures("now")


async def test_only_changes_are_asked_for_and_told() -> None:
    site = Site(rss(item(1), item(2)), etag='W/"1"', last_modified="Fri, 20 Nov 2026 10:00:00 GMT")
    channel = site.channel()
    first = await channel.page(None)
    assert ids_of(first) == ["id-1", "id-2"]
    assert "if-none-match" not in site.asked[0].headers
    second = await channel.page(first.cursor)
    assert second.mentions == ()
    assert site.asked[1].headers["if-none-match"] == 'W/"1"'
    assert site.asked[1].headers["if-modified-since"] == "Fri, 20 Nov 2026 10:00:00 GMT"
    site.shows(rss(item(3), item(1), item(2)))
    third = await channel.page(second.cursor)
    assert ids_of(third) == ["id-3"]
    assert "etag" not in third.cursor


async def test_a_site_without_marks_is_read_again_and_told_nothing_twice() -> None:
    site = Site(rss(item(1), item(2)))
    channel = site.channel()
    page = await channel.page(None)
    for _ in range(3):
        page = await channel.page(page.cursor)
        assert page.mentions == ()
        assert page.skipped == ()


async def test_the_cursor_is_json_and_belongs_to_one_address() -> None:
    site = Site(rss(item(1)), etag="x")
    first = await site.channel().page(None)
    cursor = orjson.loads(orjson.dumps(first.cursor))
    assert (await site.channel().page(cursor)).mentions == ()
    other = await site.channel(url="https://other.example/feed").page(cursor)
    assert ids_of(other) == ["id-1"]
    assert "if-none-match" not in site.asked[-1].headers


async def test_credentials_go_with_the_request() -> None:
    site = Site(rss(item(1)))
    await site.channel({"user": "anna", "password": "geheim"}).page(None)
    assert site.asked[0].headers["authorization"].startswith("Basic ")
    site.shows("", 401)
    with pytest.raises(AskForNewCredential, match="asks for a user name"):
        await site.channel().page(None)
    with pytest.raises(AskForNewCredential, match="refuses our credential"):
        await site.channel({"user": "anna", "password": "old"}).page(None)
    site.shows("", 403)
    with pytest.raises(ChannelBroken, match="not given to us"):
        await site.channel().page(None)


async def test_a_new_address_counts_when_it_was_given_three_times() -> None:
    site = Site()

    def moved(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/feed":
            return httpx.Response(301, headers={"location": "https://site.example/new"})
        return httpx.Response(200, text=rss(item(1)))

    site.answer = moved
    channel, cursor = site.channel(), None
    for _ in range(4):
        cursor = (await channel.page(cursor)).cursor
    assert [request.url.path for request in site.asked] == ["/feed", "/new"] * 3 + ["/new"]


async def test_a_temporary_redirect_is_followed_and_never_kept() -> None:
    site = Site()

    def elsewhere(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/feed":
            return httpx.Response(302, headers={"location": "/today"})
        return httpx.Response(200, text=rss(item(1)))

    site.answer = elsewhere
    channel, cursor = site.channel(), None
    for _ in range(5):
        cursor = (await channel.page(cursor)).cursor
    assert [request.url.path for request in site.asked] == ["/feed", "/today"] * 5


async def test_a_redirect_loop_is_tried_later() -> None:
    site = Site()
    site.answer = lambda _request: httpx.Response(302, headers={"location": URL})
    with pytest.raises(TryLater, match="redirects more than 5 times"):
        await site.channel().page(None)
