"""Pages of a list: a size, and an opaque cursor that says after which key to go on."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from shared.kit.errors import Invalid

LARGEST_PAGE = 100
DEFAULT_PAGE = 25


@dataclass(frozen=True, slots=True)
class Page:
    """What a caller asked for: at most `limit` rows after the key `after` (values in the list's order), or the first."""

    limit: int = DEFAULT_PAGE
    after: tuple[Any, ...] | None = None

    @classmethod
    def of(cls, limit: int | None = None, cursor: str | None = None) -> "Page":
        """Reads `limit` and `cursor` as a caller sends them. Raises Invalid for a size out of 1..100 or a strange cursor."""
        size = DEFAULT_PAGE if limit is None else limit
        if not 1 <= size <= LARGEST_PAGE:
            raise Invalid(f"limit must be from 1 to {LARGEST_PAGE}.", errors=[("/limit", f"{size} is out of range")])
        return cls(size, decode_cursor(cursor) if cursor else None)


def encode_cursor(key: tuple[Any, ...]) -> str:
    """The opaque form of a row's key."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key), default=str)).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[Any, ...]:
    """The key inside a cursor. Raises Invalid where it was not made by `encode_cursor`."""
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or not key or len(key) > 8 or any(isinstance(part, (list, dict)) for part in key):
        raise Invalid(
            "The cursor is not one that this list gave out; start again without it.", errors=[("/cursor", "unreadable")]
        )
    return tuple(key)
