"""Works an edit of a policy or a calendar through the conversations whose promises still run (shared/acts/edits.py).

A second look comes later: whoever was in the middle of a conversation when the edit was made may have put it under what held before.
"""

from shared.acts import edits
from shared.kit.database import Database
from shared.store import work

LOOKS_AGAIN_AFTER_S = 60.0
"""By then everything has ended that began before the edit: no statement may take that long, nor a transaction lie idle."""


async def reapply(database: Database, kind: str) -> bool:
    """Does one piece of such work. Returns whether there may be more at once."""
    async with database.lookup() as connection:
        claim = await work.claim(connection, kind, 1)
    if claim is None:
        return False
    ((_, subject_id, looks),) = claim.works
    after = None
    while True:
        async with database.write(claim.workspace_id) as session:
            after = await edits.reapply(session, claim.workspace_id, kind, subject_id, after)
            if after is None and looks:
                await work.done(session, claim)
        if after is None:
            break
        async with database.lookup() as connection:
            await work.renew(connection, claim)
    if not looks:
        async with database.lookup() as connection:
            await work.look_again(connection, claim, claim.work_ids, after_s=LOOKS_AGAIN_AFTER_S)
    return True
