"""What the rss channel takes for new, for an edit and for the same: each item is told once, with its own time."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.networks.feed_memory import MOST_ITEMS
from tests.ingest.site import NOON, Now, Site, ids_of, item, rss

pytestmark = pytest.mark.usefixtures("now")


async def test_an_edit_is_told_with_its_time_and_only_once(now: Now) -> None:
    site = Site(rss(item(1, "all is well"), item(2)))
    channel = site.channel()
    first = await channel.page(None)
    now.at += timedelta(hours=1)
    site.shows(rss(item(1, "all is lost"), item(2)))
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
    site = Site(rss(item(1, "&lt;p&gt;same&lt;img src='ad?1'&gt;&lt;/p&gt;")))
    channel = site.channel()
    cursor = (await channel.page(None)).cursor
    site.shows(rss(item(1, "&lt;div&gt;&lt;p&gt;same&lt;/p&gt;&lt;img src='ad?2'&gt;&lt;/div&gt;")))
    assert (await channel.page(cursor)).mentions == ()


async def test_items_that_slide_out_and_come_back_are_known() -> None:
    pinned = item("pinned")
    site = Site(rss(pinned, item(1)))
    channel = site.channel()
    page = await channel.page(None)
    for number in range(2, 6):
        site.shows(rss(pinned, item(number)))
        page = await channel.page(page.cursor)
        assert ids_of(page) == [f"id-{number}"]
    site.shows(rss(pinned, item(1), item(2)))
    assert (await channel.page(page.cursor)).mentions == ()


async def test_an_item_under_a_new_id_is_the_same_item() -> None:
    site = Site(rss(item(1, "before")))
    channel = site.channel()
    cursor = (await channel.page(None)).cursor
    renamed = item(1, "after").replace("id-1", "another-id")
    site.shows(rss(renamed))
    page = await channel.page(cursor)
    assert [(one.external_id, one.text, one.thread_id) for one in page.mentions] == [("id-1", "after", "id-1")]
    assert page.mentions[0].edited_at == NOON
    site.shows(rss(renamed.replace("after", "and again")))
    again = await channel.page(page.cursor)
    assert [one.text for one in again.mentions] == ["and again"]


async def test_two_items_on_one_page_are_two() -> None:
    """A forum's feed links every post to its topic: the same link, but not the same item."""
    site = Site(rss(item(1), item(2).replace("example/2", "example/1")))
    assert len((await site.channel().page(None)).mentions) == 2


async def test_an_undated_item_keeps_the_time_at_which_it_was_first_seen(now: Now) -> None:
    def bare(text: str) -> str:
        return rss(f"<item><guid>https://site.example/u</guid><description>{text}</description></item>")

    site = Site(bare("one"))
    channel = site.channel()
    first = await channel.page(None)
    assert first.mentions[0].published_at == NOON
    now.at += timedelta(days=2)
    site.shows(bare("two"))
    assert (await channel.page(first.cursor)).mentions[0].published_at == NOON


async def test_an_item_from_the_future_is_from_now_and_stays_so(now: Now) -> None:
    ahead = item(1).replace("19 Nov", "21 Nov")
    site = Site(rss(ahead))
    channel = site.channel()
    first = await channel.page(None)
    assert first.mentions[0].published_at == NOON
    now.at += timedelta(days=3)
    site.shows(rss(ahead.replace("words", "other words")))
    assert (await channel.page(first.cursor)).mentions[0].published_at == NOON


async def test_an_item_that_is_no_mention_is_told_once_and_spoils_nothing() -> None:
    site = Site(rss("<item><guid>bad</guid><description>  </description></item>", item(1)))
    channel = site.channel()
    first = await channel.page(None)
    assert ids_of(first) == ["id-1"]
    assert [(one.external_id, "empty" in one.reason) for one in first.skipped] == [("bad", True)]
    site.shows(rss("<item><guid>bad</guid><description>  </description></item>", item(1), item(2)))
    second = await channel.page(first.cursor)
    assert (ids_of(second), second.skipped) == (["id-2"], ())


async def test_a_long_feed_comes_in_pages_and_loses_nothing() -> None:
    site = Site(rss(*[item(number) for number in range(MOST_ITEMS + 300)]), etag="long")
    channel = site.channel()
    first = await channel.page(None)
    assert (len(first.mentions), first.has_more) == (MOST_ITEMS, True)
    second = await channel.page(first.cursor)
    assert (len(second.mentions), second.has_more) == (300, False)
    assert len({*ids_of(first), *ids_of(second)}) == MOST_ITEMS + 300
    assert (await channel.page(second.cursor)).mentions == ()


async def test_how_often_a_feed_wants_to_be_asked() -> None:
    assert (await Site(rss(item(1))).channel().page(None)).poll_after is None
    for said, wait in (
        ("<ttl>20</ttl>", 20),
        ("<ttl>1</ttl>", 5),
        ("<ttl>100000</ttl>", 60),
        ("<ttl>soon</ttl>", None),
    ):
        page = await Site(rss(item(1), channel=said)).channel().page(None)
        assert page.poll_after == (timedelta(minutes=wait) if wait else None), said


async def test_what_its_items_are_can_be_set() -> None:
    page = await Site(rss(item(1))).channel(kind="review").page(None)
    assert page.mentions[0].kind == "review"
    page = await Site(rss(item(1))).channel(kind="comment").page(None)
    assert (page.mentions[0].kind, page.mentions[0].thread_id) == ("comment", "https://site.example/1")
