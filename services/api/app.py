"""The api process: both doors, the documentation, health; what it holds open from start to end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import REGISTRY, Gauge
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import migrations
from services.api.auth import Doorkeeper
from services.api.desk.events import API_VERSION
from services.api.docs_pages import docs_routes
from services.api.figures import FiguresOfWorkers
from services.api.graphql.router import graphql_routes
from services.api.rest import openapi
from services.api.rest.routes import ROUTES
from shared.kit.database import Database
from shared.kit.health import Health
from shared.kit.jobs import Nudger
from shared.kit.limits import BodyLimit
from shared.kit.problems import Envelope, reraise
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.store import work

SERVICE = "api"
EXPOSED = (
    "ETag",
    "Link",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
    "Idempotent-Replayed",
    "Location",
)
STATEMENT_TIMEOUT_S = 15

DUE = Gauge("webcare_jobs_due", "Work that is due.", ("kind",))
_WORKERS = FiguresOfWorkers()
REGISTRY.register(_WORKERS)
OLDEST = Gauge("webcare_job_oldest_due_seconds", "For how long the oldest piece of work is due.", ("kind",))


def create_app(settings: Settings) -> FastAPI:
    """The app. It opens Postgres when it starts and closes it when it ends; where Postgres is away at the start, the start
    fails and says so."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = await Database.open(settings, SERVICE, statement_timeout_s=STATEMENT_TIMEOUT_S)
        nudger = Nudger(settings)
        nudger.attach(database)
        app.state.database = database
        app.state.doorkeeper = Doorkeeper(database, Vault(settings.secret_key.get_secret_value()), settings)
        try:
            yield
        finally:
            app.state.database = None
            await nudger.close()
            await database.close()

    app = FastAPI(
        title="Webcare", version=API_VERSION, lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.state.settings = settings
    app.state.database = None
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, reraise)
    app.router.routes += [*graphql_routes(), *ROUTES]  # the one path of GraphQL first: routes are tried in order
    collectors = [_collect_work, _WORKERS.read]
    health = Health(SERVICE, settings, lambda: app.state.database, migrations.head(), collectors)
    app.router.routes += [*health.routes(), Route("/openapi.json", _openapi, include_in_schema=False), *docs_routes()]
    app.openapi = lambda: openapi.document(app.version)  # type: ignore[method-assign]  # FastAPI's own way
    _add_layers(app, settings)
    return app


def _add_layers(app: FastAPI, settings: Settings) -> None:
    """The layers around the doors, the innermost first."""
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Envelope)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors_origins), expose_headers=list(EXPOSED),
            allow_methods=["GET", "POST", "PATCH", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Webcare-Agent",
                           "X-Request-Id", "traceparent"],
            max_age=600,
        )  # fmt: skip


async def _openapi(request: Request) -> Response:
    return Response(openapi.written(request.app.version), media_type="application/json")


async def _collect_work(database: Database) -> None:
    async with database.lookup() as connection:
        due = await work.due(connection)
    DUE.clear()
    OLDEST.clear()
    for kind, (count, age) in due.items():
        DUE.labels(kind).set(count)
        OLDEST.labels(kind).set(age)
