"""Near copies of real tweets: how many are found, and how many are called copies that are not.

Copies are made by one word dropped, one replaced by a word of another tweet, or a hashtag added; those count that have half or more
of their runs of four letters in common with what they were made of.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.triage.banded import Banded
from services.triage.sketching import SHINGLE, SHORTEST, normalised, sketches
from services.triage.stage import Sketch
from services.triage.stages.duplicates import NEAR
from services.triage.training.evaluate.row import Row

TEXTS = 20_000
TOGETHER = 64
PUBLISHED = "64-bit simhash, 6 bits or fewer apart"


def measure(data: Path) -> list[Row]:
    """Recall of finding and of calling a copy a copy, and the share of texts that are called copies of what they are not."""
    with gzip.open(data / "sentiment_tweets_train.jsonl.gz", "rt") as lines:
        said = [json.loads(line)["text"] for line in lines][:TEXTS]
    recall, near, false = quality(said, near_copies(said))
    return [
        Row("duplicates", "recall of near copies, by bands", recall, 0.481, PUBLISHED),
        Row("duplicates", "near copies that are called so", near, 0.481, PUBLISHED),
        Row("duplicates", "texts falsely called copies (lower is better)", false, None, ""),
    ]


def near_copies(said: Sequence[str], seed: int = 7) -> list[tuple[int, str]]:
    """(index of the original, copy) for each text long enough to be compared."""
    chance = random.Random(seed)
    made = []
    for at, text in enumerate(said):
        words = text.split()
        if len(words) < 4:
            continue
        where = chance.randrange(len(words))
        other = chance.choice(chance.choice(said).split() or ["so"])
        match at % 3:
            case 0:
                copy = words[:where] + words[where + 1 :]
            case 1:
                copy = [*words[:where], other, *words[where + 1 :]]
            case _:
                copy = [*words, f"#{chance.choice(('fail', 'wow', 'help', 'mondays'))}"]
        if jaccard(text, " ".join(copy)) >= 0.5:
            made.append((at, " ".join(copy)))
    return made


def jaccard(one: str, other: str) -> float:
    """The share of runs of letters that two texts have in common; 0 where one is too short to compare."""
    these, those = (_shingles(normalised(text)) for text in (one, other))
    return len(these & those) / len(these | those) if these and those else 0.0


def found_among(made: Sequence[Sketch], most: int) -> Iterator[tuple[int, int]]:
    """(index of a text, index of an earlier one that shares a band), as a window over `most` texts finds them."""
    held: Banded[int] = Banded(most)
    for start in range(0, len(made), TOGETHER):
        bands = [one.bands for one in made[start : start + TOGETHER]]
        long = [start + at for at, one in enumerate(bands) if one]
        held.add(long, [made[at].bands for at in long])
        for at, others in enumerate(held.near(bands), start):
            yield from ((at, other) for other in others if other < at)


def quality(said: Sequence[str], pairs: Sequence[tuple[int, str]]) -> tuple[float, float, float]:
    """(share of the copies that share a band with their original, share that is then called near, share of the texts that are
    called near to another although less than half alike)."""
    originals = sketches(said)
    copies = sketches([copy for _, copy in pairs])
    banded = [
        not set(made.numbers()).isdisjoint(originals[at].numbers()) for (at, _), made in zip(pairs, copies, strict=True)
    ]
    near = [made.similarity(originals[at]) >= NEAR for (at, _), made in zip(pairs, copies, strict=True)]
    false = {
        at for at, other in found_among(originals, len(said))
        if originals[at].similarity(originals[other]) >= NEAR and jaccard(said[at], said[other]) < 0.5
    }  # fmt: skip
    return sum(banded) / len(pairs), sum(near) / len(pairs), len(false) / len(said)


def _shingles(plain: str) -> set[str]:
    return {plain[at : at + SHINGLE] for at in range(len(plain) - SHINGLE + 1)} if len(plain) >= SHORTEST else set()
