"""The command that writes the weekly listening report to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.api.desk.reports import RenderedReport
    from shared.kit.settings import Settings


def report(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; .json gives the figures, else the HTML page.")
    ],
    week: Annotated[str | None, typer.Option(help="As 2026-W47; without it, the last week that is over.")] = None,
    workspace: Annotated[str, typer.Option(help="The workspace's slug.")] = "main",
    again: Annotated[
        bool, typer.Option("--again", help="Render a kept report anew: its week had late mentions or corrections.")
    ] = False,
) -> None:
    """Write a week's listening report as one HTML page.

    A week that is over is rendered once and stays the same; the running week is rendered anew each time.

    \b
    Example: webcare report --week 2026-W47 -o report.html
    """
    import asyncio

    from services.local import first_start
    from services.local.environment import home_of, resolved
    from services.local.mention_files import writing_whole

    given = settings_or_exit()
    with resolved(given, tell) as settings:
        if not given.database_url:
            first_start.prepare_for_a_command(settings, home_of(given))
        found = asyncio.run(_read(settings, workspace, week, again))
    with writing_whole(output) as out:
        out.write(found.figures if output.suffix.lower() == ".json" else found.page)
    tell(f"The report of {found.week} is in {output}.")


async def _read(settings: Settings, workspace: str, week: str | None, again: bool) -> RenderedReport:
    from services.api.desk import reports
    from services.local.operator import desk_of

    async with desk_of(settings, workspace, "report") as desk:
        return await reports.read_report(desk, week or str(await reports.last_week(desk)), anew=again)
