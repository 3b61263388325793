"""The person at the terminal of this machine: may do everything, in the workspace that was named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson

from services.api.desk import workspaces
from services.api.desk.desk import Actor, Desk
from services.local.trouble import LocalTrouble
from shared.kit.database import Database
from shared.kit.jobs import Nudger
from shared.kit.pages import LARGEST_PAGE, Page
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.workspace import Role

MAIN = "main"
"""The workspace that the first start makes, and that commands mean when none is named."""

_OPERATOR = Actor(key_id=UUID(int=0), role=Role.ADMIN, name="webcare command")


@asynccontextmanager
async def database_of(settings: Settings, service: str) -> AsyncIterator[Database]:
    """The database for the time of a command; what it commits wakes the workers."""
    database = await Database.open(settings, service, patience_s=1)
    nudger = Nudger(settings)
    nudger.attach(database)
    try:
        yield database
    finally:
        await nudger.close()
        await database.close()


async def workspace_named(database: Database, slug: str) -> UUID:
    """The workspace of that slug. Raises LocalTrouble."""
    found = await workspaces.find_workspace(database, slug)
    if found is None:
        raise LocalTrouble(
            f"There is no workspace {slug}. `webcare workspace create {slug}` makes it; "
            f"the first `webcare up` makes the workspace {MAIN}."
        )
    return found


@asynccontextmanager
async def desk_of(settings: Settings, slug: str, service: str) -> AsyncIterator[Desk]:
    """The operator's desk in a workspace. Raises LocalTrouble where there is none of that slug."""
    async with database_of(settings, service) as database:
        yield desk_in(database, settings, await workspace_named(database, slug))


def desk_in(database: Database, settings: Settings, workspace_id: UUID) -> Desk:
    """The operator's desk in a workspace, on a database that is open."""
    return Desk(
        workspace_id=workspace_id,
        actor=_OPERATOR,
        database=database,
        vault=Vault(settings.secret_key.get_secret_value()),
        settings=settings,
    )


async def all_of(desk: Desk, noun: str) -> list[dict[str, Any]]:
    """All of a noun, as its list shows them."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await desk.page(noun, Page.of(LARGEST_PAGE, cursor))
        found += orjson.loads(page.data)
        cursor = page.next_cursor
        if cursor is None:
            return found
