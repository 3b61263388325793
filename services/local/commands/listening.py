"""The commands for who wants to know what is said: watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.local.watching import Watch
    from shared.kit.settings import Settings


def watch(
    text: Annotated[str, typer.Argument(help='A name, or a query: "KLM", "northwind AND (outage OR storing)".')],
    feed: Annotated[
        list[str] | None,
        typer.Option(
            help="A feed to read (RSS, Atom, JSON Feed, a Google Alert); may be repeated. Then only these are read; without "
            "one, every venue that needs no credential."
        ),
    ] = None,
    app: Annotated[
        list[str] | None,
        typer.Option(help="An app in the App Store, by its number, whose reviews are read too; may be repeated."),
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(help="The App Store's country, as in nl; may be repeated. Without one: us.")
    ] = None,
    workspace: Annotated[str, typer.Option(help="The workspace's slug.")] = "main",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be set up.")] = False,
) -> None:
    """Listen for a name: brand, query and channels in one go.

    Says for each channel what it hears and what not. Starts webcare where it does not run yet. The same call again
    changes nothing.

    \b
    Example: webcare watch "KLM" --feed https://news.example/klm.rss
    """
    import asyncio

    from services.local import first_start, running
    from services.local.console import Console
    from services.local.environment import home_of, resolved
    from services.local.up import up

    async def listen(known: Settings) -> Watch:
        from services.ingest.worker import publish_types
        from services.local import watching
        from services.local.operator import desk_of

        async with desk_of(known, workspace, "watch") as desk:
            await publish_types(desk.database)  # an update may have brought new ones, and no worker has run since
            return await watching.watch(
                desk, text, feeds=feed or (), apps=app or (), countries=country or ("us",), dry_run=dry_run
            )  # fmt: skip

    settings = settings_or_exit()
    with resolved(settings, tell) as known:
        is_running = running.read(home_of(settings)) is not None
        if not settings.database_url and not is_running:
            first_start.prepare_for_a_command(known, home_of(settings))
        watched = asyncio.run(listen(known))
        _say(text, watched, has_app=bool(app))
        if dry_run:
            tell("Nothing was set up.")
        elif is_running:
            tell("webcare runs already and reads them within a minute.")
        elif settings.database_url:
            tell("Your workers read them within a minute; where none runs, start one with `webcare ingest-worker`.")
        else:
            raise typer.Exit(up(settings, Console(verbose=settings.log_level == "debug"), demo=False))


def _say(text: str, watched: Watch, *, has_app: bool) -> None:
    from services.local import open_channels

    if watched.brand_id:
        tell(f"Listening for {text}: brand {watched.brand_id}, query {watched.query_id}, and these channels:")
    else:
        tell(f"For {text} these channels would listen:")
    for url in watched.feeds:
        tell(f"  {url}")
    for one in watched.listening:
        tell(f"  {one.planned.name} ({one.state})")
        if one.planned.left_out:
            tell(f"    why: {one.planned.left_out}")
        tell(f"    hears: {one.planned.of.hears}")
        tell(f"    does not hear: {one.planned.of.misses}")
    if not watched.feeds:
        if not has_app and any(each.for_app for each in open_channels.OPEN):
            tell("Reviews in the App Store: name your app's number with --app.")
        tell(open_channels.ALERTS)
        tell("Venues with a credential are added with `webcare channel add TYPE`.")
