"""A venue that tells neither edits nor deletions: a walk that would never end is ended, and what it did not come to is told."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.channel import IncomingMention
from services.ingest.networks import relisting
from services.ingest.networks.relisting import Relisting

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def a_comment(minutes_ago: int) -> IncomingMention:
    at = NOON - timedelta(minutes=minutes_ago)
    return IncomingMention(external_id=f"c{minutes_ago}", text="words", published_at=at)


def begun(state: Relisting, *, every: timedelta = timedelta(days=1)) -> Relisting:
    state.begin(NOON, history=timedelta(days=30), window=timedelta(days=7), lag=timedelta(minutes=5), every=every)
    return state


def read(state: Relisting, *minutes_ago: int, over: bool = False) -> tuple[list[str], bool]:
    """A page of comments: what is new of it, and whether there is more. As the cursor goes, through its stored form."""
    found = [state.news(a_comment(one), "d", NOON) for one in minutes_ago]
    more = state.next(over=over)
    return [one.external_id for one in found if one], more


def test_a_walk_of_too_many_pages_tells_what_it_did_not_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relisting, "MOST_PAGES", 3)
    state = begun(Relisting())
    assert read(state, 1, 2) == (["c1", "c2"], True)
    state = begun(Relisting.of(state.cursor()))  # as after a restart
    assert read(state, 3, 4) == (["c3", "c4"], True)
    state = begun(Relisting.of(state.cursor()))
    assert read(state, 5, 6) == (["c5", "c6"], False)
    (gap,) = state.gaps
    assert (gap.since, gap.until) == (NOON - timedelta(days=30), NOON - timedelta(minutes=6))
    assert "longer than 3 pages" in gap.reason
    assert Relisting.of(state.cursor()).gaps == (), "it is told once"


def test_a_walk_that_came_to_its_end_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relisting, "MOST_PAGES", 2)
    state = begun(Relisting())
    read(state, 1, 2)
    read(state, 3, over=True)
    assert state.gaps == ()
    state = begun(Relisting.of(state.cursor()))
    assert read(state, 0, 1) == (["c0"], True)
    assert read(state, 2, 60 * 24 * 40) == ([], False), "what lies below the mark was read before"
    assert state.gaps == ()


def test_what_an_ended_comparing_walk_did_not_come_to_is_not_taken_for_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    state = begun(Relisting())
    read(state, 10, 20, 30, 40, over=True)
    monkeypatch.setattr(relisting, "MOST_PAGES", 1)
    state = begun(Relisting.of(state.cursor()), every=timedelta(0))
    read(state, 10, 30)
    assert state.missed == ["c20"], "20 is missing between 10 and 30; 40 was not looked at"
