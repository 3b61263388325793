"""Identifiers: UUID version 7 (RFC 9562), so that ids sort by the time they were made."""

import os
from datetime import datetime
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as _Id  # noqa: N811  # a uuid.UUID, as rows read give it: ten times as quick to send
from uuid_utils.compat import uuid7

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_LOW = (1 << 62) - 1


def new_id(at: datetime | None = None) -> UUID:
    """A new id; with `at`, one whose time part is that moment (milliseconds), for rows partitioned by their id."""
    return uuid7() if at is None else new_ids(at, 1)[0]


def new_ids(at: datetime, count: int) -> list[UUID]:
    """`count` new ids of that moment, in ascending order, so that what came in one batch keeps its order."""
    time = int(at.timestamp() * 1000) << 80 | _VERSION_7 | _VARIANT
    chance = os.urandom(10 * count)
    drawn = sorted(int.from_bytes(chance[n : n + 10]) >> 6 for n in range(0, 10 * count, 10))
    return [_Id((time | (one >> 62) << 64 | one & _LOW).to_bytes(16)) for one in drawn]


def first_id_at(at: datetime) -> UUID:
    """The smallest id that a row made at `at` can have: the bound of a partition or of a range of time."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62))


def parse_id(text: str) -> UUID | None:
    """The id that `text` spells, or None: callers decide whether that is "not found" or "invalid"."""
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        return None
