"""Near copies of real tweets: how many are found, and how many are called copies that are not.

Copies are made by one word dropped, one replaced by a word of another tweet, or a hashtag added; those count that have half or more
of their runs of four letters in common with what they were made of.
"""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from services.triage.stages.duplicates import NEAR, SHINGLE, SHORTEST, Sketch, normalised, similarity, sketches
from services.triage.training.evaluate.row import Row

TEXTS = 20_000
COMPARED = 8
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


def found_among(made: Sequence[Sketch]) -> dict[int, list[int]]:
    """Every band looked up and kept, as triage's window does, the earliest few of each."""
    kept: defaultdict[int, list[int]] = defaultdict(list)
    found = {}
    for at, one in enumerate(made):
        candidates: set[int] = set()
        for band in one.bands:
            held = kept[band]
            candidates.update(held)
            if len(held) < COMPARED:
                held.append(at)
        found[at] = sorted(candidates)
    return found


def quality(said: Sequence[str], pairs: Sequence[tuple[int, str]]) -> tuple[float, float, float]:
    """(share of the copies that share a band with their original, share that is then called near, share of the texts that are
    called near to another although less than half alike)."""
    originals = sketches(said)
    copies = sketches([copy for _, copy in pairs])
    banded = [not set(made.bands).isdisjoint(originals[at].bands) for (at, _), made in zip(pairs, copies, strict=True)]
    near = [similarity(made, originals[at]) >= NEAR for (at, _), made in zip(pairs, copies, strict=True)]
    candidates = [(at, other) for at, others in found_among(originals).items() for other in others]
    false = {
        at for at, other in candidates
        if similarity(originals[at], originals[other]) >= NEAR and jaccard(said[at], said[other]) < 0.5
    }  # fmt: skip
    return sum(banded) / len(pairs), sum(near) / len(pairs), len(false) / len(said)


def _shingles(plain: str) -> set[str]:
    return {plain[at : at + SHINGLE] for at in range(len(plain) - SHINGLE + 1)} if len(plain) >= SHORTEST else set()
