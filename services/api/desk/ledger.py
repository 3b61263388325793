"""The ledger: what came in and what became of it, per channel and hour."""

from datetime import datetime
from typing import Any

from services.api.desk.desk import Desk
from shared.kit import clock
from shared.store import ledger


async def read_ledger(
    desk: Desk, since: datetime | None, until: datetime | None, channel: str | None
) -> list[dict[str, Any]]:
    """The hours from `since` to before `until`, of a channel (id or name) or of all, the newest first."""
    async with desk.reading() as connection:
        rows = await ledger.read(connection, since=since, until=until, channel=channel)
    return [
        {
            "channel": row["channel"],
            "channel_id": str(row["channel_id"]),
            "hour": clock.iso(row["hour"]),
            **{name: row[name] for name in ledger.COUNTS},
        }
        for row in rows
    ]
