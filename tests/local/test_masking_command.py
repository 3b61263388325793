"""`webcare workspace masking`: says from whom personal data is hidden, and has it hidden."""

import os

from services.api.desk import workspaces
from shared.kit.database import Database
from shared.kit.ids import new_id
from shared.kit.settings import Settings
from shared.store import workspaces as store
from tests.local.warm import webcare


async def test_it_is_shown_said_and_taken_back(settings: Settings, database: Database) -> None:
    slug = f"w-{new_id().hex[-12:]}"
    workspace_id = await workspaces.create_workspace(database, slug, slug)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")},
        "WEBCARE_DATABASE_URL": settings.database_url, "WEBCARE_VALKEY_URL": settings.valkey_url,
        "WEBCARE_SECRET_KEY": settings.secret_key.get_secret_value(), "WEBCARE_DATA_DIR": str(settings.data_dir),
    }  # fmt: skip

    async def told(*arguments: str) -> tuple[int, str, list[str]]:
        done = webcare(("workspace", "masking", slug, *arguments), environment)
        async with database.read(workspace_id) as connection:
            kept = await store.masking(connection)
        return done.returncode, done.stdout.strip() or done.stderr.strip(), kept.as_setting()["roles"]

    assert await told() == (0, "Everybody sees personal data.", [])
    assert await told("--role", "analyst", "--kind", "email") == (0, "Hidden from analyst: email.", ["analyst"])
    assert await told() == (0, "Hidden from analyst: email.", ["analyst"])
    code, said, roles = await told("--role", "admin")
    assert (code != 0, "admin sees everything" in said, roles) == (True, True, ["analyst"])
    code, said, roles = await told("--kind", "email")
    assert (code, "--role" in said, roles) == (2, True, ["analyst"])
    assert await told("--nobody") == (0, "Everybody sees personal data.", [])
