"""Hands out work where queues push: offers it, passes on what nobody took, takes back what lies with who went silent.

What is decided stands in shared/acts/offers.py and shared/rules/routing.py; here is only when somebody looks. Several processes may: who
hands out work in a workspace does so alone.
"""

from shared.acts import offer_ends
from shared.acts import offers as acts
from shared.kit.database import Database
from shared.kit.jobs import apart
from shared.store import offers


async def dispatch(database: Database) -> bool:
    """Ends offers that ran out and offers what waits. Returns whether there may be more at once."""
    async with database.lookup() as connection:
        past = await offers.workspaces_with_past(connection)
    for workspace_id in past:
        with apart("offers that ran out were not ended", workspace_id=str(workspace_id)):
            async with database.write(workspace_id) as session:
                await offer_ends.expire(session, workspace_id)
    async with database.lookup() as connection:
        waiting = await offers.queues_to_serve(connection)
    more = False
    for workspace_id, queue_id in waiting:
        with apart("a queue was not served", workspace_id=str(workspace_id), queue_id=str(queue_id)):
            async with database.write(workspace_id) as session:
                more = await acts.serve(session, workspace_id, queue_id) >= acts.AT_ONCE or more
    return more


async def take_back(database: Database) -> bool:
    """Gives work back to its queue whose agent is offline, or silent, for too long."""
    async with database.lookup() as connection:
        workspaces = await offers.workspaces_that_take_back(connection)
    for workspace_id in workspaces:
        with apart("nothing was taken back", workspace_id=str(workspace_id)):
            async with database.write(workspace_id) as session:
                await acts.take_back(session, workspace_id)
    return False
