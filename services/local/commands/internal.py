"""Steps of `webcare up` as commands, for systems on which it cannot fork them; not listed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from services.local.commands.session import settings_or_exit

internal = typer.Typer(hidden=True)


@internal.command(hidden=True)
def prepare(demo: Annotated[bool, typer.Option("--demo/--no-demo")]) -> None:
    """Bring the database to this version's tables, and make what a first start makes."""
    from services.local import first_start

    settings = settings_or_exit()
    raise typer.Exit(first_start.migrate(settings) or first_start.prepare(settings, demo=demo))


@internal.command(hidden=True)
def demo() -> None:
    """Load the demo brand and play its stream."""
    from services.local import first_start

    raise typer.Exit(first_start.play_demo(settings_or_exit()))


@internal.command(hidden=True)
def ready(since: Annotated[datetime, typer.Option(formats=["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"])]) -> None:
    """Wait until every process is well."""
    from services.local.up import wait_until_ready

    raise typer.Exit(wait_until_ready(settings_or_exit(), since))
