"""A sliding window over things that are found by their keys: of each key the earliest few, of all of them the last so many."""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from itertools import repeat
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Held(Generic[Item]):
    """`most` things are held, and `of_a_key` of those that share a key: a storm of copies needs no more. An earlier thing is always
    held before a later one; which leaves makes room for one that comes after."""

    def __init__(self, most: int, of_a_key: int = 8) -> None:
        self._most = most
        self._of_a_key = of_a_key
        self._held: deque[tuple[Item, Sequence[Hashable]]] = deque()
        self._first: dict[Hashable, Item] = {}
        self._others: dict[Hashable, list[Item]] = {}  # few keys are shared: the rest cost no list

    def __len__(self) -> int:
        """How many things there are, found by a key or not."""
        return len(self._held)

    def add(self, item: Item, keys: Sequence[Hashable]) -> None:
        """Holds one more under these keys, each of them once; the oldest goes where there are too many."""
        self._held.append((item, keys))
        for key, first in zip(keys, map(self._first.setdefault, keys, repeat(item)), strict=True):
            if first is not item:
                others = self._others.setdefault(key, [])
                if len(others) < self._of_a_key - 1:
                    others.append(item)
        if len(self._held) > self._most:
            self._let_go(*self._held.popleft())

    def of(self, keys: Sequence[Hashable]) -> Iterator[Item]:
        """Those held under any of these keys; one may come several times."""
        for key, first in zip(keys, map(self._first.get, keys), strict=True):
            if first is not None:
                yield first
                if key in self._others:
                    yield from self._others[key]

    def _let_go(self, oldest: Item, keys: Sequence[Hashable]) -> None:
        for key in keys:
            if self._first.get(key) is not oldest:
                continue  # there were enough of that key when it came
            if others := self._others.get(key):
                self._first[key] = others.pop(0)
                if not others:
                    del self._others[key]
            else:
                del self._first[key]
