"""Every venue that is polled, played, with a channel that listens to it: for tests of what must hold at each of them."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.ingest import catalog
from services.ingest.channel import IncomingMention, PagesByCursor
from shared.kit.http import HttpClient
from tests.ingest.site import Now, item, rss
from tests.venues import (
    Venue,
    app_store,
    bluesky,
    discourse,
    disqus,
    facebook,
    google,
    google_business,
    google_play,
    graph,
    hacker_news,
    instagram,
    isso,
    lemmy,
    mail,
    mastodon,
    matrix,
    messenger,
    nntp,
    reddit,
    stack_exchange,
    telegram,
    trustpilot,
    wordpress,
    x,
    youtube,
)

BUSY = {"Retry-After": "300"}


@dataclass
class Part:
    """A venue and the channel that listens to it. `say(number, text)` says something there, now by the test's clock; `away`
    makes it fail at every call until `back`. `venue` is None where it is no HTTP."""

    channel: PagesByCursor
    say: Callable[[int, str], Any]
    venue: Venue | None
    away: Callable[[], None]
    back: Callable[[], None]
    stop: Callable[[], Awaitable[None]] | None = None


@dataclass
class Kept:
    """What intake would keep of numbered posts: each id once. A repeat is known by its id, and must say the same."""

    words: dict[str, str] = field(default_factory=dict)

    def take(self, mentions: Iterable[IncomingMention]) -> None:
        for one in mentions:
            assert one.deleted_at is None, f"{one.external_id} was never deleted"
            said = f"{one.title} {one.text}"
            assert self.words.setdefault(one.external_id, said) == said, f"{one.external_id} was never edited"

    @property
    def numbers(self) -> list[int]:
        """The numbers of the posts, in order, one for each id: a post under two ids shows twice."""
        return sorted(int(found[1]) for said in self.words.values() if (found := re.search(r"\bpost (\d+)\.", said)))


def words(number: int) -> str:
    """What the post of that number says; every channel here listens for its words."""
    return f"northwind lost post {number}."


def _part(
    type_: str, venue: Venue, settings: Mapping[str, Any], secrets: Mapping[str, str], say: Callable[[int, str], Any]
) -> Part:
    channel = catalog.load(type_)(settings, secrets, venue.http())
    assert isinstance(channel, PagesByCursor)

    def away() -> None:
        venue.faults.extend([httpx.Response(503, headers=BUSY)] * 5)

    return Part(channel, say, venue, away, venue.faults.clear)


def _bluesky(now: Now) -> Part:
    venue = bluesky.Bluesky(page_size=4)
    settings = {"handle": "acmetel.test", "queries": ["northwind"]}
    secrets = {"app_password": bluesky.PASSWORD}
    return _part("bluesky", venue, settings, secrets, lambda number, text: venue.post(number, text, at=now.at))


def _bluesky_messages(now: Now) -> Part:
    venue = bluesky.Bluesky(page_size=4)
    settings = {"handle": "acmetel.test", "direct_messages": True}
    secrets = {"app_password": bluesky.PASSWORD}
    return _part("bluesky", venue, settings, secrets, lambda number, text: venue.says(number, text, at=now.at))


def _mastodon(now: Now) -> Part:
    venue = mastodon.Mastodon(most=4)
    settings = {"instance": mastodon.ADDRESS, "hashtags": ["northwind"]}
    return _part("mastodon", venue, settings, {}, lambda _, text: venue.post(f"#{text}", at=now.at))


def _x(now: Now) -> Part:
    venue = x.X(page_size=4)
    settings = {"queries": ["northwind"], "compliance": False}
    return _part("x", venue, settings, x.SECRETS, lambda _, text: venue.post(text, at=now.at))


def _hacker_news(now: Now) -> Part:
    venue = hacker_news.HackerNewsVenue(now)
    return _part(
        "hacker_news", venue, {"query": "northwind"}, {}, lambda number, text: venue.says(number + 1, now.at, text)
    )


def _lemmy(now: Now) -> Part:
    venue = lemmy.LemmyVenue()

    def say(number: int, text: str) -> None:
        if number % 2:
            venue.comments_there(number + 1, 10_000, now.at, text)
        else:
            venue.posts_there(number + 1, now.at, text)

    return _part("lemmy", venue, {"query": "northwind"}, {}, say)


def _stack_exchange(now: Now) -> Part:
    venue = stack_exchange.StackExchangeVenue(quota=10_000)
    return _part(
        "stack_exchange", venue, {"query": "northwind"}, {}, lambda number, text: venue.asks(number + 1, now.at, text)
    )


def _discourse(now: Now) -> Part:
    venue = discourse.DiscourseVenue()
    topic = venue.topic("Help")

    def say(_: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.post(topic, text)

    return _part("discourse", venue, {"instance": discourse.BASE}, {}, say)


def _disqus(now: Now) -> Part:
    venue = disqus.DisqusVenue()
    settings = {"forum": disqus.FORUM}
    return _part("disqus", venue, settings, disqus.SECRETS, lambda number, text: venue.says(number, now.at, text))


def _reddit(now: Now) -> Part:
    venue = reddit.RedditVenue()
    settings = {"approved": True, "account": reddit.ME, "subreddits": ("trains",)}
    say = {0: venue.post, 1: venue.comment}
    return _part("reddit", venue, settings, reddit.SECRETS, lambda number, text: say[number % 2](number, now.at, text))


def _youtube(now: Now) -> Part:
    venue = youtube.YoutubeVenue()
    settings, secrets = {"channel_id": youtube.OURS}, {"api_key": youtube.KEY}
    return _part("youtube", venue, settings, secrets, lambda number, text: venue.says(f"c{number}", now.at, text))


def _trustpilot(now: Now) -> Part:
    venue = trustpilot.TrustpilotVenue()

    def say(_: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.review(text)

    return _part("trustpilot", venue, {"business_unit_id": trustpilot.UNIT}, trustpilot.SECRETS, say)


def _google_play(now: Now) -> Part:
    venue = google_play.GooglePlayVenue()
    venue.reads_left = 10_000
    secrets = {"service_account": google.SERVICE_ACCOUNT}
    return _part(
        "google_play", venue, {"package": google_play.PACKAGE}, secrets, lambda number, text: venue.review(number, now.at, text)
    )  # fmt: skip


def _google_business(now: Now) -> Part:
    venue = google_business.GoogleBusinessVenue()
    places = google_business.PLACES
    return _part(
        "google_business", venue, {"locations": places}, google.BY_PERSON,
        lambda number, text: venue.review(number, now.at, text, places[number % 2]),
    )  # fmt: skip


def _app_store_feed(now: Now) -> Part:
    venue = app_store.AppStoreVenue()
    settings = {"app_id": app_store.APP, "countries": ("us", "nl")}
    return _part(
        "app_store", venue, settings, {}, lambda number, text: venue.review(number, now.at, text, ("us", "nl")[number % 2])
    )  # fmt: skip


def _app_store_connect(now: Now) -> Part:
    venue = app_store.AppStoreVenue()
    return _part(
        "app_store", venue, {"app_id": app_store.APP}, app_store.SECRETS, lambda number, text: venue.review(number, now.at, text)
    )  # fmt: skip


def _telegram(now: Now) -> Part:
    venue = telegram.TelegramVenue()

    def say(_: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.says(text)

    return _part("telegram", venue, {}, telegram.SECRETS, say)


def _facebook(now: Now) -> Part:
    venue = facebook.FacebookVenue()
    on = venue.post("We are open")

    def say(_: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.comment(on, text)

    return _part("facebook", venue, {"page_id": facebook.PAGE}, graph.SECRETS, say)


def _instagram(now: Now) -> Part:
    venue = instagram.InstagramVenue()
    on = venue.post()

    def say(_: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.comment(on, text)

    return _part("instagram", venue, {"account_id": instagram.ACCOUNT}, graph.SECRETS, say)


def _instagram_messages(now: Now) -> Part:
    venue = instagram.InstagramVenue()

    def say(number: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.says(f"{77 + number % 3}", text)

    return _part("instagram", venue, {"account_id": instagram.ACCOUNT}, graph.SECRETS, say)


def _messenger(now: Now) -> Part:
    venue = messenger.MessengerVenue()

    def say(number: int, text: str) -> None:
        venue.now = now.at.timestamp()
        venue.says(f"{77 + number % 3}", text)

    return _part("messenger", venue, {"page_id": messenger.PAGE}, graph.SECRETS, say)


def _isso(now: Now) -> Part:
    venue = isso.IssoServer()
    return _part(
        "isso", venue, {"url": isso.SERVER, "site": isso.SITE}, {}, lambda _, text: venue.says(text, at=now.at)
    )


def _wordpress(now: Now) -> Part:
    venue = wordpress.WordpressSite()
    secrets = {"user": wordpress.USER, "application_password": wordpress.PASSWORD}
    return _part("wordpress", venue, {"url": wordpress.SITE}, secrets, lambda _, text: venue.says(text, at=now.at))


def _matrix(now: Now) -> Part:
    venue = matrix.Homeserver()
    settings, secrets = {"homeserver": matrix.SERVER, "user_id": matrix.US}, {"access_token": matrix.TOKEN}
    return _part("matrix", venue, settings, secrets, lambda _, text: venue.says(text, at=now.at))


class Feed(Venue):
    """A feed that shows its newest forty items."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[str] = []

    def answer(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=rss(*self.items[:-41:-1]), headers={"content-type": "application/rss+xml"})


def _rss(now: Now) -> Part:
    venue = Feed()
    say = lambda number, text: venue.items.append(item(number, text))  # noqa: E731  # as its neighbours
    return _part("rss", venue, {"url": "https://site.example/feed"}, {}, say)


async def _mail(now: Now) -> Part:
    server = mail.MailServer()
    await server.start()
    http = HttpClient(["127.0.0.0/8"])
    channel = catalog.load("mail")(server.settings(), {"password": mail.PASSWORD}, http)
    assert isinstance(channel, PagesByCursor)

    def say(number: int, text: str) -> None:
        server.deliver(mail.a_mail(text, key=f"c{number}@klant.test", at=now.at), now.at)

    def cut(at: str | None) -> None:
        server.cut_at = at

    return Part(channel, say, None, lambda: cut("UID"), lambda: cut(None), server.stop)


async def _nntp(now: Now) -> Part:
    server = nntp.NewsServerPlayed()
    await server.start()
    settings = {"host": "127.0.0.1", "port": server.port, "security": "none", "groups": ["acme.support"]}
    channel = catalog.load("nntp")(settings, {}, HttpClient(["127.0.0.0/8"]))
    assert isinstance(channel, PagesByCursor)

    def say(number: int, text: str) -> None:
        server.take(nntp.an_article(f"a{number}@klant.test", text, at=now.at))

    def fault(what: tuple[str, str] | None) -> None:
        server.fault = what

    return Part(channel, say, None, lambda: fault(("GROUP", "cut")), lambda: fault(None), server.stop)


CAST: Mapping[str, Callable[[Now], Part | Awaitable[Part]]] = {
    "app_store, by its feeds": _app_store_feed,
    "app_store, by App Store Connect": _app_store_connect,
    "bluesky": _bluesky,
    "bluesky, its messages": _bluesky_messages,
    "discourse": _discourse,
    "disqus": _disqus,
    "facebook": _facebook,
    "google_business": _google_business,
    "google_play": _google_play,
    "hacker_news": _hacker_news,
    "instagram": _instagram,
    "instagram, its messages": _instagram_messages,
    "isso": _isso,
    "lemmy": _lemmy,
    "mail": _mail,
    "mastodon": _mastodon,
    "matrix": _matrix,
    "messenger": _messenger,
    "nntp": _nntp,
    "reddit": _reddit,
    "rss": _rss,
    "stack_exchange": _stack_exchange,
    "telegram": _telegram,
    "trustpilot": _trustpilot,
    "wordpress": _wordpress,
    "x": _x,
    "youtube": _youtube,
}
