"""What copies of a text are known by: the text without what copies differ in, and sketches of many texts at once.

A sketch is a MinHash by one permutation: every run of four letters has one number, and of the runs whose numbers begin alike
the least is kept (Li, Owen and Zhang 2012). Two texts have about as many of these in common as they have runs in common. The
bands are cut from fewer and wider bins, of which the empty ones take what another one has, by the same lot in every text
(Shrivastava 2017): so short texts are found too.
"""

import random
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Final

import numpy
from numpy.typing import NDArray

from services.triage.briefing_types import BANDS, Sketch
from services.triage.reading import CAP, fold

Points = NDArray[numpy.uint32]
Places = NDArray[numpy.int64]

SHINGLE: Final = 4
SHORTEST: Final = 24
"""Normalised texts shorter than this ("thanks!", "geen internet") are too common for copies to mean anything."""

_BINS: Final = 256  # of a signature; the first eight bits of a number say which
_WIDE: Final = 64  # of the bands, each four of the others
_EMPTY: Final = numpy.uint32(0xFFFF_FF00)  # more than any number, and 0 in the eight bits that the signature keeps
_LEAST: Final = numpy.uint32(0x00FF_FFFF)
_ODD: Final = tuple(map(numpy.uint32, (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)))
_ROW_AT: Final = numpy.array(
    (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93), dtype=numpy.uint64
)
_BAND_SALT: Final = numpy.arange(1, BANDS + 1, dtype=numpy.uint64) * _ROW_AT[0]

_TOGETHER: Final = 256
_LETTERS: Final = 100_000
"""So many texts are sketched at once, or so many letters."""
_KNOWN: Final = 0x20000
_SPACE: Final = 32

# With its server or domain, where the venue has them: @ann, @ann@mastodon.example, @ann.bsky.example.
_NAME = r"@\w+(?:\.\w[\w-]*)*(?:@\w[\w.-]*)?"
_HANDLE = re.compile(_NAME.replace("@", r"@(?<!\w@)", 1))  # beginning with what is rare, which is found at once
_LINK = re.compile(r"https?://\S+")
PASSED_ON: Final = re.compile(
    rf"^\s*(?:RT|MT)\s*:?\s*{_NAME}\s*:?|^\s*(?:♻️|🔁)\s*(?:{_NAME}|\w*)|^\s*[\"“]\s*{_NAME}\s*:", re.IGNORECASE
)
"""The beginning of a post that passes on another's."""
VIA: Final = re.compile(r"\b(?:via|h/t|hat tip)\s+@(\w+)\s*(?:https?://\S+\s*)?$", re.IGNORECASE)
"""The end of one."""


def normalised(text: str) -> str:
    """The text without what copies differ in: repost marks, links, handles, punctuation, case and spacing."""
    return _plain([_without_marks(fold(text[:CAP]))])[0][0]


@lru_cache(maxsize=4_096)
def sketch(text: str) -> Sketch:
    """The sketch of a stored text: what the database is asked for look-alikes with."""
    return sketches([text])[0]


def sketches(texts: Sequence[str]) -> list[Sketch]:
    """The sketches of many stored texts, many times as quickly as one by one."""
    made: list[Sketch] = []
    for some in _some([_without_marks(fold(text[:CAP])) for text in texts]):
        plain, letters = _plain(some)
        signatures, bands = _signed(letters, len(plain))
        for at, one in enumerate(plain):
            exact = blake2b(one.encode("utf-8", "replace"), digest_size=16).digest()
            if len(one) < SHORTEST:
                made.append(Sketch(exact, b"", b""))
            else:
                of_bands = bands[at * 8 * BANDS : (at + 1) * 8 * BANDS]
                made.append(Sketch(exact, of_bands, signatures[at * _BINS : (at + 1) * _BINS]))
    return made


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in their order, as many at a time as are sketched at once."""
    start = letters = 0
    for at, text in enumerate(texts, 1):
        letters += len(text)
        if at - start == _TOGETHER or letters > _LETTERS or at == len(texts):
            yield texts[start:at]
            start, letters = at, 0


def _without_marks(plain: str) -> str:
    """A folded text without marks of passing on, handles and links."""
    if mark := PASSED_ON.match(plain):
        plain = plain[mark.end() :]
    if "@" in plain:
        if "via" in plain or "h/t" in plain or "hat tip" in plain:
            plain = VIA.sub(" ", plain)
        plain = _HANDLE.sub(" ", _LINK.sub(" ", plain) if "/@" in plain else plain)
    return _LINK.sub(" ", plain) if "http" in plain else plain


@cache
def _letters() -> Points:
    """For each code point below _KNOWN itself where it is a letter or figure, else a space; 0 stays 0."""
    kept = numpy.full(_KNOWN, _SPACE, dtype=numpy.uint32)
    alike = [point for point in range(_KNOWN) if chr(point).isalnum()]
    kept[alike] = alike
    kept[0] = 0
    return kept


def _plain(texts: Sequence[str]) -> tuple[list[str], Points]:
    """The letters and figures of some texts, with one space for whatever stands between them; and the code points of all, with a
    0 before each and behind the last."""
    joined = "\0".join(["", *(text.replace("\0", " ") if "\0" in text else text for text in texts), ""])
    points = numpy.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=numpy.uint32)
    letters = _letters()[numpy.minimum(points, numpy.uint32(_KNOWN - 1))]
    for at in numpy.flatnonzero(points >= _KNOWN):
        letters[at] = points[at] if chr(points[at]).isalnum() else _SPACE
    # a space stays where it is the first of its kind behind a letter, unless the text ends there
    kept = letters != _SPACE
    kept[1:] |= kept[:-1] & (letters[:-1] != 0)
    letters = letters[kept]
    ends = numpy.flatnonzero(letters == 0)[1:] - 1
    letters = numpy.delete(letters, ends[letters[ends] == _SPACE])
    return letters[1:-1].tobytes().decode("utf-32-le", "surrogatepass").split("\0"), letters


def _signed(letters: Points, count: int) -> tuple[bytes, bytes]:
    """Of `count` normalised texts with a 0 before each and behind the last, the signatures and the bands, one after
    another. Those of texts without a single run of SHINGLE letters mean nothing."""
    borders = numpy.flatnonzero(letters == 0)
    runs = len(letters) - SHINGLE + 1
    if runs <= 0:
        return bytes(_BINS * count), bytes(8 * BANDS * count)
    numbers = letters[:runs] * _ODD[0]
    for at in range(1, SHINGLE):
        numbers ^= letters[at : at + runs] * _ODD[at]
    numbers = _mixed(numbers)
    place = numpy.repeat(numpy.arange(count + 1) * _BINS, numpy.diff(borders, append=len(letters)))[:runs]
    place += numbers >> numpy.uint32(24)
    across = (
        borders[:, None] - numpy.arange(SHINGLE)
    ).ravel()  # what holds a border is no run: it falls behind the last text
    place[across[(across >= 0) & (across < runs)]] = count * _BINS
    least = numpy.full((count + 1) * _BINS, _EMPTY, dtype=numpy.uint32)
    numpy.minimum.at(least, place, numbers & _LEAST)
    bins = least[: count * _BINS].reshape(count, _BINS)
    signatures = bins.astype(numpy.uint8).tobytes()
    wide = numpy.minimum(
        numpy.minimum(bins[:, :_WIDE], bins[:, _WIDE : 2 * _WIDE]),
        numpy.minimum(bins[:, 2 * _WIDE : 3 * _WIDE], bins[:, 3 * _WIDE :]),
    )
    rows = _filled(wide).astype(numpy.uint64).reshape(count, BANDS, _WIDE // BANDS)
    bands = (rows * _ROW_AT).sum(axis=2) + _BAND_SALT
    bands = (bands ^ (bands >> numpy.uint64(32))) * _ROW_AT[3]
    bands ^= bands >> numpy.uint64(29)
    return signatures, bands.tobytes()


def _mixed(numbers: Points) -> Points:
    """Numbers of 32 bits in which every bit depends on all that were there (the finaliser of MurmurHash3, which is in the public
    domain). In place."""
    for shift, odd in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        numbers ^= numbers >> numpy.uint32(shift)
        numbers *= numpy.uint32(odd)
    numbers ^= numbers >> numpy.uint32(16)
    return numbers


@cache
def _lots() -> Places:
    """For each try, where each empty bin looks for a number: all other bins, in an order of its own."""
    chance = random.Random(7)
    tried = [chance.sample([other for other in range(_WIDE) if other != one], _WIDE - 1) for one in range(_WIDE)]
    return numpy.array(tried, dtype=numpy.int64).T.copy()


def _filled(wide: Points) -> Points:
    """Bins (texts, _WIDE) of which each empty one has what the first that is not empty of those that its lot names has."""
    found = wide.ravel()
    filled = found.copy()
    empty = numpy.flatnonzero(found == _EMPTY)
    for lot in _lots():
        if not len(empty):
            break
        column = empty % _WIDE
        filled[empty] = found[empty - column + lot[column]]
        empty = empty[filled[empty] == _EMPTY]
    return filled.reshape(wide.shape)
