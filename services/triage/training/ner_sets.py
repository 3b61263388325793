"""The labelled sets by which the entity model is tuned and measured: WNUT-17 and the Broad Twitter Corpus (both CC BY 4.0).

A set is a file of JSON lines with `tokens` and `tags` (BIO). Types are put in one scheme: PERSON, ORG, PLACE, PRODUCT, WORK.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

WNUT_TRAIN: Final = "ner_wnut17_train.jsonl.gz"
WNUT_DEV: Final = "ner_wnut17_dev.jsonl.gz"
BROAD: Final = "ner_broad_twitter_train.jsonl.gz"
HELD_OUT: Final = "h"
"""The section of Broad Twitter that is never trained on: its makers' own development section."""
CUT: Final = 0.1
"""The share of the training data by which epochs are chosen, and which is not trained on."""

_TYPES: Final[Mapping[str, str]] = {
    "person": "PERSON", "PER": "PERSON", "location": "PLACE", "LOC": "PLACE", "group": "ORG", "corporation": "ORG",
    "ORG": "ORG", "product": "PRODUCT", "creative-work": "WORK",
}  # fmt: skip
MODEL_TYPES: Final[Mapping[str, str]] = {
    "PERSON": "PERSON", "ORG": "ORG", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE", "PRODUCT": "PRODUCT",
    "WORK_OF_ART": "WORK",
}  # fmt: skip
"""What the labels of spaCy's English models are called here."""
Span = tuple[int, int, str]


class Sentence(NamedTuple):
    """Words, and (first word, word after the last, type) for each entity among them."""

    words: tuple[str, ...]
    spans: tuple[Span, ...]


def read(path: Path, sections: str | None = None, without: str | None = None) -> list[Sentence]:
    """The sentences of a file; of Broad Twitter those of some sections only, or all but some."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        _sentence(row["tokens"], row["tags"])
        for row in rows
        if (sections is None or row["section"] in sections) and (without is None or row["section"] not in without)
    ]


def _sentence(tokens: Sequence[str], tags: Sequence[str]) -> Sentence:
    kept = [(word, tag) for word, tag in zip(tokens, tags, strict=True) if word.strip()]
    return Sentence(tuple(word for word, _ in kept), tuple(_spans([tag for _, tag in kept])))


def _spans(tags: Sequence[str]) -> Iterator[Span]:
    start: int | None = None
    for at, tag in enumerate([*tags, "O"]):
        if start is not None and (tag == "O" or tag[0] == "B" or tag[2:] != tags[start][2:]):
            yield start, at, _TYPES[tags[start][2:]]
            start = None
        if tag != "O" and start is None:
            start = at


def cut(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """(for training, for choosing): the same ones every time, whatever their order."""
    train: list[Sentence] = []
    choose: list[Sentence] = []
    for one in sentences:
        first = sha256(" ".join(one.words).encode()).digest()[0]
        (choose if first < CUT * 256 else train).append(one)
    return train, choose


def handles(words: Sequence[str]) -> frozenset[int]:
    """Which words are part of a handle. Broad Twitter writes most of them as two words, "@" and the name."""
    found = set()
    for at, word in enumerate(words):
        if word.startswith("@"):
            found.add(at)
            if word == "@" and at + 1 < len(words):
                found.add(at + 1)
    return frozenset(found)


class Score(NamedTuple):
    """How many entities were found rightly, found wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)

    @property
    def precision(self) -> float:
        """The share of what was found that is right."""
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """The share of what is there that was found."""
        return self.right / max(1, self.right + self.missed)


def score(
    sentences: Sequence[Sentence],
    found: Sequence[Sequence[Span]],
    *,
    with_handles: bool = True,
    kind: str | None = None,
) -> Score:
    """Exact places and types; of one type only, or leaving out all that touches a handle."""
    right = wrong = missed = 0
    for one, ours in zip(sentences, found, strict=True):
        skipped = frozenset[int]() if with_handles else handles(one.words)
        wanted = {span for span in one.spans if _counts(span, skipped, kind)}
        given = {span for span in ours if _counts(span, skipped, kind)}
        right += len(wanted & given)
        wrong += len(given - wanted)
        missed += len(wanted - given)
    return Score(right, wrong, missed)


def _counts(span: Span, skipped: frozenset[int], kind: str | None) -> bool:
    start, end, its_kind = span
    return (kind is None or its_kind == kind) and not any(at in skipped for at in range(start, end))
