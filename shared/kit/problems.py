"""Every answer in its envelope, and everything that went wrong as a problem (RFC 9457): a sentence, a code, a place.

One ASGI layer around every app: it gives the request its id and its trace, adds the headers that all answers carry, counts
and times them, and turns exceptions into problems, so that no stack trace and no other form of error leaves the house.
"""

import os
import re
import time
from functools import lru_cache
from math import ceil
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from shared.kit import logging, tracing
from shared.kit.database import AWAY
from shared.kit.errors import Invalid, Malformed, NotFound, Unavailable, WebcareError
from shared.kit.limits import App, Message, Receive, Scope, Send

CONTENT_TYPE = b"application/problem+json"
EXTRA = "webcare.headers"
"""Where in the ASGI scope a layer further in leaves headers (a list of pairs) for the answer, errors included."""
ROUTE = "webcare.route"
"""Where in the ASGI scope the matched path template stands, for figures."""

log = logging.get(__name__)
ANSWERS = Counter("webcare_http_requests_total", "Answers by method, path template and status.", ("method", "route", "status"))  # fmt: skip
SECONDS = Histogram(
    "webcare_http_request_seconds", "From the first byte asked to the last byte answered.", ("method", "route"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


class MethodNotAllowed(WebcareError):
    """The path is right and the method is not."""

    status = 405
    code = "method_not_allowed"
    title = "This cannot be done here with that method"


class Envelope:
    """The outermost layer of an app."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id, trace = _marks(scope["headers"])
        extra: list[tuple[bytes, bytes]] = [*_ALWAYS, (b"x-request-id", request_id)]
        scope[EXTRA] = extra
        status = 0

        async def send_in_envelope(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        said = request_id.decode()
        structlog.contextvars.bind_contextvars(request_id=said, trace_id=trace[3:35])
        token = tracing.traceparent.set(trace)
        try:
            await self.app(scope, receive, send_in_envelope)
        except Exception as wrong:
            if status:
                log.exception("the answer broke off", path=scope["path"])
                raise
            if isinstance(wrong, HTTPException):
                extra += [(name.lower().encode(), value.encode()) for name, value in (wrong.headers or {}).items()]
            await send_problem(translate(wrong, scope["path"]), scope, send_in_envelope, said)
        finally:
            tracing.traceparent.reset(token)
            _count(scope, status, time.perf_counter() - began)
            structlog.contextvars.unbind_contextvars("request_id", "trace_id")


def _marks(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, str]:
    """The request's id and trace: the caller's where they are well formed, else new ones."""
    request_id, parent = b"", b""
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value
        elif name == b"traceparent":
            parent = value
    if not _REQUEST_ID.fullmatch(request_id):
        request_id = os.urandom(16).hex().encode()
    trace = parent.decode() if _TRACEPARENT.fullmatch(parent) else tracing.new_traceparent()
    return request_id, trace


def _count(scope: Scope, status: int, seconds: float) -> None:
    route, method = scope.get(ROUTE, "other"), scope["method"]
    method = method if method in ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS") else "OTHER"
    answers, took = _figures(method, route, status or 500)
    answers.inc()
    took.observe(seconds)
    if status >= 500 or (method not in ("GET", "HEAD", "OPTIONS") and route != "/graphql"):  # a query is a POST too
        log.info("answered", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


@lru_cache(maxsize=4_096)
def _figures(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The counter and the histogram of a path; looking them up by their labels each time costs more than counting."""
    return ANSWERS.labels(method, route, status), SECONDS.labels(method, route)


def translate(wrong: Exception, path: str = "") -> WebcareError:
    """What went wrong, as one of our errors. What we did not foresee is logged whole and told as nothing but a 500."""
    match wrong:
        case WebcareError():
            if wrong.status >= 500:
                log.error("refused", path=path, error=type(wrong).__name__, detail=wrong.detail)
            return wrong
        case HTTPException():
            return _of_status(wrong)
        case RequestValidationError():
            return Invalid("Some fields are not right.", errors=[_place(problem) for problem in wrong.errors()])
        case _ if postgres_is_away(wrong):
            log.warning("postgres is away", path=path, error=type(wrong).__name__)
            return Unavailable("The database does not answer at the moment; ask again in a few seconds.", retry_after=5)
        case asyncpg.DataError() | DBAPIError() if _state(wrong).startswith("22"):
            return Invalid("A value is out of the range that can be read or kept.")
        case asyncpg.QueryCanceledError():
            return Unavailable("This took too long and was stopped; ask for less at once.", retry_after=30)
    log.error("unforeseen", path=path, exc_info=wrong)
    return WebcareError("This is a mistake of ours. Tell us the request_id, and we find what happened.")


def postgres_is_away(wrong: BaseException) -> bool:
    """Whether an exception means that Postgres is not there, and nothing about the request."""
    if isinstance(wrong, DBAPIError):
        cause = getattr(wrong.orig, "__cause__", None)
        known = wrong.connection_invalidated or isinstance(cause, AWAY) or isinstance(wrong.orig, AWAY)
        return known or (isinstance(wrong, OperationalError | InterfaceError) and not _state(wrong).startswith("22"))
    return isinstance(wrong, (*AWAY, PoolTimeout, TimeoutError))


def _state(wrong: BaseException) -> str:
    cause = getattr(getattr(wrong, "orig", wrong), "__cause__", None)
    return str(getattr(wrong, "sqlstate", None) or getattr(cause, "sqlstate", None) or "")


def _of_status(wrong: HTTPException) -> WebcareError:
    match wrong.status_code:
        case 404:
            return NotFound("There is nothing at this path. The paths are listed at /docs.")
        case 405:
            allowed = (wrong.headers or {}).get("Allow", "")
            return MethodNotAllowed(f"Use one of: {allowed}." if allowed else "Use another method.")
    return Malformed(str(wrong.detail)) if wrong.status_code < 500 else WebcareError("Something went wrong.")


def _place(problem: Any) -> tuple[str, str]:
    where = [str(part) for part in problem.get("loc", ()) if part not in ("body", "query", "path")]
    return "/" + "/".join(where), str(problem.get("msg", "is not right"))


def render(error: WebcareError, instance: str, request_id: str) -> bytes:
    """The problem document."""
    body: dict[str, Any] = {
        "type": f"/docs/errors#{error.specific_code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.specific_code,
        "errors": [{"pointer": pointer, "detail": detail} for pointer, detail in error.errors],
        "request_id": request_id,
    }
    return orjson.dumps(body)


async def send_problem(error: WebcareError, scope: Scope, send: Send, request_id: str) -> None:
    """Answers with a problem."""
    body = render(error, scope["path"], request_id)
    headers = [(b"content-type", CONTENT_TYPE), (b"content-length", str(len(body)).encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, ceil(error.retry_after))).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="webcare"'))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def reraise(_: Any, wrong: Exception) -> Any:
    """An exception handler for FastAPI that leaves the exception to the envelope."""
    raise wrong
