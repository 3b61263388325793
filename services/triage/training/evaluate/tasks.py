"""Which questions quality is measured on, by name, and the page of figures that the model cards show."""

import importlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any, Final

from services.triage.library import Library
from services.triage.training.evaluate.row import Row

_PLACES: Final = {
    "sentiment": "heads.sentiment",
    "spam": "heads.spam",
    "intent": "heads.intent",
    "urgency": "heads.urgency",
    "learning": "heads.issues",
    "issues": "issues.measure",
    "language": "language.measure",
    "duplicates": "duplicates.measure",
    "ner": "ner.measure",
    "pii": "pii.measure",
    "dutch": "dutch.measure",
}
TASKS: Final = tuple(_PLACES)


def measure(task: str, data: Path, library: Library) -> list[Row]:
    """The figures of one task. Raises LookupError where a file of the data folder is missing, KeyError for a task that there
    is not."""
    module, _, name = _PLACES[task].rpartition(".")
    ask: Callable[..., list[Row]] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return ask(data, library) if len(signature(ask).parameters) > 1 else ask(data)


def as_json(found: Iterable[tuple[str, Row]]) -> str:
    """A line for each figure."""
    return "".join(
        json.dumps({"question": task, **_rounded(asdict(row))}, ensure_ascii=False) + "\n" for task, row in found
    )


def as_table(rows: Sequence[Row]) -> str:
    """The figures as a table of a model card."""
    lines = ["| data | measure | ours | beside it |", "| --- | --- | --- | --- |"]
    for row in rows:
        beside = "" if row.baseline is None else f"{row.baseline:.3f} ({row.baseline_name})"
        lines.append(f"| {row.task} | {row.metric} | {row.ours:.3f} | {beside} |")
    return "\n".join(lines) + "\n"


def write_into(card: Path, task: str, rows: Sequence[Row]) -> bool:
    """Puts the figures of a task between the marks `<!-- figures: task -->` and `<!-- end of figures -->` of a model card;
    False where the card has no such place."""
    text = card.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- figures: {re.escape(task)} -->\n).*?(<!-- end of figures -->)", re.DOTALL)
    table = as_table(rows)
    written, times = place.subn(lambda found: found.group(1) + table + found.group(2), text)
    if times:
        card.write_text(written, encoding="utf-8")
    return bool(times)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
