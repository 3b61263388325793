"""The api in this process, on the test's own database, and callers of it."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import httpx
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from shared.kit.settings import Settings
from tests.api.world import World, a_world, publish_channel_types


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Settings of the api under test: webhooks may go to this machine, nobody is held up by the limit."""
    return settings.model_copy(
        update={"allowed_networks": (ip_network("127.0.0.0/8"),), "requests_per_minute": 1_000_000}
    )


@pytest.fixture
async def app(api_settings: Settings) -> AsyncIterator[FastAPI]:
    """The app, started."""
    await publish_channel_types(api_settings.database_url)
    app = create_app(api_settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the app."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
async def world(app: FastAPI, client: httpx.AsyncClient) -> World:
    """A workspace with callers of every role."""
    return await a_world(app.state.database, client)
