"""What the tests of ingest share: a post office from which replies go out, the doorstep, and a clock that a test sets."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.api.desk import workspaces
from services.ingest import replies as sending
from services.ingest.app import create_app
from services.ingest.opening import Opener
from services.ingest.worker import folder_of
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models.workspace import Role
from tests.builders import a_channel, a_workspace
from tests.ingest.doorstep import LARGEST, Doorstep
from tests.ingest.post import Post
from tests.ingest.site import Now


@pytest.fixture
async def post(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    monkeypatch.setattr(sending, "LOOKS", (0.01,) * 4)
    http = HttpClient()
    opener = Opener(Vault(settings.secret_key.get_secret_value()), http, folder_of(settings))
    yield Post(database, folder_of(settings), await a_workspace(database), opener)
    await http.close()


@pytest.fixture
async def door(settings: Settings, tmp_path: Path) -> AsyncIterator[Doorstep]:
    chosen = settings.model_copy(update={"data_dir": tmp_path, "max_body_bytes": LARGEST})
    app = create_app(chosen)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest.test") as client:
            door = Doorstep(client, app.state.database, chosen)
            door.workspace_id = await a_workspace(door.database)
            for role in Role:
                door.keys[role] = await workspaces.create_key(door.database, door.workspace_id, role, f"{role}")
            door.shop = await a_channel(door.database, door.workspace_id, name="shop")
            yield door


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    moment = Now()
    monkeypatch.setattr(clock, "now", moment)
    return moment
