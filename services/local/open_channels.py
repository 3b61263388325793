"""The channels that listen for words without a credential: what each is set to, what it hears and what it does not.

Only types that are published (as `GET /v1/channel-types` shows them) and whose schema takes these settings are set up; the
others are left out with the reason. In the settings `{words}` stands for what is searched, `{phrase}` for the same with
quotes around several words, `{escaped}` for that in a URL, `{app}` and `{country}` for an app of the App Store.
A text in a list is repeated for each search, or country.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from services.api.desk.settings_schema import problems
from shared.rules import query_language
from shared.rules.query_language import And, Not, Or, Query, Term

MOST_SEARCHES = 5
"""Words or phrases of one query that are searched for, each in a channel of its own where a venue takes one at a time."""
LONGEST_NAME = 160


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A way to listen. `at_once`: one channel takes all the searches; `for_app`: it reads about an app, not for words."""

    type: str
    called: str
    settings: Mapping[str, Any]
    hears: str
    misses: str
    at_once: bool = False
    for_app: bool = False


OPEN: Sequence[OpenChannel] = (
    OpenChannel(
        "bluesky",
        "Bluesky, all posts",
        {"queries": ["{phrase}"], "firehose": True},
        "every public post with these words, within seconds, from now on",
        "what was posted before, direct messages, words that stand only in pictures",
        at_once=True,
    ),
    OpenChannel(
        "mastodon",
        "Mastodon (mastodon.social)",
        {"instance": "https://mastodon.social", "queries": ["{phrase}"], "public": "federated"},
        "public posts with these words that this instance knows, also of other instances, from now on",
        "instances that it does not know, posts to followers only; nothing where it asks for an account",
        at_once=True,
    ),
    OpenChannel(
        "hacker_news",
        "Hacker News",
        {"query": "{phrase}"},
        "stories and comments with these words, those of the last week too",
        "what is deleted within minutes",
    ),
    OpenChannel(
        "lemmy",
        "Lemmy (lemmy.world)",
        {"query": "{words}"},
        "posts and comments that this instance knows, also of other instances, those of the last week too",
        "communities to which nobody of this instance subscribes",
    ),
    OpenChannel(
        "stack_exchange",
        "Stack Overflow",
        {"query": "{words}"},
        "questions with these words, their answers and comments, those of the last week too",
        "its sister sites: add those where your customers ask with `webcare channel add stack_exchange`",
    ),
    OpenChannel(
        "app_store",
        "App Store",
        {"app_id": "{app}", "countries": ["{country}"]},
        "the 500 newest reviews of each country",
        "older reviews, and other countries; with a key of App Store Connect all are read",
        at_once=True,
        for_app=True,
    ),
    OpenChannel(
        "rss",
        "Google News",
        {"url": "https://news.google.com/rss/search?q={escaped}"},
        "headlines of news sites with these words; up to a hundred at a time",
        "the articles themselves: only headline, site and link are in the feed",
    ),
    OpenChannel(
        "rss",
        "Bing News",
        {"url": "https://www.bing.com/news/search?format=rss&q={escaped}"},
        "headlines and first sentences of news sites with these words",
        "the rest of each article",
    ),
)
"""In the order in which they are shown."""

ALERTS = (
    'Google Alerts are feeds too: make an alert at google.com/alerts, deliver it to "RSS feed", and name the feed\'s '
    "address with --feed."
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A channel that would be set up; `left_out` says why not, where it is not."""

    of: OpenChannel
    name: str
    settings: Mapping[str, Any]
    left_out: str | None = None

    def body(self) -> dict[str, Any]:
        """What `POST /v1/channels` takes."""
        return {"type": self.of.type, "name": self.name, "settings": dict(self.settings)}


def searches(text: str) -> tuple[str, ...]:
    """The words or phrases of a query of which every text it finds holds at least one: what venues are asked for. Raises
    QuerySyntaxError. A text that is no query is one phrase."""
    name = " ".join(text.split())
    if not is_query(name):
        return (name,)
    return tuple(dict.fromkeys(_cover(query_language.parse(name)) or ()))[:MOST_SEARCHES]


def is_query(name: str) -> bool:
    """Whether a text is written in the query language rather than a mere name."""
    return any(sign in name for sign in '"()') or any(word in name.split() for word in ("AND", "OR", "NOT"))


def plan(
    text: str, published: Mapping[str, Mapping[str, Any]], apps: Iterable[str] = (), countries: Sequence[str] = ("us",)
) -> Iterator[Planned]:
    """What would be set up to hear a text. `published`: the settings schema of each type there is; `apps`: ids in the
    App Store. Raises QuerySyntaxError."""
    wanted = searches(text)
    label = " ".join(text.split())
    for open_channel in OPEN:
        schema = published.get(open_channel.type)
        if schema is None:
            continue
        for fill in _fills(open_channel, wanted, apps, countries):
            settings = _filled(open_channel.settings, fill)
            about = label if open_channel.at_once or len(wanted) == 1 else fill[0]["words"]
            about = f"app {fill[0]['app']}" if open_channel.for_app else about
            name = f"{open_channel.called}: {about}"[:LONGEST_NAME]
            wrong = [f"{pointer[1:]} {said}" for pointer, said in problems(settings, schema, "")]
            yield Planned(open_channel, name, settings, "; ".join(wrong) or None)


_Fill = Mapping[str, str]


def _fills(
    open_channel: OpenChannel, wanted: Sequence[str], apps: Iterable[str], countries: Sequence[str]
) -> list[list[_Fill]]:
    """What the places of the settings are filled with: for each channel, the fill of each of its searches."""
    if open_channel.for_app:
        return [[{"app": app, "country": country.lower()} for country in countries] for app in apps]
    made: list[_Fill] = [
        {"words": words, "phrase": _phrase(words), "escaped": quote_plus(_phrase(words))} for words in wanted
    ]
    return [made] if open_channel.at_once else [[fill] for fill in made]


def _filled(template: Any, fills: Sequence[_Fill]) -> Any:
    if isinstance(template, str):
        for place, value in fills[0].items():
            template = template.replace(f"{{{place}}}", value)
        return template
    if isinstance(template, Mapping):
        return {key: _filled(inner, fills) for key, inner in template.items()}
    if isinstance(template, list):
        return [_filled(inner, [fill]) for inner in template for fill in fills]
    return template


def _phrase(words: str) -> str:
    return f'"{words}"' if " " in words else words


def _cover(query: Query) -> list[str] | None:
    """Terms of which one must be there for the query to hold; None where there are none such."""
    match query:
        case Term():
            return [query.text.strip('"')]
        case Not():
            return None
        case And():
            sides = [side for part in query.parts if (side := _cover(part)) is not None]
            return min(sides, key=len, default=None)
        case Or():
            covers = [_cover(part) for part in query.parts]
            return None if None in covers else [term for cover in covers for term in cover or ()]
