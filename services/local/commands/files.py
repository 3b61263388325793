"""The commands that read files: analyse, import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.local.mapping import FileMapping
    from services.local.mention_files import MentionFile

MOST_PROBLEMS_SHOWN = 10


def analyse(
    file: Annotated[Path, typer.Argument(help="JSON lines, plain or gzipped; each needs a `text`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the results go; - is standard output.")],
    workspace: Annotated[
        Path | None,
        typer.Option(help="A YAML file with brand, queries and issue types; without it, relevance is null."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="How many work at once; one for each core, where not given.")
    ] = None,
) -> None:
    """Run the pipeline over a file, without a database.

    For each line, in its order, the same line with its id, disposition and findings, or one with an error.

    \b
    Example: webcare analyse mentions.jsonl -o findings.jsonl --workspace northwind.yaml
    """
    import os

    import orjson

    from services.local.mention_files import MentionFile, writing_whole
    from services.triage import analyse as triage
    from services.triage.spread import AnalysisEnded

    source = MentionFile(file)
    try:
        briefing = triage.read_workspace(workspace) if workspace else None
    except triage.WorkspaceFileError as error:
        tell(str(error))
        raise typer.Exit(1) from None
    models, many = settings_or_exit().spacy_models, processes or os.cpu_count() or 1
    analysed, problems = 0, []
    try:
        with progress("Analysing", source.size) as advance, writing_whole(output) as out:
            for found in triage.analyse(source.lines(advance), briefing, models=models, processes=many):
                out.write(orjson.dumps(found, default=str) + b"\n")
                if "findings" in found:
                    analysed += 1
                else:
                    problems.append(f"{found['id']}: {found['error']}")
    except AnalysisEnded as ended:
        tell(str(ended))
        raise typer.Exit(1) from None
    show_problems(problems)
    tell(f"{analysed:,} analysed, {len(problems):,} not.")
    raise typer.Exit(1 if problems and not analysed else 0)


def import_mentions(
    file: Annotated[
        Path, typer.Argument(help="JSON lines (one IncomingMention a line), CSV or a JSON document, plain or gzipped.")
    ],
    channel: Annotated[
        str | None, typer.Option(help="Name or id of the channel they belong to; a push channel of a new name is made.")
    ] = None,
    workspace: Annotated[str, typer.Option(help="The workspace's slug.")] = "main",
    mapping: Annotated[
        str | None,
        typer.Option(
            help="How the file's columns become the fields of a mention: a ready mapping's name, or a YAML file."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only write the mentions to standard output, as POST /v1/mentions takes them."),
    ] = False,
) -> None:
    """Take mentions in from a file, with a progress bar.

    The same file again adds nothing. A CSV's columns are the fields of an IncomingMention; author.handle goes a level
    down. Files with other columns need a mapping: tripadvisor, tiktok, linkedin, news_comments, shop_reviews and
    call_notes are ready. Without --channel the mapping's channel counts, or each line's own, and `import` where it has
    none.

    \b
    Example: webcare import reviews.csv --channel shop-reviews
    """
    import asyncio

    from services.local import first_start, running
    from services.local.environment import home_of, resolved, secret_of
    from services.local.importing import import_file
    from services.local.mapping import read_mapping
    from services.local.mention_files import MentionFile

    given = settings_or_exit()
    known = read_mapping(mapping, secret_of(given)) if mapping else None
    source = MentionFile(file, known.items if known else None)
    if dry_run:
        raise typer.Exit(_preview(source, channel, known))
    with resolved(given, tell) as settings:
        is_running = running.read(home_of(given)) is not None
        if not given.database_url and not is_running:
            first_start.prepare_for_a_command(settings, home_of(given))
        with progress("Importing", source.size) as advance:
            if mapping:
                known = read_mapping(mapping, settings.secret_key.get_secret_value())
            taking = import_file(
                source, settings, workspace=workspace, channel=channel, progress=advance, mapping=known
            )  # fmt: skip
            found = asyncio.run(taking)
    show_problems(found.problems)
    counted = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items() if count)
    tell(f"{found.read:,} read: {counted or 'nothing'}.")
    if known:
        for asked in known.terms.sentences():
            tell(f"{known.title}: {asked}")
    if not is_running and not given.database_url:
        tell("They are understood as soon as webcare runs: `webcare up`.")
    raise typer.Exit(1 if found.problems and len(found.problems) == found.read else 0)


def _preview(source: MentionFile, channel: str | None, mapping: FileMapping | None) -> int:
    """Writes what would be taken in, a mention a line. Returns an exit code."""
    import orjson

    from services.local.importing import mapped, previewed

    good, problems = 0, []
    for one in previewed(mapped(source, mapping), channel, mapping):
        if isinstance(one, str):
            problems.append(one)
        else:
            typer.echo(orjson.dumps(one).decode())
            good += 1
    show_problems(problems)
    tell(f"{good:,} would be taken in, {len(problems):,} not. Nothing was.")
    return 1 if problems and not good else 0


@contextmanager
def progress(doing: str, size: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over the bytes of a file, on standard error, and none where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(f"{doing} "),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=max(size, 1), note="")
        yield lambda position: bar.update(task, completed=position)


def show_problems(problems: list[str]) -> None:
    """The first few, and how many more there are."""
    for problem in problems[:MOST_PROBLEMS_SHOWN]:
        tell(problem)
    if len(problems) > MOST_PROBLEMS_SHOWN:
        tell(f"… and {len(problems) - MOST_PROBLEMS_SHOWN:,} more like these.")
