"""Which trace the present work belongs to (W3C Trace Context): set at the door, written beside facts, sent with webhooks."""

import os
from contextvars import ContextVar

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)


def new_traceparent() -> str:
    """A `traceparent` for work that begins here."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
