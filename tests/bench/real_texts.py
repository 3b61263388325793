"""Real texts of several sets for the benchmarks that need more than one kind."""

import gzip
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def rows(name: str) -> list[dict[str, Any]]:
    """All rows of a set; none, and a sentence, where it is not at hand."""
    file = DATA / f"{name}.jsonl.gz"
    if not file.exists():
        print(f"{file} is not on this machine; what needs it is left out")
        return []
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


def tweets(count: int = 20_000) -> list[str]:
    """Real tweets about anything."""
    return [row["text"] for row in rows("sentiment_tweets_train")[:count]]
