"""Real texts to measure with, or our own where they are not at hand."""

import gzip
import json
from itertools import cycle, islice
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline_dev.jsonl.gz"


def texts(count: int) -> list[str]:
    """`count` texts; beyond what there is, numbered repeats, so that none is a mere copy."""
    if DATA.exists():
        with gzip.open(DATA, "rt") as lines:
            known = [json.loads(line)["text"] for line in lines]
    else:
        print("real texts are not at hand; sentences of our own are used")
        known = [
            f"@united flight {n} is late again, I wait for {n % 7} hours and nobody answers my call" for n in range(500)
        ]
    return [text if n < len(known) else f"{text} {n}" for n, text in enumerate(islice(cycle(known), count))]
