"""Mentions that went the whole way: taken in by intake, understood by the real pipeline, recorded as triage records."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from services.triage import pipeline
from services.triage.library import Library
from services.triage.pipeline import Assessed
from services.triage.stage import Assessment, Briefing
from services.triage.worker import Triage
from shared.kit.database import Database
from shared.models.channel import Channel
from shared.models.facts import MentionReceived
from tests.builders import an_item, taken


class InThisProcess:
    """Reads with the real models, without a child process; a briefing is prepared once, as the child does it."""

    async def assess(self, batch: Sequence[Assessment], briefing: Briefing, _: float) -> list[Assessed]:
        """Carry a batch through the pipeline."""
        key = (briefing.workspace_id, briefing.version)
        if key not in _PREPARED:
            _PREPARED[key] = briefing.with_models(models())
        return pipeline.run(batch, _PREPARED[key]).assessed()


_PREPARED: dict[tuple[str, str], Briefing] = {}


@cache
def models() -> Library:
    """The models that the project ships with, loaded once."""
    return Library()


async def say(
    database: Database, workspace_id: UUID, channel: Channel, texts: Sequence[str], at: datetime, **fields: Any
) -> None:
    """Have mentions come in that were published at a moment, each by an author of its own, and have all understood that wait."""
    items: list[Mapping[str, Any]] = []
    for place, text in enumerate(texts):
        name = f"{channel.name}-{at:%m%d%H%M}-{place}-{abs(hash(text))}"
        author = {"external_id": name, "handle": f"h{abs(hash(name))}", "followers": 100}
        items.append(an_item(name, text, **{"published_at": at, "author": author, **fields}))
    await taken(database, workspace_id, channel, *items)
    await understand(database)


async def understand(database: Database) -> None:
    """Have triage understand all that waits."""
    triage = Triage(database, [])
    while await triage.once(MentionReceived.type, InThisProcess()):  # type: ignore[arg-type]  # all that once asks of it
        pass
