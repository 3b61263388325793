"""The one vectoriser of all linear heads: a batch of texts becomes hashed words, hashed letters and signs, by numpy alone.

What it makes of a text, and how it is folded, is written in services/triage/words/surface.py; which n-grams there are, here:

words    tokens and pairs of neighbouring tokens; a token behind a negation is another token than the bare one
letters  2 to 5 neighbouring characters of one run without white space, its borders included
         (words and letters of other languages than English are hashed together with the language)
signs    some twenty numbers: the lexicon's opinion, exclamation and question marks, capitals, emoji, drawn-out words, …

Words and letters count `1 + log(how often)`, and each of the two has length 1 per text. Weighing by rarity (idf) was tried and
left out: it made sentiment slightly worse and is one more thing to keep. No Python loop runs over n-grams; only the lexicon
is read word by word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy
from numpy.typing import NDArray

from services.triage.briefing_types import Models
from services.triage.reading import Reading
from services.triage.words.feeling import Feeling, read_feeling
from services.triage.words.surface import DIGIT, HANDLE, LETTER, LINK, STOP, Grams, Surface

Ints = NDArray[numpy.int64]
Hashes = NDArray[numpy.uint32]
Floats = NDArray[numpy.float32]

HASH_BITS: Final = 20
"""Bits of an n-gram's hash that are kept. A head looks at the lower ones of these, as many as it was trained with."""
LETTERS: Final = (2, 3, 4, 5)
_SEEN: Final = (
    "feeling",
    "praise",
    "blame",
    "hits_for",
    "hits_against",
    "leans_for",
    "leans_against",
    "first_hit",
    "last_hit",
    "exclamations",
    "questions",
    "dots",
    "shouted",
    "capitals",
    "drawn_out",
    "hashtags",
    "handles",
    "links",
    "digits",
    "quotes",
    "negations",
    "length",
)  # fmt: skip
SIGNS: Final = (*_SEEN, *(f"far_{name}" for name in _SEEN), "far")
"""The columns of `Features.signs`, each between about -1 and 1. Those called far say the same of texts in other languages than
English and are 0 in English: where a head knows few words or none, it must lean on the signs more."""
# Whoever gives texts other features raises VECTORISER in shared/models/head_format.py, so that no head reads what it never saw.

_BATCH: Final = 512


@dataclass(frozen=True)
class Block:
    """The n-grams of one kind in n texts. Row r has the entries `starts[r]` to `starts[r + 1]`."""

    starts: Ints
    """(n + 1,)"""
    hashes: Hashes
    """(entries,) below 2 ** HASH_BITS, each once in a row."""
    values: Floats
    """(entries,) sublinear; the squares of a row add up to 1, or there are none."""
    counts: Ints
    """(entries,) how often it occurs in its row."""
    entry_of: Ints
    """(occurrences,) to which entry an occurrence counts."""
    token_of: Ints
    """(occurrences,) in which token of `Features` it begins; -1 where no token of its text has begun yet."""

    @property
    def rows(self) -> Ints:
        """(entries,) the row of each entry."""
        return numpy.repeat(numpy.arange(len(self.starts) - 1), numpy.diff(self.starts))

    @cached_property
    def held_token(self) -> Ints:
        """`token_of` of those occurrences that begin in a token."""
        return self.token_of[self.token_of >= 0]

    @cached_property
    def held_entry(self) -> Ints:
        """`entry_of` of the same."""
        return self.entry_of[self.token_of >= 0]

    def weighed(self, rare: NDArray[numpy.uint8] | None) -> Floats:
        """(entries,) the values multiplied by how rare the n-grams are, `rare` by the lower bits of their hashes, and each row's
        brought to length 1 again; the values as they are where `rare` is None."""
        if rare is None:
            return self.values
        rows = self.rows
        values = self.values * rare.take(self.hashes & numpy.uint32(len(rare) - 1))
        lengths = numpy.sqrt(numpy.bincount(rows, values * values, minlength=len(self.starts) - 1))
        brought: Floats = (values / lengths[rows]).astype(numpy.float32)
        return brought

    @cached_property
    def once(self) -> Floats:
        """(entries,) the share of its value that one occurrence has."""
        return (self.values / self.counts).astype(numpy.float32)


@dataclass(frozen=True)
class Features:
    """What n texts look like to a head. Tokens are words, handles, links and single signs, in order, all texts' together."""

    words: Block
    letters: Block
    signs: Floats
    """(n, len(SIGNS))"""
    feelings: tuple[Feeling, ...]
    """(n,) what the sentiment lexicon says."""
    token_row: Ints
    """(tokens,) the text it stands in, rising."""
    token_start: Ints
    """(tokens,) the place in its text (code points of the `Reading`) where it begins, and"""
    token_end: Ints
    """where it ends."""
    token_quotable: NDArray[numpy.bool_]
    """(tokens,) whether it is a word, hashtag or emoji: something a person would quote."""
    texts: tuple[str, ...]

    def __len__(self) -> int:
        """How many texts."""
        return len(self.texts)

    @cached_property
    def token_starts(self) -> Ints:
        """(n + 1,) row r has the tokens `token_starts[r]` to `token_starts[r + 1]`."""
        return numpy.searchsorted(self.token_row, numpy.arange(len(self) + 1))

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """(n,) the first token of each row and the one behind its last."""
        starts = self.token_starts.tolist()
        return list(pairwise(starts))


class Vectoriser:
    """Makes features. Cheap to make, safe to share, holds nothing of the texts."""

    def __init__(self, models: Models) -> None:
        """`models` gives the lexicons."""
        self._models = models

    def rows(self, readings: Sequence[Reading], languages: Sequence[str]) -> Features:
        """The features of these texts, in order; `languages` are ISO 639-1 codes and choose the lexicon (`und`: none but
        emoji)."""
        if not readings:
            return _nothing(self.rows([Reading.of("")], ["und"]))
        feelings = tuple(
            read_feeling(reading, language, self._models) for reading, language in zip(readings, languages, strict=True)
        )
        surface = Surface([reading.text for reading in readings], self._models.words("negators"), languages)
        words = _block(surface.word_grams(), len(readings))
        letters = _block(surface.letter_grams(LETTERS), len(readings))
        return Features(
            words,
            letters,
            _signs(surface, feelings),
            feelings,
            surface.token_row,
            surface.token_start,
            surface.token_end,
            surface.token_quotable,
            tuple(reading.text for reading in readings),
        )

    def rows_of(self, texts: Sequence[str], languages: Sequence[str] | str) -> Features:
        """The same for bare texts, any number of them (refits and evaluation)."""
        if isinstance(languages, str):
            languages = [languages] * len(texts)
        parts = [
            self.rows([Reading.of(text) for text in texts[at : at + _BATCH]], languages[at : at + _BATCH])
            for at in range(0, max(len(texts), 1), _BATCH)
        ]
        return together(parts)


def _nothing(one: Features) -> Features:
    """The features of no text at all, made from those of an empty one."""
    bare = unworded(one)
    none = replace(bare.words, starts=bare.words.starts[:1])
    return replace(bare, words=none, letters=none, signs=bare.signs[:0], feelings=(), texts=())


def together(parts: Sequence[Features]) -> Features:
    """Features of several batches as of one."""
    if len(parts) == 1:
        return parts[0]
    rows = numpy.cumsum([0, *(len(part) for part in parts)])
    tokens = numpy.cumsum([0, *(len(part.token_row) for part in parts)])

    def block(name: str) -> Block:
        blocks: list[Block] = [getattr(part, name) for part in parts]
        entries = numpy.cumsum([0, *(len(one.hashes) for one in blocks)])
        return Block(
            numpy.concatenate([[0], *(one.starts[1:] + at for one, at in zip(blocks, entries[:-1], strict=True))]),
            numpy.concatenate([one.hashes for one in blocks]),
            numpy.concatenate([one.values for one in blocks]),
            numpy.concatenate([one.counts for one in blocks]),
            numpy.concatenate([one.entry_of + at for one, at in zip(blocks, entries[:-1], strict=True)]),
            numpy.concatenate(
                [
                    numpy.where(one.token_of < 0, -1, one.token_of + at)
                    for one, at in zip(blocks, tokens[:-1], strict=True)
                ]
            ),
        )

    return Features(
        block("words"),
        block("letters"),
        numpy.concatenate([part.signs for part in parts]),
        tuple(feeling for part in parts for feeling in part.feelings),
        numpy.concatenate([part.token_row + at for part, at in zip(parts, rows[:-1], strict=True)]),
        numpy.concatenate([part.token_start for part in parts]),
        numpy.concatenate([part.token_end for part in parts]),
        numpy.concatenate([part.token_quotable for part in parts]),
        tuple(text for part in parts for text in part.texts),
    )


def _block(grams: Grams, rows: int) -> Block:
    """Occurrences counted, weighed and brought to length 1. The sort is over single numbers that hold row, hash and
    place in their bits, which is several times as fast as sorting places by keys."""
    count = len(grams.hashes)
    place_bits = max(count.bit_length(), 1)
    hashes = grams.hashes & numpy.uint64((1 << HASH_BITS) - 1)
    key = (grams.rows.astype(numpy.uint64) << numpy.uint64(HASH_BITS)) | hashes
    key = numpy.sort((key << numpy.uint64(place_bits)) | numpy.arange(count, dtype=numpy.uint64))
    place = (key & numpy.uint64((1 << place_bits) - 1)).astype(numpy.int64)
    key >>= numpy.uint64(place_bits)
    first = numpy.ones(count, dtype=bool)
    first[1:] = key[1:] != key[:-1]
    at = numpy.flatnonzero(first)
    counts = numpy.diff(numpy.append(at, count))
    entry_of = numpy.cumsum(first) - 1
    key = key[at]
    own = (key & numpy.uint64((1 << HASH_BITS) - 1)).astype(numpy.uint32)
    row = (key >> numpy.uint64(HASH_BITS)).astype(numpy.int64)
    values = _SUBLINEAR[numpy.minimum(counts, len(_SUBLINEAR) - 1)]
    squares = numpy.bincount(row, values * values, minlength=rows)
    values = (values / numpy.sqrt(squares)[row]).astype(numpy.float32)
    starts = numpy.searchsorted(row, numpy.arange(rows + 1))
    return Block(starts, own, values, counts, entry_of, grams.tokens[place])


_SUBLINEAR: Final = (1 + numpy.log(numpy.maximum(numpy.arange(1024), 1))).astype(numpy.float32)


def _signs(surface: Surface, feelings: Sequence[Feeling]) -> Floats:
    """The columns of SIGNS."""
    rows = len(feelings)
    kind, row, letter = surface.kind, surface.row, surface.letter

    def count(marks: NDArray[numpy.bool_], of: Ints = row) -> NDArray[Any]:
        counted: NDArray[Any] = numpy.bincount(of[marks], minlength=rows)
        return counted

    letters = count(kind == LETTER)
    capitals = count(surface.capital)
    shouted = count(surface.token_shouted, surface.token_row)
    words = count(surface.token_is_word, surface.token_row)
    told = numpy.array([feeling.numbers for feeling in feelings], dtype=numpy.float32).reshape(rows, -1)
    stop = kind == STOP

    def some(number: NDArray[Any], many: float) -> NDArray[Any]:
        shrunk: NDArray[Any] = numpy.log1p(number) / numpy.log1p(many)
        return shrunk

    seen = [
        some(count(letter == ord("!")), 3),
        some(count(letter == ord("?")), 3),
        some(count(stop & (letter == ord("."))) + 2 * count(letter == ord("…")), 6),
        some(shouted, 5),
        capitals / numpy.maximum(letters, 1),
        some(surface.drawn_out, 4),
        some(count(letter == ord("#")), 4),
        some(count(kind == HANDLE), 4),
        some(count(kind == LINK), 2),
        some(count(kind == DIGIT), 8),
        some(count((letter == ord('"')) | (letter == ord("“"))), 3),
        some(count(surface.token_negates, surface.token_row), 3),
        some(words, 30) - 0.5,
    ]
    near = numpy.column_stack([told, *seen])
    far = (surface.salt != 0).astype(numpy.float32)[:, None]
    return numpy.concatenate([near, near * far, far], axis=1).astype(numpy.float32)


def unworded(features: Features) -> Features:
    """The same texts as they would look in a language of which no word is known: signs alone."""
    none = Block(
        numpy.zeros(len(features) + 1, dtype=numpy.int64),
        numpy.zeros(0, dtype=numpy.uint32),
        numpy.zeros(0, dtype=numpy.float32),
        *(numpy.zeros(0, dtype=numpy.int64) for _ in range(3)),
    )
    signs = features.signs.copy()
    middle = len(_SEEN)
    signs[:, middle : 2 * middle] = signs[:, :middle]
    signs[:, -1] = 1
    return replace(features, words=none, letters=none, signs=signs)
