"""Heads: which version of what a workspace's corrections taught answers, and which mentions a person's word would teach most."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.desk.desk import Desk
from shared.kit import clock, ids
from shared.kit.errors import Conflict, Invalid
from shared.models.head import Head, HeadState, Question
from shared.store import heads as store
from shared.store import rows
from shared.store.hidden import HIDDEN

LOOKED_BACK = timedelta(days=28)
LOOKED_AT = 5_000
USUAL_WANTED, MOST_WANTED = 20, 100


async def promote_head(desk: Desk, head_id: UUID) -> UUID:
    """Has a version answer its question from now on, whatever its figures say: so one goes back, or forward. Returns its id.

    Raises NotFound, Conflict where it answers already."""
    await store.lock(desk.session, desk.workspace_id)
    head = await rows.take(desk.session, Head, desk.workspace_id, head_id)
    before = await store.active(desk.session, desk.workspace_id, Question(head.question))
    if before is not None and before.id != head.id:
        before.retire()
        await rows.flush(desk.session, Head)  # one answers at a time: the former steps down first
    head.promote()
    await rows.flush(desk.session, Head)
    return head.id


async def retire_head(desk: Desk, head_id: UUID) -> UUID:
    """Has what the project ships answer the question again. Returns the version's id.

    Raises NotFound, Conflict where this version does not answer."""
    await store.lock(desk.session, desk.workspace_id)
    head = await rows.take(desk.session, Head, desk.workspace_id, head_id)
    if head.state != HeadState.ACTIVE:
        raise Conflict(f"Version {head.version} does not answer {head.question}: it is {head.state}.")
    head.retire()
    await rows.flush(desk.session, Head)
    return head.id


async def read_wanted(desk: Desk, finding: str, size: int | None = None) -> list[dict[str, Any]]:
    """Mentions of the last four weeks of which triage is the least sure, the least sure first, each text once: what to set right,
    or to confirm by the same value, so that the next refit learns most. Raises Invalid."""
    if finding not in tuple(Question):
        raise Invalid("Say what is to be learned.", errors=[("/finding", f"is none of {', '.join(Question)}")])
    size = USUAL_WANTED if size is None else size
    if not 1 <= size <= MOST_WANTED:
        raise Invalid(f"size must be from 1 to {MOST_WANTED}.", errors=[("/size", f"{size} is out of range")])
    since = ids.first_id_at(clock.now() - LOOKED_BACK)
    async with desk.reading() as connection:
        found = await store.wanted(connection, Question(finding), since, LOOKED_AT, size)
    masked = await desk.texts([one.mention_id for one in found]) if desk.actor.hidden else None
    return [
        {
            "mention_id": str(one.mention_id),
            "finding": finding,
            "value": one.value,
            "confidence": round(one.confidence, 3),
            "why": one.why if masked is None else HIDDEN,
            "text": one.text if masked is None else masked.get(one.mention_id, HIDDEN),
            "lang": one.lang,
            "published_at": clock.iso(one.published_at),
        }
        for one in found
    ]
