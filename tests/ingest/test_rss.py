"""The rss channel against a site that changes, moves, misbehaves and attacks."""

import asyncio
import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.ingest.channel import AskForNewCredential, ChannelBroken, Page, TryLater
from services.ingest.channels.rss import Rss
from services.ingest.feed_memory import MOST_ITEMS
from shared.kit import clock
from shared.kit.http import HttpClient

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "https://site.example/feed"


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    moment = Now()
    monkeypatch.setattr(clock, "now", moment)
    return moment


class Site:
    """A site that answers as told and remembers what it was asked."""

    def __init__(self, body: bytes | str = b"", **headers: str) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.shows(body, 200, **headers)

    def shows(self, body: bytes | str, status: int = 200, /, **headers: str) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.answer is not None:
            return self.answer(request)
        etag = self.headers.get("etag")
        if etag and request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers={"etag": etag})
        return httpx.Response(self.status, content=self.body, headers=self.headers)

    def channel(self, secrets: dict[str, str] | None = None, **settings: Any) -> Rss:
        http = HttpClient().through(httpx.MockTransport(self))
        return Rss({"url": URL, **settings}, secrets or {}, http)


def _item(number: int | str, text: str = "words", more: str = "") -> str:
    return (
        f"<item><guid isPermaLink='false'>id-{number}</guid><link>https://site.example/{number}</link>"
        f"<title>Title {number}</title><description>{text}</description>"
        f"<pubDate>Thu, 19 Nov 2026 10:00:00 GMT</pubDate>{more}</item>"
    )


def _rss(*items: str, channel: str = "") -> str:
    return (
        f"<?xml version='1.0'?><rss version='2.0'><channel><title>Site</title>{channel}{''.join(items)}</channel></rss>"
    )


def _ids(page: Page) -> list[str]:
    return [mention.external_id for mention in page.mentions]


# ---------------------------------------------------------------- asking


async def test_only_changes_are_asked_for_and_told() -> None:
    site = Site(_rss(_item(1), _item(2)), etag='W/"1"', last_modified="Fri, 20 Nov 2026 10:00:00 GMT")
    channel = site.channel()
    first = await channel.page(None)
    assert _ids(first) == ["id-1", "id-2"]
    assert "if-none-match" not in site.asked[0].headers
    second = await channel.page(first.cursor)
    assert second.mentions == ()
    assert site.asked[1].headers["if-none-match"] == 'W/"1"'
    assert site.asked[1].headers["if-modified-since"] == "Fri, 20 Nov 2026 10:00:00 GMT"
    site.shows(_rss(_item(3), _item(1), _item(2)))
    third = await channel.page(second.cursor)
    assert _ids(third) == ["id-3"]
    assert "etag" not in third.cursor


async def test_a_site_without_marks_is_read_again_and_told_nothing_twice() -> None:
    site = Site(_rss(_item(1), _item(2)))
    channel = site.channel()
    page = await channel.page(None)
    for _ in range(3):
        page = await channel.page(page.cursor)
        assert page.mentions == ()
        assert page.skipped == ()


async def test_the_cursor_is_json_and_belongs_to_one_address() -> None:
    site = Site(_rss(_item(1)), etag="x")
    first = await site.channel().page(None)
    cursor = orjson.loads(orjson.dumps(first.cursor))
    assert (await site.channel().page(cursor)).mentions == ()
    other = await site.channel(url="https://other.example/feed").page(cursor)
    assert _ids(other) == ["id-1"]
    assert "if-none-match" not in site.asked[-1].headers


async def test_credentials_go_with_the_request() -> None:
    site = Site(_rss(_item(1)))
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
        return httpx.Response(200, text=_rss(_item(1)))

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
        return httpx.Response(200, text=_rss(_item(1)))

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


# ---------------------------------------------------------------- what is new


async def test_an_edit_is_told_with_its_time_and_only_once(now: Now) -> None:
    site = Site(_rss(_item(1, "all is well"), _item(2)))
    channel = site.channel()
    first = await channel.page(None)
    now.at += timedelta(hours=1)
    site.shows(_rss(_item(1, "all is lost"), _item(2)))
    second = await channel.page(first.cursor)
    assert [(one.external_id, one.text, one.edited_at) for one in second.mentions] == [("id-1", "all is lost", now.at)]
    assert (await channel.page(second.cursor)).mentions == ()
    assert second.mentions[0].published_at == datetime(2026, 11, 19, 10, tzinfo=UTC)


async def test_an_edit_has_the_time_the_feed_tells() -> None:
    def entry(text: str, updated: str) -> str:
        return (
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>urn:1</id><title>t</title>"
            f"<published>2026-11-19T10:00:00Z</published><updated>{updated}</updated><content>{text}</content></entry></feed>"
        )

    site = Site(entry("one", "2026-11-19T10:00:00Z"))
    channel = site.channel()
    cursor = (await channel.page(None)).cursor
    site.shows(entry("one", "2026-11-19T11:00:00Z"))  # touched, not changed
    page = await channel.page(cursor)
    assert page.mentions == ()
    site.shows(entry("two", "2026-11-19T12:00:00Z"))
    page = await channel.page(page.cursor)
    assert page.mentions[0].edited_at == datetime(2026, 11, 19, 12, tzinfo=UTC)
    site.shows(entry("three", "2033-11-19T12:00:00Z"))
    assert (await channel.page(page.cursor)).mentions[0].edited_at == NOON


async def test_markup_that_changes_around_the_same_words_is_no_edit() -> None:
    site = Site(_rss(_item(1, "&lt;p&gt;same&lt;img src='ad?1'&gt;&lt;/p&gt;")))
    channel = site.channel()
    cursor = (await channel.page(None)).cursor
    site.shows(_rss(_item(1, "&lt;div&gt;&lt;p&gt;same&lt;/p&gt;&lt;img src='ad?2'&gt;&lt;/div&gt;")))
    assert (await channel.page(cursor)).mentions == ()


async def test_items_that_slide_out_and_come_back_are_known() -> None:
    pinned = _item("pinned")
    site = Site(_rss(pinned, _item(1)))
    channel = site.channel()
    page = await channel.page(None)
    for number in range(2, 6):
        site.shows(_rss(pinned, _item(number)))
        page = await channel.page(page.cursor)
        assert _ids(page) == [f"id-{number}"]
    site.shows(_rss(pinned, _item(1), _item(2)))
    assert (await channel.page(page.cursor)).mentions == ()


async def test_an_item_under_a_new_id_is_the_same_item() -> None:
    site = Site(_rss(_item(1, "before")))
    channel = site.channel()
    cursor = (await channel.page(None)).cursor
    renamed = _item(1, "after").replace("id-1", "another-id")
    site.shows(_rss(renamed))
    page = await channel.page(cursor)
    assert [(one.external_id, one.text, one.thread_id) for one in page.mentions] == [("id-1", "after", "id-1")]
    assert page.mentions[0].edited_at == NOON
    site.shows(_rss(renamed.replace("after", "and again")))
    again = await channel.page(page.cursor)
    assert [one.text for one in again.mentions] == ["and again"]


async def test_two_items_on_one_page_are_two() -> None:
    """A forum's feed links every post to its topic: the same link, but not the same item."""
    site = Site(_rss(_item(1), _item(2).replace("example/2", "example/1")))
    assert len((await site.channel().page(None)).mentions) == 2


async def test_an_undated_item_keeps_the_time_at_which_it_was_first_seen(now: Now) -> None:
    def bare(text: str) -> str:
        return _rss(f"<item><guid>https://site.example/u</guid><description>{text}</description></item>")

    site = Site(bare("one"))
    channel = site.channel()
    first = await channel.page(None)
    assert first.mentions[0].published_at == NOON
    now.at += timedelta(days=2)
    site.shows(bare("two"))
    assert (await channel.page(first.cursor)).mentions[0].published_at == NOON


async def test_an_item_from_the_future_is_from_now_and_stays_so(now: Now) -> None:
    ahead = _item(1).replace("19 Nov", "21 Nov")
    site = Site(_rss(ahead))
    channel = site.channel()
    first = await channel.page(None)
    assert first.mentions[0].published_at == NOON
    now.at += timedelta(days=3)
    site.shows(_rss(ahead.replace("words", "other words")))
    assert (await channel.page(first.cursor)).mentions[0].published_at == NOON


async def test_an_item_that_is_no_mention_is_told_once_and_spoils_nothing() -> None:
    site = Site(_rss("<item><guid>bad</guid><description>  </description></item>", _item(1)))
    channel = site.channel()
    first = await channel.page(None)
    assert _ids(first) == ["id-1"]
    assert [(one.external_id, "empty" in one.reason) for one in first.skipped] == [("bad", True)]
    site.shows(_rss("<item><guid>bad</guid><description>  </description></item>", _item(1), _item(2)))
    second = await channel.page(first.cursor)
    assert (_ids(second), second.skipped) == (["id-2"], ())


async def test_a_long_feed_comes_in_pages_and_loses_nothing() -> None:
    site = Site(_rss(*[_item(number) for number in range(MOST_ITEMS + 300)]), etag="long")
    channel = site.channel()
    first = await channel.page(None)
    assert (len(first.mentions), first.has_more) == (MOST_ITEMS, True)
    second = await channel.page(first.cursor)
    assert (len(second.mentions), second.has_more) == (300, False)
    assert len({*_ids(first), *_ids(second)}) == MOST_ITEMS + 300
    assert (await channel.page(second.cursor)).mentions == ()


async def test_how_often_a_feed_wants_to_be_asked() -> None:
    assert (await Site(_rss(_item(1))).channel().page(None)).poll_after is None
    for said, wait in (
        ("<ttl>20</ttl>", 20),
        ("<ttl>1</ttl>", 5),
        ("<ttl>100000</ttl>", 60),
        ("<ttl>soon</ttl>", None),
    ):
        page = await Site(_rss(_item(1), channel=said)).channel().page(None)
        assert page.poll_after == (timedelta(minutes=wait) if wait else None), said


async def test_what_its_items_are_can_be_set() -> None:
    page = await Site(_rss(_item(1))).channel(kind="review").page(None)
    assert page.mentions[0].kind == "review"
    page = await Site(_rss(_item(1))).channel(kind="comment").page(None)
    assert (page.mentions[0].kind, page.mentions[0].thread_id) == ("comment", "https://site.example/1")


# ---------------------------------------------------------------- attacks and accidents

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<rss version="2.0"><channel><item><title>&c;</title></item></channel></rss>"""
EXTERNAL = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><item><title>&x;</title></item></channel></rss>"""
LOOSE = """<rss version="2.0"><!DOCTYPE rss [<!ENTITY x "boom">]>
<channel><item><title>&x; &nbsp; <b></title></item></channel></rss>"""


@pytest.mark.parametrize(
    "document",
    [
        BOMB.encode(),
        EXTERNAL.encode(),
        LOOSE.encode(),
        b"\n\n" + BOMB.encode(),
        b"<!-- hello --><?php x ?>" + BOMB.partition("?>")[2].encode(),
        BOMB.encode("utf-16"),
        BOMB.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16-be"),
        BOMB.replace("?>", ' encoding="utf-7"?>', 1).encode().replace(b"<!", b"+ADwAIQ-"),
        b"Warning: x<br>" + BOMB.partition("?>")[2].encode(),
        b'<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://x/rss.dtd"><rss></rss>',
    ],
    ids=["bomb", "external", "loose", "blanks", "comment", "utf16", "utf16be", "utf7", "garbage", "rss091"],
)
async def test_no_entity_of_a_feed_is_ever_expanded(document: bytes) -> None:
    site = Site(document, content_type="application/rss+xml")
    try:
        page = await site.channel().page(None)
    except (ChannelBroken, TryLater) as refused:
        assert "passwd" not in str(refused)  # noqa: PT017
    else:
        said = "".join(f"{one.title}{one.text}" for one in page.mentions)
        assert "aaaa" not in said
        assert "root:" not in said
        assert "boom" not in said


async def test_a_document_type_is_refused_in_a_sentence() -> None:
    with pytest.raises(ChannelBroken, match=r"The feed https://site\.example/feed cannot be read: .*DTD"):
        await Site(BOMB).channel().page(None)


async def test_an_answer_over_ten_megabytes_is_not_read() -> None:
    big = _rss(_item(1, "x" * 10_000_001))
    with pytest.raises(TryLater, match="more than 10,000,000 bytes"):
        await Site(big).channel().page(None)
    with pytest.raises(TryLater, match="more than 10,000,000 bytes"):
        await Site(gzip.compress(big.encode()), content_encoding="gzip").channel().page(None)


async def test_a_feed_cut_off_in_the_middle_is_not_half_read() -> None:
    whole = _rss(_item(1), _item(2, "a long story that must not be stored by half"))
    for length in (len(whole) - 20, len(whole) - 90, len(whole) // 2):
        with pytest.raises(TryLater, match="not whole"):
            await Site(whole[:length]).channel().page(None)


async def test_an_untidy_feed_is_read_all_the_same() -> None:
    untidy = _rss(_item(1, "fish & chips &copy; <b>bold"), "\x0b", _item(2)).replace(
        "<?xml version='1.0'?>", "\r\n <br />"
    )
    page = await Site(untidy, content_type="text/html").channel().page(None)
    assert _ids(page) == ["id-1", "id-2"]
    assert page.mentions[0].text.startswith("fish & chips ©")


async def test_a_web_page_names_its_feeds() -> None:
    html = """<!DOCTYPE html><html><head><title>Blog</title>
    <link rel="alternate" type="application/rss+xml" title="Posts" href="/posts.xml?a=1&amp;b=2">
    <link rel='alternate' href='https://other.example/atom' type='application/atom+xml'/>
    <link rel="stylesheet" href="/style.css" type="text/css"></head><body><rss></body></html>"""
    with pytest.raises(ChannelBroken) as caught:
        await Site(html, content_type="text/html").channel().page(None)
    message = str(caught.value)
    assert "https://site.example/posts.xml?a=1&b=2" in message
    assert "https://other.example/atom" in message
    assert "style.css" not in message


@pytest.mark.parametrize(
    ("encode", "declared", "header"),
    [
        ("utf-8", "iso-8859-1", "text/xml; charset=us-ascii"),  # both lie
        ("windows-1252", "iso-8859-1", "text/xml"),
        ("windows-1252", None, "text/xml; charset=iso-8859-1"),
        ("windows-1252", "utf-8", "text/xml; charset=windows-1252"),
        ("utf-16", "utf-16", "text/xml"),
        ("utf-8-sig", None, "application/rss+xml"),
        ("iso-8859-15", "iso-8859-15", "application/rss+xml"),
        ("windows-1252", "no-such-charset", "application/rss+xml; charset=also-none"),
    ],
)
async def test_the_mess_of_charsets(encode: str, declared: str | None, header: str) -> None:
    text = _rss(_item(1, "Café, naïef"))
    if declared:
        text = text.replace("version='1.0'?>", f"version='1.0' encoding='{declared}'?>", 1)
    page = await Site(text.encode(encode), content_type=header).channel().page(None)
    said = page.mentions[0].text
    assert said == "Café, naïef" or (encode == "windows-1252" and declared == "utf-8" and said == "Caf�, na�ef")


async def test_hostile_texts_become_mentions_that_can_be_stored() -> None:
    texts = {
        "nul": "a&#0;b",
        "surrogate": "&#xD83D;x",
        "halves": "&#xD83D;&#xDE21; &#55357;&#56865;",
        "huge number": "&#99999999999999;",
        "deep": "&lt;div&gt;" * 20_000 + "deep",
        "quotes": "&lt;a \"'" * 20_000,
        "bidi": "abc\u202edef",
        "zalgo": "e" + "\u0301" * 500,
        "long word": "x" * 100_000,
    }
    site = Site(_rss(*[_item(name.replace(" ", "-"), text) for name, text in texts.items()]))
    started = time.process_time()
    page = await site.channel().page(None)
    assert time.process_time() - started < 5
    assert len(page.mentions) == len(texts)
    for mention in page.mentions:
        stored = mention.text.encode()  # which a lone surrogate would not survive
        assert b"\x00" not in stored
        assert mention.raw is not None
    assert next(one.text for one in page.mentions if one.external_id == "id-halves") == "😡 😡"


async def test_a_big_feed_does_not_hold_up_the_others() -> None:
    site = Site(_rss(*[_item(number, "some words " * 20) for number in range(1_000)]))
    longest = 0.0

    async def others() -> None:
        nonlocal longest
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - started)

    watching = asyncio.create_task(others())
    started = time.perf_counter()
    await site.channel().page(None)
    took = time.perf_counter() - started
    watching.cancel()
    assert longest < took / 2  # read in the event loop, it would be all of it
