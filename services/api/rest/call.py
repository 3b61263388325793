"""One call of an operation: who asks, the path, the query, the body, and the ways to answer."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import UUID

import orjson
from fastapi import Request, Response

from services.api.desk.desk import Desk
from services.api.idempotency import Answer, Claim
from services.api.rest.operations import JSON, Operation, Verb
from shared.kit.errors import Invalid, Malformed, NotFound, PreconditionRequired
from shared.kit.ids import parse_id
from shared.kit.limits import UnsupportedMedia
from shared.kit.pages import Page


class Call:
    """One call of an operation: the request, and the desk of whoever asks."""

    def __init__(self, request: Request, desk: Desk, operation: Operation) -> None:
        self.request = request
        self.desk = desk
        self.operation = operation
        self.claim: Claim | None = None
        self._query: Mapping[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters. Raises Invalid for one that stands twice: which of the two is meant, nobody knows."""
        if self._query is None:
            self._query = _read_query(self.request.scope["query_string"])
        return self._query

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
        response.raw_headers.append((b"link", self._link("cursor", next_cursor)))
        return response

    async def one(self, noun: str, key: Any) -> Response:
        """One of a noun."""
        return self._shown(await self.desk.one(noun, key), 200)

    async def write(self, noun: str, verb: Verb, *, told_as: str = "secret") -> Response:
        """Runs a verb in its transaction and shows what it made or changed, as it stands at the end of it.

        The verb returns the key of what is to be shown, or that and a secret that only this answer tells, as `told_as`.
        """
        async with self.desk.writing() as desk:
            made = await verb(desk)
            key, told = made if isinstance(made, tuple) else (made, None)
            body = await desk.one(noun, key)
            response = self._shown(body, self.operation.status)
            await self._keep(desk, response)
        if told is not None:
            shown = orjson.dumps({**orjson.loads(body), told_as: told})
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

    def day(self, name: str) -> date | None:
        """A query parameter that is a day. Raises Invalid."""
        given = self.query.get(name)
        if given is None:
            return None
        try:
            return date.fromisoformat(given)
        except ValueError as wrong:
            raise Invalid(f"{name} must be a day, as 2026-11-22.", errors=[(f"/{name}", "is no day")]) from wrong

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
        response.raw_headers.append((b"link", self._link("after", str(found.after))))
        return response

    def _link(self, name: str, value: str) -> bytes:
        """The address of the next page: this one with another place in it. Written by hand, because this is the hot path."""
        scope = self.request.scope
        parts = [
            part
            for part in scope["query_string"].split(b"&")
            if part and part.partition(b"=")[0] not in (b"cursor", b"after")
        ]
        query = b"&".join([*parts, f"{name}={value}".encode()]).replace(b">", b"%3E")
        return b"<" + quote(scope["path"]).encode() + b"?" + query + b'>; rel="next"'

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
            await self.claim.keep(desk.session, to_keep(response))


def answer(body: bytes | Any, status: int = 200) -> Response:
    """A JSON answer: bytes are passed on, anything else is written."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body, default=str)
    return Response(raw, status, media_type=JSON)


def to_keep(response: Response) -> Answer:
    """What is kept of an answer for its Idempotency-Key."""
    kept = {name: value for name, value in response.headers.items() if name in ("etag", "location")}
    return Answer(response.status_code, bytes(response.body), kept)


MOST_PARAMETERS = 100


def _read_query(raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as wrong:
        raise Invalid(f"At most {MOST_PARAMETERS} query parameters are read.", errors=[("", "too many")]) from wrong
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Invalid("A query parameter stands twice.", errors=[(f"/{name}", "is given twice") for name in twice])
    if any("\x00" in value for value in found.values()):
        raise Invalid("A query parameter holds a NUL character; leave it out.", errors=[("", "holds NUL")])
    return found


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
