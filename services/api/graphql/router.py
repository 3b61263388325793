"""The GraphQL door: POST /graphql answers JSON, GET shows GraphiQL to a browser."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.api.auth import Doorkeeper
from services.api.graphql import graphiql
from services.api.graphql.answers import Answers, Question
from services.api.graphql.fields import Asked
from shared.kit.errors import Invalid, Malformed
from shared.kit.limits import UnsupportedMedia
from shared.kit.problems import EXTRA, ROUTE, MethodNotAllowed

PATH = "/graphql"
JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


def graphql_routes() -> list[BaseRoute]:
    """The routes of the door and of the page in the browser. Builds the schema."""
    answers = Answers()

    async def post(request: Request) -> Response:
        scope = request.scope
        scope[ROUTE] = PATH
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        headers = request.headers
        client = request.client.host if request.client else ""
        desk, allowance = await doorkeeper.admit(headers.get("authorization"), headers.get("webcare-agent"), client)
        scope[EXTRA] += allowance.headers()
        asked = Asked(desk)
        answer = await answers.answer(asked, read_question(headers.get("content-type", ""), await request.body()))
        # By the GraphQL-over-HTTP draft: clients that ask for its media type get the status of the request, others always 200.
        media = GRAPHQL_JSON if GRAPHQL_JSON in headers.get("accept", "") else JSON
        response = Response(answer.body, answer.status if media == GRAPHQL_JSON else 200, media_type=media)
        if asked.replayed:
            response.headers["idempotent-replayed"] = "true"
        return response

    async def get(request: Request) -> Response:
        request.scope[ROUTE] = PATH
        if "text/html" not in request.headers.get("accept", ""):
            raise MethodNotAllowed("Send the document by POST, as application/json; a browser gets GraphiQL here.")
        return graphiql.page()

    return [Route(PATH, post, methods=["POST"]), Route(PATH, get, methods=["GET"]), *graphiql.asset_routes(PATH)]


def read_question(content_type: str, raw: bytes) -> Question:
    """Reads {"query", "variables", "operationName", "extensions"}. Raises UnsupportedMedia, Malformed or Invalid."""
    media = content_type.partition(";")[0].strip().lower()
    if media != JSON:
        # Also what keeps a page of another site from asking in the name of whoever looks at it.
        raise UnsupportedMedia(f"Send {JSON}; this came as {media or 'nothing in particular'}.")
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError as wrong:
        raise Malformed(f"The body is not JSON: {wrong}.") from wrong
    if isinstance(given, list):
        raise Malformed("Send one operation a request; a document may ask for many things at once.")
    if not isinstance(given, dict):
        raise Malformed('The body must be an object, as {"query": "…", "variables": {}}.')
    query, hash_ = _text(given, "query"), _hash(given)
    if query is None and hash_ is None:
        raise Malformed("Send a document as query, or its hash as extensions.persistedQuery.sha256Hash.")
    variables = given.get("variables")
    if not isinstance(variables, dict | None):
        raise Invalid("variables must be an object.", errors=[("/variables", "is no object")])
    return Question(query, hash_, _text(given, "operationName") or None, variables or {})


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if not isinstance(value, str | None):
        raise Invalid(f"{name} must be a text.", errors=[(f"/{name}", "is no text")])
    return value


def _hash(given: dict[str, Any]) -> str | None:
    extensions = given.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    known = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(known, str):
        raise Invalid(
            "persistedQuery needs sha256Hash.", errors=[("/extensions/persistedQuery/sha256Hash", "is missing")]
        )
    return known
