"""Figures over a period, by step and dimension."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.api.desk.desk import Desk
from shared.kit import clock
from shared.kit.errors import Invalid
from shared.store import metrics as store
from shared.store import workspaces
from shared.store.metrics import OF_CONVERSATIONS, OF_MENTIONS, Period, Step

Figures = list[dict[str, Any]]
USUAL = timedelta(days=28)
LONGEST: Mapping[str, timedelta] = {
    "hour": timedelta(days=32), "day": timedelta(days=400), "week": timedelta(days=1_100), "none": timedelta(days=1_100),
}  # fmt: skip

_SERIES: Mapping[str, tuple[Callable[[asyncpg.Connection, Period], Awaitable[Figures]], tuple[str, ...]]] = {
    "volume": (store.volume, OF_MENTIONS),
    "sentiment": (store.sentiment, OF_MENTIONS),
    "share-of-voice": (store.share_of_voice, OF_MENTIONS),
    "response-times": (store.response_times, OF_CONVERSATIONS),
    "sla": (store.promises, OF_CONVERSATIONS),
}
SERIES = tuple(_SERIES)


def dimensions_of(series: str) -> tuple[str, ...]:
    """What a series may be narrowed and split by."""
    return _SERIES[series][1]


async def read_series(
    desk: Desk, series: str, *, since: datetime | None = None, until: datetime | None = None, group: str = "day",
    by: str | None = None, narrowed: Mapping[str, str] | None = None,
) -> Figures:  # fmt: skip
    """The figures of a series: volume, sentiment, share-of-voice, response-times or sla. `group` is hour, day, week or none;
    days begin by the workspace's clock. `narrowed` gives dimensions values, by name. Raises Invalid."""
    read, known = _SERIES[series]
    begin, end = period_of(since, until, group)
    if by is not None and by not in known:
        raise Invalid(f"{series} cannot be split by {by}.", errors=[("/by", f"is none of {', '.join(known)}")])
    for name in narrowed or {}:
        if name not in known:
            raise Invalid(
                f"{series} cannot be narrowed by {name}.", errors=[(f"/{name}", f"known: {', '.join(known)}")]
            )
    step: Step | None = None if group == "none" else group  # type: ignore[assignment]  # looked at in period_of
    async with desk.reading() as connection:
        zone = await workspaces.timezone(connection)
        found = await read(connection, Period(begin, end, zone, step, by, narrowed or {}))
    return [_shown(row) for row in found]


async def read_workload(desk: Desk, since: datetime | None = None, until: datetime | None = None) -> dict[str, Figures]:
    """What waits in each queue now, and what each agent has now and did in the period."""
    begin, end = period_of(since, until, "none")
    async with desk.reading() as connection:
        found = await store.workload(connection, begin, end)
    return {name: [_shown(row) for row in many] for name, many in found.items()}


def period_of(since: datetime | None, until: datetime | None, group: str) -> tuple[datetime, datetime]:
    """A period as it was asked for: four weeks up to now unless said otherwise. Raises Invalid for one that is empty, or too
    long for its steps."""
    if group not in LONGEST:
        raise Invalid("group must be hour, day, week or none.", errors=[("/group", f"is none of {', '.join(LONGEST)}")])
    end = until or clock.now()
    begin = since or end - min(USUAL, LONGEST[group])
    if begin >= end:
        raise Invalid("from must be before to.", errors=[("/from", "is not before to")])
    if end - begin > LONGEST[group]:
        raise Invalid(
            f"A period by {group} may have {LONGEST[group].days} days.", errors=[("/from", "is too long ago")]
        )
    return begin, end


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: clock.iso(value) if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
