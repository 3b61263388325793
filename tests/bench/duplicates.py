"""Near copies by the second of CPU, from the text to the copies named, against MinHash of one text after another."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rensa import RMinHash

from services.triage.banded import Banded
from services.triage.sketching import SHINGLE, normalised, sketches
from services.triage.stage import Sketch
from services.triage.stages.duplicates import NEAR
from services.triage.training.evaluate.duplicates import near_copies, quality
from shared.kit.settings import Settings
from tests.bench.measured import Measured
from tests.bench.real_texts import tweets

ROUNDS = 5
WINDOW = 20_000
TEXTS = 40_000
MEASURED_ON = 20_000
BATCH = 256
PERMUTATIONS = 64
SEED = 7


async def measure(_: Settings) -> list[Measured]:
    """No database is needed."""
    said = tweets(TEXTS)
    if not said:
        return []
    plain = [normalised(text) for text in said]
    ours, floor = _per_second(len(said), lambda: through_a_window(said), lambda: [_bare(text) for text in plain])
    some = said[:MEASURED_ON]
    recall, near, false = quality(some, near_copies(some))
    return [
        Measured(
            f"near copies, from text to copies named, window of {WINDOW:,}; recall {recall:.4f}, called near {near:.3f}, false {false:.5f}",
            f"{ours:,.0f}/s of CPU", f"{floor:,.0f}/s", ours / floor, "60,000/s or more at a recall of 0.99",
            "MinHash (rensa) of one normalised text after the other, without normalising, look-up and comparing",
        )
    ]  # fmt: skip


def through_a_window(said: Sequence[str]) -> int:
    """How many of these texts are near copies of an earlier one, as triage's window finds them."""
    held: Banded[tuple[int, Sketch]] = Banded(WINDOW)
    copies = 0
    for start in range(0, len(said), BATCH):
        made = list(enumerate(sketches(said[start : start + BATCH]), start))
        long = [one for one in made if one[1].bands]
        held.add(long, [sketch.bands for _, sketch in long])
        for (at, mine), earlier in zip(made, held.near([sketch.bands for _, sketch in made]), strict=True):
            copies += any(other < at and mine.similarity(theirs) >= NEAR for other, theirs in earlier)
    return copies


def _bare(plain: str) -> Any:
    made: Any = RMinHash(PERMUTATIONS, SEED)
    made.update([plain[at : at + SHINGLE] for at in range(len(plain) - SHINGLE + 1)])
    return made.digest()


def _per_second(count: int, *ways: Callable[[], object]) -> list[float]:
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            began = time.process_time()
            way()
            best[at] = min(best[at], time.process_time() - began)
    return [count / took for took in best]
