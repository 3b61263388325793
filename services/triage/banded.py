"""A sliding window over things that are found by the bands of their sketches: arrays only, many things at a time.

The bands with one slot of a table are a chain, the oldest first, as a packer of files keeps what it has seen. A thing that leaves
was the oldest of all, so it stands first in each of its chains.
"""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import numpy
from numpy.typing import NDArray

from services.triage.briefing_types import BANDS

Item = TypeVar("Item")
Numbers = NDArray[numpy.int64]
Nodes = NDArray[numpy.int32]  # a node is one band of one thing: its place times BANDS, and the band

OF_A_BAND: Final = 8
"""So many things that share a band are looked at, the earliest ones: a storm of copies needs no more."""
_FEWEST: Final = 512
_TOGETHER: Final = 256
_NONE: Final = -1
_BITS: Final = BANDS.bit_length() - 1


class Banded(Generic[Item]):
    """The last `most` things. It takes little room until there are many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lay_out(min(_FEWEST, most))

    def __len__(self) -> int:
        """How many things are held."""
        return self._count

    def add(self, items: Sequence[Item], bands: Sequence[bytes]) -> None:
        """Holds further things, each with the bands of its sketch; where there are too many, the oldest go."""
        for start in range(0, len(items), _TOGETHER):
            some = items[start : start + _TOGETHER]
            keys = numpy.frombuffer(b"".join(bands[start : start + _TOGETHER]), dtype=numpy.int64)
            for at in range(0, len(some), self._room):  # a window may be smaller than what is added at once
                self._take_in(some[at : at + self._room], keys[at * BANDS : (at + self._room) * BANDS])

    def near(self, bands: Sequence[bytes]) -> list[list[Item]]:
        """For each sketch, by its bands, the things that share one with it, the earliest few of each band; oldest first."""
        found: list[list[Item]] = [[] for _ in bands]
        long = [at for at, one in enumerate(bands) if one]
        for start in range(0, len(long), _TOGETHER):
            some = long[start : start + _TOGETHER]
            keys = numpy.frombuffer(b"".join([bands[at] for at in some]), dtype=numpy.int64)
            for at, place in zip(*self._sharing(keys), strict=True):
                found[some[at]].append(self._items[place])
        return found

    def _sharing(self, keys: Numbers) -> tuple[list[int], list[int]]:
        """Pairs of (which of the sketches, place of a thing), in order."""
        node = self._first.take(keys & self._mask)
        of = numpy.flatnonzero(node >= 0)
        node = node[of]
        pairs = []
        for _ in range(OF_A_BAND):
            same = numpy.flatnonzero(self._keys.take(node) == keys.take(of))
            age = (node[same] >> _BITS) - numpy.int64(self._oldest)
            age += (age < 0) * self._room
            pairs.append((of[same] >> _BITS) * self._room + age)
            node = self._next.take(node)
            there = numpy.flatnonzero(node >= 0)
            if not len(there):
                break
            node, of = node[there], of[there]
        found = numpy.concatenate(pairs)
        found.sort()
        once = numpy.ones(len(found), dtype=bool)
        numpy.not_equal(found[1:], found[:-1], out=once[1:])
        which, ages = numpy.divmod(found[once], self._room)
        return which.tolist(), ((ages + self._oldest) % self._room).tolist()

    def _lay_out(self, room: int) -> None:
        self._room = room
        self._oldest = self._count = 0
        self._mask = (1 << (room * BANDS).bit_length()) - 1
        self._items: list[Item] = []
        self._keys = numpy.zeros(room * BANDS, dtype=numpy.int64)
        self._next = numpy.full(room * BANDS, _NONE, dtype=numpy.int32)
        self._first = numpy.full(self._mask + 1, _NONE, dtype=numpy.int32)
        self._last = numpy.full(self._mask + 1, _NONE, dtype=numpy.int32)

    def _take_in(self, items: Sequence[Item], keys: Numbers) -> None:
        if self._count + len(items) > self._room < self._most:
            kept, known = self._items, self._keys[: self._count * BANDS]  # none has left yet: they lie in order
            self._lay_out(min(self._room * 2 if self._room * 2 >= self._count + len(items) else self._most, self._most))
            self._take_in(kept, known)
        self._let_go(self._count + len(items) - self._room)
        places = (self._oldest + self._count + numpy.arange(len(items))) % self._room
        fits = min(len(items), self._room - int(places[0]))
        self._items[places[0] : places[0] + fits] = items[:fits]  # at its end, the list grows
        self._items[: len(items) - fits] = items[fits:]
        self._count += len(items)
        node = (places[:, None] * BANDS + numpy.arange(BANDS)).ravel().astype(numpy.int32)
        self._keys[node] = keys
        self._link(node, keys & self._mask)

    def _link(self, node: Nodes, slot: Numbers) -> None:
        """Hangs nodes behind the chains of their slots, in their order."""
        width = len(node).bit_length()
        packed = slot << width | numpy.arange(len(node))
        packed.sort()
        slot, node = packed >> width, node[packed & ((1 << width) - 1)]
        begins = numpy.ones(len(node), dtype=bool)
        begins[1:] = slot[1:] != slot[:-1]
        ends = numpy.ones(len(node), dtype=bool)
        ends[:-1] = begins[1:]
        self._next[node[~ends]] = node[~begins]
        self._next[node[ends]] = _NONE
        begun, behind = slot[begins], node[begins]
        there = self._first[begun] >= 0
        self._next[self._last[begun[there]]] = behind[there]
        self._first[begun[~there]] = behind[~there]
        self._last[slot[ends]] = node[ends]

    def _let_go(self, count: int) -> None:
        if count <= 0:
            return
        places = (self._oldest + numpy.arange(count)) % self._room
        node = (places[:, None] * BANDS + numpy.arange(BANDS)).ravel()
        # of several in one chain the last one's follower counts: numpy assigns in order
        self._first[self._keys[node] & self._mask] = self._next[node]
        self._oldest = (self._oldest + count) % self._room
        self._count -= count
