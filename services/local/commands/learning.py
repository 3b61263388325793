"""The commands by which a workspace learns from its corrections: `webcare train refit`, `list`, `back`, `wanted`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from services.local.commands import quality
from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from rich.table import Table

    from services.api.desk.desk import Desk
    from shared.kit.settings import Settings

train = typer.Typer(help="Learn from corrections, go back, and rebuild what the project ships.", no_args_is_help=True)
Workspace = Annotated[str, typer.Option(help="The workspace's slug.")]


def refit(
    questions: Annotated[
        list[str] | None,
        typer.Argument(help="relevance, spam, sentiment, intent, urgency, issues; all of them where none is named."),
    ] = None,
    workspace: Workspace = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try it and say how it did; keep nothing.")] = False,
) -> None:
    """Learn from what people set right, and answer by it where that is better.

    A fifth of the corrections is held out; a new version is put in force only where it is better on those, and is kept either way.

    \b
    Example: webcare train refit intent issues --workspace main
    """
    import asyncio

    from rich.console import Console
    from rich.table import Table

    from services.local import refitting
    from shared.models.head import Question

    asked = [refitting.question_named(one) for one in questions or ()] or list(Question)

    async def run(settings: Settings) -> list[refitting.Refit]:
        async with _desk(settings, workspace) as desk:
            with Console(stderr=True).status("loading the models") as status:
                return await refitting.refit(
                    desk, asked, refitting.library_of(settings), status.update, keep=not dry_run
                )

    with _resolved() as settings:
        done = asyncio.run(run(settings))
    table = Table("question", "version", "answers now", "why")
    for one in done:
        answers = "yes" if one.promoted else "no"
        table.add_row(one.question, "" if one.version is None else str(one.version), answers, one.told)
    Console().print(table)


def list_versions(
    question: Annotated[str | None, typer.Argument(help="Only of this question.")] = None, workspace: Workspace = "main"
) -> None:
    """List the versions of a workspace's heads: which answers now, and why each other one does not.

    \b
    Example: webcare train list intent
    """
    import asyncio

    from rich.console import Console

    from services.local import refitting

    asked = None if question is None else refitting.question_named(question)

    async def run(settings: Settings) -> list[dict[str, object]]:
        async with _desk(settings, workspace) as desk:
            return await refitting.versions(desk, asked)

    with _resolved() as settings:
        found = asyncio.run(run(settings))
    if not found:
        tell("There are none yet: what the project ships answers. `webcare train refit` makes the first.")
        return
    Console().print(_as_table(found))


def _as_table(versions: Sequence[Mapping[str, object]]) -> Table:
    from rich.table import Table

    table = Table("question", "version", "state", "made", "learned from", "why", "answers now")
    for row in versions:
        named = ("question", "version", "state", "created_at", "learned_from", "because")
        answers = "yes" if row["in_force"] else f"no. {row['why_not']}"
        table.add_row(*(str(row[name]) for name in named), answers)
    return table


def back(
    question: Annotated[str, typer.Argument(help="relevance, spam, sentiment, intent, urgency or issues.")],
    to: Annotated[
        str | None,
        typer.Option(help="A version's number, or `shipped`; the one that answered before, where not given."),
    ] = None,
    workspace: Workspace = "main",
) -> None:
    """Have an earlier version answer again.

    \b
    Example: webcare train back intent --to 3
    """
    import asyncio

    from services.local import refitting

    asked = refitting.question_named(question)

    async def run(settings: Settings) -> str:
        async with _desk(settings, workspace) as desk:
            return await refitting.back(desk, asked, to)

    with _resolved() as settings:
        tell(asyncio.run(run(settings)))


def wanted(
    question: Annotated[str, typer.Argument(help="relevance, spam, sentiment, intent, urgency or issues.")],
    size: Annotated[int, typer.Option(help="At most so many, 1 to 100.")] = 20,
    workspace: Workspace = "main",
) -> None:
    """List the mentions of which a correction would teach most, as JSON lines.

    \b
    Example: webcare train wanted intent --size 50
    """
    import asyncio

    import orjson

    from services.api.desk import heads

    async def run(settings: Settings) -> list[dict[str, object]]:
        async with _desk(settings, workspace) as desk:
            return await heads.read_wanted(desk, question, size)

    with _resolved() as settings:
        found = asyncio.run(run(settings))
    for row in found:
        typer.echo(orjson.dumps(row).decode())
    if not found:
        tell("Nothing was triaged in the last four weeks of which this is asked.")


@contextmanager
def _resolved() -> Iterator[Settings]:
    """The settings with servers that run, for the time of a command."""
    from services.local import first_start
    from services.local.environment import home_of, resolved

    given = settings_or_exit()
    with resolved(given, tell) as settings:
        if not given.database_url:
            first_start.prepare_for_a_command(settings, home_of(given))
        yield settings


@asynccontextmanager
async def _desk(settings: Settings, workspace: str) -> AsyncIterator[Desk]:
    from services.local.operator import desk_of

    async with desk_of(settings, workspace, "train") as desk:
        yield desk


train.command()(refit)
train.command("list")(list_versions)
train.command()(back)
train.command()(wanted)
train.command()(quality.shipped)
