"""The REST door: operations are declared on it, and each call is let in, allowed, and done once.

A route is one line because everything that is alike stands in this folder: what an operation is (operations.py), the call
that a route is handed (call.py), and here who asks, what is allowed, and the Idempotency-Key.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from starlette.routing import Route

from services.api import idempotency
from services.api.auth import Action, Doorkeeper, allow
from services.api.idempotency import Answer
from services.api.rest.call import Call, answer, to_keep
from services.api.rest.operations import (
    JSON,
    NOTHING,
    Method,
    Operation,
    Parameter,
    Shows,
    filters_of,
    one,
    page,
    shape,
)
from shared.kit.limits import Receive, Scope, Send
from shared.kit.problems import EXTRA, ROUTE

__all__ = [
    "JSON", "NOTHING", "OPERATIONS", "Call", "Door", "Operation", "Parameter", "answer", "filters_of", "one", "page", "shape",
]  # fmt: skip

Handler = Callable[[Call], Awaitable[Response]]
OPERATIONS: list[Operation] = []
"""Every operation of this door, in the order in which the modules declare them."""


class Door:
    """The operations of one noun. `routes` are what the app takes over."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    def get(self, path: str, id_: str, action: Action, shows: Shows, **more: Any) -> Callable[[Handler], Handler]:
        """Declares a reading."""
        return self._declare("GET", path, id_, action, shows, {"status": 200, **more})

    def post(self, path: str, id_: str, action: Action, shows: Shows, **more: Any) -> Callable[[Handler], Handler]:
        """Declares a writing; 201 unless said otherwise. It takes an Idempotency-Key."""
        return self._declare("POST", path, id_, action, shows, {"status": 201, **more})

    def patch(self, path: str, id_: str, action: Action, shows: Shows, **more: Any) -> Callable[[Handler], Handler]:
        """Declares a change of what is sent and nothing else (JSON merge patch, RFC 7396, one level deep)."""
        return self._declare("PATCH", path, id_, action, shows, {"status": 200, "partial": True, **more})

    def delete(self, path: str, id_: str, action: Action, **more: Any) -> Callable[[Handler], Handler]:
        """Declares a removal."""
        return self._declare("DELETE", path, id_, action, NOTHING, {"status": 204, **more})

    def _declare(
        self, method: Method, path: str, id_: str, action: Action, shows: Shows, more: Mapping[str, Any]
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            summary, _, description = (handler.__doc__ or "").strip().partition("\n")
            operation = Operation(
                method,
                f"/v1{path}",
                id_,
                action,
                self.tag,
                summary.rstrip("."),
                _unindented(description),
                shows,
                **more,
            )
            if any(known.id == id_ for known in OPERATIONS):
                raise ValueError(f"the operationId {id_} stands twice")
            OPERATIONS.append(operation)
            self.routes.append(
                Route(
                    operation.path, _Endpoint(operation, handler), methods=[method], name=id_, include_in_schema=False
                )
            )
            return handler

        return declare


class _Endpoint:
    """An operation as an ASGI app. It stands right under the router: everything that a framework could read for us (the
    parameters, the body, the answer's model) is read from the declaration, and lists are passed on as the bytes they are."""

    def __init__(self, operation: Operation, handler: Handler) -> None:
        self.operation = operation
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        request = Request(scope, receive, send)
        response = await self.serve(request)
        await response(scope, receive, send)

    async def serve(self, request: Request) -> Response:
        """Who asks, whether they may, and the answer."""
        operation, scope, headers = self.operation, request.scope, request.headers
        scope[ROUTE] = operation.path
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        client = request.client.host if request.client else ""
        desk, allowance = await doorkeeper.admit(headers.get("authorization"), headers.get("webcare-agent"), client)
        scope[EXTRA] += allowance.headers()
        allow(desk.actor, operation.action)
        call = Call(request, desk, operation)
        if operation.method == "POST" and (key := headers.get("idempotency-key")) is not None:
            return await _once(call, self.handler, key)
        return await self.handler(call)


async def _once(call: Call, handler: Handler, key: str) -> Response:
    """Runs a handler under its Idempotency-Key, or gives the answer that was given before."""
    request = call.request
    url = request.url
    begun = await idempotency.begin(
        call.desk, key,
        idempotency.fingerprint(
            request.method, url.path, url.query, str(call.desk.actor.agent_id), request.headers.get("if-match"),
            await request.body(),
        ),
    )  # fmt: skip
    if isinstance(begun, Answer):
        replay = Response(begun.body, begun.status, headers={**begun.headers, "idempotent-replayed": "true"})
        if not begun.body:
            return replay
        replay.headers["content-type"] = JSON
        return replay
    call.claim = begun
    try:
        response = await handler(call)
        if not begun.kept:
            await begun.keep_alone(to_keep(response))
    except BaseException:
        await begun.release()
        raise
    return response


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
