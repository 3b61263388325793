"""What a stored head says of itself before its weights, as far as one must know it to tell whether triage can use the head."""

import json
from typing import Final

VECTORISER: Final = "1"
"""Which features texts get. Raised whenever a text gets other features: heads trained with another one are refused."""
BEGINS: Final = 8
"""Bytes before the JSON: four of a mark, four of the JSON's length, little-endian (services/triage/words/heads.py)."""


def vectoriser_of(weights: bytes) -> str | None:
    """By which vectoriser a head was trained; None where the bytes are no head."""
    length = int.from_bytes(weights[4:BEGINS], "little")
    try:
        said = json.loads(weights[BEGINS : BEGINS + length])["vectoriser"]
    except (KeyError, TypeError, ValueError):
        return None
    return said if isinstance(said, str) else None
