"""Waiting for what only Postgres knows: that another transaction stands before a lock."""

import asyncio

from shared.kit.database import Database


async def somebody_waits(database: Database) -> None:
    """Returns once some transaction of this database waits for a lock. Fails where none comes to."""
    async with asyncio.timeout(20):
        while True:
            async with database.lookup() as connection:
                if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                    return
            await asyncio.sleep(0.02)
