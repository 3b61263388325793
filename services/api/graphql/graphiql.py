"""GraphiQL in the browser: our own small page around the files of an installed package; no other host is asked."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

_PACKAGE = "graphene_django_graphiql_static"
_OURS = Path(__file__).parent / "graphiql_page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@cache
def _html() -> str:
    return (_OURS / "page.html").read_text(encoding="utf-8")


def page() -> Response:
    """The page. It asks for the schema with the key that is typed into its header editor."""
    return HTMLResponse(_html(), headers={"content-security-policy": _POLICY, "cache-control": "no-cache"})


def asset_routes(path: str) -> list[BaseRoute]:
    """The page's files: ours, and GraphiQL with React from the package."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError("The package graphene-django-graphiql-static is missing; install the requirements again.")
    files = Path(spec.origin).parent / "static" / _PACKAGE
    return [
        Mount(f"{path}/page", StaticFiles(directory=_OURS), name="graphiql page"),
        Mount(f"{path}/assets", StaticFiles(directory=files), name="graphiql assets"),
    ]
