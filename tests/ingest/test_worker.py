"""The ingest worker as a whole: it streams, polls and reads gaps again, and stops cleanly."""

import asyncio
from datetime import timedelta
from pathlib import Path

from services.ingest import worker
from services.ingest.channels.simulated import venue_of
from services.ingest.opening import workspace_folder
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from shared.models.channel import Channel, ChannelGap
from tests.builders import a_channel, a_workspace


async def test_it_streams_polls_fills_gaps_and_stops(database: Database, settings: Settings, tmp_path: Path) -> None:
    chosen = settings.model_copy(update={"data_dir": tmp_path})
    workspace_id = await a_workspace(database)
    folder = workspace_folder(worker.folder_of(chosen), workspace_id)
    made: dict[str, Channel] = {}
    for venue in ("streamed", "polled", "missed"):
        # what was posted before its cursor was missed by the third
        venue_of(folder, venue).post(f"words at {venue}", id=f"{venue}-1")
        made[venue] = await a_channel(
            database, workspace_id, type="simulated", next_poll_at=clock.now(),
            settings={"venue": venue, "streams": venue == "streamed"}, cursor={"after": 10} if venue == "missed" else None,
        )  # fmt: skip
    now = clock.now()
    gap = ChannelGap(
        workspace_id=workspace_id, channel_id=made["missed"].id, since=now - timedelta(hours=1), until=now, reason="It was away.",
        found_at=now, next_try_at=now,
    )  # fmt: skip
    async with database.write(workspace_id) as session:
        session.add(gap)
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(chosen, stop))
    wanted = {"streamed-1", "polled-1", "missed-1"}
    try:
        async with asyncio.timeout(60):
            while True:
                async with database.read(workspace_id) as connection:
                    found = {row[0] for row in await connection.fetch("SELECT external_id FROM mention")}
                    leased = await connection.fetchval("SELECT count(*) FROM channel WHERE lease_token IS NOT NULL")
                if found == wanted and leased:
                    break
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await asyncio.wait_for(running, 40)
    async with database.read(workspace_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM channel WHERE lease_token IS NOT NULL") == 0
        assert await connection.fetchval("SELECT count(*) FROM channel WHERE health = 'ok'") == 3
        assert await connection.fetchval("SELECT count(*) FROM channel_gap WHERE closed_at IS NULL") == 0
