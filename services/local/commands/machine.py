"""The commands that run everything on this machine: up, down, status, doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from services.local.commands.session import settings_or_exit


def up(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Load and play the demo brand; the first start decides for good.")
    ] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background; `webcare down` stops it.")] = False,
) -> None:
    """Start all of webcare here and keep it running until Ctrl-C.

    That is Postgres, Valkey and five processes; on the first start, a workspace, its admin key and the demo brand.
    With WEBCARE_DATABASE_URL and WEBCARE_VALKEY_URL set, those servers are used and none is started.

    \b
    Example: webcare up --no-demo --detach
    """
    from services.local import detached, first_start, running
    from services.local import up as whole
    from services.local.console import Console
    from services.local.environment import home_of

    settings = settings_or_exit()
    console = Console(verbose=settings.log_level == "debug")
    if not detach:
        raise typer.Exit(whole.up(settings, console, demo=demo))
    if running.read(home_of(settings)):
        console.say(whole.already_running(settings))
        return
    detached.start(settings, ["--demo" if demo else "--no-demo"])
    console.say(whole.banner(settings, first_start.admin_key(settings)))
    console.say(f"It runs in the background and logs to {home_of(settings) / 'up.log'}; `webcare down` stops it.")


def down() -> None:
    """Stop what `webcare up` started, and wait until it is gone.

    \b
    Example: webcare down
    """
    from services.local import detached
    from services.local.console import Console

    raise typer.Exit(detached.stop(settings_or_exit(), Console()))


def status() -> None:
    """Say what runs, and how it is. Exit code 0: all well, 1: something is not, 3: nothing runs.

    \b
    Example: webcare status
    """
    from services.local import detached
    from services.local.console import Console

    raise typer.Exit(detached.status(settings_or_exit(), Console()))


def doctor() -> None:
    """Look at this machine and say what webcare would miss.

    \b
    Example: webcare doctor
    """
    from services.local.console import Console
    from services.local.doctor import examine

    console = Console()
    ill = 0
    for finding in examine(settings_or_exit()):
        if finding.well:
            console.say(f"  ok       {finding.what}")
        else:
            ill += 1
            console.trouble(f"  not well {finding.what}: {finding.advice}")
    console.say("All is well." if not ill else f"{ill} of these need a hand.")
    raise typer.Exit(1 if ill else 0)
