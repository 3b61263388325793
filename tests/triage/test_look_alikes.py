"""The window of earlier mentions: what a mention may be a copy of, however long the backlog behind it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.triage.look_alikes import WARM, Window, find
from shared.kit import ids
from shared.store import assessment as store
from tests.triage.building import NOON

SAID = "the train to Utrecht stood still for two hours and nobody said a word"


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[UUID, dict[str, Any]]:
    """Mentions as the database would give them, in the order of their ids."""
    rows: dict[UUID, dict[str, Any]] = {}

    async def texts_between(_: object, after: UUID, up_to: UUID, limit: int) -> list[dict[str, Any]]:
        return [row for key, row in sorted(rows.items()) if after < key <= up_to][-limit:]

    async def same_texts(_: object, hashes: Sequence[bytes]) -> list[dict[str, Any]]:
        return []

    monkeypatch.setattr(store, "texts_between", texts_between)
    monkeypatch.setattr(store, "same_texts", same_texts)
    return rows


def add(stored: dict[UUID, dict[str, Any]], text: str, minute: float) -> UUID:
    at = NOON + timedelta(minutes=minute)
    mention_id = ids.new_id(at)
    stored[mention_id] = {
        "id": mention_id, "text": text, "author": f"a{minute}", "channel_type": "push", "published_at": at,
        "permalink": None, "kind": "post",
    }  # fmt: skip
    return mention_id


async def likes(window: Window, stored: dict[UUID, dict[str, Any]], mention_id: UUID) -> list[UUID]:
    found, _ = await find(None, window, {mention_id: stored[mention_id]["text"]})  # type: ignore[arg-type]  # the store is ours
    return [like.mention_id for like in found[mention_id]]


async def test_a_copy_is_found_whatever_waits_behind_it(stored: dict[UUID, dict[str, Any]]) -> None:
    window = Window()
    first = add(stored, SAID, 0)
    copy = add(stored, f"{SAID}!!", 1)
    for n in range(WARM + 100):
        add(stored, f"nr {n}", 2 + n / 1000)
    assert await likes(window, stored, copy) == [first]


async def test_what_comes_between_two_looks_is_seen_once(stored: dict[UUID, dict[str, Any]]) -> None:
    window = Window()
    first = add(stored, SAID, 0)
    assert await likes(window, stored, first) == []
    second = add(stored, SAID, 1)
    third = add(stored, SAID, 2)
    assert await likes(window, stored, third) == [first, second]
    assert await likes(window, stored, second) == [first]  # an older one asked for later: nothing is taken in twice
    assert {len(held) for held in window._by_band.values()} == {3}
