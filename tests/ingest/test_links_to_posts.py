"""A link to a post tells the same post as the venue's own channel does: held for every permalink in the payload pairs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.rules.canonical_url import venue_of

PAYLOADS = Path(__file__).parent / "payloads"
# Types that bring what others published: their links lead to other venues, and their ids are their own.
CARRIERS = {"push", "rss", "simulated"}
# Their links tell a number of their own, by which links are known from each other, and not the id that their interface gives.
OTHER_NUMBERS = {"instagram"}
# Venues whose permalinks tell the post (`venue_of` is not None for at least one of them).
TOLD = {"x", "mastodon", "bluesky", "reddit", "youtube", "hacker_news"}


def _linked() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(PAYLOADS.glob("*/*.mention.json")):
        if file.parent.name not in CARRIERS:
            told = json.loads(file.read_text(encoding="utf-8"))
            yield from ((file.parent.name, one) for one in (told if isinstance(told, list) else [told]))


LINKED = [(type_, one) for type_, one in _linked() if one.get("permalink")]


@pytest.mark.parametrize("type_", sorted({type_ for type_, _ in LINKED}))
def test_a_permalink_leads_to_its_own_post(type_: str) -> None:
    told = {one["external_id"]: venue_of(one["permalink"]) for each, one in LINKED if each == type_}
    wrong = {identity: post for identity, post in told.items() if post not in (None, (type_, identity))}
    if type_ in OTHER_NUMBERS:
        assert {post[0] for post in wrong.values()} <= {type_}
        return
    assert wrong == {}
    if type_ in TOLD:
        assert any(told.values()), "no link of this venue was recognised"
