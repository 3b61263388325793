"""The heads' speed: vectorising, lexicon and every shipped head together, against the vectorising of scikit-learn alone."""

import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

from services.triage.library import Library
from services.triage.reading import Reading
from shared.kit.settings import Settings
from tests.bench.measured import Measured, median
from tests.bench.texts import texts

COUNT, BATCH, ROUNDS = 4_096, 64, 5


async def measure(_: Settings) -> list[Measured]:
    """CPU seconds of one thread; texts come as they are stored."""
    from sklearn.feature_extraction.text import HashingVectorizer

    library = Library()
    said = texts(COUNT)
    words = HashingVectorizer(ngram_range=(1, 2), n_features=2**17, alternate_sign=False)
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), n_features=2**17, alternate_sign=False)

    def ours() -> None:
        heads = library.heads().values()
        for at in range(0, COUNT, BATCH):
            readings = [Reading.of(text) for text in said[at : at + BATCH]]
            features = library.vectoriser().rows(readings, ["en"] * len(readings))
            for head in heads:
                head.opinions(features).of(0)

    def theirs() -> None:
        for at in range(0, COUNT, BATCH):
            words.transform(said[at : at + BATCH])
            letters.transform(said[at : at + BATCH])

    took, floor = _seconds(ours), _seconds(theirs)
    return [
        Measured(
            f"all heads, {COUNT:,} texts: lexicon, vectorising, opinions",
            f"{COUNT / took:,.0f} docs per CPU second",
            f"{COUNT / floor:,.0f} docs per CPU second",
            took / floor,
            "told as it is; 4,000 docs per CPU second or more",
            "scikit-learn hashing the same n-grams, no lexicon, no head",
        )
    ]


def _seconds(run: Callable[[], None]) -> float:
    run()
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return median(found)
