"""Why a call to somebody's server brought no answer. What a caller must know is one thing: may the request have arrived?"""


class HttpError(Exception):
    """A call did not bring an answer. The message names the host and never the query (it may hold a key)."""


class NotSent(HttpError):
    """The request did not leave: nobody acted on it, and trying again is safe."""


class AnswerLost(HttpError):
    """The request went out and no whole answer came back: the other side may have acted on it."""


class AnswerTooLarge(AnswerLost):
    """The answer is larger than the caller reads."""
