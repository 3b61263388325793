"""What a mention may be a copy of: earlier ones in the window, however long the backlog, and posts that it links to."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.triage import look_alikes
from services.triage.look_alikes import AT_ONCE, Window, find
from services.triage.pipeline import VERSION
from services.triage.sketching import sketch
from shared.kit import ids
from shared.store import assessment as store
from tests.triage.building import NOON

SAID = "the train to Utrecht stood still for two hours and nobody said a word"


class Stored(dict[UUID, dict[str, Any]]):
    """Mentions as the database would give them, in the order of their ids; `asked` are the posts it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[tuple[str, str]]] = []

    def add(self, text: str, minute: float, **fields: Any) -> UUID:
        at = NOON + timedelta(minutes=minute)
        mention_id = ids.new_id(at)
        self[mention_id] = {
            "id": mention_id, "text": text, "author": f"a{minute}", "channel_type": "push", "published_at": at,
            "permalink": None, "kind": "post", "handle": None, "external_id": str(minute), **fields,
        }  # fmt: skip
        return mention_id


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    """No mentions yet."""
    kept = Stored()

    async def texts_between(_: object, after: UUID, up_to: UUID, limit: int) -> list[dict[str, Any]]:
        return [row for key, row in sorted(kept.items()) if after < key <= up_to][-limit:]

    async def same_texts(_: object, hashes: Sequence[bytes]) -> list[dict[str, Any]]:
        return []

    async def posts_at_venues(_: object, posts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        kept.asked.append(list(posts))
        return [row for row in kept.values() if (row["channel_type"], row["external_id"]) in posts]

    async def entities(_: object, mention_ids: Sequence[UUID], version: str) -> dict[UUID, list[dict[str, Any]]]:
        assert version == VERSION
        return {one: kept[one]["entities"] for one in mention_ids if "entities" in kept[one]}

    for function in (texts_between, same_texts, posts_at_venues, entities):
        monkeypatch.setattr(store, function.__name__, function)
    return kept


async def found(window: Window, stored: Stored, *mention_ids: UUID) -> list[list[tuple[UUID, bool]]]:
    """For each, the look-alikes and whether they stand for the same page."""
    rows: Any = [stored[one] for one in mention_ids]
    likes, _ = await find(None, window, rows)  # type: ignore[arg-type]  # the store is ours
    return [[(like.mention_id, like.same_page) for like in likes[one]] for one in mention_ids]


async def likes(window: Window, stored: Stored, mention_id: UUID) -> list[UUID]:
    return [one for one, _ in (await found(window, stored, mention_id))[0]]


async def test_a_copy_is_found_whatever_waits_behind_it(stored: Stored) -> None:
    window = Window()
    first = stored.add(SAID, 0)
    copy = stored.add(f"{SAID}!!", 1)
    for n in range(2 * AT_ONCE):
        stored.add(f"nr {n}", 2 + n / 1000)
    assert await likes(window, stored, copy) == [first]


async def test_what_comes_between_two_looks_is_seen_once(stored: Stored) -> None:
    window = Window()
    first = stored.add(SAID, 0)
    assert await likes(window, stored, first) == []
    second = stored.add(SAID, 1)
    third = stored.add(SAID, 2)
    assert await likes(window, stored, third) == [first, second]
    assert await likes(window, stored, second) == [first]  # an older one asked for later: nothing is taken in twice
    assert len(window._by_band) == 3


async def test_near_look_alikes_come_with_what_was_found_in_them(stored: Stored) -> None:
    found_there = [{"type": "PLACE", "text": "Utrecht", "decided_by": "en_core", "value": "Utrecht"}]
    first = stored.add(SAID, 0, entities=found_there)
    waiting = stored.add(SAID, 1)
    copy = stored.add(f"{SAID} #fail", 2)
    rows: Any = [stored[copy]]
    likes, _ = await find(None, Window(), rows)  # type: ignore[arg-type]  # the store is ours
    assert {like.mention_id: like.entities for like in likes[copy]} == {
        first: (("PLACE", "Utrecht", "en_core"),), waiting: None,
    }  # fmt: skip


async def test_after_a_start_the_window_is_read_back_whole_and_no_further(stored: Stored) -> None:
    room = 2 * AT_ONCE + 50
    stored.add(SAID, -1)
    known = stored.add(SAID, 0)
    for n in range(room - 2):
        stored.add(f"this is the mention with the number {n} of {n * n}", 1 + n / 1000)
    copy = stored.add(f"{SAID} again", 60)
    window = Window(room)
    assert await likes(window, stored, copy) == [known]
    assert len(window._by_band) == room
    assert (await likes(window, stored, stored.add(f"{SAID} again!", 61)))[-1] == copy


async def test_the_window_holds_no_more_than_it_may(stored: Stored) -> None:
    window = Window(50)
    added = [
        stored.add(f"{SAID} {n % 7}", n / 10) for n in range(500)
    ]  # every text is like every other: the same bands
    for one in added:
        window.add([look_alikes._look_alike(stored[one])])  # type: ignore[arg-type]
    assert len(window._by_band) == len(window._by_page) == 50
    after = stored.add(SAID, 51)
    (found,) = window.near([after], [sketch(SAID)])
    assert set(found) <= set(added[-50:])
    assert found, "those that come after the first have left must be found too"


TWEET = "1790000000000000001"
LINK = f"https://twitter.com/ann/status/{TWEET}?s=20"
ALERT = {"channel_type": "rss", "kind": "article", "permalink": LINK}
POST = {"channel_type": "x", "external_id": TWEET, "permalink": f"https://x.com/ann/status/{TWEET}"}


async def test_an_item_finds_the_post_it_links_to_by_one_question_for_the_batch(stored: Stored) -> None:
    post = stored.add(SAID, 0, **POST)
    items = [stored.add("Shortened ...", n, **ALERT) for n in (1, 2)]
    other = stored.add("Shortened ...", 3, **{**ALERT, "permalink": "https://news.example/1"})
    assert await found(Window(), stored, post, *items, other) == [
        [], [(post, True)], [(post, True), (items[0], True)], [],
    ]  # fmt: skip
    assert stored.asked == [[("x", TWEET)]]


async def test_a_post_finds_the_item_that_was_there_before_it(stored: Stored) -> None:
    item, post = stored.add("Shortened ...", 0, **ALERT), stored.add(SAID, 1, **POST)
    assert await found(Window(), stored, item, post) == [[], [(item, True)]]


async def test_posts_of_venues_themselves_ask_for_nothing(stored: Stored) -> None:
    stored.add(SAID, 0, **POST)
    link = "https://mastodon.example/@ann/111222333444555666"
    await found(Window(), stored, *stored, stored.add("?", 1, channel_type="mastodon", permalink=link))
    assert stored.asked == []


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ({"kind": "comment"}, None),  # what a comment links to is where it stands
        ({"kind": "post"}, True),
        ({"kind": "video"}, True),
        ({"text": f"{SAID} {LINK}.", "permalink": "https://bridge.example/1"}, False),  # compared by its words
        ({"text": f"{SAID} {LINK}", "permalink": "https://bridge.example/1", "kind": "post"}, None),
        ({"permalink": None}, None),
    ],
)
async def test_which_links_count(stored: Stored, fields: dict[str, Any], page: bool | None) -> None:
    post = stored.add("Other words, so that only the link can tell", 0, **POST)
    item = stored.add(fields.pop("text", "Shortened ..."), 1, **{**ALERT, **fields})
    assert (await found(Window(), stored, item))[0] == ([] if page is None else [(post, page)])


async def test_pages_leave_the_window_with_their_mentions(stored: Stored) -> None:
    window = Window(2)
    page = {"channel_type": "rss", "kind": "article", "permalink": "https://news.example/1?utm_source=a"}
    stored.add("One", 0, **page)
    again = stored.add("Two", 1, **{**page, "permalink": "http://www.news.example/1"})
    assert len(await likes(window, stored, again)) == 1
    for n in (2, 3):
        stored.add("Other", n)
    last = stored.add("Three", 4, **page)
    assert await likes(window, stored, last) == []
    assert await likes(window, stored, stored.add("Four", 5, **page)) == [last]
