"""Hacker News: stories and comments that match a search, by Algolia's search of it. Read, not answered.

The search gives the newest first and at most a thousand; so it is walked back in time, a page below the last. What was
said in the last hours is asked for again at each poll, because the index lags and authors edit. Whether posts of the
last two days still stand is asked of the site's own API, some at each poll.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from services.ingest.channel import (
    Channel,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    Cursor,
    DisplayRules,
    HttpClient,
    IncomingMention,
    Pace,
    Page,
    ReplyRules,
    SkipThis,
    expect_read,
    reading,
)
from services.ingest.networks.items import (
    Drift,
    Items,
    cut,
    engagement,
    from_epoch,
    mention,
    payload_in,
    score_of,
    tombstone,
    unknown,
)
from services.ingest.networks.json_api import Fields, expect_json, quota_left
from services.ingest.networks.json_api import parsed as parsed_json
from shared.kit import clock
from shared.models.mention import MentionKind
from shared.rules.plain_text import one_line, plain_text

SEARCH = "https://hn.algolia.com/api/v1"
ITEMS = "https://hacker-news.firebaseio.com/v0"
SITE = "https://news.ycombinator.com"
LAG = timedelta(hours=3)  # general knowledge: posts can be edited for two hours, and the index lags by minutes
POLL_AFTER = timedelta(minutes=2)  # 10,000 requests an hour from one address, as others report
PAGE_SIZE = 100
WATCHED_FOR = timedelta(days=2)
MOST_WATCHED = 200
LOOKS = 5  # at posts that may be gone, at each poll
MOST_BYTES = 8_000_000
_WHAT = "Hacker News' search"
_HIT = (
    "objectID created_at created_at_i author title url story_text comment_text story_id story_title story_url parent_id "
    "points num_comments children updated_at text type _tags _highlightResult relevancy_score"
)


class HackerNewsSettings(ChannelSettings):
    """What to listen for."""

    query: str = Field(
        title="Words to search for",
        description='As typed into the search there; "words in quotes" stand together.',
        min_length=1,
        max_length=500,
    )
    kinds: Literal["all", "stories", "comments"] = Field(default="all", title="Stories, comments or both")
    days_back: int = Field(default=7, ge=0, le=3_650, title="Days of history to read at the start")
    search_base: str = Field(default=SEARCH, title="Address of the search API", pattern=r"^https?://\S+[^/\s]$")
    items_base: str = Field(default=ITEMS, title="Address of the site's own API", pattern=r"^https?://\S+[^/\s]$")


class HackerNewsSecrets(ChannelSecrets):
    """There is nothing to keep secret."""


class HackerNews:
    """One search."""

    title: ClassVar[str] = "Hacker News"
    Settings: ClassVar[type[ChannelSettings]] = HackerNewsSettings
    Secrets: ClassVar[type[ChannelSecrets]] = HackerNewsSecrets
    ids_unique_within: ClassVar[Literal["network", "channel"]] = "network"
    pace: ClassVar[Pace] = Pace(10_000, 3_600)  # from one address, as others report
    display_rules: ClassVar[DisplayRules] = DisplayRules(attribution="The author's name and a link to the post.")
    reply_rules: ReplyRules = ReplyRules()

    def __init__(self, settings: Mapping[str, Any], secrets: Mapping[str, str], http: HttpClient) -> None:
        self._settings = HackerNewsSettings.model_validate(settings)
        HackerNewsSecrets.model_validate(secrets)
        self._http = http

    @staticmethod
    def read_payload(body: bytes, at: datetime) -> Page:
        """A page of the search as mentions."""
        return Page(**_items(payload_in(body)).told())

    async def page(self, cursor: Cursor | None) -> Page:
        """The next page of a walk from the newest back to what was read before; at its end, a look at what may be gone."""
        held, now = dict(cursor or {}), clock.now()
        since = held.get("since")
        floor = since - _s(LAG) if since is not None else _epoch(now) - self._settings.days_back * 86_400
        read, ceiling, quota = await self._search(floor, held.get("until"))
        watched = _watch(held.get("watched") or [], read, now)
        newest = max([held.get("newest") or floor, *(_epoch(one.published_at) for one in read.mentions)])
        if ceiling is not None:
            on: Cursor = {"since": since, "until": ceiling, "newest": newest, "watched": watched}
            return Page(cursor=on, has_more=True, quota_left=quota, **read.told())
        watched = await self._look(watched, read, now)
        top = max(newest, since or 0)
        return Page(cursor={"since": top, "watched": watched}, poll_after=POLL_AFTER, quota_left=quota, **read.told())

    async def backfill(self, since: datetime, cursor: Cursor | None) -> Page:
        """What was said at `since` or later, the newest first."""
        read, ceiling, quota = await self._search(_epoch(since), (cursor or {}).get("until"))
        return Page(cursor={"until": ceiling}, has_more=ceiling is not None, quota_left=quota, **read.told())

    async def _search(self, floor: int, until: int | None) -> tuple[Items, int | None, int | None]:
        """A page of what was said from `floor` (seconds) to `until`; where the next begins, None at the end; the quota."""
        tags = {"all": "(story,comment)", "stories": "story", "comments": "comment"}[self._settings.kinds]
        window = f"created_at_i>={floor}" + (f",created_at_i<={until}" if until is not None else "")
        params = {
            "query": self._settings.query,
            "tags": tags,
            "numericFilters": window,
            "hitsPerPage": str(PAGE_SIZE),
            "typoTolerance": "false",
            "advancedSyntax": "true",
        }
        with reading(_WHAT):
            answer = await self._http.get(
                f"{self._settings.search_base}/search_by_date", params=params, max_bytes=MOST_BYTES
            )
        told = expect_json(answer, _WHAT)
        read = _items(told)
        hits = told.get("hits")
        moments = [at for hit in hits if (at := _at(hit)) is not None] if isinstance(hits, list) else []
        if not isinstance(hits, list) or len(hits) < PAGE_SIZE or not moments:
            return read, None, quota_left(answer)
        oldest = min(moments)
        # more in one second than a page holds is read as far as it goes, rather than for ever
        return read, (oldest if oldest != until else oldest - 1), quota_left(answer)

    async def _look(self, watched: list[list[int]], read: Items, now: datetime) -> list[list[int]]:
        """Asks whether some of the posts still stand; those asked go to the end of the list."""
        asked, rest = watched[:LOOKS], watched[LOOKS:]
        kept = []
        for number, at in asked:
            try:
                with reading("Hacker News"):
                    answer = await self._http.get(f"{self._settings.items_base}/item/{number}.json")
                gone = _gone(expect_read(answer, "Hacker News").body)
            except ChannelError:  # this can wait, what was found cannot
                return watched
            if gone is None:
                kept.append([number, at])
            else:
                published = datetime.fromtimestamp(at, UTC)
                read.mentions.append(tombstone(gone, str(number), published, now))
        return rest + kept


def to_mention(hit: Any, drift: Drift) -> IncomingMention:
    """A hit in our words. Pure. Raises pydantic's ValidationError, SkipThis where it makes no mention."""
    told = Fields(hit, "hits", drift)
    if not told:
        raise SkipThis("A hit is no object.")
    unknown(told, _HIT)
    number, author = told.text("objectID", needed=True), told.text("author")
    markup = told.text("comment_text")
    is_comment = markup is not None or "comment" in told.all("_tags")
    link = told.link("url")
    return mention(
        hit,
        external_id=number,
        text=plain_text(markup or told.text("story_text") or ""),
        title=None if is_comment else cut(one_line(told.text("title") or ""), 2_000),
        published_at=from_epoch(told, "created_at_i") or told.moment("created_at", needed=True),
        author={"external_id": author, "handle": author, "url": _user(author)} if author else None,
        kind=MentionKind.COMMENT if is_comment else MentionKind.POST,
        permalink=f"{SITE}/item?id={number}" if number and number.isdigit() else None,
        in_reply_to=told.text("parent_id") if is_comment else None,
        thread_id=told.text("story_id") or number,
        engagement=engagement(replies=told.count("num_comments"), score=score_of(told, "points")),
        media=[{"kind": "link", "url": link}] if link and not is_comment else (),
    )


def _user(author: str) -> str | None:
    return f"{SITE}/user?id={author}" if author.replace("-", "").replace("_", "").isalnum() else None


def _items(told: Any) -> Items:
    read = Items()
    page = Fields(told, "page", read.drift)
    if "hits" not in page.value:
        read.drift["page.hits"] = None
    return read.take(page.all("hits"), to_mention, "objectID")


def _at(hit: Any) -> int | None:
    at = hit.get("created_at_i") if isinstance(hit, dict) else None
    return at if isinstance(at, int) and not isinstance(at, bool) else None


def _gone(body: bytes) -> Any:
    """What is left of a post that is gone, None where it still stands (or nobody can tell)."""
    try:
        told = parsed_json(body)
    except ValueError:
        return None
    if told is None:
        return {}
    return told if isinstance(told, dict) and (told.get("deleted") is True or told.get("dead") is True) else None


def _watch(watched: list[list[int]], read: Items, now: datetime) -> list[list[int]]:
    """Whose deletion is looked for: what was found in the last days, as [id, published]; the least lately asked first."""
    floor = _epoch(now - WATCHED_FOR)
    fresh = {int(one.external_id): _epoch(one.published_at) for one in read.mentions if _short(one.external_id)}
    known = {number for number, _ in watched}
    new = [[number, at] for number, at in fresh.items() if number not in known]
    return [pair for pair in [*watched, *new] if pair[1] >= floor][-MOST_WATCHED:]


def _short(external_id: str) -> bool:
    return external_id.isascii() and external_id.isdigit() and len(external_id) <= 15


def _epoch(at: datetime) -> int:
    return int(at.timestamp())


def _s(span: timedelta) -> int:
    return int(span.total_seconds())


CHANNEL: type[Channel] = HackerNews
