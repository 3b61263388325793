"""Finding anything by its id alone."""

from collections.abc import Sequence
from uuid import UUID

from services.api.desk.desk import Desk
from shared.store import reading
from shared.store.views import NOUNS


async def noun_of(desk: Desk, key: UUID, nouns: Sequence[str]) -> str | None:
    """Which of these nouns has this id in the workspace; None where none has."""
    async with desk.reading() as connection:
        return await reading.noun_of(connection, NOUNS, key, nouns)
