"""A text made safe to analyse, with the way back from each place in it to the stored text."""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice

from shared.models import phrase

RUN = 200  # spaCy's tokenizer is quadratic on runs without white space: a space is put after this many characters
CAP = 20_000  # characters that are analysed; the whole text is kept all the same
PIECES = 5_000  # words and signs that are analysed: within the cap runs of signs have more, what people write has not

_LONG_RUN = re.compile(rf"\S{{{RUN}}}(?=\S)")
_PIECE = re.compile(r"\w+|[^\w\s]")
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*|[@#]\w+|_+|[^\w\s]")
Word = tuple[str, int, int]


def fold(word: str) -> str:
    """A word as phrases and lexicons hold it: lower case, no accents, straight apostrophes."""
    return word.lower() if word.isascii() else phrase.fold(word)


def legible(text: str) -> str:
    """The text with U+FFFD for each lone surrogate and NUL; the very same object where there is none."""
    if "\x00" not in text and (text.isascii() or not _UNREADABLE.search(text)):
        return text
    return _UNREADABLE.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Reading:
    """The text that stages analyse. `breaks` are the places in it where a space was put that the stored text lacks."""

    text: str
    breaks: tuple[int, ...] = ()
    truncated: bool = False
    _words: list[Word] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, stored: str) -> "Reading":
        """Make the reading of a stored text."""
        text = legible(stored[:CAP])
        if len(text) > PIECES and (cut := next(islice(_PIECE.finditer(text), PIECES, None), None)):
            text = text[: cut.start()]
        looked_at = len(text)
        ends = [match.end() for match in _LONG_RUN.finditer(text)] if len(text) > RUN else []
        if ends:
            pieces = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
            text = " ".join(pieces)
        return cls(text, tuple(end + n for n, end in enumerate(ends)), len(stored) > looked_at)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Code points of the stored text for a place in the analysed one."""
        if not self.breaks:
            return start, end
        return start - bisect_left(self.breaks, start), end - bisect_left(self.breaks, end)

    @property
    def words(self) -> list[Word]:
        """(folded word, start, end): words, handles, hashtags and single signs, in order; offsets are the reading's."""
        if not self._words and self.text:
            text = self.text
            plain = text.lower() if text.isascii() else None  # folded at once, where no letter changes its place by it
            for match in _WORD.finditer(text):
                start, end = match.span()
                self._words.append((fold(text[start:end]) if plain is None else plain[start:end], start, end))
        return self._words
