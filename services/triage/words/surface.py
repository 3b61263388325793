"""A batch of texts as arrays of folded characters and tokens, and the hashed n-grams of both: numpy only.

How a text is folded before anything is hashed: links become one sign, handles another, digits all become 0; letters are in
lower case without accents, with straight apostrophes; marks that join or colour emoji fall away; of a character that is
repeated three times or more two are left; white space of any kind and length is one space. A *token* is a run of letters
and digits, held together by an apostrophe or a hyphen inside it, or any other single sign.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final

import numpy
from numpy.typing import NDArray

from services.triage.reading import fold

Ints = NDArray[numpy.int64]
Marks = NDArray[numpy.bool_]
Words64 = NDArray[numpy.uint64]

SCOPE: Final = 4
"""How many tokens behind a negation are marked, unless a sign of punctuation comes sooner."""

NEAR: Final = "en"
"""The language that most labelled texts are in. Its words are hashed as they are, another language's with the language."""

SPACE, LETTER, DIGIT, LOW_LINE, DROPPED, JOINER, STOP, EMOJI, SIGN, LINK, HANDLE = range(11)
"""Kinds of characters. STOP ends what a negation governs."""
_LINK_SIGN, _FILLER, _HANDLE_SIGN = "\ue000", "\ue001", "\ue002"
_KNOWN: Final = 0x20000
_LINK: Final = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w@./-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}\.[a-z]{2,12}/\S*", re.IGNORECASE
)
_BASE: Final = 0x5851F42D4C957F2D
_BASE_INVERSE: Final = pow(_BASE, -1, 2**64)
_NEGATED: Final = numpy.uint64(0x8BB84B93962EACC9)
_BEHIND: Final = numpy.uint64(0xD6E8FEB86659FD93)
_LONGEST_BATCH: Final = 1 << 15


def mixed(hashes: Words64) -> Words64:
    """Each number scattered over all 64 bits (the finaliser of MurmurHash3, which is in the public domain)."""
    h = hashes ^ (hashes >> numpy.uint64(33))
    h = h * numpy.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> numpy.uint64(33)
    h *= numpy.uint64(0xC4CEB9FE1A85EC53)
    scattered: Words64 = h ^ (h >> numpy.uint64(33))
    return scattered


@cache
def _tables() -> tuple[NDArray[numpy.uint32], NDArray[numpy.uint8], Marks, Words64]:
    """For each code point below _KNOWN: what it is folded to, its kind, whether it is a capital, its number."""
    folded = numpy.arange(_KNOWN, dtype=numpy.uint32)
    kinds = numpy.full(_KNOWN, SIGN, dtype=numpy.uint8)
    capital = numpy.zeros(_KNOWN, dtype=bool)
    for point in chain(range(0xD800), range(0xE000, _KNOWN)):
        letter = chr(point)
        category = unicodedata.category(letter)
        first = category[0]
        if first == "L":
            kinds[point] = LETTER
            capital[point] = category == "Lu"
            folded[point] = ord(fold(letter))
        elif first == "N":
            kinds[point] = DIGIT
            if category == "Nd":
                folded[point] = ord("0")
        elif first == "Z" or letter in "\t\n\r\x0b\x0c\x00":
            kinds[point] = SPACE
        elif first in "MC" or 0x1F3FB <= point <= 0x1F3FF:
            kinds[point] = DROPPED
        elif point >= 0x2190 and category == "So":
            kinds[point] = EMOJI
    for letter in "'’\u2018\u02bc\u00b4`":
        folded[ord(letter)], kinds[ord(letter)] = ord("'"), JOINER
    kinds[ord("-")], kinds[ord("_")] = JOINER, LOW_LINE
    for letter in '.,;:!?()…"“”—–':
        kinds[ord(letter)] = STOP
    folded[kinds == SPACE] = ord(" ")
    kinds[ord(_LINK_SIGN)], kinds[ord(_HANDLE_SIGN)], kinds[ord(_FILLER)] = LINK, HANDLE, DROPPED
    return folded, kinds, capital, mixed(numpy.arange(1, _KNOWN + 1, dtype=numpy.uint64))


@cache
def _powers(length: int) -> tuple[Words64, Words64]:
    """The powers of the base and of its inverse, modulo 2 ** 64."""
    up = numpy.full(length, _BASE, dtype=numpy.uint64)
    down = numpy.full(length, _BASE_INVERSE, dtype=numpy.uint64)
    up[0] = down[0] = 1
    return numpy.multiply.accumulate(up), numpy.multiply.accumulate(down)


def word_hash(word: str) -> int:
    """The hash of one folded word, as a text's tokens have it."""
    _, _, _, numbers = _tables()
    total = 0
    for place, letter in enumerate(word):
        total += int(numbers[min(ord(letter), _KNOWN - 1)]) * pow(_BASE, place, 2**64)
    return int(mixed(numpy.array([total % 2**64], dtype=numpy.uint64))[0])


class Grams:
    """Occurrences of n-grams: of each its hash (64 bits), the text it stands in and the token it begins in."""

    __slots__ = ("hashes", "rows", "tokens")

    def __init__(self, hashes: Words64, rows: Ints, tokens: Ints) -> None:
        """All three (occurrences,)."""
        self.hashes, self.rows, self.tokens = hashes, rows, tokens


class Surface:
    """The characters and tokens of a batch. Everything is (characters,) or (tokens,), all texts' together, in order."""

    def __init__(self, texts: Sequence[str], negators: frozenset[str], languages: Sequence[str]) -> None:
        """`negators` are folded words; `languages` (n,) keep what is written alike in two languages apart."""
        self.texts = texts
        self.salt = numpy.array([_salt(language) for language in languages], dtype=numpy.uint64)
        self._characters(texts)
        self._tokens(negators)

    def _characters(self, texts: Sequence[str]) -> None:
        folds, kinds, capital, numbers = _tables()
        joined = "\x00" + "\x00".join([*map(_without_links, texts), ""])
        points = numpy.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=numpy.uint32)
        lengths = numpy.fromiter(map(len, texts), dtype=numpy.int64, count=len(texts)) + 1
        starts = numpy.cumsum(lengths) - lengths + 1  # a border stands before each text, and one behind the last
        lengths[-1:] += 1
        row = numpy.repeat(numpy.arange(len(texts)), lengths)
        known = numpy.minimum(points, numpy.uint32(_KNOWN - 1))
        letter, kind = folds[known], kinds[known]
        dropped = kind == DROPPED
        # the name behind an @ falls away, and the @ becomes the sign of a handle
        named, signs = _handles(points, kind)
        letter[signs], kind[signs] = ord(_HANDLE_SIGN), HANDLE
        raw = numpy.flatnonzero(~(dropped | named))
        letter, kind = letter[raw], kind[raw]
        # two of three or more of the same, one of many spaces
        same = numpy.zeros(len(raw), dtype=bool)
        same[1:] = letter[1:] == letter[:-1]
        third = same.copy()
        third[1:] &= same[:-1]
        space = kind == SPACE
        surplus = numpy.where(space, same, third & (kind != DIGIT))
        self.drawn_out = numpy.bincount(row[raw[surplus & (kind == LETTER)]], minlength=len(texts))
        still = numpy.flatnonzero(~surplus)
        raw = raw[still]
        self.letter, self.kind, self.row = letter[still], kind[still], row[raw]
        self.capital = capital[known[raw]]
        self.number = numbers[numpy.minimum(self.letter, numpy.uint32(_KNOWN - 1))]
        self._raw, self._starts = raw, starts

    def _tokens(self, negators: frozenset[str]) -> None:
        kind, length = self.kind, len(self.kind)
        bare = (kind == LETTER) | (kind == DIGIT)
        inside = kind == JOINER
        inside[1:-1] &= bare[:-2] & bare[2:]
        if length:
            inside[0] = inside[-1] = False
        in_word = bare | inside
        apart = ~in_word & (kind != SPACE) & (kind != LOW_LINE)
        begins = in_word.copy()
        begins[1:] &= ~in_word[:-1]
        first = numpy.flatnonzero(begins | apart)
        ends = in_word.copy()
        ends[:-1] &= ~in_word[1:]
        last = numpy.flatnonzero(ends | apart) + 1
        self.first, self.last = first, last
        self.token_row = self.row[first]
        self.token_start = self._raw[first] - self._starts[self.token_row]
        self.token_end = self._raw[last] - self._starts[self.token_row]
        token_kind = kind[first]
        self.token_is_word = in_word[first]
        self.token_quotable = self.token_is_word | (token_kind == EMOJI)
        self.token_stops = token_kind == STOP
        capitals = numpy.concatenate([[0], numpy.cumsum(self.capital)])
        self.token_shouted = (
            self.token_is_word & (last - first > 2) & (capitals[last] - capitals[first] == last - first)
        )
        up, down = _powers(1 << max(15, (length + 1).bit_length()))
        sums = numpy.zeros(length + 1, dtype=numpy.uint64)
        numpy.cumsum(self.number * up[:length], out=sums[1:])
        self.token_hash = mixed((sums[last] - sums[first]) * down[first])
        self.token_negates = numpy.isin(self.token_hash, _hashes(negators))
        self.token_negated = self._negated()
        self.token_of = numpy.cumsum(begins | apart) - 1  # of each character, the token it is in or behind

    def _negated(self) -> Marks:
        count = len(self.first)
        index = numpy.arange(count)
        border = self.token_stops.copy()
        border[1:] |= self.token_row[1:] != self.token_row[:-1]
        last_border = numpy.maximum.accumulate(numpy.where(border, index, -1))
        negation = numpy.maximum.accumulate(numpy.where(self.token_negates, index, -1))
        before = numpy.full(count, -1)
        before[1:] = negation[:-1]
        marked: Marks = (before >= 0) & (before >= last_border) & (index - before <= SCOPE)
        marked &= self.token_is_word & ~self.token_negates
        return marked

    def word_grams(self) -> Grams:
        """Tokens and pairs of neighbouring tokens."""
        bare = self.token_hash ^ (self.token_is_word * self.salt[self.token_row])
        one = bare ^ (self.token_negated * _NEGATED)
        index = numpy.arange(len(one))
        together = numpy.flatnonzero(self.token_row[1:] == self.token_row[:-1]) if len(one) else index
        two = mixed(bare[together] * _BEHIND + bare[together + 1])
        return Grams(
            numpy.concatenate([one, two]),
            numpy.concatenate([self.token_row, self.token_row[together]]),
            numpy.concatenate([index, together]),
        )

    def letter_grams(self, lengths: Sequence[int]) -> Grams:
        """Neighbouring characters of one run without white space; a space before and behind the run belongs to it."""
        size = len(self.letter)
        space = self.kind == SPACE
        index = numpy.arange(size)
        # the place of the next white space behind each character
        following = numpy.full(size + 1, size - 1)
        following[:-1] = numpy.where(space, index, size)
        following = numpy.minimum.accumulate(following[::-1])[::-1]
        room = following[1:] - index  # how many steps one may go from here
        base = numpy.uint64(_BASE)
        hashes, places = [], []
        running = self.number
        for length in range(2, max(lengths) + 1):
            running = running[: size - length + 1] * base + self.number[length - 1 :]
            if length in lengths:
                at = numpy.flatnonzero(room[: len(running)] >= length - 1)
                hashes.append(running[at] + numpy.uint64(length))
                places.append(at)
        place = numpy.concatenate(places)
        place = place + space[place]  # a border counts for the run that follows it
        row = self.row[place]
        return Grams(mixed(numpy.concatenate(hashes) ^ self.salt[row]), row, self._token_at(place, row))

    def _token_at(self, place: Ints, row: Ints) -> Ints:
        """The token that a character is in or behind; -1 before the first one of its text."""
        token = self.token_of[place]
        if not len(self.token_row):
            return numpy.full(len(place), -1)
        return numpy.where((token >= 0) & (self.token_row[token] == row), token, -1)


def _handles(points: NDArray[numpy.uint32], kind: NDArray[numpy.uint8]) -> tuple[Marks, Ints]:
    """Which characters are the name behind an @, and where those @ stand."""
    in_word = (kind == LETTER) | (kind == DIGIT) | (kind == LOW_LINE)
    at = numpy.flatnonzero(points == ord("@"))
    at = at[in_word[at + 1] & ~in_word[at - 1]]
    if not len(at):
        return numpy.zeros(len(points), dtype=bool), at
    begins = in_word.copy()
    begins[1:] &= ~in_word[:-1]
    run = numpy.cumsum(begins)
    of_handle = numpy.zeros(int(run[-1]) + 1, dtype=bool)
    of_handle[run[at + 1]] = True
    return in_word & of_handle[run], at


@cache
def _salt(language: str) -> int:
    """What sets the words of a language apart; English has none, and a sign is the same in all."""
    return 0 if language == NEAR else word_hash(f"{language}:")


@cache
def _hashes(words: frozenset[str]) -> Words64:
    return numpy.array(sorted(map(word_hash, words)), dtype=numpy.uint64)


def _without_links(text: str) -> str:
    """Links, also those written without https, as one sign each and what fills its place."""
    if "/" not in text and "www." not in text and "WWW." not in text:
        return text
    return _LINK.sub(lambda link: _LINK_SIGN + _FILLER * (len(link.group()) - 1), text)
