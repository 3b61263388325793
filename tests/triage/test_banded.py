"""The windows find what a plain dictionary of lists would, whatever leaves and however many come at once."""

import struct
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from services.triage import banded
from services.triage.banded import OF_A_BAND, Banded
from services.triage.briefing_types import BANDS
from services.triage.held import Held

KEYS = st.lists(st.integers(0, 6), min_size=BANDS, max_size=BANDS)


def bands(keys: list[int]) -> bytes:
    """Each key with its place, as bands have it; those with one key in one place have one slot with others of other keys."""
    return struct.pack(f"<{BANDS}q", *(place | key << 40 for place, key in enumerate(keys)))


@given(
    st.lists(st.lists(KEYS, max_size=5), max_size=12),
    st.integers(1, 9),
)
def test_the_same_as_looking_at_each(batches: list[list[list[int]]], most: int) -> None:
    window: Banded[int] = Banded(most)
    held: deque[tuple[int, bytes]] = deque(maxlen=most)
    number = 0
    for batch in batches:
        numbered = [(number + at, bands(keys)) for at, keys in enumerate(batch)]
        number += len(batch)
        window.add([at for at, _ in numbered], [one for _, one in numbered])
        held.extend(numbered)
        asked = [one for _, one in numbered] + [bands([3] * BANDS), b""]
        assert len(window) == len(held)
        for one, found in zip(asked, window.near(asked), strict=True):
            sharing = [at for at, other in held if one and shares(one, other)]
            assert found == sorted(set(found))
            assert set(found) <= set(sharing)
            if len(held) <= OF_A_BAND:
                assert found == sharing
            elif sharing:
                assert found[0] == sharing[0]


def shares(one: bytes, other: bytes) -> bool:
    """Whether two sketches have the number of some band in common."""
    return any(one[at : at + 8] == other[at : at + 8] for at in range(0, len(one), 8))


def test_it_grows_and_then_slides() -> None:
    most = banded._FEWEST * 3 + 7
    window: Banded[int] = Banded(most)
    made = [
        struct.pack(f"<{BANDS}q", *((at // 2 * BANDS + band) * 0x9E3779B97F4A7C % 2**63 for band in range(BANDS)))
        for at in range(2 * most)
    ]
    for start in range(0, 2 * most, 700):
        window.add(list(range(start, min(start + 700, 2 * most))), made[start : start + 700])
    assert len(window) == most
    expected = [[other for other in (at // 2 * 2, at // 2 * 2 + 1) if other >= most] for at in range(2 * most)]
    assert window.near(made) == expected


def test_a_storm_costs_no_more_than_a_few_and_the_earliest_are_found() -> None:
    window: Banded[int] = Banded(1000)
    window.add(list(range(1500)), [bands([1] * BANDS)] * 1500)
    assert window.near([bands([1] * BANDS)]) == [list(range(500, 500 + OF_A_BAND))]


@given(st.lists(st.sets(st.sampled_from("abcd")), max_size=30), st.integers(1, 12))
def test_held_by_keys_as_by_looking_at_each(things: list[set[str]], most: int) -> None:
    window: Held[int] = Held(most, of_a_key=100)
    for number, keys in enumerate(things):
        window.add(number, sorted(keys))
        held = list(enumerate(things[: number + 1]))[-most:]
        assert len(window) == len(held)
        for key in "abcd":
            assert list(window.of([key])) == [at for at, of in held if key in of]


def test_of_a_key_a_few_are_held_and_those_that_leave_make_room() -> None:
    window: Held[int] = Held(4, of_a_key=2)
    for number in range(10):
        window.add(number, ["a"])
    assert len(list(window.of(["a"]))) <= 2
    assert set(window.of(["a"])) <= {6, 7, 8, 9}
    assert list(window.of(["a"]))
