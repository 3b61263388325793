"""A feed with a hub: found, subscribed to, renewed, confirmed; what it delivers is read once, and polling goes on."""

from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import HookAnswer, NotGenuine, Push, SkipThis
from services.ingest.channels.rss import Rss
from services.ingest.networks.websub import ALGORITHMS, pause
from tests.ingest.site import Now, ids_of, item, rss
from tests.venues.hub import FEED, HOOK, HUB, Hub

pytestmark = pytest.mark.usefixtures("now")
SECRET = "hub-secret-of-twenty-or-more"
ATOM = f"""<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel='hub' href="{HUB}"/>
<atom:link xmlns:atom="http://www.w3.org/2005/Atom" href="{FEED}?a=1&amp;b=2" rel="self" type="application/rss+xml"/>"""


def opened(hub: Hub, secret: str = SECRET, hook: str = HOOK, feed: str = FEED) -> Rss:
    return Rss({"url": feed, "hook_url": hook}, {"hub_secret": secret} if secret else {}, hub.http())


async def test_a_hub_in_the_document_is_asked_once_a_day(now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    page = await channel.page(None)
    (asked,) = hub.subscriptions
    assert asked["hub.topic"] == f"{FEED}?a=1&b=2"
    assert asked["hub.callback"].startswith(f"{HOOK}?proof=")
    assert asked["hub.lease_seconds"] == "864000"
    assert SECRET not in str(asked)
    assert len(asked["hub.secret"]) >= 40
    assert page.poll_after == timedelta(minutes=10)
    now.at += timedelta(hours=23)
    page = await channel.page(orjson.loads(orjson.dumps(page.cursor)))
    assert len(hub.subscriptions) == 1
    now.at += timedelta(hours=2)
    page = await channel.page(page.cursor)
    assert len(hub.subscriptions) == 2
    assert hub.subscriptions[0] == hub.subscriptions[1]


@pytest.mark.parametrize(
    "header",
    [
        f'<{HUB}>; rel="hub", <{FEED}>; rel="self"',
        f"<{HUB}>;rel=hub;x=y,<{FEED}>;rel=self",
        f'</>; rel="hub", <{HUB}>; rel=other',
    ],
)
async def test_a_hub_in_the_headers_is_found(header: str) -> None:
    hub = Hub(rss(item(1)), link=header.replace("</>", f"<{HUB}>"))
    await opened(hub).page(None)
    assert hub.subscriptions[0]["hub.topic"] == FEED


async def test_a_hub_in_a_json_feed_is_found() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1", "title": "Site", "feed_url": FEED,
        "hubs": [{"type": "rssCloud", "url": "https://else.example"}, {"type": "WebSub", "url": HUB}],
        "items": [{"id": "1", "content_text": "words"}],
    }  # fmt: skip
    hub = Hub(orjson.dumps(feed).decode(), **{"content-type": "application/feed+json"})
    await opened(hub).page(None)
    assert hub.subscriptions[0]["hub.topic"] == FEED


async def test_a_link_in_an_item_is_no_hub() -> None:
    hub = Hub(rss(item(1, more=ATOM)))
    page = await opened(hub).page(None)
    assert hub.subscriptions == []
    assert page.poll_after is None


@pytest.mark.parametrize(("secret", "hook"), [("", HOOK), (SECRET, "")])
async def test_without_a_secret_or_an_address_no_hub_is_asked(secret: str, hook: str, now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub, secret, hook)
    page = await channel.page(None)
    assert hub.subscriptions == []
    assert page.poll_after is None
    if not secret:
        with pytest.raises(NotGenuine):
            channel.verify(Push("POST", {}, b""), now.at)
        assert channel.answer_hook(Push("GET", {}, b""), now.at) == HookAnswer(404)


@pytest.mark.parametrize("refusal", [httpx.Response(500), httpx.ConnectError, httpx.ReadTimeout])
async def test_a_hub_that_does_not_work_is_asked_again_in_an_hour_and_the_feed_is_read(refusal: Any, now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    hub.faults.extend([None, refusal])
    page = await channel.page(None)
    assert ids_of(page) == ["id-1"]
    assert page.poll_after is None
    page = await channel.page(page.cursor)
    assert hub.subscriptions == []
    now.at += timedelta(hours=1)
    page = await channel.page(page.cursor)
    assert len(hub.subscriptions) == 1
    assert page.poll_after == timedelta(minutes=10)


async def test_a_feed_that_has_no_hub_any_more_is_polled_as_before() -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    page = await channel.page(None)
    hub.body = rss(item(1), item(2))
    page = await channel.page(page.cursor)
    assert page.poll_after is None
    assert "hub" not in page.cursor


async def test_only_what_we_asked_for_is_confirmed(now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    await channel.page(None)
    assert hub.confirm(channel, now.at) == HookAnswer(200, b"c-123")
    for other in (
        {"hub.topic": "https://evil.example/feed"},
        {"proof": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
    ):
        answer = hub.confirm(channel, now.at, **other)
        assert answer is not None
        assert answer.status == 404
    denied = hub.confirm(channel, now.at, **{"hub.mode": "denied", "hub.reason": "no"})
    assert denied == HookAnswer(200)


@pytest.mark.parametrize("method", ALGORITHMS)
async def test_what_is_delivered_is_read(method: str, now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    first = await channel.page(None)
    push = hub.delivery(rss(item(2), item(1)), method)
    assert channel.answer_hook(push, now.at) is None
    assert channel.verify(push, now.at) == channel.verify(push, now.at)
    page = channel.read_push(push, now.at)
    assert set(ids_of(page)) == {"id-1", "id-2"}
    assert page.cursor == {}
    hub.body = rss(item(2), item(1), channel=ATOM)
    polled = await channel.page(first.cursor)
    assert ids_of(polled) == ["id-2"]
    assert polled.mentions[0] == next(one for one in page.mentions if one.external_id == "id-2")


async def test_what_is_not_signed_as_agreed_is_dropped_and_the_hub_learns_nothing(now: Now) -> None:
    hub = Hub(rss(item(1), channel=ATOM))
    channel = opened(hub)
    await channel.page(None)
    good = hub.delivery(rss(item(2)))
    mark = good.headers["x-hub-signature"]
    for headers, body in [
        ({}, good.body), ({"x-hub-signature": mark}, good.body + b" "), ({"x-hub-signature": mark.replace("sha256", "md5")}, good.body),
        ({"x-hub-signature": mark.replace("sha256", "sha512")}, good.body), ({"x-hub-signature": "sha256=é"}, good.body),
    ]:  # fmt: skip
        push = Push("POST", headers, body)
        assert channel.answer_hook(push, now.at) == HookAnswer(202)
        with pytest.raises(NotGenuine):
            channel.verify(push, now.at)
    other = opened(hub, secret="another-secret-of-twenty-chars")
    assert other.answer_hook(good, now.at) == HookAnswer(202)
    for unreadable in ("<html>", "", '{"version": "https://jsonfeed.org/ver'):
        with pytest.raises(SkipThis):
            channel.read_push(hub.delivery(unreadable), now.at)


def test_polling_slows_to_a_tenth_and_to_an_hour_at_most() -> None:
    usual = timedelta(minutes=1)
    assert pause(None, usual) == timedelta(minutes=10)
    assert pause(timedelta(minutes=15), usual) == timedelta(hours=1)
    assert pause(timedelta(hours=6), usual) == timedelta(hours=6)
