"""The ingest process: where mentions and pushes come in, and what it holds open from start to end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import migrations
from services.ingest.opening import Opener
from services.ingest.pacing import Pacer
from services.ingest.receiver import Receiver
from services.ingest.worker import folder_of, publish_types
from shared.kit.database import Database
from shared.kit.health import Health
from shared.kit.http import HttpClient
from shared.kit.jobs import Nudger
from shared.kit.limits import BodyLimit
from shared.kit.problems import Envelope, reraise
from shared.kit.secrets import Vault
from shared.kit.settings import Settings

SERVICE = "ingest"
STATEMENT_TIMEOUT_S = 30


def create_app(settings: Settings) -> FastAPI:
    """The app. It opens Postgres when it starts, tells the api which channel types there are, and closes it when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await Database.open(settings, SERVICE, statement_timeout_s=STATEMENT_TIMEOUT_S)
        nudger = Nudger(settings)
        nudger.attach(database)
        http = HttpClient(settings.allowed_networks)
        pacer = Pacer.of(settings)
        opener = Opener(
            Vault(settings.secret_key.get_secret_value()), http, folder_of(settings), pacer, settings.hooks_url
        )
        await publish_types(database)
        app.state.database = database
        app.state.receiver = Receiver(database, opener, settings)
        try:
            yield
        finally:
            app.state.database = None
            await nudger.close()
            await pacer.close()
            await http.close()
            await database.close()

    app = FastAPI(title="Webcare ingest", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.database = None
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, reraise)
    health = Health(SERVICE, settings, lambda: app.state.database, migrations.head())
    app.router.routes += [
        *health.routes(),
        Route("/v1/mentions", _push, methods=["POST"]),
        Route("/v1/hooks/{channel_id}", _hook, methods=["GET", "POST"]),
    ]
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Envelope)
    return app


async def _push(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    return await receiver.push(request)


async def _hook(request: Request) -> Response:
    receiver: Receiver = request.app.state.receiver
    return await receiver.hook(request)
