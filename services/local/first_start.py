"""What has to be there before the processes run: today's tables; on the first start, a workspace, its admin key, and the
decision whether the demo brand is wanted."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.local.environment import home_of, kept_secret
from services.local.trouble import LocalTrouble
from shared.kit import secrets
from shared.kit.settings import Settings


def migrate(settings: Settings) -> int:
    """Brings the database to this version's tables. Returns an exit code. Raises LocalTrouble where it is ahead of us."""
    from alembic.util import CommandError

    import migrations

    try:
        migrations.upgrade(settings.database_url)
    except CommandError as error:
        raise LocalTrouble(
            f"The database belongs to another version of webcare: {error}. Run that version, or a newer one."
        ) from error
    if (home := home_of(settings)).is_dir():
        _schema_file(home).write_text(_schema_known(), encoding="utf-8")
    return 0


def prepare_for_a_command(settings: Settings, home: Path) -> None:
    """For a command that comes before the first `up`, on servers of our own: makes what is missing, if anything is."""
    if not (has_todays_tables(home) and _key_file(settings).exists()):
        migrate(settings)
        prepare(settings)


def has_todays_tables(home: Path) -> bool:
    """Whether the last migration done from this folder was the newest there is. A hint, to start quickly: where it is
    wrong, a process that misses a table ends and is started again."""
    file = _schema_file(home)
    return file.exists() and file.read_text(encoding="utf-8") == _schema_known()


def prepare(settings: Settings, *, demo: bool | None = None) -> int:
    """Makes the first workspace and its admin key where there are none; changes nothing on a later start. Returns an
    exit code. WEBCARE_ADMIN_KEY opens that workspace, also where it was set only later. `demo`: whether the start that
    asks wants the demo brand; the first that says so decides for good, and a mere command leaves it open."""
    return asyncio.run(_prepare(settings, demo))


async def _prepare(settings: Settings, demo: bool | None) -> int:
    from services.api.desk import workspaces
    from services.ingest.worker import publish_types
    from services.local.demo import decision
    from services.local.operator import MAIN, database_of, desk_in
    from shared.models import taxonomy
    from shared.models.workspace import Role

    async with database_of(settings, "first start") as database:
        await publish_types(database)  # so that channels can be connected before a worker has run
        workspace_id = await workspaces.find_workspace(database, MAIN)
        is_first = workspace_id is None
        if workspace_id is None:
            workspace_id = await workspaces.create_workspace(database, MAIN, "Main", sectors=taxonomy.sectors())
        if demo is not None:
            async with desk_in(database, settings, workspace_id).writing() as writing:
                await decision.decide(writing, asked_for=demo)
        given = settings.admin_key.get_secret_value()
        if given or is_first or _key_file(settings).exists():
            key = given or (kept_secret(_key_file(settings), secrets.new_api_key) if _is_embedded(settings) else None)
            made = await workspaces.create_key(database, workspace_id, Role.ADMIN, "first admin key", key=key)
            if key is None:
                sys.stdout.write(f"The admin key, shown this once: {made}\n")
    return 0


def play_demo(settings: Settings) -> int:
    """Loads the demo brand and plays its stream. Returns an exit code."""
    from services.local import demo

    return asyncio.run(demo.play(settings))


def admin_key(settings: Settings) -> str:
    """The admin key as far as this machine knows it: only a hash of it is in the database."""
    if given := settings.admin_key.get_secret_value():
        return given
    file = _key_file(settings)
    return file.read_text(encoding="utf-8").strip() if file.exists() else "(shown at the first start)"


def _schema_file(home: Path) -> Path:
    return home / "schema"


def _schema_known() -> str:
    versions = Path(__file__).resolve().parents[2] / "migrations" / "versions"
    return "\n".join(sorted(file.stem for file in versions.glob("*.py")))


def _is_embedded(settings: Settings) -> bool:
    """Whether the database is our own: a key kept beside it gives away nothing that is not there already."""
    return (home_of(settings) / "postgres.json").exists() and "host=/" in settings.database_url


def _key_file(settings: Settings) -> Path:
    return home_of(settings) / "admin_key"
