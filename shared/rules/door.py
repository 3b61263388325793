"""Which of many texts hold a word, or two words next to each other, of very many: the door before the gate, by arrays only.

A word is known by its first and last eight letters and its length, mixed to one number; for words of sixteen letters or less
that is the word itself. Whether its number is among those that are sought is read from a table with a bit for each slot, and
those few that are there are looked up.
"""

from collections.abc import Sequence
from typing import Final

import numpy
from numpy.typing import NDArray

Numbers = NDArray[numpy.uint64]
Places = NDArray[numpy.int64]
Marks = NDArray[numpy.bool_]

_ODD: Final = tuple(map(numpy.uint64, (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)))
_SURELY: Final = 16
_AROUND: Final = b" " * 8
_FIRST: Final = numpy.array([(1 << 8 * size) - 1 for size in range(9)], dtype=numpy.uint64)
_SPARSE: Final = 16  # slots for each number


class Door:
    """Terms of one word are sought as such, longer ones by their first two words, whatever stands between these."""

    def __init__(self, terms: Sequence[bytes]) -> None:
        """`terms` as texts are given to `opened`, each with at least one word."""
        at, keys, sizes = _words(b" \0 ".join(terms))
        first = numpy.flatnonzero(numpy.diff(at, prepend=-1))
        single = numpy.diff(first, append=len(at)) == 1
        lengths = numpy.fromiter(map(len, terms), dtype=numpy.int64, count=len(terms))
        whole = single & (sizes[first] == lengths) & (lengths <= _SURELY)
        self._sure = _Set(keys[first[whole]])
        self._ones = _Set(keys[first[single & ~whole]])
        self._twos = _Set(_pairs(keys)[first[~single]])

    def opened(self, joined: bytes) -> dict[int, bool]:
        """Texts joined by NUL, in lower case, with spaces for what is no letter, digit or underscore of ASCII: by their number
        those that may hold a term, and whether one of a single word surely stands there. All that hold one are among them."""
        at, keys, _ = _words(joined)
        held = dict.fromkeys(at[self._ones.among(keys)].tolist(), False)
        held |= dict.fromkeys(at[self._twos.among(_pairs(keys))].tolist(), False)
        return held | dict.fromkeys(at[self._sure.among(keys)].tolist(), True)


class _Set:
    """Numbers that many others are looked up among."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numpy.unique(numbers)
        bits = (len(self._numbers) * _SPARSE).bit_length()
        self._shift = numpy.uint64(64 - bits)
        self._table = numpy.zeros(1 << bits, dtype=bool)
        if bits:
            self._table[self._numbers >> self._shift] = True

    def among(self, numbers: Numbers) -> Places:
        """The places of those that are among these."""
        if not len(self._numbers):
            return numpy.zeros(0, dtype=numpy.int64)
        perhaps = numpy.flatnonzero(self._table.take(numbers >> self._shift))
        sought = numbers[perhaps]
        place = numpy.minimum(numpy.searchsorted(self._numbers, sought), len(self._numbers) - 1)
        found: Places = perhaps[self._numbers[place] == sought]
        return found


def _words(joined: bytes) -> tuple[Places, Numbers, Places]:
    """Of each word the text in which it stands, its number and its length."""
    around = b"%b%b%b" % (_AROUND, joined, _AROUND)
    letters = numpy.frombuffer(around, dtype=numpy.uint8)
    inside = letters > 32
    edges = numpy.flatnonzero(inside[1:] != inside[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    sizes = ends - starts
    eight: Numbers = numpy.ndarray(len(around) - 7, dtype="<u8", buffer=around, strides=(1,))
    numbers = (eight[starts] & _FIRST[numpy.minimum(sizes, 8)]) * _ODD[0]
    numbers ^= (eight[ends - 8] * (sizes > 8)) * _ODD[1]
    numbers += sizes.astype(numpy.uint64) * _ODD[2]
    return numpy.searchsorted(numpy.flatnonzero(letters == 0), starts), _mixed(numbers), sizes


def _pairs(numbers: Numbers) -> Numbers:
    """Of each word the number of it and the next one; that of the last means nothing."""
    following = numpy.zeros_like(numbers)
    following[:-1] = numbers[1:]
    return _mixed(numbers * _ODD[3] + following)


def _mixed(numbers: Numbers) -> Numbers:
    numbers = (numbers ^ (numbers >> numpy.uint64(32))) * _ODD[1]
    return numbers ^ (numbers >> numpy.uint64(29))
