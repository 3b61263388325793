"""Errors as GraphQL shows them: the same codes, sentences and places as REST's problems, in `extensions`."""

from math import ceil
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from shared.kit.errors import Invalid, Malformed, WebcareError
from shared.kit.problems import translate

PATH = "/graphql"


def shown(error: GraphQLError) -> dict[str, Any]:
    """An error of a document or of a field. What we did not foresee is logged whole and told as nothing but internal."""
    wrong = _cause(error)
    body: dict[str, Any] = {"message": wrong.detail}
    if error.locations:
        body["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        body["path"] = error.path
    return {**body, "extensions": _extensions(wrong)}


def told(wrong: WebcareError) -> dict[str, Any]:
    """An error of the whole request."""
    return {"message": wrong.detail, "extensions": _extensions(wrong)}


def _cause(error: GraphQLError) -> WebcareError:
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, GraphQLSyntaxError):
        return Malformed(error.message)
    if isinstance(cause, GraphQLError):
        return Invalid(error.message)
    return translate(cause, PATH) if isinstance(cause, Exception) else WebcareError("This is a mistake of ours.")


def _extensions(wrong: WebcareError) -> dict[str, Any]:
    said: dict[str, Any] = {
        "code": wrong.specific_code,
        "status": wrong.status,
        "title": wrong.title,
        "errors": [{"pointer": pointer, "detail": detail} for pointer, detail in wrong.errors],
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    if wrong.retry_after is not None:
        said["retry_after"] = max(1, ceil(wrong.retry_after))
    return said
