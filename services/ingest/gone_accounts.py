"""Accounts that their network has no more: what they wrote is taken away, a bounded batch at a time."""

from services.ingest.pages import GONE
from shared import outbox
from shared.kit import clock
from shared.kit.database import Database
from shared.models import facts
from shared.store import tombstones, work

BATCH = 500


class Taker:
    """Takes away what gone accounts wrote, of all workspaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(self) -> bool:
        """One batch of one account. False where there is nothing to take away."""
        async with self._database.lookup() as connection:
            claim = await work.claim(connection, GONE, 1)
        if claim is None:
            return False
        for work_id, author_id, _ in claim.works:
            async with self._database.write(claim.workspace_id) as session:
                found, fresh = await tombstones.blank(session, claim.workspace_id, author_id, clock.now(), BATCH)
                await outbox.add(
                    session, claim.workspace_id, [facts.MentionDeleted(subject_id=mention_id) for mention_id in fresh]
                )
                if found < BATCH:
                    await work.done(session, claim, [work_id])
            if found == BATCH:
                async with self._database.lookup() as connection:
                    await work.release(connection, claim, [work_id], after_s=0, error="")
        return True
