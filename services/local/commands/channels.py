"""The commands that connect channels and show how they do: channel add, list, show, pause, resume."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.api.desk.desk import Desk
    from services.local.connecting import Tried
    from shared.kit.settings import Settings

Result = TypeVar("Result")

channel = typer.Typer(help="Connect channels, see how they do, pause them.", no_args_is_help=True)

_Workspace = Annotated[str, typer.Option(help="The workspace's slug.")]
_Which = Annotated[str, typer.Argument(help="The channel's name or id.")]


@channel.command("add")
def add_channel(
    kind: Annotated[
        str, typer.Argument(metavar="TYPE", help="The kind of venue, as in bluesky; docs/channels has a page for each.")
    ],
    name: Annotated[str | None, typer.Option(help="What the channel is called; else it is asked for.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting as name=value; may be repeated. Lists with commas.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="A file with the secrets: name=value on each line, or JSON; - is standard input."),
    ] = None,
    owned: Annotated[
        bool, typer.Option("--owned", help="The venue is the brand's own: what comes there is meant for it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Ask the network whether the credential is right before saving.")
    ] = True,
    last: Annotated[
        bool | None,
        typer.Option("--last/--no-last", help="Show the last items. Networks that charge for reading charge for this."),
    ] = None,
    workspace: _Workspace = "main",
) -> None:
    """Connect a channel step by step.

    Asks for what the type needs, checks the credential where the network can tell, shows what would be heard, and saves.
    Where nobody can be asked, --set and --secret-file say it all. Secrets are sealed and never shown again.

    \b
    Example: webcare channel add rss --name "company blog" --set url=https://blog.example/feed.xml
    """
    from services.local import connecting
    from services.local.questions import Given, Person, gather

    person = Person(can_answer=sys.stdin.isatty() and str(secret_file) != "-")
    given = Given(kind, name, tuple(setting or ()), secret_file, owned)

    async def connect(desk: Desk) -> None:
        wanted = await gather(desk, given, person)
        if check:
            show_last = (
                person.confirm("Show the last items, as they would come in?", default=True) if last is None else last
            )
            tried = await connecting.try_out(desk, kind, wanted.settings, wanted.secrets, last=show_last)
            _say_tried(wanted.title, tried, asked_for_last=show_last)
            if tried.trouble and not person.confirm("Save it all the same?", default=False):
                tell("Nothing was saved. --no-check saves without asking the network.")
                raise typer.Exit(1)
        else:
            tell("Not checked, as you wished.")
        made = await connecting.save(desk, wanted)
        tell(f"{wanted.name} is connected: {made.channel_id}.")
        if made.hook:
            tell(f"The network is to call {made.hook}, by the address at which it reaches your ingest.")
        typer.echo(str(made.channel_id))

    _at_desk(connect, workspace, publish=True)


@channel.command("list")
def list_channels(workspace: _Workspace = "main") -> None:
    """Show the channels with how they do.

    \b
    Example: webcare channel list
    """
    from services.local.operator import all_of

    found = _at_desk(lambda desk: all_of(desk, "channel"), workspace)
    if not found:
        tell("There are no channels yet. `webcare watch TEXT` or `webcare channel add TYPE` makes some.")
        return
    rows = [
        [one["name"], one["type"], one["status"], one["health"], one["last_success_at"] or "-", one["id"]]
        for one in found
    ]
    _table(("name", "type", "status", "health", "last success", "id"), rows)


@channel.command("show")
def show_channel(which: _Which, workspace: _Workspace = "main") -> None:
    """Show one channel as the API does, without its secrets.

    \b
    Example: webcare channel show "company blog"
    """
    import orjson

    typer.echo(orjson.dumps(_at_desk(lambda desk: _named(desk, which), workspace), option=orjson.OPT_INDENT_2).decode())


@channel.command("pause")
def pause_channel(which: _Which, workspace: _Workspace = "main") -> None:
    """Stop reading a channel; what came in stays.

    \b
    Example: webcare channel pause "company blog"
    """
    _set_status(which, workspace, "paused")


@channel.command("resume")
def resume_channel(which: _Which, workspace: _Workspace = "main") -> None:
    """Read a paused channel again, from where its reading stood.

    \b
    Example: webcare channel resume "company blog"
    """
    _set_status(which, workspace, "active")


def _set_status(which: str, workspace: str, status: str) -> None:
    from uuid import UUID

    from services.api.desk import channels

    async def change(desk: Desk) -> tuple[str, bool]:
        found = await _named(desk, which)
        if found["status"] == status:
            return found["name"], False
        async with desk.writing() as writing:
            await channels.change_channel(writing, UUID(found["id"]), {"status": status})
        return found["name"], True

    name, changed = _at_desk(change, workspace)
    tell(f"{name} is {status}{'' if changed else ' already'}.")


async def _named(desk: Desk, which: str) -> dict[str, Any]:
    """The channel of that name or id. Raises LocalTrouble."""
    from services.local.operator import all_of
    from services.local.trouble import LocalTrouble

    found = await all_of(desk, "channel")
    for one in found:
        if which in (one["id"], one["name"]):
            return one
    names = ", ".join(one["name"] for one in found) or "none yet"
    raise LocalTrouble(f"There is no channel {which}. There are: {names}.")


def _at_desk(do: Callable[[Desk], Awaitable[Result]], workspace: str, *, publish: bool = False) -> Result:
    """Does something at the operator's desk, with servers of our own where none are named."""
    import asyncio

    from services.ingest.worker import publish_types
    from services.local import first_start, running
    from services.local.environment import home_of, resolved
    from services.local.operator import desk_of

    async def at(settings: Settings) -> Result:
        async with desk_of(settings, workspace, "channel") as desk:
            if publish:
                await publish_types(desk.database)  # an update may have brought new ones, and no worker has run since
            return await do(desk)

    given = settings_or_exit()
    with resolved(given, tell) as settings:
        if not given.database_url and running.read(home_of(given)) is None:
            first_start.prepare_for_a_command(settings, home_of(given))
        return asyncio.run(at(settings))


def _say_tried(title: str, tried: Tried, *, asked_for_last: bool) -> None:
    if tried.account:
        account = tried.account
        who = ", ".join(
            part for part in (account.handle and f"@{account.handle}", account.url, account.external_id) if part
        )
        tell(f"The credential is right: {title} takes us for {account.name} ({who}).")
    elif tried.can_check and not tried.trouble:
        tell(f"No credential was given: {title} shows only what everybody sees.")
    elif not tried.can_check:
        tell(f"Not checked: {title} has no way to say whether a credential is right before it is used.")
    if tried.trouble:
        tell(f"It does not work yet: {tried.trouble}")
    if tried.heard is None:
        if asked_for_last and not tried.trouble:
            tell("There is nothing to show beforehand: it comes by itself from now on.")
        return
    tell("It would bring these, the newest first:" if tried.heard else "There is nothing there yet.")
    for one in tried.heard:
        words = " ".join((one.title or one.text).split())
        who = (one.author and (one.author.handle or one.author.name)) or "unknown"
        tell(f"  {one.published_at:%Y-%m-%d %H:%M} {who}: {words[:100]}{'…' if len(words) > 100 else ''}")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as what stands in them, whatever the terminal: lists are read by other programs too."""
    widths = [max(len(row[place]) for row in (heads, *rows)) for place in range(len(heads))]
    for row in (heads, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
