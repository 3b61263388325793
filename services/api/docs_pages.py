"""The documentation pages: Swagger UI at /docs and ReDoc at /redoc, from files of an installed package, no other host asked."""

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from shared.kit.errors import WebcareError

ASSETS = "/docs/assets"
_START_SWAGGER = """
window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: true, displayOperationId: true,
  docExpansion: "none", filter: true, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"
});
"""
_START_REDOC = 'Redoc.init("/openapi.json", {hideDownloadButton: false}, document.getElementById("page"));'


def _page(title: str, script: str, start: str, style: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="{ASSETS}/favicon.png">{style}</head>'
        f'<body><div id="page"></div><script src="{ASSETS}/{script}"></script><script>{start}</script></body></html>'
    )


_SWAGGER = _page(
    "Webcare API", "swagger-ui-bundle.js", _START_SWAGGER, f'<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">'
)
_REDOC = _page("Webcare API reference", "redoc.standalone.js", _START_REDOC)


def _policy(*starts: str) -> str:
    """A content security policy that runs our one inline script, known by its hash, and files of this host, nothing else."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(start.encode()).digest()).decode()}'" for start in starts)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _all_errors(kind: type[WebcareError] = WebcareError) -> list[type[WebcareError]]:
    found = [kind]
    for child in kind.__subclasses__():
        found += _all_errors(child)
    return found


def _errors_page() -> str:
    """Every error there is: where the `type` of a problem leads."""
    known = {one.code: one for one in reversed(_all_errors())}
    entries = "".join(
        f'<dt id="{code}"><code>{code}</code> {one.status}: {escape(one.title)}</dt><dd>{escape(one.__doc__ or "")}</dd>'
        for code, one in sorted(known.items())
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors</title></head>'
        f"<body><h1>Errors</h1><dl>{entries}</dl></body></html>"
    )


def docs_routes() -> list[BaseRoute]:
    """The routes of the pages and their files."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package fastapi-offline is missing; install the requirements again.")
    files = Path(spec.origin).parent / "static"

    async def swagger(_: Request) -> Response:
        return HTMLResponse(_SWAGGER, headers={"content-security-policy": _policy(_START_SWAGGER)})

    async def redoc(_: Request) -> Response:
        return HTMLResponse(_REDOC, headers={"content-security-policy": _policy(_START_REDOC)})

    async def errors(_: Request) -> Response:
        return HTMLResponse(_errors_page(), headers={"content-security-policy": _policy()})

    return [
        Route("/docs/errors", errors, include_in_schema=False),
        Route("/docs", swagger, include_in_schema=False),
        Route("/redoc", redoc, include_in_schema=False),
        Mount(ASSETS, StaticFiles(directory=files), name="docs assets"),
    ]
