"""How well the tuned model finds entities, beside the one it was tuned from. For Dutch, which has no model, see dutch.py."""

from pathlib import Path
from typing import Final

from services.triage import library, tuned
from services.triage.training import ner_sets, train_ner
from services.triage.training.evaluate.row import Row

WNUT: Final = "WNUT-17 dev"
BROAD: Final = f"Broad Twitter, section {ner_sets.HELD_OUT}"


def measure(data: Path) -> list[Row]:
    """F1 by exact place and type. Broad Twitter labels handles as people: counted with them, as labelled, and without."""
    library._choose_arithmetic()  # noqa: SLF001  # as triage runs
    ours, stock = tuned.load("en", library.NOT_NEEDED), tuned.base("en", library.NOT_NEEDED)
    wnut = ner_sets.read(data / ner_sets.WNUT_DEV)
    broad = ner_sets.read(data / ner_sets.BROAD, sections=ner_sets.HELD_OUT)
    name = f"{stock.meta['lang']}_{stock.meta['name']} as it comes"
    rows = []
    for task, sentences in ((WNUT, wnut), (BROAD, broad)):
        found, theirs = train_ner.recognised(ours, sentences), train_ner.recognised(stock, sentences)
        score, beside = ner_sets.score(sentences, found), ner_sets.score(sentences, theirs)
        rows += [
            Row(f"entities, {task}", "F1", score.f1, beside.f1, name),
            Row(f"entities, {task}", "precision", score.precision, beside.precision, name),
            Row(f"entities, {task}", "recall", score.recall, beside.recall, name),
        ]
        if task == BROAD:
            score, beside = (ner_sets.score(sentences, one, with_handles=False) for one in (found, theirs))
            rows.append(Row(f"entities, {task}, without handles", "F1", score.f1, beside.f1, name))
        for kind in sorted({span[2] for one in sentences for span in one.spans}):
            score, beside = (ner_sets.score(sentences, one, kind=kind) for one in (found, theirs))
            rows.append(Row(f"entities, {task}, {kind}", "F1", score.f1, beside.f1, name))
    return rows
