"""The commands about what was learned: `webcare evaluate` and `webcare train shipped`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.triage.training.evaluate.row import Row

DATA = Path("../shared/data")
CARDS = Path(__file__).resolve().parents[3] / "docs" / "models"
Data = Annotated[Path, typer.Option(help="The folder with labelled data.")]


def evaluate(
    data: Data = DATA,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this question; may be given several times. All, where not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each figure on standard output.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Also write the figures into the model cards.")] = False,
) -> None:
    """Measure quality on labelled data, with a baseline beside each figure.

    Every figure is about texts that were not learned from. A question whose data are not there is passed over, and said.

    \b
    Example: webcare evaluate --task sentiment --task spam
    """
    from services.triage.library import Library
    from services.triage.training.evaluate import tasks

    if unknown := [one for one in task or () if one not in tasks.TASKS]:
        tell(f"There is no question {unknown[0]!r}; there are {', '.join(tasks.TASKS)}.")
        raise typer.Exit(2)
    library = Library(settings_or_exit().spacy_models)
    missing = 0
    for one in task or tasks.TASKS:
        try:
            rows = tasks.measure(one, data, library)
        except (LookupError, OSError) as error:
            tell(f"{one}: {error}")
            missing += 1
            continue
        if as_json:
            typer.echo(tasks.as_json((one, row) for row in rows), nl=False)
        else:
            _show(one, rows)
        if write and not any(tasks.write_into(card, one, rows) for card in sorted(CARDS.glob("*.md"))):
            tell(f"{one}: no model card has a place for these figures.")
    raise typer.Exit(1 if missing else 0)


def shipped(
    data: Data = DATA,
    head: Annotated[
        list[str] | None, typer.Option(help="Only this head; may be given several times. All, where not given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write instead of services/triage/weights.")] = None,
    most: Annotated[int | None, typer.Option(help="Learn from so many rows of each source only.", hidden=True)] = None,
) -> None:
    """Train the weights that the project ships. The same data give the same bytes.

    \b
    Example: webcare train shipped --data ../shared/data
    """
    from services.triage.library import Library
    from services.triage.training import train_ner
    from services.triage.training.train_shipped import TRAINERS, train_shipped
    from services.triage.words.shipped import WEIGHTS

    known = (*TRAINERS, "ner")
    if unknown := [one for one in head or () if one not in known]:
        tell(f"There is no head {unknown[0]!r}; there are {', '.join(known)}.")
        raise typer.Exit(2)
    folder = out or WEIGHTS
    library = Library(settings_or_exit().spacy_models)
    for name in head or known:
        began = time.monotonic()
        try:
            if name == "ner":
                folder.mkdir(parents=True, exist_ok=True)
                train_ner.train(data, folder, tell)
                version = train_ner.VERSION
            else:
                version = train_shipped(data, library, [name], folder=folder, most=most)[name].version
        except LookupError as error:
            tell(str(error))
            raise typer.Exit(1) from None
        tell(f"{name}: version {version}, {time.monotonic() - began:.0f} s")


def _show(task: str, rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("data", "measure", "ours", "beside it", title=task)
    for row in rows:
        beside = "" if row.baseline is None else f"{row.baseline:.3f}  {row.baseline_name}"
        table.add_row(row.task, row.metric, f"{row.ours:.3f}", beside)
    Console().print(table)
