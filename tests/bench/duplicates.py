"""Near copies by the second of CPU: sketching and finding, with recall and false copies, against MinHash of one text after another."""

import time
from collections.abc import Callable
from typing import Any

from rensa import RMinHash

from services.triage.stages.duplicates import PERMUTATIONS, SEED, SHINGLE, normalised, sketches
from services.triage.training.evaluate.duplicates import found_among, near_copies, quality
from shared.kit.settings import Settings
from tests.bench.measured import Measured
from tests.bench.real_texts import tweets

ROUNDS = 5


async def measure(_: Settings) -> list[Measured]:
    """No database is needed."""
    said = tweets()
    if not said:
        return []
    plain = [normalised(text) for text in said]
    ours, floor = _per_second(len(said), lambda: found_among(sketches(said)), lambda: [_bare(text) for text in plain])
    recall, near, false = quality(said, near_copies(said))
    return [
        Measured(
            f"near copies, sketch and look-up; recall {recall:.4f}, called near {near:.3f}, false {false:.5f}",
            f"{ours:,.0f}/s of CPU", f"{floor:,.0f}/s", ours / floor, "60,000/s or more at a recall of 0.99",
            "MinHash (rensa) of one normalised text after the other, without normalising and look-up",
        )
    ]  # fmt: skip


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
