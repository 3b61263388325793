"""A feed document of any kind (RSS 0.9 to 2.0, Atom, JSON Feed), read into items. Pure: nothing is fetched."""

import calendar
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import feedparser
import orjson

from services.ingest.networks.feed_document import CutOff, NotAFeed, safe_document
from shared.rules.plain_text import one_line, plain_text

MOST_MEDIA = 20
LONGEST_TITLE = 2_000
OFTENEST, RAREST = timedelta(minutes=5), timedelta(hours=1)

_PERIODS = {"hourly": 1, "daily": 24, "weekly": 168, "monthly": 720, "yearly": 8760}


@dataclass(frozen=True, slots=True)
class FeedMedia:
    """A file that belongs to an item."""

    url: str
    kind: str
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One entry, whatever its format. Texts are plain; times UTC, None where the feed gives none that can be read."""

    id: str | None = None
    link: str | None = None
    title: str | None = None
    text: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    author_name: str | None = None
    author_url: str | None = None
    author_email: str | None = None
    lang: str | None = None
    media: tuple[FeedMedia, ...] = ()
    in_reply_to: str | None = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it stands: its own title and link, who writes it, how often it changes by its own account."""

    items: Sequence[FeedItem]
    title: str | None = None
    link: str | None = None
    author_name: str | None = None
    author_url: str | None = None
    lang: str | None = None
    poll_after: timedelta | None = None


def read_feed(body: bytes, content_type: str = "", url: str = "") -> Feed:
    """Reads a feed that was found at `url` (relative links start there). Raises NotAFeed or CutOff."""
    document = safe_document(body, content_type, url)
    try:
        return _xml_feed(document.xml, url) if document.xml is not None else _json_feed(document.json or "", url)
    except (NotAFeed, CutOff):
        raise
    except (ArithmeticError, AttributeError, AssertionError, LookupError, RecursionError, TypeError, ValueError) as odd:
        # a lenient parser trips over what nobody thought of; one such feed must not look like a fault of ours
        raise NotAFeed(f"its structure is not understood ({type(odd).__name__})") from odd


# ---------------------------------------------------------------- XML


def _xml_feed(document: bytes, url: str) -> Feed:
    parsed = feedparser.parse(
        io.BytesIO(document),
        # no base address: it would also be put before ids that are no address
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,  # the HTML becomes plain text, of which nothing can be run
        resolve_relative_uris=False,
    )
    feed = parsed.feed
    author = next(iter(_authors(feed)), {})
    return Feed(
        items=[_xml_item(entry, url) for entry in parsed.entries],
        title=_title(feed),
        link=_whole(url, feed, "link"),
        author_name=_string(author, "name"),
        author_url=_whole(url, author, "href"),
        lang=_string(feed, "language"),
        poll_after=_own_rhythm(feed),
    )


def _xml_item(entry: Mapping[str, Any], url: str) -> FeedItem:
    authors = _authors(entry)
    author = {key: value for one in reversed(authors) for key, value in one.items() if value}
    reply = entry.get("thr_in-reply-to")
    language = next((part.get("language") for part in _parts(entry) if part.get("language")), None)
    return FeedItem(
        id=_string(entry, "id"),
        link=_whole(url, entry, "link") if entry.get("link") != entry.get("id") or _is_address(entry) else None,
        title=_title(entry),
        text=_longest_text(entry),
        published=_moment(entry, "published_parsed") or _moment(entry, "updated_parsed"),
        updated=_moment(entry, "updated_parsed"),
        author_name=_string(author, "name"),
        author_url=_whole(url, author, "href"),
        author_email=_string(author, "email"),
        lang=language,
        media=tuple(_xml_media(entry, url))[:MOST_MEDIA],
        in_reply_to=_string(reply, "ref") if isinstance(reply, Mapping) else None,
        raw=_raw({key: value for key, value in entry.items() if not key.endswith(("_parsed", "_detail"))}),
    )


def _is_address(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("link")).lower().startswith(("http://", "https://"))


def _parts(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    contents = dict.get(entry, "content") if isinstance(entry, dict) else None
    for part in contents or ():
        if str(part.get("type", "text/html")).startswith(("text/", "application/xhtml")):
            yield part
    summary = entry.get("summary_detail")
    if isinstance(summary, Mapping):
        yield summary


def _longest_text(entry: Mapping[str, Any]) -> str:
    """The fullest text of an entry: a feed may carry both a summary and the whole."""
    return max((_plain(part) for part in _parts(entry)), key=len, default="")


def _plain(part: Mapping[str, Any]) -> str:
    value = str(part.get("value") or "")
    return value.strip() if part.get("type") == "text/plain" else plain_text(value)


def _title(thing: Mapping[str, Any]) -> str | None:
    detail = thing.get("title_detail") or {}
    value = str(thing.get("title") or "")
    text = " ".join(value.split()) if detail.get("type") == "text/plain" else one_line(value)
    return text[:LONGEST_TITLE] or None


def _authors(thing: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [author for author in thing.get("authors") or () if isinstance(author, Mapping) and author]


def _xml_media(entry: Mapping[str, Any], url: str) -> Iterator[FeedMedia]:
    seen: set[str] = set()
    enclosures = [link for link in entry.get("links") or () if link.get("rel") == "enclosure"]
    for thing in [*enclosures, *(entry.get("media_content") or ())]:
        media = _media(thing.get("href") or thing.get("url"), thing.get("type"), thing.get("medium"), None, url)
        if media and media.url not in seen:
            seen.add(media.url)
            yield media


def _own_rhythm(feed: Mapping[str, Any]) -> timedelta | None:
    """How often the feed says it changes, within reason."""
    try:
        if feed.get("ttl"):
            rhythm = timedelta(minutes=float(feed["ttl"]))
        else:
            hours = _PERIODS[str(feed.get("sy_updateperiod")).strip().lower()]
            rhythm = timedelta(hours=hours / max(1.0, float(feed.get("sy_updatefrequency") or 1)))
    except (KeyError, ValueError, OverflowError):
        return None
    return min(max(rhythm, OFTENEST), RAREST)


def _moment(entry: Mapping[str, Any], name: str) -> datetime | None:
    # feedparser answers "updated" with "published" where it lacks; dict.get asks for what is there
    parsed = dict.get(entry, name) if isinstance(entry, dict) else None
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return _sane(datetime.fromtimestamp(calendar.timegm(parsed), UTC))
    except (ValueError, OverflowError, OSError):
        return None


# ---------------------------------------------------------------- JSON


def _json_feed(text: str, url: str) -> Feed:
    try:
        feed = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise CutOff("the JSON ends in the middle or is not JSON") from wrong
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org/version" not in (_string(feed, "version") or ""):
        raise NotAFeed("it is JSON, but not a JSON Feed: it names no version of it, or has no items")
    base = _whole(url, feed, "home_page_url") or url
    author = _json_author(feed)
    return Feed(
        items=[_json_item(item, base) for item in items if isinstance(item, dict)],
        title=one_line(_string(feed, "title") or "") or None,
        link=_whole(url, feed, "home_page_url"),
        author_name=_string(author, "name"),
        author_url=_string(author, "url"),
        lang=_string(feed, "language"),
    )


def _json_item(item: Mapping[str, Any], base: str) -> FeedItem:
    author = _json_author(item)
    markup = _string(item, "content_html")
    text = plain_text(markup) if markup else _string(item, "content_text") or _string(item, "summary") or ""
    link = _whole(base, item, "url") or _whole(base, item, "external_url")
    attachments = [one for one in item.get("attachments") or () if isinstance(one, dict)]
    media = [_media(one.get("url"), one.get("mime_type"), None, _string(one, "title"), base) for one in attachments]
    media.append(_media(_string(item, "image"), "image/", None, None, base))
    return FeedItem(
        id=_string(item, "id"),
        link=link,
        title=one_line(_string(item, "title") or "")[:LONGEST_TITLE] or None,
        text=text.strip(),
        published=_iso(_string(item, "date_published")) or _iso(_string(item, "date_modified")),
        updated=_iso(_string(item, "date_modified")),
        author_name=_string(author, "name"),
        author_url=_string(author, "url"),
        lang=_string(item, "language"),
        media=tuple(one for one in media if one)[:MOST_MEDIA],
        raw=_raw(item),
    )


def _json_author(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    authors = thing.get("authors") or [thing.get("author")]  # `author` was JSON Feed 1.0's
    return next((one for one in authors if isinstance(one, dict)), {}) if isinstance(authors, list) else {}


def _iso(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return _sane(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- both


def _sane(at: datetime) -> datetime | None:
    return at if at.year >= 1990 else None  # before there were feeds: an epoch, or a two-digit year


def _string(thing: Mapping[str, Any], name: str) -> str | None:
    value = thing.get(name)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None


def _whole(base: str, thing: Mapping[str, Any], name: str) -> str | None:
    """An address made whole, where it was written relative to the feed's."""
    address = _string(thing, name)
    try:
        return urljoin(base, address) if address else None
    except ValueError:
        return None


def _media(url: Any, mime: Any, medium: Any, alt: str | None, base: str) -> FeedMedia | None:
    if not isinstance(url, str) or not url.strip():
        return None
    whole = _whole(base, {"url": url}, "url")
    if whole is None or not whole.lower().startswith(("http://", "https://")):
        return None
    kind = str(medium or "") or str(mime or "").partition("/")[0]
    return FeedMedia(whole, kind if kind in ("image", "video", "audio") else "file", alt)


def _raw(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass")
