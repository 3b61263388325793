"""How likely texts are in each language, by py3langid's model, many texts at once.

py3langid walks its automaton byte by byte in Python and multiplies text by text. No word part that the automaton knows is longer
than six bytes, so the state after any byte follows from the six before it: here all bytes of a batch take the same six steps
together. The answers are the same up to the rounding of sums.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

LONGEST: Final = 6
"""Bytes of the longest word part that the model of py3langid knows."""
CHUNK: Final = 64
"""Texts that are read together: their scores stay in the processor's own memory."""
_BETWEEN: Final = b"\xff"
"""No UTF-8 has this byte, so that no word part goes on behind it."""
_TRIED_ON: Final = (
    "Where is my order?",
    "",
    "Waar blijft mijn bestelling nou, die is al drie weken onderweg?!",
    "CHEAP FLIGHTS",
    "いつ届きますか",
    "12",
)


class Identifier:
    """One model, loaded."""

    def __init__(self) -> None:
        """Loads it, and tries whether the quick way gives what py3langid gives."""
        self._slow = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self._moves: NDArray[Any] = numpy.frombuffer(self._slow.tk_nextmove, dtype=self._slow.tk_nextmove.typecode)
        self._rows = numpy.asarray(self._slow._rowbase, dtype=numpy.int64)  # noqa: SLF001  # held to the model by `_agrees`
        self._parts = numpy.asarray(self._slow.tk_output, dtype=numpy.int64)
        self._slow.nb_ptc = self._slow.nb_ptc.astype(
            numpy.float32
        )  # half as long to compute with as the halves it is stored in
        self.quick = not self._moves[255::256].any() and self._agrees()

    @property
    def codes(self) -> Sequence[str]:
        """The languages, in the order of the odds."""
        codes: Sequence[str] = self._slow.nb_classes
        return codes

    def odds(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        """(n, languages) the probability of each language."""
        read = self._together if self.quick else self._one_by_one
        if len(texts) <= CHUNK:
            return read(texts)
        return numpy.concatenate([read(texts[at : at + CHUNK]) for at in range(0, len(texts), CHUNK)])

    def _one_by_one(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        return numpy.array([self._slow._decide(text) for text in texts])  # noqa: SLF001  # `rank` without putting them in order

    def _agrees(self) -> bool:
        return bool(numpy.allclose(self._together(_TRIED_ON), self._one_by_one(_TRIED_ON), atol=1e-4))

    def _together(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        """(n, languages) the probabilities; all alike where a text has no word part that is known."""
        told = [self._slow._encode(text) for text in texts]  # noqa: SLF001
        lengths = numpy.fromiter(map(len, told), dtype=numpy.int64, count=len(told))
        scores = numpy.zeros((len(texts), len(self.codes)), dtype=numpy.float32)
        of_text, parts, counts = self._found(told, lengths)
        begins = numpy.searchsorted(of_text, numpy.arange(len(texts) + 1)).tolist()
        weights, known = numpy.log1p(counts), self._slow.nb_ptc.take(parts, axis=0)
        for row, (begin, end) in enumerate(pairwise(begins)):
            if begin < end:
                scores[row] = weights[begin:end] @ known[begin:end] + self._slow.nb_pc
        scores /= numpy.sqrt(numpy.maximum(lengths, 1)).astype(numpy.float32)[:, None]
        numpy.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        for first, other in self._slow._alias_pairs:  # noqa: SLF001  # one language in two scripts
            scores[:, first] += scores[:, other]
            scores[:, other] = 0.0
        return scores

    def _found(
        self, told: Sequence[bytes], lengths: NDArray[numpy.int64]
    ) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64], NDArray[numpy.float32]]:
        """The word parts that occur, sorted by text: the text's number, the part's, and how often."""
        joined = numpy.frombuffer(_BETWEEN * LONGEST + _BETWEEN.join(told), dtype=numpy.uint8)
        ends = len(joined) - LONGEST
        states = numpy.zeros(ends, dtype=numpy.int64)
        for step in range(1, LONGEST + 1):
            states = self._moves.take(self._rows.take(states) + joined[step : step + ends])
        found = self._parts.take(states)
        of_text = numpy.repeat(numpy.arange(len(told)), lengths + 1)[:ends]
        held = found >= 0
        pairs, counts = numpy.unique(of_text[held] * len(self._slow.nb_ptc) + found[held], return_counts=True)
        texts, parts = numpy.divmod(pairs, len(self._slow.nb_ptc))
        return texts, parts, counts.astype(numpy.float32)
