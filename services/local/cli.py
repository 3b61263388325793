"""The `webcare` command. What a command needs is imported when it runs, so that `webcare --help` answers at once."""

from __future__ import annotations

import sys

import typer

from services.local.commands import (
    channels,
    files,
    internal,
    learning,
    listening,
    machine,
    process,
    quality,
    report,
    workspaces,
)
from services.local.trouble import LocalTrouble, no_postgres

app = typer.Typer(
    name="webcare",
    help="Webcare: what people say about a brand comes in, is understood, waits in the right queue and is answered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
)

app.command()(machine.up)
app.command()(machine.down)
app.command()(machine.status)
app.command()(machine.doctor)
app.command()(process.api)
app.command()(process.ingest)
app.command("ingest-worker")(process.ingest_worker)
app.command()(process.triage)
app.command("api-worker")(process.api_worker)
app.command()(process.health)
app.command()(process.migrate)
app.command()(listening.watch)
app.command("import")(files.import_mentions)
app.command()(files.analyse)
app.command()(quality.evaluate)
app.command()(report.report)
app.add_typer(learning.train, name="train")
app.add_typer(channels.channel, name="channel")
app.add_typer(workspaces.workspace, name="workspace")
app.add_typer(workspaces.key, name="key")
app.add_typer(internal.internal, name="internal")


def main() -> None:
    """Runs a command. What a person can mend ends with a sentence and exit code 1, not with a traceback."""
    try:
        app()
    except LocalTrouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # imported late: most commands end well, and --help is quick
        from shared.kit.errors import WebcareError

        if isinstance(error, WebcareError):
            sys.stderr.write(f"{error}\n")
        elif away := no_postgres(error):
            sys.stderr.write(f"{away}\n")
        else:
            raise
        sys.exit(1)
