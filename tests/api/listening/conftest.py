"""A workspace and a channel to put rows in."""

from uuid import UUID

import pytest

from shared.kit.database import Database
from shared.models.channel import Channel
from tests.builders import a_channel, a_workspace


@pytest.fixture
async def workspace_id(database: Database) -> UUID:
    return await a_workspace(database)


@pytest.fixture
async def channel(database: Database, workspace_id: UUID) -> Channel:
    return await a_channel(database, workspace_id, name="the venue")
