"""Which stretch of the past is looked at by what is tried on it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.api.desk.conversations import read_moment
from shared.kit import clock
from shared.kit.errors import Invalid

USUAL = timedelta(days=28)
LONGEST_LOOK = timedelta(days=366)


def period(given: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """`from` and `to`: the last four weeks unless said otherwise. Raises Invalid."""
    until = read_moment(given["to"], "/to") if given.get("to") else clock.now()
    since = read_moment(given["from"], "/from") if given.get("from") else until - USUAL
    if not timedelta(0) < until - since <= LONGEST_LOOK:
        raise Invalid(
            f"from must lie before to, by {LONGEST_LOOK.days} days at most.", errors=[("/from", "is not in that range")]
        )
    return since, until
