"""Real texts to measure with, or our own where they are not at hand."""

import gzip
import json
from itertools import cycle, islice
from pathlib import Path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = ("airline_dev.jsonl.gz", "sentiment_tweets_train.jsonl.gz")


def texts(count: int) -> list[str]:
    """`count` texts, each once: to airlines first, then tweets about all and sundry. Beyond what there is, numbered repeats."""
    known: dict[str, None] = {}
    for name in FILES:
        if len(known) < count and (DATA / name).exists():
            with gzip.open(DATA / name, "rt") as lines:
                known |= dict.fromkeys(json.loads(line)["text"] for line in lines)
    if not known:
        print("real texts are not at hand; sentences of our own are used")
        known = dict.fromkeys(
            f"@united flight {n} is late again, I wait for {n % 7} hours and nobody answers my call" for n in range(500)
        )
    return [text if n < len(known) else f"{text} {n}" for n, text in enumerate(islice(cycle(known), count))]
