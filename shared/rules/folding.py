"""Texts as search sees them: without case and accents, and with the way back to the places in the original.

Folding is done letter by letter: compatibility forms are taken apart (ﬁ, fullwidth and mathematical letters), Latin,
Greek, Cyrillic, Hebrew and Arabic marks are dropped, what is left is case-folded, a few letters that Unicode leaves
whole lose their stroke (ø, ł, đ), typographic apostrophes become plain, and characters without width vanish. Marks that
make another letter (Devanagari, kana, …) and Korean syllables stay. So a folded text may be shorter or longer than its
original; `Folded.original` leads back, in code points.

A word ends where a letter, digit or underscore meets anything else, and wherever the script does not put spaces
between words (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese).
"""

import re
import unicodedata
from functools import lru_cache

_DROPPED_MARKS = (
    range(0x0300, 0x0370),  # combining diacritical marks: Latin, Greek, Cyrillic
    range(0x0483, 0x0488),  # Cyrillic
    range(0x0591, 0x05C8),  # Hebrew points
    range(0x064B, 0x0660),  # Arabic short vowels
    range(0x0670, 0x0671),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE00, 0xFE10),  # variation selectors: ☎ and ☎️ are one
    range(0xFE20, 0xFE30),
)
_NO_SPACES = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Burmese
    range(0x1100, 0x1200),  # Korean letters
    range(0x1780, 0x1800),  # Khmer
    range(0x3005, 0x3008),
    range(0x3040, 0x3100),  # kana
    range(0x31F0, 0x3200),
    range(0x3400, 0x4DC0),  # Chinese characters
    range(0x4E00, 0xA000),
    range(0xAC00, 0xD7FC),  # Korean syllables
    range(0x20000, 0x33480),
)
_SPECIAL = {
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe",
    "’": "'", "‘": "'", "ʼ": "'", "´": "'", "＇": "'",
    "™": " ", "℠": " ",  # or KLM™ would be the word klmtm
    "\u2011": "-", "\u2010": "-",
}  # fmt: skip


class _Table(dict[int, str]):
    """What each character becomes, worked out when first met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_one(chr(code))
        return folded


def _fold_one(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    code = ord(letter)
    if 0xAC00 <= code < 0xD7A4:
        return letter
    if unicodedata.category(letter) == "Cf" or any(code in marks for marks in _DROPPED_MARKS):
        return ""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    kept = (part for part in apart if not any(ord(part) in marks for marks in _DROPPED_MARKS))
    return "".join(_SPECIAL.get(part, part) for part in kept)


_TABLE = _Table()
_OTHER = re.compile("([^\x00-\x7f]+)")


class Folded:
    """A text with its folded form. `text` is what to search, `original` leads from places in it to the original."""

    __slots__ = ("_starts", "source", "text")

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = fold(source)
        self._starts: list[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original, in code points, that a part of the folded text came from; never an empty one.

        Marks that belong to its last letter are part of it.
        """
        if self.source.isascii():
            return start, end
        if self._starts is None:
            self._starts = [index for index, letter in enumerate(self.source) for _ in range(len(_TABLE[ord(letter)]))]
        first, last = self._starts[start], self._starts[end - 1] + 1
        while last < len(self.source) and is_mark(self.source[last]) and not _TABLE[ord(self.source[last])]:
            last += 1
        return first, last


def fold(text: str) -> str:
    """The text without case and accents."""
    if text.isascii():
        return text.lower()
    pieces = _OTHER.split(text)  # most letters of most texts are ASCII, where folding costs next to nothing
    pieces[::2] = [piece.lower() for piece in pieces[::2]]
    pieces[1::2] = [_fold_few(piece) if len(piece) < 4 else piece.translate(_TABLE) for piece in pieces[1::2]]
    return "".join(pieces)


def fold_other(text: str) -> str:
    """The text in which all but ASCII is folded: what `fold` gives, but for the case of its plain letters, and sooner."""
    return _OTHER.sub(_fold_match, text)


def _fold_match(found: re.Match[str]) -> str:
    piece = found.group()
    return _fold_few(piece) if len(piece) < 4 else piece.translate(_TABLE)


@lru_cache(maxsize=8_192)
def _fold_few(piece: str) -> str:
    """A letter or sign, with its marks: the same few come again and again."""
    return piece.translate(_TABLE)


@lru_cache(maxsize=65_536)
def is_word(letter: str) -> bool:
    """Whether a folded character is part of a word in a script that puts something between words."""
    if letter.isascii():
        return letter.isalnum() or letter == "_"
    if any(ord(letter) in script for script in _NO_SPACES):
        return False
    return letter.isalnum() or is_mark(letter)


@lru_cache(maxsize=65_536)
def is_mark(letter: str) -> bool:
    """Whether a character belongs to the letter before it."""
    return unicodedata.category(letter).startswith("M")


def is_bounded(text: str, start: int, end: int) -> bool:
    """Whether a part of a folded text (not an empty one) begins and ends where words do, and not inside a letter."""
    if start and is_word(text[start]) and is_word(text[start - 1]):
        return False
    return end == len(text) or not (is_mark(text[end]) or (is_word(text[end - 1]) and is_word(text[end])))
