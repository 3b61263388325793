"""The commands that run one process each, as compose does, and what belongs to that: migrate, health."""

from __future__ import annotations

from typing import Annotated

import typer

from services.local.commands.session import settings_or_exit, tell


def _run(name: str) -> None:
    from services.local.environment import resolved
    from services.local.processes import run_process

    with resolved(settings_or_exit(), tell) as settings:
        code = run_process(name, settings)
    raise typer.Exit(code)


def api() -> None:
    """Run the api: REST, GraphQL and feeds.

    \b
    Example: WEBCARE_API_PORT=8080 webcare api
    """
    _run("api")


def ingest() -> None:
    """Run ingest, which takes mentions and pushes in.

    \b
    Example: WEBCARE_HOST=0.0.0.0 webcare ingest
    """
    _run("ingest")


def ingest_worker() -> None:
    """Run the worker that reads channels and sends replies.

    Several may run.

    \b
    Example: webcare ingest-worker
    """
    _run("ingest-worker")


def triage() -> None:
    """Run the worker that understands mentions and routes them.

    Several may run.

    \b
    Example: WEBCARE_TRIAGE_PROCESSES=4 webcare triage
    """
    _run("triage")


def api_worker() -> None:
    """Run the worker that delivers webhooks and keeps house.

    Several may run.

    \b
    Example: webcare api-worker
    """
    _run("api-worker")


def migrate() -> None:
    """Bring the database to this version's tables.

    Makes the first workspace and its admin key, too, where there is none. WEBCARE_ADMIN_KEY, where it is set,
    becomes the first admin key; otherwise a key is made and printed.

    \b
    Example: WEBCARE_DATABASE_URL=postgresql://… webcare migrate
    """
    from services.local import first_start
    from services.local.environment import resolved

    with resolved(settings_or_exit(), tell) as settings:
        code = first_start.migrate(settings) or first_start.prepare(settings)
    raise typer.Exit(code)


def health(
    process: Annotated[str, typer.Argument(help="api, ingest, ingest-worker, triage or api-worker.")],
) -> None:
    """Ask one process whether it does its work.

    Exit code 0 when it does. Compose asks this every few seconds.

    \b
    Example: webcare health triage
    """
    import asyncio

    from services.local import health as wellness
    from services.local.environment import home_of
    from services.local.keeper import read_state

    known = ("api", "ingest", "ingest-worker", "triage", "api-worker")
    if process not in known:
        tell(f"There is no process {process}. Name one of {', '.join(known)}.")
        raise typer.Exit(2)
    settings = settings_or_exit()
    state = read_state(home_of(settings), "postgres")
    if not settings.database_url and state:
        settings = settings.model_copy(update={"database_url": state.url})
    trouble = asyncio.run(wellness.trouble_of(process, settings))
    typer.echo(trouble or f"{process} is well.")
    raise typer.Exit(1 if trouble else 0)
