"""What can go wrong, in sentences. One small tree, translated once for REST (problem+json) and once for GraphQL."""

from collections.abc import Iterable
from typing import ClassVar


class WebcareError(Exception):
    """The root: `status` is the HTTP status, `code` the stable machine-readable word, the message a whole sentence.

    `errors` names the places in the request that were wrong, as (JSON pointer, sentence). `retry_after` is in seconds.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str,
        *,
        errors: Iterable[tuple[str, str]] = (),
        retry_after: float | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors: tuple[tuple[str, str], ...] = tuple(errors)
        self.retry_after = retry_after
        self.specific_code = code or type(self).code


class Invalid(WebcareError):
    """The request says something that cannot be done as said."""

    status = 422
    code = "invalid"
    title = "The request is not valid"


class Malformed(WebcareError):
    """The request could not be read at all."""

    status = 400
    code = "malformed"
    title = "The request could not be read"


class Unauthenticated(WebcareError):
    """Nobody known is asking."""

    status = 401
    code = "unauthenticated"
    title = "Say who you are"


class Forbidden(WebcareError):
    """Who asks may not do this."""

    status = 403
    code = "forbidden"
    title = "This role may not do that"


class NotFound(WebcareError):
    """There is no such thing in the caller's workspace. Somebody else's things answer the same."""

    status = 404
    code = "not_found"
    title = "There is no such thing here"


class Conflict(WebcareError):
    """The thing is in a state in which this cannot be done."""

    status = 409
    code = "conflict"
    title = "The present state does not allow that"


class Gone(WebcareError):
    """It was here and is no longer."""

    status = 410
    code = "gone"
    title = "It is no longer here"


class StaleVersion(WebcareError):
    """The caller has seen an older version than the one that stands."""

    status = 412
    code = "stale_version"
    title = "It has changed since you read it"


class TooLarge(WebcareError):
    """The body is larger than what is taken at once."""

    status = 413
    code = "too_large"
    title = "The request is too large"


class PreconditionRequired(WebcareError):
    """A blind write would hurt here: the caller has to say which version it has seen."""

    status = 428
    code = "precondition_required"
    title = "Say which version you have seen"


class TooMany(WebcareError):
    """More requests than the caller's limit allows."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests"


class Unavailable(WebcareError):
    """Something we stand on is away; asking again later helps."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
