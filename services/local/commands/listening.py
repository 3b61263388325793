"""The commands for who wants to know what is said: watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote_plus

import typer

from services.local.commands.session import settings_or_exit, tell

if TYPE_CHECKING:
    from services.api.desk.workspaces import Watched
    from shared.kit.settings import Settings

OPEN_FEEDS = ("https://news.google.com/rss/search?q={}", "https://www.reddit.com/search.rss?sort=new&q={}")
"""Feeds that search for any words and need no credential."""


def watch(
    text: Annotated[str, typer.Argument(help='A name, or a query: "KLM", "northwind AND (outage OR storing)".')],
    feed: Annotated[
        list[str] | None,
        typer.Option(
            help="A feed to read (RSS, Atom, JSON Feed); may be repeated. Without one: open news and forum searches."
        ),
    ] = None,
    workspace: Annotated[str, typer.Option(help="The workspace's slug.")] = "main",
) -> None:
    """Listen for a name: brand, query and channels in one go.

    Starts webcare where it does not run yet. The same call again changes nothing.

    \b
    Example: webcare watch "KLM" --feed https://news.example/klm.rss
    """
    import asyncio

    from services.local import first_start, running
    from services.local.console import Console
    from services.local.environment import home_of, resolved
    from services.local.up import up

    settings = settings_or_exit()
    feeds = feed or [each.format(quote_plus(text)) for each in OPEN_FEEDS]
    with resolved(settings, tell) as known:
        is_running = running.read(home_of(settings)) is not None
        if not settings.database_url and not is_running:
            first_start.prepare_for_a_command(known, home_of(settings))
        watched = asyncio.run(_watch(known, text, feeds, workspace))
        tell(f"Listening for {text}: brand {watched.brand_id}, query {watched.query_id}, and these feeds:")
        for url in feeds:
            tell(f"  {url}")
        if is_running:
            tell("webcare runs already and reads them within a minute.")
        elif settings.database_url:
            tell("Your workers read them within a minute; where none runs, start one with `webcare ingest-worker`.")
        else:
            raise typer.Exit(up(settings, Console(verbose=settings.log_level == "debug"), demo=False))


async def _watch(settings: Settings, text: str, feeds: list[str], workspace: str) -> Watched:
    from services.api.desk import workspaces
    from services.local.operator import desk_of

    async with desk_of(settings, workspace, "watch") as desk, desk.writing() as writing:
        return await workspaces.watch(writing, text, feeds)
