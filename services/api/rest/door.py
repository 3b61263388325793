"""The REST door: operations declared with what they do, take and show, and the call they are handed.

A route is one line because everything that is alike stands here: who asks, what is allowed, the page, the body, the ETag, the
Idempotency-Key. The OpenAPI document is made from the same declarations (schemas.py, openapi.py).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from sqlmodel import SQLModel
from starlette.datastructures import QueryParams

from services.api import idempotency
from services.api.auth import Action, Doorkeeper, allow
from services.api.desk.desk import Desk, view
from services.api.idempotency import Answer, Claim
from services.api.limits import UnsupportedMedia
from services.api.problems import EXTRA, ROUTE
from shared.kit.errors import Invalid, Malformed, NotFound, PreconditionRequired
from shared.kit.ids import parse_id
from shared.kit.pages import Page
from shared.models.read_model import Type

JSON = "application/json"
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
Schema = Mapping[str, Any]
Verb = Callable[[Desk], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter (or, with `place`, a header) of an operation."""

    type: Type
    doc: str
    choices: tuple[str, ...] = ()
    required: bool = False
    place: Literal["query", "header"] = "query"
    example: Any = None


@dataclass(frozen=True, slots=True)
class Shows:
    """What an operation answers with: one of a noun, a page of it, a list of it, or a schema of its own."""

    noun: str = ""
    form: Literal["one", "page", "schema", "nothing"] = "one"
    schema: Schema = field(default_factory=dict)
    extra: Schema = field(default_factory=dict)
    media: Sequence[str] = (JSON,)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the REST door, as it is published. `id` is its operationId, which never changes."""

    method: Method
    path: str
    id: str
    action: Action
    tag: str
    summary: str
    description: str
    shows: Shows
    status: int
    takes: type[SQLModel] | Schema | None = None
    example: Any = None
    partial: bool = False
    query: Mapping[str, Parameter] = field(default_factory=dict)
    filters_of: str = ""
    versioned: Literal["", "stale", "optional", "required"] = ""
    also: Mapping[int, str] = field(default_factory=dict)


class Call:
    """One call of an operation: the request, and the desk of whoever asks."""

    def __init__(self, request: Request, desk: Desk, operation: Operation) -> None:
        self.request = request
        self.desk = desk
        self.operation = operation
        self.claim: Claim | None = None

    @cached_property
    def query(self) -> QueryParams:
        """The query parameters."""
        return self.request.query_params

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def id(self, name: str = "id") -> UUID:
        """A part of the path that is an id. What cannot be one is not found."""
        known = parse_id(self.part(name))
        if known is None:
            raise NotFound(f"There is no such thing as {self.part(name)[:80]} here.")
        return known

    async def body(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one where nothing was sent. Raises Malformed or Invalid."""
        raw = await self.request.body()
        if not raw:
            return {}
        media = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media not in (JSON, "application/merge-patch+json"):
            raise UnsupportedMedia(f"Send {JSON}; this came as {media or 'nothing in particular'}.")
        try:
            given = orjson.loads(raw)
        except orjson.JSONDecodeError as wrong:
            raise Malformed(f"The body is not JSON: {wrong}.") from wrong
        if not isinstance(given, dict):
            raise Invalid("The body must be a JSON object.", errors=[("", "is not an object")])
        if b"\\u0000" in raw:
            _refuse_nul(given, "")
        return given

    def page(self) -> Page:
        """The page that was asked for."""
        return Page.of(self.whole_number("limit"), self.query.get("cursor"))

    def filters(self, *apart: str) -> dict[str, Any]:
        """The other query parameters; `apart` are those that the operation reads itself."""
        known = {"limit", "cursor", "order", *apart}
        return {name: value for name, value in self.query.items() if name not in known}

    def only(self, *known: str) -> None:
        """Raises Invalid for a query parameter that the operation does not have."""
        if unknown := [name for name in self.query if name not in known]:
            said = f"Known are {', '.join(known)}." if known else "None are known here."
            raise Invalid("A query parameter is not known.", errors=[(f"/{name}", said) for name in unknown])

    async def listed(self, noun: str, **fixed: Any) -> Response:
        """A page of a noun, by the query's filters and those that are fixed here."""
        found = await self.desk.page(
            noun, self.page(), filters={**self.filters(), **fixed} or None, order=self.query.get("order")
        )
        return self.page_of(found.data, found.next_cursor)

    def page_of(self, data: bytes, next_cursor: str | None) -> Response:
        """A page that was read: its bytes are passed on as they are."""
        if next_cursor is None:
            return answer(b'{"data":' + data + b',"page":{"next_cursor":null,"has_more":false}}')
        response = answer(
            b'{"data":' + data + b',"page":{"next_cursor":"' + next_cursor.encode() + b'","has_more":true}}'
        )
        url = self.request.url.include_query_params(cursor=next_cursor)
        response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return response

    async def one(self, noun: str, key: Any) -> Response:
        """One of a noun."""
        return self._shown(await self.desk.one(noun, key), 200)

    async def write(self, noun: str, verb: Verb, *, secret: str = "secret") -> Response:
        """Runs a verb in its transaction and shows what it made or changed, as it stands at the end of it.

        The verb returns the key of what is to be shown, or that and a secret that only this answer tells.
        """
        async with self.desk.writing() as desk:
            made = await verb(desk)
            key, told = made if isinstance(made, tuple) else (made, None)
            body = await desk.one(noun, key)
            response = self._shown(body, self.operation.status)
            await self._keep(desk, response)
        if told is not None:
            shown = orjson.dumps({**orjson.loads(body), secret: told})
            response = answer(shown, self.operation.status)
        return response

    async def write_if_any(self, noun: str, verb: Verb) -> Response:
        """As `write`, for a verb that may find nothing to do: then 204."""
        async with self.desk.writing() as desk:
            key = await verb(desk)
            response = (
                Response(status_code=204)
                if key is None
                else self._shown(await desk.one(noun, key), self.operation.status)
            )
            await self._keep(desk, response)
        return response

    async def do(self, verb: Verb) -> Response:
        """Runs a verb in its transaction; the answer is what it returns, or nothing."""
        async with self.desk.writing() as desk:
            made = await verb(desk)
            response = Response(status_code=204) if made is None else answer(made, self.operation.status)
            await self._keep(desk, response)
        return response

    def whole_number(self, name: str) -> int | None:
        """A query parameter that is a whole number. Raises Invalid."""
        given = self.query.get(name)
        if given is None:
            return None
        if not given.removeprefix("-").isdecimal() or len(given) > 18:
            raise Invalid(f"{name} must be a whole number.", errors=[(f"/{name}", "is not a whole number")])
        return int(given)

    def id_of(self, name: str) -> UUID | None:
        """A query parameter that is an id. Raises Invalid."""
        given = self.query.get(name)
        if given is None:
            return None
        known = parse_id(given)
        if known is None:
            raise Invalid(f"{name} must be an id (UUID).", errors=[(f"/{name}", "is not an id")])
        return known

    def moment(self, name: str) -> datetime | None:
        """A query parameter that is a moment with its zone. Raises Invalid."""
        given = self.query.get(name)
        if given is None:
            return None
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise Invalid(
                f"{name} must be a moment with its zone, as 2026-11-22T10:00:00Z.",
                errors=[(f"/{name}", "is no such moment")],
            )
        return moment

    async def feed(self, read: Callable[[int | None, int | None, list[str]], Awaitable[Any]]) -> Response:
        """A page of events by position: `read(after, limit, types)` reads it. `next_cursor` is what to ask with next, also
        where there is nothing more yet."""
        self.only("after", "limit", "type", "cursor", *self.operation.query)
        types = [name.strip() for name in self.query.get("type", "").split(",") if name.strip()]
        after = self.whole_number("cursor") if "cursor" in self.query else self.whole_number("after")
        found = await read(after, self.whole_number("limit"), types)
        more = b"true" if found.has_more else b"false"
        response = answer(
            b'{"data":' + found.data + b',"page":{"next_cursor":"%d","has_more":%b}}' % (found.after, more)
        )
        url = self.request.url.remove_query_params("cursor").include_query_params(after=found.after)
        response.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return response

    def expected_version(self) -> int | None:
        """The version that If-Match names. Raises PreconditionRequired where the operation needs one, Invalid for a strange
        one."""
        given = self.request.headers.get("if-match")
        if given is None or given.strip() == "*":
            if self.operation.versioned == "required" and given is None:
                raise PreconditionRequired(
                    'Send If-Match with the ETag that you have seen, as `If-Match: "7"`; a blind write could undo what a '
                    "colleague just did."
                )
            return None
        version = given.strip().removeprefix("W/").strip('"')
        if not version.isdecimal():
            raise Invalid('If-Match must be an ETag of ours, as "7".', errors=[("/If-Match", "is none of ours")])
        return int(version)

    def _shown(self, body: bytes, status: int) -> Response:
        response = answer(body, status)
        if self.operation.versioned in ("optional", "required"):
            etag = f'"{orjson.loads(body)["version"]}"'
            response.headers["etag"] = etag
            if self.request.method == "GET" and self.request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers={"etag": etag})
        return response

    async def _keep(self, desk: Desk, response: Response) -> None:
        if self.claim is not None:
            await self.claim.keep(desk.session, _to_keep(response))


def answer(body: bytes | Any, status: int = 200) -> Response:
    """A JSON answer: bytes are passed on, anything else is written."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body, default=str)
    return Response(raw, status, media_type=JSON)


Handler = Callable[[Call], Awaitable[Response]]
OPERATIONS: list[Operation] = []
"""Every operation of this door, in the order in which the modules declare them."""


class Door:
    """The operations of one noun. `router` is what the app includes."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.router = APIRouter(redirect_slashes=False)

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
        return self._declare("DELETE", path, id_, action, Shows(form="nothing"), {"status": 204, **more})

    def _declare(
        self, method: Method, path: str, id_: str, action: Action, shows: Shows, more: Mapping[str, Any]
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            summary, _, description = (handler.__doc__ or "").strip().partition("\n")
            operation = Operation(
                method, f"/v1{path}", id_, action, self.tag, summary.rstrip("."), _unindented(description), shows, **more
            )
            if any(known.id == id_ for known in OPERATIONS):
                raise ValueError(f"the operationId {id_} stands twice")
            OPERATIONS.append(operation)
            self.router.add_api_route(
                operation.path, _endpoint(operation, handler), methods=[method], name=id_, response_model=None
            )
            return handler

        return declare


def _endpoint(operation: Operation, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        scope = request.scope
        scope[ROUTE] = operation.path
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        headers = request.headers
        client = request.client.host if request.client else ""
        desk, allowance = await doorkeeper.admit(headers.get("authorization"), headers.get("webcare-agent"), client)
        scope[EXTRA] += allowance.headers()
        allow(desk.actor, operation.action)
        call = Call(request, desk, operation)
        if operation.method == "POST" and (key := headers.get("idempotency-key")) is not None:
            return await _once(call, handler, key)
        return await handler(call)

    return serve


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
            await begun.keep_alone(_to_keep(response))
    except BaseException:
        await begun.release()
        raise
    return response


def _to_keep(response: Response) -> Answer:
    kept = {name: value for name, value in response.headers.items() if name in ("etag", "location")}
    return Answer(response.status_code, bytes(response.body), kept)


def _refuse_nul(value: Any, pointer: str) -> None:
    match value:
        case str() if "\x00" in value:
            raise Invalid("A text holds a NUL character; leave it out.", errors=[(pointer, "holds NUL")])
        case dict():
            for name, inner in value.items():
                _refuse_nul(name, pointer)
                _refuse_nul(inner, f"{pointer}/{name}")
        case list():
            for index, inner in enumerate(value):
                _refuse_nul(inner, f"{pointer}/{index}")


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def one(noun: str, **extra: Any) -> Shows:
    """One of a noun; `extra` are fields that only this answer has."""
    return Shows(noun, "one", extra=extra)


def page(noun: str) -> Shows:
    """A page of a noun."""
    return Shows(noun, "page")


def shape(schema: Schema, *media: str) -> Shows:
    """An answer with a schema of its own."""
    return Shows(form="schema", schema=schema, media=media or (JSON,))


NOTHING = Shows(form="nothing")


def filters_of(noun: str) -> Mapping[str, Parameter]:
    """A noun's filters and orders as query parameters."""
    model = view(noun)
    found = {name: Parameter(f.type, f.doc, f.choices) for name, f in model.filters.items()}
    orders = tuple(model.orders)
    if len(orders) > 1:
        found["order"] = Parameter("text", f"How the list is sorted; {orders[0]} unless said otherwise.", orders)
    return found
