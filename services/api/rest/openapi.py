"""The OpenAPI 3.1 document of the REST door, made from the declared operations. It is committed under docs/api."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import orjson

from services.api.auth import ROLES
from services.api.desk.desk import view
from services.api.rest import schemas
from services.api.rest.door import JSON, OPERATIONS, Operation, Parameter
from services.api.rest.inputs import EVENT, PAGE
from services.api.rest.schemas import REF, Schema, name_of
from shared.models.facts import FACTS

_PART = re.compile(r"\{(\w+)\}")
_PROBLEMS = {
    400: "The request could not be read.",
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key's role may not do this.",
    404: "There is no such thing in this workspace.",
    406: "It is not to be had in that form (Accept).",
    409: "The present state does not allow it.",
    410: "It is no longer here.",
    412: "It has changed since you read it (If-Match).",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The request is not valid; `errors` says where.",
    428: "If-Match is missing.",
    429: "Too many requests; Retry-After says when to ask again.",
    500: "A mistake of ours; give the request_id.",
    503: "Temporarily unavailable; Retry-After says when to ask again.",
}
_ABOUT = """Webcare: mentions come in, are understood, wait in a queue under their promises, are answered, and the world is told.

Errors are problem documents (RFC 9457). Lists are paged by cursor. Times are RFC 3339 in UTC, durations ISO 8601, ids UUIDs.
A POST takes an `Idempotency-Key`; its answer is kept for 24 hours. Roles: {roles}."""
_TAGS = {
    "mentions": "Posts about us or to us, and what was found in them.",
    "heads": "What a workspace's corrections taught, and what a person's word would teach most.",
    "masking": "From whom personal data is hidden.",
    "conversations": "The thread with one author about one matter: work on it, answer it, watch its promises.",
    "replies": "Answers of ours and what became of them.",
    "moderation": "What is asked of a venue about a post there: hide it, look at it, take our reply away.",
    "queues": "Where work waits, and who gets it next.",
    "people": "Teams and agents.",
    "brands": "What people talk about.",
    "queries": "What we listen for.",
    "issues": "Kinds of problems, the day's top ones, and people's own words for them.",
    "playbooks": "The plan for an issue type.",
    "sla": "Business hours and what is promised.",
    "channels": "Kinds of venues and the sources that are connected.",
    "webhooks": "Whom we tell, and what became of each telling.",
    "events": "Everything that happened, in one order.",
    "metrics": "Figures.",
    "reports": "The weekly listening report.",
    "ledger": "What came in and what became of it.",
    "keys": "API keys.",
    "authors": "Who wrote.",
}


def document(version: str) -> dict[str, Any]:
    """The document as Python data."""
    components = _components()
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, components)
    used = {operation.tag for operation in OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Webcare",
            "version": version,
            "description": _ABOUT.format(roles=", ".join(ROLES)),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items() if name in used],
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "webhooks": _webhooks(),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, as `wc_live_…`."}
            },
            "responses": {
                f"Problem{status}": {
                    "description": said,
                    "content": {"application/problem+json": {"schema": {"$ref": f"{REF}Problem"}}},
                }
                for status, said in _PROBLEMS.items()
            },
            "headers": _headers(),
        },
    }


@cache
def written(version: str) -> bytes:
    """The document as it is served and committed."""
    return orjson.dumps(document(version), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _components() -> dict[str, Schema]:
    nouns = {operation.shows.noun for operation in OPERATIONS if operation.shows.noun}
    nouns |= {fact.noun for fact in FACTS.values()}
    shown = {one for noun in nouns for one in schemas.nouns_shown(noun)}
    components = {name_of(noun): schemas.of_read_model(view(noun)) for noun in sorted(shown)}
    components |= {
        "Findings": schemas.findings(), "Problem": schemas.problem(), "Page": PAGE,
        "EventEnvelope": EVENT,
    }  # fmt: skip
    for operation in OPERATIONS:
        if operation.takes is not None:
            components |= schemas.body(operation.takes, partial=operation.partial)[1]
    return components


def _operation(operation: Operation, components: Mapping[str, Schema]) -> dict[str, Any]:
    roles = ", ".join(role for role, actions in ROLES.items() if operation.action in actions)
    said = f"{operation.description}\n\nRoles: {roles}.".strip()
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": said,
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation, components),
    }
    if operation.takes is not None:
        schema, _ = schemas.body(operation.takes, partial=operation.partial)
        example = operation.example
        if example is None:
            example = schemas.example_of(schema, components) if not operation.partial else {}
        described["requestBody"] = {
            "required": not operation.partial,
            "content": {JSON: {"schema": schema, "example": example}},
        }
    return described


def _parameters(operation: Operation) -> Iterable[Schema]:
    for name in _PART.findall(operation.path):
        kind: Schema = {"type": "string", "format": "uuid"} if name == "id" else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": kind}
    if operation.shows.form == "page":
        yield _parameter("limit", Parameter("integer", "At most so many, 1 to 100; 25 unless said otherwise."))
        yield _parameter("cursor", Parameter("text", "The `next_cursor` of the former page."))
    for name, parameter in operation.query.items():
        yield _parameter(name, parameter)
    if operation.method == "POST":
        yield _header("Idempotency-Key", "1 to 255 visible characters; the first answer is kept for 24 hours.")
    if operation.versioned:
        required = operation.versioned == "required"
        if operation.method != "GET":
            yield _header("If-Match", 'The ETag that you have seen, as `"7"`.', required=required)
    yield _header("Webcare-Agent", "The agent for whom an integration or admin key acts.", form="uuid")


def _parameter(name: str, parameter: Parameter) -> Schema:
    schema = schemas.of_type(parameter.type)
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    described: Schema = {
        "name": name, "in": parameter.place, "required": parameter.required, "description": parameter.doc, "schema": schema,
    }  # fmt: skip
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _header(name: str, doc: str, *, required: bool = False, form: str | None = None) -> Schema:
    schema: Schema = {"type": "string", **({"format": form} if form else {})}
    return {"name": name, "in": "header", "required": required, "description": doc, "schema": schema}


def _headers() -> dict[str, Any]:
    said = {
        "X-Request-Id": "The id of this request: the caller's own, where it sent one.",
        "RateLimit": "What is left: `r` requests now, all again in `t` seconds.",
        "RateLimit-Policy": "The limit: `q` requests in `w` seconds.",
        "ETag": "The version.",
        "Link": "The next page (rel=next).",
        "Idempotent-Replayed": "`true` where this answer was given before.",
    }
    return {name: {"description": doc, "schema": {"type": "string"}} for name, doc in said.items()}


def _responses(operation: Operation, components: Mapping[str, Schema]) -> dict[str, Any]:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    if operation.shows.form == "page":
        names.append("Link")
    if operation.versioned in ("optional", "required"):
        names.append("ETag")
    if operation.method == "POST":
        names.append("Idempotent-Replayed")
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    found: dict[str, Any] = {str(operation.status): {**_success(operation, components), "headers": headers}}
    for status in operation.also:
        if status < 400:
            found[str(status)] = {"description": operation.also[status], "headers": headers}
    statuses = {401, 403, 422, 429, 500, 503}
    if "{" in operation.path:
        statuses.add(404)
    if operation.method in ("POST", "PATCH", "DELETE"):
        statuses |= {400, 409, 413, 415}
    if operation.versioned and operation.method != "GET":
        statuses |= {412} | ({428} if operation.versioned == "required" else set())
    statuses |= {status for status in operation.also if status >= 400}
    for status in sorted(statuses):
        found[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return found


def _success(operation: Operation, components: Mapping[str, Schema]) -> dict[str, Any]:
    shows = operation.shows
    if shows.form == "nothing":
        return {"description": "Done."}
    schema: Schema
    match shows.form:
        case "page":
            item = {"$ref": REF + name_of(shows.noun)}
            schema = {
                "type": "object",
                "required": ["data", "page"],
                "properties": {"data": {"type": "array", "items": item}, "page": {"$ref": f"{REF}Page"}},
            }
        case "one":
            schema = {"$ref": REF + name_of(shows.noun)}
            if shows.extra:
                extra = {"type": "object", "properties": dict(shows.extra)}
                schema = {"allOf": [schema, extra]}
        case _:
            schema = dict(shows.schema)
    content: dict[str, Any] = {}
    for media in shows.media:
        if media == JSON:
            example = _example(schema, components)
            content[media] = {"schema": schema, "example": example}
        else:
            content[media] = {"schema": {"type": "string"}}
    return {"description": operation.summary, "content": content}


def _example(schema: Schema, components: Mapping[str, Schema]) -> Any:
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged |= schemas.example_of(part, components)
        return merged
    return schemas.example_of(schema, components)


def _webhooks() -> dict[str, Any]:
    """What we send to webhook endpoints, by event type."""
    found = {}
    for type_, fact in sorted(FACTS.items()):
        data: Schema = {"$ref": REF + name_of(fact.noun)}
        told: Schema = {"type": {"const": type_}, "data": {"anyOf": [data, {"type": "object"}]}}
        envelope = {"allOf": [{"$ref": f"{REF}EventEnvelope"}, {"type": "object", "properties": told}]}
        found[type_] = {
            "post": {
                "operationId": "on" + "".join(part.capitalize() for part in re.split(r"[._]", type_)),
                "summary": (fact.__doc__ or "").rstrip("."),
                "description": "Signed by Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature).",
                "security": [],
                "requestBody": {"required": True, "content": {JSON: {"schema": envelope}}},
                "responses": {"2XX": {"description": "Taken."}, "410": {"description": "Never again: the endpoint is disabled."}},
            }
        }  # fmt: skip
    return found
