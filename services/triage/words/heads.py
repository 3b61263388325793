"""Linear heads: which label a text gets, how sure that is, and which words decided. Loaded from bytes; numpy alone.

A head is a matrix of whole numbers from -127 to 127 over hashed features, a scale and a bias per label, and a calibration
that turns its margins into probabilities. The container (`Head.to_bytes`) is plain:

=========  ====================================================================================================
4 bytes    ``WCH1``
4 bytes    the length of what follows, little-endian
JSON       name, version, labels, kind, vectoriser, unsure_below, about, hits where it has any, and for each array its
           name, type and shape
the rest   all arrays one after another, compressed by zlib
=========  ====================================================================================================
"""

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import numpy
from numpy.typing import NDArray

from services.triage.words.features import SIGNS, Block, Features
from shared.models.head_format import VECTORISER

Kind = Literal["one_of", "yes_no", "any_of"]
"""`one_of`: exactly one label holds. `yes_no`: two labels, no and yes in this order, one column of weights. `any_of`: each
label holds or not, whatever the others do."""

_MAGIC: Final = b"WCH1"
_ARRAYS: Final = ("words", "letters", "signs", "scales", "bias", "slope", "offset")
_NOT_ALWAYS: Final = ("rare_words", "rare_letters", "hit_weights")
_TYPES: Final = {"words": numpy.int8, "letters": numpy.int8, "rare_words": numpy.uint8, "rare_letters": numpy.uint8}
_MOST: Final = 64 << 20
"""No head unpacks to more bytes than this."""


class HeadError(ValueError):
    """The bytes are no head that can be used here. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a head says of one text. `label` is None where none of the labels of an `any_of` head holds; `confidence` is the
    probability of what is said; `unsure` says that it is below what the head was found to be right about."""

    label: str | None
    confidence: float
    unsure: bool
    unsure_below: float
    probabilities: Mapping[str, float]
    head: str
    version: str

    @property
    def decided_by(self) -> str:
        """What to write into a finding: `sentiment.head`."""
        return f"{self.head}.head"


@dataclass(frozen=True, slots=True)
class Told:
    """A word that decided: how it is written, its place in the text, and what it added to the margin."""

    word: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, eq=False)
class Head:
    """What was learned about one question. K columns of weights: one per label, or a single one for `yes_no`.

    `words` (K, 2 ** bits) and `letters` (K, 2 ** other bits) are int8, to be multiplied by `scales` (2, K); `signs` (K,
    len(SIGNS)), `bias` (K,), and the calibration `slope` and `offset` (K,) are float32.

    Not every head has: `rare_words` (2 ** bits,) and `rare_letters` (2 ** other bits,), uint8: how rare each n-gram was among what
    was learned from; its value is multiplied by that, and each text's n-grams are brought to length 1 again. `hits`: names of
    what may be found in a text otherwise (the issue types that phrases name), and `hit_weights` (K, len(hits)), float32, what each
    adds.
    """

    name: str
    labels: tuple[str, ...]
    kind: Kind
    words: NDArray[numpy.int8]
    letters: NDArray[numpy.int8]
    signs: NDArray[numpy.float32]
    scales: NDArray[numpy.float32]
    bias: NDArray[numpy.float32]
    slope: NDArray[numpy.float32]
    offset: NDArray[numpy.float32]
    unsure_below: float = 0.5
    about: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What it was trained on and how, for the model card; small and plain."""
    vectoriser: str = VECTORISER
    rare_words: NDArray[numpy.uint8] | None = None
    rare_letters: NDArray[numpy.uint8] | None = None
    hits: tuple[str, ...] = ()
    hit_weights: NDArray[numpy.float32] | None = None

    @cached_property
    def version(self) -> str:
        """Ten letters that differ for different weights."""
        digest = blake2b(digest_size=5)
        digest.update(repr((self.name, self.labels, self.kind, self.unsure_below, self.vectoriser)).encode())
        if self.hits:
            digest.update(repr(self.hits).encode())
        for name in self._held:
            digest.update(numpy.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    @property
    def _held(self) -> list[str]:
        """The names of the arrays that it has."""
        return [*_ARRAYS, *(name for name in _NOT_ALWAYS if getattr(self, name) is not None)]

    def margins(self, features: Features, hits: Sequence[Collection[str]] | None = None) -> NDArray[numpy.float32]:
        """(n, K) how far each text lies on the side of each column. `hits` (n,) are what was found in each otherwise."""
        count, columns = len(features), len(self.bias)
        found = features.signs @ self.signs.T + self.bias
        if hits is not None and self.hit_weights is not None:
            found = found + hits_of(hits, self.hits) @ self.hit_weights.T
        for block, weights, scales, rare in self._blocks(features):
            if not len(block.hashes):
                continue
            bucket = block.hashes & numpy.uint32(weights.shape[1] - 1)
            values = block.weighed(rare)
            filled = block.starts[:-1] < block.starts[1:]
            at = block.starts[:-1][filled]
            for column in range(columns):
                products = weights[column].take(bucket) * values
                sums = numpy.zeros(count, dtype=numpy.float32)
                sums[filled] = numpy.add.reduceat(products, at)
                found[:, column] += sums * scales[column]
        return found.astype(numpy.float32)

    def probabilities(self, margins: NDArray[numpy.float32]) -> NDArray[numpy.float32]:
        """(n, len(labels)) from margins; the rows add up to 1, except for `any_of`."""
        scaled = margins * self.slope + self.offset
        if self.kind == "one_of":
            powers = numpy.exp(scaled - scaled.max(axis=1, keepdims=True))
            shares: NDArray[numpy.float32] = powers / powers.sum(axis=1, keepdims=True)
            return shares
        chances: NDArray[numpy.float32] = 1 / (1 + numpy.exp(-numpy.clip(scaled, -30, 30)))
        return numpy.column_stack([1 - chances, chances]) if self.kind == "yes_no" else chances

    def opinions(self, features: Features, hits: Sequence[Collection[str]] | None = None) -> "Opinions":
        """What it says of each text, `hits` as for `margins`."""
        return Opinions(self, features, self.margins(features, hits))

    def _blocks(
        self, features: Features
    ) -> list[tuple[Block, NDArray[numpy.int8], NDArray[numpy.float32], NDArray[numpy.uint8] | None]]:
        return [
            (features.words, self.words, self.scales[0], self.rare_words),
            (features.letters, self.letters, self.scales[1], self.rare_letters),
        ]

    def to_bytes(self) -> bytes:
        """The container; the same head gives the same bytes."""
        arrays = [numpy.ascontiguousarray(getattr(self, name)) for name in self._held]
        told = {
            "name": self.name,
            "version": self.version,
            "labels": self.labels,
            "kind": self.kind,
            "vectoriser": self.vectoriser,
            "unsure_below": self.unsure_below,
            "about": dict(self.about),
            "arrays": [
                (name, array.dtype.str, array.shape) for name, array in zip(self._held, arrays, strict=True)
            ],
        }  # fmt: skip
        if self.hits:
            told["hits"] = self.hits
        header = json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
        body = zlib.compress(b"".join(array.tobytes() for array in arrays), 9)
        return _MAGIC + len(header).to_bytes(4, "little") + header + body

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Head":
        """What `to_bytes` made. Raises HeadError for anything else, and for a head of another vectoriser."""
        try:
            if stored[:4] != _MAGIC:
                raise HeadError("These bytes are no head; train it again.")
            length = int.from_bytes(stored[4:8], "little")
            told = json.loads(stored[8 : 8 + length])
            if told["vectoriser"] != VECTORISER:
                raise HeadError(
                    f"The head {told['name']!r} was trained for vectoriser {told['vectoriser']}, and this is"
                    f" {VECTORISER}; train it again."
                )
            parts: dict[str, Any] = dict(_unpacked(told["arrays"], stored[8 + length :]))
            head = cls(
                name=str(told["name"]),
                labels=tuple(map(str, told["labels"])),
                kind=told["kind"],
                unsure_below=float(told["unsure_below"]),
                about=MappingProxyType(dict(told["about"])),
                hits=tuple(map(str, told.get("hits", ()))),
                **parts,
            )
            head._hold()
        except (KeyError, TypeError, ValueError, zlib.error, RecursionError) as error:
            raise (
                error
                if isinstance(error, HeadError)
                else HeadError(f"These bytes are no head ({type(error).__name__}); train it again.")
            ) from error
        return head

    def _hold(self) -> None:
        columns = 1 if self.kind == "yes_no" else len(self.labels)
        sizes = {self.words.shape[1:], self.letters.shape[1:]}
        if (
            self.kind not in get_args(Kind)
            or (self.kind == "yes_no" and len(self.labels) != 2)
            or any(len(size) != 1 or size[0] < 1 or size[0] & (size[0] - 1) for size in sizes)
            or self.signs.shape != (columns, len(SIGNS))
            or any(getattr(self, name).shape != (columns,) for name in ("bias", "slope", "offset"))
            or self.scales.shape != (2, columns)
            or {self.words.shape[0], self.letters.shape[0]} != {columns}
            or any(
                rare is not None and rare.shape != weights.shape[1:]
                for rare, weights in ((self.rare_words, self.words), (self.rare_letters, self.letters))
            )
            or (numpy.zeros((columns, 0)) if self.hit_weights is None else self.hit_weights).shape
            != (columns, len(self.hits))
        ):
            raise HeadError(f"The parts of the head {self.name!r} do not fit together; train it again.")


def _unpacked(arrays: Sequence[Sequence[Any]], body: bytes) -> dict[str, NDArray[Any]]:
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(body, _MOST)
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise HeadError("The head is larger than any head may be, or cut off; train it again.")
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for name, kind, shape in arrays:
        dtype = numpy.dtype(_TYPES.get(name, numpy.float32))
        if name not in (*_ARRAYS, *_NOT_ALWAYS) or dtype.str != kind:
            raise HeadError("The head has a part that no head has; train it again.")
        size = int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize
        found[name] = numpy.frombuffer(content[at : at + size], dtype=dtype).reshape(shape)
        at += size
    return found


def hits_of(hits: Sequence[Collection[str]], known: Sequence[str]) -> NDArray[numpy.float32]:
    """(n, len(known)) 1 where it was found in the text, else 0."""
    return numpy.array([[one in found for one in known] for found in hits], dtype=numpy.float32).reshape(-1, len(known))


@dataclass(frozen=True, eq=False)
class Opinions:
    """What one head says of n texts; `margins` is (n, K). Which words decided is worked out when it is first asked, for all n at
    once."""

    head: Head
    features: Features
    margins: NDArray[numpy.float32]

    @cached_property
    def probabilities(self) -> NDArray[numpy.float32]:
        """(n, len(labels)), as `Head.probabilities` gives them."""
        return self.head.probabilities(self.margins)

    def moved_by(self, row: int, hits: Collection[str]) -> NDArray[numpy.float32]:
        """(len(labels),) the probabilities of one text in which this was found as well."""
        chances: NDArray[numpy.float32] = self.probabilities[row]
        if self.head.hit_weights is not None and hits:
            moved = self.margins[row] + hits_of([hits], self.head.hits) @ self.head.hit_weights.T
            chances = self.head.probabilities(moved)[0]
        return chances

    @cached_property
    def best(self) -> NDArray[numpy.int64]:
        """(n,) the number of the likeliest label."""
        best: NDArray[numpy.int64] = self.probabilities.argmax(axis=1)
        return best

    @cached_property
    def _listed(self) -> tuple[list[list[float]], list[int]]:
        """The probabilities and the likeliest labels as Python's own numbers, which are quicker to ask one by one."""
        return self.probabilities.tolist(), self.best.tolist()

    def of(self, row: int, hits: Collection[str] = ()) -> Opinion:
        """The opinion about one text; `hits` are what was found in it otherwise."""
        head = self.head
        every, likeliest = self._listed
        chances, best = every[row], likeliest[row]
        if hits and head.hits:
            chances = self.moved_by(row, hits).tolist()
            best = chances.index(max(chances))
        label: str | None = head.labels[best]
        confidence = chances[best]
        if head.kind == "any_of" and confidence < 0.5:
            label, confidence = None, 1 - confidence
        return Opinion(
            label,
            confidence,
            confidence < head.unsure_below,
            head.unsure_below,
            dict(zip(head.labels, chances, strict=True)),
            head.name,
            head.version,
        )

    def holding(self, row: int, hits: Collection[str] = ()) -> list[tuple[str, float]]:
        """The labels of an `any_of` head that hold of one text, likeliest first, each with its probability; `hits` as of `of`."""
        chances = self.moved_by(row, hits)
        return [(self.head.labels[at], float(chances[at])) for at in numpy.argsort(-chances) if chances[at] >= 0.5]

    def told(self, row: int, label: str | None = None, limit: int = 3) -> tuple[Told, ...]:
        """The words of one text that spoke most for `label` (by default the likeliest), strongest first. Words that add next
        to nothing are left out, so there may be none."""
        features = self.features
        begin, end = features.bounds[row]
        label_at = self._listed[1][row] if label is None else self.head.labels.index(label)
        weights = self._weight_for(label_at)[begin:end].tolist()
        if not weights:
            return ()
        worth = _WORTH * max(weights)
        found: list[Told] = []
        for token in sorted(range(len(weights)), key=weights.__getitem__, reverse=True)[: 2 * limit]:
            if weights[token] < worth or weights[token] <= 0 or len(found) == limit:
                break
            start, stop = int(features.token_start[begin + token]), int(features.token_end[begin + token])
            if features.token_quotable[begin + token] and (
                stop - start > 2 or not features.texts[row][start].isalnum()
            ):
                found.append(Told(features.texts[row][start:stop], start, stop, weights[token]))
        return tuple(found)

    @cached_property
    def _known(self) -> dict[int, NDArray[numpy.float64]]:
        return {}

    def _weight_for(self, label: int) -> NDArray[numpy.float64]:
        """(tokens,) what each token adds to this label's margin, over what it adds to the others' on average; for all texts at
        once, on the first call. A pair of words counts for its first word, letters for the word they begin in."""
        if label not in self._known:
            column, sign = (0, 1.0 if label else -1.0) if self.head.kind == "yes_no" else (label, 1.0)
            total = numpy.zeros(len(self.features.token_row))
            for block, gains in self._gains:
                share = (sign * gains[column])[block.held_entry]
                total += numpy.bincount(block.held_token, share, minlength=len(total))
            self._known[label] = total
        return self._known[label]

    @cached_property
    def _gains(self) -> list[tuple[Block, NDArray[numpy.float32]]]:
        """For words and letters (K, entries): what one occurrence adds to each margin."""
        found = []
        for block, weights, scales, rare in self.head._blocks(self.features):  # noqa: SLF001  # of the same file
            gains = weights.take(block.hashes & numpy.uint32(weights.shape[1] - 1), axis=1) * scales[:, None]
            if self.head.kind == "one_of":
                gains -= gains.mean(axis=0)
            once = block.once if rare is None else (block.weighed(rare) / block.counts).astype(numpy.float32)
            found.append((block, gains * once))
        return found


_WORTH: Final = 0.25
"""A word that adds less than this share of what the strongest adds is not quoted."""
