"""The commands that make workspaces and keys."""

from __future__ import annotations

from typing import Annotated

import typer

from services.local.commands.session import settings_or_exit, tell

workspace = typer.Typer(help="Make workspaces, the tenants of an installation.", no_args_is_help=True)
key = typer.Typer(help="Make API keys.", no_args_is_help=True)


@workspace.callback()
@key.callback()
def _group() -> None:
    """Keeps `create` a word of its own while it is the only one."""


@workspace.command("create")
def create_workspace(
    slug: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens, as in northwind.")],
    name: Annotated[str | None, typer.Option(help="What people call it; the slug, where it is not given.")] = None,
    timezone: Annotated[str, typer.Option(help="IANA name; where its days and weeks begin.")] = "UTC",
    sector: Annotated[
        list[str] | None, typer.Option(help="Whose issue types it begins with: telecom, airline, …; may be repeated.")
    ] = None,
) -> None:
    """Make a workspace and print its admin key.

    It comes with issue types, office hours, an SLA policy and queues.

    \b
    Example: webcare workspace create northwind --name Northwind --timezone Europe/Amsterdam --sector telecom
    """
    import asyncio

    from services.api.desk import workspaces
    from services.local.environment import resolved
    from services.local.operator import database_of
    from shared.kit.settings import Settings
    from shared.models.workspace import Role

    async def make(settings: Settings) -> str:
        async with database_of(settings, "workspace create") as database:
            made = await workspaces.create_workspace(
                database, slug, name or slug, timezone=timezone, sectors=sector or ()
            )
            return await workspaces.create_key(database, made, Role.ADMIN, "first admin key")

    with resolved(settings_or_exit(), tell) as settings:
        made = asyncio.run(make(settings))
    tell(f"The workspace {slug} is there. Its admin key, shown this once:")
    typer.echo(made)


@workspace.command("masking")
def mask_workspace(
    slug: Annotated[str, typer.Argument(help="The workspace's slug.")] = "main",
    role: Annotated[
        list[str] | None,
        typer.Option(help="From whom personal data is hidden: lead, agent, analyst or integration; may be repeated."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="What is masked in texts: email, phone, name, …; may be repeated. All, unless some are named."
        ),
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Hide it from nobody.")] = False,
) -> None:
    """Show from which roles personal data is hidden, or say so with --role.

    What is said takes the place of what was; it holds within seconds.

    \b
    Example: webcare workspace masking main --role analyst --role integration
    """
    import asyncio

    from services.api.desk import workspaces
    from services.local.environment import resolved
    from services.local.operator import desk_of
    from shared.kit.settings import Settings
    from shared.models.masking import Masking, PersonalData

    if (nobody and (kind or role)) or (kind and not role):
        tell("Name the roles with --role, or --nobody alone.")
        raise typer.Exit(2)

    async def set_or_read(settings: Settings) -> Masking:
        async with desk_of(settings, slug, "workspace masking") as desk:
            if not (role or nobody):
                return await workspaces.read_masking(desk)
            async with desk.writing() as writing:
                asked = {"roles": role or [], "kinds": kind or list(PersonalData)}
                return Masking.kept(await workspaces.change_masking(writing, asked))

    with resolved(settings_or_exit(), tell) as settings:
        masking = asyncio.run(set_or_read(settings))
    if not masking.roles:
        typer.echo("Everybody sees personal data.")
        return
    typer.echo(f"Hidden from {', '.join(masking.roles)}: {', '.join(masking.kinds)}.")


@key.command("create")
def create_key(
    role: Annotated[str, typer.Option(help="admin, lead, agent, analyst or integration.")],
    workspace: Annotated[str, typer.Option(help="The workspace's slug.")] = "main",
    agent: Annotated[str | None, typer.Option(help="The id of the agent whom the key stands for.")] = None,
    name: Annotated[str | None, typer.Option(help="What the key is for, as lists show it.")] = None,
) -> None:
    """Make an API key and print it, this once.

    Only a hash of it is kept.

    \b
    Example: webcare key create --role agent --agent 0199…
    """
    import asyncio

    from services.api.desk import workspaces
    from services.local.environment import resolved
    from services.local.operator import database_of, workspace_named
    from shared.kit.ids import parse_id
    from shared.kit.settings import Settings
    from shared.models.workspace import Role

    roles = [known.value for known in Role]
    if role not in roles:
        tell(f"There is no role {role}. Name one of {', '.join(roles)}.")
        raise typer.Exit(2)

    agent_id = parse_id(agent) if agent else None
    if agent and agent_id is None:
        tell(f"{agent} is no id. `GET /v1/agents` lists the agents with theirs.")
        raise typer.Exit(2)

    async def make(settings: Settings) -> str:
        async with database_of(settings, "key create") as database:
            workspace_id = await workspace_named(database, workspace)
            return await workspaces.create_key(database, workspace_id, role, name or f"{role} key", agent_id=agent_id)

    with resolved(settings_or_exit(), tell) as settings:
        made = asyncio.run(make(settings))
    tell("The key, shown this once:")
    typer.echo(made)
