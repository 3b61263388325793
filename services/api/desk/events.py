"""Events: what happened, in the one order in which everybody hears of it."""

from collections.abc import Sequence
from uuid import UUID

from services.api.desk import masked_events
from services.api.desk.desk import Desk
from shared.kit.errors import Invalid
from shared.store import events
from shared.store.events import LARGEST_FEED_PAGE, FeedPage
from shared.store.views import NOUNS

USUAL_FEED_PAGE = 100
API_VERSION = events.API_VERSION
"""The version of what is told and published; it changes only when a reader would have to change."""


async def read_feed(
    desk: Desk, after: int | None, limit: int | None, types: Sequence[str] = (), conversation_id: UUID | None = None
) -> FeedPage:
    """Events after a position, the oldest first. `types` are names, `noun.*` or `*`. Raises Gone where they have expired.

    From whom personal data is hidden, hears what happened to what, without words of customers."""
    size = USUAL_FEED_PAGE if limit is None else limit
    if not 1 <= size <= LARGEST_FEED_PAGE:
        raise Invalid(f"limit must be from 1 to {LARGEST_FEED_PAGE}.", errors=[("/limit", f"{size} is out of range")])
    async with desk.reading() as connection:
        found = await events.page(
            connection, after=after, limit=size, types=list(types) or None, conversation_id=conversation_id
        )
    return masked_events.masked(found, NOUNS) if desk.actor.hidden else found
