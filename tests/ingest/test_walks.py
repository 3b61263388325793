"""Walks down lists that give their newest first: what the cursor holds, and how far a walk has to reach, whatever happened."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.networks.json_api import moment
from services.ingest.networks.walks import Walk
from shared.kit import clock
from tests.ingest.site import Now

LISTS = ("questions", "answers")
FIRST, LAG = timedelta(days=2), timedelta(hours=1)


def stored(walk: Walk) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(orjson.dumps(walk.cursor()))
    return told


def floor_of(walk: Walk) -> datetime:
    return walk.floor(moment(walk.until), FIRST, LAG)


def test_a_list_that_was_empty_is_read_back_to_where_it_was_looked_at(now: Now) -> None:
    walk = Walk.of(None, LISTS)
    assert floor_of(walk) == now.at - FIRST
    assert walk.step(None, None), "the other list has its turn"
    assert not walk.step(None, None)
    cursor, looked = stored(walk), now.at
    now.at += timedelta(minutes=10)
    walk = Walk.of(cursor, LISTS)
    assert (walk.until, walk.since) == (None, looked)
    assert floor_of(walk) == now.at - FIRST, "never less far than at the very first"
    now.at += timedelta(days=30)
    assert floor_of(Walk.of(cursor, LISTS)) == looked - LAG


def test_a_first_walk_that_was_broken_off_goes_on_as_far_as_it_had_to(now: Now) -> None:
    walk, began = Walk.of(None, LISTS), now.at
    assert walk.step("page 2", clock.iso(began - timedelta(minutes=1)))
    now.at += timedelta(days=30)
    walk = Walk.of(stored(walk), LISTS)
    assert floor_of(walk) == began - FIRST
    walk.step(None, clock.iso(began - timedelta(days=1)))
    assert walk.read == {"questions": clock.iso(began - timedelta(minutes=1))}, "the newest of its first page"
    assert walk.walked == {"questions": clock.iso(began)}, "what came during the walk is read by the next"


def test_a_list_that_is_new_in_the_settings_begins_and_one_taken_out_is_forgotten(now: Now) -> None:
    walk = Walk.of(None, LISTS)
    walk.step(None, clock.iso(now.at))
    walk.step(None, None)
    now.at += timedelta(days=30)
    walk = Walk.of(stored(walk), ("answers", "comments"))
    assert (set(walk.read), set(walk.walked)) == (set(), {"answers"})
    walk.turn = "comments"
    assert (walk.since, floor_of(walk)) == (None, now.at - FIRST)


def test_a_cursor_from_before_these_marks_goes_on(now: Now) -> None:
    walk = Walk.of({"walk": {"read": {"answers": clock.iso(now.at)}, "turn": "answers", "token": "3"}}, LISTS)
    assert (walk.began, walk.since, floor_of(walk)) == (now.at, None, now.at - LAG)


steps = st.lists(
    st.tuples(st.sampled_from(["poll", "post", "away", "broken"]), st.integers(1, 40)), min_size=1, max_size=60
)


@pytest.fixture(scope="module")
def frozen() -> datetime:
    return datetime.fromisoformat("2026-03-01T00:00:00+00:00")


@given(story=steps)
def test_whatever_happens_every_post_is_met_by_a_walk(story: list[tuple[str, int]], frozen: datetime) -> None:
    """A list in pages of three, with polls, silence, long absences and walks broken off between two pages."""
    at, posts, read = frozen, list[datetime](), set[datetime]()
    cursor: dict[str, Any] | None = None

    def poll(pages: int) -> None:
        nonlocal cursor
        for _ in range(pages):
            walk = Walk.of(cursor, ("list",))
            start = 0 if walk.token is None else int(walk.token)
            shown = sorted(posts, reverse=True)[start : start + 3]
            read.update(shown)
            more = len(shown) == 3 and min(shown) >= floor_of(walk)
            goes_on = walk.step(str(start + 3) if more else None, clock.iso(max(shown)) if shown else None)
            cursor = stored(walk)
            if not goes_on:
                return

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "now", lambda: at)
        poll(1_000)
        for what, many in story:
            at += timedelta(hours=1)
            if what == "post":
                posts.extend(at + timedelta(seconds=number) for number in range(many))
                at += timedelta(seconds=many)
            elif what == "away":
                at += timedelta(days=many)
            else:
                poll(1 if what == "broken" else 1_000)
        poll(1_000)
        poll(1_000)
    assert read == set(posts)
